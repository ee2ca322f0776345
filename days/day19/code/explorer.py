"""The widget of Day 19: a channel's map of a photo, and beside it the picture that grows for it."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import numpy as np

from days.common.figures import color_scale
from days.common.images import load_image
from days.common.live import LivePicture, curves, live_picture, panel
from days.common.models import Model
from days.common.widgets import GrowingPicture
from days.day17.code.backends import capture
from days.day17.code.explorer import LAYERS
from days.day19.code import feature_visualization as fv
from days.day19.code.gradients import value_and_gradient
from days.day19.code.lesson import HIGH, LOW, noise, to_image


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
            yield lambda: live_ascent(photo, maps[layer][0, channel], done, f"{layer}, channel {channel}", steps)

    layer.observe(fit_slider, names="value")
    return GrowingPicture({"layer": layer, "channel": channel}, make_steps, steps + 1)


def live_ascent(
    photo: np.ndarray, feature_map: np.ndarray, done: Sequence[fv.AscentStep], title: str, steps: int
) -> LivePicture:
    """A channel two ways: where it fires in a photo (a map, h x w), and the picture that grows, with its objective."""
    parts = [
        panel("photo", photo),
        panel("what fired in it", feature_map, color_scale(feature_map), "activation"),
        panel(f"the picture, step {len(done) - 1}", to_image(done[-1].pixels)),
        curves("objective: the channel's mean", {"": [step.value for step in done]}, end=steps),
    ]
    alt = f"{title}: photo, map, and the ascent picture. The ascent {fv.describe_ascent(list(done))}."
    return live_picture(title, parts, alt)
