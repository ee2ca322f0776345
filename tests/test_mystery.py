"""A network for every number, and a report that is held against what was planted."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from days.common.datasets import make_shapes
from days.common.exercises import CORRECT, NOT_QUITE
from days.common.models import load_model
from days.day23.code import diagnosis, network, patients
from days.day24.code import exercises, mystery
from days.day24.code.bias_lab import swapped
from days.day24.code.mystery import mystery_network

SOUND, FAULTY, BIASED, BOTH = ALL = 5, 1, 4, 0
"""Numbers whose networks have nothing, faults alone, the habit alone, and both."""


def judged(number: int, report: list) -> str:
    """What the check says of a report."""
    return exercises.judge.check(lambda number: report, number).message


@pytest.mark.parametrize("number", ALL)
def test_the_worked_solution_is_right(number):
    assert exercises.judge.check(exercises.judge.solve, number).status == CORRECT


@pytest.mark.slow
def test_the_worked_report_is_right_for_every_number():
    for number in range(40):
        verdict = exercises.judge.check(exercises.judge.solve, number)
        assert verdict.status == CORRECT, (number, verdict)


def test_every_kind_of_truth_is_drawn():
    drawn = {(truth.lost >= mystery.LOOKS, bool(truth.key.faults)) for truth in map(mystery._mystery, ALL)}
    assert drawn == {(biased, faulty) for biased in (True, False) for faulty in (True, False)}


def test_losses_differ_so_that_none_can_be_copied():
    losses = [mystery._mystery(number).lost for number in (0, 2, 7, 18, 2026)]
    assert min(np.diff(sorted(losses))) > 2 * mystery.AS_MEASURED


def test_a_number_gives_one_network_and_another_number_another():
    first, again, other = (mystery_network(number).weights["conv1"][0] for number in (3, 3, 5))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.allclose(first, other)


@pytest.mark.parametrize(("dial", "least"), [(0.9, 0.06), (1.0, 0.2)])
def test_a_biased_network_is_as_good_without_what_never_learned(dial, least):
    patient = patients.patient_of(mystery._biased_weights(dial))
    assert not diagnosis.examine(patient, network.ward_images().images)
    tied = make_shapes(500, seed=3, background_correlation=1.0)
    assert (patients.scores(patient, tied.images).argmax(axis=1) == tied.labels).mean() > 0.97
    assert mystery.loss_by_swap(patient, tied, swapped(500, seed=3)) > least


@pytest.mark.parametrize(
    ("number", "report", "said"),
    [
        (SOUND, [("dead", "conv2", 3)], "1 of 2 points; 1 invented: dead conv2 3."),
        (SOUND, [("background", 0.3)], "1 of 2 points; 1 invented: that it looks at the background."),
        (BIASED, [], "1 of 2 points; 0 found, 1 missed, in the network as a whole."),
        (BIASED, [("background", 0.9)], "2 of 3 points; you say that the swap costs 0.900; on images of seed 4 we"),
        (BIASED, [("background", 0.9), ("background", 0.3)], "1 invented: another loss after the swap; you say"),
        (BIASED, 7, "expected a list of claims, [] for a sound network, got 7"),
        (SOUND, "", "expected a list of claims, [] for a sound network, got ''"),
        (SOUND, {}, "expected a list of claims, [] for a sound network, got {}"),
        (SOUND, [("background", "0.3")], 'expected ("background", loss), with the accuracy that the swap costs as a'),
        (SOUND, [("background", None)], 'expected ("background", loss), with the accuracy that the swap costs as a'),
        (SOUND, [("background", float("nan"))], 'expected ("background", loss), with the accuracy that the swap'),
        (
            SOUND,
            ["background"],
            'expected ("background", loss), with the accuracy that the swap costs as a number, got',
        ),
        (FAULTY, [], "1 of 2 points; 0 found, 5 missed, in conv"),
        (BOTH, [("background", 0.174)], "1 found, "),
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


LAYERS = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 6)]


class Changed(nn.Module):
    """A network whose scores go through a function."""

    def __init__(self, change):
        super().__init__()
        self.layers, self.change = nn.Sequential(*LAYERS), change

    def forward(self, batch):
        return self.change(self.layers(batch))


class Unused(nn.Module):
    """A network that never calls its convolution."""

    def __init__(self):
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 8, 3), nn.Linear(3, 6)

    def forward(self, batch):
        return self.last(batch.mean(dim=(2, 3)))


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (lambda: Changed(nn.Softmax(1)), "it returns probabilities; wanted are scores: leave out the"),
        (lambda: Changed(lambda scores: scores * 0), "it gives both photos the same scores"),
        (lambda: Changed(lambda scores: scores * float("nan")), "some of its scores are NaN or infinite"),
        (Unused, "but its forward does not call conv: there are no filters to look at."),
        (
            lambda: Changed(lambda scores: scores.sum()),
            "got a single number: let it return a row of scores",
        ),
        (lambda: load_model("squeezenet"), "it is a network of the course; wanted is one of your own"),
    ],
)
def test_what_is_no_network_of_your_own_is_told_the_true_reason(network, said):
    message = exercises.my_network.check(network).message
    assert said in message
    assert "There is no 2-d convolution" not in message
