"""What mends a training: Day 18's failures trained again, each with one remedy, in PyTorch.

All take 900 steps of 32 images, some seconds each, so that a learner can try one; `repeats` stores what they reach.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from days.common.datasets import Shapes
from days.day18.code import runs, training
from days.day18.code.torch_backend import small_cnn, to_batch, training_mode

if TYPE_CHECKING:
    import torch
    from torch import nn

BATCH = 32
"""Images a step, half of the other trainings', so that a trial takes half the time."""


@dataclass(frozen=True)
class Attempt:
    """One training of the small network: what is unusual in it, be it a fault or a remedy.

    images : how many of the 12,000. rate : the learning rate, for the first `warm_up` steps a growing part of it, for
    the last seventh a tenth if `falling`. scale : of the first weights. centered : pixels from -1 to 1, else from 0 to
    1. shuffled : the labels are handed to other images.
    """

    steps: int = 900
    images: int = runs.TRAINING_COUNT
    rate: float = runs.LEARNING_RATE
    scale: float = 1.0
    centered: bool = True
    falling: bool = True
    batch_norm: bool = False
    warm_up: int = 0
    augmented: bool = False
    shuffled: bool = False


TRIALS = {
    "nothing unusual": Attempt(),
    "constant learning rate": Attempt(falling=False),
    "pixels from 0 to 1": Attempt(centered=False),
    "rate 0.5": Attempt(rate=0.5),
    "rate 0.5, with warm-up": Attempt(rate=0.5, warm_up=450),
    "rate 0.5, with batch norm": Attempt(rate=0.5, batch_norm=True),
    "rate 1.5": Attempt(rate=1.5),
    "rate 1.5, with batch norm": Attempt(rate=1.5, batch_norm=True),
    "faint start": Attempt(scale=0.1),
    "faint start, with batch norm": Attempt(scale=0.1, batch_norm=True),
    "12,000 images, with augmentation": Attempt(augmented=True),
    "300 images": Attempt(images=runs.FEW),
    "300 images, with augmentation": Attempt(images=runs.FEW, augmented=True),
    "300 images, shuffled labels": Attempt(images=runs.FEW, shuffled=True),
}


def images_for(trial: Attempt, seed: int) -> Shapes:
    """What a trial trains on; the shuffle is drawn from the seed."""
    return runs.images_for(runs.Recipe("", images=trial.images, shuffled=trial.shuffled, seed=seed))


def with_batch_norm(network: nn.Sequential) -> nn.Sequential:
    """The same layers, with a batch norm between every convolution and its ReLU."""
    from torch import nn

    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for name, layer in network.named_children():
        layers[name] = layer
        if isinstance(layer, nn.Conv2d):
            layers[f"{name}_norm"] = nn.BatchNorm2d(layer.out_channels)
    return nn.Sequential(layers)


def augmented(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A batch (N, H, W, 3) as it might have been as well: quarter turns, a mirror, the color channels in any order."""
    images = np.rot90(images, int(generator.integers(4)), axes=(1, 2))
    images = images[:, :, :: generator.choice([-1, 1])]
    return np.ascontiguousarray(images[..., generator.permutation(3)])


def rate_at(trial: Attempt, step: int) -> float:
    """The learning rate of a step: it rises in a warm-up, and falls to a tenth in the last seventh."""
    rate = trial.rate * min(1.0, (step + 1) / max(trial.warm_up, 1))
    return rate / 10 if trial.falling and step >= 6 * trial.steps // 7 else rate


def network_input(trial: Attempt, images: np.ndarray) -> torch.Tensor:
    """The batch that a trial's network is given, (N, 3, H, W), from images (N, H, W, 3)."""
    return to_batch(images) if trial.centered else (to_batch(images) + 1) / 2


def train_attempt(trial: Attempt, seed: int = 0) -> nn.Sequential:
    """Train the small network, its first weights drawn from `seed`, as the trial says; evaluation mode."""
    import torch
    from torch.nn import functional

    data = images_for(trial, seed)
    network = small_cnn(training.initial_weights(seed, scale=trial.scale))
    network = with_batch_norm(network) if trial.batch_norm else network
    generator = np.random.default_rng(seed)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0, momentum=training.MOMENTUM, weight_decay=training.WEIGHT_DECAY
    )
    with training_mode(network):
        for step, chosen in enumerate(training.batches(len(data), size=BATCH, steps=trial.steps, seed=0)):
            images = data.images[chosen]
            images = augmented(images, generator) if trial.augmented else images
            optimizer.param_groups[0]["lr"] = rate_at(trial, step)
            loss = functional.cross_entropy(
                network(network_input(trial, images)), torch.from_numpy(data.labels[chosen])
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def share_right(trial: Attempt, network: nn.Module) -> float:
    """The share of the 2,000 held-out images that a trial's network names rightly."""
    data = runs.held_out_images()
    batches = (network_input(trial, part) for part in np.split(data.images, 4))
    parts = [network(batch).detach().argmax(dim=1).numpy() for batch in batches]
    return float((np.concatenate(parts) == data.labels).mean())
