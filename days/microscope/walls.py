"""Which layers get a wall, what each of their channels is asked for, and how large its picture is grown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from days.common import squeezenet
from days.common.checks import check_integer, unknown_layer
from days.day17.code.backends import backend_of, capture, conv_layers, filters
from days.day20.code.objectives import Objective, active, channel, requested
from days.xray.anatomy import Convolution
from days.xray.subject import Subject

LEAK = 0.1
GROWN_SIDE, PLACES = 96, 16
"""A picture is grown with so many pixels a side, and fewer where the layer's map has so many places across already."""


class Wall(NamedTuple):
    """A layer's channels.

    channels : how many the layer has. shown : those that are shown. wanted : what each of these is asked for. watch :
    the layer whose answer is silenced. side : of the pictures while they grow, in pixels. reads : the layer whose
    channels it reads, if that is known. first : whether it reads the picture itself. grouped : each filter reads only
    some of the channels before it.
    """

    name: str
    channels: int
    shown: tuple[int, ...]
    wanted: tuple[Objective, ...]
    watch: str
    side: int
    reads: str | None
    first: bool
    grouped: bool = False


def is_squeezenet(subject: Subject) -> bool:
    """Whether a network has the layers of the course's SqueezeNet."""
    return set(conv_layers(subject.network)) == set(squeezenet.weight_shapes())


def walls_of(subject: Subject, names: Sequence[str] | None = None, *, every: int = 1, least: int = 0) -> list[Wall]:
    """The walls of a network: of SqueezeNet's modules, or of any other network's convolutions, in forward order.

    names : of the layers wanted; all without. every : show each so-manieth channel. least : pixels a side that pictures
    are grown with at least, where the layer is deep enough. Raises ValueError for an unknown layer.
    """
    check_integer(every, 1, "every")
    walls = _squeezenet_walls(every) if is_squeezenet(subject) else _other_walls(subject, every)
    known = [wall.name for wall in walls]
    for name in names or ():
        if name not in known:
            raise unknown_layer(name, known)
    chosen = [wall for wall in walls if not names or wall.name in names]
    sides = _sides(subject, [wall.watch for wall in chosen], max(GROWN_SIDE, least))
    return [wall._replace(side=side) for wall, side in zip(chosen, sides, strict=True)]


def _squeezenet_walls(every: int) -> list[Wall]:
    widths = {"conv1": 64} | {name: 2 * expand for name, (_, _, expand) in squeezenet.FIRE_WIDTHS.items()}
    walls = []
    for (name, width), before in zip(widths.items(), [None, *widths], strict=False):
        shown = tuple(range(0, width, every))
        wanted = requested(name, shown, True) if before else [_first(name, index) for index in shown]
        walls.append(Wall(name, width, shown, tuple(wanted), name, 0, before, before is None))
    return walls


def _other_walls(subject: Subject, every: int) -> list[Wall]:
    """A wall for each convolution that runs."""
    network = subject.network
    image = np.full((1, subject.size, subject.size, 3), 0.5, np.float32)
    found, _ = subject.backend.convolutions(network, subject.batch(image))
    if not found:
        raise ValueError("expected a network whose 2-d convolutions run on an image, got one of which none did")
    walls = []
    for part in found:
        signs = _signs(subject, part)
        shown = tuple(range(0, len(signs), every))
        wanted = tuple(_asked(part, index, signs[index] > 0) for index in shown)
        about = part.watch, 0, None, part.sees_pixels, part.grouped
        walls.append(Wall(part.layer, len(signs), shown, wanted, *about))
    return walls


def _asked(part: Convolution, index: int, upright: bool) -> Objective:
    """The channel's mean before its ReLU; see `_first` for a layer that reads the picture itself.

    upright : False where a batch norm behind the convolution turns the channel around.
    """
    if part.sees_pixels:
        return _first(part.layer, index, upright)
    return channel(part.layer, index) if upright else -channel(part.layer, index)


def _first(layer: str, index: int, upright: bool = True) -> Objective:
    """What a channel that is linear in the pixels is asked for: its mean after a ReLU, and a little of that before it.

    The little leads to where a channel begins to fire that is silent on gray.
    """
    mean = channel(layer, index)
    return active(layer, index) + LEAK * mean if upright else active(layer, index) - mean - LEAK * mean


def _signs(subject: Subject, part: Convolution) -> np.ndarray:
    """1 for each channel of a convolution, and -1 where a batch norm behind it turns it around."""
    raw = filters(subject.network, part.layer)
    folded = subject.backend.folded_weights(subject.network, part).filters
    return np.where((raw * folded).sum(axis=(1, 2, 3)) < 0, -1, 1)


def _sides(subject: Subject, layers: Sequence[str], most: int) -> list[int]:
    """How many pixels a side pictures for these layers are grown with: see `PLACES`; the size that a network is bound
    to, or that its photos have where it takes no smaller one."""
    image = np.full((1, subject.size, subject.size, 3), 0.5, np.float32)
    answers = capture(subject.network, layers, subject.batch(image))
    steps = {layer: max(1, round(subject.size / answer.shape[2])) for layer, answer in answers.items()}
    sides = [subject.bound or min(most, PLACES * steps[layer]) for layer in layers]
    try:
        for layer, side in zip(layers, sides, strict=True):
            backend_of(subject.network).capture(subject.network, layer, subject.batch(image[:, :side, :side]))
    except ValueError:
        return [subject.size] * len(layers)
    return sides
