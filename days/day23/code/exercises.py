"""The exercises of Day 23. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import numpy as np

from days.common.exercises import Mistake, exercise
from days.day23.code import detectors, diagnosis, network, patients
from days.day23.code.network import LAYERS

# ---------------------------------------------------------------- 9.1 dead, three ways


def _answers(generator):
    """Maps after the ReLU in which some channels are silent at first, some always, and some cannot answer."""
    cases = []
    for _ in range(3):
        maps = np.maximum(generator.normal(0.5, 1, (9, 10, 3, 4)), 0)
        largest = maps.max(axis=(0, 2, 3)) + generator.uniform(0.5, 2, 10)
        maps[:4, [1, 2, 3, 4, 5]], maps[:, [1, 2, 3]] = 0, 0
        maps[0, 6] = 0
        maps[:, 7, 1:] = 0
        largest[[1, 2]] = 0.0, -generator.uniform(0.1, 3)
        order = generator.permutation(10)
        cases.append((maps[:, order], 4, largest[order]))
    return cases


def _as_lists(answer, *inputs):
    return tuple(np.asarray(sorted(part)) for part in answer)


def _deaths_by_loops(activations, batch, largest):
    channels = range(activations.shape[1])
    first, always = (
        [one for one in channels if not any(image[one].any() for image in part)]
        for part in (activations[:batch], activations)
    )
    return np.array(first), np.array(always), np.array([one for one in channels if not largest[one] > 0])


@exercise(
    "9.1",
    cases=_answers,
    truth=_deaths_by_loops,
    look=_as_lists,
    mistakes=[
        Mistake(
            "A channel counts as dead if it is silent on one image. It is dead on a batch if no image wakes it: reduce "
            "over the images, too.",
            lambda activations, batch, largest: (
                np.flatnonzero((activations[:batch].max(axis=(2, 3)) <= 0).any(axis=0)),
                np.flatnonzero((activations.max(axis=(2, 3)) <= 0).any(axis=0)),
                np.flatnonzero(largest <= 0),
            ),
        ),
        Mistake(
            "A channel whose largest possible answer is exactly 0 is dead, too: a ReLU makes 0 of it.",
            lambda activations, batch, largest: (
                np.flatnonzero(activations[:batch].max(axis=(0, 2, 3)) <= 0),
                np.flatnonzero(activations.max(axis=(0, 2, 3)) <= 0),
                np.flatnonzero(largest < 0),
            ),
        ),
        Mistake(
            "The first list holds what is dead on all the images: take only the first `batch` of them for it.",
            lambda activations, batch, largest: (
                *[np.flatnonzero(activations.max(axis=(0, 2, 3)) <= 0)] * 2,
                np.flatnonzero(largest <= 0),
            ),
        ),
        Mistake(
            "A channel that answers at few places is not dead: take the largest answer, not the middle one.",
            lambda activations, batch, largest: (
                np.flatnonzero(np.median(activations[:batch], axis=(0, 2, 3)) <= 0),
                np.flatnonzero(np.median(activations, axis=(0, 2, 3)) <= 0),
                np.flatnonzero(largest <= 0),
            ),
        ),
    ],
    hints=[
        "activations.max(axis=(0, 2, 3)) is the largest answer of each channel, (C,).",
        "np.flatnonzero(condition) gives the indices at which a condition holds.",
        "activations[:batch] is the batch.",
    ],
)
def three_deaths(activations, batch, largest):
    """Channels dead on the first `batch` images, on all of them, and for any input: three arrays of indices."""
    on_batch, on_data = (np.flatnonzero(part.max(axis=(0, 2, 3)) <= 0) for part in (activations[:batch], activations))
    return on_batch, on_data, np.flatnonzero(largest <= 0)


# ---------------------------------------------------------------- 9.2 what can a filter answer at all?


def _filters(generator):
    cases = []
    for _ in range(3):
        inputs = int(generator.integers(2, 5))
        least = -generator.uniform(0.5, 2, inputs)
        cases.append(
            (generator.normal(size=(inputs, 3, 3)), float(generator.normal()), least, generator.uniform(1, 4, inputs))
        )
    return cases


def _reach_by_loops(weights, bias, least, most):
    low = high = bias
    for channel, row, column in np.ndindex(weights.shape):
        ends = sorted(weights[channel, row, column] * one[channel] for one in (least, most))
        low, high = low + ends[0], high + ends[1]
    return float(low), float(high)


def _reach(weights, bias, least, most, *, flip=False, keep=1.0):
    positive, negative = (np.where(weights * sign > 0, weights, 0).sum(axis=(1, 2)) for sign in (1, -1))
    low, high = positive @ least + negative @ most, positive @ most + negative @ least
    return (high + keep * bias, low + keep * bias) if flip else (low + keep * bias, high + keep * bias)


@exercise(
    "9.2",
    cases=_filters,
    truth=_reach_by_loops,
    mistakes=[
        Mistake(
            "The bias is missing: it is added once, to both ends.",
            lambda weights, bias, least, most: _reach(weights, bias, least, most, keep=0.0),
        ),
        Mistake(
            "A negative weight answers most where its input is least: the sign of a weight decides which end to take.",
            lambda weights, bias, least, most: (
                float(weights.sum(axis=(1, 2)) @ least + bias),
                float(weights.sum(axis=(1, 2)) @ most + bias),
            ),
        ),
        Mistake(
            "The two ends have changed places: least first.",
            lambda weights, bias, least, most: _reach(weights, bias, least, most, flip=True),
        ),
        Mistake(
            "A filter's weights were added up before their signs were looked at. Each meets a pixel of its own, so "
            "each takes its own end.",
            lambda weights, bias, least, most: _reach(weights.sum(axis=(1, 2))[:, None, None], bias, least, most),
        ),
    ],
    hints=[
        "np.maximum(weights, 0) are the positive weights, np.minimum(weights, 0) the negative ones.",
        "most = bias + (positive * most + negative * least) added up.",
        "The inputs' ends need two axes more before they can be multiplied: most[:, None, None].",
    ],
)
def reach(weights, bias, least, most):
    """What a filter (in, kh, kw) can answer at least and at most, if input c lies from least[c] to most[c]."""
    positive, negative = np.maximum(weights, 0), np.minimum(weights, 0)
    least, most = least[:, None, None], most[:, None, None]
    return (
        float(bias + (positive * least + negative * most).sum()),
        float(bias + (positive * most + negative * least).sum()),
    )


# ---------------------------------------------------------------- 9.3 twins


def _layers_with_twins(generator):
    cases = []
    for _ in range(3):
        filters = generator.normal(0.4, 1, (8, 3, 3, 3))
        filters[5] = generator.uniform(1.5, 3) * filters[2]
        filters[6] = -filters[1]
        filters[7] = filters[3] + 0.05 * generator.normal(size=(3, 3, 3))
        filters[4] = filters[0] + 2.0  # the same once the mean is taken away
        cases.append((filters, 0.97))
    return cases


def _twins(filters, threshold, *, unit=True, center=False, opposite=True):
    rows = filters.reshape(len(filters), -1)
    rows = rows - rows.mean(axis=1, keepdims=True) if center else rows
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True) if unit else rows
    cosines = np.abs(rows @ rows.T) if opposite else rows @ rows.T
    return np.argwhere(np.triu(cosines >= threshold, k=1))


def _twins_by_loops(filters, threshold):
    found = []
    for i in range(len(filters)):
        for j in range(i + 1, len(filters)):
            one, other = filters[i].ravel(), filters[j].ravel()
            if abs(one @ other) >= threshold * np.sqrt((one @ one) * (other @ other)):
                found.append((i, j))
    return np.array(found)


@exercise(
    "9.3",
    cases=_layers_with_twins,
    truth=_twins_by_loops,
    look=lambda answer, *inputs: np.array(sorted(tuple(map(int, pair)) for pair in answer)).reshape(-1, 2),
    mistakes=[
        Mistake(
            "Pairs of opposite sign are missing: a filter and its negative carry the same weights. Take |cosine|.",
            lambda filters, threshold: _twins(filters, threshold, opposite=False),
        ),
        Mistake(
            "These are products of filters of any length, no cosines: divide each filter by its length first.",
            lambda filters, threshold: _twins(filters, threshold, unit=False),
        ),
        Mistake(
            "Each pair comes twice, once in either order: keep those with i < j.",
            lambda filters, threshold: np.concatenate(
                [_twins_by_loops(filters, threshold), _twins_by_loops(filters, threshold)[:, ::-1]]
            ),
        ),
        Mistake(
            "That is the correlation: the filters' means were taken away, so two that differ by a constant look like "
            "twins. A constant is not nothing to a filter.",
            lambda filters, threshold: _twins(filters, threshold, center=True),
        ),
    ],
    hints=[
        "filters.reshape(len(filters), -1) makes a row of each filter.",
        "Divide the rows by np.linalg.norm(rows, axis=1, keepdims=True): then rows @ rows.T holds the cosines.",
        "np.triu(..., k=1) keeps what lies above the diagonal, so that each pair comes once; np.argwhere lists it.",
    ],
)
def twins(filters, threshold):
    """Pairs (i, j), i < j, of filters (out, in, kh, kw) whose |cosine| is at least `threshold`."""
    rows = filters.reshape(len(filters), -1)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.argwhere(np.triu(np.abs(rows @ rows.T) >= threshold, k=1))


# ---------------------------------------------------------------- 9.4 cut a copy out


def _cut(weights, kept, copy, factor, *, too_early=False):
    weights, heard = weights.copy(), weights[:, copy]
    if too_early:
        weights = np.delete(weights, copy, axis=1)
        weights[:, min(kept, weights.shape[1] - 1)] += factor * heard
        return weights
    weights[:, kept] += factor * heard
    return np.delete(weights, copy, axis=1)


def _cut_in_place(weights, kept, copy, scale):
    weights[:, kept] += scale * weights[:, copy]
    return np.delete(weights, copy, axis=1)


def _cut_by_hand(weights, kept, copy, scale):
    kept_channels = [channel for channel in range(weights.shape[1]) if channel != copy]
    heard = {channel: weights[:, channel] for channel in kept_channels}
    heard[kept] = weights[:, kept] + scale * weights[:, copy]
    return {"returned": np.stack(list(heard.values()), axis=1), "the weights you were given, afterwards": weights}


def _next_layers(generator):
    pairs = [(3, 1), (4, 2), (5, 0)]
    return [(generator.normal(size=(4, 6, 3, 3)), *pair, float(generator.uniform(0.3, 0.8))) for pair in pairs]


@exercise(
    "9.4",
    cases=_next_layers,
    truth=_cut_by_hand,
    look=lambda answer, weights, *others: {"returned": answer, "the weights you were given, afterwards": weights},
    mistakes=[
        Mistake(
            "The copy is gone, and what it said with it: fold its weights into its twin's before you delete.",
            lambda weights, kept, copy, scale: _cut(weights, kept, copy, 0.0),
        ),
        Mistake(
            "The copy was not as strong as its twin: its weights count times the scale.",
            lambda weights, kept, copy, scale: _cut(weights, kept, copy, 1.0),
        ),
        Mistake(
            "Divided by the scale; multiply: the copy answers scale times what its twin does.",
            lambda weights, kept, copy, scale: _cut(weights, kept, copy, 1 / scale),
        ),
        Mistake(
            "You deleted first: then every later channel has moved down by one, and `kept` may be another one.",
            lambda weights, kept, copy, scale: _cut(weights, kept, copy, scale, too_early=True),
        ),
        Mistake(
            "The weights that you were given have changed: work on weights.copy().",
            _cut_in_place,
        ),
    ],
    hints=[
        "What heard the copy now hears its twin: the copy's column is added to the twin's, times the scale.",
        "Work on weights.copy(), and delete last: np.delete(weights, copy, axis=1).",
    ],
)
def cut_out(weights, kept, copy, scale):
    """The next layer's filters (out, in, kh, kw) without input `copy`, which answers `scale` times what `kept` does."""
    weights = weights.copy()
    weights[:, kept] += scale * weights[:, copy]
    return np.delete(weights, copy, axis=1)


