"""What a picture is to excite: objectives that add and scale like numbers, whatever the framework.

    0.7 * channel("fire7", 3) + 0.3 * channel("fire7", 9) - layer("fire3")

Each is a sum of terms, and each term one number for every image, read off one layer's answer (N, C, h, w).

Source: Olah, Mordvintsev and Schubert, "Feature visualization", Distill, 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from days.common import squeezenet
from days.common.checks import check_index, check_integer
from days.common.comparison import brief


@dataclass(frozen=True)
class Term:
    """`weight` times one number read off `layer`: see the functions below for `kind`."""

    weight: float
    kind: str
    layer: str
    channel: int | None = None
    place: tuple[int, int] | None = None
    vector: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Objective:
    """A sum of terms. Objectives can be added, subtracted, negated, and multiplied or divided by numbers."""

    terms: tuple[Term, ...]

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.terms + other.terms) if isinstance(other, Objective) else NotImplemented

    def __mul__(self, factor: float) -> Objective:
        if not isinstance(factor, Real):
            return NotImplemented
        return Objective(tuple(replace(term, weight=term.weight * float(factor)) for term in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return self * -1

    def __sub__(self, other: Objective) -> Objective:
        return self + -other if isinstance(other, Objective) else NotImplemented

    def __truediv__(self, factor: float) -> Objective:
        return self * (1 / factor) if isinstance(factor, Real) else NotImplemented

    @property
    def layers(self) -> list[str]:
        """The layers that it needs, each once."""
        return layers_of([self])


def channel(layer: str, index: int) -> Objective:
    """A channel's mean over all places."""
    return Objective((Term(1.0, "channel", layer, channel=check_integer(index, 0, "a channel")),))


def active(layer: str, index: int) -> Objective:
    """A channel's mean over all places after a ReLU: what is below 0 counts as 0.

    The plain mean of a layer that is linear in the pixels, such as a first convolution, depends on little but the mean
    color, whatever its filters look for.
    """
    return Objective((Term(1.0, "active", layer, channel=check_integer(index, 0, "a channel")),))


def unit(layer: str, index: int, row: int | None = None, column: int | None = None) -> Objective:
    """A channel's answer at one place, the middle one unless told otherwise."""
    if (row is None) != (column is None):
        raise ValueError(f"expected a row and a column, or neither for the middle, got {row!r} and {column!r}")
    place = None if row is None else (check_integer(row, 0, "a row"), check_integer(column, 0, "a column"))
    return Objective((Term(1.0, "unit", layer, channel=check_integer(index, 0, "a channel"), place=place),))


def layer(name: str) -> Objective:
    """Half the mean square of everything that a layer answers: what DeepDream raises."""
    return Objective((Term(1.0, "layer", name),))


def direction(layer: str, vector: Sequence[float] | np.ndarray) -> Objective:
    """The mean over all places of the channels' sum, weighted by `vector` (C,) made as long as 1."""
    values = np.asarray(vector, np.float64)
    length = np.linalg.norm(values)
    if values.ndim != 1 or not np.isfinite(length) or length == 0:
        raise ValueError(f"expected a direction (C,) of finite numbers that are not all 0, got shape {values.shape}")
    return Objective((Term(1.0, "direction", layer, vector=tuple((values / length).tolist())),))


def logit(category: int, layer: str = "logits") -> Objective:
    """A category's score before the softmax; `layer` is the one that answers (N, categories)."""
    if isinstance(category, str):
        raise ValueError(f"expected a category's number, got {category!r}: model.categories.index({category!r})")
    return Objective((Term(1.0, "logit", layer, channel=check_integer(category, 0, "a category")),))


def requested(wanted, channels, before_relu: bool) -> list[Objective]:
    """One objective for each picture, from a layer's name with channels, or from one or several objectives.

    before_relu : a channel of one of SqueezeNet's fire modules is asked for before its ReLU. Raises ValueError for
    anything else.
    """
    if isinstance(wanted, str):
        if channels is None:
            raise ValueError(f"expected channels of {wanted!r}, got none: name some, or hand over an objective")
        indices = np.atleast_1d(channels)
        if indices.dtype.kind not in "iu" or indices.ndim != 1 or not indices.size:
            raise ValueError(f"expected channels as whole numbers, got {brief(channels)}")
        if not before_relu or wanted not in squeezenet.FIRE_WIDTHS:
            return [channel(wanted, index) for index in indices.tolist()]
        for index in indices.tolist():
            check_index(index, 2 * squeezenet.FIRE_WIDTHS[wanted][2], f"a channel of {wanted!r}")
        return [channel(*squeezenet.convolution_behind(wanted, index)) for index in indices.tolist()]
    found = [wanted] if isinstance(wanted, Objective) else wanted
    several = isinstance(found, Sequence) and found and all(isinstance(one, Objective) for one in found)
    if channels is not None or not several:
        got = type(wanted).__name__ + ("" if channels is None else f" and channels {brief(channels)}")
        raise ValueError(f"expected a layer's name with channels, or one or several objectives without, got {got}")
    return list(found)


