"""Day 23: channels that can be cut, curves of what that costs, and the simple test for noise beside the other."""

from __future__ import annotations

import numpy as np
import pytest

from days.common.datasets import make_shapes
from days.common.exercises import CORRECT
from days.day18.code import runs, storage
from days.day18.code.likeness import linear_cka
from days.day23.code import cutting, detectors, exercises, network, patients, pruning
from days.day23.code.lesson import Lesson
from days.day23.code.network import LAYERS


@pytest.fixture(scope="module")
def curves():
    return pruning.load_curves()


# ------------------------------------------------------------ the curves


def test_the_smallest_and_random_channels_are_cut():
    weights = storage.load_weights()
    smallest, drawn, again = (
        pruning.kept_channels(weights, 0.5, way, seed=3) for way in ("smallest", "random", "random")
    )
    for layer in LAYERS:
        sizes = np.abs(weights[layer][0]).sum(axis=(1, 2, 3))
        assert len(smallest[layer]) == len(drawn[layer]) == len(sizes) // 2
        assert sizes[smallest[layer]].min() >= np.delete(sizes, smallest[layer]).max()
        np.testing.assert_array_equal(drawn[layer], again[layer])
        assert len(pruning.kept_channels(weights, 1.0, "smallest")[layer]) == 1


@pytest.mark.parametrize(("share", "way"), [(0.5, "largest"), (1.5, "random"), (-0.1, "smallest")])
def test_what_cannot_be_cut_is_refused(share, way):
    with pytest.raises(ValueError, match="smallest, random and a share from 0 to 1, got"):
        pruning.kept_channels(storage.load_weights(), share, way)


def test_the_stored_curves_are_those_of_the_network(curves):
    whole = pruning.share_right(storage.load_weights(), runs.held_out_images()[:1000])
    assert curves.cut.shape == curves.tuned.shape == (2, len(pruning.SHARES), len(pruning.SEEDS))
    np.testing.assert_allclose(curves.cut[:, 0], whole, atol=1e-3)
    place = pruning.SHARES.index(0.5)
    keep = pruning.kept_channels(storage.load_weights(), 0.5, "random", seed=pruning.SEEDS[1])
    cut = network.with_channels(storage.load_weights(), keep)
    assert pruning.share_right(cut, runs.held_out_images()[:1000]) == pytest.approx(curves.cut[1, place, 1], abs=2e-3)


def test_small_filters_cost_less_than_random_ones_and_training_on_wins_back_most(curves):
    quarter, half = (pruning.SHARES.index(share) for share in (0.25, 0.5))
    for place in (quarter, half):
        assert curves.cut[0, place].min() > curves.cut[1, place].max() + 0.2
        assert curves.tuned[0, place].min() > curves.tuned[1, place].max()
        assert curves.tuned[1, place].min() > curves.cut[1, place].max() + 0.2
    assert curves.tuned[0, half].min() > 0.93


def test_measuring_repeats_and_is_stored_as_it_is(tmp_path):
    first, again = (pruning.measure(seeds=(0,), shares=(0.5,), steps=1) for _ in range(2))
    loaded = pruning.load_curves(pruning.save_curves(first, tmp_path / "curves"))
    for values, other, stored in zip(first, again, loaded, strict=True):
        np.testing.assert_array_equal(values, other)
        np.testing.assert_allclose(values, stored, atol=1e-6)
    with pytest.raises(FileNotFoundError, match="pruning makes it anew"):
        pruning.load_curves(tmp_path / "none")


def test_the_smallest_half_costs_in_conv1_alone_few_of_it_never_respond_and_most_is_idle_elsewhere():
    weights, data = storage.load_weights(), make_shapes(300, seed=1)
    right, alike, idle = {}, {}, {}
    learned = network.learned_channels(weights, runs.training_images().images[:2000])
    for layer, maps in network.run(weights, data.images).activations.items():
        keep = {name: np.arange(len(weights[name][1])) for name in LAYERS}
        keep[layer] = pruning.kept_channels(weights, 0.5, "smallest")[layer]
        right[layer] = pruning.share_right(network.with_channels(weights, keep), data)
        alike[layer] = linear_cka(maps.mean(axis=(2, 3)), maps[:, keep[layer]].mean(axis=(2, 3)))
        gone = np.delete(maps, keep[layer], axis=1)
        idle[layer] = 1 - np.isin(learned[layer], keep[layer], invert=True).sum() / gone.shape[1]
        assert (gone == 0).all(axis=(0, 2, 3)).sum() <= 0.25 * gone.shape[1]
    assert right["conv1"] < 0.9
    assert idle["conv1"] == 0
    assert min(idle["conv2"], idle["conv3"]) > 0.75
    assert min(right["conv2"], right["conv3"]) > 0.95
    assert alike["conv1"] < 0.5
    assert min(alike["conv2"], alike["conv3"]) > 0.99


# ------------------------------------------------------------ the task


