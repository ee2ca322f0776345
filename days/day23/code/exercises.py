"""The exercises of Day 23. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations

import numpy as np

from days.common import cases
from days.common.checks import is_number
from days.common.comparison import Words, brief
from days.common.exercises import exercise
from days.common.tasks import task
from days.day23.code import cutting, detectors, diagnosis, network, patients
from days.day23.code.network import LAYERS


def _answers(generator, batch):
    """Maps after the ReLU in which some channels are silent at first, some always, and some cannot answer."""
    maps = cases.maps(generator, 9, 14, 3, 4, mean=0.5, relu=True)
    largest = maps.max(axis=(0, 2, 3)) + generator.uniform(0.5, 2, 14)
    maps[:batch, [1, 2, 3, 4, 5]], maps[:, [1, 2, 3]] = 0, 0
    maps[0, 6] = 0
    maps[:, 7, 1:] = 0
    maps[:, 8:13] = 0
    maps[batch - 1, 8], maps[0, 9], maps[8, 10] = 1, 1, 1  # awake in one image
    maps[1, 11, generator.integers(3), generator.integers(4)] = 1e-4
    maps[:, 12, 1:, 1:] = 0.3
    largest[[1, 2, 11, 13]] = 0.0, -generator.uniform(0.1, 3), 0.01, maps[:, 13].max()  # 13 reaches its bound
    order = generator.permutation(14)
    return maps[:, order], batch, largest[order]


def _in_any_order(answer, *inputs):
    """Lists of indices, sorted; what is none, such as a mask, as it is."""
    if not isinstance(answer, (tuple, list)):
        return answer
    lists = [isinstance(part, (set, frozenset)) or np.asarray(part).dtype.kind == "i" for part in answer]
    return tuple(
        np.asarray(sorted(part)) if one and np.ndim(part) < 2 else part for one, part in zip(lists, answer, strict=True)
    )


def _deaths_by_loops(activations, batch, largest):
    def silent(images):
        return np.array([c for c in range(len(largest)) if not any(image[c].any() for image in images)])

    return (
        silent(activations[:batch]),
        silent(activations),
        np.array([c for c, most in enumerate(largest) if not most > 0]),
    )


@exercise(
    "9.1 · 10 min · ●○○",
    cases=cases.drawn(_answers, (4,), (1,), (5,)),
    truth=_deaths_by_loops,
    look=_in_any_order,
    mistakes=[
        "A channel counts as dead if it is silent on one image. It is dead on a batch if no image activates it: reduce "
        "over the images, too.",
        ("part.max(axis=(0, 2, 3)) <= 0", "(part.max(axis=(2, 3)) <= 0).any(axis=0)"),
        "A channel whose largest possible answer is exactly 0 is dead, too: a ReLU makes 0 of it.",
        ("largest <= 0", "largest < 0"),
        "The first list holds what is dead on all the images: take only the first `batch` of them for it.",
        ("[:batch]", ""),
        "A channel that responds at few positions is not dead: take the largest activation, not the median.",
        ("part.max(", "np.median(part, "),
    ],
    hints=[
        "activations.max(axis=(0, 2, 3)) is the largest activation of each channel, (C,).",
        "np.flatnonzero(condition) gives the indices at which a condition holds.",
        "activations[:batch] is the batch.",
    ],
)
def three_deaths(activations, batch, largest):
    """Channels dead on the first `batch` images, on all, for any input: three index arrays."""
    on_batch, on_data = (np.flatnonzero(part.max(axis=(0, 2, 3)) <= 0) for part in (activations[:batch], activations))
    return on_batch, on_data, np.flatnonzero(largest <= 0)


def _filter(generator, bias):
    """A filter with inputs on both sides of 0, one above it, and one below; all that it gives has the bias's sign."""
    inputs = int(generator.integers(3, 6))
    least, most = -generator.uniform(0.5, 2, inputs), generator.uniform(1, 4, inputs)
    least[0], most[1] = most[0] / 4, least[1] / 3
    return generator.normal(size=(inputs, 3, 3)), float(generator.normal(bias)), least, most


def _reach_by_sorting(weights, bias, least, most):
    ends = np.sort([np.einsum("ihw,i->ihw", weights, end) for end in (least, most)], axis=0)
    return float(bias + ends[0].sum()), float(bias + ends[1].sum())


