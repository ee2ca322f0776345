"""Activation maximization in Keras: pictures that excite what an objective names. `torch_backend` does the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from tqdm.auto import tqdm

from days.common import squeezenet
from days.common.frameworks import import_keras
from days.common.keras_models import batch_maker
from days.day17.code.keras_backend import live_answers
from days.day20.code import objectives
from days.day20.code.objectives import Objective, requested
from days.day20.code.parameterization import (
    STANDARD,
    bilinear,
    color_basis,
    draw_transform,
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
    parameterization: str = "fourier",
    decorrelated: bool = True,
    transforms: Sequence = STANDARD,
    before_relu: bool = True,
    learning_rate: float = 0.05,
    preprocess: Callable | None = None,
    progress: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Grow one picture for each channel, or for each objective, all in one batch, by Adam's ascent.

    Parameters
    ----------
    layer, channels : a layer's name and the channels wanted; or one or several objectives, and no channels.
    parameterization : "fourier" or "pixel"; decorrelated : colors along `color_basis`.
    transforms : how the picture is shaken before every look, from `seed`; () for not at all.
    before_relu : ask a channel of a fire module of SqueezeNet before its ReLU, where it cannot start dead.
    preprocess : the network's own, as of a `Model`; SqueezeNet's unless given.

    Returns
    -------
    images (n, size, size, 3) in [0, 1], and the objective's value at every step, (steps, n). A step that is not finite
    ends the ascent with a warning: fewer values then, and the last good picture.

    Raises ValueError for an unknown layer, a channel out of range, or anything else that cannot be maximized.
    """
    wanted = requested(layer, channels, before_relu)
    values = tensorflow.Variable(start(len(wanted), size, seed=seed, parameterization=parameterization))
    draw = _painter(size, parameterization, decorrelated)
    to_input = _input_maker(preprocess or batch_maker(squeezenet.normalize))
    reached = _reader(network, wanted, to_input(draw(values)))
    generator = np.random.default_rng(seed)
    slope = _slope(values, draw, lambda pictures: reached(to_input(pictures)), bool(transforms))

    def look():
        places = bilinear(draw_transform(transforms, generator, size), size)
        return slope(*map(tensorflow.constant, places))

    good, history = _climb(values, look, steps, learning_rate, progress)
    images = tensorflow.transpose(draw(good), (0, 2, 3, 1)).numpy()
    return images, np.array(history, np.float32).reshape(-1, len(wanted))


def _slope(values, draw: Callable, reached: Callable, shake: bool) -> Callable:
    """A compiled function from a transform's indices and weights to the objectives (n,) and the loss's gradient."""

    @tensorflow.function
    def slope(indices, weights):
        with tensorflow.GradientTape() as tape:
            pictures = draw(values)
            found = reached(_shaken(pictures, indices, weights) if shake else pictures)
            loss = -tensorflow.reduce_sum(found)
        return found, tape.gradient(loss, values)

    return slope


def _climb(values, look: Callable, steps: int, learning_rate: float, progress: bool):
    """Adam's ascent: the last values whose objective was finite, and all objectives (steps, n)."""
    optimizer = keras.optimizers.Adam(learning_rate, epsilon=1e-8)
    optimizer.build([values])
    good, history = values.numpy(), []
    with tqdm(total=steps, desc="ascent", unit="step", disable=not progress) as bar:
        for step in range(steps):
            reached, gradient = (one.numpy() for one in look())
            if not (np.isfinite(reached).all() and np.isfinite(gradient).all()):
                warnings.warn(
                    f"step {step} was not finite: the picture is the one before it", RuntimeWarning, stacklevel=3
                )
                return good, history
            good = values.numpy()
            optimizer.apply([tensorflow.constant(gradient)], [values])
            history.append(reached)
            bar.update()
            bar.set_postfix(objective=f"{reached.mean():.1f}")
    return values.numpy(), history


def _painter(size: int, parameterization: str, decorrelated: bool) -> Callable:
    """A function from what is grown to pictures (n, 3, size, size) in [0, 1]."""
    scale = tensorflow.constant(spectrum_scale(size))
    basis = tensorflow.constant(color_basis())

    def draw(values):
        if parameterization == "fourier":
            spectrum = tensorflow.complex(values[..., 0] * scale, values[..., 1] * scale)
            values = tensorflow.signal.irfft2d(spectrum, [size, size]) / 4
        if decorrelated:
            values = tensorflow.einsum("dc,nchw->ndhw", basis, values)
        return tensorflow.sigmoid(values)

    return draw


def _input_maker(preprocess: Callable) -> Callable:
    """`preprocess` for a batch of pictures (n, 3, H, W), differentiable: (n, H, W, 3)."""
    matrix, offset = pixel_map(preprocess, lambda batch: np.moveaxis(np.asarray(batch)[0], -1, 0))
    return lambda pictures: tensorflow.einsum("dc,nchw->nhwd", matrix, pictures) + offset


def _shaken(pictures, indices, weights):
    """Pictures (n, 3, H, W) at other places: each pixel the mean of four, as `bilinear` weighs them.

    TensorFlow has an operation for this, whose gradient is not the exact one.
    """
    count, colors, size, _ = pictures.shape
    flat = tensorflow.transpose(tensorflow.reshape(pictures, (count * colors, size * size)))
    moved = tensorflow.reduce_sum(tensorflow.gather(flat, indices) * weights[..., None], axis=0)
    return tensorflow.reshape(tensorflow.transpose(moved), pictures.shape)


def _reader(network, wanted: Sequence[Objective], batch) -> Callable:
    """A function from a batch to each picture's own objective, (n,); no layer runs deeper than the deepest wanted."""
    layers = objectives.layers_of(wanted)

    def answer(batch):
        found = live_answers(network, layers, batch)
        return {
            name: tensorflow.transpose(one, (0, 3, 1, 2)) if len(one.shape) == 4 else one for name, one in found.items()
        }

    objectives.check_terms(wanted, {name: tuple(one.shape) for name, one in answer(batch).items()})
    return lambda batch: tensorflow.concat(objectives.values(wanted, answer(batch), tensorflow.reduce_mean), axis=0)
