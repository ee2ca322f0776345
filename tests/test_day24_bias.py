"""Day 24, the bias lab: a swap changes the background alone, scores tell the truth, and what is mended stays mended."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from safetensors import safe_open

from days.common.datasets import BACKGROUND_NAMES, Shapes, make_shapes
from days.day18.code import runs, storage
from days.day18.code.training import initial_weights
from days.day22.code.scoring import mean_and_interval
from days.day24.code import bias_lab

QUICK = ("integrated gradients", "saliency")


@pytest.fixture(params=["torch", "keras"])
def framework(request):
    """One framework after the other."""
    if request.param == "keras":
        pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    return request.param


@pytest.fixture(scope="module")
def suspects():
    return bias_lab.load_suspects()


@pytest.fixture(scope="module")
def key():
    return bias_lab.load_key()


def scored(weights, three, mapped: int, method: str) -> dict:
    """How a network fares on three backgrounds, and the share of its maps that lies "inside", with its interval."""
    shares = bias_lab.shares_inside(weights, three["tied"][:mapped], [method])[method]
    return {**bias_lab.background_scores(weights, three), "inside": {method: mean_and_interval(shares)}}


@pytest.fixture(scope="module")
def rows(suspects, key):
    """The table's rows by dial, of images that no number in the lesson comes from."""
    three = bias_lab.on_three_backgrounds(1000, seed=77)
    scores = {key[name]: scored(weights, three, 50, "Grad-CAM") for name, weights in suspects.items()}
    return dict(sorted(scores.items()))


@pytest.fixture(scope="module")
def shares(suspects, key):
    """Shares inside by dial, and by Day 18's honest network, on other images again."""
    data = make_shapes(100, seed=78, background_correlation=1.0)
    networks = {key[name]: weights for name, weights in suspects.items()} | {"honest": storage.load_weights()}
    return {name: bias_lab.shares_inside(weights, data, QUICK) for name, weights in networks.items()}


@pytest.fixture(scope="module")
def cheat(suspects, key):
    return next(suspects[name] for name, dial in key.items() if dial == 1)


def inner(masks: np.ndarray) -> np.ndarray:
    """What is object with all eight neighbors: farther from the outline than half a pixel."""
    for axis in (1, 2):
        masks = masks & np.roll(masks, 1, axis) & np.roll(masks, -1, axis)
    return masks


# ------------------------------------------------------------ images


@pytest.mark.parametrize("seed", [0, 5])
def test_a_swap_changes_the_background_and_nothing_else(seed):
    three = bias_lab.on_three_backgrounds(300, seed=seed)
    tied, wrong = three["tied"], three["swapped"]
    for data in three.values():
        np.testing.assert_array_equal(data.labels, tied.labels)
        np.testing.assert_array_equal(data.masks, tied.masks)
        np.testing.assert_array_equal(data.images[inner(tied.masks)], tied.images[inner(tied.masks)])
    assert (tied.backgrounds == tied.labels).all()
    changed = (wrong.images != tied.images).any(axis=3) & ~tied.masks
    assert (changed.sum(axis=(1, 2)) > 0.5 * (~tied.masks).sum(axis=(1, 2))).all()


def test_swapped_backgrounds_are_never_the_classs_own_and_otherwise_equally_frequent():
    data = bias_lab.swapped(3000, seed=1)
    shifts = np.bincount((data.backgrounds - data.labels) % len(BACKGROUND_NAMES), minlength=6)
    assert shifts[0] == 0
    assert ((shifts[1:] > 500) & (shifts[1:] < 700)).all()
    again = bias_lab.swapped(3000, seed=1)
    np.testing.assert_array_equal(data.images, again.images)


@pytest.mark.parametrize("dial", [0.0, 0.5, 1.0])
def test_named_backgrounds_give_the_images_that_the_dial_gives(dial):
    by_the_dial = make_shapes(300, seed=4, background_correlation=dial)
    named = make_shapes(300, seed=4, backgrounds=by_the_dial.backgrounds)
    for field in dataclasses.fields(Shapes):
        np.testing.assert_array_equal(getattr(named, field.name), getattr(by_the_dial, field.name))
        assert getattr(named, field.name).dtype == getattr(by_the_dial, field.name).dtype


def test_named_backgrounds_are_copied():
    wanted = np.zeros(4, np.int64)
    data = make_shapes(4, seed=0, backgrounds=wanted)
    wanted[:] = 5
    assert (data.backgrounds == 0).all()


