"""Does a map depend on what the network has learned? Its layers are spoiled one by one, and the pictures compared.

Source: Adebayo and others, "Sanity checks for saliency maps", 2018.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from days.common.checks import check_integer, check_layers
from days.day17.code.backends import backend_of
from days.day22.code.maps import strength

CASCADE = ("conv10", "fire9", "fire8", "fire7", "fire6", "fire5", "fire4", "fire3", "fire2", "conv1")
"""SqueezeNet's layers with weights, from the last to the first."""


class Similarity(NamedTuple):
    """How alike two maps are, 1 for equal ones: by the ranks of their pixels, and by their structure."""

    rank: float
    structure: float


def shuffled(values: np.ndarray, seed: int, name: str) -> np.ndarray:
    """The same numbers in another order, drawn from `seed` and the layer's name: a layer that has learned nothing.

    Their mean and spread stay, so that the network does not fall silent. values : laid out as in PyTorch, filters
    (out, in, kh, kw) and matrices (out, in), so that both frameworks get the same.
    """
    generator = np.random.default_rng([check_integer(seed, 0, "seed"), zlib.crc32(name.encode())])
    return generator.permutation(values.ravel()).reshape(values.shape)


def randomized(network, layers: str | Sequence[str], seed: int):
    """A copy of the network with the weights of these layers shuffled, each tensor by itself; see `shuffled`.

    A layer's name also stands for all layers inside it ("fire9"). The network itself stays as it is. Raises ValueError
    for a layer that does not exist or has no weights.
    """
    return backend_of(network).altered(network, layers, lambda values, name: shuffled(values, seed, name))


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's correlation of two arrays of one shape, from -1 to 1: that of their ranks; nan if one is constant
    or not finite.

    >>> round(rank_correlation(np.array([1, 2, 3]), np.array([10, 100, 1000])), 6)
    1.0
    """
    if np.shape(first) != np.shape(second):
        raise ValueError(f"expected two arrays of one shape, got {np.shape(first)} and {np.shape(second)}")
    if not _comparable(first, second):
        return float("nan")
    return float(stats.spearmanr(np.ravel(first), np.ravel(second)).statistic)


def _comparable(*arrays: np.ndarray) -> bool:
    return all(np.isfinite(values).all() and np.ptp(values) for values in arrays)


def similarity(first: np.ndarray, second: np.ndarray) -> Similarity:
    """How alike two maps (H, W) of at least 3 x 3 places are, each scaled to its own largest value first.

    rank : `rank_correlation`. structure : the structural similarity of Wang and others, 2004. Both are nan where one
    of the maps is constant or not finite: there is nothing to compare.
    """
    from skimage.metrics import structural_similarity

    pair = [np.asarray(each, np.float64) for each in (first, second)]
    if pair[0].shape != pair[1].shape or pair[0].ndim != 2 or min(pair[0].shape) < 3:
        raise ValueError(f"expected two maps (H, W) of one shape, 3 x 3 or more, got {[each.shape for each in pair]}")
    if not _comparable(*pair):
        return Similarity(float("nan"), float("nan"))
    scaled = [each / np.abs(each).max() for each in pair]
    window = min(7, (min(pair[0].shape) - 1) // 2 * 2 + 1)
    reach = max(np.ptp(np.stack(scaled)), 1e-12)
    return Similarity(rank_correlation(*pair), float(structural_similarity(*scaled, win_size=window, data_range=reach)))


def cascade(
    network, methods: dict[str, Callable], layers: str | Sequence[str] = CASCADE, *, seed: int = 0
) -> dict[str, list[Similarity]]:
    """How alike each method's map stays while the network's layers are shuffled, one more at every stage.

    methods : {name: function(network) -> map (H, W), or (H, W, 3) that is taken by its strength}. layers : the order in
    which they are shuffled, the last of the network first.

    Returns {name: similarities (stages + 1)}, the untouched network first: so each list begins with 1 and 1.
    """
    layers = check_layers(layers)
    stages = [network, *(randomized(network, layers[: stage + 1], seed) for stage in range(len(layers)))]
    found = {}
    for name, method in methods.items():
        maps = [strength(heatmap) if heatmap.ndim == 3 else heatmap for heatmap in map(method, stages)]
        found[name] = [similarity(maps[0], heatmap) for heatmap in maps]
    return found
