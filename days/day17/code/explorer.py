"""The widget of Day 17: choose a photo, a layer and a channel, and see what the channel answers."""

from __future__ import annotations

from functools import lru_cache

import ipywidgets

from days.common.images import IMAGE_NAMES, load_image
from days.common.models import Model
from days.common.squeezenet import convolution_behind
from days.common.widgets import explorer
from days.day17.code.backends import capture, filters
from days.day17.code.lesson import DEPTHS
from days.day17.code.visualizations import draw_channel

LAYERS = ("conv1_activation", *DEPTHS)


def channel_explorer(model: Model) -> ipywidgets.VBox:
    """Photo, photo lit by the map, map and filter of one channel of SqueezeNet.

    model : `load_model("squeezenet", framework=...)`, of either framework. The slider takes the arrow keys.
    """

    @lru_cache(maxsize=32)
    def maps(image_name: str, layer: str):
        batch = model.preprocess(load_image(image_name, size=224))
        return capture(model.network, layer, batch)[layer][0]

    image = ipywidgets.Dropdown(options=IMAGE_NAMES, value="chelsea", description="photo")
    layer = ipywidgets.Dropdown(options=LAYERS, value="fire9", description="layer")
    channel = ipywidgets.IntSlider(426, 0, len(maps("chelsea", "fire9")) - 1, description="channel")

    def fit_slider(_):
        channel.max = len(maps(image.value, layer.value)) - 1

    def draw(image, layer, channel):
        answers = maps(image, layer)
        convolution, index = convolution_behind(layer, channel)
        means = answers.mean(axis=(1, 2))
        place = int((means > means[channel]).sum()) + 1
        title = f"{image}, {layer}, channel {channel}: mean {means[channel]:.1f}, place {place} of {len(means)}"
        weights = filters(model.network, convolution)[index]
        return draw_channel(load_image(image, size=224), answers[channel], weights, title)

    # Before `explorer` observes the layer, so that the slider never points behind the last channel.
    layer.observe(fit_slider, names="value")
    return explorer({"image": image, "layer": layer, "channel": channel}, draw)
