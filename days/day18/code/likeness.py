"""Are two trainings alike? Their filters against random ones that are as smooth, and their activations by CKA.

Source: Kornblith and others, "Similarity of neural network representations revisited", 2019, arXiv:1905.00414.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np


def smooth_noise(filters: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Random filters as smooth and as colored as `filters` (out, in, kh, kw), nothing else in common.

    At every frequency they have the mean power of `filters`, and their channels go together as there; the phases, which
    say where a stripe or an edge lies, are random.
    """
    waves = np.fft.fft2(np.asarray(filters, np.float64))
    together = np.einsum("oiyx,ojyx->yxij", waves, waves.conj()) / len(filters)
    values, directions = np.linalg.eigh(together)
    root = (directions * np.sqrt(np.maximum(values, 0))[..., None, :]) @ directions.conj().swapaxes(-1, -2)
    white = np.fft.fft2(np.random.default_rng(seed).normal(size=(count, *filters.shape[1:])), norm="ortho")
    return np.fft.ifft2(np.einsum("yxij,njyx->niyx", root, white)).real


def linear_cka(first: np.ndarray, second: np.ndarray) -> float:
    """How alike two layers respond to the same images, (n, channels) and (n, other channels): 0 to 1.

    Each channel's mean is taken away. 1 where one layer's responses are the other's, turned or mirrored as a whole and
    scaled; 0 where no channel of one goes with any of the other. For few images it is too high: use many more images
    than channels, and look at a control.

    >>> a = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 2.0]])
    >>> round(linear_cka(a, 5 * a[:, ::-1] + 7), 6)
    1.0
    """
    first, second = (np.asarray(one, np.float64) - np.mean(one, axis=0, dtype=np.float64) for one in (first, second))
    together = ((first.T @ second) ** 2).sum()
    alone = [np.sqrt(((one.T @ one) ** 2).sum()) for one in (first, second)]
    return float(together / (alone[0] * alone[1]))


def cka_of_pairs(group: Sequence[np.ndarray], other: Sequence[np.ndarray] | None = None) -> np.ndarray:
    """`linear_cka` of every two networks' responses (n, channels): of one group, or one of each of two groups."""
    pairs = itertools.combinations(group, 2) if other is None else itertools.product(group, other)
    return np.array([linear_cka(first, second) for first, second in pairs])