# ---------------------------------------------------------------- 9.5 how good is a diagnosis?


def _diagnoses(generator):
    everything = [(layer, int(channel)) for layer in ("conv1", "conv2") for channel in generator.permutation(20)[:6]]
    order = [everything[place] for place in generator.permutation(12)]
    return [
        (set(order[:5]), set(order[3:10])),
        (set(order[:6]), set(order[2:5])),
        (set(), set(order[:2])),
        (set(), set()),
    ]


def _graded_by_counting(found, planted):
    right = sum(one in planted for one in found)
    return (right / len(found) if found else 1.0, right / len(planted) if planted else 1.0)


def _graded(found, planted, *, swap=False, union=False, empty=1.0):
    right = len(found & planted)
    parts = [len(found | planted)] * 2 if union else [len(found), len(planted)]
    grades = [right / part if part else empty for part in parts]
    return tuple(grades[::-1] if swap else grades)


@exercise(
    "9.5",
    cases=_diagnoses,
    truth=_graded_by_counting,
    mistakes=[
        Mistake(
            "Precision and recall have changed places: precision asks of what was *said* how much is true.",
            lambda found, planted: _graded(found, planted, swap=True),
        ),
        Mistake(
            "Who says nothing says nothing wrong: without findings precision is 1, and without faults recall is 1.",
            lambda found, planted: _graded(found, planted, empty=0.0),
        ),
        Mistake(
            "Both are divided by everything that was said or planted. Each has a denominator of its own.",
            lambda found, planted: _graded(found, planted, union=True),
        ),
    ],
    hints=[
        "found & planted are those in both sets.",
        "precision = right / said, recall = right / planted; where there is nothing to divide by, 1.0.",
    ],
)
def precision_and_recall(found, planted):
    """The share of what was found that is true, and the share of what is true that was found; two sets."""
    right = len(found & planted)
    return right / len(found) if found else 1.0, right / len(planted) if planted else 1.0


