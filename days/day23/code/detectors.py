"""What is wrong with filters, told from arrays: dead, redundant, noise, exploded, tuned to one image, drifted.

Every function takes arrays and returns new ones. The thresholds were set on the patients of seeds 0 to 49;
those for noise also with a look at a healthy SqueezeNet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from days.day17.code import feature_maps
from days.day17.code.feature_maps import cosine_similarities
from days.day18.code.filter_statistics import largest_possible, neighbor_correlation
from days.day18.code.training import Weights

SAME_DIRECTION = 0.97
NOT_CLOSE = 3.5
A_FAMILY = 5.5
AS_ROUGH_AS_NOISE = 3.5
TIMES_THE_MEDIAN = 100
ONE_IMAGES_SHARE = 0.4
FEW = 20
SHRINK = 0.2
ANYTHING = np.finfo(np.float64).max


# ---------------------------------------------------------------- dead


@dataclass(frozen=True)
class DeadChannels:
    """Channel indices that never answer, by how far that is known; each array holds all of the one after it.

    on_batch : nowhere in the first images. on_data : in none of the images. everywhere : for no input whatever.
    """

    on_batch: np.ndarray
    on_data: np.ndarray
    everywhere: np.ndarray


def dead_channels(activations: np.ndarray, *, batch: int = 16, largest: np.ndarray | None = None) -> DeadChannels:
    """Which channels are dead on a batch, on all the data, and everywhere.

    activations : (N, C, h, w) after the ReLU. batch : how many of the images, from the first on, are the batch.
    largest : (C,) the most that each channel can answer, from `bounds`; without it nothing is dead everywhere.

    A channel dead on a batch may wake at the next image; one dead on the data is a safe bet; one dead everywhere is
    a theorem.
    """
    if batch < 1:
        raise ValueError(f"expected a batch of at least 1 image, got {batch}")
    on_batch, on_data = (feature_maps.dead_channels(maps) for maps in (activations[:batch], activations))
    channels = np.shape(activations)[1]
    largest = np.ones(channels) if largest is None else np.asarray(largest)
    if len(largest) != channels:
        raise ValueError(f"expected a bound for each of {channels} channels, got {len(largest)}")
    return DeadChannels(on_batch, on_data, np.flatnonzero(largest <= 0))


Bounds = dict[str, tuple[np.ndarray, np.ndarray]]
"""Layer -> the least and the most (C,) that each channel can answer before its ReLU."""


def bounds(weights: Weights, low: float = -1.0, high: float = 1.0, hears: dict | None = None) -> Bounds:
    """Between which two numbers each channel's answer lies for any input whatever whose values lie from low to high.

    Layer by layer, for convolutions with zeros around them, ReLUs and pooling in between; "scores" too:

        most = bias + sum of (weight * most of its input if weight > 0, else weight * least of its input)

    The bounds hold and are not tight: inputs are taken as if each could be at its worst whatever the others are. Room
    is left for the rounding of 32-bit sums.

    hears : {layer: names of the layers whose maps, one behind the other, it is shown; () for the images}. Without it
    each layer hears the one before it.

    Source: interval arithmetic, Moore 1966; for networks: Gowal and others, 2018.
    """
    if not low <= high:
        raise ValueError(f"expected low <= high, got {low} and {high}")
    names = list(weights)
    found: Bounds = {}
    with np.errstate(all="ignore"):
        for place, (name, (values, bias)) in enumerate(weights.items()):
            heard = names[max(place - 1, 0) : place] if hears is None else hears[name]
            most = [np.maximum(found[one][1], 0) for one in heard]
            # The zeros around a map count as inputs, so 0 belongs to every interval.
            span = (0.0, np.concatenate(most)) if most else (min(low, 0.0), max(high, 0.0))
            found[name] = layer_bounds(values, bias, *span)
    return found


def layer_bounds(filters: np.ndarray, bias: np.ndarray, low=-ANYTHING, high=ANYTHING) -> tuple[np.ndarray, np.ndarray]:
    """The least and the most (out,) that one layer's filters can answer before their ReLU, room for rounding included.

    filters : (out, in, kh, kw), or a matrix (out, in). bias : (out,). low, high : of the values that the layer is
    given, the zeros around a map among them, so low <= 0 <= high; a number, or (in,) for each input channel. Unless
    given nothing is known of them. A filter that can answer no more than 0 is proven dead behind a ReLU.

    >>> layer_bounds(np.array([[1.0, -2.0], [0.0, 0.0]]), np.array([0.0, -1.0]), 0, 1)[1] <= 0
    array([False,  True])
    """
    values, bias, rest = filters.astype(np.float64), bias.astype(np.float64), (1,) * (filters.ndim - 2)
    low, high = (np.reshape(np.asarray(limit, np.float64), (-1, *rest)) for limit in (low, high))
    with np.errstate(all="ignore"):
        room = 1e-6 * largest_possible(np.abs(values), np.abs(bias), 0, np.maximum(-low, high))
        room = np.where(values.any(axis=tuple(range(1, values.ndim))), room, 0)
        return -largest_possible(-values, -bias, low, high) - room, largest_possible(values, bias, low, high) + room


# ---------------------------------------------------------------- told from the weights


class Pair(NamedTuple):
    """Two filters of one direction: the second is nearly `scale` times the first; scale < 0 turns the sign."""

    first: int
    second: int
    cosine: float
    scale: float


def redundant_pairs(
    filters: np.ndarray, biases: np.ndarray | None = None, threshold: float = SAME_DIRECTION
) -> list[Pair]:
    """Pairs of filters (out, in, kh, kw) with |cosine| of at least `threshold`.

    biases : (out,), if given, are also counted as one weight more, and the lower of the two |cosines| is taken.
    Zero filters and filters that are not finite are nobody's twins.

    >>> redundant_pairs(np.array([[[[3.0, 4.0]]], [[[-6.0, -8.0]]]]))
    [Pair(first=0, second=1, cosine=-1.0, scale=-2.0)]
    """
    filters = check_filters(filters)
    rows = filters.reshape(len(filters), -1)
    usable = np.isfinite(rows).all(axis=1) & rows.any(axis=1)
    rows = np.where(usable[:, None], rows, 0)
    cosines = cosine_similarities(rows[:, :, None, None])
    if biases is not None:
        # A huge bias drowns the weights, and then all filters that have one look alike: so both must agree.
        whole = np.column_stack([rows, np.where(usable, biases, 0)])
        together = cosine_similarities(whole[:, :, None, None])
        cosines = np.sign(cosines) * np.where(cosines * together > 0, np.minimum(abs(cosines), abs(together)), 0)
    lengths = np.sqrt((rows**2).sum(axis=1))
    first, second = np.nonzero(np.triu(np.abs(cosines) >= threshold, k=1))
    return [
        Pair(int(i), int(j), round(float(cosines[i, j]), 6), float(cosines[i, j] * lengths[j] / lengths[i]))
        for i, j in zip(first, second, strict=True)
    ]


def closeness(filters: np.ndarray) -> np.ndarray:
    """How much closer each filter is to the rest of its layer than noise would be: (out, in, kh, kw) -> (out,).

    A whitened distance, as Mahalanobis's: the other filters say which combinations of weights are usual, by their
    covariance, taken as one over input channels times one over places (a Kronecker product), each shrunk by a fifth
    toward the identity. A filter's squared distance is w' covariance^-1 w. For independent normal weights, brought to
    the length sqrt(n) of n ones, its mean and standard deviation are known:

        mean = trace(channels^-1) * trace(places^-1),  squares = trace(channels^-2) * trace(places^-2)
        closeness = (mean - distance) / sqrt(2 * (n * squares - mean^2) / (n + 2))

    So noise has a closeness of 0 on average, with a standard deviation of 1, in any layer. A learned filter that does
    what the others do lies far above. Where the others have nothing in common, as before training, noise and learned
    filters both lie near 0. Zero filters and filters that are not finite give NaN, and so do all in a layer with fewer
    than 3 others.

    Sources: Mahalanobis, "On the generalized distance in statistics", 1936; Ledoit and Wolf, 2004 (shrinkage).
    """
    filters = check_filters(filters)
    flat = filters.reshape(len(filters), filters.shape[1], -1)
    with np.errstate(all="ignore"):
        scaled = flat / np.abs(flat).max(axis=(1, 2), keepdims=True)
        scaled = scaled * np.sqrt(flat[0].size / (scaled**2).sum(axis=(1, 2), keepdims=True))
    usable = np.isfinite(scaled).all(axis=(1, 2))
    channels = np.einsum("oia,oja->oij", scaled, scaled)
    places = np.einsum("oia,oib->oab", scaled, scaled)
    everyone = channels[usable].sum(axis=0), places[usable].sum(axis=0)
    found = np.full(len(filters), np.nan)
    for index in np.flatnonzero(usable) if usable.sum() >= 3 else ():
        others = everyone[0] - channels[index], everyone[1] - places[index]
        for_channels, for_places = map(_inverse, others)
        values, count = scaled[index], scaled[index].size
        distance = np.einsum("ia,ij,ja->", values, for_channels, values @ for_places)
        mean = np.trace(for_channels) * np.trace(for_places)
        squares = (for_channels**2).sum() * (for_places**2).sum()
        found[index] = (mean - distance) / np.sqrt(2 * (count * squares - mean**2) / (count + 2))
    return found


def _inverse(covariance: np.ndarray) -> np.ndarray:
    """The inverse of a covariance that is first brought to a mean variance of 1 and pulled towards independence."""
    covariance = covariance * (len(covariance) / np.trace(covariance))
    return np.linalg.inv((1 - SHRINK) * covariance + SHRINK * np.eye(len(covariance)))


def correlated_neighbors(filters: np.ndarray) -> np.ndarray:
    """How far each filter is from what independent weights would do to their neighbors: (out, in, kh, kw) -> (out,).

    |`neighbor_correlation`| times the root of the number of neighboring pairs: below 3.5 for nearly all random filters,
    far above for smooth ones. Filters of 1x1 have no neighbors and give 0. NaN for zero filters.
    """
    filters = check_filters(filters)
    count, inputs, height, width = filters.shape
    pairs = inputs * (height * (width - 1) + (height - 1) * width)
    if not pairs:
        return np.zeros(count)
    with np.errstate(all="ignore"):
        scaled = filters / np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    found = [abs(neighbor_correlation(one[None])) if np.isfinite(one).all() else np.nan for one in scaled]
    return np.sqrt(pairs) * np.array(found)


def noise_filters(filters: np.ndarray, threshold: float = NOT_CLOSE) -> np.ndarray:
    """Indices of the filters (out, in, kh, kw) that two witnesses call random numbers.

    One is `closeness` with the rest of the layer, below `threshold`; the other is `correlated_neighbors`, no more than
    chance allows. Neither is enough: some learned 3x3 filters are as rough as noise, and an unusual 7x7 filter is like
    no other. Where the layer is no family (median closeness below 5.5) nobody can tell, and none is named: so it is
    before training, and wherever half of a layer is noise. Nor is any among 1x1 filters, whose weights have no
    neighbors.
    """
    if check_filters(filters).shape[2:] == (1, 1):
        return np.arange(0)
    close = closeness(filters)
    if not np.isfinite(close).any() or np.nanmedian(close) < A_FAMILY:
        return np.arange(0)
    rough = correlated_neighbors(filters) < AS_ROUGH_AS_NOISE
    return np.flatnonzero((np.nan_to_num(close, nan=np.inf) < threshold) & rough)


def relative_lengths(filters: np.ndarray) -> np.ndarray:
    """How long each filter is, in lengths of the layer's median filter that is finite and not zero: (out,).

    filters : (out, in, kh, kw). Infinite or NaN where the weights are.
    """
    filters = check_filters(filters)
    with np.errstate(all="ignore"):
        lengths = np.sqrt(np.einsum("oihw,oihw->o", filters, filters))  # without a second array of that size
    usual = lengths[(lengths > 0) & np.isfinite(lengths)]
    return lengths / (np.median(usual) if len(usual) else 1.0)


def exploded_filters(
    filters: np.ndarray, biases: np.ndarray | None = None, factor: float = TIMES_THE_MEDIAN
) -> np.ndarray:
    """Indices of filters (out, in, kh, kw) over `factor` times as long as the median one, or not finite, biases too."""
    finite = True if biases is None else np.isfinite(biases)
    return np.flatnonzero(~((relative_lengths(filters) <= factor) & finite))


def check_filters(filters) -> np.ndarray:
    """`filters` as float64 (out, in, kh, kw), or ValueError."""
    filters = np.asarray(filters, np.float64)
    if filters.ndim != 4 or not filters.size:
        raise ValueError(f"expected filters (out, in, kh, kw), got {filters.shape}: filters(network, layer) gives them")
    return filters


# ---------------------------------------------------------------- told from the answers


def peak_shares(activations: np.ndarray) -> np.ndarray:
    """Which share of all that a channel answers goes to its favorite image: (N, C, h, w) after the ReLU -> (C,).

    From 1 / N, for a filter that cares for all alike, to 1, for one that knows a single image. Dead channels give 0.
    """
    sums = check_maps(activations).sum(axis=(2, 3), dtype=np.float64)
    with np.errstate(all="ignore"):
        return np.nan_to_num(sums.max(axis=0) / sums.sum(axis=0), nan=0.0)


def tuned_to_one_image(activations: np.ndarray, threshold: float = ONE_IMAGES_SHARE) -> dict[int, int]:
    """Channels of which one image takes more than `threshold` of all they answer: {channel: image}.

    activations : (N, C, h, w) after the ReLU, N of at least 20: among few images every filter has a favorite.
    """
    favorites = check_maps(activations).sum(axis=(2, 3)).argmax(axis=0)
    if len(activations) < FEW:
        raise ValueError(f"expected at least {FEW} images, got {len(activations)}: of few, each has a favorite")
    return {int(channel): int(favorites[channel]) for channel in np.flatnonzero(peak_shares(activations) > threshold)}


def paired_drift(before: np.ndarray, after: np.ndarray) -> float:
    """How far what is said of the same images has moved, as a share of how far images differ: a median over channels.

    before, after : (..., N, C), some number for each image and channel, such as the mean of its map. 0 is no change,
    1 as much as between two images. Channels that are not finite in both are left out; were all, the drift is infinite.
    """
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if before.shape != after.shape or before.ndim < 2:
        raise ValueError(f"expected two arrays (N, C) of the same images, got {before.shape} and {after.shape}")
    with np.errstate(all="ignore"):
        moved = np.sqrt(((after - before) ** 2).mean(axis=-2))
        usual = np.maximum(before.std(axis=-2), 1e-9 * np.abs(before).max(axis=-2))
        ratio = np.where((moved == 0) & (usual == 0), 0.0, moved / usual)
    ratio = ratio[np.isfinite(ratio)]
    return float(np.median(ratio)) if len(ratio) else np.inf


def check_maps(activations) -> np.ndarray:
    """`activations` if they are maps (N, C, h, w), else ValueError."""
    activations = np.asarray(activations)
    if activations.ndim != 4 or not activations.size:
        way_out = ": keep the batch axis, or add it with [None]" if activations.ndim == 3 else ""
        raise ValueError(f"expected activations (N, C, h, w), got {activations.shape}{way_out}")
    return activations
