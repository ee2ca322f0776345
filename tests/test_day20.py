"""Day 20, the machinery: objectives are numbers, pictures repeat, and the proven answer is reached."""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from days.common.images import IMAGE_NAMES, load_image
from days.common.paths import REPO_ROOT
from days.day20.code import evidence, exercises, objectives, parameterization, photographs, rungs
from days.day20.code.objectives import active, channel, direction, layer, logit, unit
from days.day20.code.torch_backend import maximize


def quietly(*asked, **how):
    return maximize(*asked, progress=False, **how)


# ------------------------------------------------------------ objectives


def test_objectives_add_and_scale_like_numbers():
    answers = {"a": np.random.default_rng(0).normal(size=(2, 5, 4, 6)), "b": np.ones((2, 3, 2, 2))}
    one, other = channel("a", 3), layer("b")
    read = [objectives.value(each, answers) for each in (one, other)]
    np.testing.assert_allclose(read[0], answers["a"][:, 3].mean(axis=(1, 2)))
    np.testing.assert_allclose(read[1], 0.5)
    mixed = 0.7 * one - other / 2 + -one * 0.1
    np.testing.assert_allclose(objectives.value(mixed, answers), 0.6 * read[0] - 0.5 * read[1])
    assert mixed.layers == ["a", "b"]


def test_units_directions_and_logits_read_what_they_say():
    generator = np.random.default_rng(1)
    maps, scores, vector = generator.normal(size=(2, 5, 4, 6)), generator.normal(size=(2, 7)), generator.normal(size=5)
    answers = {"maps": maps, "logits": scores}
    np.testing.assert_allclose(objectives.value(unit("maps", 2), answers), maps[:, 2, 2, 3])
    np.testing.assert_allclose(objectives.value(unit("maps", 2, 0, 5), answers), maps[:, 2, 0, 5])
    np.testing.assert_allclose(objectives.value(logit(4), answers), scores[:, 4])
    along = np.einsum("nchw,c->n", maps, vector / np.linalg.norm(vector)) / 24
    np.testing.assert_allclose(objectives.value(direction("maps", 3 * vector), answers), along)


def test_active_is_the_mean_after_a_relu():
    maps = np.random.default_rng(2).normal(size=(2, 3, 4, 6))
    np.testing.assert_allclose(
        objectives.value(active("maps", 1), {"maps": maps}), np.maximum(maps[:, 1], 0).mean(axis=(1, 2))
    )
    assert active("maps", 1).layers == ["maps"]


def test_what_is_no_sum_of_objectives_is_refused():
    with pytest.raises(TypeError):
        channel("a", 1) + 1
    with pytest.raises(TypeError):
        channel("a", 1) * channel("a", 2)


@pytest.mark.parametrize(
    ("make", "given", "words"),
    [
        (channel, ("a", 1.7), "a channel as a whole number of at least 0, got 1.7"),
        (channel, ("a", None), "a channel as a whole number"),
        (unit, ("a", 1, 3), "a row and a column, or neither for the middle, got 3 and None"),
        (unit, ("a", 1, 2.5, 3), "a row as a whole number"),
        (logit, ("tabby",), r"a category's number, got 'tabby': model.categories.index\('tabby'\)"),
        (logit, (True,), "a category as a whole number"),
        (parameterization.Jitter, (-1,), "at least 0, how far either way, got Jitter"),
        (parameterization.Rotate, (None,), "at least 0, how far either way, got Rotate"),
        (parameterization.Scale, (1.1, 0.9), "0 < low <= high, got Scale"),
        (parameterization.Scale, (0, 1), "0 < low <= high"),
        (parameterization.Pad, (2.5,), "Pad's pixels as a whole number of at least 0, got 2.5"),
    ],
)
def test_what_names_no_place_and_no_move_is_refused_at_once(make, given, words):
    with pytest.raises(ValueError, match=words):
        make(*given)


@pytest.mark.parametrize("vector", [np.zeros(3), [np.nan, 1], np.ones((2, 2))])
def test_a_direction_must_point_somewhere(vector):
    with pytest.raises(ValueError, match="expected a direction"):
        direction("a", vector)


# ------------------------------------------------------------ how a picture is written down


def test_colors_are_decorrelated_in_the_photos():
    basis = parameterization.color_basis()
    pixels = np.concatenate([load_image(name, size=64).reshape(-1, 3) for name in IMAGE_NAMES])
    components = (pixels - pixels.mean(axis=0)) @ np.linalg.inv(basis).T
    correlation = np.corrcoef(components.T)
    np.testing.assert_allclose(correlation, np.eye(3), atol=1e-4)
    lengths = np.linalg.norm(basis, axis=0)
    assert lengths[0] == pytest.approx(1)
    assert lengths[0] > 2 * lengths[1] > 4 * lengths[2]


def test_the_preprocessing_is_read_off_exactly(squeezenet):
    matrix, offset = parameterization.pixel_map(squeezenet.preprocess, lambda batch: batch.numpy())
    photo = load_image("coffee", size=32)
    wanted = squeezenet.preprocess(photo).numpy()[0]
    np.testing.assert_allclose(np.einsum("dc,hwc->dhw", matrix, photo) + offset[:, None, None], wanted, atol=1e-3)
    with pytest.raises(ValueError, match="scales and shifts each pixel's color"):
        parameterization.pixel_map(lambda image: (image**2).transpose(2, 0, 1), np.asarray)


