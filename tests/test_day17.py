"""Day 17: the maps are the network's, the frameworks agree, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys

import limits
import numpy as np
import pytest
import torch
from notebook_tools import code_cells
from scipy.signal import correlate2d
from torch import nn

from days.common.exercises import CORRECT, NOT_QUITE
from days.common.frameworks import why_no_keras
from days.common.images import IMAGE_NAMES, load_image
from days.common.paths import REPO_ROOT
from days.common.squeezenet import convolution_behind
from days.day17.code import ablation, exercises, torch_backend
from days.day17.code import feature_maps as fm
from days.day17.code import visualizations as viz

LAYERS = ("conv1", "fire5", "fire9")
NOTEBOOK = REPO_ROOT / "days/day17/day17_feature_maps_and_filters.ipynb"


@pytest.fixture(scope="session")
def keras_backend():
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from days.day17.code import keras_backend

    return keras_backend


def state_of(network):
    modules = list(network.modules())
    return (
        [module.training for module in modules],
        [parameter.requires_grad for parameter in network.parameters()],
        [parameter.detach().clone() for parameter in [*network.parameters(), *network.buffers()]],
        [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in modules],
    )


def assert_same_state(one, other):
    for before, after in zip(one[2], other[2], strict=True):
        assert torch.equal(before, after)
    assert (one[0], one[1], one[3]) == (other[0], other[1], other[3])


# ------------------------------------------------------------ NumPy


def test_feature_map_of_the_hand_worked_example():
    image = np.repeat([[0, 0, 0, 1, 1, 1]], 6, axis=0)
    kernel = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    np.testing.assert_array_equal(fm.feature_map(image, kernel), [[0, 4, 4, 0]] * 4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (9, 12)])
def test_feature_map_against_scipy_and_torch(shape):
    generator = np.random.default_rng(0)
    image, kernel = generator.normal(size=(9, 12)), generator.normal(size=shape)
    answer = fm.feature_map(image, kernel)
    np.testing.assert_allclose(answer, correlate2d(image, kernel, mode="valid"), atol=1e-12)
    theirs = nn.functional.conv2d(torch.tensor(image)[None, None], torch.tensor(kernel)[None, None])
    np.testing.assert_allclose(answer, theirs[0, 0].numpy(), atol=1e-12)


@pytest.mark.parametrize(
    ("image", "kernel", "said"),
    [
        (np.zeros((4, 4)), np.zeros((5, 3)), "no larger than the image"),
        (np.zeros((4, 4, 3)), np.zeros((3, 3)), "image as a non-empty"),
        (np.zeros((4, 4)), np.zeros((0, 3)), "kernel as a non-empty"),
        (np.full((4, 4), np.nan), np.zeros((3, 3)), "finite numbers in image"),
        (np.zeros((4, 4)), np.full((3, 3), np.inf), "finite numbers in kernel"),
    ],
)
def test_feature_map_refuses(image, kernel, said):
    with pytest.raises(ValueError, match=said):
        fm.feature_map(image, kernel)


def test_a_networks_map_is_a_sum_of_feature_maps(squeezenet, cat):
    pixels = squeezenet.preprocess(cat)[0].numpy()
    weights = torch_backend.filters(squeezenet.network, "conv1")
    found = torch_backend.capture(squeezenet.network, "conv1", squeezenet.preprocess(cat))["conv1"][0]
    for channel in (0, 47, 60):
        by_hand = sum(fm.feature_map(pixels[c], weights[channel, c]) for c in range(3))[::2, ::2]
        by_hand += squeezenet.network.conv1.bias[channel].item()
        np.testing.assert_allclose(found[channel], by_hand, atol=1e-5 * np.abs(by_hand).max())


def test_ranking_and_dead_channels():
    maps = np.zeros((2, 4, 3, 3), np.float32)
    maps[0, 1], maps[1, 1], maps[1, 2, 0, 0] = 5, 1, 9
    assert fm.rank_channels(maps[0]).tolist() == [1, 0, 2, 3]
    assert fm.dead_channels(maps).tolist() == [0, 3]
    assert fm.dead_channels(maps[:1]).tolist() == [0, 2, 3]
    for call in (lambda: fm.rank_channels(maps), lambda: fm.dead_channels(maps[0])):
        with pytest.raises(ValueError, match="batch axis"):
            call()


def test_cosines_name_pairs():
    filters = np.zeros((4, 2, 3, 3))
    filters[0, 0], filters[1, 0], filters[2, 1] = 1, -2, 3
    similarities = fm.cosine_similarities(filters)
    np.testing.assert_allclose(similarities[:3, :3], [[1, -1, 0], [-1, 1, 0], [0, 0, 1]], atol=1e-12)
    assert not similarities[3].any()  # a filter of zeros has no direction
    assert fm.most_alike(similarities, 1) == [(0, 1, pytest.approx(-1))]


def test_color_patches_keep_zero_gray_and_one_scale():
    filters = np.zeros((2, 3, 1, 1))
    filters[0, 0], filters[1, 0] = 2, -1  # input channel 0
    np.testing.assert_allclose(fm.color_patches(filters, "BGR")[:, 0, 0], [[0.5, 0.5, 1], [0.5, 0.5, 0.25]])
    np.testing.assert_allclose(fm.color_patches(filters, "RGB")[:, 0, 0], [[1, 0.5, 0.5], [0.25, 0.5, 0.5]])
    with pytest.raises(ValueError, match="3 input channels"):
        fm.color_patches(np.zeros((2, 16, 3, 3)))


# ------------------------------------------------------------ the backends


def test_frameworks_agree_on_maps_filters_and_names(squeezenet, keras_squeezenet, keras_backend, cat):
    ours = torch_backend.capture(squeezenet.network, LAYERS, squeezenet.preprocess(cat))
    theirs = keras_backend.capture(keras_squeezenet.network, LAYERS, keras_squeezenet.preprocess(cat))
    assert list(ours) == list(theirs) == list(LAYERS)
    for layer in LAYERS:
        np.testing.assert_allclose(theirs[layer], ours[layer], atol=1e-4 * np.abs(ours[layer]).max())
    names = torch_backend.conv_layers(squeezenet.network)
    assert names == keras_backend.conv_layers(keras_squeezenet.network)
    assert len(names) == 26
    for name in names:
        np.testing.assert_array_equal(
            torch_backend.filters(squeezenet.network, name), keras_backend.filters(keras_squeezenet.network, name)
        )


def test_a_captured_map_is_a_copy(squeezenet, cat):
    """conv1 is followed by an in-place ReLU, which would wipe out every negative value."""
    batch = squeezenet.preprocess(cat)
    maps = torch_backend.capture(squeezenet.network, ["conv1", "conv1_activation"], batch)
    assert (maps["conv1"] < 0).mean() > 0.4
    np.testing.assert_array_equal(np.maximum(maps["conv1"], 0), maps["conv1_activation"])
    alone = torch_backend.capture(squeezenet.network, "conv1", batch)["conv1"]
    np.testing.assert_array_equal(alone, maps["conv1"])


def test_nothing_captured_shares_memory_with_batch_or_weights():
    network = nn.Sequential(nn.Identity(), nn.Conv2d(3, 3, 1))
    batch = torch.ones(1, 3, 4, 4)
    maps = torch_backend.capture(network, "0", batch)["0"]
    maps[:] = 7
    assert torch.equal(batch, torch.ones(1, 3, 4, 4))
    weights = torch_backend.filters(network, "1")
    weights[:] = 7
    assert not (network[1].weight == 7).any()


def test_no_hook_is_left_and_the_network_is_as_before(squeezenet, cat):
    batch = squeezenet.preprocess(cat)
    before = state_of(squeezenet.network)
    for _ in range(1000):
        torch_backend.capture(squeezenet.network, "conv1", batch)
    assert_same_state(before, state_of(squeezenet.network))


def test_no_hook_is_left_after_an_exception():
    class Breaks(nn.Module):
        def forward(self, x):
            raise RuntimeError("on purpose")

    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), Breaks()).train()
    network[0].weight.requires_grad_(False)
    before = state_of(network)
    with pytest.raises(ValueError, match="on purpose"):
        torch_backend.capture(network, ["0", "2"], torch.ones(1, 3, 4, 4))
    assert_same_state(before, state_of(network))


def test_a_network_in_training_mode_is_run_in_evaluation_mode_and_comes_back():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.9)).train()
    network[1].eval()  # frozen statistics, as in fine-tuning
    before, batch = state_of(network), torch.rand(2, 3, 5, 5)
    one, other = (torch_backend.capture(network, "2", batch)["2"] for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert_same_state(before, state_of(network))


def test_capture_runs_no_layer_deeper_than_asked_for(squeezenet, cat):
    ran = []
    handles = [
        module.register_forward_pre_hook(lambda module, inputs, name=name: ran.append(name))
        for name, module in squeezenet.network.named_children()
    ]
    torch_backend.capture(squeezenet.network, ["fire3", "conv1"], squeezenet.preprocess(cat))
    for handle in handles:
        handle.remove()
    assert ran == ["conv1", "conv1_activation", "pool1", "fire2", "fire3"]


def test_keras_capture_runs_no_layer_deeper_than_asked_for(keras_squeezenet, keras_backend):
    names = [layer.name for layer in keras_backend.submodel(keras_squeezenet.network, ["fire3", "conv1"]).layers]
    assert names[-1] == "fire3"
    assert "pool3" not in names


def test_conv_layers_are_found_by_type_and_in_forward_order():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Conv2d(4, 2, 1)
            self.conv_norm = nn.BatchNorm2d(3)
            self.stem = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())

        def forward(self, x):
            return self.last(self.stem(self.conv_norm(x)))

    assert torch_backend.conv_layers(Backwards()) == ["stem.0", "last"]


def test_efficientnet_with_its_own_kind_of_convolution(cat):
    from days.common.models import load_model

    model = load_model("efficientnet_lite0")
    names = torch_backend.conv_layers(model.network)
    assert len(names) == 49
    assert names[0] == "conv_stem"
    assert torch_backend.filters(model.network, "conv_stem").shape == (32, 3, 3, 3)
    assert torch_backend.capture(model.network, "blocks.2", model.preprocess(cat))["blocks.2"].shape == (1, 40, 28, 28)


def test_torch_uses_the_networks_type(cat, squeezenet):
    network = nn.Sequential(nn.Conv2d(3, 4, 1)).double()
    assert torch_backend.capture(network, "0", squeezenet.preprocess(cat))["0"].dtype == np.float64


def small_keras_models(keras):
    """A sequential model inside a sequential one, and inside a functional one."""
    inner = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3, name="a"), keras.layers.ReLU()], name="inner"
    )
    outer = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Rescaling(2.0), inner])
    image = keras.Input((None, None, 3))
    functional = keras.Model(image, keras.layers.Conv2D(2, 1, name="b")(inner(keras.layers.Rescaling(2.0)(image))))
    return inner, outer, functional


def test_nested_keras_models(keras_backend, cat):
    keras = keras_backend.keras
    inner, outer, functional = small_keras_models(keras)
    batch = keras.ops.convert_to_tensor(cat[None])
    wanted = np.moveaxis(keras.ops.convert_to_numpy(inner.get_layer("a")(batch * 2)), -1, 1)
    for network in (outer, functional):
        assert keras_backend.conv_layers(network)[0] == "inner/a"
        found = keras_backend.capture(network, ["inner", "inner/a"], batch)
        np.testing.assert_allclose(found["inner/a"], wanted, atol=1e-5)
        np.testing.assert_allclose(found["inner"], np.maximum(wanted, 0), atol=1e-5)
    deeper = keras.Sequential([keras.Input((None, None, 3)), functional])
    name = f"{functional.name}/inner/a"
    np.testing.assert_allclose(keras_backend.capture(deeper, name, batch)[name], wanted, atol=1e-5)


def test_keras_depthwise_and_separable_filters_do_what_the_layer_does(keras_backend):
    keras, image = keras_backend.keras, np.random.default_rng(0).normal(size=(1, 6, 6, 3)).astype(np.float32)
    for layer, groups in (
        (keras.layers.DepthwiseConv2D(3, depth_multiplier=2), 3),
        (keras.layers.SeparableConv2D(5, 3), 1),
    ):
        network = keras.Sequential([keras.Input((6, 6, 3)), layer])
        weights = torch.from_numpy(keras_backend.filters(network, layer.name))
        by_torch = nn.functional.conv2d(torch.from_numpy(image.transpose(0, 3, 1, 2).copy()), weights, groups=groups)
        found = keras_backend.capture(network, layer.name, keras.ops.convert_to_tensor(image))[layer.name]
        np.testing.assert_allclose(found, by_torch.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("layers", "change", "said"),
    [
        ("fire1", None, "near it: fire"),
        ("", None, "no layer ''"),
        ([], None, "a list of names"),
        ("logits", None, "from layer 'logits', got"),
        ("conv1", lambda batch: batch[0], r"batch\[None\]"),
        ("conv1", lambda batch: np.asarray(batch), "got ndarray"),
        ("conv1", lambda batch: batch * np.nan, "finite"),
    ],
)
@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_capture_refuses(framework, layers, change, said, request, cat):
    model = request.getfixturevalue("squeezenet" if framework == "torch" else "keras_squeezenet")
    backend = torch_backend if framework == "torch" else request.getfixturevalue("keras_backend")
    batch = model.preprocess(cat)
    with pytest.raises(ValueError, match=said):
        backend.capture(model.network, layers, change(batch) if change else batch)
    with pytest.raises(ValueError, match=r"fire2\.squeeze"):
        backend.filters(model.network, "fire2.sqeeze")


def test_capture_names_the_way_out_of_a_wrong_layout(squeezenet, keras_squeezenet, keras_backend, cat):
    batch = squeezenet.preprocess(cat)
    with pytest.raises(ValueError, match=r"permute\(0, 3, 1, 2\)"):
        torch_backend.capture(squeezenet.network, "conv1", batch.permute(0, 2, 3, 1))
    with pytest.raises(ValueError, match="channels go last"):
        keras_backend.capture(
            keras_squeezenet.network, "conv1", keras_backend.keras.ops.convert_to_tensor(batch.numpy())
        )


def test_a_layer_that_never_runs_says_so():
    class Skips(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(ValueError, match="'idle' did not run"):
        torch_backend.capture(Skips(), ["used", "idle"], torch.ones(1, 3, 2, 2))


def test_subclassed_keras_models_are_refused(keras_backend, cat):
    keras = keras_backend.keras

    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.convolution = keras.layers.Conv2D(2, 1, name="first")

        def call(self, x):
            return self.convolution(x)

    network, batch = Mine(), keras.ops.convert_to_tensor(cat[None])
    network(batch)
    with pytest.raises(ValueError, match="got Mine: a subclassed model"):
        keras_backend.capture(network, "first", batch)


def test_convolution_behind_a_channel_makes_its_map(squeezenet, cat):
    """Channel 70 of fire2 is filter 6 of expand3x3, after its ReLU."""
    name, index = convolution_behind("fire2", 70)
    maps = torch_backend.capture(squeezenet.network, ["fire2", name], squeezenet.preprocess(cat))
    np.testing.assert_array_equal(maps["fire2"][0, 70], np.maximum(maps[name][0, index], 0))


# ------------------------------------------------------------ the calls of the chapter that asked for this day


def test_a_learners_own_hook_and_weights(squeezenet, cat):
    """The usual PyTorch lines work on model.network as they stand."""
    model, image = squeezenet.network, squeezenet.preprocess(cat)[0]
    activations = {}
    handle = model.conv1.register_forward_hook(lambda module, inputs, output: activations.update(conv1=output.detach()))
    model.eval()
    with torch.no_grad():
        model(image.unsqueeze(0))
    handle.remove()
    assert activations["conv1"].squeeze().shape == (64, 111, 111)
    assert model.conv1.weight.data.clone().shape == (64, 3, 3, 3)


def test_a_learners_own_keras_submodel(keras_squeezenet, cat):
    """The usual Keras lines work too, but for the layer name 'conv2d', which this network does not have."""
    import keras

    model, image = keras_squeezenet.network, keras_squeezenet.preprocess(cat)[0]
    outputs = [layer.output for layer in model.layers if "conv" in layer.name]
    activations = keras.Model(inputs=model.input, outputs=outputs)(image[None], training=False)
    assert activations[0].shape == (1, 111, 111, 64)
    assert len(outputs) == 4
    with pytest.raises(ValueError, match="conv2d"):
        model.get_layer("conv2d")


# ------------------------------------------------------------ the notebook's promises


def run_notebook_code(lines_before):
    """Run the notebook's code cells as one script in its folder; returns the finished process."""
    script = "\n\n".join([lines_before, *(cell.source for cell in code_cells(NOTEBOOK))])
    environment = {**os.environ, "PYTHONPATH": str(REPO_ROOT), "SEEING_CNNS_OUTPUTS": ""}
    command = [sys.executable, "-W", "error::ImportWarning", "-c", script]
    return subprocess.run(
        command,
        cwd=NOTEBOOK.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=limits.COMMAND,
        check=False,
    )


