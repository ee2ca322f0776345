"""Day 21: dreams are what is written down, whole or in tiles, from either framework, and leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import inspect
import io
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torch import nn
from widget_tools import upload

from days.common.images import load_image
from days.common.models import load_model
from days.common.paths import REPO_ROOT
from days.day17.code.torch_backend import capture
from days.day20.code.objectives import channel, direction, layer, logit, unit
from days.day21.code import budget, control, dreaming, exercises, torch_backend
from days.day21.code.dreaming import Moment, ascent_step, balanced, grow, octave_sizes, resize, tiles
from days.day21.code.lesson import EVEN_SPREAD, PHOTOS, Lesson

QUICK = {"octaves": 2, "steps": 3, "jitter": 8, "progress": False}


@pytest.fixture(scope="module")
def photo():
    return load_image("china", size=(96, 128))


@pytest.fixture(scope="module")
def ask(squeezenet):
    return torch_backend.slope(squeezenet.network, "fire3")


def brightness(picture):
    """An objective whose gradient is known: the mean, with the slope 1 / count everywhere."""
    return float(picture.mean()), np.full_like(picture, 1 / picture.size)


def correlation(first, second):
    return np.corrcoef(first.ravel(), second.ravel())[0, 1]


# ------------------------------------------------------------ the contract


def test_a_dream_is_an_image_of_the_same_size(squeezenet, photo):
    found = torch_backend.dream(squeezenet.network, photo, "fire5", **QUICK)
    assert found.shape == photo.shape
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.abs(found - photo).mean() > 0.005


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (101, 40), (64, 97)])
def test_any_size(squeezenet, shape):
    image = np.random.default_rng(0).random((*shape, 3)).astype(np.float32)
    assert torch_backend.dream(squeezenet.network, image, "fire9", **QUICK).shape == image.shape


def test_no_steps_give_the_photo_itself(squeezenet, photo):
    found = torch_backend.dream(squeezenet.network, photo, "fire5", octaves=4, steps=0, progress=False)
    np.testing.assert_array_equal(found, photo)
    assert found is not photo
    slightly_over = torch_backend.dream(
        squeezenet.network, photo * np.float32(1.0009), "fire5", steps=0, progress=False
    )
    assert slightly_over.max() == 1


def test_same_seed_same_pixels_other_seed_others(squeezenet, photo):
    first, again, other = (
        torch_backend.dream(squeezenet.network, photo, "fire5", seed=seed, **QUICK) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_the_given_arrays_stay_as_they_were(squeezenet, photo):
    image, guide = photo.copy(), photo[::-1].copy()
    torch_backend.dream(squeezenet.network, image, "fire3", guide=guide, **QUICK)
    np.testing.assert_array_equal(image, photo)
    np.testing.assert_array_equal(guide, photo[::-1])


def test_the_network_comes_back_as_it_was(photo):
    network = load_model("squeezenet").network.train()
    network.fire2.eval()
    network.conv1.weight.requires_grad_(False)
    before = [(m.training, len(m._forward_hooks)) for m in network.modules()]
    wanted = [(p.requires_grad, p.grad, p.detach().clone()) for p in network.parameters()]
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch_backend.dream(network, photo, "fire4", guide=photo, **QUICK)
    with pytest.raises(ValueError, match="no_such"):
        torch_backend.dream(network, photo, "no_such", **QUICK)
    assert before == [(m.training, len(m._forward_hooks)) for m in network.modules()]
    for (needs, gradient, values), now in zip(wanted, network.parameters(), strict=True):
        assert (now.requires_grad, now.grad) == (needs, gradient)
        assert torch.equal(values, now)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()


def test_inside_no_grad_and_on_frozen_weights_it_dreams_all_the_same(squeezenet, photo):
    free = torch_backend.dream(squeezenet.network, photo, "fire3", **QUICK)
    with torch.no_grad():
        np.testing.assert_array_equal(free, torch_backend.dream(squeezenet.network, photo, "fire3", **QUICK))


def test_inside_inference_mode_it_dreams_all_the_same(squeezenet, photo):
    free = torch_backend.dream(squeezenet.network, photo, "fire3", **QUICK)
    with torch.inference_mode():
        np.testing.assert_array_equal(free, torch_backend.dream(squeezenet.network, photo, "fire3", **QUICK))


@pytest.mark.slow
def test_a_network_in_bfloat16_dreams_with_and_without_a_guide(photo):
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).to(torch.bfloat16)
    for how in ({}, {"guide": photo[::-1].copy()}):
        found = torch_backend.dream(network, photo, "0", **QUICK, **how)
        assert np.abs(found - photo).mean() > 0.002


def test_a_network_without_weights_dreams(photo):
    found = torch_backend.dream(nn.Sequential(nn.AvgPool2d(2)), photo, "0", **QUICK)
    assert np.abs(found - photo).mean() > 0.002
    with pytest.raises(ValueError, match="expected a torch or Keras network, got NoneType"):
        torch_backend.dream(None, photo, "0", **QUICK)


def test_nothing_is_left_over_after_50_dreams(squeezenet, photo):
    def living():
        gc.collect()
        return sum(type(one) is torch.Tensor for one in gc.get_objects())

    small = photo[:64, :64]
    torch_backend.dream(squeezenet.network, small, "fire3", guide=small, **QUICK)
    before = living()
    for seed in range(50):
        torch_backend.dream(squeezenet.network, small, "fire3", guide=small, seed=seed, **QUICK)
    assert living() <= before


MEASURE = """
import resource, sys
from days.common.images import load_image
from days.common.models import load_model
framework = sys.argv[1]
backend = __import__(f"days.day21.code.{framework}_backend", fromlist=["dream"])
photo = load_image("china", size=(1224, 1640))
backend.dream(load_model(framework=framework).network, photo, "fire7", octaves=2, steps=1, progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2)
"""


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_photo_of_two_megapixels_stays_below_three_gigabytes(framework):
    pytest.importorskip("resource")
    if framework == "keras":
        pytest.importorskip("tensorflow")
    run = subprocess.run([sys.executable, "-c", MEASURE, framework], capture_output=True, text=True, check=True)
    assert float(run.stdout.split()[-1]) < 3


# ------------------------------------------------------------ octaves


def test_octaves_go_from_small_to_large_and_end_at_the_image():
    assert octave_sizes((280, 420), 4, 1.4) == [(102, 153), (143, 214), (200, 300), (280, 420)]
    assert octave_sizes((40, 400), 4, 1.4) == [(40, 400)]  # the others would be too flat for a network
    assert octave_sizes((45, 45), 9, 1.4) == [(32, 32), (45, 45)]


def test_every_octave_has_its_steps(photo):
    moments = list(grow(brightness, photo, octaves=3, steps=4))
    sizes = octave_sizes(photo.shape[:2], 3)
    assert [(one.octave, one.step) for one in moments] == [(o, s) for o in range(3) for s in range(4)]
    assert all(one.picture.shape[:2] == sizes[one.octave] for one in moments)
    assert isinstance(moments[0], Moment)


def test_detail_that_was_lost_is_put_back(photo):
    """With a gradient of 0 every octave shows the photo, not an enlarged small one; the lost detail is not small."""

    def nothing(picture):
        return 0.0, np.zeros_like(picture)

    with pytest.warns(RuntimeWarning, match="0 everywhere"):
        moments = list(grow(nothing, photo, octaves=3, steps=1))
    for one in moments:
        np.testing.assert_array_equal(one.picture, np.clip(resize(photo, one.picture.shape[:2]), 0, 1))
    enlarged = resize(resize(photo, moments[0].picture.shape[:2]), photo.shape[:2])
    assert np.abs(enlarged - photo).mean() > 0.02


def test_two_ways_to_say_it_are_one(photo):
    """photo + what was added, enlarged = the picture enlarged + what the photo had lost."""
    small_photo = resize(photo, (60, 80))
    picture = small_photo + np.random.default_rng(0).normal(0, 0.1, small_photo.shape).astype(np.float32)
    one = photo + resize(picture - small_photo, photo.shape[:2])
    other = resize(picture, photo.shape[:2]) + (photo - resize(small_photo, photo.shape[:2]))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_what_an_octave_added_arrives_in_the_next(squeezenet, photo):
    moments = list(grow(torch_backend.slope(squeezenet.network, "fire5"), photo, octaves=2, steps=1, step_size=0.05))
    added = resize(moments[0].picture - resize(photo, moments[0].picture.shape[:2]), photo.shape[:2])
    assert correlation(added, moments[1].picture - photo) > 0.5


@pytest.mark.parametrize("size", [(48, 64), (143, 214), (200, 150)])
def test_resize_is_pillows_own_channel_by_channel_and_linear(photo, size):
    twice = resize(2 * photo - 3, size)
    np.testing.assert_allclose(twice, 2 * resize(photo, size) - 3, atol=1e-5)
    assert resize(photo, size).dtype == np.float32
    assert resize(np.full((50, 70, 3), 0.25, np.float32), size) == pytest.approx(0.25)


# ------------------------------------------------------------ steps


def test_one_step_on_a_known_gradient():
    picture = np.full((32, 32, 3), 0.5, np.float32)
    value, moved = ascent_step(brightness, picture, 0.01)
    assert value == pytest.approx(0.5)
    np.testing.assert_allclose(moved, 0.51, atol=1e-5)


def test_a_step_moves_the_values_by_its_size_on_average(ask, photo):
    gray = 0.25 + photo / 2  # far from 0 and 1, where a step would be cut off
    for bands in (1, 2, 3):
        _, moved = ascent_step(ask, gray, 0.002, bands=bands)
        assert np.abs(moved - gray).mean() == pytest.approx(0.002, rel=1e-3)


def test_jitter_is_rolled_back(photo):
    """An objective that looks at one pixel, wherever the picture is rolled: that pixel's own place moves."""

    def corner(picture):
        gradient = np.zeros_like(picture)
        gradient[0, 0] = 1
        return float(picture[0, 0].sum()), gradient

    value, moved = ascent_step(corner, photo, 1e-5, shift=(5, -7))
    changed = np.argwhere(np.abs(moved - photo).max(axis=2) > 1e-3)
    assert changed.tolist() == [[photo.shape[0] - 5, 7]]
    assert value == pytest.approx(float(photo[-5, 7].sum()))


