"""Day 19: ascents reach what is proven, gradients are what trying says, and the frameworks agree."""

from __future__ import annotations

import asyncio
import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from notebook_tools import read
from torch import nn

from days.common.images import IMAGE_NAMES, load_image
from days.common.paths import REPO_ROOT, outputs_dir
from days.common.tasks import ReportError
from days.day17.code import torch_backend as looking
from days.day19.code import better_pictures, torch_backend
from days.day19.code import feature_visualization as fv
from days.day19.code.feature_visualization import feature_map, gradient_ascent_filter
from days.day19.code.lesson import FAVORITES, HIGH, KERNELS, LOW, Lesson, noise, to_image
from days.day19.code.visualizations import CUPS, anim_filter_dreaming, draw_cam, draw_fired, plot_feature_maps

NOTEBOOK = REPO_ROOT / "days/day19/day19_feature_visualization.ipynb"


@pytest.fixture(scope="session")
def small_pixels(squeezenet):
    return squeezenet.preprocess(load_image("chelsea", size=128)).numpy()


# ------------------------------------------------------------ the contract


def test_the_calls_that_the_course_was_asked_for():
    """The seed's own lines, with arrays of its shapes."""
    generator = np.random.default_rng(0)
    assert feature_map(generator.random((6, 6)), generator.random((3, 3))).shape == (4, 4)
    assert gradient_ascent_filter((3, 3)).shape == (3, 3)
    plot = plot_feature_maps(generator.random((6, 6)), generator.normal(size=(4, 4)))
    gif = anim_filter_dreaming()
    assert plot.is_file()
    assert plot.suffix == ".png"
    assert gif.is_file()
    assert gif.suffix == ".gif"
    assert plot.parent == gif.parent == outputs_dir(19)


def test_outputs_go_to_the_days_folder(monkeypatch):
    monkeypatch.delenv("SEEING_CNNS_OUTPUTS")
    assert outputs_dir(19) == REPO_ROOT / "days/day19/outputs"


# ------------------------------------------------------------ the toy


def test_the_favorite_of_100_random_kernels_is_within_a_degree():
    generator = np.random.default_rng(0)
    for trial in range(100):
        shape = tuple(int(side) for side in generator.integers(1, 12, 2))
        kernel = generator.normal(size=shape) * 10.0 ** generator.integers(-150, 150)
        found = gradient_ascent_filter(shape, kernel=kernel, seed=trial)
        assert np.linalg.norm(found) == pytest.approx(1, abs=1e-6)
        assert fv.angle_between(found, kernel / np.abs(kernel).max()) < 1


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("seed", range(6))
def test_a_single_weight_finds_its_sign(sign, seed):
    """On the surface of a ball in one dimension there is no way round; through the ball there is."""
    assert gradient_ascent_filter((1, 1), kernel=np.array([[2.0 * sign]]), seed=seed) == pytest.approx(sign)


def test_ascents_repeat_and_depend_on_the_seed():
    np.testing.assert_array_equal(gradient_ascent_filter((3, 3), seed=4), gradient_ascent_filter((3, 3), seed=4))
    assert fv.angle_between(gradient_ascent_filter((3, 3), seed=4), gradient_ascent_filter((3, 3), seed=5)) > 1


def test_without_the_bound_the_patch_grows_for_ever():
    patches = fv.dreamed_patches(KERNELS[0], steps=400, constrained=False)
    lengths = np.linalg.norm(patches, axis=(1, 2))
    assert lengths[400] > 1.8 * lengths[200] > 3 * lengths[100]
    assert np.linalg.norm(fv.dreamed_patches(KERNELS[0], steps=400), axis=(1, 2)).max() <= 1 + 1e-9


