"""The widget of Day 21: a photo, a layer, and the dream that grows."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets
import numpy as np

from days.common.live import LivePicture, curves, live_picture, panel
from days.common.widgets import GrowingPicture, PhotoChoice
from days.day21.code import dreaming
from days.day21.code.deepdream import slope
from days.day21.code.lesson import LAYERS

LONGER_SIDE = 336


def dream_explorer(network, *, octaves: int = 4, steps: int = 15) -> GrowingPicture:
    """Choose a photo or add one, choose a layer of SqueezeNet, press Start, and watch; `.box` is what to show.

    A photo's longer side is made 336 pixels, so that a step takes a hundredth of a second.
    """
    photos = PhotoChoice("coffee", whole=within_336)
    layers = ipywidgets.Dropdown(options=LAYERS, value="fire7", description="layer")

    def make_steps(photo, layer):
        image = within_336(photos.image(photo))
        done: list[dreaming.Moment] = []
        for moment in dreaming.grow(slope(network, layer), image, octaves=octaves, steps=steps):
            done.append(moment)
            yield lambda: live_dream(image, done, layer, octaves * steps)

    return GrowingPicture({"photo": photos, "layer": layers}, make_steps, octaves * steps)


def live_dream(photo: np.ndarray, moments: Sequence[dreaming.Moment], title: str, steps: int) -> LivePicture:
    """As `visualizations.draw_growing`: the photo, the picture so far, and the objective up to here."""
    last = moments[-1]
    parts = [
        panel("photo", photo),
        panel(f"dream, {last.picture.shape[0]} x {last.picture.shape[1]}", last.picture),
        curves("objective", {"": [moment.value for moment in moments]}, end=steps, height=0.75),
    ]
    risen = "has risen" if last.value > moments[0].value else "has not risen"
    return live_picture(
        f"{title}: octave {last.octave + 1}, step {last.step + 1}",
        parts,
        f"{title}: photo, dream and objective after {len(moments)} steps, in octave {last.octave + 1}; the objective "
        f"{risen} since the first.",
    )


def within_336(image: np.ndarray) -> np.ndarray:
    """An image with its longer side 336 pixels, none of it cut off."""
    scale = LONGER_SIDE / max(image.shape[:2])
    return dreaming.shrunk(image, tuple(max(1, round(side * scale)) for side in image.shape[:2]))
