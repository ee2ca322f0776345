"""Inputs for the exercises' checks, drawn from a generator: maps, filters, images, masks, labels, and edge cases.

Every function takes the generator first, so that a seed repeats a check. Wrong answers must differ from right ones on
what is drawn: maps have negative values unless a ReLU cut them off, filters differ in length, and `planted` puts the
values that a text mentions (exactly 0, the ends of a range) among the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from days.common.comparison import plain


class Edge(tuple):
    """Arguments with something special about them; `edge` says what, as it follows on "wrong only where"."""

    edge: str


def edge(what: str, *inputs) -> Edge:
    """Arguments of a learner's function for which something is special that answers stumble over.

    >>> edge("the count is 0", 0).edge
    'the count is 0'
    """
    case = Edge(inputs)
    case.edge = what
    return case


def given(function: Callable, name: str, shape: tuple[int, ...]) -> Callable:
    """A function that is handed to learners: it takes an array of one shape, or a tensor, and answers in kind.

    name : what the exercise calls it. It raises ValueError, with what is wanted, for anything else.

    >>> given(lambda values: 2 * values, "slope", (2,))([1.0, 2.0])
    array([2., 4.])
    """

    def answer(values):
        array = np.asarray(plain(values))
        if array.shape != shape or array.dtype.kind not in "biuf":
            got = array.shape if array.dtype.kind in "biuf" else type(values).__name__
            raise ValueError(f"{name} takes one array {shape} of numbers, got {got}")
        found = function(array.astype(np.float64))
        if isinstance(found, np.ndarray) and hasattr(values, "new_tensor"):
            return values.detach().new_tensor(found)
        return found

    return answer


def drawn(draw: Callable[..., Any], *sizes: tuple, times: int = 1, **fixed) -> Callable:
    """What an exercise calls its cases: `draw(generator, *size, **fixed)` for every size, or `times` without sizes.

    What `draw` returns are the arguments of the learner's function: a tuple, or the only argument.

    >>> [case[0].shape for case in drawn(maps, (2, 3, 4), (5, 1, 1), relu=True)(np.random.default_rng(0))]
    [(2, 3, 4), (5, 1, 1)]
    """

    def draw_all(generator) -> list[tuple]:
        found = [draw(generator, *size, **fixed) for size in sizes or [()] * times]
        return [case if isinstance(case, tuple) else (case,) for case in found]

    return draw_all


def maps(
    generator, *shape: int, mean: float = 0.0, levels: tuple = (), relu: bool = False, silent: int = 0
) -> np.ndarray:
    """Maps (..., C, H, W), normal around `mean` with a spread of 1; with `relu` nothing is below 0.

    levels : (lowest, highest): the channels, in random order, lie evenly between quiet and loud.
    silent : so many of the channels, but not the last, are 0 everywhere.

    >>> maps(np.random.default_rng(0), 2, 3, 4, 5, levels=(-3, 3), relu=True).shape
    (2, 3, 4, 5)
    """
    values = generator.normal(mean, 1, shape)
    if levels:
        values += generator.permutation(np.linspace(levels[0], levels[1], shape[-3]))[:, None, None]
    if silent:
        values[..., generator.choice(shape[-3] - 1, silent, replace=False), :, :] = 0
    return np.maximum(values, 0) if relu else values


def silent_in_order(answer, *layers: np.ndarray):
    """A list of channels in which those that are 0 in every layer (C, H, W), and tie, stand by their number.

    What is no list of channels is returned as it is.

    >>> silent_in_order([2, 1, 0], np.array([0, 0, 5.0])[:, None, None]).tolist()
    [2, 0, 1]
    """
    channels = np.array(answer[0] if isinstance(answer, tuple) and len(answer) == 1 else answer)
    is_list = channels.ndim == 1 and channels.dtype.kind in "iu"
    if not is_list or not set(channels.tolist()) <= set(range(len(layers[0]))):
        return answer
    silent = ~np.any([layer[channels].any(axis=(1, 2)) for layer in layers], axis=0)
    channels[silent] = np.sort(channels[silent])
    return channels


def filters(generator, *shape: int, mean: float = 0.0) -> np.ndarray:
    """Filters (out, in, kh, kw) whose weights are normal around `mean`; the filters differ in length, up to ten times.

    >>> filters(np.random.default_rng(0), 8, 3, 3, 3).shape
    (8, 3, 3, 3)
    """
    return generator.normal(mean, 1, shape) * generator.uniform(0.1, 1, (shape[0], 1, 1, 1))


def masks(generator, count: int, size: int, side: int) -> np.ndarray:
    """Masks (count, size, size), each True in one square of `side` pixels at a random place.

    >>> masks(np.random.default_rng(0), 4, 8, 3).sum(axis=(1, 2)).tolist()
    [9, 9, 9, 9]
    """
    found = np.zeros((count, size, size), bool)
    for mask, (row, column) in zip(found, generator.integers(0, size - side + 1, (count, 2)), strict=True):
        mask[row : row + side, column : column + side] = True
    return found


def mixed(generator, values: np.ndarray, others: np.ndarray, share: float) -> np.ndarray:
    """`values`, of which a random `share` is replaced by `others`: answers of a network that is right now and then.

    >>> mixed(np.random.default_rng(0), np.zeros(5, int), np.ones(5, int), 0.5).tolist()
    [0, 1, 1, 1, 0]
    """
    return np.where(generator.random(values.shape) < share, others, values)


def planted(generator, values: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """`values`, among which every number of `edges` stands once, at a random place of its own.

    >>> sorted(planted(np.random.default_rng(0), np.full((2, 2), 0.5), (0, 1)).ravel().tolist())
    [0.0, 0.5, 0.5, 1.0]
    """
    values = values.copy()
    values.flat[generator.choice(values.size, len(edges), replace=False)] = edges
    return values


def slopes(score: Callable[[np.ndarray], float], values: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """The gradient of a score by central differences, for every value, in the shape of `values`: a truth for checks.

    Exact, but for rounding, where the score is a polynomial of degree 2.

    >>> slopes(lambda x: float((x**2).sum()), np.array([1.0, -2.0])).round(6).tolist()
    [2.0, -4.0]
    """
    found = np.zeros(values.shape)
    for place in np.ndindex(values.shape):
        change = np.zeros(values.shape)
        change[place] = step
        found[place] = (score(values + change) - score(values - change)) / (2 * step)
    return found
