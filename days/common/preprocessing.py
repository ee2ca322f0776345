"""What a network does to colors before it looks, as a value: a matrix and an offset, the same for every pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from days.common.images import check_image


@dataclass(frozen=True)
class Pixels:
    """A preprocessing: network input = matrix (C, 3) @ RGB from 0 to 1 + offset (C,); `name` says it in words."""

    name: str
    matrix: np.ndarray
    offset: np.ndarray

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images (..., H, W, 3) from 0 to 1 -> (..., H, W, C), float32, as the network is fed.

        >>> Pixels("from -1 to 1", 2 * np.eye(3), -np.ones(3))(np.full((1, 1, 3), 0.5))
        array([[[0., 0., 0.]]], dtype=float32)
        """
        return (images @ self.matrix.T + self.offset).astype(np.float32)

    @property
    def reach(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the most that each input channel can be, zeros around the picture included: (C,) each."""
        least = np.minimum(self.matrix, 0).sum(axis=1) + self.offset
        most = np.maximum(self.matrix, 0).sum(axis=1) + self.offset
        return np.minimum(least, 0), np.maximum(most, 0)


def scaled(name: str, factor: float, offset, *, order: str = "RGB") -> Pixels:
    """The usual preprocessing: each color times `factor`, plus `offset` (a number, or (3,) in the network's order)."""
    colors = np.eye(3, dtype=np.float32)[:: -1 if order == "BGR" else 1]
    return Pixels(name, np.float32(factor) * colors, np.broadcast_to(np.asarray(offset, np.float32), 3))


@dataclass(frozen=True)
class Preprocess:
    """`model.preprocess`: an image becomes a batch of one.

    pixels : what happens to its colors. to_tensor : pixels (N, H, W, C) -> the framework's own batch.
    """

    pixels: Pixels
    to_tensor: Callable[[np.ndarray], Any] = field(repr=False)

    def __call__(self, image: np.ndarray) -> Any:
        """Image (H, W, 3), RGB, 0 to 1 -> batch of one, as the network was trained on; the size is kept."""
        return self.to_tensor(self.pixels(check_image(image)[None]))
