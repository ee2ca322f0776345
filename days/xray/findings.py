"""From facts to plain words: what is wrong with a network's filters and with how it is fed, and how sure that is.

A finding is what healthy networks do not show. The thresholds were set on SqueezeNet, EfficientNet-Lite0 and 20
healthy patients of Day 23's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from scipy import stats

from days.day23.code import detectors
from days.day23.code.finding import Finding, Place
from days.xray.anatomy import Layer
from days.xray.examination import Examination, Trial
from days.xray.facts import Facts, below_waking, length_spread

SERIOUS, WORTH_A_LOOK, NOTE = 3, 2, 1
ENOUGH_IMAGES = 20
NORM_APART = 0.45
RANDOM_SPREAD = 2.0
"""Largest `length_spread` over the layers: at most 1.54 in 15 untrained networks, at least 5 in 7 trained ones."""


def findings_of(seen: Examination) -> tuple[Finding, ...]:
    """All that is wrong with a network, worst first."""
    given = seen.trials[0]
    with np.errstate(all="ignore"):
        training = about_training(seen.layers, given)
        feeding = [] if training else about_feeding(seen.trials, seen.truth)  # before training none fits better
        found = feeding + about_answers(given, seen.truth, seen.training_layers)
        filters = training + about_filters(seen.layers, seen.facts, len(given.scores))
    if any(finding.kind == "not finite" for finding in filters):
        found = [finding for finding in found if finding.kind != "not finite"]  # the scores inherit it
    found += filters
    if feeding:
        found = [finding for finding in found if finding.kind not in ("silent", "constant", "guessing")]
    return tuple(sorted(found, key=lambda finding: -finding.severity))


class _Told(NamedTuple):
    """How one kind of fault is told: texts with {fields}."""

    severity: int
    title: str
    words: str
    sure: str
    advice: str


_TOLD = {
    "not finite": _Told(
        SERIOUS,
        "Numbers that are not finite",
        "Some weights or activations are infinite or not a number (NaN), and so is everything computed from them.",
        "certain",
        "Go back to the last good weights, then lower the learning rate or clip the gradients.",
    ),
    "exploded": _Told(
        SERIOUS,
        "{count} filter{s} far too large",
        "Their activations drown out all others in the layers behind them. Silent channels there are not judged until "
        "this is fixed.",
        "certain: it follows from the weights alone",
        "Reset the filter, or train on with a lower learning rate and with weight decay.",
    ),
    "dead": _Told(
        WORTH_A_LOOK,
        "{count} dead filter{s}",
        "No image can activate them, so no gradient reaches them either: they cost time and do nothing.",
        "certain: it follows from the weights, for any image that is preprocessed like these",
        "Remove them, or give them new random weights and train on with a lower learning rate.",
    ),
    "silent": _Told(
        WORTH_A_LOOK,
        "{count} channel{s} silent on all {images} images",
        "A few silent channels are normal: some channels detect something rare. But hardly any other channel of the "
        "layer is active on just one or two images, so this many silent ones are unexpected. Listed are the channels "
        "that stay farthest below 0.",
        "likely for most of them, and on these {images} images only: other images may activate some",
        "Try more images, and more varied ones. Channels that stay silent can be removed or trained again.",
    ),
    "redundant": _Told(
        NOTE,
        "{count} filter{s} that repeat{verb} another filter",
        "Weights and bias are a multiple of another filter's, so the two feature maps differ only by a factor.",
        "certain: it follows from the weights alone",
        "Remove the copy and add its outgoing weights, times the factor, to the other filter's. This changes next to "
        "nothing.",
    ),
    "noise": _Told(
        NOTE,
        "{count} filter{s} that look{verb} like random numbers",
        "They differ from the rest of their layer, and are no smoother than random numbers.",
        "possible: two statistical tests agree, but a trained filter can be unusual, too",
        "Remove them, and measure the accuracy. If it does not fall, those images do not need them.",
    ),
    "preprocessing": _Told(
        SERIOUS,
        "The preprocessing looks wrong",
        "{why} Findings about silent channels are left out until this is settled.",
        "{sure}",
        "Compare with the training code; then try {best}.",
    ),
    "untrained": _Told(
        SERIOUS,
        "Untrained batch norm: were the weights loaded?",
        "The first batch norm still holds its initial statistics, so the network was never trained with it.",
        "likely: training changes these numbers",
        "Load the weights before the X-ray, or name their file with --weights.",
    ),
    "random": _Told(
        SERIOUS,
        "All filters look random: were the weights loaded?",
        "In every layer, the lengths of the filters vary as little as those of random filters. Training changes this "
        "within a few hundred steps.",
        "likely: this held for 15 of 15 untrained networks and for 0 of 7 trained ones",
        "Load the weights before the X-ray, or name their file with --weights.",
    ),
    "training mode": _Told(
        WORTH_A_LOOK,
        "The network was in training mode",
        "The X-ray ran it in evaluation mode and left it as it was. In training mode, dropout and batch norm make "
        "its predictions depend on chance and on the other images of the batch.",
        "certain",
        "Call network.eval() before you use it.",
    ),
    "constant": _Told(
        SERIOUS,
        "The prediction hardly depends on the image",
        "The network predicts much the same for every image: it is untrained, broken, or preprocessed wrongly.",
        "{sure}",
        "Check that the weights were loaded, and check the preprocessing.",
    ),
    "guessing": _Told(
        SERIOUS,
        "No better than guessing",
        "The network names hardly more of these images correctly than guessing would.",
        "likely, for these images and with the folders' names as the truth",
        "Check that labels and folders name the same categories in the same order, and that the weights were loaded.",
    ),
}


def _finding(kind: str, *evidence: str, places: Iterable[Place] = (), severity: int = 0, **fields) -> Finding:
    told = _TOLD[kind]
    title, words, sure, advice = (text.format(**fields) for text in told[1:])
    return Finding(kind, tuple(places), sure, words, 0.0, severity or told.severity, title, evidence, advice)


# ---------------------------------------------------------------- filters


def about_filters(layers: Sequence[Layer], facts: Sequence[Facts], images: int) -> list[Finding]:
    """Findings about filters, one of each kind with its layers as evidence.

    Behind a broken or exploded layer, and on few images, silence says nothing of filters, and is not judged.
    """
    found: dict[str, list] = {kind: [] for kind in _EVIDENCE}
    trusted = True
    for layer, fact in zip(layers, facts, strict=True):
        if fact.broken and trusted:
            found["not finite"].append((layer, fact, [()]))
        trusted = trusted and not fact.broken and not len(fact.exploded)
        silent = np.setdiff1d(fact.far, fact.dead) if trusted and images >= ENOUGH_IMAGES else ()
        channels = {"exploded": fact.exploded, "dead": fact.dead, "silent": silent, "noise": fact.noise}
        faults: dict[str, list[tuple[int, ...]]] = {
            kind: [(int(channel),) for channel in chosen] for kind, chosen in channels.items()
        }
        faults["redundant"] = [(pair.first, pair.second) for pair in fact.copies]
        for kind, chosen in faults.items():
            found[kind] += [(layer, fact, chosen)] if chosen else []
    return [_of_filters(kind, parts, images) for kind, parts in found.items() if parts]


def _of_filters(kind: str, parts: list[tuple[Layer, Facts, list]], images: int) -> Finding:
    """The finding for faults [(layer, facts, [channels, ...]), ...]; of a pair the copy is counted."""
    places = [(layer.name, channels) for layer, _, faults in parts for channels in faults]
    named = [sorted({channels[-1] for channels in faults if channels}) for *_, faults in parts]
    said = [_EVIDENCE[kind](layer, fact, some) for (layer, fact, _), some in zip(parts, named, strict=True)]
    evidence = [f"{layer.name}: {words}" for (layer, *_), words in zip(parts, said, strict=True)]
    count = sum(map(len, named))
    plural, verb = ("", "s") if count == 1 else ("s", "")
    return _finding(kind, *evidence, places=places, count=count, s=plural, verb=verb, images=images)


def _how_exploded(layer: Layer, fact: Facts, channels: list[int]) -> str:
    longest = np.max(detectors.relative_lengths(layer.weights.filters)[channels])
    return f"filter {listed(channels)}, up to {longest:.3g} times the length of the layer's median filter"


def _how_silent(layer: Layer, fact: Facts, channels: list[int]) -> str:
    below = np.min(below_waking(layer)[channels])
    how_far = f"at least {below:.1f}" if below < 1000 else "over 1,000"
    return f"channel {listed(channels)}, {how_far} of their own standard deviations below 0"


def _how_alike(layer: Layer, fact: Facts, channels: list[int]) -> str:
    pairs, more = fact.copies[:6], len(fact.copies) - 6
    said = [f"{pair.second} is {pair.scale:.2f} times {pair.first} (cosine {pair.cosine:.3f})" for pair in pairs]
    return ", ".join(said) + (f" and {more} more pairs" if more > 0 else "")


_EVIDENCE = {
    "not finite": lambda layer, fact, channels: f"largest activation on these images: {np.max(layer.summary.top):.3g}",
    "exploded": _how_exploded,
    "dead": lambda layer, fact, channels: (
        f"filter {listed(channels)}: all weights 0, or a bias so low that no input can outweigh it"
    ),
    "silent": _how_silent,
    "redundant": _how_alike,
    "noise": lambda layer, fact, channels: f"filter {listed(channels)}",
}


def listed(channels: Sequence[int] | np.ndarray, most: int = 12) -> str:
    """Channel numbers as words, the first `most` of them.

    >>> listed([3, 1, 4], 2)
    '3, 1 and 1 more'
    """
    more = f" and {len(channels) - most} more" if len(channels) > most else ""
    return ", ".join(str(int(channel)) for channel in channels[:most]) + more


# ---------------------------------------------------------------- how it is fed


def about_feeding(trials: Sequence[Trial], truth: np.ndarray | None) -> list[Finding]:
    """Whether another preprocessing than the first of `trials` fits the network clearly better; at most one finding.

    Three witnesses, the most exact first: what the first batch norm has stored; accuracy, where the truth is known; and
    how much the answers tell of which image was shown.
    """
    given, others = trials[0], trials[1:]
    witnesses = (_by_norm, _by_accuracy, _by_information) if others else ()
    said = filter(None, (witness(given, others, truth) for witness in witnesses))
    return [
        _finding("preprocessing", evidence, best=best.name, why=why, sure=sure)
        for best, why, sure, evidence in [*said][:1]
    ]


def _by_norm(given: Trial, others: Sequence[Trial], truth) -> tuple[Trial, str, str, str] | None:
    if given.norm is None or given.norm.fresh or not given.norm.distance > NORM_APART:
        return None
    apart, best = min(((trial.norm.distance, trial) for trial in others if trial.norm), key=itemgetter(0))
    spoken_against = truth is not None and best.right(truth).sum() < given.right(truth).sum()
    if spoken_against or not apart < 0.5 * given.norm.distance:
        return None
    evidence = (
        f"the inputs of the first batch norm are {given.norm.distance:.2g} away from the statistics that it has stored "
        f"(0 is a perfect match; shift in standard deviations, and logarithm of the ratio of spreads), and {apart:.2g} "
        f"away with {best.name}"
    )
    why = f"The first batch norm was trained on other values than it gets now; {best.name} fits it better."
    return best, why, "likely", evidence


def _by_accuracy(given: Trial, others: Sequence[Trial], truth) -> tuple[Trial, str, str, str] | None:
    if truth is None:
        return None
    best = max(others, key=lambda trial: (trial.right(truth).sum(), trial.information))
    now, then = given.right(truth), best.right(truth)
    gained, lost = int((then & ~now).sum()), int((now & ~then).sum())
    if gained <= lost:
        return None
    # The sign test: were both ways equally good, gains and losses would be tosses of a coin.
    by_chance = stats.binomtest(gained, gained + lost, alternative="greater").pvalue
    chance = min(1.0, len(others) * by_chance)
    if chance > 0.05:
        return None
    evidence = f"{now.sum()} of {len(now)} images right as preprocessed here, {then.sum()} with {best.name}"
    sure = f"likely: the probability of so large a gain by chance is at most {chance:.2g}"
    return best, f"With {best.name}, more images are named correctly.", sure, evidence


def _by_information(given: Trial, others: Sequence[Trial], truth) -> tuple[Trial, str, str, str] | None:
    best = max(others, key=lambda trial: trial.information)
    most = np.log(min(given.scores.shape))
    says_more = given.information < 0.4 * best.information and best.information > 0.4 * most
    # Images of one category tell little when fed rightly, too; but then the network is surer than fed wrongly.
    if len(given.scores) < 5 or not (says_more and best.confidence > 1.2 * given.confidence):
        return None
    evidence = (
        f"a prediction carries {given.information:.2f} nats of information about which image was shown, and "
        f"{best.information:.2f} with {best.name} (mean confidence {given.confidence:.2f} and {best.confidence:.2f}; "
        f"the most possible is {most:.2f} nats)"
    )
    why = (
        "As the images are preprocessed here, the network predicts much the same for all of them. With "
        f"{best.name}, its predictions tell them apart far better."
    )
    return best, why, "possible: judged from the predictions alone, without the truth", evidence


# ---------------------------------------------------------------- whether it was trained


def about_training(layers: Sequence[Layer], given: Trial) -> list[Finding]:
    """At most one finding: that nothing was ever trained, told from a batch norm, or without one from the filters."""
    if given.norm is not None:
        said = "all its stored means are 0, and all its stored variances are 1"
        return [_finding("untrained", said)] if given.norm.fresh else []
    spreads = np.array([length_spread(layer.weights.filters) for layer in layers])
    spreads = spreads[~np.isnan(spreads)]
    if len(spreads) < 2 or spreads.max() > RANDOM_SPREAD:
        return []
    low, high, count = spreads.min(), spreads.max(), len(spreads)
    said = f"the spread of filter lengths, 1 for random numbers, is {low:.2f} to {high:.2f} in {count} layers"
    return [_finding("random", said)]


# ---------------------------------------------------------------- what it says


def about_answers(given: Trial, truth: np.ndarray | None, training_layers: int) -> list[Finding]:
    """Findings about the network as a whole: its mode, answers that do not depend on the image, mere guessing."""
    found = []
    if training_layers:
        said = f"{training_layers} layers of dropout or batch norm were in training mode"
        found.append(_finding("training mode", said))
    count, categories = given.scores.shape
    if lost := int((~np.isfinite(given.scores)).any(axis=1).sum()):
        return [*found, _finding("not finite", f"the scores of {lost} of {count} images")]
    several = truth is None or len(set(truth.tolist())) > 1
    if count >= 7 and categories > 2 and several and given.information < 0.05 * np.log(min(count, categories)):
        found.append(_constant(given, truth is not None))
    right = 0 if truth is None else int(given.right(truth).sum())
    if truth is not None and count >= 10 and right <= _guessed(count, categories):
        said = f"{right} of {count} right; guessing among {categories} categories gives {count / categories:.1f}"
        found.append(_finding("guessing", said))
    return found


def _guessed(count: int, categories: int) -> float:
    """How many right answers of `count` guessing may well give: its mean and two deviations."""
    return count / categories + 2 * np.sqrt(count * (categories - 1)) / categories


def _constant(given: Trial, known: bool) -> Finding:
    said = len(set(given.scores.argmax(axis=-1).tolist()))
    categories = "1 category" if said == 1 else f"{said} different categories"
    evidence = (
        f"{categories} for {len(given.scores)} images; a prediction carries {given.information:.3f} nats of "
        "information about which image was shown"
    )
    if known:
        return _finding("constant", evidence, sure="certain, for these images")
    sure = "possible: it would be right if all images show the same category"
    return _finding("constant", evidence, sure=sure, severity=WORTH_A_LOOK)