# ---------------------------------------------------------------- 9.6 to 9.8 three patients

NOTHING_WRONG = "nothing missed, no false alarm"


def _claim(one) -> tuple:
    """A finding, a fault or a tuple such as ("redundant", "conv2", 12, 5) as a tuple that can be compared."""
    if hasattr(one, "kind"):
        one = (one.kind, *([one.layer, *one.channels] if one.layer else []))
    kind, *place = one if isinstance(one, (tuple, list)) else (one,)
    count = {"redundant": 3}.get(kind, 0 if kind in patients.RUN_KINDS else 2)
    if kind not in patients.KINDS or len(place) != count or (place and place[0] not in LAYERS):
        raise ValueError(f"{one!r} is no claim: (kind, layer, channel), two channels for a pair, or (kind,) for a run")
    return (kind, *place[:1], *sorted(int(channel) for channel in place[1:]))


def _report(claims, patient) -> str:
    """What a diagnosis of a stored patient missed, by kind, cause and layer, and what it named that is not so."""
    try:
        said = {_claim(one) for one in claims}
    except (TypeError, ValueError) as error:
        return str(error)
    true = {_claim(one): one for one in patients.load_key(patient.name).faults}
    if not said & true.keys():
        return f"{len(said)} claims, none of them right"
    missed = [f"{one.kind} ({one.cause}) {one.layer}".strip() for place, one in true.items() if place not in said]
    alarms = [" ".join(map(str, one)) for one in sorted(said - true.keys(), key=str)]
    parts = {"missed": missed, "false alarms": alarms}
    return "; ".join(f"{len(some)} {what}: {_first(some)}" for what, some in parts.items() if some) or NOTHING_WRONG


