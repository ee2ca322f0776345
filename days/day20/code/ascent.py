"""Activation maximization: pictures that excite what an objective names, grown in a network of either framework.

`torch_backend` and `keras_backend` hold what grows, the `Painter`; all else is here, once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from tqdm.auto import tqdm

from days.common.checks import check_integer
from days.day17.code.backends import backend_of
from days.day19.code.gradients import objective_and_gradient
from days.day20.code import objectives
from days.day20.code.objectives import Objective, requested
from days.day20.code.parameterization import STANDARD, Painting, check_knobs, draw_transform, padded, pixels_of, start


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
        self.network, self.wanted = network, tuple(requested(layer, channels, before_relu))
        self._generator, self._size = np.random.default_rng(seed), size
        first = start(len(self.wanted), size, seed=seed, parameterization=parameterization)
        pixels = pixels_of(network, preprocess)
        painting = Painting(size, parameterization, decorrelated, pixels, diversity, learning_rate)
        self._painter = backend_of(network, 20).Painter(network, self.wanted, first, painting)

    def step(self) -> np.ndarray | None:
        """Go one step up: the objectives (n,) before it; None, and one step back, where something is not finite."""
        if not self._transforms:
            return self._painter.step(None, self._size)
        matrix = draw_transform(self._transforms, self._generator, self._size)
        return self._painter.step(matrix, padded(self._transforms, self._size))

    def images(self) -> np.ndarray:
        """The pictures as they stand, (n, size, size, 3) in [0, 1]."""
        return self._painter.images()


def climb(ascent: Ascent, steps: int, *, progress: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Take `steps` steps: the pictures, and the objectives before every step, (steps, n).

    A step that is not finite ends it with a warning: fewer objectives then, and the last good pictures. So does the
    kernel's stop button, without a warning. Raises ValueError for a number of steps below 1.
    """
    steps = check_integer(steps, 1, "steps")
    history: list[np.ndarray] = []
    with tqdm(total=steps, desc="ascent", unit="step", disable=not progress) as bar:
        try:
            for step in range(steps):
                reached = ascent.step()
                if reached is None:
                    words = f"step {step} was not finite: the picture is the one before it"
                    warnings.warn(words, RuntimeWarning, stacklevel=3)
                    break
                history.append(reached)
                bar.update()
                bar.set_postfix(objective=f"{reached.mean():.1f}")
        except KeyboardInterrupt:
            bar.set_description("stopped")
    images = ascent.images()
    return images, np.array(history, np.float32).reshape(-1, len(images))


def input_gradient(network, wanted: Objective, batch) -> np.ndarray:
    """The gradient of an objective, summed over the images, for every number of a batch, (N, 3, H, W).

    batch : as `model.preprocess` makes it. Raises ValueError for what cannot be read off the layers' answers.
    """
    gradients = backend_of(network, 19)

    def objective(answers):
        objectives.check_terms([wanted], {name: tuple(answer.shape) for name, answer in answers.items()})
        return gradients.total(objectives.value(wanted, answers, gradients.mean))

    return objective_and_gradient(network, batch, objective, wanted.layers)[1]
