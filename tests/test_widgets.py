"""Widgets without a browser: controls move the picture, and errors are seen."""

from __future__ import annotations

import ipywidgets
import pytest

from days.common.figures import describe, new_figure
from days.common.widgets import explorer


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_the_channel_explorer_follows_its_controls(framework, request):
    from days.day17.code.explorer import channel_explorer

    box = channel_explorer(request.getfixturevalue("squeezenet" if framework == "torch" else "keras_squeezenet"))
    (image, layer, channel), picture, caption = box.children[0].children, box.children[1], box.children[2]
    assert "chelsea, fire9, channel 426: mean 57.6, place 1 of 512" in caption.value
    before = picture.value
    layer.value = "conv1_activation"
    assert channel.max == 63
    assert channel.value <= 63
    channel.value = 47
    assert "channel 47: mean 81.4, place 1 of 64" in caption.value
    assert picture.value != before
    before = picture.value
    image.value = "coffee"
    assert "coffee, conv1_activation, channel 47" in caption.value
    assert picture.value != before
    layer.value = "fire4"
    assert channel.max == 255


def test_an_error_is_shown_and_the_last_picture_stays():
    def draw(number):
        if number > 1:
            raise ValueError("<no> such number")
        return describe(new_figure(2, 1), f"number {number}")

    slider = ipywidgets.IntSlider(1, 0, 3)
    _, picture, caption = explorer({"number": slider}, draw).children
    before = picture.value
    slider.value = 2
    assert "ValueError: &lt;no&gt; such number" in caption.value
    assert picture.value == before
    slider.value = 0
    assert "number 0" in caption.value
