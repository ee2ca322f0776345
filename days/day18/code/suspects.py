"""Two short trainings drawn from a number, one of them broken: Day 18's task, and how it is graded. In PyTorch.

Both still sit at the loss of blind guessing, so that their loss tells nothing.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from days.common.checks import is_number
from days.common.comparison import brief, digits_to_differ, plain
from days.common.datasets import Shapes, make_shapes
from days.common.tasks import Point, ReportError, asked, fields
from days.day18.code.snapshots import Snapshot
from days.day18.code.training import initial_weights

STEPS, EVERY, BATCH, IMAGES, SIZE = 40, 10, 32, 640, 16
UNSEEN = 3
"""How many pairs with each fault a statistic is tried on."""
CLEARLY = 0.1
"""What a broken network's smallest gradient is at most, as a share of the sound one's."""
FAULTS = ("learning rate too high", "first weights too small", "biases far below 0")


@dataclass(frozen=True)
class Suspects:
    """Two trainings, {letter: snapshots}, which of them is broken, and how."""

    trainings: dict[str, list[Snapshot]]
    broken: str
    fault: str


def two_trainings(number: int) -> dict[str, list[Snapshot]]:
    """Two trainings of the small network, drawn from a number: {"P": snapshots, "Q": snapshots}, steps 0 to 40.

    One of them is broken. Losses and accuracies are left out (NaN): both networks still guess.
    """
    return pair(number).trainings


@cache
def pair(number: int) -> Suspects:
    """The two trainings of a number, and the truth about them.

    Both begin with the same draw of weights, so that no chance of the start tells them apart. Not every draw breaks a
    network, and some break it beyond any number (NaN): it is drawn again until the fault shows.
    """
    generator = np.random.default_rng([18, number])
    fault, broken = FAULTS[number % len(FAULTS)], "PQ"[generator.integers(2)]
    while True:
        sound = {"rate": generator.uniform(0.05, 0.2), "scale": generator.uniform(0.8, 1.25), "bias": 0.0}
        spoiled = {
            FAULTS[0]: {"rate": generator.uniform(1.2, 2.5)},
            FAULTS[1]: {"scale": generator.uniform(0.03, 0.1)},
            FAULTS[2]: {"bias": -generator.uniform(3, 6)},
        }[fault]
        seed = int(generator.integers(1, 10_000))
        trainings = {letter: _train(seed, **(sound | spoiled if letter == broken else sound)) for letter in "PQ"}
        if _shows(trainings[broken], trainings["PQ".replace(broken, "")]):
            return Suspects(trainings, broken, fault)


def _shows(broken: list[Snapshot], sound: list[Snapshot]) -> bool:
    """Whether all numbers of two trainings are finite, and the broken one hardly learns any more, unlike the other."""
    every = [state for one in (*broken, *sound) for state in one.layers.values()]
    if not np.isfinite([(state.gradient, state.weights, state.spread) for state in every]).all():
        return False
    left, kept = (min(state.gradient for state in one[-1].layers.values()) for one in (broken, sound))
    return left < CLEARLY * kept


@cache
def _images() -> tuple[Shapes, Shapes]:
    """The images to learn from, and the 60 that are watched."""
    return make_shapes(IMAGES, seed=180, size=SIZE), make_shapes(60, seed=181, size=SIZE)


def _train(seed: int, *, rate: float, scale: float, bias: float) -> list[Snapshot]:
    """The snapshots of one short training; `bias` is where the biases of conv2 begin."""
    from days.day18.code import torch_backend

    data, watched = _images()
    weights = initial_weights(seed, scale=scale)
    weights["conv2"] = weights["conv2"][0], np.full_like(weights["conv2"][1], bias)
    network = torch_backend.small_cnn(weights)
    watch = torch_backend.watch(network, torch_backend.to_batch(watched.images), watched.labels, every=EVERY)
    how: dict[str, Any] = {"steps": STEPS, "batch": BATCH, "learning_rate": rate, "seed": seed, "progress": False}
    with np.errstate(over="ignore", invalid="ignore"):  # a rate too high may leave the finite numbers
        torch_backend.train(network, data, callback=watch, **how)
    return [dataclasses.replace(one, loss=float("nan"), accuracy=float("nan")) for one in watch.snapshots]


def rubric(report: Any, number: int) -> list[Point]:
    """Whether a report names the broken training of a number, and proves it: its statistic is measured on other pairs.

    report : {"broken": letter, "statistic": function of a training's snapshots, larger where it is broken}.
    """
    letter, statistic = fields(report, broken=str, statistic=Callable)
    own = pair(number)
    if letter not in own.trainings:
        raise ReportError(f"expected the letter of a training, P or Q, got {brief(letter)}")
    values = _measured(statistic, own)
    larger, truly = max(values, key=values.__getitem__), "broken" if letter == own.broken else "sound"
    listed = ", ".join(map(" ".join, zip(values, digits_to_differ(*values.values()), strict=True)))
    found = (
        f"larger for {larger}" if len(set(values.values())) > 1 else "equal for both, so it does not tell them apart"
    )
    points = [
        Point(letter == own.broken, f"you named {letter}, which is the {truly} training"),
        Point(_tells(values, own), f"your statistic is {listed}: {found}"),
    ]
    for place, fault in enumerate(FAULTS):
        # Numbers that no learner has seen: the statistic must tell the fault in all of them.
        others = [pair(len(FAULTS) * (1000 + 7 * number + step) + place) for step in range(UNSEEN)]
        told = sum(_tells(_measured(statistic, other), other) for other in others)
        points.append(Point(told == UNSEEN, f"{fault}: your statistic tells it in {told} of {UNSEEN} other pairs"))
    return points


def _tells(values: dict[str, float], suspects: Suspects) -> bool:
    """Whether a statistic's values are larger for the broken training than for the sound one."""
    return all(values[suspects.broken] > value for letter, value in values.items() if letter != suspects.broken)


def _measured(statistic: Callable, suspects: Suspects) -> dict[str, float]:
    """A learner's statistic of both trainings, whose snapshots it gets as copies."""
    values = {}
    for letter, snapshots in suspects.trainings.items():
        value = plain(asked("statistic", statistic, copy.deepcopy(snapshots)))
        value = value.item() if getattr(value, "shape", None) == () else value
        if not is_number(value):
            way_out = "; every loss and accuracy is left out as NaN" if brief(value) == "nan" else ""
            raise ReportError(f"expected a statistic that gives one finite number, got {brief(value)}{way_out}")
        values[letter] = float(value) + 0.0  # -0.0 reads as if it were below 0
    return values
