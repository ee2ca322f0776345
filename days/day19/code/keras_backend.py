"""What to change in the pixels, asked of a Keras network. `torch_backend` answers the same by the same names."""

from __future__ import annotations

import numpy as np

from days.common.checks import check_index
from days.day17.code.keras_backend import check_batch, run_to

# isort: split
import tensorflow as tf  # after the line above, which imports it without its noise


def value_and_gradient(network, layer: str, pixels: np.ndarray, channel: int | None = None) -> tuple[float, np.ndarray]:
    """How strongly a layer answers to `pixels`, and how that changes with every pixel.

    Parameters
    ----------
    pixels : (N, 3, H, W) as the network wants them, preprocessed, but channels first as everywhere outside Keras.
    channel : the objective is this channel's mean; None takes the whole layer, half the mean of its squares.

    Returns
    -------
    the objective, and its gradient with respect to the pixels, (N, 3, H, W).

    Raises ValueError for an unknown layer or a channel out of range.
    """
    batch = tf.convert_to_tensor(np.moveaxis(np.asarray(pixels), 1, -1))
    batch = tf.cast(check_batch(network, batch), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(batch)
        value = _objective(run_to(network, layer, batch), layer, channel)
    gradient = tape.gradient(value, batch)
    return float(value), gradient.numpy().transpose(0, 3, 1, 2)


def _objective(answer, layer: str, channel: int | None):
    if channel is None:
        return tf.reduce_mean(answer**2) / 2
    return tf.reduce_mean(answer[..., check_index(channel, answer.shape[-1], f"a channel of {layer!r}")])