@exercise(
    "9.2 · 15 min · ●●○",
    cases=cases.drawn(_filter, (0,), (200,), (-200,)),
    truth=_reach_by_sorting,
    mistakes=[
        "The bias is missing: it is added once, to both ends.",
        ("low = bias + ", "low = ", "high = bias + ", "high = "),
        "A negative weight gives most where its input is least: the sign of a weight decides which end to take.",
        ("np.maximum(weights, 0), np.minimum(weights, 0)", "weights, 0"),
        "The two ends have changed places: least first.",
        ("float(low), float(high)", "float(high), float(low)"),
        "A filter's weights were added up before their signs were looked at. Each meets a pixel of its own, so "
        "each takes its own end.",
        ("    positive, negative", "    weights = weights.sum(axis=(1, 2), keepdims=True)\n    positive, negative"),
    ],
    hints=[
        "np.maximum(weights, 0) are the positive weights, np.minimum(weights, 0) the negative ones.",
        "most = bias + (positive * most + negative * least) added up.",
        "The inputs' ends need two axes more before they can be multiplied: most[:, None, None].",
    ],
)
def reach(weights, bias, least, most):
    """Filter (in, kh, kw), bias, each input's bounds (in,) -> (least output, largest output)."""
    positive, negative = np.maximum(weights, 0), np.minimum(weights, 0)
    least, most = least[:, None, None], most[:, None, None]
    low = bias + (positive * least + negative * most).sum()
    high = bias + (positive * most + negative * least).sum()
    return float(low), float(high)


def _exactly_at_the_threshold(generator):
    """Filters of zeros and ones: one has a cosine of exactly 0.5 with two others, which are not alike."""
    rows = np.zeros((5, 12))
    rows[0, :4], rows[1, 2:6], rows[2, 8:9], rows[3, 7:12], rows[4, 4:8] = 1, 1, 3, -1, 2
    return rows[[0, 2, 1, 3, 4]].reshape(5, 3, 2, 2), 0.5


def _just_above(generator, unit, cosine):
    """A filter whose cosine with a filter of length 1 is given: its square lies below the threshold."""
    other = generator.normal(size=unit.shape)
    other -= (other * unit).sum() * unit
    return cosine * unit + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other)


def _with_twins(generator, threshold=0.97):
    filters = generator.normal(0.4, 1, (11, 3, 3, 3))
    filters[5] = generator.uniform(1.5, 3) * filters[2]
    filters[6], filters[9] = -filters[1], -filters[2]  # 2, 5 and 9 are three of a kind
    filters[7] = filters[3] + 0.05 * generator.normal(size=(3, 3, 3))
    filters[4] = filters[0] + 2.0  # the same once the mean is taken away
    filters[8, 0] = -1.5 * filters[5, 0]  # twins in one color, and not in the others
    filters[10] = _just_above(generator, filters[1] / np.linalg.norm(filters[1]), threshold + 0.2 * (1 - threshold))
    return filters[generator.permutation(len(filters))], threshold


def _twins_by_pairs(filters, threshold):
    lengths = [np.linalg.norm(kernel) for kernel in filters]
    pairs = combinations(range(len(filters)), 2)
    return np.array(
        [(i, j) for i, j in pairs if abs((filters[i] * filters[j]).sum()) >= threshold * lengths[i] * lengths[j]],
        int,
    ).reshape(-1, 2)


def _as_pairs(answer, *inputs):
    """Pairs in order, also where they come as np.where gives them, (all first ones, all second ones)."""
    if isinstance(answer, tuple) and len(answer) == 2 and all(isinstance(one, np.ndarray) for one in answer):
        answer = np.transpose(answer)
    return np.array(sorted(tuple(map(int, pair)) for pair in answer), int).reshape(-1, 2)