def test_shifts_are_within_the_jitter_and_from_the_seed():
    draw = [dreaming.draw_shift(np.random.default_rng(seed), (200, 300), 8) for seed in range(200)]
    assert {abs(one) for pair in draw for one in pair} == set(range(9))
    assert dreaming.draw_shift(np.random.default_rng(0), (200, 300), 0) == (0, 0)
    far = [dreaming.draw_shift(np.random.default_rng(seed), (64, 900), 8, 320) for seed in range(200)]
    assert max(abs(down) for down, _ in far) == 8
    assert 100 < max(abs(right) for _, right in far) <= 160
    assert dreaming.draw_shift(np.random.default_rng(0), (64, 900), 0, 320) == (0, 0)


def test_one_band_is_the_gradient_over_its_mean_size():
    gradient = np.random.default_rng(0).normal(0, 7, (40, 50, 3)).astype(np.float32)
    np.testing.assert_allclose(balanced(gradient), gradient / np.abs(gradient).mean(), rtol=1e-5)
    assert not balanced(np.zeros((40, 50, 3), np.float32), 3).any()


def test_bands_even_out_fine_and_coarse():
    """A coarse wave a hundred times fainter than the fine one comes out as strong; an independent filter sees it."""
    across = np.arange(128)
    fine, coarse = np.cos(np.pi * across), 0.01 * np.cos(2 * np.pi * across / 64)
    gradient = np.broadcast_to((fine + coarse)[None, :, None], (128, 128, 3)).astype(np.float32)

    def share(values):
        low = ndimage.gaussian_filter(values, (4, 4, 0))
        return np.abs(low).mean() / np.abs(values).mean()

    assert share(balanced(gradient, 1)) < 0.02
    assert share(balanced(gradient, 2)) > 0.3
    assert np.abs(balanced(gradient, 3)).mean() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("name", ["conv1", "fire3", "fire5", "fire7", "fire9"])
