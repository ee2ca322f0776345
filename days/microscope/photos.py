"""The photographs that channels are held against: those that ship with the course's packages, or a learner's own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from days.common.images import IMAGE_NAMES
from days.day20.code.photographs import SCALES, photographs
from days.xray.loading import read_photos

MOST, PROBES = 60, 7
"""Of more photos than this, as many are taken, evenly spread; on so many of them channels are switched off."""


@dataclass(frozen=True)
class Gallery:
    """Photos to hold channels against.

    images : {name: (H, W, 3)}. probes : the names of those that channels are switched off on. says : what has to be
    said of them. key : the same text for the same photos. bundled : whether they ship with packages.
    """

    images: dict[str, np.ndarray]
    probes: tuple[str, ...]
    says: tuple[str, ...]
    key: str
    bundled: bool


def gallery(folder: Path | str | None, side: int) -> Gallery:
    """The bundled photos, or those of a folder as squares, large enough for crops of `side` pixels at every scale.

    Raises ValueError for a folder without a readable picture.
    """
    if folder is None:
        return Gallery(photographs(), IMAGE_NAMES, (), "bundled", True)
    photos = read_photos(folder, round(SCALES[-1] * side), MOST)
    images = dict(zip(photos.names, photos.images, strict=True))
    chosen = np.unique(np.linspace(0, len(images) - 1, min(PROBES, len(images))).round().astype(int))
    says = ["The photos are shown as squares, cropped around their middle."]
    if photos.left_out:
        says.append(f"{photos.left_out} more photos of the folder were left out: {MOST} are taken, evenly spread.")
    if photos.skipped:
        named = "; ".join(f"{name}: {why}" for name, why in photos.skipped[:3])
        says.append(f"{len(photos.skipped)} files could not be used ({named}).")
    digest = hashlib.sha256(photos.images.tobytes() + repr(photos.names).encode()).hexdigest()[:16]
    return Gallery(images, tuple(photos.names[index] for index in chosen), tuple(says), digest, False)
