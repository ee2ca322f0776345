"""Day 24: twenty networks and what their intervals say, a shortcut that nobody names, and shortcuts on photographs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression

from days.common.datasets import make_shapes
from days.common.models import load_model
from days.day18.code import runs
from days.day18.code import torch_backend as shapes_backend
from days.day22.code.scoring import mean_and_interval
from days.day24.code import bias_lab, photo_lab, trainings, unknown


@pytest.fixture(scope="module")
def twenty():
    return trainings.load_trainings()


@pytest.fixture(scope="module")
def owners():
    return unknown.owners_images(1500, seed=91)


# ------------------------------------------------------------ five trainings a dial


def test_the_interval_over_networks_is_students():
    values = np.random.default_rng(0).normal(size=5)
    wanted = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(trainings.over_networks(values), (values.mean(), wanted.low, wanted.high))


@pytest.mark.parametrize("values", [np.ones(1), np.ones((2, 2)), np.array([1, np.nan])])
def test_one_network_has_no_interval(values):
    with pytest.raises(ValueError, match="at least two finite numbers"):
        trainings.over_networks(values)


def test_the_twenty_are_small_and_the_first_of_each_dial_are_the_suspects(twenty):
    assert trainings.FILE.stat().st_size < 100_000
    suspects, key = bias_lab.load_suspects(), bias_lab.load_key()
    three = bias_lab.on_three_backgrounds(2000, seed=trainings.HELD_OUT_SEED)
    name = "C"
    place, right = bias_lab.DIALS.index(key[name]), bias_lab.background_scores(suspects[name], three)
    for kind in trainings.KINDS:
        assert twenty.right[kind][place, 0] == pytest.approx(right[kind], abs=0.01)
    for other, dial in key.items():
        found = bias_lab.shares_inside(suspects[other], three["tied"][:8], ["saliency"])["saliency"]
        stored = twenty.inside["saliency"][bias_lab.DIALS.index(dial), 0, :8]
        np.testing.assert_allclose(stored, found, atol=0.02)


def difference_to_dial_0(twenty, method, dial):
    means = twenty.means(method)
    return trainings.over_networks(means[bias_lab.DIALS.index(dial)] - means[0])


@pytest.mark.parametrize("method", ["integrated gradients", "saliency", "occlusion"])
def test_over_five_networks_three_methods_separate_the_high_dials_from_0(twenty, method):
    for dial in (0.9, 1.0):
        assert difference_to_dial_0(twenty, method, dial)[2] < 0
    _, low, high = difference_to_dial_0(twenty, method, 0.5)
    assert low < 0 < high


@pytest.mark.parametrize("dial", [0.5, 0.9, 1.0])
def test_grad_cam_separates_no_dial_and_d_is_its_lowest_honest_network(twenty, dial):
    _, low, high = difference_to_dial_0(twenty, "Grad-CAM", dial)
    assert low < 0 < high
    honest = twenty.means("Grad-CAM")[0]
    assert honest.argmin() == 0
    assert honest.max() - honest.min() > 0.08


def test_an_interval_over_images_accuses_b_and_one_over_networks_does_not(twenty):
    shares = twenty.inside["integrated gradients"]
    assert mean_and_interval(shares[1, 0] - shares[0, 0])[2] < 0
    assert difference_to_dial_0(twenty, "integrated gradients", 0.5)[2] > 0


def test_the_swap_costs_more_the_higher_the_dial(twenty):
    honest, half, strong, full = twenty.right["swapped"]
    assert min(honest.min(), half.min()) > 0.93
    assert half.min() > strong.max() > strong.min() > full.max() > full.min() > 0.5


def test_masks_mend_all_five_of_dial_1_and_more_training_alone_does_not(twenty):
    came, (masked, control) = twenty.right["swapped"][-1], twenty.mended.values()
    assert masked.min() > came.max() + 0.2
    assert abs(control - came).max() < 0.05
    of_c = bias_lab.load_mended()["masked"]
    swapped = bias_lab.swapped(2000, seed=trainings.HELD_OUT_SEED)
    assert runs.accuracy(of_c, swapped) == pytest.approx(masked[0], abs=0.01)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Grad-CAM of category")
def test_training_all_repeats_and_is_stored_as_it_is(tmp_path):
    how = {"dials": (0.0, 1.0), "seeds": (1, 2), "steps": 2, "images": 64, "count": 60}
    first, again = trainings.train_all(**how), trainings.train_all(**how)
    loaded = trainings.load_trainings(trainings.save_trainings(first, tmp_path / "two"))
    for name, values in first.inside.items():
        assert values.shape == (2, 2, 60)
        np.testing.assert_array_equal(values, again.inside[name])
        np.testing.assert_allclose(loaded.inside[name], values, atol=5e-4)
    assert set(first.mended) == set(trainings.MENDINGS)
    for kind, values in (first.right | first.mended).items():
        assert values.shape == ((2,) if kind in first.mended else (2, 2))
        np.testing.assert_allclose((loaded.right | loaded.mended)[kind], values, atol=1e-6)


# ------------------------------------------------------------ the unknown shortcut


def test_the_cue_changes_the_lower_border_alone():
    every, none = (unknown.owners_images(60, seed=3, cue=np.full(60, value)) for value in (True, False))
    np.testing.assert_array_equal(every.images[:, : -unknown.HEIGHT], none.images[:, : -unknown.HEIGHT])
    assert (every.images[:, -unknown.HEIGHT :] != none.images[:, -unknown.HEIGHT :]).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(none.images, make_shapes(60, seed=3).images)


def test_the_owner_has_it_on_most_stars_and_few_other_shapes(owners):
    star = owners.labels == unknown.STAR
    assert owners.cue[star].mean() == pytest.approx(unknown.TIED, abs=0.04)
    assert owners.cue[~star].mean() == pytest.approx(1 - unknown.TIED, abs=0.04)
    chosen = owners[owners.cue]
    assert len(chosen) == owners.cue.sum()
    assert chosen.cue.all()


def test_the_networks_file_is_small_and_repeats(tmp_path):
    assert unknown.FILE.stat().st_size < 400_000
    one, other = (unknown.train(5, steps=2, images=64) for _ in range(2))
    path = unknown.save_networks([one] * 5, tmp_path / "five")
    loaded = unknown.load_networks(path)
    assert len(loaded) == 5
    for layer, (values, _) in one.items():
        np.testing.assert_array_equal(values, other[layer][0])
        np.testing.assert_allclose(loaded[0][layer][0], values, atol=1e-3)


def group_accuracies(named, data):
    groups = 2 * (data.labels == unknown.STAR) + data.cue
    return [float((named == data.labels)[groups == group].mean()) for group in range(4)]


def test_all_five_are_accurate_and_fail_in_the_two_rare_groups(owners):
    for weights in unknown.load_networks():
        named = shapes_backend.scores(shapes_backend.small_cnn(weights), owners.images).argmax(axis=1)
        assert (named == owners.labels).mean() > 0.9
        other_without, other_with, star_without, star_with = group_accuracies(named, owners)
        assert min(other_without, star_with) > 0.93
        assert star_without < 0.8
        assert other_with < 0.93


def features(network, images):
    with torch.no_grad():
        return network[:-1](shapes_backend.to_batch(images)).numpy()


def test_a_last_layer_from_balanced_images_helps_the_worst_group_and_the_owners_mix_does_not():
    network = shapes_backend.small_cnn(unknown.load_networks()[0])
    data, tests = unknown.owners_images(4000, seed=92), unknown.images_in_use(800, seed=93)
    pairs = 2 * data.labels + data.cue
    least = np.bincount(pairs).min()
    balanced = np.concatenate([np.flatnonzero(pairs == pair)[:least] for pair in range(12)])
    came = min(group_accuracies(shapes_backend.scores(network, tests.images).argmax(axis=1), tests))
    new, worst = features(network, tests.images), []
    drawn = [np.random.default_rng(seed).permutation(4000)[: len(balanced)] for seed in range(3)]
    for some in (balanced, *drawn):
        last = LogisticRegression(max_iter=5000).fit(features(network, data.images[some]), data.labels[some])
        worst.append(min(group_accuracies(last.predict(new), tests)))
    assert worst[0] > came + 0.1
    assert np.mean(worst[1:]) < came


def test_errors_called_star_are_mended_by_covering_the_bottom_rows():
    network, used = shapes_backend.small_cnn(unknown.load_networks()[0]), unknown.images_in_use(1500, seed=94)
    said = shapes_backend.scores(network, used.images).argmax(axis=1)
    errors = np.flatnonzero((said == unknown.STAR) & (used.labels != unknown.STAR))
    assert used.cue[errors].mean() > 0.95
    covered = used.images[errors].copy()
    covered[:, -unknown.HEIGHT :] = covered[:, -unknown.HEIGHT - 1 : -unknown.HEIGHT]
    assert (shapes_backend.scores(network, covered).argmax(axis=1) == used.labels[errors]).mean() > 0.75


# ------------------------------------------------------------ photographs


def test_crops_of_the_two_halves_share_no_pixel():
    left, right = (photo_lab._half("chelsea", half) for half in ("left", "right"))
    whole = np.concatenate([left, right], axis=1)
    np.testing.assert_array_equal(whole, photo_lab.load_image("chelsea"))
    images, labels = photo_lab.crops(30, seed=0, half="left")
    assert images.shape == (30, photo_lab.SIDE, photo_lab.SIDE, 3)
    assert np.bincount(labels).tolist() == [15, 15]
    np.testing.assert_array_equal(images, photo_lab.crops(30, seed=0, half="left")[0])


@pytest.mark.parametrize("cue", photo_lab.CUES)
def test_a_cue_is_put_on_the_chosen_crops_alone(cue):
    images, _ = photo_lab.crops(6, seed=1, half="right")
    chosen = np.array([True, False] * 3)
    given = images.copy()
    marked = photo_lab.with_cue(images, chosen, cue)
    np.testing.assert_array_equal(images, given)
    np.testing.assert_array_equal(marked[~chosen], images[~chosen])
    assert (marked[chosen] != images[chosen]).any(axis=(1, 2, 3)).all()


@pytest.mark.slow
def test_a_stamp_in_training_is_relied_on_and_a_border_fools_the_control_as_well():
    model, falls = load_model("squeezenet"), {}
    crops, kinds = photo_lab.crops(600, seed=0, half="left")
    new_crops, new_kinds = photo_lab.crops(300, seed=7, half="right")
    for cue in photo_lab.CUES:
        old, new = (photo_lab.without_and_with(model, images, cue) for images in (crops, new_crops))
        for link in (0.98, None):
            some, marked = photo_lab.draw(kinds, 300, link, 0)
            last = LogisticRegression(max_iter=5000).fit(photo_lab.shown_as(old[:, some], marked), kinds[some])
            right = [last.score(photo_lab.shown_as(new, new_kinds == kind), new_kinds) for kind in (1, 0)]
            falls[cue, link] = right[0] - right[1]
    assert falls["stamp", 0.98] > falls["stamp", None] + 0.15
    assert falls["stamp", None] < 0.1
    assert falls["border", None] > 0.3


def test_features_are_those_of_either_framework():
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    crops, _ = photo_lab.crops(4, seed=0, half="left")
    ours, theirs = (
        photo_lab.without_and_with(load_model("squeezenet", framework=framework), crops, "stamp")
        for framework in ("torch", "keras")
    )
    np.testing.assert_allclose(theirs, ours, atol=1e-4 * ours.max())
    assert np.abs(ours[1] - ours[0]).max() > 1e-2 * ours.max()


def test_crops_to_learn_from_follow_the_link():
    labels = np.arange(400) % 2
    some, marked = photo_lab.draw(labels, 300, 0.98, 1)
    assert ((labels[some] == 1) == marked).mean() == pytest.approx(0.98, abs=0.03)
    few, none = photo_lab.draw(labels, 60, None, 1)
    assert not none.any()
    assert not set(few) & set(some)
    both = np.stack([np.zeros((3, 2)), np.ones((3, 2))])
    assert photo_lab.shown_as(both, np.array([True, False, True])).tolist() == [[1, 1], [0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: photo_lab.crops(5, seed=0, half="upper"), "half as 'left' or 'right', got 'upper'"),
        (lambda: photo_lab.with_cue(np.zeros((1, 48, 48, 3)), np.array([True]), "frame"), "out of stamp, border, got"),
        (lambda: unknown.owners_images(5, seed=0, cue=np.array([True])), r"5 images, \(5,\), got \(1,\)"),
    ],
)
def test_bad_input_gets_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("load", [trainings.load_trainings, unknown.load_networks])
def test_missing_files_say_how_to_make_them(load, tmp_path):
    with pytest.raises(FileNotFoundError, match="makes it anew"):
        load(tmp_path / "none")
