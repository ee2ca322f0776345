"""Day 18: what mends a training, whether two trainings are alike, and the material of the task."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from days.common.exercises import CORRECT, NOT_QUITE
from days.day18.code import filter_statistics, likeness, remedies, repeats, runs, storage, suspects, torch_backend
from days.day18.code.exercises import broken_training
from days.day18.code.training import initial_weights


@pytest.fixture(scope="module")
def stored():
    return storage.load_runs()


@pytest.fixture(scope="module")
def trials():
    return {name: np.array(shares) for name, shares in storage.load_shares().items()}


# ------------------------------------------------------------ are two trainings alike?


def test_smooth_noise_has_the_power_of_the_filters_and_nothing_else(stored):
    filters = stored["honest"][-1].filters["conv1"].astype(np.float64)
    drawn = likeness.smooth_noise(filters, 4000, seed=0)
    assert drawn.shape == (4000, 3, 7, 7)
    power, wanted = ((np.abs(np.fft.fft2(one)) ** 2).mean(axis=0) for one in (drawn, filters))
    np.testing.assert_allclose(power, wanted, rtol=0.15)
    colors, wanted = (np.einsum("oiyx,ojyx->ij", one, one) / len(one) for one in (drawn, filters))
    np.testing.assert_allclose(colors, wanted, atol=0.05 * wanted.max())
    one, other = likeness.smooth_noise(filters, 2, seed=1)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.5


def test_two_trainings_filters_match_hardly_better_than_smooth_noise(stored):
    one, other = (stored[name][-1].filters["conv1"] for name in ("honest", "other start"))
    matched = np.median(filter_statistics.closest_cosines(one, other))
    drawn = [likeness.smooth_noise(one, 16, seed=seed) for seed in range(50)]
    smooth = np.median([np.median(filter_statistics.closest_cosines(some, other)) for some in drawn])
    white = np.random.default_rng(0).normal(size=(50, 16, 3, 7, 7))
    noise = np.median([np.median(filter_statistics.closest_cosines(some, other)) for some in white])
    assert noise + 0.05 < smooth < matched
    assert smooth - noise > (matched - noise) / 3


def test_linear_cka_is_that_of_the_gram_matrices():
    generator = np.random.default_rng(0)
    one, other = generator.normal(size=(40, 5)), generator.normal(size=(40, 9))
    center = np.eye(40) - 1 / 40
    first, second = (center @ table @ table.T @ center for table in (one, other))
    wanted = (first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum())
    assert likeness.linear_cka(one, other) == pytest.approx(wanted)
    turn = np.linalg.qr(generator.normal(size=(5, 5)))[0]
    assert likeness.linear_cka(one, 3 * one @ turn + 2) == pytest.approx(1)
    assert likeness.linear_cka(generator.normal(size=(5000, 5)), generator.normal(size=(5000, 9))) < 0.01


def test_honest_trainings_respond_more_alike_than_any_control():
    images = runs.held_out_images().images[:300]
    tables = {
        name: [repeats.pooled_activations(weights, images, "conv3") for weights in each]
        for name, each in repeats.groups().items()
    }
    honest = likeness.cka_of_pairs(tables["honest"])
    assert len(honest) == 1
    for name in ("shuffled", "untrained"):
        control = likeness.cka_of_pairs(tables["honest"], tables[name])
        assert len(control) == 6
        assert honest[0] > control.max() + 0.2


def test_the_kept_weights_are_those_of_the_trainings(trials):
    finals = storage.load_finals()
    assert sorted(finals) == ["other start", *(f"shuffled {seed}" for seed in repeats.SEEDS)]
    assert runs.accuracy(finals["other start"]) > 0.97
    assert runs.accuracy(finals["shuffled 1"]) == pytest.approx(trials[repeats.SHUFFLED][1], abs=0.003)
    assert storage.FINALS_FILE.stat().st_size < 500_000


# ------------------------------------------------------------ remedies


def test_each_remedy_is_what_its_line_of_code_says():
    trial = remedies.Attempt(rate=1.5, warm_up=450)
    rates = [remedies.rate_at(trial, step) for step in (0, 224, 449, 500, 771, 899)]
    np.testing.assert_allclose(rates, [1.5 / 450, 0.75, 1.5, 1.5, 0.15, 0.15])
    assert remedies.rate_at(remedies.Attempt(falling=False), 899) == 0.15
    network = remedies.with_batch_norm(torch_backend.small_cnn(initial_weights(0)))
    names = [name for name, _ in network.named_children()]
    assert names[:4] == ["conv1", "conv1_norm", "conv1_activation", "pool1"]
    images = runs.watched_images().images
    assert float(remedies.network_input(remedies.Attempt(centered=False), images).min()) >= 0
    assert float(remedies.network_input(remedies.Attempt(), images).min()) < -0.5


def test_augmented_images_hold_the_same_pixels_elsewhere():
    images, generator, seen = runs.watched_images().images, np.random.default_rng(0), set()
    for _ in range(40):
        other = remedies.augmented(images, generator)
        assert other.shape == images.shape
        np.testing.assert_array_equal(np.sort(other, axis=None), np.sort(images, axis=None))
        seen.add(other.tobytes())
    assert len(seen) > 20


def test_a_trial_repeats_and_batch_norm_survives_a_rate_that_kills():
    short = {"steps": 30, "rate": 1.5}
    plain, again, mended = (
        remedies.train_attempt(remedies.Attempt(**short, batch_norm=norm)) for norm in (False, False, True)
    )
    assert all(torch.equal(one, other) for one, other in zip(plain.parameters(), again.parameters(), strict=True))
    batch = torch_backend.to_batch(runs.watched_images().images)
    with torch.no_grad():
        spreads = [float(network(batch).std(dim=0).max()) for network in (plain, mended)]
    assert spreads[0] < 1e-6 < spreads[1]  # dead: the same scores for every image


def test_the_stored_trials_say_what_the_lesson_says(trials):
    assert list(trials) == list(remedies.TRIALS)
    assert {len(shares) for shares in trials.values()} == {3}
    assert trials["300 images, with augmentation"].min() > trials["300 images"].max() + 0.15
    assert trials["faint start, with batch norm"].min() > 0.25
    assert (trials["nothing unusual"] > trials["constant learning rate"]).all()
    assert trials["pixels from 0 to 1"].max() < 0.2 < trials["nothing unusual"].min()
    for dead in ("rate 0.5", "rate 0.5, with warm-up", "rate 1.5", "rate 1.5, with batch norm", "faint start"):
        assert trials[dead].max() < 0.2
    assert (trials["rate 0.5, with batch norm"] > 0.2).sum() == 2
    assert trials["12,000 images, with augmentation"].mean() < trials["nothing unusual"].mean()
    assert abs(trials[repeats.SHUFFLED].mean() - 1 / 6) < 0.02


# ------------------------------------------------------------ the material of the task


def test_two_trainings_come_from_their_number_and_tell_no_loss():
    first, again = suspects.pair(3), suspects.pair.__wrapped__(3)
    assert first.broken == again.broken
    for letter, snapshots in first.trainings.items():
        assert [one.step for one in snapshots] == [0, 10, 20, 30, 40]
        assert np.isnan([one.loss for one in snapshots] + [one.accuracy for one in snapshots]).all()
        other = again.trainings[letter][-1]
        np.testing.assert_array_equal(snapshots[-1].filters["conv1"], other.filters["conv1"])


@pytest.mark.parametrize("number", [3029, 3084, 3297])
def test_a_pair_is_drawn_again_until_its_fault_shows(number):
    """The first draws of these numbers recover, or leave the finite numbers."""
    found = suspects.pair(number)
    for letter, snapshots in found.trainings.items():
        states = [state for one in snapshots for state in one.layers.values()]
        assert [one.step for one in snapshots] == [0, 10, 20, 30, 40]
        assert np.isfinite([state.gradient for state in states]).all()
        smallest = min(state.gradient for state in snapshots[-1].layers.values())
        assert smallest > 0.001 or letter == found.broken


@pytest.mark.slow
@pytest.mark.parametrize("number", range(31))
def test_the_tasks_worked_solution_is_right_for_every_number(number):
    verdict = broken_training.check(broken_training.solve, number)
    assert verdict.status == CORRECT, verdict


@pytest.mark.parametrize(
    ("statistic", "said"),
    [
        (len, "your statistic is P 5, Q 5: equal for both, so it does not tell them apart"),
        (lambda snapshots: 1 / 0, "your statistic raised ZeroDivisionError"),
        (lambda snapshots: snapshots[-1].loss, "got nan; every loss and accuracy is left out as NaN"),
        (lambda snapshots: torch.tensor([1.0, 2.0]), "gives one finite number, got [1"),
        (
            lambda snapshots: -snapshots[0].layers["conv1"].gradient,
            "learning rate too high: your statistic tells it in 0",
        ),
    ],
)
def test_a_statistic_that_does_not_tell_is_refused_with_the_true_reason(statistic, said):
    verdict = broken_training.check(lambda number: {"broken": suspects.pair(18).broken, "statistic": statistic}, 18)
    assert verdict.status == NOT_QUITE
    assert said in verdict.message
