"""Feature maps and filters in NumPy: how one is made, how many are ranked, compared and called dead.

Every function takes arrays and returns new ones. Convolution here is cross-correlation, as in PyTorch and Keras:
the kernel is not flipped.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def feature_map(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Slide `kernel` over `image` and write down each window's sum of products ("valid": no padding, stride 1).

    map[y, x] = sum over i, j of image[y + i, x + j] * kernel[i, j]

    image : (H, W), finite numbers. kernel : (kh, kw), at most the image's size. Returns (H - kh + 1, W - kw + 1).
    Raises ValueError for an array that is not 2-D, is empty or not finite, and a kernel larger than the image.

    >>> feature_map(np.array([[0, 0, 9]]), np.array([[-1, 1]]))
    array([[0., 9.]])

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.
    """
    image, kernel = check_plane(image, "image"), check_plane(kernel, "kernel")
    if kernel.shape[0] > image.shape[0] or kernel.shape[1] > image.shape[1]:
        raise ValueError(f"expected a kernel no larger than the image {image.shape}, got {kernel.shape}")
    windows = sliding_window_view(image, kernel.shape)
    return np.einsum("yxij,ij->yx", windows, kernel)


def channel_means(activations: np.ndarray) -> np.ndarray:
    """How strongly each channel answers: its mean over all positions. (C, H, W) -> (C,).

    >>> channel_means(np.array([[[0.0, 4.0]], [[1.0, 1.0]]]))
    array([2., 1.])
    """
    return _maps(activations, 3, "(C, H, W)").mean(axis=(1, 2))


def rank_channels(activations: np.ndarray) -> np.ndarray:
    """Channel indices (C,), the strongest mean first; equals keep their order. (C, H, W) -> (C,)."""
    return np.argsort(-channel_means(activations), kind="stable")


def dead_channels(activations: np.ndarray, threshold: float = 0.0) -> np.ndarray:
    """Indices of the channels that exceed `threshold` nowhere, in no image of the batch (N, C, H, W).

    After a ReLU, a dead channel is zero throughout. Dead is said of the images that were shown, and of no others.

    >>> dead_channels(np.array([[[[0.0]], [[2.0]]]]))
    array([0])
    """
    return np.flatnonzero(_maps(activations, 4, "(N, C, H, W)").max(axis=(0, 2, 3)) <= threshold)


def cosine_similarities(filters: np.ndarray) -> np.ndarray:
    """Cosine of the angle between every two filters: +1 the same pattern, 0 unrelated, -1 its exact opposite.

    (out, in, kh, kw) -> (out, out). A filter of zeros has no direction: its cosines are 0.
    """
    rows = _maps(filters, 4, "(out, in, kh, kw)").reshape(len(filters), -1).astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    if len(rows) * rows.size < 20e6:
        # A product with @ wakes BLAS' own threads, which stand in PyTorch's way for a tenth of a second after it.
        return np.einsum("if,jf->ij", rows, rows)
    return rows @ rows.T


def most_alike(similarities: np.ndarray, count: int) -> list[tuple[int, int, float]]:
    """The `count` pairs with the largest |cosine|, as (i, j, cosine) with i < j, largest first."""
    rows, columns = np.triu_indices(len(similarities), k=1)
    values = similarities[rows, columns]
    best = np.argsort(-np.abs(values), kind="stable")[:count]
    return [(int(rows[index]), int(columns[index]), float(values[index])) for index in best]


def color_patches(filters: np.ndarray, order: str = "BGR") -> np.ndarray:
    """Filters of a first convolution as pictures: (out, 3, kh, kw) -> (out, kh, kw, 3) RGB in [0, 1].

    Mid-gray is a weight of 0; one scale holds for all patches, so a faint patch is a weak filter. `order` is the
    order of the network's input channels: "BGR" for Caffe's SqueezeNet, "RGB" for most others.
    """
    filters = _maps(filters, 4, "(out, 3, kh, kw)")
    if filters.shape[1] != 3 or order not in ("RGB", "BGR"):
        raise ValueError(f"expected 3 input channels in order 'RGB' or 'BGR', got {filters.shape[1]} in {order!r}")
    patches = 0.5 + filters / (2 * max(np.abs(filters).max(), 1e-12))
    patches = patches.transpose(0, 2, 3, 1)
    return patches[..., ::-1].copy() if order == "BGR" else patches


