"""What makes Day 20 fast in Keras, and is no lesson: the whole step compiled, and gradients written out by hand."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow

from days.day19.code.keras_backend import recorded
from days.day20.code import objectives
from days.day20.code.objectives import Objective
from days.day20.code.parameterization import Painting, color_basis, spectrum_scale


class NoGradient(Exception):
    """Nothing leads from the objective back to the picture."""


STEPS_KEPT = 16
"""So many compiled steps are kept for one network, since TensorFlow never lets go of a graph entirely."""

_steps: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def compiled_step(network, look: Callable, wanted: Sequence[Objective], painting: Painting) -> Callable:
    """One whole step of Adam, compiled once for all channels, and gone with the network.

    look : a function (network, objectives, batch, diversity) -> objectives' values, loss. The step takes the terms'
    weights and channels, values, moments, the step's number, and a transform's indices and weights. It gives the
    objectives, whether all is finite, and the new values and moments.
    """
    form = objectives.form_of(wanted)
    key = tuple(map(id, network.layers)), form, painting.key
    kept = _steps.setdefault(network, {})
    if key not in kept:
        if len(kept) == STEPS_KEPT:
            kept.pop(next(iter(kept)))
        kept[key] = _compile(weakref.ref(network), look, form, painting)
    return kept[key]


def _compile(network: weakref.ref, look: Callable, form, painting: Painting) -> Callable:
    draw, to_input = drawer(painting), input_maker(painting)

    @tensorflow.function(autograph=False)  # as Keras' own training: translating all its code takes seconds
    def go(weights, channels, values, mean, square, count, *places):
        wanted = objectives.with_numbers(form, tensorflow.unstack(weights), tensorflow.unstack(channels))

        def loss_of(values):
            pictures = draw(values)
            batch = to_input(shaken(pictures, *places) if places else pictures)
            return look(network(), wanted, batch, painting.diversity)

        (reached, loss), tape = recorded(loss_of, values)
        gradient = tape.gradient(loss, values)
        if gradient is None:
            raise NoGradient
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        root = tensorflow.sqrt(square / (1 - 0.999**count)) + 1e-8
        values -= painting.learning_rate * mean / (1 - 0.9**count) / root
        finite = tensorflow.math.is_finite(tensorflow.reduce_sum(reached) + tensorflow.reduce_sum(gradient))
        return reached, finite, values, mean, square

    return go


def drawer(painting: Painting) -> Callable:
    """A function from what is grown to pictures in [0, 1], (size, size, n, 3): as `shaken` is fastest."""
    size, parameterization = painting.size, painting.parameterization
    scale = tensorflow.constant(spectrum_scale(size)[..., None])
    basis = tensorflow.constant(color_basis())
    inverse = inverse_fourier(size)

    def draw(values):
        if parameterization == "fourier":
            values = inverse(values * scale) / 4
        values = tensorflow.transpose(values, (2, 3, 0, 1))
        if painting.decorrelated:
            values = tensorflow.matmul(values, basis, transpose_b=True)
        if parameterization == "sphere":
            lengths = tensorflow.sqrt(tensorflow.reduce_sum(values**2, (0, 1, 3), keepdims=True))
            return 0.5 + values / (2 * lengths)
        return tensorflow.sigmoid(values)

    return draw


def inverse_fourier(size: int) -> Callable:
    """Spectra (..., size, size // 2 + 1, 2) to pictures, with a gradient four times as fast as TensorFlow's own.

    Every frequency but the lowest, and the highest of an even size, stands for its mirror image as well: 2 times.
    """
    times = np.full(size // 2 + 1, 2, np.float32)
    times[0] = 1
    if size % 2 == 0:
        times[-1] = 1
    times = tensorflow.constant(times[:, None] / size**2)

    @tensorflow.custom_gradient
    def inverse(values):
        def back(gradient):
            spectrum = tensorflow.signal.rfft2d(gradient)
            return tensorflow.stack([tensorflow.math.real(spectrum), tensorflow.math.imag(spectrum)], -1) * times

        return tensorflow.signal.irfft2d(tensorflow.complex(values[..., 0], values[..., 1]), [size, size]), back

    return inverse


def input_maker(painting: Painting) -> Callable:
    """The preprocessing of pictures (H, W, n, 3), differentiable: a batch (n, H, W, 3)."""
    matrix, offset = np.float32(painting.pixels.matrix), np.float32(painting.pixels.offset)

    def to_input(pictures):
        return tensorflow.transpose(tensorflow.matmul(pictures, matrix, transpose_b=True) + offset, (2, 0, 1, 3))

    return to_input


def shaken(pictures, indices, weights):
    """Pictures (H, W, n, 3) at other places: each pixel the mean of four, as `bilinear` weighs them.

    It is one product with a sparse matrix; TensorFlow's own operation has a gradient that is not the exact one.
    """
    pixels, wide = pictures.shape[0] * pictures.shape[1], round(indices.shape[1] ** 0.5)
    targets = tensorflow.repeat(tensorflow.range(wide * wide)[:, None], 4, axis=1)
    pairs = tensorflow.stack([targets, tensorflow.transpose(indices)], axis=-1)
    moves = tensorflow.SparseTensor(
        tensorflow.cast(tensorflow.reshape(pairs, (-1, 2)), tensorflow.int64),
        tensorflow.reshape(tensorflow.transpose(weights), (-1,)),
        (wide * wide, pixels),
    )

    @tensorflow.custom_gradient
    def move(flat):
        def back(gradient):
            return tensorflow.sparse.sparse_dense_matmul(moves, gradient, adjoint_a=True)

        return tensorflow.sparse.sparse_dense_matmul(moves, flat), back

    moved = move(tensorflow.reshape(pictures, (pixels, -1)))
    return tensorflow.reshape(moved, (wide, wide, *pictures.shape[2:]))
