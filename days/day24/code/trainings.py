"""Five trainings for each dial: what a difference between two networks is worth.

`python -m days.day24.code.trainings` trains those anew that are not stored as suspects, and stores what all score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from days.common.arrays import Arrays, load_arrays, reading, save_arrays
from days.common.datasets import Shapes, make_shapes
from days.common.paths import REPO_ROOT
from days.day18.code.runs import HELD_OUT_SEED, TRAINING_COUNT, TRAINING_SEED
from days.day18.code.training import Weights, initial_weights
from days.day22.code.scoring import Interval
from days.day24.code import bias_lab

SEEDS = (24, 25, 26, 27, 28)
"""Each draws the initial weights and the order of the training images; the first seed's networks are A, B, C and D."""
MAPPED = 200
KINDS = ("tied", "blind", "swapped", "follows")
FILE = REPO_ROOT / "days/day24/weights/five_trainings.safetensors"
_WAY_OUT = "python -m days.day24.code.trainings makes it anew"


@dataclass(frozen=True)
class Trainings:
    """Scores of networks by dial, in the order of `bias_lab.DIALS`, and by training, in the order of `SEEDS`.

    inside : {method: (dials, seeds, images)} the shares inside of the first 200 tied images.
    right : {"tied", "blind", "swapped", "follows": (dials, seeds)}, as `bias_lab.background_scores` gives them.
    """

    inside: dict[str, np.ndarray]
    right: dict[str, np.ndarray]

    def means(self, method: str) -> np.ndarray:
        """Each network's mean share inside, (dials, seeds)."""
        return self.inside[method].mean(axis=2)


def over_networks(values: np.ndarray) -> Interval:
    """The mean of a few networks' numbers (n,) and its 95 % interval by Student's t, which is wide for few networks.

    Source: Student, "The probable error of a mean", 1908. Raises ValueError for fewer than two finite numbers.

    >>> [round(end, 2) for end in over_networks(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))]
    [3.0, 1.04, 4.96]
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"expected at least two finite numbers (n,), got {values.shape}")
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


Known = dict[tuple[float, int], Weights]
"""Networks that need not be trained, by dial and seed."""


def scored(weights: Weights, three: dict[str, Shapes]) -> Arrays:
    """What a network scores: {"inside.METHOD": (mapped,), "right.KIND": ()}."""
    inside = bias_lab.shares_inside(weights, three["tied"][:MAPPED])
    right = bias_lab.background_scores(weights, three)
    return {f"inside.{name}": values for name, values in inside.items()} | {
        f"right.{kind}": np.array(right[kind]) for kind in KINDS
    }


def train_all(
    *,
    dials: Sequence[float] = bias_lab.DIALS,
    seeds: Sequence[int] = SEEDS,
    steps: int = bias_lab.STEPS,
    images: int = TRAINING_COUNT,
    count: int = 2000,
    known: Known | None = None,
) -> Trainings:
    """Train a network for each dial and seed (ten minutes) and score it on `count` images that it has not seen."""
    three = bias_lab.on_three_backgrounds(count, seed=HELD_OUT_SEED)
    rows: list[list[Arrays]] = []
    for dial in dials:
        data = make_shapes(images, seed=TRAINING_SEED, background_correlation=dial)
        rows.append([])
        for seed in seeds:
            weights = (known or {}).get((dial, seed))
            weights = weights or bias_lab.trained_on(initial_weights(seed), data, steps=steps, seed=seed)
            rows[-1].append(scored(weights, three))
    return _trainings({name: np.array([[found[name] for found in row] for row in rows]) for name in rows[0][0]})


def suspects_by_dial() -> Known:
    """The four suspects, which are the networks of the first seed."""
    suspects = bias_lab.load_suspects()
    return {(dial, SEEDS[0]): suspects[name] for name, dial in bias_lab.load_key().items()}


def save_trainings(trainings: Trainings, path: Path | str = FILE) -> Path:
    """Store the scores, the shares inside with 16 bits (steps of 0.0005 or less), and return the path."""
    inside = {f"inside.{name}": values.astype(np.float16) for name, values in trainings.inside.items()}
    right = {f"right.{kind}": values.astype(np.float32) for kind, values in trainings.right.items()}
    return save_arrays(inside | right, path)


def load_trainings(path: Path | str = FILE) -> Trainings:
    """The stored scores of the twenty networks.

    Raises FileNotFoundError or ValueError, with the command that makes the file, where it is missing or damaged.
    """
    with reading(path, "trainings", _WAY_OUT):
        return _trainings(load_arrays(path)[0])


def _trainings(arrays: Arrays) -> Trainings:
    names = [f"inside.{name}" for name in bias_lab.METHODS], [f"right.{kind}" for kind in KINDS]
    inside, right = ({name.split(".", 1)[1]: arrays[name].astype(np.float64) for name in some} for some in names)
    return Trainings(inside, right)


if __name__ == "__main__":
    save_trainings(train_all(known=suspects_by_dial()))
