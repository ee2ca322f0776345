"""A second small network: Day 18's with one more pooling and one more convolution, trained on the same shapes.

`python -m days.day22.code.deeper` trains it anew (two minutes) and stores its weights.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np

from days.common.arrays import load_arrays, reading, save_arrays
from days.common.paths import REPO_ROOT
from days.day18.code import runs
from days.day18.code.training import initial_weights

LAYER = "conv4_activation"
"""Its last layer with maps has 4 x 4 places, where that of Day 18's network, conv3_activation, has 8 x 8."""
SEED, STEPS = 0, 3000
FILE = REPO_ROOT / "days/day22/weights/deeper.safetensors"
_WAY_OUT = "python -m days.day22.code.deeper makes it anew"


def deeper_cnn(seed: int = SEED):
    """The untrained network in PyTorch: images (N, 3, H, W) -> scores (N, 6); its first weights come from `seed`."""
    import torch
    from torch import nn

    from days.day18.code.torch_backend import small_cnn

    small, generator = small_cnn(initial_weights(seed)), torch.Generator().manual_seed(seed)
    fourth = nn.utils.skip_init(nn.Conv2d, 64, 64, 3, padding="same")
    nn.init.kaiming_uniform_(fourth.weight, nonlinearity="relu", generator=generator)
    nn.init.zeros_(fourth.bias)
    *layers, mean, flatten, scores = small.named_children()
    layers += [("pool3", nn.MaxPool2d(2)), ("conv4", fourth), (LAYER, nn.ReLU()), ("pool4", mean[1]), flatten, scores]
    return nn.Sequential(OrderedDict(layers)).eval()


def train(seed: int = SEED, *, steps: int = STEPS, progress: bool = True):
    """The network, trained as Day 18's honest one: the same images in the same batches, the same learning rate."""
    from days.day18.code.snapshots import train as descend

    network, learning_rate = deeper_cnn(seed), runs.LEARNING_RATE
    descend(network, runs.training_images(), steps=steps, learning_rate=learning_rate, seed=seed, progress=progress)
    return network


def save_network(network, path: Path | str = FILE) -> Path:
    """Store its weights with 16 bits each, and return the path."""
    arrays = {name: values.detach().numpy().astype(np.float16) for name, values in network.named_parameters()}
    return save_arrays(arrays, path)


def load_network(path: Path | str = FILE):
    """The trained network, in evaluation mode.

    Raises FileNotFoundError or ValueError, with the command that makes the file, where it is missing or damaged.
    """
    import torch

    network = deeper_cnn()
    with reading(path, "deeper network", _WAY_OUT), torch.no_grad():
        arrays = load_arrays(path)[0]
        for name, values in network.named_parameters():
            values.copy_(torch.from_numpy(arrays[name].astype(np.float32)))
    return network


if __name__ == "__main__":
    save_network(train())
