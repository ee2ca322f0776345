"""From arrays to plain words: what is wrong with a network's filters and with how it is fed, and how sure that is.

A healthy network has silent channels, opposite twins and rough filters, too. What is usual stands in a layer's facts;
a finding is what healthy networks do not show. The thresholds were set on SqueezeNet, EfficientNet-Lite0 and 20
healthy patients of Day 23's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import comb
from typing import NamedTuple

import numpy as np

from days.common.models import softmax
from days.day18.code.filter_statistics import largest_possible
from days.day23.code import detectors
from days.day24.code.anatomy import Layer, NormStatistics

SERIOUS, WORTH_A_LOOK, NOTE = 3, 2, 1
FAR_FROM_WAKING = 1.0
UNSEEN = 3
ENOUGH_IMAGES = 20
TOO_FEW_WEIGHTS, FEW_WEIGHTS = 9, 18
ALIKE, EXACT = 0.99, 0.999
NOISY = 3.0
WIDEST = 64
NORM_APART = 0.45


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, in words.

    severity : 3 (serious), 2 (worth a look) or 1 (a note). sure : how sure it is, in a few words. evidence : lines with
    the numbers that it rests on. advice : what to try. kind, where : the same for programs, {layer: channels}.
    """

    severity: int
    title: str
    words: str
    sure: str
    evidence: tuple[str, ...]
    advice: str
    kind: str
    where: dict[str, tuple[int, ...]] = field(default_factory=dict)


class Facts(NamedTuple):
    """What was seen of a layer, usual or not: channel indices, and pairs of filters of one direction.

    dead : silent for any input, which is proven. silent : silent on all images, the dead ones too. far : those of the
    silent that are neither near to waking nor explained by channels that wake rarely. copies, opposites :
    `detectors.Pair`s with a positive or a negative scale.
    """

    dead: np.ndarray
    silent: np.ndarray
    far: np.ndarray
    copies: list[detectors.Pair]
    opposites: list[detectors.Pair]
    noise: np.ndarray
    exploded: np.ndarray
    broken: bool


def facts_of(layer: Layer, reach: tuple[np.ndarray, np.ndarray]) -> Facts:
    """What the weights and the answers of one layer show. reach : see `Pixels.reach`."""
    values, bias = layer.weights
    finite = np.isfinite(values).all(axis=(1, 2, 3))
    silent, far = _silent(layer)
    dead = _proven_dead(layer, reach)
    comparable = not layer.place.grouped and values[0].size >= TOO_FEW_WEIGHTS
    pairs = _pairs(values, bias) if comparable else []
    return Facts(
        dead=dead,
        silent=np.union1d(silent, dead),
        far=far,
        copies=[pair for pair in pairs if pair.cosine >= ALIKE],
        opposites=[pair for pair in pairs if pair.scale < 0],
        noise=_noise(layer),
        exploded=detectors.exploded_filters(values),
        broken=not (finite.all() and np.isfinite(layer.summary.top).all()),
    )


