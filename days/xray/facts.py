"""What the weights and the answers of one layer show: dead, silent, alike, random, exploded.

A healthy network has silent channels, opposite twins and rough filters, too: these are facts, and not yet findings.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from days.day23.code import detectors
from days.xray.anatomy import Convolution, FoldedWeights, Layer

FAR_FROM_WAKING = 1.0
"""Of its own deviations: a silent channel that comes nearer to 0 may well wake on the next photo."""
UNSEEN = 3
"""So many times the channels that rarity leads to expect may be silent."""
TOO_FEW_WEIGHTS, FEW_WEIGHTS = 9, 18
"""Filters of so few weights are alike by chance: not compared at all, or only if exactly alike."""
ALIKE, EXACT = 0.99, 0.999
NOISY = 3.0
WIDEST = 64
"""Of filters with more input channels than this, some are left out when noise is looked for."""


class Facts(NamedTuple):
    """What was seen of a layer, usual or not: channel indices, and pairs of filters of one direction.

    dead : silent for any input, which is proven. silent : silent on all images, the dead ones too. far : those of the
    silent that are neither near to waking nor explained by channels that wake rarely. copies, opposites :
    `detectors.Pair`s with a positive or a negative scale.
    """

    dead: np.ndarray
    silent: np.ndarray
    far: np.ndarray
    copies: list[detectors.Pair]
    opposites: list[detectors.Pair]
    noise: np.ndarray
    exploded: np.ndarray
    broken: bool


def facts_of(layer: Layer, weights: FoldedWeights, reach: tuple[np.ndarray, np.ndarray]) -> Facts:
    """What the answers of one layer and its weights, read once, show. reach : see `Pixels.reach`."""
    values, bias, asleep = weights
    finite = np.isfinite(values).all(axis=(1, 2, 3))
    silent, far = _silent(layer, asleep)
    dead = _proven_dead(layer.convolution, weights, reach)
    compared = values
    if layer.convolution.separable:
        # They share what they see of each input channel, so its middle tells them apart as well as all of it.
        compared = values[:, :, values.shape[2] // 2, values.shape[3] // 2, None, None]
    comparable = not layer.convolution.grouped and compared[0].size >= TOO_FEW_WEIGHTS
    pairs = _pairs(compared, bias) if comparable else []
    return Facts(
        dead=dead,
        silent=np.union1d(silent, dead),
        far=far,
        copies=[pair for pair in pairs if pair.cosine >= ALIKE],
        opposites=[pair for pair in pairs if pair.scale < 0],
        noise=_noise(layer.convolution, values),
        exploded=detectors.exploded_filters(values) if finite.all() else np.arange(0),
        broken=not (finite.all() and np.isfinite(layer.summary.top).all()),
    )


def _silent(layer: Layer, asleep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Channels that are silent on all images, and those of them that are more than rarity explains, the farthest."""
    top = layer.summary.top.max(axis=0)
    if not layer.convolution.rectified:
        # Without a ReLU behind it a channel is silent only if it never changes.
        constant = np.flatnonzero(top == layer.summary.low.min(axis=0))
        return constant, constant[~asleep[constant]]
    silent, below = np.flatnonzero(top <= 0), below_waking(layer)
    too_many = max(0, len(silent) - int(np.ceil(UNSEEN * rarely_seen((layer.summary.top > 0).sum(axis=0)))))
    farthest = silent[np.argsort(-below[silent], kind="stable")][:too_many]
    return silent, np.sort(farthest[below[farthest] > FAR_FROM_WAKING])


def below_waking(layer: Layer) -> np.ndarray:
    """By how many of its own deviations each channel (C,) stays below 0 at its best; negative where it wakes."""
    return -layer.summary.top.max(axis=0) / np.maximum(layer.summary.spread, 1e-12)


def rarely_seen(images_awake: np.ndarray) -> float:
    """How many channels are to be expected silent that wake on other images, from on how many images each one woke.

    once * (once - 1) / (2 * (twice + 1)), with the numbers of channels that woke on exactly one image and on two: it is
    a lower bound on how many were not met.

    Source: Chao, "Nonparametric estimation of the number of classes in a population", 1984.

    >>> rarely_seen(np.array([1, 1, 1, 2, 5, 0]))
    1.5
    """
    once, twice = (int((images_awake == count).sum()) for count in (1, 2))
    return once * (once - 1) / (2 * (twice + 1))


def _proven_dead(convolution: Convolution, weights: FoldedWeights, reach: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Channels that a ReLU silences for any input, now and after any training step.

    Without a ReLU a gradient reaches even filters of zeros. Where the scale of a batch norm is 0, as that of zero-init
    residuals is, the first step of training wakes the filters before it.
    """
    values, bias, asleep = weights
    if not convolution.rectified:
        return np.arange(0)
    if not convolution.sees_pixels or convolution.grouped:
        return np.flatnonzero(
            ~values.any(axis=(1, 2, 3)) & (bias <= 0) & ~asleep
        )  # nothing is known of what it is given
    return np.flatnonzero((detectors.layer_bounds(values, bias, *reach)[1] <= 0) & ~asleep)


def length_spread(filters: np.ndarray) -> float:
    """How much the filters (out, in, kh, kw) of a layer differ in length, against random numbers: 1 for those.

    The variance of the squared lengths over what independent numbers of this distribution lead to expect, (k - 1) / n
    of the squared mean, with their kurtosis k and n weights a filter. nan where few filters or weights tell nothing.
    """
    flat = np.square(filters.reshape(len(filters), -1), dtype=np.float64)
    squared = flat.sum(axis=1)
    if len(flat) < 8 or flat.shape[1] < TOO_FEW_WEIGHTS or not 0 < squared.mean() < np.inf:
        return float("nan")
    kurtosis = np.vdot(flat, flat) / flat.size / flat.mean() ** 2
    return float(squared.var(ddof=1) / squared.mean() ** 2 / ((kurtosis - 1) / flat.shape[1]))


def _pairs(values: np.ndarray, bias: np.ndarray) -> list[detectors.Pair]:
    """Filters of one direction. Where a filter has few weights, chance makes near ones: then only exact ones count."""
    few = values[0].size < FEW_WEIGHTS
    return detectors.redundant_pairs(values, bias, EXACT if few else detectors.SAME_DIRECTION)


def _noise(convolution: Convolution, filters: np.ndarray) -> np.ndarray:
    """Filters of random numbers. Of very wide filters every k-th input channel is looked at: noise is noise in each.

    Filters that share their parts are no independent numbers even before training, and grouped ones see too little.
    """
    values = filters[:, :: -(-filters.shape[1] // WIDEST)]
    usable = np.isfinite(values).all(axis=(1, 2, 3)) & values.any(axis=(1, 2, 3))
    judged = not (convolution.grouped or convolution.separable) and values.shape[2] * values.shape[3] > 1
    return detectors.noise_filters(values, NOISY) if judged and usable.sum() >= 8 else np.arange(0)