NO_TENSORFLOW = """
import importlib.util, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("tensorflow", "keras") else real(name, *rest)
"""


@pytest.mark.slow
def test_without_tensorflow_the_lesson_runs_and_says_what_it_skips():
    run = run_notebook_code(NO_TENSORFLOW)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.count("TensorFlow is not installed") == 1
    assert "(N, H, W, C)" not in run.stdout


def test_without_tensorflow_a_keras_network_names_the_way_out():
    script = NO_TENSORFLOW + "\nfrom days.common.models import load_model\nload_model(framework='keras')"
    run = subprocess.run([sys.executable, "-c", script], cwd=REPO_ROOT, capture_output=True, text=True, check=False)
    assert f"ModuleNotFoundError: {why_no_keras()}; every PyTorch part runs without it" in run.stderr


def test_all_bundled_photos_leave_one_channel_of_fire5_dark(squeezenet):
    """The numbers of section 8.2."""
    batch = torch.cat([squeezenet.preprocess(load_image(name, size=224)) for name in IMAGE_NAMES])
    maps = torch_backend.capture(squeezenet.network, ["fire5", "fire9"], batch)
    assert fm.dead_channels(maps["fire5"]).tolist() == [9]
    assert len(fm.dead_channels(maps["fire9"][:1])) == 86
    assert len(fm.dead_channels(maps["fire9"])) == 0