def strongest_inputs(one_filter: np.ndarray, count: int) -> np.ndarray:
    """Which input channels a filter (in, kh, kw) listens to most: the `count` slices of largest norm, largest first."""
    return np.argsort(-np.linalg.norm(one_filter.reshape(len(one_filter), -1), axis=1), kind="stable")[:count]


def share_in_region(one_map: np.ndarray, region: np.ndarray) -> float:
    """Which share of a map's answer lies in a region of the photo, from 0 to 1.

    one_map : (h, w) after a ReLU. region : (H, W) booleans on the photo; H and W need not be multiples of h and w.
    Each unit counts by the part of its cell that the region covers. A map of zeros gives 0.

    >>> share_in_region(np.array([[3.0, 1.0]]), np.array([[True, True, False, False]]))
    0.75
    """
    if np.min(one_map) < 0:
        raise ValueError("expected a map after a ReLU, got negative values: shares need one sign")
    rows, columns = (_overlaps(cells, pixels) for cells, pixels in zip(one_map.shape, region.shape, strict=True))
    covered = rows @ region.astype(np.float64) @ columns.T
    return float((one_map * covered).sum() / max(one_map.sum(), 1e-12))


def effective_width(gradient: np.ndarray, share: float = 0.5) -> int:
    """Side of the smallest square around the middle of the receptive field that holds `share` of the gradient.

    gradient : (H, W), how much each pixel changes a unit, at least 0; the receptive field is where it is above 0.
    share : above 0, at most 1. Returns a number of pixels, odd where the field's width is. Raises ValueError for a
    gradient that is 0 everywhere or somewhere negative.

    >>> effective_width(np.array([[0, 1, 1, 1, 0], [0, 1, 8, 1, 0], [0, 1, 1, 1, 0]]))
    1

    Source: Luo and others, "Understanding the effective receptive field in deep convolutional neural networks", 2016.
    """
    gradient = check_plane(gradient, "gradient")
    if gradient.min() < 0 or not gradient.any():
        raise ValueError("expected sizes of a gradient, at least 0 and not all 0: is the unit silent?")
    places = np.array(np.nonzero(gradient))
    middle = (places.min(axis=1) + places.max(axis=1)) / 2
    away = np.abs(places - middle[:, None]).max(axis=0)
    order = np.argsort(away, kind="stable")
    held = gradient[tuple(places)][order].cumsum()
    return int(2 * away[order][np.searchsorted(held, share * held[-1])] + 1)


def _overlaps(cells: int, pixels: int) -> np.ndarray:
    """(cells, pixels): which part of each of `cells` equal intervals every one of `pixels` equal intervals fills."""
    edges, marks = np.linspace(0, 1, cells + 1), np.linspace(0, 1, pixels + 1)
    low = np.maximum(edges[:-1, None], marks[None, :-1])
    high = np.minimum(edges[1:, None], marks[None, 1:])
    return np.clip(high - low, 0, None) * cells


def check_plane(array, name: str) -> np.ndarray:
    """`array` as float64 (rows, columns). Raises ValueError for another shape, an empty one, NaN or infinity."""
    array = np.asarray(array, np.float64)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"expected {name} as a non-empty (rows, columns) array, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"expected finite numbers in {name}, got NaN or infinity")
    return array


def _maps(array, axes: int, shape: str) -> np.ndarray:
    array = np.asarray(array)
    if array.ndim != axes or array.size == 0:
        ways_out = {4: ": drop the batch axis with [0]", 3: ": keep the batch axis, or add it with [None]"}
        raise ValueError(f"expected a {shape} array, got {array.shape}{ways_out.get(array.ndim, '')}")
    return array
