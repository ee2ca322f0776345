"""Filters in numbers: how far they have moved, which are alike, how smooth they are, and how much they can answer."""

from __future__ import annotations

import numpy as np

from days.day17.code.feature_maps import cosine_similarities


def filter_drift(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """How far each filter has gone from where it was, in units of its length then: |now - before| / |before|.

    now, before : (out, in, kh, kw). Returns (out,). A filter that was zero gives infinity, or 0 if it still is.

    >>> filter_drift(np.full((1, 1, 1, 2), 3.0), np.full((1, 1, 1, 2), 2.0))
    array([0.5])
    """
    axes = tuple(range(1, now.ndim))
    moved, length = (np.sqrt((change**2).sum(axis=axes)) for change in (now - before, before))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(moved == 0, 0.0, moved / length)


def near_duplicates(filters: np.ndarray, threshold: float = 0.95) -> list[tuple[int, int]]:
    """Pairs i < j of filters (out, in, kh, kw) that point the same way: cosine above `threshold`.

    Filters that are not finite, or zero, are nobody's duplicates.
    """
    filters = np.where(np.isfinite(filters).all(axis=(1, 2, 3), keepdims=True), filters, 0)
    rows, columns = np.nonzero(np.triu(cosine_similarities(filters) > threshold, k=1))
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def neighbor_correlation(filters: np.ndarray) -> float:
    """Correlation of weights that lie side by side, or one below the other, in filters (out, in, kh, kw): -1 to 1.

    Weights drawn independently give 0, give or take 1 / sqrt(pairs). Photographs are smooth, and so are filters that
    have learned from them. Raises ValueError for 1x1 filters, whose weights have no neighbors.

    >>> round(neighbor_correlation(np.array([[[[1.0, 2.0, 3.0]]]])), 6)
    1.0
    """
    filters = np.asarray(filters, np.float64)
    first = np.concatenate([filters[..., :-1].ravel(), filters[..., :-1, :].ravel()])
    second = np.concatenate([filters[..., 1:].ravel(), filters[..., 1:, :].ravel()])
    if not first.size:
        raise ValueError(f"expected filters larger than 1x1, got {filters.shape}: their weights have no neighbors")
    first, second = first - first.mean(), second - second.mean()
    length = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / length) if length else 0.0


def closest_cosines(filters: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each of `filters` (out, in, kh, kw), the largest cosine with any of `others`: (out,)."""
    return cosine_similarities(np.concatenate([filters, others]))[: len(filters), len(filters) :].max(axis=1)


def largest_possible(filters: np.ndarray, biases: np.ndarray, low: float, high: float) -> np.ndarray:
    """The most that each filter can answer to any input whose values lie from `low` to `high`: (out,).

    bias + sum of (weight * high where it is positive, weight * low where it is negative). A filter for which this is
    not above 0 is dead behind its ReLU, whatever is shown: no data are needed to say so.
    """
    axes = tuple(range(1, filters.ndim))
    return biases + (np.maximum(filters, 0) * high + np.minimum(filters, 0) * low).sum(axis=axes)
