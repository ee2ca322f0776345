"""What a channel is made of and what it speaks for, read off the weights: its filter, its inputs, its votes."""

from __future__ import annotations

import numpy as np

from days.day17.code.backends import filters
from days.microscope.backends import microscope_backend
from days.microscope.looking import Probes
from days.microscope.store import significant
from days.microscope.walls import Wall, is_squeezenet
from days.xray.subject import Subject

INPUTS, VOTES = 6, 5


def _own(values: np.ndarray, wall: Wall) -> np.ndarray:
    """Of the filters of a wall's one convolution, those of the channels that are shown, turned as they were asked."""
    signs = np.sign([objective.terms[-1].weight for objective in wall.wanted])
    return values[list(wall.shown)] * signs.reshape(-1, 1, 1, 1)


def color_filters(subject: Subject, wall: Wall) -> np.ndarray:
    """The filters of a layer that reads pictures, (n, kh, kw, 3): how its answer changes with red, green and blue.

    Whatever the preprocessing does to colors is in them: they are in units of pixels from 0 to 1.
    """
    own = _own(filters(subject.network, wall.name), wall)
    return np.einsum("oihw,ic->ohwc", own, subject.pixels.matrix)


def strongest_inputs(subject: Subject, wall: Wall) -> list[list]:
    """For each channel, the up to six channels before it with the largest weights: [layer or None, channel, weight].

    The weight is the length of the filter's slice for that input, with the sign of the slice's sum. In SqueezeNet it is
    taken through the module's squeeze layer, by the product of the two layers' weights, as if the ReLU between them let
    everything pass.
    """
    if wall.grouped:
        return [[] for _ in wall.shown]
    raw = _through_squeeze(subject, wall) if wall.reads else filters(subject.network, wall.name)
    slices = _own(raw, wall)
    sums = slices.sum(axis=(2, 3))
    weights = np.where(sums < 0, -1, 1) * np.sqrt((slices**2).sum(axis=(2, 3)))
    best = np.argsort(-np.abs(weights), axis=1, kind="stable")[:, :INPUTS]
    return [
        [[wall.reads, int(index), significant(row[index], 3)] for index in chosen]
        for row, chosen in zip(weights, best, strict=True)
    ]


def _through_squeeze(subject: Subject, wall: Wall) -> np.ndarray:
    """A fire module's filters for what comes into it, (out, in, 3, 3): expand times squeeze."""
    squeeze = filters(subject.network, f"{wall.name}.squeeze")[:, :, 0, 0]
    ones, threes = (filters(subject.network, f"{wall.name}.expand{size}x{size}") for size in (1, 3))
    expand = np.concatenate([np.pad(ones, ((0, 0), (0, 0), (1, 1), (1, 1))), threes])
    return np.einsum("oshw,si->oihw", expand, squeeze)


def votes(subject: Subject, wall: Wall, probes: Probes) -> list | None:
    """For each channel its five strongest votes for categories, and against: [[category, weight] x 5] twice; or None.

    A vote is how much a score rises when the mean of the channel's map rises by 1. That is exact where only an average
    over all places and one linear layer come behind; None elsewhere. SqueezeNet's last module counts, although there
    the linear layer, conv10, comes first, then a ReLU, then the average: its votes are exact for the mean of conv10's
    map before that ReLU.
    """
    weights = None
    if not is_squeezenet(subject):
        weights = linear_votes(subject, wall, probes)
    elif wall.name == "fire9":
        weights = filters(subject.network, "conv10")[:, list(wall.shown), 0, 0].T
    if weights is None:
        return None
    listed = []
    for row in weights:
        order, count = np.argsort(row, kind="stable"), min(VOTES, len(row) // 2)
        both = order[::-1][:count], order[:count]
        listed.append([[[int(category), significant(row[category], 3)] for category in side] for side in both])
    return listed


def linear_votes(subject: Subject, wall: Wall, probes: Probes) -> np.ndarray | None:
    """What lies behind a layer as weights (n, categories) of its maps' means; None where it is nothing of the kind.

    It is measured, one channel at a time, and held against the photos. What a ReLU behind the layer lets pass counts.
    """
    maps, rest = microscope_backend(subject.network).behind(subject.network, wall.watch, probes.batch)
    shown, count, passed = list(wall.shown), len(maps), np.maximum(maps, 0)
    nothing, answer = rest(0 * passed), rest(passed)
    # Twice the maps and moved maps tell at once what is not linear, or cares for places.
    if not (_alike(rest(2 * passed), 2 * answer - nothing) and _alike(rest(np.roll(passed, 1, axis=3)), answer)):
        return None
    weights = []
    for start in range(0, len(shown), count):
        single = np.zeros_like(maps)
        for copy, index in zip(single, shown[start : start + count], strict=False):
            copy[index] = 1
        weights.extend(rest(single) - nothing)
    found = np.array(weights[: len(shown)])
    without = passed.copy()
    without[:, shown] = 0
    return found if _alike(answer, rest(without) + passed[:, shown].mean(axis=(2, 3)) @ found) else None


def _alike(found: np.ndarray, told: np.ndarray) -> bool:
    return bool(np.allclose(found, told, rtol=1e-3, atol=1e-3 * np.abs(told).max()))
