"""The widget of Day 23: a network, a layer, a channel, an image; its map, and what is right without the channel."""

from __future__ import annotations

from functools import lru_cache

import ipywidgets
import numpy as np

from days.common.figures import color_scale
from days.common.live import LivePicture, live_picture, panel
from days.common.widgets import Explorer
from days.day18.code.training import Weights
from days.day18.code.visualizations import visible_patches
from days.day23.code import network
from days.day23.code.network import LAYERS

IMAGES = 120


def silencing_explorer(networks: dict[str, Weights]) -> Explorer:
    """Choose a channel, and see the image, its map, and how many images are right when the channel is set to 0.

    networks : weights of the small network by name, of whatever widths, run rightly. conv1's filters are shown, too.
    """
    data = network.ward_images()[:IMAGES]
    controls = _controls(networks)

    def fit_slider(_):
        controls["channel"].max = len(networks[controls["network"].value][controls["layer"].value][1]) - 1

    @lru_cache(maxsize=8)
    def whole(name: str) -> network.Answers:
        return network.run(networks[name], data.images)

    @lru_cache(maxsize=128)
    def right_without(name: str, layer: str, channel: int) -> int:
        scores = network.run(silenced(networks[name], layer, channel), data.images).scores
        return int((scores.argmax(axis=1) == data.labels).sum())

    def draw(network, layer, channel, image) -> LivePicture:
        maps = whole(network).activations[layer]
        before = int((whole(network).scores.argmax(axis=1) == data.labels).sum())
        after = right_without(network, layer, channel)
        title = f"{network}, {layer} {channel}: {before} of {IMAGES} images are right, and {after} without this channel"
        parts = [panel(f"image {image}", data.images[image])]
        parts += [panel("the channel's map", maps[image, channel], color_scale(maps[:, channel]), "activation")]
        if layer == LAYERS[0]:
            filters = networks[network][layer][0][channel : channel + 1]
            parts += [panel("its filter, at its own strength", visible_patches(filters)[0])]
        most = float(maps[image, channel].max())
        return live_picture(title, parts, f"{title}. On image {image} its largest activation is {most:.2g}.")

    for name in ("network", "layer"):
        # Before the explorer observes them, so that it never asks for a channel that there is not.
        controls[name].observe(fit_slider, "value")
    return Explorer(controls, draw)


def _controls(networks: dict[str, Weights]) -> dict[str, ipywidgets.Widget]:
    channels = len(next(iter(networks.values()))[LAYERS[0]][1])
    return {
        "network": ipywidgets.Dropdown(options=list(networks), description="network"),
        "layer": ipywidgets.Dropdown(options=LAYERS, description="layer"),
        "channel": ipywidgets.IntSlider(0, 0, channels - 1, description="channel"),
        "image": ipywidgets.IntSlider(0, 0, IMAGES - 1, description="image"),
    }


def silenced(weights: Weights, layer: str, channel: int) -> Weights:
    """The weights with one filter of a layer and its bias set to 0: behind the ReLU, the channel is 0 everywhere."""
    values, bias = (np.array(part) for part in weights[layer])
    values[channel], bias[channel] = 0, 0
    return {**weights, layer: (values, bias)}
