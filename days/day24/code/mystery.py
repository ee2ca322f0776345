"""A network of your own to judge: made from a number, with faults, with a habit of looking at backgrounds, or sound.

    patient = mystery_network(7)
    rubric([("dead", "conv2", 3), ("background", 0.3)], 7)    # what was found, missed and invented

Half of the networks learned from images whose background went with the shape, in all of them or in nine of ten. Half,
drawn apart from these, have faults of Day 23 planted in them. So one in four is sound, and an empty report is then the
right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from days.common.checks import check_integer, is_number
from days.common.comparison import brief
from days.common.datasets import Shapes, make_shapes
from days.common.tasks import Point
from days.day18.code.training import Weights
from days.day23.code import diagnosis, network, patients
from days.day23.code.finding import Finding
from days.day24.code.bias_lab import load_key, load_suspects, swapped

BACKGROUND = "background"
IMAGES, AS_MEASURED = 500, 0.005
"""A loss is measured on so many images drawn from the network's number, and reported to within two of them."""
LOOKS = 0.06
"""A network that a swap costs at least so much looks at the background."""
_BIASED_DIALS = (0.9, 1.0)
_BESIDE_A_BIAS = ("dead", "redundant")
"""Faults that leave enough of the predictions for a swap of backgrounds to show."""


class Mystery(NamedTuple):
    """A network to judge, and what is true of it.

    known : found before a fault is planted, neither right nor wrong. lost : the accuracy that a swap costs.
    """

    patient: patients.Patient
    key: patients.Key
    known: Sequence[Finding] = ()
    lost: float = 0.0


def mystery_network(number: int) -> patients.Patient:
    """The network that belongs to a number, 0 or more: a patient as on Day 23, and nothing in it says what is wrong."""
    return _mystery(check_integer(number, 0, "number")).patient


def loss_by_swap(patient: patients.Patient, shapes: Shapes, moved: Shapes) -> float:
    """How much smaller the share named rightly is on `moved`, the same objects on backgrounds of other shapes."""
    named = [patients.scores(patient, each.images).argmax(axis=1) for each in (shapes, moved)]
    return float((named[0] == shapes.labels).mean() - (named[1] == moved.labels).mean())


def rubric(report: Sequence, number: int) -> list[Point]:
    """A report held against the key: how many faults were found and which were missed, and which claims are invented.

    report : claims, each a finding of Day 23 or a tuple: (kind, layer, channel), two channels for a pair, (kind,) for
        how the network is run, and ("background", loss) with the share of right answers that a swap costs.

    Raises TypeError or ValueError for what is no such claim.
    """
    truth = _mystery(check_integer(number, 0, "number"))
    if not isinstance(report, (list, tuple, set, frozenset)):
        raise TypeError(f"expected a list of claims, [] for a sound network, got {brief(report)}")
    of_background = [claim for claim in report if _kind_of(claim) == BACKGROUND]
    losses, lost = list(dict.fromkeys(map(_loss, of_background))), truth.lost
    findings = [_finding(claim) for claim in report if _kind_of(claim) != BACKGROUND]
    of_filters = diagnosis.grade(diagnosis.new_findings(findings, truth.known), truth.key)
    grades = [*of_filters.values(), _background_grade(lost >= LOOKS, losses)]
    right = sum(grade.right for grade in grades)
    missed = [words for grade in grades for words in grade.missed]
    invented = [words for grade in grades for words in grade.false_alarms]
    # A missed fault is named by its layer alone, so that there is still something to find.
    layers = sorted({words.split()[0] if words.startswith("conv") else "the network as a whole" for words in missed})
    where = f", in {' and '.join(layers)}" if missed else ""
    what = f": {', '.join(invented[:3])}" if invented else ""
    points = [
        Point(not missed, f"{right} found, {len(missed)} missed{where}"),
        Point(not invented, f"{len(invented)} invented{what}"),
    ]
    if lost >= LOOKS and losses:
        words = f"you say that the swap costs {losses[0]:.3f}; on images of seed {number} we measured {lost:.3f}"
        points.append(Point(abs(losses[0] - lost) <= AS_MEASURED, words))
    return points


