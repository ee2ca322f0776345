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
from days.day18.code import runs
from days.day18.code.runs import HELD_OUT_SEED, TRAINING_COUNT, TRAINING_SEED
from days.day18.code.training import Weights, initial_weights
from days.day22.code.scoring import Interval
from days.day24.code import bias_lab

SEEDS = (24, 25, 26, 27, 28)
"""Each draws the initial weights and the order of the training images; the first seed's networks are A, B, C and D."""
MAPPED = 200
KINDS = ("tied", "blind", "swapped", "follows")
MENDINGS = ("masked", "control")
FILE = REPO_ROOT / "days/day24/weights/five_trainings.safetensors"
_WAY_OUT = "python -m days.day24.code.trainings makes it anew"


@dataclass(frozen=True)
class Trainings:
    """Scores of networks by dial, in the order of `bias_lab.DIALS`, and by training, in the order of `SEEDS`.

    inside : {method: (dials, seeds, images)} the shares inside of the first 200 tied images.
    right : {"tied", "blind", "swapped", "follows": (dials, seeds)}, as `bias_lab.background_scores` gives them.
    mended : {"masked", "control": (seeds,)}, the share right after the swap of the last dial's networks, trained on
        with objects on others' backgrounds or, as a control, with their own images as they were.
    """

    inside: dict[str, np.ndarray]
    right: dict[str, np.ndarray]
    mended: dict[str, np.ndarray]

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


def mended(weights: Weights, images: Shapes, swapped: Shapes, *, steps: int, seed: int) -> Arrays:
    """The share right after the swap of a network that trained on: {"mended.masked": (), "mended.control": ()}."""
    ways = zip(MENDINGS, (bias_lab.on_others_backgrounds(images), images), strict=True)
    later = {way: bias_lab.trained_on(weights, data, steps=steps, seed=seed) for way, data in ways}
    return {f"mended.{way}": np.array(runs.accuracy(one, swapped)) for way, one in later.items()}


def train_all(
    *,
    dials: Sequence[float] = bias_lab.DIALS,
    seeds: Sequence[int] = SEEDS,
    steps: int = bias_lab.STEPS,
    images: int = TRAINING_COUNT,
    count: int = 2000,
    known: Known | None = None,
) -> Trainings:
    """Train a network for each dial and seed (ten minutes), score it on `count` images that it has not seen, and mend
    those of the last dial. known : networks that need not be trained.
    """
    three = bias_lab.on_three_backgrounds(count, seed=HELD_OUT_SEED)
    rows: list[list[Arrays]] = []
    for dial in dials:
        data = make_shapes(images, seed=TRAINING_SEED, background_correlation=dial)
        trained = [
            (known or {}).get((dial, seed)) or bias_lab.trained_on(initial_weights(seed), data, steps=steps, seed=seed)
            for seed in seeds
        ]
        rows.append([scored(weights, three) for weights in trained])
    more = min(steps, bias_lab.MENDING_STEPS)
    later = [
        mended(weights, data, three["swapped"], steps=more, seed=seed)
        for weights, seed in zip(trained, seeds, strict=True)
    ]
    found = {name: np.array([[one[name] for one in row] for row in rows]) for name in rows[0][0]}
    return _trainings(found | {name: np.array([one[name] for one in later]) for name in later[0]})


def suspects_by_dial() -> Known:
    """The four suspects, which are the networks of the first seed."""
    suspects = bias_lab.load_suspects()
    return {(dial, SEEDS[0]): suspects[name] for name, dial in bias_lab.load_key().items()}


def save_trainings(trainings: Trainings, path: Path | str = FILE) -> Path:
    """Store the scores, the shares inside with 16 bits (steps of 0.0005 or less), and return the path."""
    kept = {"inside": np.float16, "right": np.float32, "mended": np.float32}
    arrays = {
        f"{part}.{name}": values.astype(kind)
        for part, kind in kept.items()
        for name, values in getattr(trainings, part).items()
    }
    return save_arrays(arrays, path)


def load_trainings(path: Path | str = FILE) -> Trainings:
    """The stored scores of the twenty networks.

    Raises FileNotFoundError or ValueError, with the command that makes the file, where it is missing or damaged.
    """
    with reading(path, "trainings", _WAY_OUT):
        return _trainings(load_arrays(path)[0])


def _trainings(arrays: Arrays) -> Trainings:
    parts = {"inside": bias_lab.METHODS, "right": KINDS, "mended": MENDINGS}
    return Trainings(
        **{part: {name: arrays[f"{part}.{name}"].astype(np.float64) for name in names} for part, names in parts.items()}
    )


if __name__ == "__main__":
    save_trainings(train_all(known=suspects_by_dial()))
