"""Photographs whose truth is known: four of the bundled photos in one picture, of which one is asked for.

Nobody knows which pixels of a photo decide. But in a picture of four photos, the evidence for "espresso" should
stand in the photo of the cup, whatever the network's first answer is: that is the test's assumption.

Source: Böhle, Fritz and Schiele, "Convolutional dynamic alignment networks for interpretable
classifications", 2021, arXiv:2104.00032 (the grid pointing game).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from days.common.checks import check_integer
from days.common.datasets import ImageSet
from days.common.images import IMAGE_NAMES, load_image
from days.common.models import Model
from days.day22.code.maps import enlarge

CELL = 160
"""The side of each photo in a mosaic, in pixels."""
SMALLEST = 0.75
"""The least share of a photo's shorter side that a cell shows."""


@dataclass(frozen=True)
class Mosaics(ImageSet):
    """Pictures of two by two photos.

    images : (N, 320, 320, 3) float32 in [0, 1], RGB. masks : (N, 320, 320) bool, True on the photo that is asked for.
    cells : (N, 160, 160, 3), that photo alone. photos : (N,) its number in `IMAGE_NAMES`.
    """

    images: np.ndarray
    masks: np.ndarray
    cells: np.ndarray
    photos: np.ndarray


def make_mosaics(count: int, *, seed: int) -> Mosaics:
    """Draw `count` mosaics of four different photos each; every bundled photo in turn is the one that is asked for.

    The other three, all places, crops, and which crops are flipped come from `seed`. Raises ValueError for a count
    below 1 and a seed below 0.

    >>> mosaics = make_mosaics(2, seed=0)
    >>> mosaics.images.shape, float(mosaics.masks.mean())
    ((2, 320, 320, 3), 0.25)
    """
    generator, drawn = np.random.default_rng(check_integer(seed, 0, "seed")), []
    for index in range(check_integer(count, 1, "count")):
        asked = index % len(IMAGE_NAMES)
        others = generator.permutation([number for number in range(len(IMAGE_NAMES)) if number != asked])[:3]
        cells = [draw_crop(generator, IMAGE_NAMES[number], CELL) for number in (asked, *others)]
        order = generator.permutation(4)
        image, mask = (
            _joined([cells[place] for place in order]),
            _joined([np.full((CELL, CELL), n == 0) for n in order]),
        )
        drawn.append((image, mask, cells[0], asked))
    return Mosaics(*(np.array(values) for values in zip(*drawn, strict=True)))


def _joined(cells: list[np.ndarray]) -> np.ndarray:
    """Four arrays (h, w, ...), row by row, as one (2h, 2w, ...)."""
    return np.concatenate([np.concatenate(cells[:2], axis=1), np.concatenate(cells[2:], axis=1)])


def draw_crop(generator: np.random.Generator, name: str, size: int) -> np.ndarray:
    """A square near the middle of a bundled photo, flipped or not, as an image of `size` pixels."""
    photo = load_image(name)
    height, width = photo.shape[:2]
    side = int(min(height, width) * generator.uniform(SMALLEST, 1))
    shift = generator.uniform(0.3, 0.7, size=2)
    top, left = int((height - side) * shift[0]), int((width - side) * shift[1])
    crop = load_image(photo[top : top + side, left : left + side], size=size)
    return crop[:, ::-1].copy() if generator.random() < 0.5 else crop


def categories_of(model: Model, mosaics: Mosaics) -> list[int]:
    """What the network names each photo that is asked for when it sees it alone: categories' numbers, (N,)."""
    return [int(model.logits(model.preprocess(cell))[0].argmax()) for cell in mosaics.cells]


def mosaic_maps(model: Model, mosaics: Mosaics, methods: dict[str, Callable]) -> dict[str, np.ndarray]:
    """Every method's maps (N, H, W) for the photo that is asked for.

    methods : {name: function (network, batch, category) -> map (h, w)}, as `scoring.standard_methods` gives them.
    """
    asked, size = categories_of(model, mosaics), mosaics.images.shape[1:3]
    found: dict[str, list] = {name: [] for name in methods}
    for image, category in zip(mosaics.images, asked, strict=True):
        batch = model.preprocess(image)
        for name, method in methods.items():
            found[name].append(enlarge(method(model.network, batch, category), size))
    return {name: np.stack(maps) for name, maps in found.items()}
