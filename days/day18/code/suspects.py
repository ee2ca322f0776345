"""Two short trainings drawn from a number, one of them broken: the material of Day 18's task, in PyTorch.

Both still sit at the loss of blind guessing, so that their loss tells nothing.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache

import numpy as np

from days.common.datasets import Shapes, make_shapes
from days.day18.code.snapshots import Snapshot
from days.day18.code.training import initial_weights

STEPS, EVERY, BATCH, IMAGES = 40, 10, 32, 640
FAULTS = ("learning rate too high", "first weights too small", "biases far below 0")


@dataclass(frozen=True)
class Pair:
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
def pair(number: int) -> Pair:
    """The two trainings of a number, and the truth about them."""
    generator = np.random.default_rng([18, number])
    fault, seeds = FAULTS[generator.integers(len(FAULTS))], generator.integers(1, 10_000, 2)
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
    return Pair(trainings, broken, fault)


@cache
def _images() -> tuple[Shapes, Shapes]:
    """The images to learn from, and the 60 that are watched."""
    return make_shapes(IMAGES, seed=180), make_shapes(60, seed=181)


def _train(seed: int, *, rate: float, scale: float, bias: float) -> list[Snapshot]:
    """The snapshots of one short training; `bias` is where the biases of conv2 begin."""
    from days.day18.code import torch_backend

    data, watched = _images()
    weights = initial_weights(seed, scale=scale)
    weights["conv2"] = weights["conv2"][0], np.full_like(weights["conv2"][1], bias)
    network = torch_backend.small_cnn(weights)
    watch = torch_backend.watch(network, torch_backend.to_batch(watched.images), watched.labels, every=EVERY)
    how = {"steps": STEPS, "batch": BATCH, "learning_rate": rate, "seed": seed, "progress": False}
    torch_backend.train(network, data, callback=watch, **how)
    return [dataclasses.replace(one, loss=float("nan"), accuracy=float("nan")) for one in watch.snapshots]
