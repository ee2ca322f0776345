"""The examination of a patient, the grade of a diagnosis, the operation, and what else is told from the inside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from days.day18.code.training import Weights
from days.day22.code.scoring import share_inside
from days.day23.code import detectors, network, patients
from days.day23.code.detectors import FEW
from days.day23.code.finding import Finding, Place
from days.day23.code.network import LAYERS, SETTINGS, RunSettings
from days.day23.code.patients import KINDS, Key, Patient

DRIFTED = 1e-2
EXPLAINED = 1e-3


# ---------------------------------------------------------------- examine


def examine(patient: Patient, images: np.ndarray, *, run: Callable = network.run) -> list[Finding]:
    """What is wrong with a patient, the network as a whole first, then layer by layer.

    How it is run is judged first, since wrong pixels make any filter look ill; then the weights alone; then, run
    rightly and with exploded filters brought back to size, what filters answer to the images.

    images : (N, H, W, 3) from 0 to 1, at least 20: `network.ward_images().images` are the clinic's.
    run : `network.run`, or the `run` of one of this day's backends.
    """
    images = network.check_images(images)
    if len(images) < FEW:
        raise ValueError(f"expected at least {FEW} images, got {len(images)}: of few, nothing is rare")
    found = examine_run(patient, run=run)
    treated = patient.weights
    for layer in LAYERS:
        exploded = examine_explosions(layer, *patient.weights[layer])
        treated = deflated(treated, layer, [one.channels[0] for one in exploded])
        found += exploded
    activations, bounds = run(treated, images).activations, detectors.bounds(treated)
    for layer in LAYERS:
        found += examine_layer(layer, *treated[layer], activations[layer], bounds[layer][1])
    return found


def examine_layer(
    layer: str, filters: np.ndarray, biases: np.ndarray, activations: np.ndarray, largest: np.ndarray
) -> list[Finding]:
    """What is wrong with a layer's filters: dead, tuned to one image, redundant, noise; one kind for each channel.

    filters : (out, in, kh, kw). biases : (out,). activations : (N, out, h, w) after the ReLU; of fewer than 20 images
    none is called one that a filter is tuned to. largest : (out,) the most each channel can answer, from
    `detectors.bounds`.
    """
    dead = detectors.dead_channels(activations, largest=largest)
    found, shares = [], detectors.peak_shares(activations)
    for channel in sorted({*dead.on_data.tolist(), *dead.everywhere.tolist()}):
        sure, words = "data", f"silent on all {len(activations)} images; the bound does not prove it dead"
        if channel in dead.everywhere:
            sure, words = "theorem", f"its response before the ReLU is at most {largest[channel]:.3g} for any input"
            words = words if filters[channel].any() else "its weights are all zero"
        found.append(_finding("dead", layer, (channel,), sure, words))
    for channel, image in detectors.tuned_to_one_image(activations).items() if len(activations) >= FEW else ():
        words = f"image {image} gets {shares[channel]:.0%} of its summed activation"
        found.append(_finding("tuned to one image", layer, (channel,), "data", words))
    seen = {finding.channels[0] for finding in found}
    for first, second, cosine, scale in detectors.redundant_pairs(filters, biases):
        if not {first, second} & seen:
            words = f"{scale:.2f} times filter {first}, cosine {cosine:.3f}"
            found.append(_finding("redundant", layer, (first, second), "weights", words, scale))
    for channel in sorted(set(map(int, detectors.noise_filters(filters))) - seen):
        close = detectors.closeness(filters)[channel]
        words = f"unlike the rest of its layer (closeness {close:.2f}), and no smoother than chance"
        found.append(_finding("noise", layer, (channel,), "weights", words))
    return found


def examine_explosions(layer: str, filters: np.ndarray, biases: np.ndarray) -> list[Finding]:
    """Filters (out, in, kh, kw) far too long for their layer, or not finite: what lies behind hears nothing else."""
    lengths, found = detectors.relative_lengths(filters), []
    for channel in map(int, detectors.exploded_filters(filters, biases)):
        words = "it holds numbers that are not finite"
        if np.isfinite(lengths[channel]) and np.isfinite(biases[channel]):
            words = f"{lengths[channel]:.2g} times as long as the layer's median filter"
        found.append(_finding("exploded", layer, (channel,), "weights", words))
    return found


def _finding(kind: str, layer: str, channels: tuple[int, ...], sure: str, words: str, scale: float = 0.0) -> Finding:
    return Finding(kind, ((layer, channels),), sure, f"{layer} {channels[-1]}: {words}", scale)


def deflated(weights: Weights, layer: str, channels: Sequence[int]) -> Weights:
    """The weights with these filters of a layer, biases too, brought to the length of the layer's median filter.

    Filters that are not finite become zero. No channels: the very same weights.
    """
    if not len(channels):
        return weights
    values, bias = (part.astype(np.float64) for part in weights[layer])
    lengths = detectors.relative_lengths(values)
    for channel in channels:
        length = lengths[channel]
        if np.isfinite(length) and np.isfinite(bias[channel]) and length:
            values[channel], bias[channel] = values[channel] / length, bias[channel] / length
        else:
            values[channel], bias[channel] = 0, 0
    return {**weights, layer: (values.astype(np.float32), bias.astype(np.float32))}


# ---------------------------------------------------------------- how it is run


def examine_run(patient: Patient, *, run: Callable = network.run) -> list[Finding]:
    """Whether a patient is run as when its record was written, and if not, what is done wrongly.

    It is shown the chart images as it is run now. If the answers differ from the record, each known wrong way is tried
    on its weights: the one that gives the very same answers is what is done. None does: the drift stays unexplained.
    """
    observed = observe(patient, run=run)
    size = detectors.paired_drift(patient.record, observed)
    if size <= DRIFTED:
        return []
    explained, remains = explain(patient, observed, run=run)
    if remains > EXPLAINED or explained == SETTINGS[0]:
        words = f"answers to the chart have moved by {size:.2g} of their spread, and no known cause does that"
        return [Finding("drift of unknown cause", (), "data", words)]
    causes = {}
    if explained.batch_norm_training:
        causes[patients.RUN_KINDS[0]] = "batch norm uses the batch's own statistics"
    if explained.preprocessing != SETTINGS[0].preprocessing:
        causes[patients.RUN_KINDS[1]] = f"preprocessing is wrong ({explained.preprocessing})"
    words = f"run so, the chart's drift of {size:.2g} comes back to {remains:.1g}"
    return [Finding(kind, (), "data", f"{cause}: {words}") for kind, cause in causes.items()]


def observe(patient: Patient, settings: RunSettings | None = None, *, run: Callable = network.run) -> np.ndarray:
    """What a patient says of the chart, as it is run now unless told otherwise, like its record: (2, 8, C)."""
    settings = settings or patients.settings_of(patient)
    return patients.record_of(patient.weights, run=run, statistics=patient.statistics, settings=settings)


def explain(patient: Patient, observed: np.ndarray, *, run: Callable = network.run) -> tuple[RunSettings, float]:
    """The known way of running that comes nearest to what was observed, and how much of a drift remains beside it."""
    remains = explanations(patient, observed, run=run)
    best = min(remains, key=remains.__getitem__)
    return best, remains[best]


def explanations(patient: Patient, observed: np.ndarray, *, run: Callable = network.run) -> dict[RunSettings, float]:
    """For every known way of running a patient, how far its answers to the chart lie from those observed."""
    return {way: detectors.paired_drift(observed, observe(patient, way, run=run)) for way in SETTINGS}


def company(patient: Patient, images: np.ndarray, *, run: Callable = network.run) -> float:
    """How much the first image's maps depend on the rest of its batch: 0, unless batch norm is in training mode.

    The largest difference between the first convolution's answers alone and in company, over their standard deviation.
    """
    settings = patients.settings_of(patient)
    alone, together = (
        run(patient.weights, part, statistics=patient.statistics, settings=settings).before[LAYERS[0]][0]
        for part in (images[:1], images)
    )
    with np.errstate(all="ignore"):
        moved = np.abs(alone - together).max(axis=(1, 2)) / np.maximum(together.std(axis=(1, 2)), 1e-12)
    return float(np.median(moved[np.isfinite(moved)])) if np.isfinite(moved).any() else np.inf


# ---------------------------------------------------------------- grade


class Grade(NamedTuple):
    """A diagnosis held against the key: how many findings are right, what was missed and what is no fault, in words."""

    right: int
    missed: tuple[str, ...] = ()
    false_alarms: tuple[str, ...] = ()

    @property
    def precision(self) -> float:
        """Share of the findings that are right, 1.0 where there are none."""
        return self.right / (self.right + len(self.false_alarms)) if self.right or self.false_alarms else 1.0

    @property
    def recall(self) -> float:
        """Share of the faults that were found, 1.0 where there are none."""
        return self.right / (self.right + len(self.missed)) if self.right or self.missed else 1.0


def grade(findings: Sequence[Finding], key: Key) -> dict[str, Grade]:
    """How good a diagnosis is, for each kind that was found or planted: {kind: Grade}; {} for both empty.

    A finding is right if a fault has its kind, its layer and its channels, in any order; one that names several places,
    as the X-ray's do, counts once for each.
    """
    grades = {}
    for kind in (*KINDS, *sorted({finding.kind for finding in findings} - set(KINDS))):
        said = {place: finding.words for finding in findings if finding.kind == kind for place in _places(finding)}
        true = {_place(fault.layer, fault.channels): _words(fault) for fault in key.faults if fault.kind == kind}
        if said or true:
            missed = tuple(words for place, words in true.items() if place not in said)
            alarms = tuple(words for place, words in said.items() if place not in true)
            grades[kind] = Grade(len(said.keys() & true), missed, alarms)
    return grades


def tally(pairs: Iterable[tuple[Sequence[Finding], Key]]) -> dict[str, Grade]:
    """The grades of many patients, (findings, key) each, added up: {kind: Grade}, and "all" for all kinds together."""
    total: dict[str, Grade] = {}
    for findings, key in pairs:
        for kind, one in grade(findings, key).items():
            for name in (kind, "all"):
                right, missed, alarms = total.get(name, Grade(0))
                total[name] = Grade(right + one.right, missed + one.missed, alarms + one.false_alarms)
    return total


def new_findings(findings: Sequence[Finding], before: Sequence[Finding]) -> list[Finding]:
    """What was not found before, by kind, layer and channels: for a network that is not spotless when it is well."""
    known = {(finding.kind, place) for finding in before for place in _places(finding)}
    return [finding for finding in findings if not {(finding.kind, place) for place in _places(finding)} <= known]


def _places(finding: Finding) -> list[Place]:
    return [_place(*place) for place in finding.places or (("", ()),)]


def _place(layer: str, channels: Sequence[int]) -> Place:
    return layer, tuple(sorted(channels))


def _words(fault: patients.Fault) -> str:
    where = f"{fault.layer} {' and '.join(map(str, fault.channels))}: " if fault.layer else ""
    return f"{where}{fault.kind} ({fault.cause})"


# ---------------------------------------------------------------- operate


class Operation(NamedTuple):
    """The weights after an operation, and what was done and left undone, in plain words."""

    weights: Weights
    done: tuple[str, ...]
    left: tuple[str, ...]


def ablate(weights: Weights, findings: Sequence[Finding], kinds: Sequence[str] = ("dead", "redundant")) -> Operation:
    """Cut out of the small network what was found dead or redundant; for other `kinds`, ask for them.

    A copy's outgoing weights are folded into its twin's, times the copy's scale: relu(s x) = s relu(x) for s > 0. A
    twin of the other sign stays: from relu(x) nobody can tell relu(-x), as where one answers the other is silent.
    """
    if not set(kinds) <= set(patients.FILTER_KINDS):
        raise ValueError(f"expected kinds out of {', '.join(patients.FILTER_KINDS)}, got {kinds!r}")
    gone: dict[str, set[int]] = {layer: set() for layer in LAYERS}
    weights, done, left = dict(weights), [], []
    for one in sorted(findings, key=lambda one: one.kind == "redundant"):
        if one.kind not in kinds or one.layer not in gone or set(one.channels) & gone[one.layer]:
            continue
        if one.kind == "redundant" and one.scale <= 0:
            left.append(f"{one.words}: of the other sign, so it cannot be folded in")
            continue
        if one.kind == "redundant":
            later = [*LAYERS[1:], "scores"][LAYERS.index(one.layer)]
            values, (kept, copy) = weights[later][0].copy(), one.channels
            values[:, kept] += one.scale * values[:, copy]
            weights[later] = values, weights[later][1]
        gone[one.layer].add(one.channels[-1])
        done.append(f"{one.layer} {one.channels[-1]}: cut out ({one.kind})")
    keep = {name: np.setdiff1d(np.arange(len(weights[name][1])), list(gone[name])) for name in LAYERS}
    return Operation(network.with_channels(weights, keep), tuple(done), tuple(left))


def predictions_changed(before: np.ndarray, after: np.ndarray) -> tuple[int, float]:
    """How many predictions two sets of scores (N, K) differ in, and the largest change of a score over their spread."""
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if before.shape != after.shape or before.ndim != 2:
        raise ValueError(f"expected scores (N, K) of the same images, got {before.shape} and {after.shape}")
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise ValueError("expected finite scores, got infinity or NaN: deflated(...) brings exploded filters to size")
    changed = int((before.argmax(axis=1) != after.argmax(axis=1)).sum())
    return changed, float(np.abs(after - before).max() / max(before.std(), 1e-12))


# ---------------------------------------------------------------- wrong predictions, overfitting


class WrongOnes(NamedTuple):
    """Indices of wrong predictions, by how much of the heatmap lies on the object."""

    at_chance_or_below: np.ndarray
    more_than_chance: np.ndarray


def wrong_predictions(scores: ArrayLike, labels: ArrayLike, maps: ArrayLike, masks: ArrayLike) -> WrongOnes:
    """Sort the wrong predictions by their heatmaps.

    Chance would put as large a share of the heatmap on the object as the object has of the image. Sort right
    predictions, too, before you blame a position.

    scores : (N, K). labels : (N,). maps : (N, H, W) heatmaps, from Day 22; what is negative counts as 0.
    masks : (N, H, W) bool, True on the object.
    """
    scores, labels, maps, masks = (np.asarray(one) for one in (scores, labels, maps, masks))
    if not len(scores) == len(labels) == len(maps) == len(masks):
        raise ValueError(
            f"expected as many labels, maps and masks as scores, {len(scores)}, got "
            f"{len(labels)}, {len(maps)} and {len(masks)}"
        )
    more = share_inside(maps, masks) > masks.mean(axis=(1, 2))
    wrong = scores.argmax(axis=1) != labels
    return WrongOnes(np.flatnonzero(wrong & ~more), np.flatnonzero(wrong & more))


def activation_gap(
    training: ArrayLike, held_out: ArrayLike, training_labels: ArrayLike, held_out_labels: ArrayLike
) -> np.ndarray:
    """How much better each filter tells its favorite category on training images than on held-out ones: (C,).

        selectivity = mean answer to the favorite category - mean answer to the others, over the standard deviation
        gap         = selectivity on training images - selectivity on held-out images

    The favorite is chosen on the training images, which alone makes a small gap of a filter that knows nothing: hold a
    gap against that of a network that did not overfit, on as many images.

    training, held_out : (N, C, h, w) after the ReLU, N may differ; labels : (N,), of the same two or more categories.
    """
    names = np.unique(training_labels)
    if len(names) < 2 or not np.array_equal(names, np.unique(held_out_labels)):
        raise ValueError(f"expected the same two or more categories, got {names} and {np.unique(held_out_labels)}")
    seen, new = _selectivity(training, training_labels, names), _selectivity(held_out, held_out_labels, names)
    if seen.shape != new.shape:
        raise ValueError(f"expected one layer's maps, got {seen.shape[1]} and {new.shape[1]} channels")
    favorite = seen.argmax(axis=0), np.arange(seen.shape[1])
    return seen[favorite] - new[favorite]


def _selectivity(activations: ArrayLike, labels: ArrayLike, names: np.ndarray) -> np.ndarray:
    means, labels = detectors.check_maps(activations).mean(axis=(2, 3), dtype=np.float64), np.asarray(labels)
    if labels.shape != means.shape[:1]:
        raise ValueError(f"expected a label for each of {len(means)} images, got {labels.shape}")
    differences = [means[labels == one].mean(axis=0) - means[labels != one].mean(axis=0) for one in names]
    return np.stack(differences) / np.maximum(means.std(axis=0), 1e-12)