@exercise(
    "9.3 · 10 min · ●●○",
    cases=lambda generator: [
        *(_with_twins(generator, threshold) for threshold in (0.97, 0.7, 0.9999)),
        cases.edge("a cosine is exactly the threshold", *_exactly_at_the_threshold(generator)),
        cases.edge("there are no twins", generator.normal(size=(4, 3, 3, 3)), 0.97),
    ],
    truth=_twins_by_pairs,
    look=_as_pairs,
    mistakes=[
        "Pairs of opposite sign are missing: a filter and its negative carry the same weights. Take |cosine|.",
        ("np.abs(rows @ rows.T)", "(rows @ rows.T)"),
        "These are products of filters of any length, no cosines: divide each filter by its length first.",
        ("rows / np.linalg.norm(rows, axis=1, keepdims=True)", "rows"),
        "Each pair comes twice, once in either order: keep those with i < j.",
        ("np.triu(np.abs(rows @ rows.T) >= threshold, k=1)", "np.abs(rows @ rows.T) - np.eye(len(rows)) >= threshold"),
        "That is the correlation: the filters' means were taken away, so two that differ by a constant look like "
        "twins. A constant is not nothing to a filter.",
        ("    rows = rows /", "    rows = rows - rows.mean(axis=1, keepdims=True)\n    rows = rows /"),
    ],
    hints=[
        "filters.reshape(len(filters), -1) makes a row of each filter.",
        "Divide the rows by np.linalg.norm(rows, axis=1, keepdims=True): then rows @ rows.T holds the cosines.",
        "np.triu(..., k=1) keeps what lies above the diagonal, so that each pair comes once; np.argwhere lists it.",
    ],
)
def twins(filters, threshold):
    """Filters (out, in, kh, kw) -> pairs (i, j), i < j, with |cosine| >= threshold."""
    rows = filters.reshape(len(filters), -1)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.argwhere(np.triu(np.abs(rows @ rows.T) >= threshold, k=1))


def _cut_by_mixing(weights, kept, copy, scale):
    """The inputs that are left, mixed into those that the weights were made for."""
    mix = np.delete(np.eye(weights.shape[1]), copy, axis=1)
    mix[copy] = scale * mix[kept]
    return np.einsum("oihw,ij->ojhw", weights, mix)


@exercise(
    "9.4 · 10 min · ●●○",
    cases=lambda generator: [
        (cases.filters(generator, 4, 6, 3, 2), *pair, float(scale * generator.uniform(0.3, 0.8)))
        for *pair, scale in ((3, 1, 1), (4, 2, 4), (1, 5, 1), (0, 3, 4))
    ],
    truth=_cut_by_mixing,
    mistakes=[
        "The copy is gone, and what it said with it: fold its weights into its twin's before you delete.",
        ("scale *", "0 *"),
        "The copy was not as strong as its twin: its weights count times the scale.",
        ("scale * ", ""),
        "Divided by the scale; multiply: the copy's response is scale times its twin's.",
        ("scale *", "1 / scale *"),
        "You deleted first: then every later channel has moved down by one, and `kept` may be another one.",
        ("[:, kept]", "[:, kept + (kept > copy)]"),  # which of the six is number `kept` then
    ],
    hints=[
        "What took the copy as input now takes its twin: the copy's column is added to the twin's, times the scale.",
        "Work on weights.copy(), and delete last: np.delete(weights, copy, axis=1).",
    ],
)
def cut_out(weights, kept, copy, scale):
    """Filters (out, in, kh, kw) -> filters (out, in - 1, kh, kw) with the same outputs."""
    weights = weights.copy()
    weights[:, kept] += scale * weights[:, copy]
    return np.delete(weights, copy, axis=1)


def _diagnoses(generator):
    claims = [(layer, int(channel)) for layer in ("conv1", "conv2") for channel in generator.permutation(20)[:6]]
    order = [claims[place] for place in generator.permutation(12)]
    return [
        (set(order[:5]), set(order[3:10])),
        (set(order[:6]), set(order[2:5])),
        cases.edge("nothing was found", set(), set(order[:2])),
        cases.edge("nothing was found, and nothing planted", set(), set()),
        cases.edge("nothing was planted", set(order[:3]), set()),
    ]


def _graded_by_counting(found, planted):
    right = sum(claim in planted for claim in found)
    return (right / len(found) if found else 1.0, right / len(planted) if planted else 1.0)


@exercise(
    "9.5 · 10 min · ●○○",
    cases=_diagnoses,
    truth=_graded_by_counting,
    mistakes=[
        "Precision and recall have changed places: precision asks of what was *said* how much is true.",
        ("    right", "    found, planted = planted, found\n    right"),
        "Who says nothing says nothing wrong: without findings precision is 1, and without faults recall is 1.",
        ("found else 1.0", "found else 0.0", "planted else 1.0", "planted else 0.0"),
        "Both are divided by everything that was said or planted. Each has a denominator of its own.",
        ("/ len(found)", "/ len(found | planted)", "/ len(planted)", "/ len(found | planted)"),
    ],
    hints=[
        "found & planted are those in both sets.",
        "precision = right / said, recall = right / planted; where there is nothing to divide by, 1.0.",
    ],
)
def precision_and_recall(found, planted):
    """Two sets -> (precision, recall)."""
    right = len(found & planted)
    return right / len(found) if found else 1.0, right / len(planted) if planted else 1.0


