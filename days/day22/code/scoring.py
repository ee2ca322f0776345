"""How good is a map? Held against masks that are known, and against what the network says of covered pixels.

Maps and masks are (N, H, W), or (H, W) for one; all scores come as one number for each map.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import stats

from days.common.checks import check_integer
from days.common.datasets import Shapes
from days.day22.code import methods
from days.day22.code.maps import enlarge, strength

BATCH = 50

Interval = tuple[float, float, float]
"""Mean, and the ends of its 95 % interval."""


# ---------------------------------------------------------------- against masks


def pointing_game(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Whether each map's largest value lies on the object: 1 or 0; of several largest ones, the share that do.

    An empty map points everywhere, and so scores what chance would. Source: Zhang and others, 2016.

    >>> float(pointing_game(np.array([[0.0, 2.0], [1.0, 2.0]]), np.array([[0, 1], [0, 0]])))
    0.5
    """
    maps, masks = _paired(maps, masks)
    largest = maps == maps.max(axis=(-2, -1), keepdims=True)
    return (largest & masks).sum(axis=(-2, -1)) / largest.sum(axis=(-2, -1))


def share_inside(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Which share of a map's positive values, summed, lies on the object: from 0 to 1.

    A map without any counts as a flat one: it scores the object's share of the image.

    >>> float(share_inside(np.array([[3.0, 1.0], [-5.0, 0.0]]), np.array([[1, 0], [1, 0]])))
    0.75
    """
    maps, masks = _paired(maps, masks)
    positive = np.maximum(maps, 0).astype(np.float64)
    positive = np.where(positive.any(axis=(-2, -1), keepdims=True), positive, 1.0)
    return (positive * masks).sum(axis=(-2, -1)) / positive.sum(axis=(-2, -1))


def _paired(maps, masks) -> tuple[np.ndarray, np.ndarray]:
    maps, masks = np.asarray(maps), np.asarray(masks).astype(bool)
    if maps.ndim < 2 or maps.shape != masks.shape:
        raise ValueError(f"expected maps and masks of one shape (N, H, W), got {maps.shape} and {masks.shape}")
    if not np.isfinite(maps).all():
        raise ValueError("expected finite maps, got NaN or infinity")
    return maps, masks


# ---------------------------------------------------------------- against the network


class Curves(NamedTuple):
    """A score while the strongest pixels of an image come in, and while they go; each (steps + 1,)."""

    insertion: np.ndarray
    deletion: np.ndarray

    @property
    def areas(self) -> tuple[float, float]:
        """The mean heights of the two curves, by straight lines between their points."""
        insertion, deletion = (float(np.trapezoid(one) / (len(one) - 1)) for one in self)
        return insertion, deletion


def insertion_deletion(
    score: Callable[[np.ndarray], np.ndarray], image: np.ndarray, heatmap: np.ndarray, *, fill, steps: int = 16
) -> Curves:
    """What a score does when an image's pixels come in, or go, in the order of a map, the strongest first.

    score : a function from images (n, H, W, C) to (n,). image : (H, W, C). heatmap : a map (H, W); equal values go by
    rows. fill : what stands where the image is not: a number, a color (C,) or an image. steps : in how many equal
    parts the pixels come, at least 1.

    Source: Petsiuk, Das and Saenko, "RISE: randomized input sampling for explanation", 2018.
    """
    heatmap = np.asarray(heatmap, np.float64)  # a mask's True and a uint8 have no negative to be sorted by
    lost = np.count_nonzero(~np.isfinite(heatmap))
    if image.shape[:2] != heatmap.shape or lost:
        got = f"{heatmap.shape}, {lost} of its values NaN or infinite"
        raise ValueError(f"expected a finite map of the image's size {image.shape[:2]}, got {got}")
    place = np.empty(heatmap.size, int)
    place[np.argsort(-heatmap, axis=None, kind="stable")] = np.arange(heatmap.size)
    counts = np.round(np.linspace(0, heatmap.size, check_integer(steps, 1, "steps") + 1))
    chosen = (place < counts[:, None]).reshape(-1, *heatmap.shape, 1)
    blank = np.broadcast_to(np.asarray(fill, image.dtype), image.shape)
    values = score(np.concatenate([np.where(chosen, image, blank), np.where(chosen, blank, image)]))
    return Curves(values[: len(counts)], values[len(counts) :])


# ---------------------------------------------------------------- two objects


def side_by_side(shapes: Shapes) -> tuple[np.ndarray, np.ndarray]:
    """The first half of the images, each with one of the second half on its right, where their labels differ.

    Returns images (n, size, 2 * size, 3) and labels (n, 2), left and right.
    """
    half = len(shapes) // 2
    differ = shapes.labels[:half] != shapes.labels[half : 2 * half]
    pairs = [values[first : first + half][differ] for values in (shapes.images, shapes.labels) for first in (0, half)]
    return np.concatenate(pairs[:2], axis=2), np.stack(pairs[2:], axis=1)


def asked_half_wins(for_left: np.ndarray, for_right: np.ndarray) -> np.ndarray:
    """How often the half that is asked for has the larger sum: 0, a half or 1 for each picture, (n,).

    for_left, for_right : maps (n, H, W) of the same pictures, for the category on their left and on their right. A map
    that does not care for the category scores 0.5 on the mean.

    >>> float(asked_half_wins(np.array([[[1.0, 0.0]]]), np.array([[[1.0, 0.0]]]))[0])
    0.5
    """
    wins = []
    for maps, asked in ((for_left, 0), (for_right, 1)):
        halves = [half.sum(axis=(1, 2)) for half in np.array_split(maps, 2, axis=2)]
        wins.append(halves[asked] > halves[1 - asked])
    return np.mean(wins, axis=0)


# ---------------------------------------------------------------- controls


def random_map(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Numbers from 0 to 1 that know nothing of any image, of any shape (..., H, W)."""
    return np.random.default_rng(check_integer(seed, 0, "seed")).random(shape, np.float32)


def centered_blob(size: tuple[int, int], width: float = 0.25) -> np.ndarray:
    """A Gaussian in the middle, (H, W), `width` of the shorter side wide: a photographer puts the object there."""
    down, across = ((np.arange(length) - (length - 1) / 2) / (width * min(size)) for length in size)
    return np.exp(-(down[:, None] ** 2 + across**2) / 2).astype(np.float32)


# ---------------------------------------------------------------- all together


def standard_methods(
    layer: str, *, size: int = 32, stride: int = 16, steps: int = 128, samples: int = 25, **how
) -> dict[str, Callable]:
    """The six methods by name, each a function (network, batch, category) -> maps of pixels or of places.

    What is signed in several colors is taken by its strength, the sum of |values| over colors. The network may be of
    either framework. layer : Grad-CAM's. size, stride : occlusion's. steps : of integrated gradients. samples : of
    SmoothGrad. how : `names`, for example.
    """

    def strong(method, **knobs):
        return lambda *asked: strength(method(*asked, **knobs, **how))

    return {
        "saliency": strong(methods.saliency),
        "SmoothGrad": strong(methods.smooth_grad, samples=samples),
        "integrated gradients": strong(methods.integrated_gradients, steps=steps),
        "guided backpropagation": strong(methods.guided_backpropagation),
        "Grad-CAM": lambda network, batch, category: methods.grad_cam(network, batch, layer, category, **how),
        "occlusion": partial(methods.occlusion, size=size, stride=stride, **how),
    }


def shape_maps(
    methods: dict[str, Callable], network, shapes: Shapes, to_batch: Callable, *, seed: int = 0
) -> dict[str, np.ndarray]:
    """Every method's maps (N, H, W) for the true shape of each image, and those of two controls.

    to_batch : images (N, H, W, 3) -> batch, as Day 18's backends have it. Maps of another size are enlarged. The
    controls are "centered blob" and "random map", which is drawn from `seed`.
    """
    size = shapes.images.shape[1:3]
    parts = [shapes[start : start + BATCH] for start in range(0, len(shapes), BATCH)]
    batches = [to_batch(part.images) for part in parts]
    maps = {}
    for name, method in methods.items():
        found = [method(network, batch, part.labels) for batch, part in zip(batches, parts, strict=True)]
        maps[name] = enlarge(np.concatenate(found), size)
    maps["centered blob"] = np.broadcast_to(centered_blob(size), (len(shapes), *size))
    maps["random map"] = random_map((len(shapes), *size), seed)
    return maps


def mean_and_interval(values: np.ndarray, *, seed: int = 0, rounds: int = 2000) -> Interval:
    """The mean of values (n,), and the interval that holds it in 95 % of `rounds` samples drawn from them (bootstrap).

    Of the differences between two methods on the same images, it says whether one of them wins: it does if 0 lies
    outside. Source: Efron, "Bootstrap methods: another look at the jackknife", 1979.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"expected finite values (n,), at least one, got shape {values.shape}")
    if len(values) == 1:
        return (float(values[0]),) * 3
    generator = np.random.default_rng(seed)
    drawn = stats.bootstrap((values,), np.mean, n_resamples=rounds, method="percentile", rng=generator)
    return float(values.mean()), float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def share_and_interval(hits: np.ndarray) -> Interval:
    """The share of hits (n,), each from 0 to 1, and its exact 95 % interval (Clopper and Pearson).

    It is never empty, even where all are hits. Parts of hits add up, and the interval is then wider than it has to be.
    Raises ValueError for no hits, and for hits out of range.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits", 1934.

    >>> [round(end, 2) for end in share_and_interval(np.ones(42))]
    [1.0, 0.92, 1.0]
    """
    hits = np.asarray(hits, np.float64)
    if hits.ndim != 1 or not hits.size or not ((hits >= 0) & (hits <= 1)).all():
        raise ValueError(f"expected hits (n,) from 0 to 1, at least one, got shape {hits.shape}")
    count, misses = hits.sum(), (1 - hits).sum()
    low = stats.beta.ppf(0.025, count, misses + 1) if count else 0.0
    high = stats.beta.ppf(0.975, count + 1, misses) if misses else 1.0
    return float(hits.mean()), float(low), float(high)
