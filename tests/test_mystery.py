"""A network for every number, and a report that is held against what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from days.common.datasets import make_shapes
from days.common.exercises import CORRECT, NOT_QUITE
from days.day23.code import diagnosis, network, patients
from days.day24.code import exercises, mystery
from days.day24.code.bias_lab import swapped
from days.day24.code.mystery import mystery_network

SOUND, FAULTY, BIASED, BOTH = 5, 1, 4, 0
"""Numbers whose networks have nothing, faults alone, the habit alone, and both."""


def judged(number: int, report: list) -> str:
    """What the check says of a report."""
    return exercises.judge.check(lambda number: report, number).message


@pytest.mark.parametrize("number", [SOUND, FAULTY, BIASED, BOTH])
def test_the_worked_solution_is_right(number):
    assert exercises.judge.check(exercises.judge.solve, number).status == CORRECT


@pytest.mark.slow
def test_worked_reports_of_forty_numbers_are_right_but_for_two():
    verdicts = {number: exercises.judge.check(exercises.judge.solve, number) for number in range(40)}
    wrong = {number: verdict for number, verdict in verdicts.items() if verdict.status != CORRECT}
    assert len(wrong) <= 2, wrong


def test_every_kind_of_truth_is_drawn():
    drawn = {(truth.biased, bool(truth.key.faults)) for truth in map(mystery._mystery, range(12))}
    assert drawn == {(biased, faulty) for biased in (True, False) for faulty in (True, False)}


def test_a_number_gives_one_network_and_another_number_another():
    first, again, other = (mystery_network(number).weights["conv1"][0] for number in (3, 3, 5))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.allclose(first, other)


def test_a_biased_network_is_as_good_without_what_never_learned():
    weights = mystery._biased_weights()
    assert not diagnosis.examine(patients.patient_of(weights), network.ward_images().images)
    moved = mystery.loss_by_swap(
        patients.patient_of(weights), make_shapes(300, seed=3, background_correlation=1.0), swapped(300, seed=3)
    )
    assert moved > 0.2


@pytest.mark.parametrize(
    ("number", "report", "said"),
    [
        (SOUND, [("dead", "conv2", 3)], "1 of 2 points; 1 invented: dead conv2 3."),
        (SOUND, [("background", 0.3)], "1 of 2 points; 1 invented: that it looks at the background."),
        (BIASED, [], "1 of 2 points; 0 found, 1 missed, in the network as a whole."),
        (BIASED, [("background", 0.9)], "1 invented: a loss of 0.90, which is 0.3"),
        (FAULTY, [], "1 of 2 points; 0 found, 5 missed, in conv"),
        (BOTH, [("background", 0.32)], "1 found, "),
    ],
)
def test_a_wrong_report_is_told_what_it_found_missed_and_invented(number, report, said):
    assert said in judged(number, report)


@pytest.mark.parametrize(
    "claim",
    [
        ("dead",),
        ("dead", "conv9", 3),
        ("sad", "conv1", 3),
        ("redundant", "conv1", 3),
        "dead",
        3,
        ("background",),
        (),
        ("dead", "conv1", "three"),
    ],
)
def test_what_is_no_claim_is_refused_in_one_line(claim):
    verdict = exercises.judge.check(lambda number: [claim], SOUND)
    assert verdict.status == NOT_QUITE
    assert verdict.message
    assert "\n" not in verdict.message


@pytest.mark.parametrize("number", [-1, 2.5, "seven", None])
def test_what_is_no_number_is_refused(number):
    with pytest.raises((TypeError, ValueError), match="number"):
        mystery_network(number)
