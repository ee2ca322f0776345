"""What Day 17's figures and notebook compute once and use often: the toy's arrays, and what SqueezeNet answers."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from days.common.images import load_image
from days.common.models import Model, load_model
from days.day17.code.backends import capture, filters

EDGE_KERNEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
"""Sobel's vertical edge detector (1968): right minus left, the middle row counting double."""

DEPTHS = ("fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9")


def toy_image() -> np.ndarray:
    """The (6, 6) image of the hand-worked example: dark on the left, bright on the right."""
    return np.repeat(np.array([[0, 0, 0, 1, 1, 1]], np.float32), 6, axis=0)


def crop_at(photo: np.ndarray, left: int, size: int = 224, top: int = 30) -> np.ndarray:
    """A (size, size, 3) window of a larger photo (H, W, 3), its left edge at column `left`."""
    return photo[top : top + size, left : left + size]


class Lesson:
    """What the figures are drawn from: SqueezeNet trained and untrained, and what both answer to the photos."""

    @cached_property
    def model(self) -> Model:
        """The trained network."""
        return load_model("squeezenet")

    @cached_property
    def untrained(self) -> Model:
        """The same network with random weights."""
        return load_model("squeezenet", weights="random")

    @cached_property
    def cat(self) -> np.ndarray:
        """The cat, (224, 224, 3)."""
        return load_image("chelsea", size=224)

    @cached_property
    def gray_cat(self) -> np.ndarray:
        """The cat in gray, from 0 to 1, (96, 96)."""
        return load_image("chelsea", size=96).mean(axis=2)

    def maps(self, layer: str, image: np.ndarray | None = None, model: Model | None = None) -> np.ndarray:
        """One layer's activations (C, H, W); the cat's, from the trained network, unless told otherwise."""
        model = model or self.model
        image = self.cat if image is None else image
        return capture(model.network, layer, model.preprocess(image))[layer][0]

    def filters(self, layer: str, model: Model | None = None) -> np.ndarray:
        """One convolution's filters (out, in, kh, kw)."""
        return filters((model or self.model).network, layer)