# ------------------------------------------------------------ what a channel matters, and what a unit sees


def logits_without(model, layer, channel, photo):
    """As the lesson has it: the logits with one channel set to zero; None leaves all."""

    def silence(module, inputs, output):
        if channel is not None:
            output[:, channel] = 0

    with torch_backend.hooks([(model.network.get_submodule(layer), silence)]):
        return model.logits(model.preprocess(photo))[0]


def falls(model, layer, channels, photo, category):
    whole, number = logits_without(model, layer, None, photo), model.categories.index(category)
    return np.array([(whole - logits_without(model, layer, int(one), photo))[number] for one in channels])


def test_of_two_channels_at_the_eyes_one_speaks_for_the_cat_and_one_against(squeezenet, cat):
    """Section 3.9, and the picture at the start."""
    maps = torch_backend.capture(squeezenet.network, "fire9", squeezenet.preprocess(cat))["fire9"][0]
    eyes = np.zeros((224, 224), bool)
    eyes[55:130, 35:110] = eyes[65:135, 155:224] = True
    shares = [fm.share_in_region(maps[channel], eyes) for channel in fm.rank_channels(maps)[:8]]
    assert fm.rank_channels(maps)[:3].tolist() == [426, 488, 111]
    assert np.argmax(shares) == 2
    eye, muzzle, other_eye = falls(squeezenet, "fire9", (426, 488, 111), cat, "Egyptian cat")
    assert eye > 3.5
    assert muzzle > 3
    assert other_eye < -0.4
    weights = squeezenet.network.conv10.weight[squeezenet.categories.index("Egyptian cat"), :, 0, 0]
    assert eye == pytest.approx(maps[426].mean() * weights[426].item(), rel=0.02)
    firing = np.flatnonzero(maps.any(axis=(1, 2)))
    drawn = np.random.default_rng(0).choice(firing, 40, replace=False)
    low, high = np.percentile(falls(squeezenet, "fire9", drawn, cat, "Egyptian cat"), [5, 95])
    assert other_eye < low < 0.1 < high < 0.6 < muzzle


