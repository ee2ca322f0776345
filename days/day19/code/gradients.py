"""What to change in the pixels, or in a layer's maps: the gradient of an objective, from a network of either framework.

`torch_backend` and `keras_backend` take it; whatever is asked of it is written here once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from days.common.answers import why_saturated
from days.common.checks import check_index, check_maps, check_scores
from days.day17.code.backends import backend_of, meaning_of

Objective = Callable[[dict[str, Any]], Any]
"""From {layer: its live answer, channels first} to one live number."""

NO_RELU = "no ReLU ran in its forward pass, so this is the plain gradient"


class Look(NamedTuple):
    """One pass through a classifier, ready to be asked for gradients.

    inside : a layer's maps (N, C, h, w), or the batch's values. answers : of a classifier, (N, categories).
    gradient : how much each score counts, (N, categories) -> how their sum changes with `inside`, (N, C, h, w); 0
    where it does not depend on it. why_flat : what in the network keeps gradients away, in words; "" where nothing is
    seen that does.
    """

    inside: np.ndarray
    answers: Any
    gradient: Callable[[np.ndarray], np.ndarray]
    why_flat: Callable[[], str]


def look(network, batch, layer: str | None = None, *, guided: bool = False) -> Look:
    """One pass through a classifier that can be asked for gradients: at a layer's maps, or at the batch's values.

    guided : what flows back through any ReLU is cut off below 0. Raises ValueError for a layer that does not exist or
    did not run, and for a batch that the network cannot take.
    """
    return backend_of(network, 19).look(network, batch, layer, guided=guided)


def why_zero(network, batch, layer: str | None, number: int) -> str:
    """Why the gradient of a category's score is 0, as far as that is known; "" where it is not. See `look`."""
    seen = look(network, batch, layer)
    return seen.why_flat() or why_saturated(seen.answers, number, meaning_of(network, batch, seen.answers))


def objective_and_gradient(network, batch, of: Objective, layers: Sequence[str]) -> tuple[float, np.ndarray]:
    """An objective of what `layers` answer, and how it changes with each value of the batch, (N, C, H, W).

    Raises ValueError for an unknown layer, and where nothing leads from the batch to the objective.
    """
    return backend_of(network, 19).objective_and_gradient(network, batch, of, layers)


def value_and_gradient(network, layer: str, pixels: np.ndarray, channel: int | None = None) -> tuple[float, np.ndarray]:
    """How strongly a layer answers to `pixels`, and how that changes with every pixel.

    pixels : (N, 3, H, W) as the network wants them, preprocessed, channels first for both frameworks.
    channel : the objective is this channel's mean; None takes the whole layer, half the mean of its squares.

    Returns the objective, and its gradient with respect to the pixels, (N, 3, H, W). The weights get no gradient, and
    the network comes back as it was. Raises ValueError for an unknown layer or a channel out of range.
    """
    mean = backend_of(network, 19).mean

    def objective(answers):
        answer = answers.get(layer)
        if answer is None:
            raise ValueError(f"layer {layer!r} did not run, or gave no single tensor")
        if channel is None:
            return mean(answer**2) / 2
        return mean(answer[:, check_index(channel, answer.shape[1], f"a channel of {layer!r}")])

    return objective_and_gradient(network, backend_of(network).from_planes(np.asarray(pixels)), objective, [layer])


def maps_and_gradients(network, layer: str, pixels: np.ndarray, category: int) -> tuple[np.ndarray, np.ndarray]:
    """A layer's maps, and how a category's logit changes with every unit of them: two arrays (N, C, h, w).

    What follows the layer is run on the maps alone, so that they, not the pixels, are what is differentiated.

    Raises ValueError for a layer that does not exist or has no maps, and a category out of range.
    """
    batch = backend_of(network).from_planes(np.asarray(pixels))
    seen = look(network, batch, layer)
    backend_of(network).check_axes(network, layer, seen.inside, batch)
    check_maps(layer, seen.inside)
    number = check_index(category, check_scores(seen.answers, len(seen.inside)), "a category")
    targets = np.zeros(seen.answers.shape, np.float32)
    targets[:, number] = 1
    return seen.inside, seen.gradient(targets)
