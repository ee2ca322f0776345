"""The microscope's looks into a PyTorch network. `keras_backend` has the same functions with the same signatures."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from days.day17.code.torch_backend import capture, check_batch, fastest, hooks, module_named, run, to_numpy


def weights(network: nn.Module) -> Iterator[np.ndarray]:
    """All numbers that the network has learned, and those that its norms have counted."""
    return map(to_numpy, network.state_dict().values())


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Inside the `with`, each sum is added up by one thread: so its last digits do not depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def behind(network: nn.Module, layer: str, batch: torch.Tensor) -> tuple[np.ndarray, Callable]:
    """What a layer answers to a batch, (N, C, h, w), and the rest of the network as a function of that.

    The function takes maps (k * N, C, h, w) and gives the network's answers, (k * N, categories). Of a plain sequence
    of layers only those behind the layer run; of any other network all do, and the layer's answer is exchanged.
    """
    batch = check_batch(network, batch)
    maps = capture(network, layer, batch)[layer]

    def rest(given: np.ndarray) -> np.ndarray:
        answer = torch.tensor(given).to(batch)
        with torch.no_grad():
            if type(network) is nn.Sequential and layer in network._modules:
                place = list(network._modules).index(layer) + 1
                return to_numpy(run(network[place:], fastest(network, answer)))
            exchanged: list[bool] = []

            def exchange(module, inputs, output):
                exchanged.append(True)
                return answer if len(exchanged) == 1 else None

            with hooks([(module_named(network, layer), exchange)]):
                return to_numpy(run(network, batch.repeat(len(given) // len(batch), 1, 1, 1)))

    return maps, rest
