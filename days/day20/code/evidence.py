"""Is a grown picture right? Numbers to hold against it: photos, noise, moves that it never saw, and other networks.

Everything here takes a `Model` of either framework, and returns NumPy arrays.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from days.common.models import Model
from days.common.preprocessing import Preprocess
from days.day17.code.backends import capture
from days.day20.code import objectives
from days.day20.code.ascent import Ascent
from days.day20.code.objectives import Objective
from days.day20.code.parameterization import STANDARD, Jitter

LADDER: dict[str, dict[str, Any]] = {
    "raw pixels": {"parameterization": "pixel", "decorrelated": False, "transforms": ()},
    "+ jitter": {"parameterization": "pixel", "decorrelated": False, "transforms": (Jitter(16),)},
    "+ turn and scale": {"parameterization": "pixel", "decorrelated": False, "transforms": STANDARD},
    "+ Fourier": {"parameterization": "fourier", "decorrelated": False, "transforms": STANDARD},
    "+ colors": {"parameterization": "fourier", "decorrelated": True, "transforms": STANDARD},
    "+ diversity": {"parameterization": "fourier", "decorrelated": True, "transforms": STANDARD, "diversity": 0.1},
}
"""One knob of `maximize` more on every rung."""
ONE_FILTER: dict[str, Any] = {"parameterization": "sphere", "decorrelated": False, "transforms": ()}
"""Knobs with which a picture as small as a filter has the proven answer k / |k|."""


def responses(model: Model, wanted: Sequence[Objective], images: Iterable[np.ndarray], size: int = 64) -> np.ndarray:
    """The value of every objective for every image (H, W, 3): (images, objectives).

    images : of any sizes; those of one size that follow each other are looked at together, `size` at a time.
    """
    layers, found = objectives.layers_of(wanted), []
    for _, alike in itertools.groupby(images, key=np.shape):
        for batch in batches_of(model, list(alike), size):
            answers = capture(model.network, layers, batch)
            found.append(np.stack([objectives.value(objective, answers) for objective in wanted], axis=1))
    return np.concatenate(found).astype(np.float64)


def batches_of(model: Model, images: Sequence[np.ndarray] | np.ndarray, size: int) -> Iterator[Any]:
    """Images (H, W, 3) of one size as batches that a model's network takes, `size` images each.

    One by one where the preprocessing is a learner's own function, which takes a single image.
    """
    preprocess = model.preprocess
    if not isinstance(preprocess, Preprocess):
        yield from map(preprocess, images)
        return
    for start in range(0, len(images), size):
        yield preprocess.to_tensor(preprocess.pixels(np.stack(list(images[start : start + size]))))


def moved_by_one(image: np.ndarray) -> list[np.ndarray]:
    """An image (H, W, 3) moved by one pixel down or up, and by one to a side. What leaves it enters opposite."""
    return [np.roll(image, (down, right), (0, 1)) for down in (-1, 1) for right in (-1, 1)]


def robustness(model: Model, wanted: Sequence[Objective], images: Iterable[np.ndarray]) -> np.ndarray:
    """For each objective and its picture: the value as it is, the mean when `moved_by_one`, and mirrored; (n, 3).

    No pixel is computed anew from its neighbors.
    """
    found = []
    for objective, image in zip(wanted, images, strict=True):
        untouched, *moved, mirrored = responses(model, [objective], [image, *moved_by_one(image), image[:, ::-1]])[:, 0]
        found.append((untouched, np.mean(moved), mirrored))
    return np.array(found)


def means_and_units(
    model: Model, places: Sequence[tuple[str, int]], images: Sequence[np.ndarray] | np.ndarray, size: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Channels' means over all places of the maps, and their strongest units: (images, channels) each.

    places : (layer, channel) of each. images : of one size; `size` of them are looked at together.
    """
    layers, means, units = list({layer for layer, _ in places}), [], []
    for batch in batches_of(model, images, size):
        answers = capture(model.network, layers, batch)
        maps = [answers[layer][:, index] for layer, index in places]
        means.append(np.stack([one.mean(axis=(1, 2)) for one in maps], axis=1))
        units.append(np.stack([one.max(axis=(1, 2)) for one in maps], axis=1))
    return np.concatenate(means), np.concatenate(units)


def deviations(reached: np.ndarray, crops: np.ndarray) -> np.ndarray:
    """By how many standard deviations of the crops' responses (m, n) the pictures' (n,) are above their mean: (n,)."""
    return (reached - crops.mean(axis=0)) / crops.std(axis=0)


def never_moved(model: Model, layer: str, channels: int, *, before_relu: bool) -> int:
    """How many of a layer's first `channels` channels have pictures that eight steps of ascent leave as they were."""
    count = 0
    for first in range(0, channels, 64):
        asked = range(first, min(first + 64, channels))
        ascent = Ascent(model.network, layer, asked, size=64, before_relu=before_relu, preprocess=model.preprocess)
        before, still = ascent.images(), np.ones(len(asked), bool)
        for _ in range(8):
            ascent.step()
            still &= (ascent.images() == before).all(axis=(1, 2, 3))
            if not still.any():
                break
        count += int(still.sum())
    return count


def mean_amplitude(images: Sequence[np.ndarray]) -> np.ndarray:
    """Mean amplitude of gray images (size, size) at the frequencies 1, 2, ... size / 2 - 1 waves across the picture."""
    size = len(images[0])
    window = np.hanning(size)[:, None] * np.hanning(size)
    distance = np.round(np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)) * size)
    mean = np.mean([np.abs(np.fft.fft2((image - image.mean()) * window)) for image in images], axis=0)
    return np.array([mean[distance == frequency].mean() for frequency in range(1, size // 2)])
