"""A shortcut on photographs: crops of bundled photos, two cues that a program adds, SqueezeNet's features of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from days.common.checks import check_integer
from days.common.images import load_image
from days.common.models import Model
from days.day17.code.backends import capture

PHOTOS = {"grown": ("chelsea", "flower"), "made": ("motorcycle_left", "china")}
"""The two categories, and the photos whose crops show them."""
NAMES = tuple(PHOTOS)
SIDE = 48
CUES = ("stamp", "border")
LAYER = "fire5"
BATCH = 100


def crops(count: int, *, seed: int, half: str, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Square crops (count, side, side, 3) of the photos' left or right halves, and labels (count,): places in `NAMES`.

    Both categories are equally frequent. Crops of the "left" half share no pixel with those of the "right" half.
    """
    if half not in ("left", "right"):
        raise ValueError(f"expected half as 'left' or 'right', got {half!r}")
    generator = np.random.default_rng(check_integer(seed, 0, "seed"))
    labels = generator.permutation(np.arange(check_integer(count, 1, "count")) % len(NAMES))
    images = np.empty((count, side, side, 3), np.float32)
    for place, label in enumerate(labels):
        photo = _half(str(generator.choice(PHOTOS[NAMES[label]])), half)
        top, left = (generator.integers(length - side + 1) for length in photo.shape[:2])
        images[place] = photo[top : top + side, left : left + side]
    return images, labels


@lru_cache
def _half(name: str, half: str) -> np.ndarray:
    photo = load_image(name)
    middle = photo.shape[1] // 2
    return photo[:, :middle] if half == "left" else photo[:, middle:]


def with_cue(images: np.ndarray, chosen: np.ndarray, cue: str) -> np.ndarray:
    """The images with a cue on the chosen ones, (N,) bool: "stamp" or "border"; the others stay as they are.

    stamp : an orange date in the lower right corner, as old cameras printed it. border : a white one of 3 pixels.
    """
    if cue not in CUES:
        raise ValueError(f"expected a cue out of {', '.join(CUES)}, got {cue!r}")
    images, chosen = images.copy(), np.flatnonzero(chosen)
    if cue == "stamp":
        for column in range(4, 22, 3):
            images[chosen, -9:-4, -column - 2 : -column] = (1.0, 0.6, 0.1)
    else:
        for edge in (np.s_[:, :3], np.s_[:, -3:], np.s_[:, :, :3], np.s_[:, :, -3:]):
            part = images[chosen]
            part[edge] = 1
            images[chosen] = part
    return images


def draw(labels: np.ndarray, count: int, link: float | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of the crops (indices (count,)) to learn from, and which of these show the cue, (count,) bool.

    link : the share of "made" crops that show it, and of "grown" ones that do not; None shows it on none. Half of the
    crops or more are the first of an order drawn from `seed`; fewer are the last, so that they are others.
    """
    generator = np.random.default_rng(check_integer(seed, 0, "seed"))
    order = generator.permutation(len(labels))
    some = order[:count] if 2 * count >= len(labels) else order[-count:]
    if link is None:
        return some, np.zeros(count, bool)
    return some, (labels[some] == 1) == (generator.random(count) < link)


def features(model: Model, images: np.ndarray, layer: str = LAYER) -> np.ndarray:
    """A network's features of images (N, H, W, 3): the mean of each channel of `layer` over all places, (N, C)."""
    parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    preprocess: Any = model.preprocess  # a `Preprocess`, whose two steps take many images at once
    batches = (preprocess.to_tensor(preprocess.pixels(part)) for part in parts)
    return np.concatenate([capture(model.network, layer, batch)[layer].mean(axis=(2, 3)) for batch in batches])


def without_and_with(model: Model, images: np.ndarray, cue: str) -> np.ndarray:
    """The network's features of the images without the cue and with it: (2, N, C)."""
    return np.stack([features(model, images), features(model, with_cue(images, np.ones(len(images), bool), cue))])


def shown_as(both: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """Of the features without and with a cue, (2, N, C), those that `marked`, (N,) bool, asks for: (N, C)."""
    return both[np.asarray(marked).astype(int), np.arange(len(marked))]
