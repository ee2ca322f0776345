"""Activation maximization in Keras: pictures that excite what an objective names. `torch_backend` does the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from days.common import squeezenet
from days.common.frameworks import import_keras
from days.common.keras_models import batch_maker
from days.day17.code.keras_backend import check_batch, live_answers
from days.day20.code import objectives
from days.day20.code.ascent import climb
from days.day20.code.objectives import Objective, requested
from days.day20.code.parameterization import (
    STANDARD,
    bilinear,
    check_knobs,
    color_basis,
    draw_transform,
    padded,
    pixel_map,
    spectrum_scale,
    start,
)

keras = import_keras()

import tensorflow  # noqa: E402  only after import_keras has quieted it


def maximize(
    network,
    layer: str | Objective | Sequence[Objective],
    channels: int | Sequence[int] | None = None,
    *,
    size: int = 128,
    steps: int = 256,
    seed: int = 0,
    progress: bool = True,
    **knobs,
) -> tuple[np.ndarray, np.ndarray]:
    """Grow one picture for each channel, or for each objective, all in one batch, by Adam's ascent.

    For the parameters and for all other knobs see `Ascent`. Returns images (n, size, size, 3) in [0, 1], and the
    objective's value at every step, (steps, n). A step that is not finite ends the ascent with a warning: fewer values
    then, and the last good picture. Raises ValueError for an unknown layer, a channel out of range, or anything else
    that cannot be maximized.
    """
    return climb(Ascent(network, layer, channels, size=size, seed=seed, **knobs), steps, progress=progress)


class Ascent:
    """Pictures that grow with every `step()`. The network is never changed: its weights get no gradients.

    Parameters
    ----------
    layer, channels : a layer's name and the channels wanted; or one or several objectives, and no channels.
    size, seed : of the square pictures, in pixels; of the noise that they start from, and of the transforms.
    parameterization : "fourier", "pixel", or "sphere": pictures of one contrast, whose difference from mid-gray is, as
        a vector, half as long as 1. decorrelated : colors along `color_basis`.
    transforms : how the picture is shaken before every look; () for not at all.
    diversity : how much of the objective may be given up so that the pictures differ, as a share of it; see `likeness`.
    before_relu : ask a channel of a fire module of SqueezeNet before its ReLU, where it cannot start dead.
    preprocess : the network's own, as of a `Model`; SqueezeNet's unless given.
    """

    def __init__(
        self,
        network,
        layer: str | Objective | Sequence[Objective],
        channels: int | Sequence[int] | None = None,
        *,
        size: int = 128,
        seed: int = 0,
        parameterization: str = "fourier",
        decorrelated: bool = True,
        transforms: Sequence = STANDARD,
        diversity: float = 0.0,
        before_relu: bool = True,
        learning_rate: float = 0.05,
        preprocess: Callable | None = None,
    ):
        size, seed, self._transforms = check_knobs(size, seed, transforms, diversity, learning_rate)
        self.wanted = tuple(requested(layer, channels, before_relu))
        self._generator, self._size = np.random.default_rng(seed), size
        first = start(len(self.wanted), size, seed=seed, parameterization=parameterization)
        self._values = self._before = tensorflow.constant(first)
        self._moments, self._count = (tensorflow.zeros_like(self._values),) * 2, 0
        self._draw = _painter(size, parameterization, decorrelated)
        matrix, offset = pixel_map(preprocess or batch_maker(squeezenet.normalize), _first_planes)
        batch = _input_maker(matrix, offset)(self._draw(self._values))
        answers = _answers(network, objectives.layers_of(self.wanted), batch)
        objectives.check_terms(self.wanted, {name: tuple(one.shape) for name, one in answers.items()}, diversity)
        terms = [term for one in self.wanted for term in one.terms]
        weights = tensorflow.constant([term.weight for term in terms], tensorflow.float32)
        self._numbers = weights, tensorflow.constant([term.channel or 0 for term in terms], tensorflow.int32)
        painting = size, parameterization, decorrelated
        colors = tuple(map(tuple, matrix.tolist())), tuple(offset.tolist())
        layers, form = tuple(map(id, network.layers)), objectives.form_of(self.wanted)
        self._go = _compiled_step(network, layers, form, painting, colors, diversity, learning_rate)

    def step(self) -> np.ndarray | None:
        """Go one step up: the objectives (n,) before it; None, and one step back, where something is not finite."""
        places = ()
        if self._transforms:
            matrix = draw_transform(self._transforms, self._generator, self._size)
            places = bilinear(matrix, self._size, padded(self._transforms, self._size))
        self._count += 1
        state = self._values, *self._moments, tensorflow.constant(float(self._count))
        reached, finite, values, *moments = self._go(*self._numbers, *state, *map(tensorflow.constant, places))
        if not finite:
            self._values = self._before
            return None
        self._before, self._values, self._moments = self._values, values, moments
        return reached.numpy()

    def images(self) -> np.ndarray:
        """The pictures as they stand, (n, size, size, 3) in [0, 1]."""
        return tensorflow.transpose(self._draw(self._values), (2, 0, 1, 3)).numpy()


@lru_cache(maxsize=16)
def _compiled_step(network, layers, form, painting, colors, diversity: float, learning_rate: float) -> Callable:
    """One whole step of Adam, compiled once for all channels, since TensorFlow never lets go of a graph entirely.

    The function takes the terms' weights and channels, values, moments, the step's number, and a transform's indices
    and weights. It gives the objectives, whether all is finite, and the new values and moments.
    """
    draw, to_input = _painter(*painting), _input_maker(*map(np.float32, colors))

    @tensorflow.function
    def go(weights, channels, values, mean, square, count, *places):
        wanted = objectives.with_numbers(form, tensorflow.unstack(weights), tensorflow.unstack(channels))
        with tensorflow.GradientTape() as tape:
            tape.watch(values)
            pictures = draw(values)
            batch = to_input(_shaken(pictures, *places) if places else pictures)
            reached, loss = _look(network, wanted, batch, diversity)
        gradient = tape.gradient(loss, values)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        root = tensorflow.sqrt(square / (1 - 0.999**count)) + 1e-8
        values -= learning_rate * mean / (1 - 0.9**count) / root
        finite = tensorflow.math.is_finite(tensorflow.reduce_sum(reached) + tensorflow.reduce_sum(gradient))
        return reached, finite, values, mean, square

    return go


def _look(network, wanted: Sequence[Objective], batch, diversity: float):
    """Each picture's own objective, (n,), and the loss; no layer runs that is deeper than the deepest wanted."""
    layers = objectives.layers_of(wanted)
    answers = _answers(network, layers, batch)
    reached = tensorflow.concat(objectives.values(wanted, answers, tensorflow.reduce_mean, tensorflow.split), axis=0)
    loss = -tensorflow.reduce_sum(reached)
    if diversity:
        given_up = diversity * tensorflow.reduce_sum(tensorflow.abs(tensorflow.stop_gradient(reached)))
        loss += given_up * objectives.likeness(answers[layers[0]], tensorflow.einsum)
    return reached, loss