@pytest.mark.parametrize(
    ("shape", "how", "said"),
    [
        ((3, 3), {"kernel": np.zeros((3, 3))}, "not all zero"),
        ((3, 3), {"kernel": np.full((3, 3), np.nan)}, "finite"),
        ((3, 3), {"kernel": np.full((3, 3), np.inf)}, "finite"),
        ((3, 3), {"kernel": np.ones((2, 3))}, r"shape \(3, 3\), got \(2, 3\)"),
        ((3,), {}, "at least 1 x 1"),
        ((0, 3), {}, "at least 1 x 1"),
        ((3, 3), {"steps": 0}, "at least 1 step"),
        ((3, 3), {"learning_rate": 0.0}, "above 0"),
        ((3, 3), {"learning_rate": np.nan}, "above 0"),
    ],
)
def test_gradient_ascent_filter_refuses(shape, how, said):
    with pytest.raises(ValueError, match=said):
        gradient_ascent_filter(shape, **how)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (6, 6)])
def test_the_gradient_by_hand_is_autograds_and_what_trying_says(shape):
    kernel = np.random.default_rng(0).normal(size=shape)
    by_hand = fv.mean_gradient((6, 6), kernel)
    x = torch.zeros(1, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    nn.functional.conv2d(x, torch.tensor(kernel)[None, None]).mean().backward()
    np.testing.assert_allclose(by_hand, x.grad[0, 0].numpy(), atol=1e-12)
    places = list(np.ndindex(6, 6))
    tried = fv.finite_differences(lambda image: feature_map(image, kernel).mean(), np.ones((6, 6)), places)
    np.testing.assert_allclose(by_hand.ravel(), tried, atol=1e-8)


def test_angles():
    assert fv.angle_between(np.ones(3), 5 * np.ones(3)) == pytest.approx(0)
    assert fv.angle_between(np.ones(3), -np.ones(3)) == pytest.approx(180)
    tiny = np.array([1.0, 1e-9])
    assert fv.angle_between(np.array([1.0, 0.0]), tiny) == pytest.approx(np.degrees(1e-9))


def test_mean_frequency_of_known_waves():
    x = np.arange(64)
    for cycles in (4, 8, 16):
        wave = np.tile(np.sin(2 * np.pi * cycles * x / 64), (64, 1))
        assert fv.mean_frequency(wave) == pytest.approx(cycles / 64)
        assert fv.mean_frequency(wave.T) == pytest.approx(cycles / 64)
    assert fv.mean_frequency(np.ones((8, 8, 3))) == 0


# ------------------------------------------------------------ real networks


@pytest.mark.parametrize(
    ("layer", "channel"), [("conv1", 60), ("fire4", 132), ("fire9.expand3x3", 170), ("fire6", None)]
)
def test_gradients_are_what_trying_says(layer, channel, squeezenet, small_pixels):
    exact = copy.deepcopy(squeezenet.network).double()
    pixels = small_pixels.astype(float)
    _, gradient = torch_backend.value_and_gradient(exact, layer, pixels, channel)
    assert gradient.shape == pixels.shape
    places = [(0, 0, 30, 40), (0, 1, 64, 64), (0, 2, 100, 20), (0, 1, 90, 77)]
    tried = fv.finite_differences(
        lambda x: torch_backend.value_and_gradient(exact, layer, x, channel)[0], pixels, places, step=1e-4
    )
    np.testing.assert_allclose(
        [gradient[place] for place in places], tried, rtol=1e-3, atol=1e-6 * np.abs(gradient).max()
    )


@pytest.mark.parametrize(
    ("layer", "channel"), [("conv1", 60), ("fire4", 132), ("fire9.expand3x3", 170), ("fire6", None)]
)
def test_frameworks_agree_on_a_step(layer, channel, squeezenet, keras_squeezenet, small_pixels):
    from days.day19.code import keras_backend

    ours = torch_backend.value_and_gradient(squeezenet.network, layer, small_pixels, channel)
    theirs = keras_backend.value_and_gradient(keras_squeezenet.network, layer, small_pixels, channel)
    assert theirs[0] == pytest.approx(ours[0], rel=1e-4)
    np.testing.assert_allclose(theirs[1], ours[1], atol=1e-4 * np.abs(ours[1]).max())
    with pytest.raises(ValueError, match="from 0 to"):
        keras_backend.value_and_gradient(keras_squeezenet.network, layer, small_pixels, 5000)


def test_asking_for_a_gradient_changes_nothing_in_the_network(squeezenet, small_pixels):
    network = squeezenet.network
    before = [parameter.detach().clone() for parameter in network.parameters()]
    given = small_pixels.copy()
    torch_backend.value_and_gradient(network, "fire6", small_pixels, 3)
    with pytest.raises(ValueError, match="from 0 to 383"):
        torch_backend.value_and_gradient(network, "fire6", small_pixels, 384)
    assert all(torch.equal(one, other) for one, other in zip(before, network.parameters(), strict=True))
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
    np.testing.assert_array_equal(given, small_pixels)


def test_plain_ascent_beats_the_photo_and_a_favorite_is_its_own(squeezenet, small_pixels):
    """47 of conv1 is red minus green: its picture must be red; and both pictures beat the cat by far."""
    lesson = Lesson()
    for layer, channel in (("conv1_activation", 47), ("fire6", 341)):
        steps = lesson.ascent(layer, channel)
        in_cat, _ = torch_backend.value_and_gradient(squeezenet.network, layer, small_pixels, channel)
        assert steps[-1].value > 5 * in_cat
        assert fv.describe_ascent(steps).startswith("rose")
    red, green, blue = to_image(lesson.ascent("conv1_activation", 47)[-1].pixels).mean(axis=(0, 1))
    assert red > 0.9
    assert green < 0.2
    assert blue < 0.5


def test_an_edge_detectors_favorite_is_upright_stripes():
    """60 of conv1 is Sobel's detector of upright edges, with stride 2: stripes four pixels wide, level in no place."""
    gray = to_image(Lesson().ascent("conv1_activation", 60)[-1].pixels).mean(axis=2)
    across, down = (np.abs(np.diff(gray, axis=axis)).mean() for axis in (1, 0))
    assert across > 2.5 * down
    power = np.abs(np.fft.rfft(gray - gray.mean(), axis=1)).mean(axis=0)
    assert abs(power.argmax() / gray.shape[1] - 0.25) < 0.02


def test_ascents_stay_between_black_and_white_and_repeat():
    lesson = Lesson()
    one, other = (lesson.ascent("fire4", 5, steps=8, learning_rate=60.0) for _ in range(2))
    assert (one[-1].pixels >= LOW - 1e-3).all()
    assert (one[-1].pixels <= HIGH + 1e-3).all()
    np.testing.assert_array_equal(one[-1].pixels, other[-1].pixels)


def test_an_ascent_that_never_moves_is_told_from_one_that_fails():
    lesson = Lesson()
    stuck = lesson.ascent("fire9", 426, steps=5)
    assert fv.describe_ascent(stuck).startswith("never moved")
    np.testing.assert_array_equal(stuck[0].pixels, stuck[-1].pixels)
    assert fv.describe_ascent(lesson.ascent("fire9.expand3x3", 170, steps=5)).startswith("rose")
    downhill = lesson.ascent("fire6", 341, lesson.small_cat, steps=10, learning_rate=-4.0)
    assert fv.describe_ascent(downhill).startswith("failed")


def test_an_ascent_that_explodes_says_where():
    values = iter([1.0, 2.0, np.inf])
    with pytest.raises(ValueError, match="at step 2: take a smaller learning rate"):
        list(fv.ascend(lambda x: (next(values), np.ones_like(x)), np.zeros((2, 2)), steps=5, learning_rate=1))


def test_a_dream_strengthens_its_layer(squeezenet, cat):
    lesson = Lesson()
    start = squeezenet.preprocess(cat).numpy()
    steps = lesson.ascent("fire4", None, start, steps=6, learning_rate=3.0)
    values = [step.value for step in steps]
    assert values == sorted(values)
    assert values[-1] > 3 * values[0]


def test_grad_cam_of_the_exercise_is_captums(squeezenet, cat):
    from captum.attr import LayerGradCam

    from days.day19.code import exercises

    number = squeezenet.categories.index("Egyptian cat")
    batch = squeezenet.preprocess(cat)
    maps, gradients = torch_backend.maps_and_gradients(squeezenet.network, "fire9", batch.numpy(), number)
    ours = exercises.grad_cam.solve(maps[0], gradients[0])
    network = copy.deepcopy(squeezenet.network)
    network.conv10_activation.inplace = False
    theirs = LayerGradCam(network, network.fire9).attribute(batch, target=number, relu_attributions=True)
    np.testing.assert_allclose(ours, theirs[0, 0].detach().numpy(), atol=1e-6 * ours.max())
    inner, _ = torch_backend.maps_and_gradients(squeezenet.network, "fire9.expand3x3_activation", batch.numpy(), number)
    np.testing.assert_array_equal(inner, maps[:, 256:])


# ------------------------------------------------------------ local maxima, large steps, adversarial examples


def test_stripes_drawn_by_hand_beat_three_ascents_whose_pictures_differ(squeezenet):
    lesson, columns = Lesson(), np.array([0, 0, 1, 1])[np.arange(128) % 4]
    stripes = (LOW + (HIGH - LOW) * columns + np.zeros((128, 1))).astype(np.float32)
    drawn, _ = torch_backend.value_and_gradient(squeezenet.network, "conv1_activation", stripes, 60)
    ends = [lesson.ascent("conv1_activation", 60, noise(seed=seed))[-1] for seed in range(3)]
    assert drawn == pytest.approx(373.5, abs=0.1)
    assert max(end.value for end in ends) < 0.75 * drawn
    alike = np.corrcoef([to_image(end.pixels).ravel() for end in ends])
    assert np.abs(alike[np.triu_indices(3, 1)]).max() < 0.1


def test_a_dead_channel_rises_at_a_small_rate_and_stays_below_0(squeezenet):
    """Channel 9 of fire5: the usual rate is too large for it; a flipped sign is not mended by a smaller rate."""
    lesson = Lesson()
    assert fv.describe_ascent(lesson.ascent("fire5.expand1x1", 9, steps=30)).startswith("failed")
    steps = lesson.ascent("fire5.expand1x1", 9, steps=120, learning_rate=0.25)
    assert steps[0].value < -0.12 < -0.02 < steps[-1].value < 0
    units = looking.capture(squeezenet.network, "fire5.expand1x1", torch.from_numpy(steps[-1].pixels))
    assert units["fire5.expand1x1"][0, 9].max() < 0
    flipped = lesson.ascent("fire6", 341, lesson.small_cat, steps=30, learning_rate=-0.25)
    assert fv.describe_ascent(flipped).startswith("failed")


def test_smaller_steps_on_an_equal_path_reach_as_little_and_more_steps_a_little_more():
    """Each step goes learning rate x 1 gray level on average, so steps x rate is how far an ascent can get."""
    lesson, plans = Lesson(), ((60, 4.0), (240, 1.0), (960, 0.25), (600, 4.0))
    shares = [
        lesson.ascent("conv1_activation", 60, steps=steps, learning_rate=rate)[-1].value / 373.5
        for steps, rate in plans
    ]
    assert shares == pytest.approx([0.702, 0.703, 0.703, 0.738], abs=0.01)


def test_the_task_asks_for_more_than_three_ascents_and_for_conv1_more_than_steps():
    lesson = Lesson()
    bar = next(cell for cell in read(NOTEBOOK).cells if cell.id == "day19-task-bar")
    printed = bar.outputs[0].text
    for place, value in better_pictures.ASCENT.items():
        best = max(lesson.ascent(*place, noise(seed=seed))[-1].value for seed in range(3))
        assert best == pytest.approx(value, rel=0.03)
        assert f"{value}, wanted {better_pictures.BETTER * value:.0f}\n" in printed
    longer = lesson.ascent("conv1_activation", 49, steps=200)[-1]
    [point, *_] = better_pictures.rubric(dict.fromkeys(better_pictures.ASCENT, longer.pixels))
    assert not point.met
    assert "three ascents 338, wanted 372" in point.said


@pytest.mark.parametrize(
    ("pixels", "wanted"),
    [
        (np.full(better_pictures.SHAPE, np.nan), "finite pixels for .*, got NaN or infinity in 49,152 of 49,152"),
        (np.zeros((1, 128, 128, 3)), r"got \(1, 128, 128, 3\): the three colors come second"),
        (np.zeros((3, 128, 128)), r"shape \(1, 3, 128, 128\) for .* got \(3, 128, 128\)$"),
        ("picture", "as an array, got str"),
    ],
)
def test_what_are_no_pixels_is_refused_with_the_true_reason(pixels, wanted):
    with pytest.raises(ReportError, match=wanted):
        better_pictures.rubric(dict.fromkeys(better_pictures.ASCENT, pixels))


def said(model, images):
    logits = model.logits(torch.cat([model.preprocess(image) for image in images]))
    return logits.argmax(axis=1).tolist()


def test_a_change_of_1_in_255_misleads_the_network_on_all_photos_and_at_random_on_none(squeezenet):
    lesson, signs = Lesson(), np.random.default_rng(0).choice([-1, 1], (224, 224, 3)) / 255
    photos = [load_image(name, size=224) for name in IMAGE_NAMES]
    attacked = [lesson.attacked(photo, epsilon=1) for photo in photos]
    assert max(np.abs(one - photo).max() for one, photo in zip(attacked, photos, strict=True)) < 1.01 / 255
    before = said(squeezenet, photos)
    assert not any(one == other for one, other in zip(said(squeezenet, attacked), before, strict=True))
    assert said(squeezenet, [np.clip(photo + signs, 0, 1) for photo in photos]) == before
    assert squeezenet.predict(attacked[1], 1)[0][0] == "consomme"


def test_the_stored_picture_of_the_cups_still_misleads_the_network(squeezenet):
    picture = load_image(REPO_ROOT / "days/day19/outputs/09_two_cups.jpg")
    named = [squeezenet.predict(picture[place], 1)[0] for place in CUPS.values()]
    assert [name for name, _ in named] == ["espresso", "consomme"]
    assert min(p for _, p in named) > 0.9


def test_channel_9_of_fire5_fires_at_no_place_of_the_seven_photos(squeezenet):
    seven = torch.cat([squeezenet.preprocess(load_image(name, size=224)) for name in IMAGE_NAMES])
    maps = looking.capture(squeezenet.network, "fire5", seven)["fire5"]
    assert maps[:, 9].max() == 0
    assert 0.01 < (maps[:, 171] > 0).mean() < 0.02


def test_gradients_on_a_smooth_photo_are_far_finer_than_the_photo(squeezenet, small_pixels):
    for layer, channel in FAVORITES:
        _, slope = torch_backend.value_and_gradient(squeezenet.network, layer, small_pixels, channel)
        assert fv.mean_frequency(np.moveaxis(slope[0], 0, -1)) > 3 * 0.07


# ------------------------------------------------------------ pictures and the widget


@pytest.mark.parametrize(
    "kernels", [np.ones((2, 3, 3)), np.ones((2, 9)), np.ones((4, 4)), np.ones((3, 1)), np.ones((20, 25))]
)
def test_plot_feature_maps_takes_both_forms(kernels):
    assert plot_feature_maps(np.random.default_rng(0).random((8, 8)), kernels).is_file()


def test_what_fired_says_where_it_is_strongest(cat):
    values = np.eye(13)
    values[4, 7] = 3
    assert "strongest in row 5, column 8" in draw_fired(cat, values, "fire6, channel 341").get_label()
    assert "evidence for tabby" in draw_cam(cat, values, "tabby").get_label()


@pytest.mark.parametrize(
    ("image", "kernels", "said"),
    [
        (np.ones((8, 8)), np.ones((2, 5)), r"k\*k = 1, 4, 9, 16, \.\.\., got \(2, 5\)"),
        (np.ones((8, 8)), np.ones((2, 3, 4)), r"got \(2, 3, 4\)"),
        (np.ones((8, 8)), np.ones(9), r"got \(9,\)"),
        (np.ones((8, 8)), np.ones((0, 9)), r"got \(0, 9\)"),
        (np.ones((2, 2)), np.ones((1, 3, 3)), "no larger than the image"),
        (np.full((8, 8), np.nan), np.ones((1, 3, 3)), "finite numbers in image"),
        (np.ones((8, 8)), np.full((1, 3, 3), np.inf), "finite numbers in kernel"),
    ],
)
def test_plot_feature_maps_refuses(image, kernels, said):
    with pytest.raises(ValueError, match=said):
        plot_feature_maps(image, kernels)


def test_a_read_only_outputs_folder_is_one_clear_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("the old picture")
    monkeypatch.setenv("SEEING_CNNS_OUTPUTS", str(tmp_path / "file"))
    with pytest.raises(OSError, match="SEEING_CNNS_OUTPUTS"):
        plot_feature_maps(np.ones((8, 8)), np.ones((1, 3, 3)))
    assert (tmp_path / "file").read_text() == "the old picture"


@pytest.fixture
def explorer(squeezenet):
    from days.day19.code.explorer import ascent_explorer

    return ascent_explorer(squeezenet, steps=12)


def test_the_picture_grows_to_its_last_step(explorer):
    explorer.controls["layer"].value = "conv1_activation"
    assert explorer.controls["channel"].max == 63
    explorer.controls["channel"].value = 47
    asyncio.run(explorer.run())
    assert "conv1_activation, channel 47" in explorer.caption.value
    assert "rose" in explorer.caption.value
    assert explorer.bar.value == 12
    assert explorer.picture.value
    assert not explorer.start.disabled
    assert explorer.stop.disabled


def test_stop_is_heard_and_the_picture_stays(explorer):
    async def start_and_stop():
        task = asyncio.ensure_future(explorer.run())
        while explorer.bar.value < 3:
            await asyncio.sleep(0)
        explorer.stop.click()
        await task

    asyncio.run(start_and_stop())
    assert 3 <= explorer.bar.value < 12
    assert explorer.picture.value
    assert not explorer.start.disabled


def test_an_error_in_a_step_is_shown(explorer, monkeypatch):
    monkeypatch.setattr(explorer, "make_steps", lambda **_: iter([lambda: 1 / 0]))
    asyncio.run(explorer.run())
    assert "ZeroDivisionError" in explorer.caption.value
    assert not explorer.start.disabled


def test_the_torch_part_of_day_19_never_imports_tensorflow():
    script = (
        "import sys; from days.day19.code import torch_backend, exercises, explorer, visualizations;"
        "print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=REPO_ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


# ------------------------------------------------------------ found by attacking the functions


@pytest.mark.parametrize(
    ("change", "channel", "said"),
    [
        (lambda pixels: pixels[0], 3, r"batch\[None\]"),
        (lambda pixels: pixels * np.nan, 3, "finite"),
        (lambda pixels: pixels.astype(int), 3, "batch of floats"),
        (lambda pixels: pixels[:0], 3, "at least one image"),
        (lambda pixels: pixels, True, "got True"),
        (lambda pixels: pixels, 1.0, "got 1.0"),
        (lambda pixels: pixels, -1, "got -1"),
        (lambda pixels: pixels, "3", "got '3'"),
    ],
)
def test_value_and_gradient_refuses(change, channel, said, squeezenet, small_pixels):
    with pytest.raises(ValueError, match=said):
        torch_backend.value_and_gradient(squeezenet.network, "fire2", change(small_pixels), channel)


@pytest.mark.parametrize("channel", [True, 1.0, -1, "3"])
def test_keras_refuses_the_same_channels(channel, keras_squeezenet, small_pixels):
    from days.day19.code import keras_backend

    with pytest.raises(ValueError, match="a channel of 'fire2' from 0 to 127"):
        keras_backend.value_and_gradient(keras_squeezenet.network, "fire2", small_pixels, channel)
    with pytest.raises(ValueError, match="finite"):
        keras_backend.value_and_gradient(keras_squeezenet.network, "fire2", small_pixels * np.nan, 3)


@pytest.mark.parametrize("category", [1000, -1, None, True, "tabby", [1, 2]])
def test_grad_cams_material_refuses_what_is_no_category(category, squeezenet, small_pixels):
    with pytest.raises(ValueError, match="a category from 0 to 999"):
        torch_backend.maps_and_gradients(squeezenet.network, "fire9", small_pixels, category)


def test_a_network_in_training_mode_gives_the_same_and_comes_back(small_pixels):
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(4),
        nn.Dropout(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    before = copy.deepcopy(network.eval().state_dict())
    wanted = torch_backend.maps_and_gradients(network, "0", small_pixels, 2)
    network.train()
    for found, right in zip(torch_backend.maps_and_gradients(network, "0", small_pixels, 2), wanted, strict=True):
        np.testing.assert_array_equal(found, right)
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with pytest.raises(ValueError, match="no layer '0' in this network"):
        torch_backend.maps_and_gradients(nn.Conv2d(3, 2, 1), "0", small_pixels, 1)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: fv.angle_between(np.zeros(2), np.ones(2)), "not all zero"),
        (lambda: fv.angle_between(np.ones(1), np.ones(2)), "one shape"),
        (lambda: fv.mean_gradient((3, 3), np.full((2, 2), np.nan)), "finite numbers in kernel"),
        (lambda: fv.mean_gradient((3, 3), np.ones(3)), "kernel as a non-empty"),
        (lambda: fv.mean_gradient((2, 2), np.ones((3, 3))), "no larger than the image"),
        (lambda: fv.finite_differences(np.sum, np.ones(2), [(0,)], step=0), "step above 0"),
        (lambda: fv.mean_frequency(np.full((4, 4), np.nan)), "finite"),
        (lambda: fv.describe_ascent([]), "got none"),
        (lambda: list(fv.ascend(lambda x: (1.0, np.ones(3)), np.ones(2), steps=1, learning_rate=1)), "pixels' shape"),
        (lambda: list(fv.ascend(lambda x: (1.0, x), np.array([np.nan]), steps=1, learning_rate=1)), "finite pixels"),
        (lambda: gradient_ascent_filter((2, 2), learning_rate=1e200), "at most a million"),
    ],
)
def test_odd_requests(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_angles_at_any_magnitude_and_slopes_of_whole_numbers():
    assert fv.angle_between([1e200, 1e200], [1, 1]) == pytest.approx(0, abs=1e-6)
    assert fv.angle_between([1e-200, 0], [0, 1]) == pytest.approx(90)
    assert fv.finite_differences(lambda x: float((x**2).sum()), np.array([1, 3]), [(1,)]) == pytest.approx(6)


def test_start_pressed_twice_runs_once(explorer):
    async def press():
        explorer.start.click()
        explorer.start.click()
        second = asyncio.ensure_future(explorer.run())
        await asyncio.sleep(0)
        assert second.done() or explorer.bar.value == 0
        while explorer.start.disabled:
            await asyncio.sleep(0.01)

    asyncio.run(press())
    assert explorer.bar.value == 12
    assert explorer.stop.disabled