def test_a_strong_channel_of_conv1_need_not_matter(squeezenet, cat):
    maps = torch_backend.capture(squeezenet.network, "conv1_activation", squeezenet.preprocess(cat))
    means = fm.channel_means(maps["conv1_activation"][0])
    lost = falls(squeezenet, "conv1_activation", range(64), cat, "Egyptian cat")
    assert fm.rank_channels(maps["conv1_activation"][0])[:2].tolist() == [47, 28]
    assert lost[28] < 0 < lost[47] < 2.5 < 5 < min(lost[7], lost[18])
    assert 0.2 < np.corrcoef(means, lost)[0, 1] < 0.45


def test_the_task_takes_channels_away_as_the_lesson_does_and_leaves_the_network_alone(squeezenet, cat):
    before = state_of(squeezenet.network)
    views = ablation.versions("chelsea")
    assert {view.shape for view in views} == {cat.shape}
    whole = ablation.logits_without(squeezenet, "fire9", [], [cat, *views])
    np.testing.assert_allclose(whole[0], squeezenet.logits(squeezenet.preprocess(cat))[0], rtol=1e-4)
    without = ablation.logits_without(squeezenet, "fire9", 426, [cat])[0]
    np.testing.assert_allclose(without, logits_without(squeezenet, "fire9", 426, cat), rtol=1e-5)
    assert_same_state(before, state_of(squeezenet.network))
    with pytest.raises(ValueError, match="no layer 'fire1'"):
        ablation.logits_without(squeezenet, "fire1", 3, [cat])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layer": "fire9"}, "'layer' as one of fire2, .*, got 'fire9'"),
        ({"channel": 256}, "a channel of fire5 from 0 to 255, got 256"),
        ({"channel": 3.5}, "'channel' as a whole number, got 3.5"),
        ({"photo": "dog"}, "'photo' as one of chelsea, .* got 'dog'"),
        ({"speaks_for": "cat"}, "'speaks_for' as `model.categories` has it, got 'cat'"),
        ({"falls": True}, "'falls' as a finite number, got True"),
        ({"rises": float("nan")}, "'rises' as a finite number, got nan"),
        ({"more": 1}, "with the keys layer, .* got .*more"),
    ],
)
def test_a_report_that_names_nothing_is_refused_in_words(change, said):
    report = {"layer": "fire5", "channel": 60, "photo": "coffee", "speaks_for": "espresso", "falls": 2.0}
    report |= {"speaks_against": "lemon", "rises": 1, "elsewhere": 3} | change
    with pytest.raises((TypeError, ValueError), match=said):
        ablation.rubric(report)


