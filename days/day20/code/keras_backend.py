"""What grows, in Keras: pictures, and one step of Adam. `torch_backend` does the same by the same names.

What makes it fast stands in `keras_fast`; what it computes can be read here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from days.day19.code.keras_backend import live_maps, no_gradient, tensorflow
from days.day20.code import objectives
from days.day20.code.ascent import Ascent, input_gradient, maximize
from days.day20.code.keras_fast import NoGradient, compiled_step, drawer, input_maker
from days.day20.code.objectives import Objective
from days.day20.code.parameterization import Painting, bilinear

__all__ = ["Ascent", "Painter", "input_gradient", "maximize"]


class Painter:
    """The numbers that pictures are written in, which Adam moves, as in `torch_backend`: one `step` up at a time."""

    def __init__(self, network, wanted: Sequence[Objective], first: np.ndarray, painting: Painting):
        self._network, self._size = network, painting.size  # what is compiled holds the network but weakly
        self._values = self._before = tensorflow.constant(first)
        self._moments, self._count = (tensorflow.zeros_like(self._values),) * 2, 0
        self._draw = drawer(painting)
        self._layers, self._to_input = objectives.layers_of(wanted), input_maker(painting)
        answers = _answers(network, self._layers, self._to_input(self._draw(self._values)))
        shapes = {name: tuple(answer.shape) for name, answer in answers.items()}
        objectives.check_terms(wanted, shapes, painting.diversity)
        terms = [term for objective in wanted for term in objective.terms]
        weights = tensorflow.constant([term.weight for term in terms], tensorflow.float32)
        self._numbers = weights, tensorflow.constant([term.channel or 0 for term in terms], tensorflow.int32)
        self._go = compiled_step(network, _look, wanted, painting)

    def step(self, matrix: np.ndarray | None, wide: int) -> np.ndarray | None:
        """Go one step up: the objectives (n,) before it; None, and one step back, where something is not finite."""
        places = () if matrix is None else bilinear(matrix, self._size, wide)
        self._count += 1
        state = self._values, *self._moments, tensorflow.constant(float(self._count))
        try:
            reached, finite, values, *moments = self._go(*self._numbers, *state, *map(tensorflow.constant, places))
        except NoGradient as error:
            raise no_gradient(self._network, self._to_input(self._draw(self._values)), self._layers) from error
        if not finite:
            self._values = self._before
            return None
        self._before, self._values, self._moments = self._values, values, moments
        return reached.numpy()

    def images(self) -> np.ndarray:
        """The pictures as they stand, (n, size, size, 3) in [0, 1]."""
        return tensorflow.transpose(self._draw(self._values), (2, 0, 1, 3)).numpy()


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


def _answers(network, layers: Sequence[str], batch) -> dict:
    """Live answers, channels first, in single precision, whatever the network's, as all else is here."""
    return {name: tensorflow.cast(answer, "float32") for name, answer in live_maps(network, layers, batch).items()}
