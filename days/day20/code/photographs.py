"""Photographs to hold against grown pictures: thousands of crops of those that ship with the course's packages, and of
a learner's own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from days.common.images import IMAGE_NAMES, load_image
from days.common.paths import packaged

SCENES = {
    **dict.fromkeys(("camera", "clock_motion", "coins", "moon", "page", "cell", "ihc"), "png"),
    **dict.fromkeys(("brick", "grass", "gravel"), "png"),
    **dict.fromkeys(("hubble_deep_field", "retina"), "jpg"),
}
"""Scenes and textures of scikit-image that no other day uses: {name: ending}. Most are gray."""
SCALES = (1, 1.4, 2, 2.8, 4)
"""Of a photo's shorter side, in crops: at 4, a crop shows a quarter of it."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class Crop(NamedTuple):
    """A square part of a photo: the photo's name, its place (top, left, bottom, right, as shares), and its pixels."""

    photo: str
    box: tuple[float, float, float, float]
    image: np.ndarray


def photographs(folder: Path | str | None = None) -> dict[str, np.ndarray]:
    """Photos by name, (H, W, 3) each: the course's seven, twelve more of scikit-image, and those of a folder, if any.

    Raises FileNotFoundError for a folder that is not there or holds no picture.
    """
    found = {name: load_image(name) for name in IMAGE_NAMES}
    for name, ending in SCENES.items():
        found[name] = load_image(packaged("skimage", f"data/{name}.{ending}", f"the picture {name!r} ships"))
    if folder is not None:
        paths = sorted(path for path in Path(folder).expanduser().glob("*") if path.suffix.lower() in SUFFIXES)
        if not paths:
            raise FileNotFoundError(f"no picture in {folder}: expected files that end in {', '.join(SUFFIXES)}")
        found |= {path.stem: load_image(path) for path in paths}
    return found


def crops(photos: dict[str, np.ndarray], size: int = 128, scales: Sequence[float] = SCALES) -> list[Crop]:
    """Square crops of `size` pixels, half overlapping, of photos {name: (H, W, 3)}, shorter side scale x size."""
    found = []
    for (name, photo), scale in itertools.product(photos.items(), scales):
        factor = scale * size / min(photo.shape[:2])
        shape = tuple(max(size, round(side * factor)) for side in photo.shape[:2])
        resized = load_image(photo, size=(shape[0], shape[1]))
        # Half overlapping, the last ones flush with the end
        corners = itertools.product(*(sorted({*range(0, side - size, size // 2), side - size}) for side in shape))
        for top, left in corners:
            box = top / shape[0], left / shape[1], (top + size) / shape[0], (left + size) / shape[1]
            found.append(Crop(name, box, resized[top : top + size, left : left + size]))
    return found


def top_crops(found: Sequence[Crop], answers: np.ndarray, count: int = 9) -> list[int]:
    """The places in `found` of the crops with the largest answers (n,), each of another part of the photos."""
    chosen: list[int] = []
    for place in np.argsort(-answers).tolist():
        if not any(_overlap(found[place], found[other]) for other in chosen):
            chosen.append(place)
        if len(chosen) == count:
            break
    return chosen


def _overlap(crop: Crop, other: Crop) -> bool:
    """Whether two crops share a fifth of the smaller one."""
    if crop.photo != other.photo:
        return False
    boxes = np.array([crop.box, other.box])
    sides = boxes[:, 2:].min(axis=0) - boxes[:, :2].max(axis=0)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return bool(sides.min() > 0 and sides.prod() > 0.2 * areas.min())