@pytest.mark.parametrize("number", ["falls", "rises"])
def test_a_claimed_change_is_as_exact_as_two_decimals(number):
    report = exercises.take_away.solve()
    for said in (round(report[number], 2), round(report[number], 3)):
        assert exercises.take_away.check(lambda said=said: report | {number: said}).status == CORRECT
    for off in (-0.04, -0.007, 0.007, 0.04):
        said = report[number] + off
        verdict = exercises.take_away.check(lambda said=said: report | {number: said})
        assert verdict.status == NOT_QUITE
        assert f"by {report[number]:.3f}, you say {said:.3f} (right to 2 decimals)" in verdict.message


SEEN = {"conv1": 3, "fire2": 15, "fire3": 23, "fire5": 63, "fire9": 207}


@pytest.mark.parametrize(("layer", "width"), SEEN.items())
def test_a_receptive_field_by_gradient_is_what_the_formula_says(layer, width, squeezenet, cat):
    batch = squeezenet.preprocess(cat).requires_grad_()
    maps = torch_backend.run_to(squeezenet.network, layer, batch)[0]
    maps = maps[len(maps) // 2 :] if layer.startswith("fire") else maps  # the 3x3 half
    (slope,) = torch.autograd.grad(maps[:, maps.shape[1] // 2, maps.shape[2] // 2].sum(), batch)
    gradient = slope.abs().sum(dim=1)[0].numpy()
    for axis in (0, 1):
        seen = np.flatnonzero(gradient.any(axis=axis))
        assert seen[-1] - seen[0] + 1 == width
    effective = fm.effective_width(gradient)
    assert effective == fm.effective_width(gradient[::-1, ::-1])
    assert effective < 0.85 * width / 2**0.5 or layer in ("conv1", "fire2")  # less than if all pixels counted alike


def test_effective_width_of_known_gradients():
    even = np.ones((9, 9))
    assert fm.effective_width(even) == 7  # 49 of 81
    assert fm.effective_width(np.pad(even, ((0, 5), (3, 0)))) == 7
    assert fm.effective_width(even, share=1) == 9
    assert fm.effective_width(np.ones((4, 4)), share=0.25) == 2
    for wrong in (np.zeros((3, 3)), -even, np.ones(3)):
        with pytest.raises(ValueError, match="gradient"):
            fm.effective_width(wrong)


def test_the_rockets_surroundings_matter_and_foot_and_pad_hardly_more_than_a_patch_elsewhere(squeezenet):
    """Section 8.4: the surroundings cost clearly more than covers of the same size farther up, and the map loses at the
    places that are covered, not at the pad."""
    rocket = load_image("rocket", size=224)
    sky, beside = rocket[:40].mean(axis=(0, 1)), np.r_[0:84, 140:224]
    number, layer = squeezenet.categories.index("drilling platform"), "conv10_activation"

    def evidence(place=np.s_[:0]):
        covered = rocket.copy()
        covered[place] = sky
        return torch_backend.capture(squeezenet.network, layer, squeezenet.preprocess(covered))[layer][0, number]

    def falls(places):
        return np.array([(evidence() - evidence(place)).mean() for place in places])

    surroundings, foot = falls([np.s_[190:, beside], np.s_[190:, 84:140]])
    assert surroundings > falls([np.s_[top : top + 34, beside] for top in range(20, 157, 34)]).max() + 0.5
    sides = [(top, left) for top in range(20, 157, 34) for left in (0, 28, 140, 168)]
    spots = falls([np.s_[top : top + 34, left : left + 56] for top, left in sides])
    assert 1 < spots.max() < foot < spots.max() + 0.5 < surroundings - 0.5
    at_pad = [(evidence() - evidence(np.s_[190:, columns]))[:, 5:8].sum() / 169 for columns in (np.r_[84:140], beside)]
    assert at_pad[0] > 0.7
    assert abs(at_pad[1]) < 0.3


def test_pictures_of_fields_and_of_lit_channels_say_what_they_show(cat):
    gradient = np.zeros((224, 224))
    gradient[100:123, 100:123] = 1
    assert "fire3 23 pixels" in viz.draw_fields(cat, {"fire3": (gradient, 23)}).get_label()
    assert "channels 0 and 1" in viz.draw_lit(cat, np.ones((2, 13, 13)), (0, 1)).get_label()


# ------------------------------------------------------------ found by attacking the functions


class Odd(nn.Module):
    """A forward that does what learners' forwards do: keeps a tensor, counts calls, uses layers out of order."""

    def __init__(self):
        super().__init__()
        self.late, self.early = nn.Conv2d(8, 4, 1), nn.Conv2d(3, 8, 1)
        self.same = self.early
        self.register_buffer("calls", torch.zeros(1))
        self.given = nn.Parameter(torch.ones(1, 2, 3, 3))
        self.features = None

    def forward(self, x):
        self.calls += 1
        self.features = self.early(x)
        return self.late(self.features)


def test_conv_layers_leaves_nothing_behind():
    network = Odd()
    torch_state = torch.get_rng_state()
    assert torch_backend.conv_layers(network) == ["early", "late"]
    assert network.features is None
    assert network.calls.item() == 0
    assert torch.equal(torch_state, torch.get_rng_state())


def test_layers_registered_out_of_order_and_twice():
    network, batch = Odd(), torch.rand(1, 3, 9, 9)
    maps = torch_backend.capture(network, ["early", "same", "late"], batch)
    np.testing.assert_array_equal(maps["early"], maps["same"])
    np.testing.assert_array_equal(torch_backend.filters(network, "same"), torch_backend.filters(network, "early"))


def test_an_inplace_layer_in_front_does_not_change_the_batch():
    network, batch = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 2, 1)), -torch.ones(1, 3, 4, 4)
    torch_backend.capture(network, ["0", "1"], batch)
    assert (batch == -1).all()


def test_writing_into_a_captured_array_changes_nothing():
    class Gives(nn.Module):
        def __init__(self):
            super().__init__()
            self.given = nn.Parameter(torch.ones(1, 2, 3, 3))

        def forward(self, x):
            return self.given

    network = nn.Sequential(Gives())
    torch_backend.capture(network, "0", torch.ones(1, 3, 4, 4))["0"][:] = 9
    assert (network[0].given == 1).all()


def test_half_precision_networks():
    for dtype in (torch.float16, torch.bfloat16):
        network = nn.Sequential(nn.Conv2d(3, 2, 1)).to(dtype)
        maps = torch_backend.capture(network, "0", torch.full((1, 3, 200, 200), 9.0))["0"]
        assert np.isfinite(maps).all()


def test_looking_at_filters_does_not_move_a_spectral_norm():
    network = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 4, 3))).train()
    before = state_of(network)
    torch_backend.filters(network, "0")
    assert_same_state(before, state_of(network))


