"""Day 18's trials from several random starts. `python -m days.day18.code.repeats` does them and stores what they reach.

What one training shows may be chance, so each trial is done three times.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from days.day18.code import runs, storage
from days.day18.code.training import Weights, initial_weights

SEEDS = range(3)
SHUFFLED = "300 images, shuffled labels"
"""The trial whose weights are kept, beside those of the training "other start"."""


def groups() -> dict[str, list[Weights]]:
    """The small network's weights: {"honest": of both honest trainings, "shuffled", "untrained": from three starts}."""
    finals = storage.load_finals()
    shuffled = [finals[f"shuffled {seed}"] for seed in SEEDS]
    untrained = [initial_weights(seed) for seed in SEEDS]
    return {
        "honest": [storage.load_weights(), finals["other start"]],
        "shuffled": shuffled,
        "untrained": untrained,
    }


def pooled_activations(weights: Weights, images: np.ndarray, layer: str) -> np.ndarray:
    """Each channel's mean activation over all places, for images (N, H, W, 3): (N, channels)."""
    from days.day17.code.torch_backend import capture
    from days.day18.code import torch_backend

    name = f"{layer}_activation"
    batch = torch_backend.to_batch(images)
    return capture(torch_backend.small_cnn(weights), name, batch)[name].mean(axis=(2, 3))


def main(say: Callable[[str], object] = print) -> Path:
    """Do all trials with PyTorch, and store what they reach and the weights of those that are compared."""
    from days.day18.code import remedies, torch_backend

    finals, shares = {"other start": runs.train_recipe(runs.RECIPES["other start"], progress=False)[0]}, {}
    for name, trial in remedies.TRIALS.items():
        networks = [remedies.train_attempt(trial, seed) for seed in SEEDS]
        shares[name] = [remedies.share_right(trial, network) for network in networks]
        if name == SHUFFLED:
            finals |= {f"shuffled {seed}": torch_backend.weights_of(networks[seed]) for seed in SEEDS}
        say(f"{name}: {', '.join(f'{share:.1%}' for share in shares[name])}")
    return storage.save_finals(finals, storage.FINALS_FILE, shares=shares)


if __name__ == "__main__":
    main()
