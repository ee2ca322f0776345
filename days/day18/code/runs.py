"""The trainings that Day 18 looks back on. `python -m days.day18.code.runs` does them anew and stores them.

One thing at a time differs from the first run. All are watched on the same 60 images, and tested on the same 2,000 that
none of them was trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

from days.common.datasets import Shapes, make_shapes
from days.common.frameworks import module_for
from days.day18.code import storage
from days.day18.code.snapshots import History, Snapshot
from days.day18.code.training import Weights, initial_weights

TRAINING_SEED, HELD_OUT_SEED, WATCHED_SEED = 0, 1, 2
TRAINING_COUNT, HELD_OUT_COUNT, WATCHED_COUNT = 12_000, 2_000, 60
FEW = 300
LEARNING_RATE = 0.15


@dataclass(frozen=True)
class Recipe:
    """One training: what differs from the others, in words and in numbers."""

    description: str
    steps: int = 3000
    every: int = 75
    seed: int = 0
    learning_rate: float = LEARNING_RATE
    scale: float = 1.0
    images: int = TRAINING_COUNT
    shuffled: bool = False


RECIPES = {
    "honest": Recipe("12,000 images, learning rate 0.15"),
    "other start": Recipe("the same from other random weights", every=150, seed=1),
    "too fast": Recipe("ten times the learning rate", steps=300, every=5, learning_rate=10 * LEARNING_RATE),
    "faint start": Recipe("first weights a tenth as large", steps=300, every=5, scale=0.1),
    "few images": Recipe("300 of the images", steps=900, images=FEW),
    "shuffled": Recipe("the same 300, labels shuffled", steps=900, images=FEW, shuffled=True),
}


@cache
def training_images() -> Shapes:
    """The 12,000 images to learn from."""
    return make_shapes(TRAINING_COUNT, seed=TRAINING_SEED)


@cache
def held_out_images() -> Shapes:
    """2,000 images that no training sees."""
    return make_shapes(HELD_OUT_COUNT, seed=HELD_OUT_SEED)


@cache
def watched_images() -> Shapes:
    """60 images, held out too, that every snapshot looks at."""
    return make_shapes(WATCHED_COUNT, seed=WATCHED_SEED)


def images_for(recipe: Recipe) -> Shapes:
    """What a recipe trains on; shuffled labels are the same labels, handed to other images."""
    data = training_images()[: recipe.images]
    if not recipe.shuffled:
        return data
    labels = np.random.default_rng(recipe.seed).permutation(data.labels)
    return Shapes(data.images, labels, data.masks, data.backgrounds)


def train_recipe(
    recipe: Recipe, *, framework: str = "torch", steps: int | None = None, progress: bool = True
) -> tuple[Weights, list[Snapshot], History]:
    """Follow a recipe, for `steps` in place of its own: the weights, the snapshots and the history.

    framework : "torch" or "keras", in which the network is built and trained.
    """
    backend = training_backend(framework)
    network = backend.small_cnn(initial_weights(recipe.seed, scale=recipe.scale))
    watched = watched_images()
    watch = backend.watch(network, backend.to_batch(watched.images), watched.labels, every=recipe.every)
    history = backend.train(
        network,
        images_for(recipe),
        steps=recipe.steps if steps is None else steps,
        learning_rate=recipe.learning_rate,
        callback=watch,
        progress=progress,
    )
    return backend.weights_of(network), watch.snapshots, history


def accuracy(weights: Weights, data: Shapes | None = None, *, framework: str = "torch") -> float:
    """Share of images that the small network with these weights names rightly: of the held-out ones, unless given."""
    data = held_out_images() if data is None else data
    return float((answers(weights, data.images, framework=framework) == data.labels).mean())


def answers(weights: Weights, images: np.ndarray, *, framework: str = "torch") -> np.ndarray:
    """What the small network with these weights calls each of these images (N, H, W, 3): categories, (N,)."""
    backend = training_backend(framework)
    return backend.scores(backend.small_cnn(weights), images).argmax(axis=1)


def training_backend(framework: str) -> ModuleType:
    """What trains the small network in a framework, "torch" or "keras". Raises ValueError for any other name."""
    return module_for(framework, "days.day18.code.{}_backend")


def main(say: Callable[[str], object] = print) -> list[Path]:
    """Do every training with PyTorch; store the honest one's weights, the snapshots of all, and then `repeats`."""
    from days.day18.code import repeats

    runs, trained, results = {}, {}, {}
    for name, recipe in RECIPES.items():
        trained[name], runs[name], history = train_recipe(recipe)
        data = {"own labels": images_for(recipe), "held out": held_out_images()}
        results[name] = {what: accuracy(trained[name], images) for what, images in data.items()}
        say(f"{name}: {results[name]} {history.stopped}")
    strongest = {
        layer: np.argsort(-maps.mean(axis=(1, 2)))[:MAPS_KEPT].tolist()
        for layer, maps in runs["honest"][-1].maps.items()
    }
    return [
        storage.save_weights(trained["honest"], storage.WEIGHTS_FILE),
        storage.save_runs(runs, storage.RUNS_FILE, layer="conv1", channels={"honest": strongest}, results=results),
        repeats.main(say),
    ]


MAPS_KEPT = 4

if __name__ == "__main__":
    main()
