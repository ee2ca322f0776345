"""Which pixels decided, in NumPy: what the methods do with the gradients and scores that a framework gives.

A network comes in as one of two functions, so that each method is written once for both frameworks:

- gradient(batch, targets): for image i, how what `targets[i]` asks for changes with every value; like `batch`.
- scores(batch): the scores before the softmax, (n, categories).

Targets (n, categories) say how much each score counts: 1 for a category; 1 and -1 for one category rather than another.

Batches are arrays (n, H, W, C) here, as the network's preprocessing makes them; maps are (n, H, W) or (n, H, W, C).
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import NamedTuple

import numpy as np

from days.common.categories import imagenet_categories
from days.common.checks import brief, check_integer, check_scores, is_number

__all__ = ["check_scores"]

Gradient = Callable[[np.ndarray, np.ndarray], np.ndarray]
Scores = Callable[[np.ndarray], np.ndarray]
Reason = Callable[[np.ndarray], str]
"""From a target (categories,) to why its map is 0 everywhere: asked only where it is."""


class Rather(NamedTuple):
    """Why one category and not the other: what is explained is the difference of their scores."""

    this: int | str
    than: int | str


Category = int | str | Rather | Sequence[int | str | Rather]

LOOKS_AT_ONCE = 16
"""So many covered images go through a network at once: enough to be fast, few enough for a laptop's memory."""


# ---------------------------------------------------------------- which category


@dataclass(frozen=True)
class Wanted:
    """Which category is asked of which image, one pair for each map.

    targets : (n, categories), see above. images : how many there are: n, or 1 whose categories are all asked for.
    alone : one category of one image, whose map comes without the first axis.
    """

    targets: np.ndarray
    images: int
    alone: bool

    def rounds(self) -> list[np.ndarray]:
        """The targets in as few passes as give each image one of them: each (images, categories)."""
        return [self.targets] if self.images > 1 else [self.targets[index : index + 1] for index in range(len(self))]

    def __len__(self) -> int:
        return len(self.targets)


