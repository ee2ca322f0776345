"""How faint a fault may be before the detectors miss it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from days.day23.code import detectors, patients


def copies_found(levels: Sequence[float], *, layer: str = "conv2", seeds: Iterable[int] = range(20)) -> np.ndarray:
    """The share of copies that `detectors.redundant_pairs` finds, for each level of noise: (L,).

    levels : length of the noise that a copy is given, over the length of the filter. Each seed is a healthy network.
    """

    def find(filters, generator, level):
        filters[1] = filters[0] + level * patients.noise_like(filters[0], generator)
        return any((one.first, one.second) == (0, 1) for one in detectors.redundant_pairs(filters))

    return _shares(find, levels, layer, seeds)


def noise_found(levels: Sequence[float], *, layer: str = "conv2", seeds: Iterable[int] = range(20)) -> np.ndarray:
    """The share of spoiled filters that `detectors.noise_filters` finds: (L,).

    levels : which part of a spoiled filter's length is random numbers, from 0, as learned, to 1, nothing else.
    """

    def find(filters, generator, level):
        filters[0] = np.sqrt(1 - level**2) * filters[0] + level * patients.noise_like(filters[0], generator)
        return 0 in detectors.noise_filters(filters)

    return _shares(find, levels, layer, seeds)


def _shares(find, levels: Sequence[float], layer: str, seeds: Iterable[int]) -> np.ndarray:
    found = []
    for seed in seeds:
        filters = patients.admit(seed, "healthy")[0].weights[layer][0].astype(np.float64)
        found.append([find(filters.copy(), np.random.default_rng(seed), level) for level in levels])
    return np.mean(found, axis=0)
