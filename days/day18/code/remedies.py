"""What mends a training: Day 18's failures trained again, each with one remedy, in PyTorch.

All trials take 900 steps, about ten seconds each, so that a learner can try one; `runs` stores what all of them reach.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from days.day18.code import runs, training
from days.day18.code.torch_backend import small_cnn, to_batch, training_mode

CLIP = 1.0
"""The length to which `clipped` shortens a longer gradient."""


@dataclass(frozen=True)
class Trial:
    """One training of the small network: what is unusual in it, be it a fault or a remedy.

    images : how many of the 12,000. rate : the learning rate, for the first `warm_up` steps a growing part of it, for
    the last seventh a tenth if `falling`. scale : of the first weights. centered : pixels from -1 to 1, else from 0 to
    1. clipped : a gradient longer than `CLIP` is shortened to that.
    """

    steps: int = 900
    images: int = runs.TRAINING_COUNT
    rate: float = runs.LEARNING_RATE
    scale: float = 1.0
    centered: bool = True
    falling: bool = True
    batch_norm: bool = False
    warm_up: int = 0
    clipped: bool = False
    augmented: bool = False


TRIALS = {
    "nothing unusual": Trial(),
    "learning rate 1.5": Trial(rate=1.5),
    "learning rate 1.5, warm-up": Trial(rate=1.5, warm_up=450),
    "learning rate 1.5, clipped gradient": Trial(rate=1.5, clipped=True),
    "learning rate 1.5, batch norm": Trial(rate=1.5, batch_norm=True),
    "faint start": Trial(scale=0.1),
    "faint start, batch norm": Trial(scale=0.1, batch_norm=True),
    "300 images": Trial(images=runs.FEW),
    "300 images, augmentation": Trial(images=runs.FEW, augmented=True),
    "pixels from 0 to 1": Trial(centered=False),
    "constant learning rate": Trial(falling=False),
}


def with_batch_norm(network: nn.Sequential) -> nn.Sequential:
    """The same layers, with a batch norm between every convolution and its ReLU."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for name, layer in network.named_children():
        layers[name] = layer
        if isinstance(layer, nn.Conv2d):
            layers[f"{name}_norm"] = nn.BatchNorm2d(layer.out_channels)
    return nn.Sequential(layers)


def augmented(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A batch (N, H, W, 3) as it might have been as well: quarter turns, a mirror, the color channels in any order."""
    images = np.rot90(images, generator.integers(4), axes=(1, 2))
    images = images[:, :, :: generator.choice([-1, 1])]
    return np.ascontiguousarray(images[..., generator.permutation(3)])


def rate_at(trial: Trial, step: int) -> float:
    """The learning rate of a step: it rises in a warm-up, and falls to a tenth in the last seventh."""
    rate = trial.rate * min(1.0, (step + 1) / max(trial.warm_up, 1))
    return rate / 10 if trial.falling and step >= 6 * trial.steps // 7 else rate


def network_input(trial: Trial, images: np.ndarray) -> torch.Tensor:
    """The batch that a trial's network is given, (N, 3, H, W), from images (N, H, W, 3)."""
    return to_batch(images) if trial.centered else (to_batch(images) + 1) / 2


def train_trial(trial: Trial, seed: int = 0) -> nn.Sequential:
    """Train the small network, its first weights drawn from `seed`, as the trial says; evaluation mode."""
    data = runs.training_images()[: trial.images]
    network = small_cnn(training.initial_weights(seed, scale=trial.scale))
    network = with_batch_norm(network) if trial.batch_norm else network
    generator = np.random.default_rng(seed)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0, momentum=training.MOMENTUM, weight_decay=training.WEIGHT_DECAY
    )
    with training_mode(network):
        for step, chosen in enumerate(training.batches(len(data), size=64, steps=trial.steps, seed=0)):
            images = data.images[chosen]
            images = augmented(images, generator) if trial.augmented else images
            optimizer.param_groups[0]["lr"] = rate_at(trial, step)
            loss = functional.cross_entropy(
                network(network_input(trial, images)), torch.from_numpy(data.labels[chosen])
            )
            optimizer.zero_grad()
            loss.backward()
            if trial.clipped:
                nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimizer.step()
    return network.eval()


@torch.no_grad()
def share_right(trial: Trial, network: nn.Module) -> float:
    """The share of the 2,000 held-out images that a trial's network names rightly."""
    data = runs.held_out_images()
    parts = [network(network_input(trial, part)).argmax(dim=1).numpy() for part in np.split(data.images, 4)]
    return float((np.concatenate(parts) == data.labels).mean())