def test_the_objective_rises(squeezenet, photo, name):
    ask = torch_backend.slope(squeezenet.network, name)
    moments = list(grow(ask, photo, octaves=1, steps=12, jitter=0))
    values = [one.value for one in moments]
    assert values[-1] > 1.5 * values[0]
    with_jitter = list(grow(ask, photo, octaves=1, steps=12))
    assert ask(with_jitter[-1].picture)[0] > 1.3 * values[0]


def test_the_gradient_is_what_trying_says(squeezenet, photo):
    ask = torch_backend.slope(squeezenet.network, 0.5 * layer("fire3") + channel("fire4", 7))
    small = photo[:64, :64]
    _, gradient = ask(small)
    way = np.abs(np.random.default_rng(0).normal(size=small.shape).astype(np.float32)) * np.sign(gradient)
    up, down = ask(small + 1e-5 * way)[0], ask(small - 1e-5 * way)[0]  # so short that no ReLU opens or shuts
    assert (up - down) / 2e-5 == pytest.approx(float((gradient * way).sum()), rel=0.02)


def test_a_layers_objective_is_half_its_mean_square(squeezenet, photo):
    """Asked for 96 x 128 pixels, a multiple of 32, the network sees exactly the picture."""
    value, _ = torch_backend.slope(squeezenet.network, "fire4")(photo)
    answers = capture(squeezenet.network, "fire4", squeezenet.preprocess(photo))["fire4"]
    assert value == pytest.approx((answers.astype(np.float64) ** 2).mean() / 2, rel=1e-5)


def test_a_mix_and_a_direction_and_a_channel(squeezenet, photo):
    for wanted in (0.7 * channel("fire7", 3) + 0.3 * layer("fire3"), direction("fire3", np.ones(128)), -layer("fire2")):
        found = torch_backend.dream(squeezenet.network, photo, wanted, **QUICK)
        assert np.abs(found - photo).mean() > 0.002


# ------------------------------------------------------------ guides


