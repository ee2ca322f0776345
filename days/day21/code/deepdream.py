"""DeepDream of a network of either framework: what `dreaming` does in NumPy, with a network to ask for gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from days.day17.code.backends import backend_of, capture
from days.day19.code.gradients import objective_and_gradient
from days.day20.code import objectives
from days.day20.code.objectives import Objective
from days.day20.code.parameterization import pixels_of
from days.day21.code import dreaming


def dream(
    network,
    image: np.ndarray,
    layer: str | Objective,
    *,
    guide: np.ndarray | None = None,
    preprocess: Callable | None = None,
    progress: bool = True,
    **settings,
) -> np.ndarray:
    """Raise what a layer, a channel or a mix of them answers to a photo, by changing the photo.

    image : (H, W, 3) in [0, 1], any size from 32 x 32; above 640 pixels on a side (`tile`) it is taken in tiles.
    layer : a layer's name, all of whose answers are raised; or an objective of Day 20 (layer, channel, direction).
    guide : a second image: each place of the layer is drawn to the guide's feature that it is most like.
    preprocess : the network's own, as of a `Model`; SqueezeNet's unless given.
    settings : octaves, octave_scale, steps, step_size, bands, jitter, seed, tile; see `dreaming.grow`.

    Returns the dream, (H, W, 3) float32 in [0, 1], as large as the image. The network comes back as it was. Equal calls
    give equal pixels on one machine; a PyTorch network in double precision gave them on every processor and with every
    number of threads that we tried.

    Raises ValueError for an unknown layer, a channel out of range, an image that is none, or settings out of range.
    """
    ask = slope(network, layer, guide=guide, preprocess=preprocess)
    return dreaming.last_picture(ask, image, progress=progress, **settings)


def slope(
    network, layer: str | Objective, *, guide: np.ndarray | None = None, preprocess: Callable | None = None
) -> dreaming.Ask:
    """A function from a picture (H, W, 3) to the objective and its gradient (H, W, 3); arguments as of `dream`."""
    looking, gradients = backend_of(network), backend_of(network, 19)
    wanted, pixels = dreaming.wanted_objective(layer, guide), pixels_of(network, preprocess)
    matrix = np.float64(pixels.matrix)

    def to_batch(picture):
        return looking.to_batch(network, picture[None] @ matrix.T + pixels.offset)

    if guide is not None:
        (name,) = wanted.layers
        seen = dreaming.features_of(capture(network, name, to_batch(dreaming.guide_image(guide)))[name])

    def objective(answers):
        shapes = {name: tuple(answer.shape) for name, answer in answers.items()}
        objectives.check_terms([wanted], {name: shapes.get(name) for name in wanted.layers})
        if guide is None:
            return gradients.total(objectives.value(wanted, answers, gradients.mean))
        # Mean over all places of the dot product of the answer there with the guide's most similar feature.
        chosen = dreaming.guide_matches(looking.to_numpy(answers[name]), seen)
        return gradients.mean(gradients.total(answers[name] * gradients.constant(chosen, answers[name]), 1))

    def ask(picture):
        value, gradient = objective_and_gradient(network, to_batch(picture), objective, wanted.layers)
        return value, gradient[0].transpose(1, 2, 0) @ pixels.matrix.astype(gradient.dtype)

    return ask
