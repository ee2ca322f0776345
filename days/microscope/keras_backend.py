"""The microscope's looks into a Keras network. `torch_backend` has the same functions with the same signatures."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from days.day17.code.keras_backend import capture, keras, run


def weights(network) -> Iterator[np.ndarray]:
    """All numbers that the network has learned, and those that its norms have counted."""
    return iter(network.get_weights())


def one_thread() -> contextlib.AbstractContextManager:
    """Nothing: TensorFlow fixes its threads when it starts; the command line lets it start with one."""
    return contextlib.nullcontext()


def behind(network, layer: str, batch) -> tuple[np.ndarray, Callable]:
    """What a layer answers to a batch, (N, C, h, w), and the rest of the network as a function of that.

    The function takes maps (k * N, C, h, w) and gives the network's answers, (k * N, categories). The whole network
    runs, and the layer's answer is exchanged.
    """

    def rest(given: np.ndarray) -> np.ndarray:
        answer = keras.ops.convert_to_tensor(np.ascontiguousarray(given.transpose(0, 2, 3, 1)))
        repeated = keras.ops.concatenate([batch] * (len(given) // len(batch)))
        answers = run(network, repeated, lambda name, operation, usual: answer if name == layer else usual)
        return keras.ops.convert_to_numpy(keras.tree.flatten(answers)[0])

    return capture(network, layer, batch)[layer], rest