def value(objective: Objective, answers: dict, mean: Callable = np.mean) -> Any:
    """The objective's value for every image, (N,), from {layer: answer}: arrays or tensors, channels first.

    mean : the framework's own, called as mean(answer, axes).
    """
    return sum(term.weight * _READ[term.kind](term, answers[term.layer], mean) for term in objective.terms)


def layers_of(wanted: Sequence[Objective]) -> list[str]:
    """The layers that several objectives need, each once."""
    return list(dict.fromkeys(term.layer for one in wanted for term in one.terms))


def values(wanted: Sequence[Objective], answers: dict, mean: Callable = np.mean, split: Callable = np.split) -> list:
    """Each picture's own objective: the n-th of `wanted` for the n-th image of the answers, a list of (1,).

    split : the framework's own; split(answer, n) cuts in n, with one gradient for all, where n slices would have n.
    """
    apart = {name: split(answer, len(wanted)) for name, answer in answers.items()}
    return [
        value(one, {name: pieces[place] for name, pieces in apart.items()}, mean) for place, one in enumerate(wanted)
    ]


def form_of(wanted: Sequence[Objective]) -> tuple[Objective, ...]:
    """The objectives without their numbers, every weight 1 and every channel 0: what a compiled graph is made for."""
    return tuple(Objective(tuple(_numbered(term, 1.0, 0) for term in one.terms)) for one in wanted)


def with_numbers(form: Sequence[Objective], weights: Sequence, channels: Sequence) -> list[Objective]:
    """The objectives with these weights and channels, one each for every term in turn; numbers or scalar tensors."""
    numbers = iter(zip(weights, channels, strict=True))
    return [Objective(tuple(_numbered(term, *next(numbers)) for term in one.terms)) for one in form]


def _numbered(term: Term, weight, channel) -> Term:
    return replace(term, weight=weight, channel=None if term.channel is None else channel)


def likeness(answer, einsum: Callable = np.einsum):
    """How alike pictures are to a layer that answers (n, C, h, w): the mean cosine of every two Gram matrices.

    A Gram matrix (C, C) holds how strongly each two channels fire together, wherever that is: a picture's texture.
    1 means that all show the same. Source: Olah and others, 2017, after Gatys and others, 2015.
    """
    count = answer.shape[0]
    gram = einsum("nchw,ndhw->ncd", answer, answer)
    length = einsum("ncd,ncd->n", gram, gram) ** 0.5 + 1e-12
    cosines = einsum("ncd,mcd->nm", gram, gram) / (length[:, None] * length[None])
    return (einsum("nm->", cosines) - einsum("nn->", cosines)) / (count * (count - 1))


def check_terms(wanted: Sequence[Objective], shapes: dict[str, tuple], diversity: float = 0) -> None:
    """Raise ValueError for what cannot be read off answers of these shapes, {layer: (N, C, ...)}."""
    for term in (term for one in wanted for term in one.terms):
        shape = shapes.get(term.layer)
        if shape is None:
            raise ValueError(f"layer {term.layer!r} did not run in this forward pass, or gave no single tensor")
        axes = 2 if term.kind == "logit" else 4
        if len(shape) != axes:
            form = "(N, categories)" if axes == 2 else "maps (N, C, H, W)"
            way_out = (
                "choose a layer that has them" if axes == 2 else "choose an earlier layer, or ask for a logit(...)"
            )
            raise ValueError(f"expected {form} from layer {term.layer!r}, got {shape}: {way_out}")
        if term.channel is not None:
            check_index(term.channel, shape[1], f"a channel of {term.layer!r}")
        if term.vector is not None and len(term.vector) != shape[1]:
            raise ValueError(f"expected a direction of {shape[1]} numbers for {term.layer!r}, got {len(term.vector)}")
        for index, count in zip(term.place or (), shape[2:], strict=False):
            check_index(index, count, f"a row or column of {term.layer!r}")
    if diversity and (len(wanted) < 2 or len(shapes[wanted[0].layers[0]]) != 4):
        raise ValueError("expected two pictures or more, of a layer with maps, for a diversity; ask for [3, 3, 3, 3]")


def _unit(term: Term, answer, mean):
    row, column = term.place or (answer.shape[2] // 2, answer.shape[3] // 2)
    return answer[:, term.channel, row, column]


def _along(term: Term, answer, mean):
    means = mean(answer, (2, 3))
    return sum(weight * means[:, index] for index, weight in enumerate(term.vector or ()) if weight)


_READ = {
    "channel": lambda term, answer, mean: mean(answer[:, term.channel], (1, 2)),
    "active": lambda term, answer, mean: mean((answer[:, term.channel] + abs(answer[:, term.channel])) / 2, (1, 2)),
    "unit": _unit,
    "layer": lambda term, answer, mean: mean(answer**2, (1, 2, 3)) / 2,
    "direction": _along,
    "logit": lambda term, answer, mean: answer[:, term.channel],
}