def _first(lines: list[str]) -> str:
    return ", ".join(lines[:2]) + (f" and {len(lines) - 2} more" if len(lines) > 2 else "")


def _diagnosed(number: str, name: str, mistakes, hints):
    """An exercise whose answer is graded against the key of a stored patient."""
    return exercise(
        number,
        cases=lambda generator: [(patients.load_patient(name),)],
        truth=lambda patient: NOTHING_WRONG,
        look=_report,
        mistakes=mistakes,
        hints=hints,
    )


def _silent(patient, reduce) -> list[tuple]:
    answers = network.run(patient.weights, network.ward_images().images).activations
    return [("dead", layer, c) for layer in LAYERS for c in np.flatnonzero(reduce(answers[layer], axis=(0, 2, 3)) <= 0)]


def _proven(patient) -> list[tuple]:
    return [
        ("dead", layer, c)
        for layer, (_, most) in detectors.bounds(patient.weights).items()
        for c in np.flatnonzero(most <= 0)
    ]


def _pairs(patient, keep=lambda pair: True) -> list[tuple]:
    return [
        ("redundant", layer, pair.first, pair.second)
        for layer in LAYERS
        for pair in detectors.redundant_pairs(*patient.weights[layer])
        if keep(pair)
    ]


def _noise(patient, *, rough_alone: bool = False) -> list[tuple]:
    def named(filters):
        if rough_alone:
            return np.flatnonzero(detectors.correlated_neighbors(filters) < detectors.AS_ROUGH_AS_NOISE)
        return detectors.noise_filters(filters)

    return [("noise", layer, c) for layer in LAYERS for c in named(patient.weights[layer][0])]