NOTHING_WRONG = "nothing missed, no false alarm, and the evidence is right"


def _read(claims) -> dict[tuple, object]:
    """A learner's claims, ("redundant", "conv2", 12, 5, 0.98), as {what is claimed: its evidence}."""
    said: dict[tuple, object] = {}
    for one in claims:
        (kind, layer, channels), proof = patients.read_claim(one, evidence=True)
        place = (kind, layer, *channels) if layer else (kind,)
        before, proof = said.get(place, proof), proof.item() if getattr(proof, "size", 0) == 1 else proof
        if brief(before, 5) != brief(proof, 5):
            raise ValueError(
                f"{' '.join(map(str, place))} is claimed twice, with the evidence {brief(before)} and {brief(proof)}: "
                "claim each fault once"
            )
        said[place] = proof
    return said


@cache
def _rightly_run(name: str):
    return network.run(patients.load_patient(name).weights, network.ward_images().images)


def _proven(claim: tuple, patient, cause: str):
    """The evidence for a true claim: what no key and no finding holds, but for the name of a preprocessing."""
    kind, *place = claim
    if not place:
        return cause if kind == "wrong preprocessing" else None
    layer, *channels = place
    if kind == "exploded":
        return detectors.relative_lengths(patient.weights[layer][0])[channels[0]]
    answers = _rightly_run(patient.name)
    before = np.moveaxis(answers.before[layer][:, channels], 1, 0).reshape(len(channels), -1)
    if kind == "dead":
        return before.max()
    if kind == "redundant":
        return np.corrcoef(before)[0, 1]
    if kind == "noise":
        return detectors.neighbor_correlation(patient.weights[layer][0][channels])
    return np.sort(answers.before[layer][:, channels[0]].max(axis=(1, 2)))[-2]  # of the image that comes second


def _fits(proof, wanted) -> bool:
    if isinstance(wanted, (str, type(None))):
        return isinstance(proof, type(wanted)) and proof == wanted
    return is_number(proof) and math.isclose(proof, wanted, rel_tol=1e-5, abs_tol=1e-6)


def _report(claims, patient) -> str:
    """What a diagnosis of a stored patient missed, by kind, cause and layer, and what is wrong or unproven in it."""
    if not isinstance(claims, (list, tuple, set)):
        return Words(f"a diagnosis is a list of claims; you returned {brief(claims, length=80)}")
    try:
        said = _read(claims)
    except (TypeError, ValueError) as error:
        return Words(error)
    faults = {(one.kind, *([one.layer, *sorted(one.channels)] if one.layer else [])): one for one in _key(patient)}
    if not said.keys() & faults.keys():
        return Words(f"of your {len(said)} claims none is right; faults to be found: {len(faults)}")
    missed = [f"{one.kind} ({one.cause}) {one.layer}".strip() for place, one in faults.items() if place not in said]
    alarms = [" ".join(map(str, one)) for one in sorted(said.keys() - faults.keys(), key=str)]
    unproven = [
        f"{' '.join(map(str, one))}: {brief(proof, 8)}"  # so many digits that one mistake is not taken for another
        for one, proof in said.items()
        if one in faults and not _fits(proof, _proven(one, patient, faults[one].cause))
    ]
    parts = {"missed": missed, "false alarms": alarms, "wrong evidence": unproven}
    if not any(parts.values()):
        return NOTHING_WRONG
    right = f"of your {len(said)} claims {len(said) - len(alarms) - len(unproven)} are right and proven"
    return Words("; ".join([right, *(f"{what}: {len(some)} ({_first(some)})" for what, some in parts.items() if some)]))


def _key(patient):
    return patients.load_key(patient.name).faults


def _first(lines: list[str]) -> str:
    return ", ".join(lines[:2]) + (f" and {len(lines) - 2} more" if len(lines) > 2 else "")


def _diagnosed(head: str, name: str, **fields):
    """An exercise whose answer is graded against the key of a stored patient, and by the evidence."""
    fields |= {"cases": lambda generator: [(patients.load_patient(name),)], "truth": lambda patient: NOTHING_WRONG}
    return exercise(head, look=_report, rounds=1, probe=False, **fields)