@pytest.mark.parametrize(
    ("network", "layers", "batch", "said"),
    [
        ("no network", "0", torch.ones(1, 3, 4, 4), "expected a torch network, got str"),
        (nn.Conv2d(3, 2, 1), None, torch.ones(1, 3, 4, 4), "a layer's name or a list"),
        (nn.Sequential(nn.Conv2d(3, 2, 1)), [5], torch.ones(1, 3, 4, 4), "a layer's name or a list"),
        (nn.Sequential(nn.Conv2d(3, 2, 1)), "0", torch.ones(1, 3, 4, 4, dtype=torch.uint8), "batch of floats"),
        (nn.Sequential(nn.Conv2d(3, 2, 1)), "0", torch.ones(0, 3, 4, 4), "at least one image"),
        (nn.Sequential(nn.Conv2d(3, 2, 7)), "0", torch.ones(1, 3, 4, 4), "the size that it was made for; 224 is usual"),
    ],
)
def test_odd_requests(network, layers, batch, said):
    with pytest.raises(ValueError, match=said):
        torch_backend.capture(network, layers, batch)


def test_a_layer_that_returns_a_tuple_says_so():
    class Two(nn.Module):
        def forward(self, x):
            return x, x

    with pytest.raises(ValueError, match="got tuple"):
        torch_backend.capture(nn.Sequential(Two()), "0", torch.ones(1, 3, 4, 4))