def test_best_matches_are_those_of_a_loop():
    generator = np.random.default_rng(0)
    answer, guide = generator.random((1, 5, 4, 6)), generator.random((5, 9))
    chosen = dreaming.guide_matches(answer, guide)
    for row in range(4):
        for column in range(6):
            products = [guide[:, place] @ answer[0, :, row, column] for place in range(9)]
            np.testing.assert_array_equal(chosen[0, :, row, column], guide[:, np.argmax(products)])


@pytest.mark.slow
def test_a_guide_draws_the_texture_towards_it(squeezenet):
    """Measured in a deeper layer than the one that was guided, the dream is more like the guide than without it."""
    image = load_image("china", size=(224, 336))
    for name in ("flower", "coffee"):
        guide = load_image(name, size=(224, 336))
        guided = torch_backend.dream(squeezenet.network, image, "fire5", guide=guide, progress=False)
        free = torch_backend.dream(squeezenet.network, image, "fire5", progress=False)
        grams = [
            dreaming.gram(capture(squeezenet.network, "fire7", squeezenet.preprocess(one))["fire7"])
            for one in (guide, guided, free)
        ]
        assert dreaming.texture_similarity(grams[0], grams[1]) > dreaming.texture_similarity(grams[0], grams[2]) + 0.05


def test_a_large_guide_is_shrunk():
    assert dreaming.guide_image(np.zeros((448, 1000, 3), np.float32)).shape == (100, 224, 3)
    assert dreaming.guide_image(np.zeros((60, 50, 3), np.float32)).shape == (60, 50, 3)


# ------------------------------------------------------------ tiles


@pytest.mark.parametrize(("length", "tile"), [(640, 640), (641, 640), (2000, 640), (33, 32), (100, 64), (1, 32)])
def test_tiles_cover_everything(length, tile):
    starts, core, margin = tiles(length, tile)
    covered = np.zeros(length, int)
    for start in starts:
        covered[start : start + core] += 1
    assert covered.tolist() == [1] * length
    assert core <= tile
    assert core % 32 == margin % 32 == 0
    assert all(start % 32 == 0 for start in starts)


def test_tiles_of_any_size_give_one_gradient(squeezenet):
    """Up to fire5, whose units see 63 pixels, the margin holds all that matters: equal to float32's rounding."""
    image = load_image("china", size=(256, 320))
    for name, tolerance, alike in (
        ("fire3", 1e-5, 1e-6),
        ("fire5", 1e-5, 1e-6),
        ("fire7", 0.3, 0.01),
        ("fire9", 0.5, 0.1),
    ):
        ask = torch_backend.slope(squeezenet.network, name)
        coarse, fine, whole = (dreaming.scaled(dreaming.gradient_of(ask, image, tile)[1]) for tile in (160, 64, 640))
        assert np.abs(coarse - fine).max() / np.abs(coarse).max() < tolerance, name
        assert correlation(coarse, fine) > 1 - alike, name
        inner = (slice(64, -64), slice(64, -64))  # the whole picture ends in zeros, the tiles' ends meet
        assert correlation(whole[inner], fine[inner]) > 1 - alike, name


def seam_strength(added: np.ndarray, tile: int) -> float:
    """How large the jumps between neighboring columns are at the seams, beside those at all other columns."""
    jumps = np.abs(np.diff(added, axis=1)).mean(axis=(0, 2))
    seams = np.arange(tile - 1, added.shape[1] - 1, tile)
    return jumps[seams].mean() / np.delete(jumps, seams).mean()


@pytest.mark.slow
def test_no_seam_shows(squeezenet, monkeypatch):
    image = load_image("china", size=(128, 320))
    how = {"octaves": 1, "steps": 10, "tile": 32, "progress": False}
    for jitter in (0, 16):
        added = torch_backend.dream(squeezenet.network, image, "fire7", jitter=jitter, **how) - image
        assert 0.9 < seam_strength(added, 32) < 1.1
    monkeypatch.setattr(dreaming, "MARGIN", 0)
    cut = torch_backend.dream(squeezenet.network, image, "fire7", jitter=0, **how) - image
    assert seam_strength(cut, 32) < 0.7  # so the number does see seams, along which too little is added


def test_a_tiled_dream_is_much_like_a_whole_one(squeezenet):
    image = load_image("china", size=(160, 256))
    how = {"octaves": 1, "steps": 3, "jitter": 0, "progress": False}
    whole, cut = (torch_backend.dream(squeezenet.network, image, "fire3", tile=tile, **how) for tile in (640, 128))
    inner = (slice(32, -32), slice(32, -32))  # the whole picture ends in zeros, the tiles' ends meet
    assert correlation((whole - image)[inner], (cut - image)[inner]) > 0.95


# ------------------------------------------------------------ what is refused

