"""The widget of Day 17: choose a photo, a layer and a channel, and see what the channel answers."""

from __future__ import annotations

from functools import lru_cache

import ipywidgets
import numpy as np

from days.common.figures import color_scale, signed, tile
from days.common.images import IMAGE_NAMES, load_image
from days.common.live import LivePicture, Part, live_picture, panel
from days.common.models import Model
from days.common.squeezenet import convolution_behind
from days.common.widgets import Explorer
from days.day17.code import feature_maps as fm
from days.day17.code.backends import capture, filters
from days.day17.code.lesson import DEPTHS
from days.day17.code.visualizations import spotlight

LAYERS = ("conv1_activation", *DEPTHS)


def channel_explorer(model: Model) -> Explorer:
    """Photo, photo lit by the map, map and filter of one channel of SqueezeNet.

    model : `load_model("squeezenet", framework=...)`, of either framework. The slider takes the arrow keys.
    """
    image_of = lru_cache(lambda name: load_image(name, size=224))
    weights_of = lru_cache(lambda convolution: filters(model.network, convolution))

    @lru_cache(maxsize=32)
    def maps(photo: str, layer: str):
        return capture(model.network, layer, model.preprocess(image_of(photo)))[layer][0]

    photo = ipywidgets.Dropdown(options=IMAGE_NAMES, value="chelsea", description="photo")
    layer = ipywidgets.Dropdown(options=LAYERS, value="fire9", description="layer")
    channel = ipywidgets.IntSlider(426, 0, len(maps("chelsea", "fire9")) - 1, description="channel")

    def fit_slider(_):
        channel.max = len(maps(photo.value, layer.value)) - 1

    def draw(photo, layer, channel):
        answers = maps(photo, layer)
        convolution, index = convolution_behind(layer, channel)
        means = answers.mean(axis=(1, 2))
        place = int((means > means[channel]).sum()) + 1
        title = f"{photo}, {layer}, channel {channel}: mean {means[channel]:.1f}, place {place} of {len(means)}"
        return live_channel(image_of(photo), answers[channel], weights_of(convolution)[index], title)

    # Before the explorer observes the layer, so that the slider never points behind the last channel.
    layer.observe(fit_slider, names="value")
    return Explorer({"photo": photo, "layer": layer, "channel": channel}, draw)


def live_channel(image: np.ndarray, feature_map: np.ndarray, weights: np.ndarray, title: str) -> LivePicture:
    """As `visualizations.draw_channel`: photo, photo lit where the channel fires, map (h, w), weights (in, kh, kw)."""
    parts = [
        panel("photo", image),
        panel("lit where the channel fires", spotlight(image, feature_map)),
        panel(f"map {feature_map.shape}", feature_map, color_scale(feature_map), "activation"),
        _live_filter(weights),
    ]
    alt = f"{title}: the photo, the photo lit where the channel fires, the map and the filter."
    return live_picture(title, parts, alt)


def _live_filter(weights: np.ndarray) -> Part:
    if len(weights) == 3:
        return panel("filter, in color", fm.color_patches(weights[None])[0])
    strongest, high = fm.strongest_inputs(weights, 16), color_scale(weights).high
    title = f"filter: its {len(strongest)} strongest inputs"
    return panel(title, tile(weights[strongest], 4), signed(high), "weight")
