"""The widget of Day 19: a channel's map of a photo, and beside it the picture that grows for it."""

from __future__ import annotations

import ipywidgets

from days.common.images import load_image
from days.common.models import Model
from days.common.widgets import GrowingPicture
from days.day17.code.backends import capture
from days.day17.code.explorer import LAYERS
from days.day19.code import feature_visualization as fv
from days.day19.code.gradients import value_and_gradient
from days.day19.code.lesson import HIGH, LOW, noise
from days.day19.code.visualizations import draw_growing


def ascent_explorer(model: Model, *, steps: int = 60) -> GrowingPicture:
    """Choose a layer and a channel of SqueezeNet, press Start, and watch; `.box` is what to show."""
    photo = load_image("chelsea", size=224)
    maps = capture(model.network, list(LAYERS), model.preprocess(photo))
    layer = ipywidgets.Dropdown(options=LAYERS, value="fire6", description="layer")
    channel = ipywidgets.IntSlider(341, 0, maps["fire6"].shape[1] - 1, description="channel")

    def fit_slider(_):
        channel.max = maps[layer.value].shape[1] - 1

    def make_steps(layer, channel):
        done: list[fv.AscentStep] = []

        def ask(pixels):
            return value_and_gradient(model.network, layer, pixels, channel)

        for step in fv.ascend(ask, noise(), steps=steps, learning_rate=4.0, low=LOW, high=HIGH):
            done.append(step)
            yield lambda: draw_growing(photo, maps[layer][0, channel], done, f"{layer}, channel {channel}")

    layer.observe(fit_slider, names="value")
    return GrowingPicture({"layer": layer, "channel": channel}, make_steps, steps + 1)