def test_transforms_stay_within_their_bounds():
    generator = np.random.default_rng(0)
    for _ in range(200):
        matrix = parameterization.draw_transform(parameterization.STANDARD, generator, 128)
        scale = np.sqrt(np.linalg.det(matrix[:, :2]))
        assert 1 / 1.1 - 1e-6 <= scale <= 1 / 0.9 + 1e-6
        assert abs(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))) <= 8.001
    assert np.array_equal(parameterization.draw_transform((), generator, 128), np.eye(3)[:2])


# ------------------------------------------------------------ the proven answer


def test_real_filters_get_the_pictures_that_day_19_proved(squeezenet):
    """On 3 x 3 pixels each filter of conv1 is one sum, and its favorite at one length is k / |k|."""
    pictures, _ = quietly(squeezenet.network, "conv1", range(64), size=3, steps=200, **evidence.ONE_FILTER)
    kernels = squeezenet.network.conv1.weight.detach().numpy()[:, ::-1].transpose(0, 2, 3, 1)
    for picture, kernel in zip(pictures - 0.5, kernels, strict=True):
        assert np.linalg.norm(picture) == pytest.approx(0.5, rel=1e-4)
        cosine = (picture * kernel).sum() / np.linalg.norm(picture) / np.linalg.norm(kernel)
        assert np.degrees(np.arccos(min(cosine, 1))) < 0.2


def test_unbounded_pixels_go_to_black_and_white():
    """Where only each pixel is bounded, a linear filter's favorite is white where a weight is positive, else black."""
    weight = np.random.default_rng(0).normal(size=(1, 3, 16, 16)).astype(np.float32)
    network = nn.Sequential(nn.Conv2d(3, 1, 16, bias=False))
    network[0].weight.data = torch.from_numpy(weight)

    def as_it_is(image):
        return torch.from_numpy(2 * image.transpose(2, 0, 1)[None] - 1)

    how = {"size": 16, "steps": 200, "transforms": (), "preprocess": as_it_is, "learning_rate": 0.2}
    (picture,), history = quietly(network, "0", 0, parameterization="pixel", decorrelated=False, **how)
    reached = float(((2 * picture - 1) * weight[0].transpose(1, 2, 0)).sum())
    assert reached >= 0.97 * np.abs(weight).sum()  # the most that pixels from -1 to 1 can reach
    assert history[-1, 0] > history[0, 0]


# ------------------------------------------------------------ SqueezeNet


@pytest.fixture(scope="module")
def pictures(squeezenet):
    return quietly(squeezenet.network, "fire5", [0, 40, 200], size=64, steps=48)


def test_pictures_have_the_documented_form(pictures):
    images, history = pictures
    assert images.shape == (3, 64, 64, 3)
    assert images.dtype == np.float32
    assert 0 <= images.min() < images.max() <= 1
    assert history.shape == (48, 3)


def test_each_picture_excites_its_own_channel_more_than_any_photo(squeezenet, pictures):
    from days.day17.code.torch_backend import capture

    def means(image):
        return capture(squeezenet.network, "fire5", squeezenet.preprocess(image))["fire5"][0].mean(axis=(1, 2))

    photos = np.stack([means(load_image(name, size=64)) for name in IMAGE_NAMES])
    for image, index in zip(pictures[0], (0, 40, 200), strict=True):
        assert means(image)[index] > photos[:, index].max()


def test_the_same_seed_gives_the_same_pixels_and_another_does_not(squeezenet, pictures):
    again, _ = quietly(squeezenet.network, "fire5", [0, 40, 200], size=64, steps=48)
    np.testing.assert_array_equal(again, pictures[0])
    other, _ = quietly(squeezenet.network, "fire5", [0], size=64, steps=2, seed=1)
    assert not np.array_equal(other, quietly(squeezenet.network, "fire5", [0], size=64, steps=2)[0])


def test_before_the_relu_no_channel_starts_dead(squeezenet):
    """Channel 426 of fire9 never moved on Day 19, after its ReLU."""
    behind = quietly(squeezenet.network, "fire9", 426, size=64, steps=24)[1]
    assert behind[-1, 0] > behind[0, 0] + 10


def test_objectives_can_be_mixed_and_given_one_a_picture(squeezenet):
    wanted = [0.7 * channel("fire3", 3) + 0.3 * channel("fire4", 9), logit(281), -layer("fire2")]
    images, history = quietly(squeezenet.network, wanted, size=64, steps=12)
    assert images.shape == (3, 64, 64, 3)
    assert (history[-1] > history[0]).all()


def test_the_network_comes_back_as_it_was(squeezenet):
    import copy

    network = copy.deepcopy(squeezenet.network).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random_state = torch.random.get_rng_state()
    quietly(network, "fire3", 5, size=32, steps=3)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())
    assert all(weight.grad is None and weight.requires_grad for weight in network.parameters())
    assert all(module.training for module in network.modules())
    assert not any(module._forward_hooks for module in network.modules())
    assert torch.equal(torch.random.get_rng_state(), random_state)