@_diagnosed(
    "9.6 · 10 min · ●●○",
    "01",
    mistakes=[
        "You named nothing. Look at the largest activation of each channel on the clinic's images.",
        lambda patient: [],
        "These are proven to be dead, all of them. But a filter that is silent on all 120 images is a finding too, "
        "if a weaker one.",
        (
            "detectors.dead_channels(answers.activations[layer]).on_data",
            "np.flatnonzero(detectors.bounds(patient.weights)[layer][1] <= 0)",
        ),
        "Only filters whose weights are all zero. One with fine weights is dead, too, if its bias drowns them.",
        (
            "detectors.dead_channels(answers.activations[layer]).on_data",
            "np.flatnonzero(~patient.weights[layer][0].any(axis=(1, 2, 3)))",
        ),
        "After the ReLU every dead channel is 0. How far below 0 it stays is seen before the ReLU, in `before`.",
        ("answers.before", "answers.activations"),
    ],
    hints=[
        "answers = network.run(patient.weights, images) has answers.activations[layer], (N, C, h, w), after the ReLU, "
        "and answers.before[layer], before it.",
        "detectors.dead_channels(answers.activations[layer]).on_data are those that none of the images activates.",
        "The evidence for channel c is answers.before[layer][:, c].max(). This patient suffers from one kind only.",
    ],
)
def diagnose_01(patient):
    """Claims about patient 01, each with its evidence: [("dead", layer, channel, evidence), ...].

    Evidence: the channel's largest response to the clinic's images before the ReLU.
    """
    answers = network.run(patient.weights, network.ward_images().images)
    claims = []
    for layer in LAYERS:
        most = answers.before[layer].max(axis=(0, 2, 3))
        claims += [("dead", layer, c, most[c]) for c in detectors.dead_channels(answers.activations[layer]).on_data]
    return claims


@_diagnosed(
    "9.7 · 15 min · ●●○",
    "02",
    mistakes=[
        "You named nothing. No filter of this one is silent; look at the weights.",
        lambda patient: [],
        "A pair of opposites is missing: a filter and its negative are redundant, too.",
        ("(filters, biases):", "(filters, biases)[:1]:"),
        "A copy need not be exact: a cosine of 0.97 and more is out of line with everything else here.",
        ("redundant_pairs(filters, biases)", "redundant_pairs(filters, biases, 0.9999)"),
        "The pairs are right. One filter has no twin and is unlike all others.",
        ("detectors.noise_filters(filters)", "[]"),
        "Filters that are merely rough were called noise. Ask the second test, `detectors.closeness`, too.",
        (
            "detectors.noise_filters(filters)",
            "np.flatnonzero(detectors.correlated_neighbors(filters) < detectors.AS_ROUGH_AS_NOISE)",
        ),
        "The evidence for a pair is the correlation of their responses, before the ReLU; that is the cosine of their "
        "weights.",
        ("np.corrcoef(both.reshape(2, -1))[0, 1]", "pair.cosine"),
    ],
    hints=[
        "patient.weights[layer] is (filters, biases); detectors.redundant_pairs(filters, biases) lists the pairs, and "
        "detectors.noise_filters(filters) asks both witnesses.",
        "network.run(patient.weights, images).before[layer] are the responses before the ReLU: two channels, each "
        "flattened, into np.corrcoef.",
        "detectors.neighbor_correlation(filters[[c]]) is the evidence for noise. "
        'Claims about a pair name both filters: ("redundant", "conv2", 3, 7, 0.99).',
    ],
)
def diagnose_02(patient):
    """Claims on patient 02: ("redundant", layer, i, j, evidence), ("noise", layer, i, evidence).

    Evidence of a pair: the correlation of the two channels' responses to the clinic's images
    before the ReLU. Of noise: the correlation of the filter's neighboring weights.
    """
    answers, claims = network.run(patient.weights, network.ward_images().images), []
    for layer in LAYERS:
        filters, biases = patient.weights[layer]
        for pair in detectors.redundant_pairs(filters, biases):
            both = np.moveaxis(answers.before[layer][:, [pair.first, pair.second]], 1, 0)
            claims.append(("redundant", layer, pair.first, pair.second, np.corrcoef(both.reshape(2, -1))[0, 1]))
        for c in detectors.noise_filters(filters):
            claims.append(("noise", layer, c, detectors.neighbor_correlation(filters[[c]])))
    return claims