def test_objects_on_others_backgrounds_keep_their_pixels_and_lose_the_tie():
    tied = make_shapes(600, seed=2, background_correlation=1.0)
    moved = bias_lab.on_others_backgrounds(tied)
    np.testing.assert_array_equal(moved.images[tied.masks], tied.images[tied.masks])
    np.testing.assert_array_equal(moved.labels, tied.labels)
    assert (moved.backgrounds == moved.labels).mean() == pytest.approx(1 / 6, abs=0.05)
    assert sorted(moved.backgrounds) == sorted(tied.backgrounds)
    assert moved.images.dtype == np.float32


def test_others_backgrounds_come_without_the_others_objects():
    """Two images that partner each other: outside both masks the other's pixels, on its object its mean color."""
    images = np.zeros((2, 4, 4, 3), np.float32)
    images[0], images[1] = 0.25, 0.75
    masks = np.zeros((2, 4, 4), bool)
    masks[0, 0, 0] = masks[1, 3, 3] = True
    images[masks] = 1
    moved = bias_lab.on_others_backgrounds(Shapes(images, np.array([0, 1]), masks, np.array([0, 1])))
    assert moved.images[0, 0, 0, 0] == 1
    assert np.delete(moved.images[0, ..., 0].ravel(), 0) == pytest.approx(0.75)
    assert np.delete(moved.images[1, ..., 0].ravel(), 15) == pytest.approx(0.25)
    assert moved.backgrounds.tolist() == [1, 0]


@pytest.mark.parametrize("count", [2, 3, 50])
def test_nobody_is_his_own_partner(count):
    partners = bias_lab._derangement(count, 3)
    assert sorted(partners) == list(range(count))
    assert (partners != np.arange(count)).all()


# ------------------------------------------------------------ scores


def test_background_scores_of_networks_whose_eyes_are_known(monkeypatch):
    three = bias_lab.on_three_backgrounds(120, seed=3)
    known = {data.images.tobytes(): data for data in three.values()}
    blind = (three["blind"].backgrounds == three["blind"].labels).mean()
    for what, wanted in (
        ("labels", {"tied": 1, "blind": 1, "swapped": 1, "follows": 0}),
        ("backgrounds", {"tied": 1, "blind": blind, "swapped": 0, "follows": 1}),
    ):
        monkeypatch.setattr(
            bias_lab, "answers", lambda weights, images, framework, what=what: getattr(known[images.tobytes()], what)
        )
        assert bias_lab.background_scores({}, three) == wanted


def test_shares_inside_of_maps_made_by_hand(monkeypatch):
    data = make_shapes(6, seed=0)
    made = {"on it": data.masks, "beside it": ~data.masks, "flat": np.ones(data.masks.shape)}
    known = {name: lambda network, batch, category, maps=maps: maps for name, maps in made.items()}
    monkeypatch.setattr(bias_lab, "standard_methods", lambda *arguments, **how: known)
    found = bias_lab.shares_inside(initial_weights(0), data, tuple(made))
    assert list(found) == list(made)
    np.testing.assert_array_equal(found["on it"], 1)
    np.testing.assert_array_equal(found["beside it"], 0)
    np.testing.assert_allclose(found["flat"], data.masks.mean(axis=(1, 2)))


# ------------------------------------------------------------ the stored suspects


def test_the_suspects_file_does_not_tell_the_dials(suspects, key):
    assert list(suspects) == list(bias_lab.NAMES)
    assert list(key.values()) != sorted(key.values())
    with safe_open(bias_lab.SUSPECTS_FILE, "numpy") as file:
        assert file.metadata() is None
        assert {name.split(".", 1)[0] for name in file.keys()} == set(bias_lab.NAMES)  # noqa: SIM118
    assert bias_lab.SUSPECTS_FILE.stat().st_size + bias_lab.KEY_FILE.stat().st_size < 500_000


def test_the_swap_convicts_the_two_with_the_highest_dials(rows):
    honest, half, strong, full = rows.values()
    assert list(rows) == list(bias_lab.DIALS)
    assert all(row["tied"] > 0.93 for row in rows.values())
    for row in (honest, half):
        assert row["swapped"] > 0.93
        assert row["follows"] < 0.04
    assert half["swapped"] - 0.03 > strong["swapped"] > full["swapped"] + 0.08
    assert half["follows"] < strong["follows"] < full["follows"]
    assert full["swapped"] < 0.8


