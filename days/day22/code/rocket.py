"""A wrong answer to be explained: SqueezeNet calls the rocket a drilling platform. Parts of the photo are wiped out."""

from __future__ import annotations

import numpy as np

from days.common.checks import check_integer
from days.common.images import check_image

Box = tuple[int, int, int, int]

PARTS: dict[str, list[Box]] = {
    "nothing": [],
    "left tower": [(62, 190, 28, 56)],
    "right tower": [(62, 190, 172, 198)],
    "both towers": [(62, 190, 28, 56), (62, 190, 172, 198)],
    "their upper masts": [(62, 100, 44, 54), (62, 100, 174, 184)],
    "lamps": [(186, 224, 0, 84), (186, 224, 142, 224)],
    "launch pad": [(168, 224, 82, 142)],
    "rocket": [(60, 212, 100, 126)],
}
"""Boxes (top, bottom, left, right) in the bundled photo at 224 x 224 pixels."""


def wiped(image: np.ndarray, boxes: list[Box], *, rim: int = 3) -> np.ndarray:
    """The image (H, W, 3) with boxes (top, bottom, left, right) filled row by row from the colors at their two sides.

    rim : how many columns beside a box are averaged. At the image's border the other side fills alone. Unlike a gray
    square, such a patch brings no edges of its own. Raises ValueError for a box that does not lie in the image, and for
    what is no image or no list of boxes.

    >>> image = np.zeros((1, 4, 3)); image[:, 3] = 1.0
    >>> wiped(image, [(0, 1, 1, 3)], rim=1)[0, :, 0]
    array([0., 0., 1., 1.])
    """
    found, rim = check_image(image).copy(), check_integer(rim, 1, "rim")
    height, width = image.shape[:2]
    if not all(np.shape(box) == (4,) and np.asarray(box).dtype.kind in "iu" for box in boxes):
        raise ValueError(f"expected boxes, each (top, bottom, left, right) in whole pixels, got {boxes!r}")
    for top, bottom, left, right in boxes:
        if not (0 <= top < bottom <= height and 0 <= left < right <= width and right - left < width):
            raise ValueError(f"expected a box inside {height} x {width} pixels, got {(top, bottom, left, right)}")
        sides = [found[top:bottom, max(left - rim, 0) : left], found[top:bottom, right : right + rim]]
        colors = [side.mean(axis=1) for side in sides if side.size]
        start, end = colors[0], colors[-1]
        share = np.linspace(0, 1, right - left)[:, None]
        found[top:bottom, left:right] = (1 - share) * start[:, None] + share * end[:, None]
    return found