def _painter(size: int, parameterization: str, decorrelated: bool) -> Callable:
    """A function from what is grown to pictures in [0, 1], (size, size, n, 3): as `_shaken` is fastest."""
    scale = tensorflow.constant(spectrum_scale(size)[..., None])
    basis = tensorflow.constant(color_basis())
    inverse = _inverse_fourier(size)

    def draw(values):
        if parameterization == "fourier":
            values = inverse(values * scale) / 4
        values = tensorflow.transpose(values, (2, 3, 0, 1))
        if decorrelated:
            values = tensorflow.matmul(values, basis, transpose_b=True)
        if parameterization == "sphere":
            lengths = tensorflow.sqrt(tensorflow.reduce_sum(values**2, (0, 1, 3), keepdims=True))
            return 0.5 + values / (2 * lengths)
        return tensorflow.sigmoid(values)

    return draw


def _inverse_fourier(size: int) -> Callable:
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


def _first_planes(batch) -> np.ndarray:
    return np.moveaxis(np.asarray(batch)[0], -1, 0)


def _input_maker(matrix: np.ndarray, offset: np.ndarray) -> Callable:
    """A preprocessing, as `pixel_map` reads it, for pictures (H, W, n, 3), differentiable: a batch (n, H, W, 3)."""

    def to_input(pictures):
        return tensorflow.transpose(tensorflow.matmul(pictures, matrix, transpose_b=True) + offset, (2, 0, 1, 3))

    return to_input


def _shaken(pictures, indices, weights):
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


def _answers(network, layers: Sequence[str], batch) -> dict:
    """Live answers in single precision, whatever the network's, as all else is here; maps with channels first."""
    found = {name: tensorflow.cast(one, "float32") for name, one in live_answers(network, layers, batch).items()}
    return {
        name: tensorflow.transpose(one, (0, 3, 1, 2)) if len(one.shape) == 4 else one for name, one in found.items()
    }


def input_gradient(network, wanted: Objective, batch) -> np.ndarray:
    """The gradient of an objective for every number of a batch (N, H, W, 3), channels first: (N, 3, H, W)."""
    batch = check_batch(network, batch)
    with tensorflow.GradientTape() as tape:
        tape.watch(batch)
        answers = _answers(network, wanted.layers, batch)
        objectives.check_terms([wanted], {name: tuple(one.shape) for name, one in answers.items()})
        total = tensorflow.reduce_sum(objectives.value(wanted, answers, tensorflow.reduce_mean))
    return tensorflow.transpose(tape.gradient(total, batch), (0, 3, 1, 2)).numpy()
