"""Day 21's control: fire7's dreams by the trained network and by random ones, and how many dogs a witness sees there.

`python -m days.day21.code.control` dreams all of them anew (a few minutes) and stores what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from days.common.arrays import load_record, reading, save_record
from days.common.paths import REPO_ROOT
from days.day21.code import deepdream
from days.day21.code.lesson import PHOTOS, Lesson

DRAWS = 3
FILE = REPO_ROOT / "days/day21/weights/control.safetensors"
_WAY_OUT = "python -m days.day21.code.control makes it anew"


class DreamControl(NamedTuple):
    """What was measured on each photo, with the trained network first and a random one second.

    photo : the witness's dog probability of the photo itself, (photos,).
    dogs : of its dreams, (photos, 2, draws). rise : the objective of each dream over that of its photo, as dogs.
    """

    photo: np.ndarray
    dogs: np.ndarray
    rise: np.ndarray


def measure(lesson: Lesson, photos: Sequence[str] = PHOTOS, draws: int = DRAWS, **how: Any) -> DreamControl:
    """Dream on every photo with both networks, `draws` times: each time with other shifts and other random weights.

    how : settings of `dreaming.grow`.
    """
    found = np.empty((2, len(photos), 2, draws))
    for row, kind, draw in np.ndindex(found.shape[1:]):
        name, trained = photos[row], kind == 0
        image = lesson.dream(name, "fire7", trained=trained, seed=draw, **how)
        ask = deepdream.slope(lesson.network if trained else lesson.random_network(draw), "fire7")
        found[:, row, kind, draw] = lesson.dogs(image), ask(image)[0] / ask(lesson.photo(name))[0]
    return DreamControl(np.array([lesson.dogs(lesson.photo(name)) for name in photos]), *found)


def save_control(control: DreamControl, path: Path | str = FILE) -> Path:
    """Store what was measured and return the path."""
    return save_record(control, path)


def load_control(path: Path | str = FILE) -> DreamControl:
    """What was stored; raises FileNotFoundError or ValueError, with the command that makes it."""
    with reading(path, "control", _WAY_OUT):
        return load_record(DreamControl, path)


if __name__ == "__main__":
    save_control(measure(Lesson()))