BAD = [
    ({"octaves": 0}, "octaves as a whole number of at least 1, got 0"),
    ({"octaves": 2.5}, "octaves as a whole number"),
    ({"steps": -1}, "steps as a whole number of at least 0, got -1"),
    ({"steps": True}, "steps as a whole number"),
    ({"jitter": -3}, "jitter as a whole number"),
    ({"bands": 0}, "bands as a whole number of at least 1"),
    ({"octave_scale": 1.0}, "octave_scale above 1, got 1.0"),
    ({"octave_scale": float("nan")}, "octave_scale above 1"),
    ({"step_size": 0}, "step_size above 0, got 0"),
    ({"step_size": float("inf")}, "step_size above 0"),
    ({"step_size": None}, "step_size above 0, got None"),
    ({"octave_scale": "1.4"}, "octave_scale above 1, got '1.4'"),
    ({"seed": -1}, "seed as a whole number of at least 0, got -1"),
    ({"seed": None}, "seed as a whole number"),
    ({"tile": None}, "tile as a whole number"),
    ({"tile": 0}, "tile as a whole number of at least 32, got 0"),
    ({"tile": 100}, "tile of 32 pixels or a multiple of it, got 100"),
]


@pytest.mark.parametrize(("setting", "message"), BAD, ids=str)
def test_settings_out_of_range(squeezenet, photo, setting, message):
    with pytest.raises(ValueError, match=message):
        torch_backend.dream(squeezenet.network, photo, "fire3", **setting, progress=False)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((8, 40, 3), np.float32), "at least 32 x 32 pixels, got 8 x 40: load_image"),
        (np.zeros((1, 64, 64, 3), np.float32), "drop the batch axis"),
        (np.zeros((64, 64, 3), np.uint8), "load_image"),
        (np.full((64, 64, 3), 200.0), "divide by 255"),
        (np.full((64, 64, 3), np.nan), "finite"),
        ("china", "an .* image, got str"),
    ],
    ids=str,
)
def test_what_is_no_image(squeezenet, photo, image, message):
    with pytest.raises(ValueError, match=message):
        torch_backend.dream(squeezenet.network, image, "fire3", progress=False)
    if not message.startswith("at least"):
        with pytest.raises(ValueError, match=message):
            torch_backend.dream(squeezenet.network, photo, "fire3", guide=image, progress=False)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("fire33", "fire3"),
        ("drop9.x", "no layer|drop9"),
        ("logits", "maps"),
        (channel("fire3", 128), "channel of 'fire3'"),
        (unit("fire3", 2), "looks everywhere .* got unit"),
        (logit(3), "got logit"),
        (7, "a layer's name or an objective, got int"),
        (["fire3"], "got list"),
    ],
    ids=str,
)
def test_what_cannot_be_dreamed_of(squeezenet, photo, wanted, message):
    with pytest.raises(ValueError, match=message):
        torch_backend.dream(squeezenet.network, photo, wanted, progress=False)


def test_a_guide_beside_an_objective(squeezenet, photo):
    with pytest.raises(ValueError, match="leave one of the two out"):
        torch_backend.dream(squeezenet.network, photo, channel("fire3", 1), guide=photo, progress=False)


def test_a_network_with_nan_weights(photo):
    network = nn.Sequential(nn.Conv2d(3, 4, 3))
    nn.init.constant_(network[0].weight, float("nan"))
    with pytest.raises(ValueError, match="finite gradient"):
        torch_backend.dream(network, photo, "0", progress=False)


def test_a_dead_channel_warns_and_leaves_the_photo(photo):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    nn.init.constant_(network[0].bias, -1e6)
    with pytest.warns(RuntimeWarning, match="0 everywhere"):
        found = torch_backend.dream(network, photo, channel("1", 2), **QUICK)
    np.testing.assert_array_equal(found, photo)


def test_another_network_with_its_own_preprocessing(photo):
    model = load_model("efficientnet_lite0")
    found = torch_backend.dream(model.network, photo, "blocks.3", preprocess=model.preprocess, **QUICK)
    assert np.abs(found - photo).mean() > 0.002


# ------------------------------------------------------------ Keras


@pytest.fixture(scope="module")
def keras_backend():
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from days.day21.code import keras_backend

    return keras_backend


def test_both_backends_have_the_same_functions(keras_backend):
    for name in ("dream", "slope"):
        ours, theirs = (inspect.signature(getattr(one, name)) for one in (torch_backend, keras_backend))
        assert list(ours.parameters) == list(theirs.parameters)
        assert [p.default for p in ours.parameters.values()] == [p.default for p in theirs.parameters.values()]


@pytest.mark.parametrize("size", [(96, 128), (101, 77)])
@pytest.mark.parametrize("name", ["conv1", "fire5", "fire9"])
def test_gradients_agree(squeezenet, keras_squeezenet, keras_backend, size, name):
    image = load_image("china", size=size)
    slopes = (torch_backend.slope(squeezenet.network, name), keras_backend.slope(keras_squeezenet.network, name))
    (ours, gradient), (theirs, other) = (dreaming.gradient_of(one, image) for one in slopes)
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert (
        correlation(gradient, other) > 0.999
    )  # on this machine 1e-6 apart; a tie in a max pooling may fall either way


