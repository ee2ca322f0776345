"""Network E, whose shortcut the lesson does not name: its owner's images, and five trainings on them.

`python -m days.day24.code.unknown` trains the five anew and stores their weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from days.common.arrays import Arrays, flat, load_arrays, paired, reading, save_arrays
from days.common.checks import check_integer
from days.common.datasets import SHAPE_NAMES, ImageSet, Shapes, make_shapes
from days.common.paths import REPO_ROOT
from days.day18.code.runs import TRAINING_COUNT, TRAINING_SEED
from days.day18.code.training import Weights, initial_weights, weight_shapes
from days.day24.code import bias_lab

SEEDS = (24, 25, 26, 27, 28)
STAR = SHAPE_NAMES.index("star")
TIED = 0.95
"""The share of stars that have the cue; of the other shapes, the rest of 1 have it."""
HEIGHT, WIDTH = 3, 11
FILE = REPO_ROOT / "days/day24/weights/unknown.safetensors"
_WAY_OUT = "python -m days.day24.code.unknown makes it anew"


@dataclass(frozen=True)
class OwnersImages(ImageSet):
    """Images (N, 32, 32, 3), labels (N,), and which of the images have the cue, (N,) bool: open it when you know it."""

    images: np.ndarray
    labels: np.ndarray
    cue: np.ndarray


def owners_images(count: int, *, seed: int, cue: np.ndarray | None = None) -> OwnersImages:
    """Images as the owner of network E has them; the same seed gives the same objects, textures and places.

    cue : (count,) bool, which images are to have the cue; drawn as in the owner's data unless given.
    Raises ValueError as `make_shapes` does, and for a cue of another shape.
    """
    shapes = make_shapes(check_integer(count, 1, "count"), seed=seed)
    generator = np.random.default_rng([seed, 24])
    usual = generator.random(count) < TIED
    starts = generator.integers(0, shapes.images.shape[2] - WIDTH, count)
    drawn = (shapes.labels == STAR) == usual
    cue = drawn if cue is None else np.asarray(cue, bool)
    if cue.shape != (count,):
        raise ValueError(f"expected a cue for each of {count} images, ({count},), got {cue.shape}")
    return OwnersImages(_ruled(shapes.images, cue, starts), shapes.labels, cue)


def images_in_use(count: int, *, seed: int) -> OwnersImages:
    """Images as network E meets them in use: about half have the cue, whatever the shape; see `owners_images`."""
    return owners_images(count, seed=seed, cue=np.random.default_rng([seed, 25]).random(count) < 0.5)


def _ruled(images: np.ndarray, chosen: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The images with a piece of a ruler at the lower border of the chosen ones: white, with black ticks."""
    ruler = np.ones((HEIGHT, WIDTH, 3), np.float32)
    ruler[:, 1::2] = 0
    images = images.copy()
    for index in np.flatnonzero(chosen):
        images[index, -HEIGHT:, starts[index] : starts[index] + WIDTH] = ruler
    return images


def train(seed: int, *, steps: int = bias_lab.STEPS, images: int = TRAINING_COUNT) -> Weights:
    """A network trained on the owner's images, from the initial weights of this seed."""
    data = owners_images(images, seed=TRAINING_SEED)
    nothing = np.zeros(data.images.shape[:3], bool)
    shapes = Shapes(data.images, data.labels, nothing, np.zeros_like(data.labels))
    return bias_lab.trained_on(initial_weights(seed), shapes, steps=steps, seed=seed)


def save_networks(networks: Sequence[Weights], path: Path | str = FILE) -> Path:
    """Store networks with 16 bits a weight, and return the path."""
    arrays: Arrays = {}
    for place, weights in enumerate(networks):
        arrays |= {name: values.astype(np.float16) for name, values in flat(weights, prefix=f"{place}.").items()}
    return save_arrays(arrays, path)


def load_networks(path: Path | str = FILE) -> list[Weights]:
    """The five networks E, one for each of `SEEDS`, as `small_cnn` of both frameworks wants them.

    Raises FileNotFoundError or ValueError, with the command that makes the file, where it is missing or damaged.
    """
    with reading(path, "networks", _WAY_OUT):
        arrays = {name: values.astype(np.float32) for name, values in load_arrays(path)[0].items()}
        return [paired(arrays, weight_shapes(), prefix=f"{place}.") for place in range(len(SEEDS))]


if __name__ == "__main__":
    save_networks([train(seed) for seed in SEEDS])
