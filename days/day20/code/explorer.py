"""The widget of Day 20: choose a channel and the knobs, watch its picture grow, stop it, save it."""

from __future__ import annotations

from pathlib import Path

import ipywidgets
import numpy as np
from PIL import Image

from days.common.models import Model
from days.common.widgets import GrowingPicture
from days.day20.code.ascent import Ascent
from days.day20.code.evidence import LADDER
from days.day20.code.lesson import SQUEEZENET_LAYERS
from days.day20.code.visualizations import draw_growing


def growing_explorer(model: Model, *, size: int = 96, steps: int = 96) -> GrowingPicture:
    """Choose a layer, a channel and a rung of `LADDER`, press Start, and watch; `.box` is what to show.

    Save writes the picture as it stands, size x size pixels, beside the notebook, as LAYER_CHANNEL.png, and says so.
    """
    controls = {
        "layer": ipywidgets.Dropdown(options=SQUEEZENET_LAYERS, value="fire7", description="layer"),
        "channel": ipywidgets.BoundedIntText(40, min=0, max=511, description="channel"),
        "rung": ipywidgets.Dropdown(options=[name for name in LADDER if "div" not in name], value="+ colors"),
    }
    grown: dict[str, np.ndarray] = {}

    def make_steps(layer, channel, rung):
        ascent = Ascent(model.network, layer, channel, size=size, preprocess=model.preprocess, **LADDER[rung])
        history = []

        def draw():
            images = ascent.images()
            grown.clear()
            grown[f"{layer}_{channel}.png"] = images[0]
            values = np.array(history).reshape(-1, 1)
            return draw_growing(images, [f"{layer}, channel {channel}, {rung}"], values, steps)

        for _ in range(steps):
            yield draw
            reached = ascent.step()
            if reached is None:
                raise ValueError(f"step {len(history)} was not finite: the last good picture stays")
            history.append(reached)
        yield draw

    grower = GrowingPicture(controls, make_steps, steps + 1, every=6)
    grower.box.children = (*grower.box.children, _save_button(grown))
    return grower


def _save_button(grown: dict[str, np.ndarray]) -> ipywidgets.HBox:
    """A button that writes the pictures {name: (H, W, 3)} that stand there when it is pressed, and says so."""
    save, message = ipywidgets.Button(description="Save"), ipywidgets.HTML()

    def write(_):
        if not grown:
            message.value = '<b role="alert">nothing has grown yet: press Start</b>'
        for name, image in grown.items():
            try:
                Image.fromarray((image * 255).round().astype(np.uint8)).save(Path(name))
                message.value = f"saved as {name}"
            except OSError as error:
                message.value = f'<b role="alert">cannot write {name}: {error.strerror}</b>'

    save.on_click(write)
    return ipywidgets.HBox([save, message])
