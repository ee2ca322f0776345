"""The examination: the network runs over the photos, as it is fed and as it might be, and what is seen is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from scipy import stats
from tqdm.auto import tqdm

from days.common.answers import as_scores
from days.common.models import softmax
from days.common.preprocessing import Pixels
from days.day17.code.backends import meaning_of
from days.xray.anatomy import Convolution, Layer, NormStatistics, Summary, averaged, together
from days.xray.facts import Facts, facts_of
from days.xray.loading import Photos, truth_of
from days.xray.preprocessing import alternatives
from days.xray.subject import Subject

BATCH = 4
FEW = 3
"""Of fewer photos no other preprocessing is tried."""

Item = TypeVar("Item")
Track = Callable[[Sequence[Item], str], Iterable[Item]]
"""Goes through a sequence and shows, by the words that it is given, what is being done and how far it is."""


def untracked(items: Sequence[Item], doing: str) -> Iterable[Item]:
    """A `Track` that shows nothing."""
    return items


def tracked(before: str = "", *, shown: bool) -> Track:
    """A `Track` that shows a bar, with `before` in front of its words, or nothing unless it is `shown`."""

    def track(items: Sequence[Item], doing: str) -> Iterable[Item]:
        return tqdm(items, desc=before + doing, disable=not shown, leave=False)

    return track


class Trial(NamedTuple):
    """What the network says of the images under one preprocessing: scores (N, categories), and its first batch norm.

    outputs : how many numbers it answers with; a single one stands for two categories.
    """

    name: str
    scores: np.ndarray
    norm: NormStatistics | None
    outputs: int

    @property
    def probabilities(self) -> np.ndarray:
        """Of each category for each image, (N, categories)."""
        return softmax(np.nan_to_num(self.scores))

    @property
    def information(self) -> float:
        """How much an answer tells of which image was shown, in nats: entropy of the mean answer - mean entropy."""
        shares = self.probabilities
        return float(stats.entropy(shares.mean(axis=0)) - stats.entropy(shares, axis=-1).mean())

    @property
    def confidence(self) -> float:
        """The mean of the highest probability."""
        return float(self.probabilities.max(axis=-1).mean())

    def right(self, truth: np.ndarray) -> np.ndarray:
        """Which images (N,) are told right."""
        return self.scores.argmax(axis=-1) == truth


@dataclass(frozen=True)
class Examination:
    """All that was seen of a network.

    truth : the photos' categories (N,), or None where they are not known; truth_words : how they are known. facts : one
    for each of `layers`. trials : the preprocessing as given, then others that were tried. training_layers : how many
    layers of the network came in training mode.
    """

    subject: Subject
    photos: Photos
    truth: np.ndarray | None
    truth_words: str
    layers: tuple[Layer, ...]
    facts: tuple[Facts, ...]
    trials: tuple[Trial, ...]
    training_layers: int


def examination_of(subject: Subject, photos: Photos, track: Track = untracked) -> Examination:
    """Run the network over the photos, as it is fed and as it might be. Raises ValueError where it cannot run."""
    network, backend = subject.network, subject.backend
    training_layers = backend.training_layers(network)
    try:
        convolutions, norm = backend.convolutions(network, subject.batch(photos.images[:1]))
    except ValueError as error:
        of_images = "size" in str(error).replace("weight of size", "")
        said = f"; for the X-ray, size (--size) says how large, now {subject.size}" if of_images else ""
        raise ValueError(f"{error}{said}") from error
    if not convolutions:
        raise ValueError("no 2-d convolution of the network ran on the first photo: there are no maps to look at")
    trials, summaries = _tried(subject, photos.images, convolutions, norm, track)
    count = trials[0].scores.shape[1]
    if subject.categories and len(subject.categories) != count:
        raise ValueError(f"expected {count} labels, one a category, got {len(subject.categories)}")
    truth, words = truth_of(photos.folders, subject.categories, count, photos.below)
    folders = photos.folders or []
    if truth is not None and not subject.categories and not any(map(str.isdigit, folders)):
        subject = replace(subject, categories=sorted(set(folders)))
    layers, facts = [], []
    for part in convolutions:
        read = partial(backend.folded_weights, network, part)
        weights = read()
        layers.append(Layer(part, weights.filters.shape, summaries[part.layer], read))
        with np.errstate(all="ignore"):
            facts.append(facts_of(layers[-1], weights, subject.pixels.reach))
    return Examination(subject, photos, truth, words, tuple(layers), tuple(facts), tuple(trials), training_layers)


def _tried(
    subject: Subject, images: np.ndarray, convolutions: Sequence[Convolution], norm: str | None, track: Track
) -> tuple[list[Trial], dict[str, Summary]]:
    """The preprocessing as given, then others, tried on all images; and the maps' summaries by layer, as given."""
    answers, statistics, summaries = _looked(subject, images, subject.pixels, convolutions, norm, track)
    said = [(subject.pixels.name, answers, statistics)]
    for pixels in alternatives(subject.pixels) if len(images) >= FEW else ():
        said.append((pixels.name, *_looked(subject, images, pixels, [], norm, track)[:2]))
    # What the numbers mean is told once, by all of them.
    kind = meaning_of(subject.network, subject.batch(images[:1]), np.concatenate([seen for _, seen, _ in said]))
    return [Trial(name, as_scores(seen, kind), norms, seen.shape[1]) for name, seen, norms in said], summaries


def _looked(
    subject: Subject,
    images: np.ndarray,
    pixels: Pixels,
    convolutions: Sequence[Convolution],
    norm: str | None,
    track: Track,
) -> tuple[np.ndarray, NormStatistics | None, dict[str, Summary]]:
    """All images under one preprocessing, a few at a time: the answers (N, outputs), the first batch norm, the maps."""
    scores, norms = [], []
    summaries: dict[str, list[Summary]] = {part.layer: [] for part in convolutions}
    for start in track(range(0, len(images), BATCH), f"looking, fed with {pixels.name}"):
        batch = subject.batch(images[start : start + BATCH], pixels)
        answers, seen, statistics = subject.backend.look(subject.network, convolutions, norm, batch)
        scores.append(answers)
        norms += [statistics] if statistics else []
        for layer, summary in seen.items():
            summaries[layer].append(summary)
    return np.concatenate(scores), averaged(norms), {layer: together(parts) for layer, parts in summaries.items()}
