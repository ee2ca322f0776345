"""The widget of Day 21: a photo, a layer, and the dream that grows."""

from __future__ import annotations

import io

import ipywidgets
import numpy as np
from PIL import Image

from days.common.images import IMAGE_NAMES, load_image
from days.common.widgets import GrowingPicture
from days.day21.code import dreaming
from days.day21.code.deepdream import slope
from days.day21.code.lesson import LAYERS
from days.day21.code.visualizations import draw_growing

LONGER_SIDE = 336


def dream_explorer(network, *, octaves: int = 4, steps: int = 15) -> GrowingPicture:
    """Choose a photo or upload one, choose a layer of SqueezeNet, press Start, and watch; `.box` is what to show.

    An uploaded photo goes before the chosen one; its longer side is made 336 pixels, so that a step takes a hundredth
    of a second.
    """
    controls = {
        "photo": ipywidgets.Dropdown(options=IMAGE_NAMES, value="coffee", description="photo"),
        "layer": ipywidgets.Dropdown(options=LAYERS, value="fire7", description="layer"),
        "own": ipywidgets.FileUpload(accept="image/*", description="own photo"),
    }

    def make_steps(photo, layer, own):
        image = within_336(uploaded_image(own) if own else load_image(photo))
        done: list[dreaming.Moment] = []
        for moment in dreaming.grow(slope(network, layer), image, octaves=octaves, steps=steps):
            done.append(moment)
            yield lambda: draw_growing(image, done, layer)

    return GrowingPicture(controls, make_steps, octaves * steps)


def uploaded_image(upload) -> np.ndarray:
    """The image (H, W, 3) in what `FileUpload` holds. Raises ValueError for a file that is no readable picture."""
    try:
        with Image.open(io.BytesIO(bytes(upload[0]["content"]))) as picture:
            return load_image(picture)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{upload[0]['name']} is not a readable picture: {error}") from error


def within_336(image: np.ndarray) -> np.ndarray:
    """An image with its longer side 336 pixels, none of it cut off."""
    scale = LONGER_SIDE / max(image.shape[:2])
    return dreaming.shrunk(image, tuple(max(1, round(side * scale)) for side in image.shape[:2]))