@_diagnosed(
    "9.8 · 15 min · ●●●",
    "05",
    mistakes=[
        "You named nothing, and this one is the worst of them all.",
        lambda patient: [],
        "The filters are right. But how is it run? Compare its responses to the chart with its record.",
        ("[*run, *claims]", "claims"),
        "How it is run is right. Now look at the filters, layer by layer.",
        ("[*run, *claims]", "run"),
        "Two things are wrong with how it is run, at once: explain() tries pairs, too.",
        ("[*run, *claims]", "[*run[1:], *claims]"),
        "One filter responds to a single image of the 120: tuned_to_one_image knows it.",
        ("detectors.tuned_to_one_image(answers.activations[layer])", "{}"),
        "That a filter responds to one image is proven by the others: how far below 0 does it stay on them?",
        ("np.delete(answers.before[layer][:, c], image, axis=0)", "answers.before[layer][:, c]"),
    ],
    hints=[
        "diagnosis.explain(patient, diagnosis.observe(patient)) says how it is run, and what remains unexplained.",
        'Claims about the whole network have no place: ("wrong preprocessing", "its name in network.PREPROCESSINGS") '
        'or ("batch norm in training mode",).',
        "detectors.tuned_to_one_image(activations[layer]) gives {channel: image}. Do the filters as in 9.7.",
    ],
)
def diagnose_05(patient):
    """Claims about patient 05, filters and how it is run, with evidence as in 9.6 and 9.7.

    Of ("tuned to one image", layer, i, evidence): its largest response to the other images,
    before the ReLU. Of ("wrong preprocessing", evidence): which.
    ("batch norm in training mode",) has none.
    """
    how, _ = diagnosis.explain(patient, diagnosis.observe(patient))
    run = [("batch norm in training mode",)] * how.batch_norm_training + [("wrong preprocessing", how.preprocessing)]
    answers, claims = network.run(patient.weights, network.ward_images().images), []
    for layer in LAYERS:
        filters, biases = patient.weights[layer]
        for pair in detectors.redundant_pairs(filters, biases):
            both = np.moveaxis(answers.before[layer][:, [pair.first, pair.second]], 1, 0)
            claims.append(("redundant", layer, pair.first, pair.second, np.corrcoef(both.reshape(2, -1))[0, 1]))
        for c in detectors.noise_filters(filters):
            claims.append(("noise", layer, c, detectors.neighbor_correlation(filters[[c]])))
        for c, image in detectors.tuned_to_one_image(answers.activations[layer]).items():
            others = np.delete(answers.before[layer][:, c], image, axis=0)
            claims.append(("tuned to one image", layer, c, others.max()))
    return [*run, *claims]


@task(
    "9.9 · 30 min · ●●●",
    rubric=cutting.rubric,
    given=(2026,),
    wrong=[
        "the filters with the smallest weights, although any channel can be scaled",
        (" * heard[layer]", ""),
        "as many channels as asked for, drawn at random",
        ("sizes[layer] * heard[layer]", "np.random.default_rng(0).random(len(heard[layer]))"),
        "too few channels",
        ("0.21", "0.1"),
        "a control that was not run",
        ('"random": drawn', '"random": [0.5] * 20'),
        "a cut that costs nothing, as somebody hoped",
        ('"loss": costs', '"loss": 0.0'),
    ],
    hints=[
        "The size of a filter says nothing: this network's channels are scaled, and the next layer divides by the same "
        "number. Which product of two sizes does not change when a channel is scaled?",
        "Rank each layer's channels by the size of the filter times the size of the next layer's weights for it, "
        "and cut the smallest 21 % of each. `cutting.loss` measures what that costs.",
        "`cutting.random_cut(weights, cut, seed=...)` draws as many channels; list the losses for the seeds 0 to 19.",
    ],
)
def prune(number):
    """A number -> {"cut": {layer: channels}, "loss": cost, "random": [20 costs at random]}."""
    import numpy as np

    from days.day23.code import cutting
    from days.day23.code.network import LAYERS

    weights = cutting.network_to_cut(number)
    sizes, heard, cut = {}, {}, {}
    for layer, later in zip(LAYERS, [*LAYERS[1:], "scores"], strict=True):
        filters, following = weights[layer][0], np.abs(weights[later][0])
        sizes[layer] = np.abs(filters).reshape(len(filters), -1).sum(axis=1)
        heard[layer] = following.sum(axis=0).reshape(len(filters), -1).sum(axis=1)
        order = np.argsort(sizes[layer] * heard[layer])
        cut[layer] = order[: int(np.ceil(0.21 * len(order)))].tolist()
    costs = cutting.loss(weights, cut, count=500, seed=1)
    draws = [cutting.random_cut(weights, cut, seed=seed) for seed in range(20)]
    drawn = [cutting.loss(weights, draw, count=100, seed=1) for draw in draws]
    return {"cut": cut, "loss": costs, "random": drawn}