def test_a_step_that_is_not_finite_ends_with_the_last_good_picture():
    class Breaks(nn.Module):
        """Answers with NaN from its fifth look on."""

        def __init__(self):
            super().__init__()
            self.scale, self.looks = nn.Conv2d(3, 1, 1), 0

        def forward(self, x):
            self.looks += 1
            return self.scale(x * (float("nan") if self.looks > 4 else 1.0))

    with pytest.warns(RuntimeWarning, match="step 4 was not finite"):
        images, history = quietly(Breaks(), "scale", 0, size=16, steps=20)
    assert np.isfinite(images).all()
    assert len(history) == 4


@pytest.mark.parametrize(
    ("asked", "how", "words"),
    [
        (("fire55", 3), {}, "no layer 'fire55"),
        (("conv1", 64), {}, "a channel of 'conv1' from 0 to 63, got 64"),
        (("conv1", None), {}, "expected channels of 'conv1'"),
        (("conv1", 1.5), {}, "channels as whole numbers"),
        (("conv1", []), {}, "channels as whole numbers"),
        (([],), {}, "one or several objectives"),
        ((None, 3), {}, "objectives without, got NoneType and channels 3"),
        (({channel("conv1", 3)},), {}, "objectives without, got set"),
        (("conv1", -1), {}, "a channel as a whole number of at least 0, got -1"),
        (("fire2", 128), {}, "a channel of 'fire2' from 0 to 127, got 128"),
        ((channel("conv1", 3), [1]), {}, "one or several objectives without"),
        (("logits", 3), {}, r"expected maps \(N, C, H, W\)"),
        ((direction("conv1", [1, 2]),), {}, "a direction of 64 numbers"),
        ((unit("conv1", 3, 99, 2),), {}, "a row or column of 'conv1'"),
        (("conv1", 3), {"parameterization": "wavelet"}, "fourier, pixel, sphere"),
        (("conv1", 3), {"size": 1}, "size as a whole number of at least 2, got 1"),
        (("conv1", 3), {"size": 32.0}, "size as a whole number"),
        (("conv1", 3), {"steps": 0}, "steps as a whole number of at least 1, got 0"),
        (("conv1", 3), {"seed": None}, "seed as a whole number of at least 0, got None"),
        (("conv1", 3), {"learning_rate": -0.05}, "learning_rate above 0, got -0.05"),
        (("conv1", 3), {"diversity": 1.0}, "two pictures or more"),
        (("conv1", [3, 3]), {"diversity": -1}, "diversity of at least 0, got -1"),
        (("conv1", 3), {"transforms": [parameterization.Jitter]}, "expected transforms such as"),
        (("conv1", 3), {"transforms": None}, "expected transforms such as"),
    ],
)
def test_what_cannot_be_maximized_gets_one_clear_error(squeezenet, asked, how, words):
    with pytest.raises(ValueError, match=words):
        quietly(squeezenet.network, *asked, **{"size": 32, "steps": 1, **how})


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True))


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16, torch.float16])
def test_networks_of_any_precision_are_asked_in_their_own(kind):
    how = {"size": 16, "steps": 3}
    plain, wanted = quietly(small_network(), "0", [0, 1], **how)
    pictures, history = quietly(small_network().to(kind), "0", [0, 1], **how)
    np.testing.assert_allclose(history, wanted, atol=0.05 * np.abs(wanted).max())
    assert np.abs(pictures - plain).mean() < 0.02


def test_under_inference_mode_the_pictures_are_the_same():
    network = small_network()
    plain, _ = quietly(network, "0", [0, 1], size=16, steps=3)
    with torch.inference_mode():
        again, _ = quietly(network, "0", [0, 1], size=16, steps=3)
    np.testing.assert_array_equal(again, plain)


def test_a_network_without_weights_has_pictures_too():
    pictures, history = quietly(nn.Sequential(nn.AvgPool2d(2)), "0", 0, size=16, steps=3)
    assert np.isfinite(pictures).all()
    assert history[-1, 0] > history[0, 0]


class WithoutGradients(nn.Conv2d):
    @torch.no_grad()
    def forward(self, batch):
        return super().forward(batch)


class Pair(nn.Conv2d):
    def forward(self, batch):
        return super().forward(batch), None


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("squeezenet", "expected a torch or Keras network, got str"),
        (nn.Sequential(WithoutGradients(3, 4, 3)), "its forward switches gradients off"),
        (nn.Sequential(Pair(3, 4, 3)), "did not run in this forward pass, or gave no single tensor"),
        (nn.Sequential(nn.Conv2d(1, 4, 3)), "cannot take a batch of shape .1, 3, 16, 16."),
    ],
    ids=["text", "no gradients", "pair", "gray"],
)
def test_networks_that_cannot_be_asked_say_so(network, words):
    from days.day20.code.torch_backend import input_gradient

    with pytest.raises(ValueError, match=words):
        quietly(network, "0", 1, size=16, steps=1)
    with pytest.raises(ValueError, match=words):
        input_gradient(network, channel("0", 1), torch.zeros(1, 3, 16, 16))


def test_input_gradients_are_asked_of_maps_only(squeezenet):
    from days.day20.code.torch_backend import input_gradient

    with pytest.raises(ValueError, match="expected maps"):
        input_gradient(squeezenet.network, channel("logits", 1), torch.zeros(1, 3, 64, 64))


def test_any_model_can_be_asked_with_its_own_preprocessing():
    from days.common.models import load_model

    model = load_model("efficientnet_lite0")
    _, history = quietly(model.network, "blocks.1.0", [3], size=64, steps=16, preprocess=model.preprocess)
    assert history[-1, 0] > history[0, 0]


