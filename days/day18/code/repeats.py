"""Day 18's trainings from other random numbers, and its remedies. `python -m days.day18.code.repeats` stores them.

What one training shows may be chance. So the honest and the shuffled training are done five times, each remedy three.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from days.day18.code import runs, storage
from days.day18.code.training import Weights, initial_weights

SEEDS, TRIAL_SEEDS = range(5), range(3)
REPEATED = ("honest", "shuffled")


def groups() -> dict[str, list[Weights]]:
    """The small network's weights, five times each: {"honest", "shuffled", "untrained": [weights]}."""
    finals = storage.load_finals()
    found = {kind: [finals[f"{kind} {seed}"] for seed in SEEDS] for kind in REPEATED}
    return found | {"untrained": [initial_weights(seed) for seed in SEEDS]}


def held_out_shares(kind: str) -> list[float]:
    """Of the five trainings of a kind, the share of held-out images that each names rightly."""
    shares = storage.load_shares("finals")
    return [shares[f"{kind} {seed}"] for seed in SEEDS]


def still_correct(seed: int) -> float:
    """The share of the shuffled labels of this seed that are correct by accident."""
    shuffled = runs.images_for(dataclasses.replace(runs.RECIPES["shuffled"], seed=seed))
    return float((shuffled.labels == runs.images_for(runs.RECIPES["few images"]).labels).mean())


def pooled_activations(weights: Weights, images: np.ndarray, layer: str) -> np.ndarray:
    """Each channel's mean activation over all places, for images (N, H, W, 3): (N, channels)."""
    from days.day17.code.torch_backend import capture
    from days.day18.code import torch_backend

    name = f"{layer}_activation"
    batch = torch_backend.to_batch(images)
    return capture(torch_backend.small_cnn(weights), name, batch)[name].mean(axis=(2, 3))


def main(say: Callable[[str], object] = print) -> Path:
    """Do the repeated trainings and the remedies with PyTorch, and store what they end with."""
    from days.day18.code import remedies

    finals, results, trials = {}, {}, {}
    for kind in REPEATED:
        for seed in SEEDS:
            recipe = dataclasses.replace(runs.RECIPES[kind], seed=seed, every=runs.RECIPES[kind].steps)
            name = f"{kind} {seed}"
            finals[name] = runs.train_recipe(recipe, progress=False)[0]
            results[name] = runs.accuracy(finals[name])
            say(f"{name}: {results[name]:.1%}")
    for name, trial in remedies.TRIALS.items():
        networks = [remedies.train_trial(trial, seed) for seed in TRIAL_SEEDS]
        trials[name] = [remedies.share_right(trial, network) for network in networks]
        say(f"{name}: {', '.join(f'{share:.1%}' for share in trials[name])}")
    return storage.save_finals(finals, storage.FINALS_FILE, results={"finals": results, "trials": trials})


if __name__ == "__main__":
    main()