def test_a_keras_layer_shared_by_two_networks(keras_backend):
    keras = keras_backend.keras
    shared, image = keras.layers.Conv2D(4, 3, name="shared"), keras.Input((8, 8, 3))
    plain, scaled = keras.Model(image, shared(image)), keras.Model(image, shared(keras.layers.Rescaling(100.0)(image)))
    batch = keras.ops.ones((1, 8, 8, 3))
    one, other = (keras_backend.capture(network, "shared", batch)["shared"] for network in (plain, scaled))
    np.testing.assert_allclose(other, 100 * one, rtol=1e-4)
    grown = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Rescaling(2.0), shared])
    np.testing.assert_allclose(keras_backend.capture(grown, "shared", batch)["shared"], 2 * one, rtol=1e-4)


def test_a_keras_model_run_twice_gives_its_first_answer(keras_backend):
    keras = keras_backend.keras
    inner = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 3, name="k")], name="inner")
    image = keras.Input((16, 16, 3))
    twice = keras.Model(image, inner(inner(image)))
    maps = keras_backend.capture(twice, ["inner", "inner/k"], keras.ops.ones((1, 16, 16, 3)))
    assert maps["inner/k"].shape == maps["inner"].shape == (1, 3, 14, 14)


def test_an_unbuilt_keras_model_says_what_to_do(keras_backend):
    keras = keras_backend.keras
    network = keras.Sequential([keras.layers.Conv2D(2, 1, name="first")])
    with pytest.raises(ValueError, match="call it once"):
        keras_backend.capture(network, "first", keras.ops.ones((1, 4, 4, 3)))
    with pytest.raises(ValueError, match="no weights yet"):
        keras_backend.filters(network, "first")