def _kind_of(claim):
    return claim[0] if isinstance(claim, (tuple, list)) and claim else claim


def _loss(claim) -> float:
    if isinstance(claim, str) or len(claim) != 2 or not is_number(claim[1]):
        raise ValueError(
            f'expected ("{BACKGROUND}", loss), with the accuracy that the swap costs as a number, got {brief(claim)}'
        )
    return float(claim[1])


def _background_grade(looks: bool, losses: Sequence[float]) -> diagnosis.Grade:
    """What a report says of backgrounds: it must say it of a network that looks at them alone, and once."""
    if looks and losses:
        return diagnosis.Grade(1, (), ("another loss after the swap",) * (len(losses) - 1))
    missed = ("the network as a whole: it looks at the background",) * looks
    return diagnosis.Grade(0, missed, ("that it looks at the background",) * len(losses))


def _finding(claim) -> Finding:
    """A claim as a finding of Day 23."""
    if isinstance(claim, Finding):
        return claim
    try:
        (kind, layer, channels), _ = patients.read_claim(claim)
    except ValueError as error:
        raise ValueError(f'{error}; of backgrounds, a claim is ("{BACKGROUND}", loss)') from None
    words = " ".join(map(str, (layer, *channels) if layer else ()))
    return Finding(kind, ((layer, channels),) if layer else (), "claimed", f"{kind} {words}".strip())


@lru_cache(maxsize=8)
def _mystery(number: int) -> Mystery:
    """The first network drawn of which the truth is plain, so that a careful report is right for every number.

    An examination finds the planted faults, and nothing that they brought about; a loss does not lie near the bound.
    """
    generator, dials = np.random.default_rng([24, number]), np.random.default_rng([24, 1, number])
    biased, faulty = generator.random(2) < 0.5
    tied, moved = make_shapes(IMAGES, seed=number, background_correlation=1.0), swapped(IMAGES, seed=number)
    while True:
        dial = _BIASED_DIALS[dials.integers(2)] if biased else 0.0
        drawn = _drawn(generator, dial, faulty, str(number))
        found = diagnosis.examine(drawn.patient, network.ward_images().images)
        grades = diagnosis.grade(diagnosis.new_findings(found, drawn.known), drawn.key).values()
        lost = loss_by_swap(drawn.patient, tied, moved)
        beyond = lost - LOOKS if biased else LOOKS - lost
        if beyond > 0.01 and not any(grade.missed or grade.false_alarms for grade in grades):
            return drawn._replace(lost=lost)


def _drawn(generator: np.random.Generator, dial: float, faulty: bool, name: str) -> Mystery:
    """A network that was trained at this dial, with faults or without."""
    if not dial:
        return Mystery(*patients.admit(int(generator.integers(2**31)), None if faulty else "healthy", name=name))
    weights = patients.disguised(_biased_weights(dial), generator)
    known = diagnosis.examine(patients.patient_of(weights), network.ward_images().images)
    weights, faults = patients.plant(weights, _BESIDE_A_BIAS if faulty else (), generator)
    return Mystery(patients.patient_of(weights, name=name), patients.Key(name, tuple(faults)), known)


@cache
def _biased_weights(dial: float) -> Weights:
    """Day 24's suspect of this dial without the channels in which Day 23 finds anything: they never learned.

    On 500 images it names as many rightly without them, on each kind of background.
    """
    dials, images = load_key(), network.ward_images().images
    weights = load_suspects()[next(name for name, one in dials.items() if one == dial)]
    while found := diagnosis.examine(patients.patient_of(weights), images):
        places = {place for finding in found for place in finding.places}
        ill = {(layer, channel) for layer, channels in places for channel in channels}
        keep = {
            layer: np.array([channel for channel in range(len(weights[layer][1])) if (layer, channel) not in ill])
            for layer in network.LAYERS
        }
        weights = network.with_channels(weights, keep)
    return weights