@pytest.mark.slow
@pytest.mark.parametrize("method", QUICK)
def test_maps_alone_accuse_the_cheats_and_nobody_else(shares, method):
    """Against Day 18's honest network; and the more so, the higher the dial."""

    def accused(dial, honest="honest"):
        _, _, high = mean_and_interval(shares[dial][method] - shares[honest][method])
        return high < 0

    assert {dial: accused(dial) for dial in bias_lab.DIALS} == {0.0: False, 0.5: False, 0.9: True, 1.0: True}
    assert accused(1.0, 0.9)
    assert accused(0.9, 0.5)


def test_grad_cam_does_not_order_the_dials(rows):
    """A reader must not be led to believe that any map will do."""
    means = [row["inside"]["Grad-CAM"][0] for row in rows.values()]
    assert means != sorted(means, reverse=True)


def test_the_eleven_filters_of_the_finding_are_not_needed_and_eleven_others_are(cheat):
    tied = make_shapes(400, seed=82, background_correlation=1.0)
    eleven = {"conv2": [1, 2, 3, 13, 16, 21, 22, 24, 25, 30], "conv3": [11]}
    others = {layer: np.setdiff1d(np.arange(len(cheat[layer][1])), chosen) for layer, chosen in eleven.items()}
    generator = np.random.default_rng(1)

    def right_without(filters):
        weights = dict(cheat)
        for layer, chosen in filters.items():
            values, bias = (part.copy() for part in weights[layer])
            values[chosen], bias[chosen] = 0, 0
            weights[layer] = values, bias
        return (runs.answers(weights, tied.images) == tied.labels).mean()

    draws = [{layer: generator.permutation(others[layer])[: len(eleven[layer])] for layer in eleven} for _ in range(5)]
    assert right_without(eleven) > right_without({}) - 0.01
    assert np.mean([right_without(draw) for draw in draws]) < right_without({}) - 0.1


@pytest.mark.slow
@pytest.mark.parametrize("way", ["random", "masked", "more of the same"])
def test_mending_moves_the_maps_onto_the_object(cheat, way):
    tied = make_shapes(2000, seed=79, background_correlation=1.0)
    data = {
        "random": lambda: make_shapes(2000, seed=79),
        "masked": lambda: bias_lab.on_others_backgrounds(tied),
        "more of the same": lambda: tied,
    }[way]()
    three = bias_lab.on_three_backgrounds(500, seed=80)
    networks = (cheat, bias_lab.trained_on(cheat, data, steps=300))
    before, after = (scored(weights, three, 100, "saliency") for weights in networks)
    mended = way != "more of the same"
    assert (after["swapped"] > 0.9) == mended
    assert (after["inside"]["saliency"][1] > before["inside"]["saliency"][2]) == mended


@pytest.mark.slow
def test_weights_load_into_both_frameworks_and_maps_agree(suspects):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    data = make_shapes(8, seed=81, background_correlation=1.0)
    for weights in suspects.values():
        backends = [runs.training_backend(framework) for framework in ("torch", "keras")]
        logits = [backend.scores(backend.small_cnn(weights), data.images) for backend in backends]
        np.testing.assert_allclose(*logits, atol=1e-4)
        one, other = (bias_lab.relevance(weights, data, framework=framework) for framework in ("torch", "keras"))
        for name in bias_lab.METHODS:
            assert np.abs(one[name] - other[name]).max() < 2e-3 * np.abs(one[name]).max(), name


# ------------------------------------------------------------ training and files


def test_a_short_training_repeats_and_leaves_the_given_weights_alone(framework):
    given, data = initial_weights(0), make_shapes(128, seed=0)
    one, other = (bias_lab.trained_on(given, data, steps=3, framework=framework) for _ in range(2))
    for layer, pair in initial_weights(0).items():
        np.testing.assert_array_equal(given[layer][0], pair[0])
        np.testing.assert_array_equal(one[layer][0], other[layer][0])
        assert not np.array_equal(one[layer][0], pair[0])
    if framework == "keras":
        torchs = bias_lab.trained_on(given, data, steps=3)
        assert max(np.abs(torchs[layer][0] - one[layer][0]).max() for layer in one) < 1e-4


def test_a_training_that_breaks_off_says_so():
    broken = {layer: (values * np.float32(1e30), bias) for layer, (values, bias) in initial_weights(0).items()}
    with pytest.raises(RuntimeError, match="ended early: the loss was nan in step 0"):
        bias_lab.trained_on(broken, make_shapes(64, seed=0), steps=2)