def test_one_step_and_a_whole_dream_agree(squeezenet, keras_squeezenet, keras_backend, photo):
    """One step to 1e-5 on average; a short dream closely; a long one goes its own way, as small differences grow."""
    pairs = ((torch_backend, squeezenet), (keras_backend, keras_squeezenet))
    steps = [ascent_step(backend.slope(model.network, "fire5"), photo, 0.004, bands=2)[1] for backend, model in pairs]
    assert np.abs(steps[0] - steps[1]).mean() < 1e-5  # a tie in a max pooling may fall either way
    short = [backend.dream(model.network, photo, "fire5", **QUICK) - photo for backend, model in pairs]
    assert correlation(*short) > 0.95
    how = {"octaves": 3, "steps": 10, "progress": False}
    long = [backend.dream(model.network, photo, "fire5", **how) - photo for backend, model in pairs]
    assert correlation(*long) > 0.5


def test_keras_dreams_with_guides_mixes_and_no_steps(squeezenet, keras_squeezenet, keras_backend, photo):
    guide = load_image("flower", size=100)
    pairs = ((torch_backend, squeezenet), (keras_backend, keras_squeezenet))
    for wanted, how in (("fire5", {"guide": guide}), (channel("fire4", 7) + 0.1 * layer("fire2"), {})):
        answers = [backend.slope(model.network, wanted, **how)(photo) for backend, model in pairs]
        assert answers[0][0] == pytest.approx(answers[1][0], rel=1e-4)
        assert correlation(answers[0][1], answers[1][1]) > 0.9999
    still = keras_backend.dream(keras_squeezenet.network, photo, "fire5", steps=0, progress=False)
    np.testing.assert_array_equal(still, photo)


def test_keras_same_seed_same_pixels_and_the_network_as_it_was(keras_squeezenet, keras_backend, photo):
    before = [weights.copy() for weights in keras_squeezenet.network.get_weights()]
    trainable = [one.trainable for one in keras_squeezenet.network.layers]
    first, again = (keras_backend.dream(keras_squeezenet.network, photo, "fire5", **QUICK) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert trainable == [one.trainable for one in keras_squeezenet.network.layers]
    for old, new in zip(before, keras_squeezenet.network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_keras_memory_does_not_grow_over_50_dreams(keras_squeezenet, keras_backend, photo):
    psutil = pytest.importorskip("psutil")

    def megabytes():
        gc.collect()
        return psutil.Process().memory_info().rss / 1024**2

    small, how = photo[:64, :64], {"octaves": 1, "steps": 2, "progress": False}
    for seed in range(10):
        keras_backend.dream(keras_squeezenet.network, small, "fire3", seed=seed, **how)
    before = megabytes()
    for seed in range(50):
        keras_backend.dream(keras_squeezenet.network, small, "fire3", seed=seed, **how)
    assert megabytes() - before < 60


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("fire33", "fire3"),
        ("logits", "maps"),
        (channel("fire3", 128), "channel of 'fire3'"),
        (unit("fire3", 2), "unit"),
    ],
    ids=str,
)
def test_keras_refuses_alike(keras_squeezenet, keras_backend, photo, wanted, message):
    with pytest.raises(ValueError, match=message):
        keras_backend.dream(keras_squeezenet.network, photo, wanted, progress=False)
    with pytest.raises(ValueError, match="at least 32 x 32"):
        keras_backend.dream(keras_squeezenet.network, photo[:8], "fire3", progress=False)
    with pytest.raises(ValueError, match=r"cannot take a batch of shape \(1, 1, 1, 3\)"):
        keras_backend.dream(keras_squeezenet.network, photo, "fire3", guide=photo[:1, :1], progress=False)


# ------------------------------------------------------------ double precision, flights, the widget


