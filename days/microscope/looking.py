"""What channels do on photographs: which crops excite them most, and what the network says without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from days.common.answers import as_scores
from days.common.images import load_image
from days.common.models import softmax
from days.day17.code.backends import meaning_of
from days.day20.code import evidence
from days.day20.code.photographs import Crop, crops, top_crops
from days.day22.code.methods import scores
from days.microscope.backends import microscope_backend
from days.microscope.photos import Gallery
from days.microscope.source import model_from
from days.microscope.store import significant
from days.microscope.walls import Wall
from days.xray.examination import Track, untracked
from days.xray.subject import Subject

AT_ONCE, MEMORY = 64, 4_000_000
"""So many crops, and so many numbers of a layer's maps, go through a network at once."""


class Found(NamedTuple):
    """Crops of photos, and how every channel of some walls responds to each: {wall: (crops, n)}."""

    crops: list[Crop]
    responses: dict[str, np.ndarray]


def responses_to_crops(
    subject: Subject, walls: Sequence[Wall], photos: Gallery, side: int, track: Track = untracked
) -> Found:
    """Show all walls' channels thousands of square crops of `side` pixels, and ask them what was raised in growing."""
    found, model = crops(photos.images, side), model_from(subject)
    wanted = [objective for wall in walls for objective in wall.wanted]
    parts = [
        evidence.responses(model, wanted, [crop.image for crop in found[start : start + AT_ONCE]])
        for start in track(range(0, len(found), AT_ONCE), "showing crops")
    ]
    answers = np.concatenate(parts)
    ends = np.cumsum([len(wall.wanted) for wall in walls])[:-1]
    return Found(found, dict(zip([wall.name for wall in walls], np.split(answers, ends, axis=1), strict=True)))


def best_crops(found: Found, wall: Wall, names: Sequence[str]) -> list[list[list[float]]]:
    """Up to nine crops for each channel, best first: [photo's number, left, top, width, height, response].

    The numbers between are shares of the photo's sides. No two show much of the same place.
    """
    numbers = {name: index for index, name in enumerate(names)}
    listed = []
    for answers in found.responses[wall.name].T:
        rows = []
        for place in top_crops(found.crops, answers):
            top, left, bottom, right = found.crops[place].box
            box = [round(share, 3) for share in (left, top, right - left, bottom - top)]
            rows.append([numbers[found.crops[place].photo], *box, significant(answers[place])])
        listed.append(rows)
    return listed


class Probes(NamedTuple):
    """Photos that channels are switched off on: their names, as a batch, and the network's scores (N, categories).

    kind : what the network's outputs mean, see `answers.meaning`.
    """

    names: Sequence[str]
    batch: Any
    scores: np.ndarray
    kind: str

    @property
    def said(self) -> np.ndarray:
        """The predicted categories, (N,)."""
        return self.scores.argmax(axis=1)

    @property
    def sure(self) -> np.ndarray:
        """Their probabilities, (N,)."""
        return softmax(self.scores).max(axis=1)


def probes_of(subject: Subject, photos: Gallery) -> Probes:
    """The probes of a gallery, and what the network says of them."""
    images = np.stack([load_image(photos.images[name], size=subject.size) for name in photos.probes])
    batch = subject.batch(images)
    answers = scores(subject.network, batch)
    kind = meaning_of(subject.network, batch, answers)
    return Probes(photos.probes, batch, as_scores(answers, kind), kind)


def silenced(subject: Subject, wall: Wall, probes: Probes) -> list[list]:
    """What the network says of each probe when a channel is 0 everywhere, for every channel that is shown.

    [the predicted category's probability then, how its score has changed, the new top category or -1]; a plain 0 where
    nothing of this changes by a thousandth. Only what lies behind the layer is computed, where that can be told apart.
    """
    maps, rest = microscope_backend(subject.network).behind(subject.network, wall.watch, probes.batch)
    firing = maps.any(axis=(0, 2, 3))
    told: dict[int, list] = {index: [0] * len(maps) for index in wall.shown}
    asked = [index for index in wall.shown if firing[index]]
    together = max(1, MEMORY // maps.size)
    for start in range(0, len(asked), together):
        channels = asked[start : start + together]
        without = np.repeat(maps[None], len(channels), axis=0)
        for copy, index in zip(without, channels, strict=True):
            copy[:, index] = 0
        answers = as_scores(rest(without.reshape(-1, *maps.shape[1:])), probes.kind)
        for index, after in zip(channels, np.split(answers, len(channels)), strict=True):
            told[index] = _changes(probes, after)
    return list(told.values())


def _changes(probes: Probes, after: np.ndarray) -> list:
    """What is told of one silenced channel; after : the scores (N, categories) without it."""
    each = np.arange(len(after))
    sure, change = softmax(after)[each, probes.said], (after - probes.scores)[each, probes.said]
    rows: list = []
    for place, top in enumerate(after.argmax(axis=1).tolist()):
        row = [round(float(sure[place]), 3), round(float(change[place]), 3), top if top != probes.said[place] else -1]
        rows.append(0 if row == [round(float(probes.sure[place]), 3), 0, -1] else row)
    return rows
