"""Whether a map of where a network looked is worth believing: each stands beside its controls, as Day 22 teaches.

A map that stays the same when the late layers are shuffled shows the photo, and not what the network has learned. A
bright place whose covering costs no more of the score than a random place is not what decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from days.day22.code.maps import enlarge
from days.day22.code.methods import grad_cam
from days.day22.code.randomization import randomized, rank_correlation
from days.xray.anatomy import Layer
from days.xray.subject import Subject

COVERED = 0.1
ELSEWHERE = 5
"""So many patches of the same size and shape are covered at random places."""


class Question(NamedTuple):
    """What is asked of a network: the output `number`, and whether it is taken as it is, 1, or speaks against, -1."""

    number: int
    sign: int


@dataclass(frozen=True)
class Controlled:
    """A map (h, w) with its controls.

    shuffled : the map of the same network with shuffled late layers, or None where it could not be had. fall : by how
    much the score falls where the map's brightest tenth is covered with the photo's mean color. elsewhere : the same
    for patches of that shape at random places, (ELSEWHERE,).
    """

    heatmap: np.ndarray
    shuffled: np.ndarray | None
    fall: float
    elsewhere: np.ndarray

    @property
    def likeness(self) -> float:
        """The rank correlation with the shuffled network's map; nan where one of them is empty or missing."""
        return float("nan") if self.shuffled is None else rank_correlation(self.heatmap, self.shuffled)

    @property
    def counts_more(self) -> bool:
        """Whether the brightest tenth costs more of the score than every patch elsewhere."""
        return bool(self.fall > self.elsewhere.max())


def with_late_layers_shuffled(subject: Subject, layer: Layer):
    """A copy of the network in which `layer` and all that has weights behind it are shuffled.

    Raises ValueError for a network that cannot be copied.
    """
    names = subject.backend.weighted_layers(subject.network)
    # The weights of a parametrized layer are those of a layer inside it.
    first = next(place for place, name in enumerate(names) if f"{name}.".startswith(f"{layer.name}."))
    return randomized(subject.network, names[first:], seed=0)


def explain(network, batch, layer: Layer, asked: Question) -> np.ndarray:
    """What speaks for an answer, (h, w): Grad-CAM at a layer, of a network or of a copy of it."""
    maps = grad_cam(network, batch, layer.convolution.watch, asked.number, signed=True)
    return np.nan_to_num(np.maximum(asked.sign * maps, 0))


def controlled(
    subject: Subject, photo: np.ndarray, layer: Layer, asked: Question, shuffled_network, seed: int
) -> Controlled:
    """A photo's map with its controls. shuffled_network : see `with_late_layers_shuffled`; None goes without."""
    batch = subject.batch(photo[None])
    heatmap = explain(subject.network, batch, layer, asked)
    shuffled = None if shuffled_network is None else explain(shuffled_network, batch, layer, asked)
    masks = patches(heatmap, photo.shape[:2], seed)
    covered = np.where(masks[..., None], photo.mean(axis=(0, 1)), photo)
    covered = subject.batch(np.concatenate([photo[None], covered]).astype(np.float32))
    answers, _, _ = subject.backend.look(subject.network, [], None, covered)
    before, *after = asked.sign * answers[:, asked.number]
    falls = before - np.array(after)
    return Controlled(heatmap, shuffled, float(falls[0]), falls[1:])


def patches(heatmap: np.ndarray, size: tuple[int, int], seed: int) -> np.ndarray:
    """The brightest tenth of a map, enlarged to `size`, then the same shape moved to random places: (1 + n, H, W).

    What is moved over one border comes in at the other.
    """
    values, generator = enlarge(heatmap, size).ravel(), np.random.default_rng(seed)
    brightest = np.zeros(values.size, bool)
    brightest[np.argsort(-values, kind="stable")[: max(1, round(COVERED * values.size))]] = True
    brightest = brightest.reshape(size)
    ways = generator.integers(0, size, (ELSEWHERE, 2))
    return np.stack([brightest, *(np.roll(brightest, tuple(way), axis=(0, 1)) for way in ways)])


def verdict(seen: Sequence[Controlled]) -> str:
    """What the controls say of these maps together, in a sentence or two."""
    falls, elsewhere = np.mean([one.fall for one in seen]), np.mean([one.elsewhere.mean() for one in seen])
    won = sum(one.counts_more for one in seen)
    said = (
        f"Covering the brightest tenth of a map lowers the score by {falls:.3g}, the mean of {len(seen)} photos. "
        f"Covering a patch of the same shape elsewhere lowers it by {elsewhere:.3g}. On {won} of {len(seen)} photos "
        f"the brightest tenth matters more than each of {ELSEWHERE} such patches."
    )
    likeness = np.array([one.likeness for one in seen])
    if np.isfinite(likeness).any():
        said += (
            f" The median rank correlation with the maps of the shuffled network is {np.nanmedian(likeness):.2f}. "
            "(At 1, a map would be the same whatever the late layers had learned.)"
        )
    if won <= len(seen) / 2:
        said += " So these maps do not show what the predictions depend on: do not rely on them."
    return said