@pytest.mark.parametrize("number", [0, 1, 2026])
def test_the_network_to_cut_is_a_healthy_one_whose_small_filters_say_nothing(number):
    weights, data = cutting.network_to_cut(number), make_shapes(300, seed=5)
    assert pruning.share_right(weights, data) > 0.95
    sizes = np.abs(weights["conv3"][0]).sum(axis=(1, 2, 3))
    assert sizes.max() > 20 * sizes.min()
    three = {layer: [0, 1, 2] for layer in LAYERS}
    drawn = cutting.random_cut(weights, three, seed=1)
    assert {layer: len(set(channels)) for layer, channels in drawn.items()} == dict.fromkeys(LAYERS, 3)


def test_cutting_nothing_costs_nothing_and_what_is_not_there_is_refused():
    weights = cutting.network_to_cut(0)
    assert cutting.loss(weights, {}, count=60, seed=0) == 0
    count = len(weights["conv1"][1])
    for channels, said in (
        ([count], f"from 0 to {count - 1}, got {count}"),
        (list(range(count)), f"one channel of conv1 to stay, got all {count}"),
        ([0.5], "a whole number from 0 to .* got 0.5"),
        ([True, False], "a whole number from 0 to .* got True"),
        ([1, 1], "each channel of conv1 once"),
        (3, "the channels of conv1 as a list, got 3"),
    ):
        with pytest.raises((TypeError, ValueError), match=said):
            cutting.without(weights, {"conv1": channels})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cut": [("conv1", 1)]}, "expected channels by layer"),
        ({"loss": None}, 'expected "loss" as a number, got None'),
        ({"random": 0.5}, 'expected "random" as a list of 20 numbers, a loss for each seed, got 0.5'),
        ({"random": [0.5] * 19 + [float("nan")]}, 'expected "random" as a list of 20 numbers'),
    ],
)
def test_what_is_no_report_of_a_cut_is_refused_by_name(change, said):
    with pytest.raises(TypeError, match=said):
        cutting.rubric({"cut": {}, "loss": 0.0, "random": [0.5] * 20} | change, 0)


def test_random_cuts_are_compared_one_by_one(monkeypatch):
    drops = np.random.default_rng(0).uniform(0.3, 0.7, 20)
    monkeypatch.setattr(cutting, "loss", lambda weights, cut, *, count, seed: drops[cut] if count == 100 else 0.0)
    monkeypatch.setattr(cutting, "random_cut", lambda weights, cut, *, seed: seed)
    for said, right in ((drops, True), (drops.tolist(), True), ([drops.mean()] * 20, False), (sorted(drops), False)):
        points = cutting.rubric({"cut": {"conv1": [0]}, "loss": 0.0, "random": said}, 0)
        assert points[-1].met == right


@pytest.mark.slow
def test_the_worked_cut_is_right_for_every_number():
    for number in range(12):
        verdict = exercises.prune.check(exercises.prune.solve, number)
        assert verdict.status == CORRECT, (number, verdict.message)


# ------------------------------------------------------------ noise, and the opening picture


def test_neighbors_alone_find_all_noise_and_raise_false_alarms_in_deep_layers():
    alarms, missed = {}, 0
    for seed in range(100, 112):
        patient, key = patients.admit(seed)
        for layer in ("conv1", "conv3"):
            filters = patient.weights[layer][0]
            rough = set(np.flatnonzero(detectors.correlated_neighbors(filters) < detectors.AS_ROUGH_AS_NOISE).tolist())
            noise = {f.channels[0] for f in key.faults if f.kind == "noise" and f.layer == layer}
            missed += len(noise - rough)
            alarms.setdefault(layer, []).append(len(rough - noise) / len(filters))
    assert missed <= 1
    assert np.mean(alarms["conv1"]) < 0.02
    assert np.mean(alarms["conv3"]) > 0.2


def test_filters_stand_below_those_that_they_were_made_from():
    lesson = Lesson()
    order = lesson.matches("conv1")
    assert sorted(order) == list(range(16))
    healthy, patient = (one.weights["conv1"][0].reshape(16, -1) for one in (lesson.healthy, lesson.admitted[0]))
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(healthy, patient[order], strict=True)]
    assert np.sort(cosines)[1] > 0.95  # all but the filter of noise


# ------------------------------------------------------------ the widget


def test_the_widget_follows_its_controls_and_says_what_a_channel_is_worth():
    from days.day23.code.explorer import IMAGES, silenced, silencing_explorer

    healthy = network.healthy_networks()
    explorer = silencing_explorer({"first": healthy[0], "second": healthy[1]})
    name, layer, channel, image = explorer.controls.values()
    data, before = network.ward_images()[:IMAGES], explorer.picture.value
    for change, value in ((name, "second"), (layer, "conv3"), (channel, 57), (image, 5)):
        change.value = value
        assert explorer.picture.value != before, value
        before = explorer.picture.value
    scores = network.run(silenced(healthy[1], "conv3", 57), data.images).scores
    right = (scores.argmax(axis=1) == data.labels).sum()
    assert f"second, conv3 57: 120 of 120 images are right, and {right} without this channel" in explorer.caption.value
    assert healthy[1]["conv3"][0][57].any()
    name.value = "first"
    assert channel.value == channel.max == 33
    assert "first, conv3 33" in explorer.caption.value
    assert "Error" not in explorer.caption.value
