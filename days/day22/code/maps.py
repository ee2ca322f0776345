"""Maps on photographs, in NumPy: enlarged, smoothed, laid over a picture of any size."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from days.common.images import check_image
from days.common.live import colored

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""How bright red, green and blue look: their shares of gray. Source: ITU-R BT.601."""


def enlarge(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Maps (..., h, w) at another size (height, width), bilinear: pixels are areas, and their centers are matched.

    A pixel center at y of the result lies at (y + 0.5) * h / height - 0.5 of the map, as with `align_corners=False`
    in PyTorch. Raises ValueError for a map without pixels or a size below 1.

    >>> enlarge(np.array([[0.0, 4.0]]), (1, 4))
    array([[0., 1., 3., 4.]])
    """
    maps = np.asarray(maps)
    if maps.ndim < 2 or not maps.size or min(size) < 1:
        raise ValueError(f"expected maps (..., h, w) and a size of at least (1, 1), got {maps.shape} and {size}")
    dtype = np.result_type(maps.dtype, np.float32)
    factors = [1] * (maps.ndim - 2) + [wanted / length for wanted, length in zip(size, maps.shape[-2:], strict=True)]
    return ndimage.zoom(maps, factors, output=dtype, order=1, mode="nearest", grid_mode=True)


def strength(attribution: np.ndarray) -> np.ndarray:
    """How strongly each pixel counts, of whatever sign: the sum of |values| over colors, (..., H, W, C) -> (..., H, W).

    >>> strength(np.array([[[1.0, -2.0, 0.0]]]))
    array([[3.]])
    """
    return np.abs(attribution).sum(axis=-1)


def smoothed(maps: np.ndarray, width: float) -> np.ndarray:
    """Maps (..., H, W) blurred by a Gaussian of standard deviation `width` in pixels; 0 leaves them as they are.

    Beyond the border the map is mirrored, so that its sum stays. Raises ValueError for a negative width.
    """
    if not 0 <= width < np.inf:
        raise ValueError(f"expected a width of at least 0 pixels, got {width!r}")
    maps = np.asarray(maps)
    if width == 0:
        return maps.copy()
    dtype = np.result_type(maps.dtype, np.float32)
    return ndimage.gaussian_filter(maps, width, output=dtype, mode="reflect", axes=(-2, -1))


def overlay(photo: np.ndarray, heatmap: np.ndarray, strength: float = 0.6, *, top: float | None = None) -> np.ndarray:
    """A map in color on a photograph that turns gray and darker, of the photograph's size: color is the map's alone.

        share = clip(map / top, 0, 1);    base = (1 - strength) * photo + strength * 0.6 * gray(photo)
        picture = (1 - strength * share) * base + strength * share * color(share)

    photo : (H, W, 3) from 0 to 1. heatmap : a map (h, w) of any size; values below 0 count as 0.
    strength : how much of the photograph the map's highest value hides, from 0 (the photograph itself) to 1.
    top : the value that gets the last color. The map's own largest unless given; give one to compare maps: each scaled
        by itself, an empty map looks as lively as a strong one.

    Raises ValueError for other shapes, a photo of whole numbers, a map that is not finite, and a strength or a top out
    of range.
    """
    photo, heatmap = np.asarray(photo), np.asarray(heatmap, np.float32)
    if photo.ndim != 3 or photo.shape[2] != 3 or heatmap.ndim != 2 or not heatmap.size:
        raise ValueError(f"expected a photo (H, W, 3) and a map (h, w), got {photo.shape} and {heatmap.shape}")
    photo = check_image(photo).astype(np.float32)
    if not np.isfinite(heatmap).all():
        raise ValueError("expected a finite map, got NaN or infinity")
    if not 0 <= strength <= 1 or (top is not None and not 0 < top < np.inf):
        raise ValueError(f"expected a strength from 0 to 1 and a top above 0, got {strength!r} and {top!r}")
    highest = max(float(heatmap.max()), float(np.finfo(np.float32).tiny)) if top is None else top
    share = np.clip(enlarge(heatmap, photo.shape[:2]) / highest, 0, 1)
    hidden = strength * share[..., None]
    base = (1 - strength) * photo + strength * 0.6 * (photo @ LUMINANCE)[..., None]
    return np.clip((1 - hidden) * base + hidden * colored(share, "inferno"), 0, 1).astype(np.float32)
