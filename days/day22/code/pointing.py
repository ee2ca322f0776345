"""The pointing game in full: every map of 500 drawn shapes, and of 42 mosaics of photos on each of two networks.

`python -m days.day22.code.pointing` plays it anew (seven minutes) and stores the hits.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from days.common.arrays import load_record, reading, save_record
from days.common.paths import REPO_ROOT
from days.day22.code import scoring
from days.day22.code.lesson import DEPTHS, NETWORKS, Lesson, six_and_early

FILE = REPO_ROOT / "days/day22/weights/pointing.safetensors"
CONTROLS = ("centered blob", "random map")
METHODS = (*six_and_early("last", "early"), *CONTROLS)
_WAY_OUT = "python -m days.day22.code.pointing plays it anew"


class Hits(NamedTuple):
    """Whether each map's largest value lies on what was asked for, from 0 to 1: (methods, pictures), as in `METHODS`.

    shapes : by Day 18's network. The others : mosaics, by the network of that name.
    """

    shapes: np.ndarray
    squeezenet: np.ndarray
    efficientnet_lite0: np.ndarray


def play(lesson: Lesson, shapes: int = 500, mosaics: int = 42) -> Hits:
    """Play the game with so many shapes, and with so many of the lesson's 42 mosaics."""
    data, maps = lesson.shapes(shapes)
    drawn = np.stack([scoring.pointing_game(maps[name], data.masks) for name in METHODS])
    masks = lesson.pictures.masks[:mosaics]
    blob = np.broadcast_to(scoring.centered_blob(masks.shape[1:]), masks.shape)
    controls = [scoring.pointing_game(one, masks) for one in (blob, scoring.random_map(masks.shape, 0))]
    found = []
    for network in NETWORKS:
        each = [lesson.mosaic(network, number) for number in range(len(masks))]
        maps = (np.concatenate([one[name] for one in each]) for name in each[0])
        found.append(np.stack([*(scoring.pointing_game(one, masks) for one in maps), *controls]))
    return Hits(drawn, *found)


def save_hits(hits: Hits, path: Path | str = FILE) -> Path:
    """Store a game and return the path."""
    return save_record(hits, path)


def load_hits(path: Path | str = FILE) -> Hits:
    """The stored game; raises FileNotFoundError or ValueError, with the command that plays it anew."""
    with reading(path, "pointing game", _WAY_OUT):
        return load_record(Hits, path)


def shares(hits: Hits) -> dict[str, dict[str, scoring.Interval]]:
    """{where it was played: {method: share of hits and its interval}}, three tests."""
    titles = ["500 drawn shapes,\nDay 18's network\n(conv3; earlier: conv2)"]
    for name, (last, early) in DEPTHS.items():
        titles.append(f"42 mosaics of photos,\n{NETWORKS[name]}\n({last}; earlier: {early})")
    return {
        title: dict(zip(METHODS, map(scoring.share_and_interval, rows), strict=True))
        for title, rows in zip(titles, hits, strict=True)
    }


if __name__ == "__main__":
    save_hits(play(Lesson()))
