"""DeepDream in Keras. `torch_backend` has the same functions with the same signatures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from days.common import squeezenet
from days.common.frameworks import import_keras
from days.common.keras_models import batch_maker
from days.day17.code.keras_backend import capture, live_answers
from days.day20.code import objectives
from days.day20.code.objectives import Objective
from days.day20.code.parameterization import pixel_map
from days.day21.code import dreaming

keras = import_keras()

import tensorflow  # noqa: E402  only after import_keras has quieted it


def dream(
    network,
    image: np.ndarray,
    layer: str | Objective,
    *,
    octaves: int = 4,
    octave_scale: float = 1.4,
    steps: int = 20,
    step_size: float = 0.004,
    bands: int = 2,
    jitter: int = 32,
    seed: int = 0,
    tile: int = 640,
    guide: np.ndarray | None = None,
    preprocess: Callable | None = None,
    progress: bool = True,
) -> np.ndarray:
    """Raise what a layer, a channel or a mix of them answers to a photo, by changing the photo.

    Parameters
    ----------
    image : (H, W, 3) in [0, 1], any size from 32 x 32; above `tile` pixels on a side it is taken in tiles.
    layer : a layer's name, all of whose answers are raised; or an objective of Day 20 (layer, channel, direction).
    guide : a second image: each place of the layer is drawn to the guide's feature that it is most like.
    preprocess : the network's own, as of a `Model`; SqueezeNet's unless given.
    octaves, octave_scale, steps, step_size, bands, jitter, seed, tile : see `dreaming.grow`.

    Returns
    -------
    The dream, (H, W, 3) float32 in [0, 1], as large as the image. The network comes back as it was.

    Raises ValueError for an unknown layer, a channel out of range, an image that is none, or settings out of range.
    """
    settings = {"octaves": octaves, "octave_scale": octave_scale, "steps": steps, "step_size": step_size}
    settings |= {"bands": bands, "jitter": jitter, "seed": seed, "tile": tile}
    ask = slope(network, layer, guide=guide, preprocess=preprocess)
    return dreaming.dream(ask, image, progress=progress, **settings)


def slope(
    network,
    layer: str | Objective,
    *,
    guide: np.ndarray | None = None,
    preprocess: Callable | None = None,
) -> dreaming.Ask:
    """A function from a picture (H, W, 3) to the objective and its gradient (H, W, 3); arguments as of `dream`."""
    wanted = dreaming.wanted_objective(layer, guide)
    preprocess = preprocess or batch_maker(squeezenet.normalize)
    matrix, offset = pixel_map(preprocess, lambda batch: np.moveaxis(np.asarray(batch)[0], -1, 0))
    if guide is not None:
        seen = dreaming.features_of(capture(network, layer, preprocess(dreaming.guide_image(guide)))[layer])

    def reached(batch):
        answers = {name: _channels_first(one) for name, one in live_answers(network, wanted.layers, batch).items()}
        dreaming.check_answers(wanted, {name: tuple(answer.shape) for name, answer in answers.items()})
        mean = tensorflow.reduce_mean
        return objectives.value(wanted, answers, mean) if guide is None else _likeness(answers[layer], seen)

    def ask(picture):
        pixels = tensorflow.constant(picture[None])
        with tensorflow.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pixels)
            batch = tensorflow.einsum("dc,nhwc->nhwd", matrix, pixels) + offset
            value = tensorflow.reduce_sum(reached(batch))
        return float(value), tape.gradient(value, pixels)[0].numpy()

    return ask


def _channels_first(answer):
    return tensorflow.transpose(answer, (0, 3, 1, 2)) if len(answer.shape) == 4 else answer


def _likeness(answer, guide: np.ndarray):
    """Mean over all places of the dot product of what is answered there with the guide's most similar feature."""
    chosen = dreaming.best_matches(answer.numpy(), guide)
    return tensorflow.reduce_mean(tensorflow.reduce_sum(answer * chosen, axis=1))