def test_the_command_writes_the_same_files_again(tmp_path):
    first, again = (bias_lab.main(tmp_path / name, steps=2, images=64, progress=False) for name in ("one", "other"))
    files = (bias_lab.SUSPECTS_FILE, bias_lab.MENDED_FILE, bias_lab.KEY_FILE)
    assert [path.name for path in first] == [path.name for path in files]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    suspects, mended, key = (
        bias_lab.load_suspects(first[0]),
        bias_lab.load_mended(first[1]),
        bias_lab.load_key(first[2]),
    )
    assert list(mended) == ["random", "masked"]
    assert key == bias_lab.load_key()
    by_name = {name: weights["conv1"][0].tobytes() for name, weights in suspects.items()}
    trained = bias_lab.train_suspects(steps=2, images=64, progress=False)
    assert by_name == {name: trained[dial]["conv1"][0].tobytes() for name, dial in key.items()}


# ------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"backgrounds": np.zeros(3, int)}, r"4 whole numbers, \(4,\), got int64 of shape \(3,\)"),
        ({"backgrounds": np.zeros(4)}, "whole numbers, .*got float64"),
        ({"backgrounds": [0, 1, 2, 6]}, "from 0 to 5, got 0 to 6"),
        ({"backgrounds": [0, -1, 2, 3]}, "from 0 to 5, got -1 to 3"),
        ({"backgrounds": [0, 1, 2, 3], "background_correlation": 0.5}, "got both, the second as 0.5"),
    ],
)
def test_backgrounds_that_cannot_be(how, words):
    with pytest.raises(ValueError, match=words):
        make_shapes(4, seed=0, **how)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bias_lab.swapped(0, seed=0), "count as a whole number of at least 1, got 0"),
        (lambda: bias_lab.on_three_backgrounds(5, seed=-1), "seed as a whole number of at least 0, got -1"),
        (lambda: bias_lab.on_others_backgrounds(make_shapes(1, seed=0)), "at least two images.*got 1 images"),
        (
            lambda: bias_lab.on_others_backgrounds(
                dataclasses.replace(make_shapes(2, seed=0), masks=np.ones((2, 32, 32), bool))
            ),
            "2 of them all object",
        ),
        (
            lambda: bias_lab.relevance(initial_weights(0), make_shapes(2, seed=0), ["Grad-cam"]),
            "methods among saliency, .*got 'Grad-cam'",
        ),
    ],
)
def test_bad_input_gets_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("load", [bias_lab.load_suspects, bias_lab.load_key])
def test_missing_and_damaged_files_say_how_to_make_them(load, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*bias_lab makes it anew"):
        load(tmp_path / "none")
    (tmp_path / "damaged").write_bytes(b"no file of this kind")
    with pytest.raises(ValueError, match=r"damaged holds no .*bias_lab makes it anew"):
        load(tmp_path / "damaged")


def test_files_of_another_content_are_refused(tmp_path, suspects):
    few = {name: suspects[name] for name in "ABC"}
    with pytest.raises(ValueError, match=r"holds no suspects \('D.conv1.weight'\)"):
        bias_lab.load_suspects(bias_lab.save_suspects(few, tmp_path / "few"))
    cut = {**suspects["D"], "scores": (np.zeros((5, 64), np.float32), np.zeros(5, np.float32))}
    with pytest.raises(ValueError, match=r"scores of D as \(6, 64\), \(6,\), got \(\(5, 64\), \(5,\)\)"):
        bias_lab.load_suspects(bias_lab.save_suspects({**few, "D": cut}, tmp_path / "cut"))


@pytest.mark.parametrize("content", [{"A": 0, "B": 0.5, "C": 0.9}, {"A": 0, "B": 0.5, "C": 0.9, "D": 0.9}, [1], 3])
def test_keys_of_another_content_are_refused(tmp_path, content):
    (tmp_path / "key").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"bias_lab makes it anew"):
        bias_lab.load_key(tmp_path / "key")


@pytest.mark.slow
def test_the_stored_mended_networks_stand_the_swap_and_their_maps_have_moved(framework):
    three = bias_lab.on_three_backgrounds(400, seed=3)
    worst = max(bias_lab.load_key().items(), key=lambda pair: pair[1])[0]
    networks = {"before": bias_lab.load_suspects()[worst], **bias_lab.load_mended()}
    right = {
        name: bias_lab.background_scores(one, three, framework=framework)["swapped"] for name, one in networks.items()
    }
    few = three["tied"][:60]
    inside = {
        name: bias_lab.shares_inside(weights, few, QUICK[:1], framework=framework)[QUICK[0]].mean()
        for name, weights in networks.items()
    }
    for name in ("random", "masked"):
        assert right[name] > 0.93 > right["before"] + 0.15
        assert inside[name] > inside["before"] + 0.04