def _silent(layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Channels that are silent on all images, and those of them that are more than rarity explains, the farthest."""
    top = layer.summary.top.max(axis=0)
    if not layer.place.rectified:
        # Without a ReLU behind it a channel is silent only if it never changes.
        constant = np.flatnonzero(top == layer.summary.low.min(axis=0))
        return constant, constant
    silent, below = np.flatnonzero(top <= 0), below_waking(layer)
    too_many = max(0, len(silent) - int(np.ceil(UNSEEN * rarely_seen((layer.summary.top > 0).sum(axis=0)))))
    farthest = silent[np.argsort(-below[silent], kind="stable")][:too_many]
    return silent, np.sort(farthest[below[farthest] > FAR_FROM_WAKING])


def below_waking(layer: Layer) -> np.ndarray:
    """By how many of its own deviations each channel (C,) stays below 0 at its best; negative where it wakes."""
    return -layer.summary.top.max(axis=0) / np.maximum(layer.summary.spread, 1e-12)


def rarely_seen(images_awake: np.ndarray) -> float:
    """How many channels are to be expected silent that wake on other images, from on how many images each one woke.

    once * (once - 1) / (2 * (twice + 1)), with the numbers of channels that woke on exactly one image and on two: it is
    a lower bound on how many were not met.

    Source: Chao, "Nonparametric estimation of the number of classes in a population", 1984.

    >>> rarely_seen(np.array([1, 1, 1, 2, 5, 0]))
    1.5
    """
    once, twice = (int((images_awake == count).sum()) for count in (1, 2))
    return once * (once - 1) / (2 * (twice + 1))


def _proven_dead(layer: Layer, reach: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Channels that stay silent for any input: no weights and no positive bias; or, on pixels, by their largest sum."""
    values, bias = layer.weights
    if not layer.place.rectified:
        return np.flatnonzero(~values.any(axis=(1, 2, 3)))
    idle = ~values.any(axis=(1, 2, 3)) & (bias <= 0)
    if layer.place.sees_pixels and not layer.place.grouped:
        low, high = (one.reshape(-1, 1, 1) for one in reach)
        room = 1e-6 * largest_possible(np.abs(values), np.abs(bias), 0 * low, np.maximum(np.abs(low), np.abs(high)))
        idle |= largest_possible(values, bias, low, high) + room <= 0
    return np.flatnonzero(idle)


def _pairs(values: np.ndarray, bias: np.ndarray) -> list[detectors.Pair]:
    """Filters of one direction. Where a filter has few weights, chance makes near ones: then only exact ones count."""
    few = values[0].size < FEW_WEIGHTS
    return detectors.redundant_pairs(values, bias, EXACT if few else detectors.SAME_DIRECTION)


def _noise(layer: Layer) -> np.ndarray:
    """Filters of random numbers. Of very wide filters every k-th input channel is looked at: noise is noise in each."""
    values = layer.weights.filters[:, :: -(-layer.weights.filters.shape[1] // WIDEST)]
    usable = np.isfinite(values).all(axis=(1, 2, 3)) & values.any(axis=(1, 2, 3))
    if layer.place.grouped or values.shape[2] * values.shape[3] == 1 or usable.sum() < 8:
        return np.arange(0)
    return detectors.noise_filters(values, NOISY)


# ---------------------------------------------------------------- filters


def about_filters(layers: Sequence[Layer], facts: Sequence[Facts], images: int) -> list[Finding]:
    """Findings about filters, one of each kind with its layers as evidence, worst first.

    Behind a broken or exploded layer, and on few images, silence says nothing of filters, and is not judged.
    """
    found, trusted = {kind: [] for kind in _KINDS}, True
    for layer, fact in zip(layers, facts, strict=True):
        if fact.broken and trusted:
            found["not finite"].append((layer, fact, np.arange(0)))
        trusted = trusted and not fact.broken and not len(fact.exploded)
        channels = {
            "exploded": fact.exploded,
            "dead": fact.dead,
            "silent": np.setdiff1d(fact.far, fact.dead) if trusted and images >= ENOUGH_IMAGES else np.arange(0),
            "redundant": np.unique([pair.second for pair in fact.copies]),
            "noise": fact.noise,
        }
        for kind, chosen in channels.items():
            if len(chosen):
                found[kind].append((layer, fact, chosen))
    return [_KINDS[kind].finding(kind, places, images) for kind, places in found.items() if places]


class _Kind(NamedTuple):
    """How one kind of fault is told. `title` has {count} and {noun}; `evidence` is a function of one place."""

    severity: int
    title: str
    words: str
    sure: str
    advice: str
    evidence: Callable

    def finding(self, kind: str, places: list, images: int) -> Finding:
        """The finding for places [(layer, facts, channels), ...]."""
        count = sum(len(channels) for *_, channels in places)
        what = {"count": count, "s": "" if count == 1 else "s", "images": images}
        return Finding(
            self.severity,
            self.title.format(**what),
            self.words,
            self.sure.format(**what),
            tuple(f"{layer.name}: {self.evidence(layer, fact, channels)}" for layer, fact, channels in places),
            self.advice,
            kind,
            {layer.name: tuple(map(int, channels)) for layer, _, channels in places},
        )


def _how_exploded(layer: Layer, fact: Facts, channels: np.ndarray) -> str:
    lengths = detectors.relative_lengths(layer.weights.filters)
    times = f"up to {np.max(lengths[channels]):.3g} times as long as the layer's median filter"
    return f"filter {listed(channels)}, {times}"


def _how_silent(layer: Layer, fact: Facts, channels: np.ndarray) -> str:
    below = np.min(below_waking(layer)[channels])
    how_far = f"at best {below:.1f}" if below < 1000 else "over 1,000"
    return f"channel {listed(channels)}, {how_far} of their own deviations below 0"


def _how_alike(layer: Layer, fact: Facts, channels: np.ndarray) -> str:
    said = [f"{one.second} is {one.scale:.2f} times {one.first} (cosine {one.cosine:.3f})" for one in fact.copies[:6]]
    return ", ".join(said) + (f" and {len(fact.copies) - 6} pairs more" if len(fact.copies) > 6 else "")


_KINDS = {
    "not finite": _Kind(
        SERIOUS,
        "Numbers that are not finite",
        "Weights or answers are infinite or not numbers (NaN), and all that comes later inherits them.",
        "certain",
        "Go back to the last good weights; lower the learning rate, or clip gradients.",
        lambda layer, fact, channels: f"largest answer on the images {np.max(layer.summary.top):.3g}",
    ),
    "exploded": _Kind(
        SERIOUS,
        "{count} filter{s} far too large",
        "What lies behind hears nothing else. Silence behind it is not judged until this is mended.",
        "certain: told from the weights alone",
        "Set the filter back, or train on with a lower learning rate and weight decay.",
        _how_exploded,
    ),
    "dead": _Kind(
        WORTH_A_LOOK,
        "{count} dead filter{s}",
        "No image whatever makes them answer, so no gradient reaches them: they cost time and do nothing.",
        "certain: follows from the weights, for any input",
        "Cut them out; or give them new random weights and train on with a lower learning rate.",
        lambda layer, fact, channels: f"filter {listed(channels)}: no weights, or a bias below all they can add up to",
    ),
    "silent": _Kind(
        WORTH_A_LOOK,
        "{count} channel{s} silent on all {images} images",
        "Some silence is usual where channels wait for something rare. This is more than the layer's other "
        "channels, of which few wake on only one or two images, lead to expect; named are those that stay farthest "
        "below 0.",
        "likely for most of them, and said of these {images} images: others may wake some",
        "Show the network more and other images. What stays silent can be cut out, or trained anew.",
        _how_silent,
    ),
    "redundant": _Kind(
        NOTE,
        "{count} filter{s} repeating another one",
        "Weights and biases point the same way, so the maps differ by a factor only: the same work is done twice.",
        "certain: told from the weights alone",
        "Cut the copy and add its outgoing weights, times the factor, to the other's: that changes nothing, or hardly.",
        _how_alike,
    ),
    "noise": _Kind(
        NOTE,
        "{count} filter{s} looking like random numbers",
        "They are unlike the rest of their layer, and no smoother than chance.",
        "possible: two statistical tests agree, and a learned filter may be odd",
        "Cut them out one at a time and see whether accuracy falls. If it does not, they never learned.",
        lambda layer, fact, channels: f"filter {listed(channels)}",
    ),
}


def listed(channels, most: int = 12) -> str:
    """Channel numbers as words, the first `most` of them.

    >>> listed([3, 1, 4], 2)
    '3, 1 and 1 more'
    """
    more = f" and {len(channels) - most} more" if len(channels) > most else ""
    return ", ".join(str(int(one)) for one in channels[:most]) + more


# ---------------------------------------------------------------- how it is fed


class Trial(NamedTuple):
    """What the network says of the images under one preprocessing: scores (N, categories), and its first batch norm.

    outputs : how many numbers it answers with; a single one stands for two categories.
    """

    name: str
    scores: np.ndarray
    norm: NormStatistics | None
    outputs: int

    @property
    def information(self) -> float:
        """How much an answer tells of which image was shown, in nats: entropy of the mean answer - mean entropy."""
        shares = softmax(np.nan_to_num(self.scores))
        return float(entropy(shares.mean(axis=0)) - entropy(shares).mean())

    @property
    def confidence(self) -> float:
        """The mean of the highest probability."""
        return float(softmax(np.nan_to_num(self.scores)).max(axis=-1).mean())

    def right(self, truth: np.ndarray) -> np.ndarray:
        """Which images (N,) are told right."""
        return self.scores.argmax(axis=-1) == truth


def entropy(shares: np.ndarray) -> np.ndarray:
    """-sum of p log p over the last axis, in nats."""
    return -(shares * np.log(np.maximum(shares, 1e-30))).sum(axis=-1)


def about_feeding(trials: Sequence[Trial], truth: np.ndarray | None) -> list[Finding]:
    """Whether another preprocessing than the first of `trials` fits the network clearly better; at most one finding.

    Three witnesses, the most exact first: what the first batch norm has stored; accuracy, where the truth is known; and
    how much the answers tell of which image was shown.
    """
    given, others = trials[0], trials[1:]
    if not others:
        return []
    for witness in (_by_norm, _by_accuracy, _by_information):
        said = witness(given, others, truth)
        if said:
            best, words, sure, evidence = said
            return [
                Finding(
                    SERIOUS,
                    "The preprocessing looks wrong",
                    f"{words} Fed with {best}, the network does clearly better than as it was fed. "
                    "Findings about silent channels are held back until this is settled.",
                    sure,
                    (evidence,),
                    f"Compare with the training code; then try {best}.",
                    "preprocessing",
                )
            ]
    return []


def _by_accuracy(given: Trial, others: Sequence[Trial], truth) -> tuple | None:
    if truth is None:
        return None
    best = max(others, key=lambda one: (one.right(truth).sum(), one.information))
    now, then = given.right(truth), best.right(truth)
    gained, lost = int((then & ~now).sum()), int((now & ~then).sum())
    chance = min(1.0, len(others) * sign_test(gained, lost))
    if chance > 0.05:
        return None
    evidence = f"right on {now.sum()} of {len(now)} images as fed, and on {then.sum()} with {best.name}"
    sure = f"likely: as large a gain comes by chance with a probability of at most {chance:.2g}"
    return best.name, "More images are told right another way.", sure, evidence


def sign_test(gained: int, lost: int) -> float:
    """How probable at least `gained` heads are in gained + lost tosses of a coin; 1 for none.

    >>> sign_test(5, 0)
    0.03125
    """
    count = gained + lost
    return sum(comb(count, heads) for heads in range(gained, count + 1)) / 2**count


def _by_norm(given: Trial, others: Sequence[Trial], truth) -> tuple | None:
    if given.norm is None or given.norm.fresh or not given.norm.distance > NORM_APART:
        return None
    best = min(others, key=lambda one: one.norm.distance)
    spoken_against = truth is not None and best.right(truth).sum() < given.right(truth).sum()
    if spoken_against or not best.norm.distance < 0.5 * given.norm.distance:
        return None
    evidence = (
        f"the first batch norm sees values {given.norm.distance:.2g} from those it has stored (0 is none; shift in "
        f"deviations and logarithm of the spread), and {best.norm.distance:.2g} with {best.name}"
    )
    return best.name, "The first batch norm was trained on other numbers than it gets.", "likely", evidence


def _by_information(given: Trial, others: Sequence[Trial], truth) -> tuple | None:
    best = max(others, key=lambda one: one.information)
    most = np.log(min(len(given.scores), given.scores.shape[1]))
    says_more = given.information < 0.4 * best.information and best.information > 0.4 * most
    # Images of one category tell little when fed rightly, too; but then the network is surer than fed wrongly.
    if len(given.scores) < 5 or not (says_more and best.confidence > 1.2 * given.confidence):
        return None
    evidence = (
        f"an answer tells {given.information:.2f} nats of which image was shown, and {best.information:.2f} with "
        f"{best.name} (confidence {given.confidence:.2f} and {best.confidence:.2f}; {most:.2f} nats is all there is)"
    )
    words = "As it was fed, the network says much the same of every image."
    return best.name, words, "possible: told without the truth, from the answers alone", evidence


def about_answers(given: Trial, truth: np.ndarray | None, training_layers: int) -> list[Finding]:
    """Findings about the network as a whole: its mode, answers that do not hang on the image, mere guessing."""
    found = [_training_mode(training_layers)] if training_layers else []
    if given.norm is not None and given.norm.fresh:
        found.append(_FRESH)
    count, categories = given.scores.shape
    if not np.isfinite(given.scores).all():
        return found
    several = truth is None or len(set(truth.tolist())) > 1
    if count >= 7 and categories > 2 and several and given.information < 0.05 * np.log(min(count, categories)):
        found.append(_constant(given, truth is not None))
    if truth is not None and count >= 10:
        right = int(given.right(truth).sum())
        if right <= count / categories + 2 * np.sqrt(count * (categories - 1)) / categories:
            found.append(_guessing(right, count, categories))
    return found


_FRESH = Finding(
    SERIOUS,
    "Untrained batch norm: were the weights loaded?",
    "The first batch norm holds the statistics that it was created with, so nothing was ever trained with it.",
    "likely: training moves these numbers",
    ("all its stored means are 0, and all its stored variances 1",),
    "Load the weights before the X-ray, or name their file with --weights.",
    "untrained",
)


def _training_mode(layers: int) -> Finding:
    return Finding(
        WORTH_A_LOOK,
        "The network came in training mode",
        "The X-ray ran it in evaluation mode and gave it back as it was. Run as it came, dropout and batch norm make "
        "its answers depend on chance and on the rest of the batch.",
        "certain",
        (f"{layers} layers of dropout or batch norm were in training mode",),
        "Call network.eval() before you use it.",
        "training mode",
    )


def _constant(given: Trial, known: bool) -> Finding:
    said = len(set(given.scores.argmax(axis=-1).tolist()))
    categories = "1 category" if said == 1 else f"{said} different categories"
    return Finding(
        SERIOUS if known else WORTH_A_LOOK,
        "The answer hardly depends on the image",
        "Whatever is shown, the network says much the same: it is untrained, broken, or fed wrongly.",
        "certain, said of these images" if known else "possible: so it must be if all images show one category",
        (
            f"{categories} for {len(given.scores)} images; an answer tells {given.information:.3f} nats of which image "
            "was shown",
        ),
        "Check that the weights were loaded, and the preprocessing.",
        "constant",
    )


def _guessing(right: int, count: int, categories: int) -> Finding:
    return Finding(
        SERIOUS,
        "No better than guessing",
        "The network tells hardly more of these images right than blind guessing would.",
        "likely, said of these images and their folders' names",
        (f"{right} of {count} right; guessing among {categories} gets {count / categories:.1f}",),
        "Check that labels and folders mean the same categories in the same order, and that weights were loaded.",
        "guessing",
    )


# ---------------------------------------------------------------- all together


def findings_of(
    layers: Sequence[Layer],
    facts: Sequence[Facts],
    trials: Sequence[Trial],
    truth: np.ndarray | None,
    training_layers: int = 0,
) -> list[Finding]:
    """All that is wrong, worst first. trials : the preprocessing as given, then others that were tried."""
    given = trials[0]
    feeding = about_feeding(trials, truth)
    found = feeding + about_answers(given, truth, training_layers)
    found += about_filters(layers, facts, len(given.scores))
    if feeding:
        found = [one for one in found if one.kind not in ("silent", "constant", "guessing")]
    return sorted(found, key=lambda one: -one.severity)
