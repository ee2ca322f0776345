"""How many channels can be cut from Day 18's network? By the smallest filters or at random, then trained on or not.

`python -m days.day23.code.pruning` measures the curves anew and stores them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from days.common.arrays import load_record, reading, save_record
from days.common.datasets import Shapes
from days.common.paths import REPO_ROOT
from days.day18.code import runs, storage
from days.day18.code.training import Weights
from days.day23.code import network
from days.day23.code.network import LAYERS

SHARES = (0.0, 0.25, 0.5, 0.75, 0.875)
"""Of each layer's channels, which are cut."""
WAYS = ("smallest", "random")
SEEDS = (0, 1, 2)
STEPS, RATE = 200, 0.05
FILE = REPO_ROOT / "days/day23/weights/pruning.safetensors"
_WAY_OUT = "python -m days.day23.code.pruning makes it anew"


class PruningCurves(NamedTuple):
    """Shares of 1,000 held-out images named rightly, (ways, shares, seeds): right after the cut, and trained on."""

    cut: np.ndarray
    tuned: np.ndarray


def kept_channels(weights: Weights, share: float, way: str, *, seed: int = 0) -> dict[str, np.ndarray]:
    """The channels that stay when `share` of each layer is cut, {layer: indices}; at least one does.

    way : "smallest" cuts the filters whose absolute weights have the smallest sum, "random" draws them from `seed`.
    Raises ValueError for another way, and for a share that is not from 0 to 1.

    Source: Li and others, "Pruning filters for efficient ConvNets", 2016.
    """
    if way not in WAYS or not 0 <= share <= 1:
        raise ValueError(f"expected a way out of {', '.join(WAYS)} and a share from 0 to 1, got {way!r} and {share}")
    generator, keep = np.random.default_rng(seed), {}
    for layer in LAYERS:
        sizes = np.abs(weights[layer][0]).sum(axis=(1, 2, 3))
        order = sizes.argsort() if way == "smallest" else generator.permutation(len(sizes))
        keep[layer] = np.sort(order[min(round(share * len(sizes)), len(sizes) - 1) :])
    return keep


def trained_on(weights: Weights, data: Shapes, *, steps: int = STEPS, seed: int = 0) -> Weights:
    """The weights after some more steps of Day 18's training, whatever the widths of the layers are."""
    from days.day23.code.torch_backend import clinic_cnn

    backend, small = runs.training_backend("torch"), clinic_cnn(weights)
    backend.train(small, data, steps=steps, learning_rate=RATE, seed=seed, progress=False)
    return backend.weights_of(small)


def share_right(weights: Weights, data: Shapes) -> float:
    """The share of images that a network of any widths names rightly."""
    from days.day23.code.torch_backend import clinic_cnn

    scores = runs.training_backend("torch").scores(clinic_cnn(weights), data.images)
    return float((scores.argmax(axis=1) == data.labels).mean())


def measure(*, seeds=SEEDS, shares=SHARES, steps: int = STEPS) -> PruningCurves:
    """The curves of Day 18's network, on its training images and its held-out ones (a few minutes)."""
    weights, data, held_out = storage.load_weights(), runs.training_images(), runs.held_out_images()[:1000]
    found = np.empty((2, len(WAYS), len(shares), len(seeds)))
    for place in np.ndindex(found.shape[1:]):
        way, share, seed = (part[at] for part, at in zip((WAYS, shares, seeds), place, strict=True))
        cut = network.with_channels(weights, kept_channels(weights, share, way, seed=seed))
        tuned = trained_on(cut, data, steps=steps, seed=seed)
        found[(slice(None), *place)] = share_right(cut, held_out), share_right(tuned, held_out)
    return PruningCurves(*found)


def save_curves(curves: PruningCurves, path: Path | str = FILE) -> Path:
    """Store curves and return the path."""
    return save_record(curves, path)


def load_curves(path: Path | str = FILE) -> PruningCurves:
    """The stored curves; raises FileNotFoundError or ValueError, with the command that makes them."""
    with reading(path, "curves", _WAY_OUT):
        return load_record(PruningCurves, path)


if __name__ == "__main__":
    save_curves(measure())
