"""A network of your own to judge: made from a number, with faults, with a habit of looking at backgrounds, or sound.

    patient = mystery_network(7)
    rubric([("dead", "conv2", 3), ("background", 0.3)], 7)    # what was found, missed and invented

Half of the networks learned from images whose background went with the shape. Half, drawn apart from these, have
faults of Day 23 planted in them. So one in four is sound, and an empty report is then the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from days.common.checks import check_integer
from days.common.datasets import Shapes, make_shapes
from days.common.tasks import Point
from days.day18.code.training import Weights
from days.day23.code import diagnosis, network, patients
from days.day23.code.finding import Finding
from days.day24.code.bias_lab import load_key, load_suspects, swapped

BACKGROUND = "background"
AS_MEASURED = 0.08
"""How far a reported loss may be from ours: about twice what 500 images leave open (95 % intervals of 0.04)."""
_BESIDE_A_BIAS = ("dead", "redundant")
"""Faults that leave enough of the predictions for a swap of backgrounds to show."""


class Mystery(NamedTuple):
    """A network to judge, and what is true of it. known : found before a fault is planted, neither right nor wrong."""

    patient: patients.Patient
    key: patients.Key
    biased: bool
    known: Sequence[Finding] = ()


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
    of_background = [isinstance(claim, (tuple, list)) and claim[:1] == type(claim)([BACKGROUND]) for claim in report]
    losses = [_loss(claim) for claim, chosen in zip(report, of_background, strict=True) if chosen]
    findings = [_finding(claim) for claim, chosen in zip(report, of_background, strict=True) if not chosen]
    of_filters = diagnosis.grade(diagnosis.new_findings(findings, truth.known), truth.key)
    grades = [*of_filters.values(), _background_grade(truth, losses)]
    right = sum(grade.right for grade in grades)
    missed = [words for grade in grades for words in grade.missed]
    invented = [words for grade in grades for words in grade.false_alarms]
    # A missed fault is named by its layer alone, so that there is still something to find.
    layers = sorted({words.split()[0] if words.startswith("conv") else "the network as a whole" for words in missed})
    where = f", in {' and '.join(layers)}" if missed else ""
    what = f": {', '.join(invented[:3])}" if invented else ""
    return [
        Point(not missed, f"{right} found, {len(missed)} missed{where}"),
        Point(not invented, f"{len(invented)} invented{what}"),
    ]


def _loss(claim: Sequence) -> float:
    if len(claim) != 2:
        raise ValueError(
            f'expected ("{BACKGROUND}", loss), the share of right answers that a swap costs, got {claim!r}'
        )
    return float(claim[1])


def _background_grade(truth: Mystery, losses: Sequence[float]) -> diagnosis.Grade:
    """What a report says of backgrounds: it must say it of a biased network alone, and with the loss as measured."""
    if not (losses and truth.biased):
        missed = ("the network as a whole: it looks at the background",) * truth.biased
        return diagnosis.Grade(0, missed, ("that it looks at the background",) * len(losses))
    lost = loss_by_swap(truth.patient, *_other_images())
    if abs(losses[0] - lost) <= AS_MEASURED:
        return diagnosis.Grade(1)
    return diagnosis.Grade(0, (), (f"a loss of {losses[0]:.2f}, which is {lost:.2f} on 1,000 other images",))


def _finding(claim) -> Finding:
    """A claim as a finding of Day 23."""
    if isinstance(claim, Finding):
        return claim
    kind, *place = claim if isinstance(claim, (tuple, list)) and claim else (claim,)
    if not patients.is_place(kind, place):
        raise ValueError(
            f"{claim!r} is no claim: (kind, layer, channel) with a kind out of {', '.join(patients.KINDS)}, "
            f'two channels for "redundant", (kind,) for how it is run, or ("{BACKGROUND}", loss)'
        )
    places = ((place[0], tuple(int(channel) for channel in place[1:])),) if place else ()
    return Finding(kind, places, "claimed", " ".join(map(str, claim)))


@lru_cache(maxsize=8)
def _mystery(number: int) -> Mystery:
    generator = np.random.default_rng([24, number])
    biased, faulty = generator.random(2) < 0.5
    if not biased:
        patient, key = patients.admit(int(generator.integers(2**31)), None if faulty else "healthy", name=str(number))
        return Mystery(patient, key, False)
    weights = patients.disguised(_biased_weights(), generator)
    known = diagnosis.examine(patients.patient_of(weights), network.ward_images().images)
    weights, faults = patients.plant(weights, _BESIDE_A_BIAS if faulty else (), generator)
    return Mystery(
        patients.patient_of(weights, name=str(number)), patients.Key(str(number), tuple(faults)), True, known
    )


@cache
def _biased_weights() -> Weights:
    """Day 24's suspect of dial 1 without the channels in which Day 23 finds anything: they never learned.

    On 500 images it names as many rightly without them, on each kind of background.
    """
    dials, images = load_key(), network.ward_images().images
    weights = load_suspects()[max(dials, key=dials.__getitem__)]
    while found := diagnosis.examine(patients.patient_of(weights), images):
        places = {place for finding in found for place in finding.places}
        ill = {(layer, channel) for layer, channels in places for channel in channels}
        keep = {
            layer: np.array([channel for channel in range(len(weights[layer][1])) if (layer, channel) not in ill])
            for layer in network.LAYERS
        }
        weights = network.with_channels(weights, keep)
    return weights


@cache
def _other_images() -> tuple[Shapes, Shapes]:
    return make_shapes(1000, seed=2424, background_correlation=1.0), swapped(1000, seed=2424)
