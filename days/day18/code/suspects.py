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
from days.common.comparison import brief
from days.common.datasets import Shapes, make_shapes
from days.common.tasks import Point
from days.day18.code.snapshots import Snapshot
from days.day18.code.training import initial_weights

STEPS, EVERY, BATCH, IMAGES, SIZE = 40, 10, 32, 640, 16
UNSEEN = 3
"""How many pairs with each fault a statistic is tried on."""
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
    """The two trainings of a number, and the truth about them."""
    generator = np.random.default_rng([18, number])
    fault, seeds = FAULTS[number % len(FAULTS)], generator.integers(1, 10_000, 2)
    broken = "PQ"[generator.integers(2)]
    sound = {"rate": generator.uniform(0.05, 0.2), "scale": generator.uniform(0.8, 1.25), "bias": 0.0}
    spoiled = {
        FAULTS[0]: {"rate": generator.uniform(1.2, 2.5)},
        FAULTS[1]: {"scale": generator.uniform(0.03, 0.1)},
        FAULTS[2]: {"bias": -generator.uniform(3, 6)},
    }[fault]
    trainings = {
        letter: _train(int(seed), **(sound | spoiled if letter == broken else sound))
        for letter, seed in zip("PQ", seeds, strict=True)
    }
    return Suspects(trainings, broken, fault)


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
    torch_backend.train(network, data, callback=watch, **how)
    return [dataclasses.replace(one, loss=float("nan"), accuracy=float("nan")) for one in watch.snapshots]


def rubric(report: Any, number: int) -> list[Point]:
    """Whether a report names the broken training of a number, and proves it: its statistic is measured on other pairs.

    report : {"broken": letter, "statistic": function of a training's snapshots, larger where it is broken}.
    """
    if not isinstance(report, dict) or set(report) != {"broken", "statistic"} or not callable(report["statistic"]):
        raise TypeError(f'expected {{"broken": a letter, "statistic": a function}}, got {brief(report)}')
    own = pair(number)
    if report["broken"] not in own.trainings:
        raise ValueError(f"expected the letter of a training, P or Q, got {brief(report['broken'])}")
    values = {letter: _measured(report["statistic"], snapshots) for letter, snapshots in own.trainings.items()}
    listed = ", ".join(f"{letter} {value:.3g}" for letter, value in values.items())
    points = [
        Point(report["broken"] == own.broken, f"you named {report['broken']}; your statistic is {listed}"),
        Point(_tells(report["statistic"], own), f"your statistic is larger for {max(values, key=values.__getitem__)}"),
    ]
    for place, fault in enumerate(FAULTS):
        # Numbers that no learner has seen: the statistic must tell the fault in all of them.
        others = [pair(len(FAULTS) * (1000 + 7 * number + step) + place) for step in range(UNSEEN)]
        told = sum(_tells(report["statistic"], other) for other in others)
        points.append(Point(told == UNSEEN, f"{fault}: your statistic tells it in {told} of {UNSEEN} other pairs"))
    return points


def _tells(statistic: Callable, suspects: Suspects) -> bool:
    """Whether a statistic is larger for the broken training than for the sound one."""
    values = {letter: _measured(statistic, snapshots) for letter, snapshots in suspects.trainings.items()}
    return all(values[suspects.broken] > value for letter, value in values.items() if letter != suspects.broken)


def _measured(statistic: Callable, snapshots: list[Snapshot]) -> float:
    """A learner's statistic of a training's snapshots, which it gets as copies."""
    value = statistic(copy.deepcopy(snapshots))
    if not is_number(value):
        raise TypeError(f"expected a statistic that gives one finite number, got {brief(value)}")
    return float(value)