def asked_for(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """What targets (n, categories) ask for, of scores (n, categories) or (1, categories): (n,) numbers.

    >>> asked_for(np.array([[1.0, 5.0, np.inf]]), np.array([[-1, 1, 0]]))
    array([4.])
    """
    return (np.where(targets != 0, scores, 0) * targets).sum(axis=1)


def title(target: np.ndarray) -> str:
    """A target (categories,) in words.

    >>> title(np.array([0, 1, -1]))
    'category 1 rather than 2'
    """
    this, than = int(target.argmax()), int(target.argmin())
    return f"category {this}" + (f" rather than {than}" if target[than] < 0 else "")


def wanted(category, images: int, count: int, names: Sequence[str] | None = None) -> Wanted:
    """Which category of which image is asked for.

    Parameters
    ----------
    category : a number from 0 to count - 1, a name, or `Rather(this, than)` of two of these; or a list of such, one for
        each image, or of any length for one image.
    images, count : how many images and categories there are.
    names : the categories' names by number; ImageNet's for a network of 1000 categories, unless given.

    Raises ValueError for a number out of range, an unknown name (the nearest are listed), a name that two categories
    have, and a list that fits neither one image nor the batch.

    >>> wanted(["cat", 0], 1, 2, ["dog", "cat"]).targets.tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    single = isinstance(category, Rather) or (isinstance(category, np.ndarray) and not category.ndim)
    several = isinstance(category, (list, tuple, range, np.ndarray)) and not single
    asked = list(category) if several else [category]
    if not asked or (images > 1 and several and len(asked) != images):
        raise ValueError(f"expected one category, or one for each of the {images} images, got {len(asked)}")
    targets = np.stack([_target(one, count, names) for one in asked])
    if images > 1 and not several:
        targets = np.repeat(targets, images, axis=0)
    return Wanted(targets, images, alone=images == 1 and not several)


def _target(category: int | str | Rather, count: int, names: Sequence[str] | None) -> np.ndarray:
    pair = category if isinstance(category, Rather) else (category,)
    numbers = [category_number(one, count, names) for one in pair]
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"expected two categories to tell apart, got {category.this!r} twice")
    target = np.zeros(count, np.float32)
    target[numbers] = (1, -1)[: len(numbers)]
    return target


def category_number(category: int | str, count: int, names: Sequence[str] | None = None) -> int:
    """A category's number, from its number or its name in any case. Raises ValueError as `wanted` does."""
    if isinstance(category, str):
        return _named(category, _names(count, names))
    try:
        number = operator.index(category)
    except TypeError:
        number = -1
    if isinstance(category, (bool, np.bool_)) or not 0 <= number < count:
        raise ValueError(f"expected a category from 0 to {count - 1}, or its name, got {brief(category)}")
    return number


def _names(count: int, names: Sequence[str] | None) -> list[str]:
    if names is None and count != 1000:
        raise ValueError(f"the names of this network's {count} categories are not known: names=model.categories")
    if names is not None and np.ndim(names) != 1:
        raise ValueError(
            f"expected {count} names, one for each category, got {brief(names)}: model.categories holds them"
        )
    names = imagenet_categories() if names is None else list(names)
    if len(names) != count or not all(isinstance(one, str) for one in names):
        kinds = " and ".join(sorted({type(one).__name__ for one in names}))
        raise ValueError(f"expected {count} names, one for each category, got {len(names)} of type {kinds or 'none'}")
    return names


def _named(name: str, names: list[str]) -> int:
    plain = [one.casefold() for one in names]
    found = [number for number, one in enumerate(plain) if one == name.casefold()]
    if len(found) > 1:
        raise ValueError(f"{name!r} is the name of the categories {' and '.join(map(str, found))}: give the number")
    if not found:
        inside = [one for one in names if name.casefold() in one.casefold()][:4] if name else []
        close = get_close_matches(name.casefold(), plain, n=4, cutoff=0.4)
        near = list(dict.fromkeys([*inside, *(names[plain.index(one)] for one in close)])) or names[:4]
        raise ValueError(f"no category {name!r} among {len(names)}; near it: {', '.join(near[:6])}")
    return found[0]


# ---------------------------------------------------------------- Grad-CAM


def weighted_maps(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Grad-CAM before its ReLU: a layer's maps, each weighted by the mean of its gradient, added up.

        weight[c] = mean over places of gradients[c];    map = sum over c of weight[c] * activations[c]

    Parameters
    ----------
    activations : (n, C, h, w), or (1, C, h, w) for several categories of one image. gradients : (n, C, h, w), how
        the score changes with each activation.

    Returns (n, h, w), of both signs. Source: Selvaraju and others, "Grad-CAM", 2017.

    >>> weighted_maps(np.array([[[[1.0, 2.0]], [[3.0, 0.0]]]]), np.array([[[[1.0, 1.0]], [[-1.0, 0.0]]]]))
    array([[[-0.5,  2. ]]])
    """
    weights = gradients.mean(axis=(2, 3), dtype=np.float64)
    maps = np.einsum("nc,nchw->nhw", weights, np.broadcast_to(activations, gradients.shape))
    return maps.astype(activations.dtype)


def grad_cam_maps(activations, gradients, asked: Wanted, layer: str, signed: bool, why_zero: Reason) -> np.ndarray:
    """`weighted_maps` without what speaks against the category, unless `signed`; warns of every map that is empty."""
    maps = weighted_maps(activations, gradients)
    shown = maps if signed else np.maximum(maps, 0)
    for target, before, after, gradient in zip(asked.targets, maps, shown, gradients, strict=True):
        why = partial(_why_empty, before, gradient, partial(why_zero, target))
        _warn_if_empty(after, f"Grad-CAM of {title(target)} at {layer!r}", why)
    return shown[0] if asked.alone else shown


def _why_empty(signed: np.ndarray, gradient: np.ndarray, why_zero: Callable[[], str]) -> str:
    """Why nothing is left of a signed Grad-CAM map."""
    if signed.any():
        return "all evidence in it speaks against the category; signed=True shows it"
    return "its weighted maps cancel out" if gradient.any() else why_zero()


def _warn_if_empty(heatmap: np.ndarray, what: str, why: Callable[[], str]) -> None:
    if not np.isfinite(heatmap).all():
        warnings.warn(f"{what} is not finite: look at the network's weights", RuntimeWarning, stacklevel=4)
    elif not heatmap.any():
        warnings.warn(f"{what} is 0 everywhere: {why()}", RuntimeWarning, stacklevel=4)


# ---------------------------------------------------------------- attributions of pixels


def handed_out(maps: np.ndarray, asked: Wanted, name: str, why_zero: Reason) -> np.ndarray:
    """Maps (n, ...), or the only one of them where one category of one image was asked for.

    Warns, under the method's `name`, of every map that is 0 everywhere or not finite.
    """
    for target, heatmap in zip(asked.targets, maps, strict=True):
        _warn_if_empty(heatmap, f"{name} of {title(target)}", partial(why_zero, target))
    return maps[0] if asked.alone else maps


def for_each(batch: np.ndarray, asked: Wanted) -> np.ndarray:
    """The batch with one image for each pair: itself, or its only image as often as categories are asked for."""
    return np.broadcast_to(batch, (len(asked), *batch.shape[1:]))


def smooth_grad(
    gradient: Gradient, batch: np.ndarray, targets: np.ndarray, *, samples: int, spread: float, seed: int
) -> np.ndarray:
    """The mean gradient over noisy copies of each image; every image gets the same noise, scaled to its range.

    samples : how many copies, at least 1. spread : the noise's standard deviation, as a share of the image's range
    from its smallest to its largest value; at least 0. Source: Smilkov and others, "SmoothGrad", 2017.
    """
    samples, seed = check_integer(samples, 1, "samples"), check_integer(seed, 0, "seed")
    if not is_number(spread) or spread < 0:
        raise ValueError(f"expected a spread of at least 0, as a share of the image's range, got {spread!r}")
    generator = np.random.default_rng(seed)
    deviation = spread * np.ptp(batch, axis=(1, 2, 3), keepdims=True)
    total = np.zeros(batch.shape, np.float64)
    for _ in range(samples):
        noise = generator.standard_normal(batch.shape[1:], np.float32)
        total += gradient(batch + deviation * noise, targets)
    return (total / samples).astype(batch.dtype)


def integrated_gradients(
    gradient: Gradient,
    scores: Scores,
    batch: np.ndarray,
    targets: np.ndarray,
    *,
    baseline: np.ndarray | float,
    steps: int,
) -> np.ndarray:
    """The way from a baseline to the image, times the mean gradient along it.

        (image - baseline) * integral of gradient(baseline + t * (image - baseline)) for t from 0 to 1

    The integral is a weighted sum of `steps` gradients (Gauss and Legendre's). Exact, the sum over all pixels is
    score(image) - score(baseline); where it misses that by more than 1 % of the larger of the two, a warning says so.

    Source: Sundararajan and others, "Axiomatic attribution for deep networks", 2017.
    """
    places, weights = legendre(steps)
    baseline = np.asarray(baseline, batch.dtype)
    way, total = batch - baseline, np.zeros(batch.shape, np.float64)
    for place, weight in zip(places.tolist(), weights.tolist(), strict=True):
        total += weight * gradient(baseline + place * way, targets)
    maps = (way * total).astype(batch.dtype)
    ends = [asked_for(scores(one), targets) for one in (batch, np.broadcast_to(baseline, batch.shape))]
    _warn_if_incomplete(maps, targets, *ends)
    return maps


def _warn_if_incomplete(maps: np.ndarray, targets: np.ndarray, after: np.ndarray, before: np.ndarray) -> None:
    sums = maps.sum(axis=(1, 2, 3), dtype=np.float64)
    # A map of zeros has a warning of its own, and more steps are no way out of it.
    missed = np.abs(sums - (after - before)) > 0.01 * np.maximum(np.abs(after), np.abs(before))
    wrong = maps.any(axis=(1, 2, 3)) & missed
    for index in np.flatnonzero(wrong)[:1]:
        words = f"add up to {sums[index]:.4g}, not to the score's change {after[index] - before[index]:.4g}"
        others = f" (and {wrong.sum() - 1} more do not)" if wrong.sum() > 1 else ""
        warnings.warn(
            f"integrated gradients of {title(targets[index])} {words}{others}: take more steps",
            RuntimeWarning,
            stacklevel=4,
        )


def legendre(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Places between 0 and 1, and weights that add up to 1, exact for polynomials of degree 2 * steps - 1.

    >>> places, weights = legendre(3)
    >>> round(float((weights * places**5).sum()), 12) == round(1 / 6, 12)
    True
    """
    places, weights = np.polynomial.legendre.leggauss(check_integer(steps, 1, "steps"))
    return (places + 1) / 2, weights / 2


def check_baseline(baseline, shape: tuple) -> np.ndarray:
    """A baseline that fits images of `shape` (n, H, W, C), or ValueError: a number, one image, or n of them."""
    values = np.asarray(baseline)
    try:
        fits = np.broadcast_shapes(values.shape, shape) == tuple(shape)
    except ValueError:
        fits = False
    if not fits or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise ValueError(
            f"expected a baseline that is a finite number or a batch like the one explained, {tuple(shape)} "
            f"channels last, got {values.shape if values.ndim else baseline!r}: model.preprocess(image) makes one"
        )
    return values


# ---------------------------------------------------------------- occlusion


def squares(height: int, width: int, size: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """Squares of `size` pixels, `stride` apart, that cover all of (height, width); the last ones are cut at the edge.

    >>> [(rows.start, rows.stop) for rows, _ in squares(10, 4, 4, 3)]
    [(0, 4), (3, 7), (6, 10)]
    """
    size, stride = check_integer(size, 1, "size"), check_integer(stride, 1, "stride")
    if stride > size:
        raise ValueError(f"expected a stride of at most the size, {size}, got {stride}: pixels would stay uncovered")

    def spans(length):
        starts = range(0, max(length - size, 0) + stride, stride)
        return [slice(start, min(start + size, length)) for start in starts if start == 0 or start < length]

    for rows in spans(height):
        for columns in spans(width):
            yield rows, columns


def check_fill(fill, channels: int) -> np.ndarray:
    """What covers, if it is a finite number or one for each channel; else ValueError."""
    values = np.asarray(fill)
    if values.shape not in ((), (channels,)) or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise ValueError(f"expected a fill of one finite number, or of {channels}, one for each channel, got {fill!r}")
    return values


def occlusion(
    scores: Scores, batch: np.ndarray, asked: Wanted, *, size: int, stride: int, fill: float | Sequence[float]
) -> np.ndarray:
    """For every pixel, by how much the score falls when a square over it is covered: the mean over such squares.

    Needs no gradient, and no trust in one. scores : see the module's head. fill : what the squares hold, in the
    batch's own values: a number, or one for each channel. Returns (n, H, W), a map for each pair asked for.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014.
    """
    places, fill = list(squares(*batch.shape[1:3], size, stride)), check_fill(fill, batch.shape[3])
    before = asked_for(scores(batch), asked.targets)
    total = np.zeros((len(asked), *batch.shape[1:3]))
    times = np.zeros(batch.shape[1:3])
    at_once = max(1, LOOKS_AT_ONCE // len(batch))
    for start in range(0, len(places), at_once):
        part = places[start : start + at_once]
        covered = np.repeat(batch[None], len(part), axis=0)
        for one, (down, across) in zip(covered, part, strict=True):
            one[:, down, across] = fill
        after = scores(covered.reshape(-1, *batch.shape[1:])).reshape(len(part), len(batch), -1)
        for answer, (down, across) in zip(after, part, strict=True):
            total[:, down, across] += (before - asked_for(answer, asked.targets))[:, None, None]
            times[down, across] += 1
    return (total / times).astype(np.float32)