# ------------------------------------------------------------ the two frameworks


def test_written_out_a_transform_is_what_grid_sample_does():
    from days.day20.code.torch_backend import _shaken

    generator = np.random.default_rng(0)
    picture = generator.random((1, 1, 32, 32), np.float32)
    for _ in range(20):
        matrix = parameterization.draw_transform(parameterization.STANDARD, generator, 32)
        indices, weights = parameterization.bilinear(matrix, 32)
        ours = (picture.ravel()[indices] * weights).sum(axis=0)
        np.testing.assert_allclose(ours, _shaken(torch.from_numpy(picture), matrix, 32).numpy().ravel(), atol=1e-4)


@pytest.mark.parametrize("how", [{}, {"transforms": ()}, {"parameterization": "pixel", "decorrelated": False}])
def test_both_frameworks_take_the_same_steps(squeezenet, keras_squeezenet, how):
    from days.day20.code.keras_backend import maximize as in_keras

    how = {"size": 64, "steps": 3, "progress": False, **how}
    pictures, history = maximize(squeezenet.network, "fire5", [0, 40, 200], **how)
    others, other_history = in_keras(keras_squeezenet.network, "fire5", [0, 40, 200], **how)
    # Adam's first steps go by a gradient's sign alone, so that rounding can turn those that are near 0.
    np.testing.assert_allclose(other_history, history, atol=0.05 * np.abs(history).max())
    assert np.abs(others - pictures).mean() < 0.02


@pytest.mark.slow
def test_each_of_twenty_pictures_excites_its_own_channel_most_in_the_other_framework(squeezenet, keras_squeezenet):
    from days.day20.code.keras_backend import maximize as in_keras

    twenty = [channel("fire7.expand1x1", index) for index in range(0, 160, 8)]
    how = {"size": 64, "steps": 48, "progress": False}
    grown, _ = maximize(squeezenet.network, twenty, **how)
    others, _ = in_keras(keras_squeezenet.network, twenty, **how)
    for images, model in ((grown, keras_squeezenet), (others, squeezenet)):
        answers = evidence.responses(model, twenty, images)
        assert np.argmax(answers, axis=0).tolist() == list(range(20))


def test_keras_reaches_the_proven_answer_too(keras_squeezenet):
    from days.day20.code.keras_backend import maximize as in_keras

    how = {"size": 3, "steps": 200, "progress": False, **evidence.ONE_FILTER}
    pictures, _ = in_keras(keras_squeezenet.network, "conv1", range(64), **how)
    kernels = keras_squeezenet.network.get_layer("conv1").get_weights()[0].transpose(3, 0, 1, 2)[..., ::-1]
    lengths = np.linalg.norm(kernels.reshape(64, -1), axis=1)
    cosines = 2 * np.einsum("nhwc,nhwc->n", pictures - 0.5, kernels) / lengths
    assert cosines.min() > np.cos(np.radians(0.2))


