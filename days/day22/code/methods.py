"""Which pixels decided, in any network: each method is written here once, for PyTorch and Keras alike.

All of them take a batch as `model.preprocess` makes it, and

- category: a number, a name, or `attribution.Rather(this, than)`, why one and not the other; or a list of them: one for
  each image, or any number for one image.
- names: the categories' names, by number; ImageNet's for a network of 1000 categories, unless given.

One category of one image gives one map, anything else a map for each pair. Each function raises ValueError for a batch
of another form, and for a category that is unknown (the nearest names are listed) or out of range; each warns of a map
that is 0 everywhere or not finite. The network runs in evaluation mode and comes back as it was: modes, hooks, weights
and `requires_grad`. A Keras network is a functional or sequential model.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from days.common.checks import check_integer, check_maps, check_scores, is_number
from days.common.comparison import brief
from days.day17.code.backends import backend_of
from days.day19.code.gradients import look, why_zero
from days.day22.code.attribution import Category, Wanted, asked_for, title, wanted

LOOKS_AT_ONCE = 16
"""So many covered images go through a network at once: enough to be fast, few enough for a laptop's memory."""


def grad_cam(
    network,
    batch,
    layer: str,
    category: Category,
    *,
    signed: bool = False,
    grid: tuple[int, int] | None = None,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """Where a layer's maps speak for a category: (h, w), at the layer's own resolution, not rescaled; or (n, h, w).

        weight[c] = mean over places of gradients[c];    map = sum over c of weight[c] * activations[c]

    What is negative in it is cut off, unless `signed`. Costs a pass without gradients up to the layer, forward and
    backward from there on, and for several categories of one image only the way back again. A layer that runs several
    times counts the first time.

    grid : (rows, columns) of the tokens (N, T, C) of a transformer's layer, or of its maps (N, H, W, C).

    Raises ValueError also for a layer that does not exist, did not run or has no maps.

    Source: Selvaraju and others, "Grad-CAM: visual explanations from deep networks", 2017.
    """

    def mean(gradients: np.ndarray) -> np.ndarray:
        return gradients.mean(axis=(2, 3), dtype=np.float64, keepdims=True)

    found = _evidence(network, batch, layer, category, mean, signed, grid, names)
    return _handed_out(*found, name="Grad-CAM", where=f" at {layer!r}")


def hires_cam(
    network,
    batch,
    layer: str,
    category: Category,
    *,
    signed: bool = False,
    grid: tuple[int, int] | None = None,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """`grad_cam` whose weights are not averaged over places: (h, w) or (n, h, w).

        map = sum over c of gradients[c] * activations[c]

    Source: Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural
    networks", 2020, arXiv:2011.08891.
    """
    found = _evidence(network, batch, layer, category, lambda gradients: gradients, signed, grid, names)
    return _handed_out(*found, name="HiResCAM", where=f" at {layer!r}")


def layer_cam(
    network,
    batch,
    layer: str,
    category: Category,
    *,
    grid: tuple[int, int] | None = None,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """`hires_cam` of the gradients above 0 alone: (h, w) or (n, h, w).

    Source: Jiang and others, "LayerCAM: exploring hierarchical class activation maps for localization", 2021,
    doi:10.1109/TIP.2021.3089943.
    """
    found = _evidence(network, batch, layer, category, lambda gradients: gradients.clip(min=0), False, grid, names)
    return _handed_out(*found, name="LayerCAM", where=f" at {layer!r}")


def _evidence(
    network, batch, layer, category: Category, weigh: Callable[[np.ndarray], np.ndarray], signed: bool, grid, names
) -> tuple[np.ndarray, Wanted, Callable[[int], str]]:
    """A layer's maps, added up with weights that `weigh` makes of the gradients (n, C, h, w); see `_handed_out`."""
    if not isinstance(layer, str):
        raise ValueError(f"expected a layer's name, got {brief(layer)}: conv_layers(network) lists some")
    activations, gradients, asked = _look(network, batch, category, names, layer)
    if grid is None:
        backend_of(network).check_axes(network, layer, activations, batch)
    activations, gradients = (check_maps(layer, values, grid) for values in (activations, gradients))
    evidence = (weigh(gradients) * activations).sum(axis=1, dtype=np.float64).astype(activations.dtype)
    no_slope = _why_zero(network, batch, asked, layer)

    def why(index: int) -> str:
        if evidence[index].any():
            return "nothing in it is above 0; signed=True shows what is below"
        return "its weighted maps cancel out" if gradients[index].any() else no_slope(index)

    return evidence if signed else np.maximum(evidence, 0), asked, why


def saliency(network, batch, category: Category, *, names: Sequence[str] | None = None) -> np.ndarray:
    """How a category's score changes with each value of the batch, signed: (H, W, 3), channels in the batch's order.

    Source: Simonyan and others, "Deep inside convolutional networks", 2013.
    """
    _, gradients, asked = _look(network, batch, category, names)
    return _handed_out(_channels_last(gradients), asked, _why_zero(network, batch, asked), name="saliency")


def smooth_grad(
    network,
    batch,
    category: Category,
    *,
    samples: int = 25,
    spread: float = 0.15,
    seed: int = 0,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """The mean `saliency` of `samples` noisy copies: (H, W, 3). The noise is the same in both frameworks.

    spread : the noise's standard deviation, as a share of the image's range from its smallest to its largest value.

    Source: Smilkov and others, "SmoothGrad: removing noise by adding noise", 2017.
    """
    samples, seed = check_integer(samples, 1, "samples"), check_integer(seed, 0, "seed")
    if not is_number(spread) or spread < 0:
        raise ValueError(f"expected a spread of at least 0, as a share of the image's range, got {spread!r}")
    pixels, asked = _asked(network, batch, category, names)
    generator, total = np.random.default_rng(seed), np.zeros(pixels.shape, np.float64)
    deviation = spread * np.ptp(pixels, axis=(1, 2, 3), keepdims=True)
    for _ in range(samples):
        noise = generator.standard_normal(pixels.shape[1:], np.float32)
        total += _gradient(network, pixels + deviation * noise, asked)
    maps = (total / samples).astype(pixels.dtype)
    return _handed_out(maps, asked, _why_zero(network, batch, asked), name="SmoothGrad")


def integrated_gradients(
    network,
    batch,
    category: Category,
    *,
    baseline=0.0,
    steps: int = 128,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """What each value adds to a category's score on the straight way from a baseline to the image: (H, W, 3).

        (image - baseline) * integral of gradient(baseline + t * (image - baseline)) for t from 0 to 1

    The integral is a weighted sum of `steps` gradients (Gauss and Legendre's). Exact, all values together add up to
    score(image) - score(baseline); where they miss that by more than 1 % of the larger of the two, a warning says so.

    baseline : in the batch's own values: a number, or a batch of one image or of as many as are explained. 0 is the
    color that the preprocessing turns into 0: the training set's mean color for SqueezeNet, gray for Day 18's network.

    Source: Sundararajan and others, "Axiomatic attribution for deep networks", 2017.
    """
    places, weights = np.polynomial.legendre.leggauss(check_integer(steps, 1, "steps"))
    pixels, asked = _asked(network, batch, category, names)
    if np.ndim(baseline) == 4 and not isinstance(baseline, np.ndarray):
        baseline = _pixels(network, baseline)
    start = _check_baseline(baseline, pixels.shape).astype(pixels.dtype)
    way, total = pixels - start, np.zeros(pixels.shape, np.float64)
    for place, weight in zip(((places + 1) / 2).tolist(), (weights / 2).tolist(), strict=True):
        total += weight * _gradient(network, start + place * way, asked)
    maps = (way * total).astype(pixels.dtype)
    ends = (asked_for(_scores(network, one), asked.targets) for one in (pixels, np.broadcast_to(start, pixels.shape)))
    _warn_if_incomplete(maps, asked.targets, *ends)
    return _handed_out(maps, asked, _why_zero(network, batch, asked), name="integrated gradients")


def _warn_if_incomplete(maps: np.ndarray, targets: np.ndarray, after: np.ndarray, before: np.ndarray) -> None:
    sums = maps.sum(axis=(1, 2, 3), dtype=np.float64)
    # A map of zeros has a warning of its own, and more steps are no way out of it.
    missed = np.abs(sums - (after - before)) > 0.01 * np.maximum(np.abs(after), np.abs(before))
    wrong = maps.any(axis=(1, 2, 3)) & missed
    for index in np.flatnonzero(wrong)[:1]:
        words = f"add up to {sums[index]:.4g}, not to the score's change {after[index] - before[index]:.4g}"
        others = f" (and {wrong.sum() - 1} more do not)" if wrong.sum() > 1 else ""
        text = f"integrated gradients of {title(targets[index])} {words}{others}: take more steps"
        warnings.warn(text, RuntimeWarning, stacklevel=3)


def _check_baseline(baseline, shape: tuple[int, ...]) -> np.ndarray:
    """A baseline that fits images of `shape` (n, H, W, C), or ValueError: a number, one image, or n of them."""
    values = np.asarray(baseline)
    try:
        fits = np.broadcast_shapes(values.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise ValueError(
            f"expected a baseline that is a finite number or a batch like the one explained, {shape} "
            f"channels last, got {values.shape if values.ndim else baseline!r}: model.preprocess(image) makes one"
        )
    return values


def guided_backpropagation(network, batch, category: Category, *, names: Sequence[str] | None = None) -> np.ndarray:
    """`saliency` that drops, on its way back, everything negative at each ReLU: (H, W, 3).

    Every ReLU counts, told by what it does: a layer's, a function's, one built into a layer, or `x.clamp(min=0)`; in
    place or not, and ReLU6 too. An operation with a gradient of the learner's own keeps that. A warning names what cuts
    negative values off out of sight, or says that no ReLU ran.

    Source: Springenberg and others, "Striving for simplicity", 2015. It draws fine pictures and hardly cares for the
    category: Adebayo and others, 2018.
    """
    _, gradients, asked = _look(network, batch, category, names, guided=True)
    maps = _channels_last(gradients)
    return _handed_out(maps, asked, _why_zero(network, batch, asked), name="guided backpropagation")


def occlusion(
    network,
    batch,
    category: Category,
    *,
    size: int = 32,
    stride: int = 16,
    fill: float | Sequence[float] = 0.0,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """By how much a category's score falls where squares cover the image, the mean over those on a pixel: (H, W).

    size, stride : of the squares, in pixels; stride is at most size. fill : what covers, in the batch's own values: a
    number, or one for each channel. One pass for each square: slow, but it needs no trust in a gradient, and so is what
    the others are held against.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014.
    """
    pixels, asked = _asked(network, batch, category, names, several=False)
    (images, height, width, channels), count = pixels.shape, len(asked.targets)
    places, color = list(squares(height, width, size, stride)), _check_fill(fill, channels)
    before = asked_for(_scores(network, pixels), asked.targets)
    total, times = np.zeros((count, height, width)), np.zeros((height, width))
    at_once = max(1, LOOKS_AT_ONCE // images)
    for start in range(0, len(places), at_once):
        part = places[start : start + at_once]
        covered = np.repeat(pixels[None], len(part), axis=0)
        for one, (down, across) in zip(covered, part, strict=True):
            one[:, down, across] = color
        after = _scores(network, covered.reshape(-1, height, width, channels)).reshape(len(part), images, -1)
        for answer, (down, across) in zip(after, part, strict=True):
            total[:, down, across] += (before - asked_for(answer, asked.targets))[:, None, None]
            times[down, across] += 1
    maps = (total / times).astype(np.float32)
    return _handed_out(maps, asked, lambda index: "no square changes the score", name="occlusion")


def squares(height: int, width: int, size: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """Squares of `size` pixels, `stride` apart, that cover all of (height, width); the last ones are cut at the edge.

    >>> [(rows.start, rows.stop) for rows, _ in squares(10, 4, 4, 3)]
    [(0, 4), (3, 7), (6, 10)]
    """
    size, stride = check_integer(size, 1, "size"), check_integer(stride, 1, "stride")
    if stride > size:
        raise ValueError(f"expected a stride of at most the size, {size}, got {stride}: pixels would stay uncovered")

    def spans(length: int) -> list[slice]:
        starts = range(0, max(length - size, 0) + stride, stride)
        return [slice(start, min(start + size, length)) for start in starts if start == 0 or start < length]

    return itertools.product(spans(height), spans(width))


def _check_fill(fill, channels: int) -> np.ndarray:
    """What covers, if it is a finite number or one for each channel; else ValueError."""
    values = np.asarray(fill)
    if values.shape not in ((), (channels,)) or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise ValueError(f"expected a fill of one finite number, or of {channels}, one for each channel, got {fill!r}")
    return values


def scores(network, batch) -> np.ndarray:
    """The scores before the softmax, (N, categories)."""
    return _scores(network, _pixels(network, batch))


def _handed_out(
    maps: np.ndarray, asked: Wanted, why: Callable[[int], str], *, name: str, where: str = ""
) -> np.ndarray:
    """Maps (n, ...), or the only one of them where one category of one image was asked for.

    Warns of every map that is not finite, or 0 everywhere, and says `why` of the map of that number.
    """
    for index, (target, heatmap) in enumerate(zip(asked.targets, maps, strict=True)):
        if not np.isfinite(heatmap).all():
            words = "is not finite: look at the network's weights"
        elif not heatmap.any():
            words = f"is 0 everywhere: {why(index)}"
        else:
            continue
        warnings.warn(f"{name} of {title(target)}{where} {words}", RuntimeWarning, stacklevel=3)
    return maps[0] if asked.alone else maps


def _look(
    network, batch, category: Category, names, layer: str | None = None, *, guided: bool = False
) -> tuple[np.ndarray, np.ndarray, Wanted]:
    """A layer's activations (N, C, h, w), the gradients of the scores asked for, (n, C, h, w), and what was asked for.

    Without a layer, the batch's values stand for activations.
    """
    seen = look(network, batch, layer, guided=guided)
    asked = wanted(category, len(batch), check_scores(seen.answers, len(batch)), names)
    # Of one image all categories are asked for, one by one.
    rounds = [asked.targets] if len(batch) > 1 else asked.targets[:, None]
    return seen.inside, np.concatenate([seen.gradient(targets) for targets in rounds]), asked


def _why_zero(network, batch, asked: Wanted, layer: str | None = None) -> Callable[[int], str]:
    """Why a map is 0 everywhere: what is known of the network, or whether noise on the image moves the score at all."""

    def why(index: int) -> str:
        target = asked.targets[index : index + 1]
        if known := why_zero(network, batch[:1], layer, int(target.argmax())):
            return f"the gradient is 0: {known}"
        if layer is not None:
            return "the gradient is 0 there: a small change of these maps leaves the score as it is"
        pixels = _pixels(network, batch[:1])
        noise = np.random.default_rng(0).standard_normal(pixels.shape, np.float32) * np.ptp(pixels) / 10
        before, after = (asked_for(_scores(network, values), target)[0] for values in (pixels, pixels + noise))
        if before == after:
            return "the gradient is 0, and noise on the image leaves the score as it is, too"
        return "the gradient is 0, and yet noise on the image moves the score: something on the way has no slope"

    return why


def _asked(network, batch, category: Category, names, *, several: bool = True) -> tuple[np.ndarray, Wanted]:
    """The batch as an array (N, H, W, C), and what is asked for; one image tells how many categories there are.

    several : an image of which several categories are asked stands there as often.
    """
    pixels = _pixels(network, batch)
    asked = wanted(category, len(pixels), check_scores(_scores(network, pixels[:1]), 1), names)
    return np.broadcast_to(pixels, (len(asked.targets), *pixels.shape[1:])) if several else pixels, asked


def _pixels(network, batch) -> np.ndarray:
    looking = backend_of(network)
    return looking.to_pixels(looking.check_batch(network, batch))


def _gradient(network, pixels: np.ndarray, asked: Wanted) -> np.ndarray:
    batch = backend_of(network).to_batch(network, pixels)
    return _channels_last(look(network, batch).gradient(asked.targets))


def _scores(network, pixels: np.ndarray) -> np.ndarray:
    looking = backend_of(network)
    return looking.scores(network, looking.to_batch(network, pixels))


def _channels_last(maps: np.ndarray) -> np.ndarray:
    return maps.transpose(0, 2, 3, 1)