REPEAT = """
import hashlib, sys
import numpy as np, torch
from days.common.images import load_image
from days.common.models import load_model
from days.day21.code import torch_backend
torch.set_num_threads(int(sys.argv[1]))
network = load_model("squeezenet").network.double()
photo = load_image("china", size=(96, 128))
found = torch_backend.dream(network, photo, "fire7", octaves=2, steps=12, progress=False)
print(hashlib.sha256(found.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_in_double_precision_pixels_are_the_same_on_any_processor():
    """One thread or two, the newest instructions or the oldest: without double precision each differs visibly."""
    found = set()
    for threads, instructions in (("1", {}), ("2", {}), ("1", {"ATEN_CPU_CAPABILITY": "default"})):
        environment = {**os.environ, "PYTHONPATH": str(REPO_ROOT), **instructions}
        command = [sys.executable, "-c", REPEAT, threads]
        run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        found.add(run.stdout.split()[-1])
    assert len(found) == 1


def test_a_flight_keeps_its_size_and_comes_closer():
    edge = np.zeros((64, 96, 3), np.float32)
    edge[:, :24] = 1  # a bright quarter on the left, which leaves the picture as we come closer
    flight = list(dreaming.zoom(brightness, edge, frames=12, closer=1.1, steps=0))
    assert len(flight) == 12
    assert {one.shape for one in flight} == {(64, 96, 3)}
    bright = [float((one[32, :, 0] > 0.5).mean()) for one in flight]
    assert bright == sorted(bright, reverse=True)
    assert bright[-1] < 0.05 < bright[0]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"closer": 0}, "closer from 1, for not at all, to 64, got 0"),
        ({"closer": 0.5}, "got 0.5"),
        ({"closer": -1.04}, "got -1.04"),
        ({"frames": 0}, "frames as a whole number of at least 1, got 0"),
        ({"seed": "a"}, "seed as a whole number"),
        ({"image": None}, "an .* image, got NoneType"),
    ],
    ids=str,
)
def test_flights_refuse(how, message):
    how = {"image": np.zeros((64, 96, 3), np.float32)} | how
    with pytest.raises(ValueError, match=message):
        next(dreaming.zoom(brightness, **how))


@pytest.fixture
def explorer(squeezenet):
    from days.day21.code.explorer import dream_explorer

    return dream_explorer(squeezenet.network, octaves=2, steps=3)


def test_the_widget_dreams_and_stops(explorer):
    asyncio.run(explorer.run())
    assert "after 6 steps" in explorer.caption.value
    assert bytes(explorer.picture.value).startswith(b"\xff\xd8")
    explorer.controls["layer"].value = "fire3"
    asyncio.run(explorer.run())
    assert explorer.caption.value.startswith("<i>fire3")


def test_the_widget_dreams_of_an_own_photo(explorer):
    buffer = io.BytesIO()
    Image.fromarray(np.full((40, 60, 3), 99, np.uint8)).save(buffer, "PNG")
    upload(explorer.controls["photo"], "mine.png", buffer.getvalue())
    asyncio.run(explorer.run())
    assert "after 6 steps" in explorer.caption.value


def test_an_uploaded_photo_is_shown_whole():
    from days.day21.code.explorer import within_336

    assert within_336(np.zeros((672, 336, 3), np.float32)).shape == (336, 168, 3)
    assert within_336(np.zeros((30, 60, 3), np.float32)).shape == (168, 336, 3)


# ------------------------------------------------------------ numbers about pictures


@pytest.mark.parametrize("wavelength", [4, 8, 16, 32])
def test_a_waves_median_wavelength_is_its_own(wavelength):
    wave = np.sin(2 * np.pi * np.arange(256) / wavelength)
    added = np.broadcast_to(wave[None, :, None], (128, 256, 3))
    assert dreaming.median_wavelength(added) == pytest.approx(wavelength, rel=0.05)


def test_a_gram_matrix_forgets_places_and_knows_companions():
    answers = np.random.default_rng(0).random((1, 6, 8, 9))
    moved = np.roll(answers, (3, 4), axis=(2, 3))
    np.testing.assert_allclose(dreaming.gram(answers), dreaming.gram(moved))
    expected = np.einsum("ihw,jhw->ij", answers[0], answers[0]) / 72
    np.testing.assert_allclose(dreaming.gram(answers), expected)
    assert dreaming.texture_similarity(dreaming.gram(answers), dreaming.gram(3 * answers)) == pytest.approx(1)


def test_concentration_of_a_point_and_of_an_even_change():
    even = np.ones((160, 160, 3), np.float32)
    assert dreaming.gathered_share(even) == pytest.approx(0.1)
    even[0, 0] = 1000
    assert dreaming.gathered_share(even) > 0.9


def test_most_of_fire7_gets_no_pull_from_a_photo(squeezenet):
    """Units at 0, and whole channels: a dream cannot show what they would respond to."""
    batch = squeezenet.preprocess(load_image("china", size=(192, 288)))
    answers = torch.tensor(capture(squeezenet.network, "fire7", batch)["fire7"], requires_grad=True)
    (answers.square().mean() / 2).backward()
    np.testing.assert_allclose(answers.grad, answers.detach() / answers.numel(), atol=1e-8)
    assert 0.15 < (answers.grad != 0).float().mean() < 0.25
    assert 1 <= (answers.grad[0] == 0).flatten(1).all(dim=1).sum() <= 12


# ------------------------------------------------------------ the control


def test_on_every_photo_the_trained_networks_dreams_hold_more_dogs_than_random_ones_ever_do():
    found = control.load_control()
    assert found.dogs.shape == found.rise.shape == (len(PHOTOS), 2, control.DRAWS)
    trained, random = found.dogs.mean(axis=2).T
    assert trained.min() > EVEN_SPREAD > max(found.dogs[:, 1].max(), found.photo.max())
    assert (trained - random).min() > 0.1
    assert found.rise.min() > 2


def test_each_draw_has_its_own_shifts_and_random_weights_and_is_stored_as_measured(tmp_path):
    lesson = Lesson()
    found = control.measure(lesson, ("flower",), 2, octaves=1, steps=1)
    for kind in (0, 1):
        assert found.rise[0, kind, 0] != found.rise[0, kind, 1]
    weights = [next(lesson.random_network(seed).parameters()) for seed in (0, 1)]
    assert not torch.equal(*weights)
    assert found.photo == pytest.approx([lesson.dogs(lesson.photo("flower"))])
    stored = control.load_control(control.save_control(found, tmp_path / "control"))
    for values, again in zip(found, stored, strict=True):
        np.testing.assert_allclose(values, again, rtol=1e-6)
    with pytest.raises(FileNotFoundError, match="control makes it anew"):
        control.load_control(tmp_path / "none")


@pytest.mark.slow
def test_the_stored_control_is_what_is_measured():
    stored, found = control.load_control(), control.measure(Lesson(), ("china",), 1)
    np.testing.assert_allclose(found.dogs[0, :, 0], stored.dogs[0, :, 0], atol=2e-3)
    np.testing.assert_allclose(found.rise[0, :, 0], stored.rise[0, :, 0], rtol=1e-3)


def test_a_dreams_last_step_is_kept_as_the_dream():
    lesson = Lesson()
    last = lesson.moments("china", "fire2")[-1].picture
    assert lesson.dream("china", "fire2") is last
    np.testing.assert_array_equal(last, Lesson().dream("china", "fire2"))


# ------------------------------------------------------------ the task


def test_a_budget_counts_what_the_network_is_shown(monkeypatch):
    settings = {"octaves": 1, "steps": 2, "tile": 96}
    found = budget.dreamed("fire3", settings)
    assert found.shown == 2 * 2 * 3 * (96 + 2 * dreaming.MARGIN) ** 2
    monkeypatch.setattr(budget, "IN_ALL", found.shown - 1)
    budget._dreamed.cache_clear()
    with pytest.raises(ValueError, match="expected at most 602,111 pixels in all, got more"):
        budget.dreamed("fire3", settings)
    with pytest.raises(ValueError, match="expected at most 50,176 pixels at once, got 192 x 288"):
        budget.dreamed("fire3", settings | {"tile": 288})


def test_a_photo_that_nothing_was_added_to_has_not_risen():
    photo = load_image("china", size=budget.SIZE)
    with np.errstate(all="ignore"):
        scores = budget.score(budget.Dreamed(photo, photo, "fire3", 0))
    assert scores["rise"] == 1
    assert scores["change"] == 0
    assert scores["kept"] == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"layer": "fire99"}, "fire99"),
        ({"settings": {"octave": 3}}, "octave"),
        ({"settings": {"seed": 3}}, "expected settings among octaves, .*, tile, got 'seed': leave it out"),
        ({"settings": {"octaves": [1, 2]}}, "expected octaves as a number of at most 1000, got .1, 2."),
        ({"settings": {"jitter": 10**30}}, "expected jitter as a number of at most 1000"),
        ({"settings": 3}, "expected 'settings' as a dict, got 3"),
        ({"layer": ["fire5"]}, "expected 'layer' as a text, got .'fire5'."),
        ({"rise": "much"}, "expected 'rise' as a finite number, got 'much'"),
        ({"rise": np.nan}, "expected 'rise' as a finite number, got nan"),
    ],
)
def test_what_is_no_report_on_a_budget_is_refused(change, error):
    report = {"layer": "fire3", "settings": {"tile": 96}, "rise": 9, "kept": 1, "wavelength": 8, "change": 0.04}
    with pytest.raises((ValueError, TypeError), match=error):
        budget.rubric(report | change)


@pytest.mark.slow
def test_a_claim_on_a_budget_is_measured_and_no_guess():
    report = exercises.on_a_budget.solve()
    rounded = {name: round(report[name], places) for name, places in budget.DECIMALS.items()}
    assert all(point.met for point in budget.rubric(report | rounded))
    dream = budget.dreamed(report["layer"], report["settings"])
    ask = torch_backend.slope(budget.network().network, report["layer"])
    unmoved = ask(dream.dream)[0] / ask(dream.photo)[0]
    for change in ({"rise": 20}, {"kept": 0.85}, {"rise": unmoved}, {"rise": 13, "kept": 0.85, "wavelength": 9}):
        points = budget.rubric(report | change)
        assert len(points) == 4
        assert [point.said.split(":")[0] for point in points if not point.met] == list(change)
    with pytest.raises(TypeError, match="expected a layer's name, got 3: try 'fire5'"):
        budget.dreamed(3, {})