@pytest.mark.parametrize("size", [16, 17])
def test_the_written_out_gradient_of_the_waves_is_tensorflows_own(keras_squeezenet, size):
    import tensorflow

    from days.day20.code.keras_fast import inverse_fourier

    generator = np.random.default_rng(0)
    spectrum = tensorflow.constant(generator.normal(size=(2, size, size // 2 + 1, 2)).astype(np.float32))
    weights = generator.normal(size=(2, size, size)).astype(np.float32)
    with tensorflow.GradientTape(persistent=True) as tape:
        tape.watch(spectrum)
        whole = tensorflow.complex(spectrum[..., 0], spectrum[..., 1])
        theirs = tensorflow.reduce_sum(weights * tensorflow.signal.irfft2d(whole, [size, size]))
        ours = tensorflow.reduce_sum(weights * inverse_fourier(size)(spectrum))
    assert float(ours) == pytest.approx(float(theirs), rel=1e-4)
    np.testing.assert_allclose(tape.gradient(ours, spectrum), tape.gradient(theirs, spectrum), atol=1e-5)


def test_input_gradients_agree(squeezenet, keras_squeezenet):
    from days.day20.code import keras_backend, torch_backend

    photo = load_image("coffee", size=64)
    wanted = unit("fire4", 40) + 0.5 * channel("fire3", 3)
    ours = torch_backend.input_gradient(squeezenet.network, wanted, squeezenet.preprocess(photo))
    theirs = keras_backend.input_gradient(keras_squeezenet.network, wanted, keras_squeezenet.preprocess(photo))
    assert ours.shape == (1, 3, 64, 64)
    np.testing.assert_allclose(theirs, ours, atol=1e-4 * np.abs(ours).max())


def test_keras_stops_at_what_is_not_finite(keras_squeezenet):
    from days.day20.code.keras_backend import maximize as in_keras

    with pytest.warns(RuntimeWarning, match="step 1 was not finite"):
        images, history = in_keras(
            keras_squeezenet.network, "fire3", 5, size=32, steps=5, learning_rate=1e38, progress=False
        )
    assert np.isfinite(images).all()
    assert history.shape == (1, 1)


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_memory_does_not_grow_over_fifty_runs(framework, squeezenet, keras_squeezenet):
    """The last 25 runs, each for other channels, leave no more than 20 MB behind."""
    import gc
    import importlib

    model = squeezenet if framework == "torch" else keras_squeezenet
    backend = importlib.import_module(f"days.day20.code.{framework}_backend")

    def resident():
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    if not Path("/proc/self/statm").exists():
        pytest.skip("memory is read from /proc, which is Linux")
    sizes = {}
    for run in range(50):
        channels = [run, run + 1, run + 2, run + 3]
        backend.maximize(model.network, "fire4", channels, size=64, steps=2, progress=False)
        if run in (24, 49):
            sizes[run] = resident()
    assert sizes[49] - sizes[24] < 20


def test_keras_repeats_and_refuses_in_the_same_words(keras_squeezenet):
    from days.day20.code.keras_backend import maximize as in_keras

    network, how = keras_squeezenet.network, {"size": 32, "steps": 3, "progress": False}
    wanted = [0.7 * channel("fire3", 3) + 0.3 * channel("fire4", 9), logit(281)]
    first, second = (in_keras(network, wanted, **how) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    for asked, words in (
        (("fire55", 3), "no layer 'fire55"),
        (("conv1", 64), "a channel of 'conv1' from 0 to 63, got 64"),
        ((direction("conv1", [1, 2]),), "a direction of 64 numbers"),
    ):
        with pytest.raises(ValueError, match=words):
            in_keras(network, *asked, **how)
    for knob, words in (({"size": 2}, "cannot take a batch of shape"), ({"learning_rate": -1}, "above 0, got -1")):
        with pytest.raises(ValueError, match=words):
            in_keras(network, "conv1", 3, **(how | knob))


@pytest.mark.parametrize("kind", ["float64", "mixed_bfloat16"])
def test_keras_asks_networks_of_any_precision(keras_squeezenet, kind):
    from days.common.frameworks import import_keras
    from days.day20.code.keras_backend import maximize as in_keras

    keras, how = import_keras(), {"size": np.int64(16), "steps": 3, "progress": False}
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype(np.float32)

    def history_of(dtype):
        convolution = keras.layers.Conv2D(4, 3, name="first", dtype=dtype, use_bias=False)
        network = keras.Sequential([keras.Input((None, None, 3)), convolution])
        convolution.set_weights([kernel])
        return in_keras(network, "first", [0, 1], **how)[1]

    wanted = history_of("float32")
    np.testing.assert_allclose(history_of(kind), wanted, atol=0.05 * np.abs(wanted).max())


# ------------------------------------------------------------ diversity and padding


def test_likeness_is_the_mean_cosine_of_gram_matrices():
    generator = np.random.default_rng(0)
    answers = generator.normal(size=(3, 4, 5, 6)).astype(np.float32)
    grams = [one.reshape(4, -1) @ one.reshape(4, -1).T for one in answers]
    cosines = [
        (one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other)
        for place, one in enumerate(grams)
        for other in grams[:place]
    ]
    assert objectives.likeness(answers) == pytest.approx(np.mean(cosines), rel=1e-5)
    moved = np.roll(answers[:1], 2, axis=3)
    assert objectives.likeness(np.concatenate([answers[:1], moved])) == pytest.approx(1, rel=1e-5)
    in_torch = objectives.likeness(torch.from_numpy(answers), torch.einsum)
    assert float(in_torch) == pytest.approx(np.mean(cosines), rel=1e-5)


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_with_diversity_pictures_of_one_channel_differ_more(framework, squeezenet, keras_squeezenet):
    import importlib

    from days.day17.code.torch_backend import capture

    model = squeezenet if framework == "torch" else keras_squeezenet
    grow = importlib.import_module(f"days.day20.code.{framework}_backend").maximize
    alike = []
    for diversity in (0, 1):
        how = {"size": 64, "steps": 48, "diversity": diversity, "progress": False}
        images, _ = grow(model.network, "fire5", [40] * 3, **how)
        batch = torch.cat([squeezenet.preprocess(one) for one in images])
        alike.append(objectives.likeness(capture(squeezenet.network, "fire5.expand1x1", batch)["fire5.expand1x1"]))
    assert alike[1] < alike[0] - 0.05


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_padded_picture_is_seen_whole_with_its_border_reflected(framework):
    transforms = (parameterization.Pad(4),)
    assert parameterization.padded(transforms, 32) == 40
    matrix = parameterization.draw_transform(transforms, np.random.default_rng(0), 32)
    picture = np.random.default_rng(1).random((32, 32)).astype(np.float32)
    wanted = np.pad(picture, 4, mode="symmetric")
    if framework == "torch":
        from days.day20.code.torch_backend import _shaken

        seen = _shaken(torch.from_numpy(picture)[None, None], matrix, 40)[0, 0].numpy()
    else:
        pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
        from days.day20.code.keras_fast import shaken, tensorflow

        indices, weights = parameterization.bilinear(matrix, 32, 40)
        seen = shaken(tensorflow.constant(picture[..., None, None]), indices, weights).numpy()[..., 0, 0]
    np.testing.assert_allclose(seen, wanted, atol=1e-4)


# ------------------------------------------------------------ the evidence


def test_thousands_of_crops_come_from_nineteen_photos_and_a_folder(tmp_path):
    from PIL import Image

    photos = photographs.photographs()
    assert len(photos) == 19
    found = photographs.crops(photos, 64)
    assert len(found) > 2000
    assert {crop.image.shape for crop in found} == {(64, 64, 3)}
    assert {crop.photo for crop in found} == set(photos)
    for crop in found[:: len(found) // 50]:
        top, left, bottom, right = crop.box
        assert 0 <= top < bottom <= 1
        assert 0 <= left < right <= 1
    with pytest.raises(FileNotFoundError, match="no picture in"):
        photographs.photographs(tmp_path)
    Image.fromarray(np.full((40, 50, 3), 200, np.uint8)).save(tmp_path / "mine.png")
    assert photographs.photographs(tmp_path)["mine"].shape == (40, 50, 3)


def test_the_top_crops_are_the_strongest_of_different_parts():
    photos = {"a": load_image("chelsea"), "b": load_image("coffee")}
    found = photographs.crops(photos, 48, scales=(1, 2))
    answers = np.random.default_rng(0).normal(size=len(found))
    chosen = photographs.top_crops(found, answers, 5)
    assert chosen[0] == answers.argmax()
    assert (np.diff(answers[chosen]) <= 0).all()
    for place, one in enumerate(chosen):
        for other in chosen[:place]:
            if found[one].photo == found[other].photo:
                boxes = np.array([found[one].box, found[other].box])
                sides = np.maximum(boxes[:, 2:].min(axis=0) - boxes[:, :2].max(axis=0), 0)
                assert sides.prod() <= 0.2 * (boxes[:, 2:] - boxes[:, :2]).prod(axis=1).min() + 1e-9


def test_many_images_are_answered_as_one_by_one(squeezenet, keras_squeezenet):
    wanted = [channel("fire4", 3), unit("fire3", 5)]
    images = [load_image(name, size=size) for size in (64, 80) for name in ("chelsea", "coffee", "flower")]
    for model in (squeezenet, keras_squeezenet):
        single = np.concatenate([evidence.responses(model, wanted, [image]) for image in images])
        np.testing.assert_allclose(evidence.responses(model, wanted, images, size=2), single, rtol=1e-3, atol=1e-3)
        own = dataclasses.replace(model, preprocess=lambda image, model=model: model.preprocess(image))
        np.testing.assert_allclose(evidence.responses(own, wanted, images), single, rtol=1e-3, atol=1e-3)


def test_raw_pixels_are_pixel_exact_and_the_other_rungs_are_not(squeezenet):
    """What the lesson says of its ladder, on one channel: the objective, moved by one pixel, mirrored."""

    wanted, scores = [channel("fire7.expand1x1", 32)], {}
    for name in ("raw pixels", "+ jitter", "+ colors"):
        images, _ = quietly(squeezenet.network, wanted, size=96, steps=96, **evidence.LADDER[name])
        scores[name] = evidence.robustness(squeezenet, wanted, images)[0]
    assert scores["raw pixels"][0] > scores["+ jitter"][0]
    assert scores["raw pixels"][0] > scores["+ colors"][0]
    kept = {name: each[1:] / each[0] for name, each in scores.items()}
    assert kept["raw pixels"].max() < 0.3
    assert kept["+ jitter"][0] > 0.85
    assert kept["+ colors"][0] > 0.9
    assert min(kept["+ jitter"][1], kept["+ colors"][1]) > 0.4


def test_the_best_crops_keep_what_raw_pixels_lose(squeezenet):
    """The yardstick of section 3: neither a move by one pixel nor a mirror takes much from the best crops."""
    crops = [crop.image for crop in photographs.crops(photographs.photographs(), 96)[::4]]
    wanted = objectives.requested("fire7", [16, 24, 32, 40], True)
    best = evidence.responses(squeezenet, wanted, crops).argmax(axis=0)
    plain, moved, mirrored = evidence.robustness(squeezenet, wanted, [crops[at] for at in best]).mean(axis=0)
    assert plain > 50
    assert 0.9 < moved / plain < 1.1
    assert 0.9 < mirrored / plain < 1.1


def lesson_cells(*names, **known):
    """What cells of the lesson define, by the cells' ids, one after the other."""
    import nbformat

    notebook = nbformat.read(REPO_ROOT / "days/day20/day20_activation_maximization.ipynb", 4)
    sources = {cell.id: cell.source for cell in notebook.cells}
    for name in names:
        exec(sources[name], known)
    return known


def test_the_lessons_own_shaking_is_the_machines():
    from days.day20.code.torch_backend import _shaken

    pictures = torch.rand(2, 3, 48, 48)
    ours = lesson_cells("day20-103", np=np, torch=torch)["shaken"](pictures, np.random.default_rng(5))
    matrix = parameterization.draw_transform(parameterization.STANDARD, np.random.default_rng(5), 48)
    np.testing.assert_allclose(ours, _shaken(pictures, matrix, 48), atol=1e-4)


def test_shaking_and_neither_maco_nor_total_variation_saves_a_picture_from_a_move(squeezenet):
    from days.day17.code import backends as looking

    known = {"np": np, "torch": torch, "looking": looking, "model": squeezenet, "parameterization": parameterization}
    known |= {"CHANNELS": [16, 24, 32, 40], "basis": parameterization.color_basis()}
    lesson = lesson_cells("day20-103", "day20-049", "day20-050", "day20-051", "day20-108", **known)
    four, grow = objectives.requested("fire7", known["CHANNELS"], True), lesson["grow"]
    pixels = parameterization.start(4, 96, seed=0, parameterization="pixel")
    phases = np.random.default_rng(0).uniform(-np.pi, np.pi, (4, 3, 96, 49)).astype(np.float32)
    still, calm = {"look": lambda pictures, draws: pictures}, {"penalty": lesson["total_variation"]}
    for paint, values, how in ((torch.sigmoid, pixels, calm), (lesson["paint_phases"], phases, {})):
        unshaken, shaken = (grow(paint, values, 64, **how, **look)[0] for look in (still, {}))
        kept = [evidence.robustness(squeezenet, four, pictures).mean(axis=0)[:2] for pictures in (unshaken, shaken)]
        assert kept[0][1] / kept[0][0] < 0.5
        assert kept[1][1] / kept[1][0] > 0.9


def test_only_two_of_the_untrained_networks_four_pictures_beat_the_crops():
    from days.common.models import load_model

    untrained = load_model("squeezenet", weights="random")
    four = objectives.requested("fire7", [16, 24, 32, 40], True)
    pictures, _ = quietly(untrained.network, "fire7", [16, 24, 32, 40], size=96, steps=128)
    images = [crop.image for crop in photographs.crops(photographs.photographs(), 96)[::16]]
    own = np.diag(evidence.responses(untrained, four, pictures))
    best = evidence.responses(untrained, four, images).max(axis=0)
    assert (own[:2] > 1.5 * best[:2]).all()
    assert (own[2:] < best[2:]).all()
    assert (best[2:] < 0).all()


@pytest.mark.slow
def test_channels_have_two_favorites_among_the_photos(squeezenet):
    found = photographs.crops(photographs.photographs(), 96)
    places = [("fire7.expand1x1", 79), ("fire8.expand1x1", 183), ("fire9.expand1x1", 225)]
    means, _ = evidence.means_and_units(squeezenet, places, [crop.image for crop in found])
    for column, both in enumerate(({"flower", "rocket"}, {"china", "page"}, {"chelsea", "brick"})):
        best = [found[place].photo for place in photographs.top_crops(found, means[:, column])]
        assert min(best.count(photo) for photo in both) >= 3


def test_the_amplitudes_are_those_of_the_photos():
    amplitudes = parameterization.photo_amplitudes(64)
    assert amplitudes.shape == (3, 64, 33)
    assert (amplitudes[:, 0, 1] > 5 * amplitudes[:, 0, 20]).all()


def test_after_the_relu_channels_of_fire9_get_stuck_and_before_it_none(squeezenet):

    stuck = [evidence.never_moved(squeezenet, "fire9", 64, before_relu=before) for before in (False, True)]
    assert stuck[0] > 20
    assert stuck[1] == 0


def test_the_stop_button_keeps_what_has_grown(squeezenet):
    from days.day20.code.ascent import climb
    from days.day20.code.torch_backend import Ascent

    class Stopped(Ascent):
        looks = 0

        def step(self):
            self.looks += 1
            if self.looks == 4:
                raise KeyboardInterrupt
            return super().step()

    images, history = climb(Stopped(squeezenet.network, "fire3", [1, 2], size=32), 20, progress=False)
    assert history.shape == (3, 2)
    assert images.shape == (2, 32, 32, 3)


# ------------------------------------------------------------ the widget


def test_the_widget_grows_a_picture_and_saves_it(squeezenet, tmp_path, monkeypatch):
    import asyncio

    from PIL import Image

    from days.day20.code.explorer import growing_explorer

    monkeypatch.chdir(tmp_path)
    grower = growing_explorer(squeezenet, size=32, steps=6)
    save, said = grower.box.children[-1].children
    save.click()
    assert "nothing has grown yet: press Start" in said.value
    asyncio.run(grower.run())
    assert "fire7, channel 40" in grower.caption.value
    save.click()
    assert said.value == "saved as fire7_40.png"
    with Image.open("fire7_40.png") as picture:
        assert picture.size == (32, 32)
    grower.controls["channel"].value = 500
    asyncio.run(grower.run())
    assert "from 0 to 383, got 500" in grower.caption.value


# ------------------------------------------------------------ the task


def shifted(pictures, generator):
    return torch.roll(pictures, generator.integers(-8, 9, 2).tolist(), (2, 3))


def turned(pictures, generator):
    return torch.rot90(pictures, int(generator.integers(4)), (2, 3))


def zoomed(pictures, generator):
    matrix = torch.eye(3)[:2] * float(generator.uniform(0.8, 1.2))
    where = torch.nn.functional.affine_grid(matrix.expand(len(pictures), 2, 3), pictures.shape, align_corners=False)
    return torch.nn.functional.grid_sample(pictures, where, padding_mode="reflection", align_corners=False)


def noisy(pictures, generator):
    return pictures + torch.tensor(generator.normal(0, 0.1, tuple(pictures.shape)), dtype=torch.float32)


def linear(pictures, matrix, move=(0, 0)):
    matrices = torch.tensor(np.column_stack([matrix, np.array(move) / 32]), dtype=torch.float32)
    where = torch.nn.functional.affine_grid(matrices.expand(len(pictures), 2, 3), pictures.shape, align_corners=False)
    return torch.nn.functional.grid_sample(pictures, where, padding_mode="reflection", align_corners=False)


def rotated(pictures, generator, sign=1, move=(0, 0)):
    angle = np.deg2rad(generator.uniform(-8, 8))
    return linear(pictures, [[np.cos(angle), -np.sin(angle)], [sign * np.sin(angle), np.cos(angle)]], move)


def with_torchs_own_numbers(pictures, generator):
    down, across = torch.randint(-8, 9, (2,)).tolist()
    return rotated(pictures, np.random.default_rng(int(torch.randint(999, ()))), move=(down, across))


def each_by_itself(pictures, generator):
    return torch.cat([rotated(one[None], generator, move=generator.uniform(-8, 8, 2)) for one in pictures])


def wrong_sign(pictures, generator):
    return rotated(pictures, generator, sign=-1)


def sheared(pictures, generator):
    return linear(pictures, [[1, 0], [np.tan(np.deg2rad(generator.uniform(-8, 8))), 1]])


def exchanged(pictures, generator):
    return pictures.transpose(2, 3) if generator.random() < 0.5 else pictures


def always_turned(pictures, generator):
    return linear(pictures, [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])


def along_the_diagonal(pictures, generator):
    return linear(pictures, np.eye(2), np.repeat(generator.uniform(-8, 8), 2))


def along_one_axis(pictures, generator):
    return linear(pictures, np.eye(2), (generator.uniform(-8, 8), 0))


def covered(pictures, generator):
    mask, (top, left) = torch.ones_like(pictures), generator.integers(0, 48, 2)
    mask[:, :, top : top + 16, left : left + 16] = 0
    return pictures * mask + 0.5 * (1 - mask)


def mirrored(pictures, generator):
    return pictures.flip(3) if generator.random() < 0.5 else pictures


@pytest.mark.parametrize(
    ("looks", "moves", "turns"),
    [
        ((shifted,), True, False),
        ((shifted, covered), True, False),
        ((shifted, noisy), True, False),
        ((shifted, mirrored), True, False),
        ((turned,), False, True),
        ((turned, zoomed), False, True),
        ((turned, covered, noisy), False, True),
        ((covered, noisy, mirrored, zoomed), False, False),
        ((shifted, turned), True, True),
        ((shifted, turned, covered, noisy, mirrored), True, True),
        ((exchanged, shifted), True, False),
        ((always_turned, shifted), True, False),
        ((wrong_sign, shifted), True, False),
    ],
)
def test_the_task_tells_moves_and_turns_from_other_changes(looks, moves, turns):
    def look(pictures, generator):
        return functools.reduce(lambda seen, one: one(seen, generator), looks, pictures)

    found = rungs.shaking(look)
    assert (found.moves.min() >= 4) if moves else (found.moves.max() < 0.5)
    assert (found.turns >= 20) if turns else (found.turns < 0.5)


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ((rotated, shifted), []),
        ((rotated, zoomed, shifted, noisy), []),
        ((rotated, mirrored, covered, shifted), []),
        ((sheared, shifted), ["sheared by 3.", "check the signs"]),
        ((with_torchs_own_numbers,), []),
        ((each_by_itself,), []),
        ((wrong_sign, shifted), ["angles differ by 0."]),
        ((exchanged, shifted), ["angles differ by 0."]),
        ((always_turned, shifted), ["angles differ by 0.", "a constant angle"]),
        ((rotated, along_the_diagonal), ["a correlation of 1.00", "draw each of them anew"]),
        ((rotated, along_one_axis), ["places differ by 0.", "pixels down and "]),
    ],
)
def test_the_task_refuses_what_is_no_jitter_and_turn_for_its_true_reason(looks, said):
    def look(pictures, generator):
        return functools.reduce(lambda seen, one: one(seen, generator), looks, pictures)

    missed = [point.said for point in rungs._shaken_enough(rungs.shaking(look)) if not point.met]
    assert len(missed) == bool(said)
    assert all(words in missed[0] for words in said)


@pytest.mark.parametrize(
    ("look", "said"),
    [
        (lambda pictures, generator: pictures * float("nan"), "finite values, got NaN"),
        (lambda pictures, generator: pictures.detach(), "leave out detach"),
        (lambda pictures, generator: None, "a tensor of the pictures' shape (2, 3, 64, 64), got NoneType"),
        (
            lambda pictures, generator: pictures.detach().numpy(),
            "got ndarray: gradients go through operations of torch",
        ),
        (lambda pictures, generator: pictures[:1], "shape (2, 3, 64, 64), got (1, 3, 64, 64)"),
        (lambda pictures, generator: pictures.mul_(0.5), "leaves its pictures alone"),
        (lambda pictures: pictures, "your look raised TypeError"),
    ],
)
def test_a_look_that_nothing_grows_with_is_refused_in_words(look, said):
    verdict = exercises.own_rung.check(lambda: {"look": look, "moved": 0.9, "mirrored": 0.7})
    assert said in verdict.message


def test_a_share_that_was_measured_on_any_start_is_right():
    """The shares of pictures that are moved and turned by quarters differ most from start to start."""

    def look(pictures, generator):
        return turned(shifted(pictures, generator), generator)

    measured = rungs.score(rungs.grown(look, seed=0))
    report = {"look": look, "moved": measured["moved"], "mirrored": measured["mirrored"]}
    assert all(point.met for point in rungs.rubric(report))
    *_, mirrored, kept = rungs.rubric({**report, "mirrored": 0.5})
    assert not mirrored.met
    assert kept.met
