"""The widget of Day 20: choose a channel and the knobs, watch its picture grow, stop it, save it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ipywidgets
import numpy as np
from PIL import Image

from days.common.live import LivePicture, curves, live_picture, panel
from days.common.models import Model
from days.common.widgets import GrowingPicture, alarming
from days.day20.code.ascent import Ascent
from days.day20.code.evidence import LADDER
from days.day20.code.lesson import SQUEEZENET_LAYERS


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
            return live_growing(images[0], f"{layer}, channel {channel}, {rung}", history, steps)

        for _ in range(steps):
            yield draw
            reached = ascent.step()
            if reached is None:
                raise ValueError(f"step {len(history)} was not finite: the last good picture stays")
            history.append(float(reached[0]))
        yield draw

    grower = GrowingPicture(controls, make_steps, steps + 1)
    grower.box.children = (*grower.box.children, _save_button(grown))
    return grower


def live_growing(image: np.ndarray, title: str, history: Sequence[float], steps: int) -> LivePicture:
    """A picture (h, w, 3) as it stands, and its objective so far, out of `steps`."""
    parts = [panel(f"after {len(history)} steps", image), curves("objective", {"": history}, end=steps)]
    best = f", objective {history[-1]:.3g}" if history else ""
    return live_picture(title, parts, f"{title} after {len(history)} steps{best}.", width=640)


def _save_button(grown: dict[str, np.ndarray]) -> ipywidgets.HBox:
    """A button that writes the pictures {name: (H, W, 3)} that stand there when it is pressed, and says so."""
    save, message = ipywidgets.Button(description="Save"), ipywidgets.HTML()

    def write(_):
        if not grown:
            message.value = alarming("nothing has grown yet: press Start")
        for name, image in grown.items():
            try:
                Image.fromarray((image * 255).round().astype(np.uint8)).save(Path(name))
                message.value = f"saved as {name}"
            except OSError as error:
                message.value = alarming(f"cannot write {name}: {error.strerror}")

    save.on_click(write)
    return ipywidgets.HBox([save, message])
