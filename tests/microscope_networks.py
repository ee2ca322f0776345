"""Networks for the microscope's tests, in a module that other processes import by its name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import nn


def tiny() -> nn.Sequential:
    """Three convolutions, a batch norm that turns channels around, and a linear end; the same each time."""
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.ReLU(True)),
        *(nn.Conv2d(6, 20, 3, 2, 1), nn.ReLU(True), nn.Conv2d(20, 8, 3, padding=1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)),
    )
    with torch.no_grad():
        for values in network.parameters():
            values.copy_(0.3 * torch.randn(values.shape, generator=generator))
    return network


class Branching(nn.Module):
    """The same in a forward of its own, with a way around the second convolution."""

    def __init__(self):
        super().__init__()
        self.parts = tiny()
        self.around = nn.Conv2d(6, 20, 1, 2)
        with torch.no_grad():
            for values in self.around.parameters():
                values.fill_(0.05)

    def forward(self, batch):
        first = self.parts[:3](batch)
        return self.parts[5:]((self.parts[3](first) + self.around(first)).relu())


def unseeded() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def keras_tiny():
    from days.common.frameworks import import_keras

    keras = import_keras()
    generator, layers = np.random.default_rng(0), keras.layers
    network = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            *(layers.Conv2D(6, 3, 2, name="one"), layers.ReLU(), layers.Conv2D(8, 3, activation="relu", name="two")),
            *(layers.GlobalAveragePooling2D(), layers.Dense(5)),
        ]
    )
    for variable in network.weights:
        variable.assign(0.3 * generator.standard_normal(variable.shape))
    return network


def deadly() -> nn.Sequential:
    """The tiny network, but the first process other than the test's own that asks for it dies."""
    mark = Path(os.environ["MICROSCOPE_MARK"])
    if str(os.getpid()) != os.environ["MICROSCOPE_PID"] and not mark.exists():
        mark.touch()
        os._exit(9)
    return tiny()