@_diagnosed(
    "9.6",
    "01",
    mistakes=[
        Mistake(
            "You named nothing. Look at the largest answer of each channel to the clinic's images.", lambda patient: []
        ),
        Mistake(
            "These are proven to be dead, all of them. But a filter that is silent on all 120 images is a finding too, "
            "if a weaker one.",
            _proven,
        ),
        Mistake(
            "A filter that answers at few places is not dead: take its largest answer, not the middle one.",
            lambda patient: _silent(patient, np.median),
        ),
        Mistake(
            "Only filters whose weights are all zero. One with fine weights is dead, too, if its bias drowns them.",
            lambda patient: [
                ("dead", layer, c)
                for layer in LAYERS
                for c in range(len(patient.weights[layer][1]))
                if not patient.weights[layer][0][c].any()
            ],
        ),
    ],
    hints=[
        "network.run(patient.weights, images).activations is a dict {layer: (N, C, h, w)}, after the ReLU.",
        "detectors.dead_channels(activations[layer]).on_data are those that none of the images woke.",
        "This patient suffers from one kind only.",
    ],
)
def diagnose_01(patient):
    """What is wrong with patient 01: a list of claims such as ("dead", "conv2", 4)."""
    answers = network.run(patient.weights, network.ward_images().images).activations
    return [("dead", layer, c) for layer in LAYERS for c in detectors.dead_channels(answers[layer]).on_data]


@_diagnosed(
    "9.7",
    "02",
    mistakes=[
        Mistake("You named nothing. No filter of this one is silent; look at the weights.", lambda patient: []),
        Mistake(
            "A pair of opposites is missing: a filter and its negative are redundant, too.",
            lambda patient: [*_pairs(patient, lambda pair: pair.cosine > 0), *_noise(patient)],
        ),
        Mistake(
            "A copy need not be exact: a cosine of 0.97 and more is out of line with everything else here.",
            lambda patient: [*_pairs(patient, lambda pair: abs(pair.cosine) > 0.9999), *_noise(patient)],
        ),
        Mistake("The pairs are right. One filter has no twin, and no kin either.", _pairs),
        Mistake(
            "Filters that are merely rough were called noise. Ask the second witness, kinship, too.",
            lambda patient: [*_pairs(patient), *_noise(patient, rough_alone=True)],
        ),
    ],
    hints=[
        "patient.weights[layer] is (filters, biases); detectors.redundant_pairs(filters, biases) lists the pairs.",
        "detectors.noise_filters(filters) asks both witnesses.",
        'Claims about a pair name both filters: ("redundant", "conv2", 3, 7).',
    ],
)
def diagnose_02(patient):
    """What is wrong with patient 02: a list of claims such as ("noise", "conv2", 4) or ("redundant", "conv1", 2, 7)."""
    claims = []
    for layer in LAYERS:
        filters, biases = patient.weights[layer]
        claims += [("redundant", layer, pair.first, pair.second) for pair in detectors.redundant_pairs(filters, biases)]
        claims += [("noise", layer, channel) for channel in detectors.noise_filters(filters)]
    return claims


def _examined(patient, keep) -> list:
    return [one for one in diagnosis.examine(patient, network.ward_images().images) if keep(one)]


@_diagnosed(
    "9.8",
    "05",
    mistakes=[
        Mistake("You named nothing, and this one is the worst of them all.", lambda patient: []),
        Mistake(
            "The filters are right. But how is it run? Hold what it says of the chart against its record.",
            lambda patient: _examined(patient, lambda one: one.layer),
        ),
        Mistake(
            "How it is run is right. Now look at the filters, layer by layer.",
            lambda patient: _examined(patient, lambda one: not one.layer),
        ),
        Mistake(
            "Two things are wrong with how it is run, at once: explain() tries pairs, too.",
            lambda patient: _examined(patient, lambda one: one.kind != "wrong preprocessing"),
        ),
        Mistake(
            "One filter answers to a single image of the 120: tuned_to_one_image knows it.",
            lambda patient: _examined(patient, lambda one: one.kind != "tuned to one image"),
        ),
    ],
    hints=[
        "diagnosis.explain(patient, diagnosis.observe(patient)) says how it is run, and what remains unexplained.",
        'Claims about the whole network have no place: ("wrong preprocessing",) or ("batch norm in training mode",).',
        "detectors.tuned_to_one_image(activations[layer]) gives {channel: image}.",
        "diagnosis.examine(patient, images) does it all. Write it by hand first, then compare.",
    ],
)
def diagnose_05(patient):
    """All that is wrong with patient 05: a list of claims, about filters and about how it is run."""
    return diagnosis.examine(patient, network.ward_images().images)
