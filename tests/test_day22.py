"""Day 22, the machinery: each method against captum and the other framework, scores on maps whose truth is known."""

from __future__ import annotations

import copy
import importlib
import random
import re
import warnings

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from scipy import stats
from torch import nn
from torch.nn import functional

from days.common.datasets import SHAPE_NAMES, make_shapes
from days.common.images import IMAGE_NAMES, load_image
from days.day17.code.backends import capture
from days.day18.code import torch_backend as shapes_backend
from days.day18.code.storage import load_finals
from days.day22.code import (
    attribution,
    claims,
    deeper,
    exercises,
    maps,
    mosaics,
    pointing,
    randomization,
    scoring,
    torch_backend,
)
from days.day22.code.lesson import Lesson, six_and_early

CAT, TABBY, ESPRESSO = 285, 281, 967


def off_by(got: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference, as a share of the largest value wanted."""
    assert got.shape == wanted.shape
    assert np.abs(wanted).max() > 0
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


@pytest.fixture(scope="module")
def keras_backend():
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    return importlib.import_module("days.day22.code.keras_backend")


@pytest.fixture(scope="module")
def batch(squeezenet, cat):
    # Both sides get one memory layout: in another one, sums are rounded otherwise.
    return squeezenet.preprocess(cat).contiguous(memory_format=torch.channels_last)


@pytest.fixture(scope="module")
def peer(squeezenet):
    """The network as captum can take it: no ReLU in place."""
    network = copy.deepcopy(squeezenet.network)
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    return network


def small_network(*, inplace: bool = True) -> nn.Sequential:
    """Two convolutions, a mean over all places, a linear layer: what CAM was made for."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(inplace)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)).eval()


def noise(count: int = 1, size: int = 12) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).normal(size=(count, 3, size, size)).astype(np.float32))


NAMES = ["ant", "bee", "cat", "dog", "eel"]
PIXEL_METHODS = ("saliency", "smooth_grad", "integrated_gradients", "guided_backpropagation", "occlusion")
QUICK = {"smooth_grad": {"samples": 3}, "integrated_gradients": {"steps": 16}, "occlusion": {"size": 5, "stride": 3}}


# ------------------------------------------------------------ equal to captum


@pytest.mark.parametrize("layer", ["conv1", "fire2", "fire5", "fire9", "fire8.squeeze", "conv10", "conv10_activation"])
def test_grad_cam_is_captums(squeezenet, peer, batch, layer):
    from captum.attr import LayerGradCam

    explainer = LayerGradCam(peer, peer.get_submodule(layer))
    theirs = explainer.attribute(batch, target=CAT, relu_attributions=True)[0, 0].detach().numpy()
    assert off_by(torch_backend.grad_cam(squeezenet.network, batch, layer, "Egyptian cat"), theirs) < 1e-6
    theirs = explainer.attribute(batch, target=TABBY)[0, 0].detach().numpy()
    assert off_by(torch_backend.grad_cam(squeezenet.network, batch, layer, TABBY, signed=True), theirs) < 1e-6


def channels_last(theirs: torch.Tensor) -> np.ndarray:
    return theirs[0].detach().numpy().transpose(1, 2, 0)


@pytest.mark.parametrize("layer", ["conv1", "fire5", "fire9"])
def test_hires_cam_is_captums_gradient_times_activation(squeezenet, peer, batch, layer):
    from captum.attr import LayerGradientXActivation

    theirs = LayerGradientXActivation(peer, peer.get_submodule(layer)).attribute(batch, target=CAT)
    theirs = theirs.sum(dim=1)[0].detach().numpy()
    ours = torch_backend.hires_cam(squeezenet.network, batch, layer, CAT, signed=True)
    assert off_by(ours, theirs) < 1e-5
    assert off_by(torch_backend.hires_cam(squeezenet.network, batch, layer, CAT), np.maximum(theirs, 0)) < 1e-5


def test_layer_cam_by_hand(squeezenet, batch):
    activations = capture(squeezenet.network, "fire5", batch)["fire5"].copy()
    front, back = squeezenet.network[:8], squeezenet.network[8:]
    inside = torch.from_numpy(activations).requires_grad_(True)
    with torch.no_grad():
        np.testing.assert_allclose(front(batch).numpy(), activations, atol=1e-4)
    (gradients,) = torch.autograd.grad(back(inside + 0)[0, CAT], inside)
    wanted = (gradients.clamp(min=0) * inside).sum(dim=1)[0].detach().numpy()
    assert off_by(torch_backend.layer_cam(squeezenet.network, batch, "fire5", CAT), wanted) < 1e-4


@pytest.mark.parametrize("category", [CAT, ESPRESSO, "space shuttle"])
def test_grad_cam_at_fire9_is_a_share_of_hires_cam_and_at_fire5_it_is_another_map(squeezenet, batch, category):
    """Where the category's own map is above 0, and the share of such places is the factor."""
    number = squeezenet.categories.index(category) if isinstance(category, str) else category
    above = capture(squeezenet.network, "conv10", batch)["conv10"][0, number] > 0
    pair = [
        method(squeezenet.network, batch, "fire9", number, signed=True)
        for method in (torch_backend.grad_cam, torch_backend.hires_cam)
    ]
    assert np.abs(pair[0] - above.mean() * pair[1])[above].max() < 1e-5 * np.abs(pair[1]).max()
    assert not pair[1][~above].any()
    early = [
        method(squeezenet.network, batch, "fire5", number).ravel()
        for method in (torch_backend.grad_cam, torch_backend.hires_cam)
    ]
    assert np.corrcoef(early)[0, 1] < 0.3


def test_saliency_is_captums(squeezenet, peer, batch):
    from captum.attr import Saliency

    theirs = Saliency(peer).attribute(batch.clone().requires_grad_(), target=CAT, abs=False)
    assert off_by(torch_backend.saliency(squeezenet.network, batch, CAT), channels_last(theirs)) < 1e-6


def test_guided_backpropagation_is_captums(squeezenet, peer, batch):
    from captum.attr import GuidedBackprop

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum says that it sets hooks
        theirs = GuidedBackprop(peer).attribute(batch.clone().requires_grad_(), target=CAT)
    assert off_by(torch_backend.guided_backpropagation(squeezenet.network, batch, CAT), channels_last(theirs)) < 1e-6


def test_integrated_gradients_are_captums(squeezenet, peer, batch):
    from captum.attr import IntegratedGradients

    explainer = IntegratedGradients(peer)
    # One by one, as ours: in a large batch sums are rounded otherwise, and a ReLU near 0 then opens or shuts.
    theirs = explainer.attribute(batch, target=CAT, n_steps=20, method="gausslegendre", internal_batch_size=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 20 steps are few
        ours = torch_backend.integrated_gradients(squeezenet.network, batch, CAT, steps=20)
    assert off_by(ours, channels_last(theirs)) < 1e-4


def test_smooth_grad_is_the_mean_of_captums_saliencies_of_the_same_noisy_copies(squeezenet, peer, batch):
    from captum.attr import Saliency

    pixels, generator = batch.permute(0, 2, 3, 1).numpy(), np.random.default_rng(5)
    found = []
    for _ in range(4):
        noisy = pixels + 0.1 * np.ptp(pixels) * generator.standard_normal(pixels.shape[1:], np.float32)
        copy_of_it = torch.from_numpy(noisy.astype(np.float32)).permute(0, 3, 1, 2).requires_grad_()
        found.append(channels_last(Saliency(peer).attribute(copy_of_it, target=CAT, abs=False)))
    ours = torch_backend.smooth_grad(squeezenet.network, batch, CAT, samples=4, spread=0.1, seed=5)
    assert off_by(ours, np.mean(found, axis=0)) < 1e-4


@pytest.mark.parametrize(("size", "stride"), [(64, 40), (50, 50)])
def test_occlusion_is_captums_also_where_squares_are_cut_at_the_edge(squeezenet, peer, batch, size, stride):
    from captum.attr import Occlusion

    how = {"sliding_window_shapes": (3, size, size), "strides": (3, stride, stride)}
    with torch.no_grad():
        theirs = Occlusion(peer).attribute(batch, target=CAT, **how)[0, 0].numpy()
    ours = torch_backend.occlusion(squeezenet.network, batch, CAT, size=size, stride=stride)
    assert off_by(ours, theirs) < 1e-4


# ------------------------------------------------------------ what must hold by mathematics


_OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in ("coffee", "flower", "china")]


@pytest.mark.parametrize("name", ["chelsea", *_OTHERS])
def test_integrated_gradients_are_complete_to_a_hundredth(squeezenet, name):
    batch = squeezenet.preprocess(load_image(name, size=224))
    ends = torch_backend.scores(squeezenet.network, torch.cat([batch, batch * 0]))
    number = int(ends[0].argmax())
    change = ends[0, number] - ends[1, number]
    total = torch_backend.integrated_gradients(squeezenet.network, batch, number).sum()
    assert total == pytest.approx(change, rel=0.01)


def test_integrated_gradients_that_are_not_complete_say_so(squeezenet, batch):
    with pytest.warns(RuntimeWarning, match=r"category 285 add up to .* take more steps"):
        torch_backend.integrated_gradients(squeezenet.network, batch, CAT, steps=2)


def test_integrated_gradients_take_a_number_or_a_batch_as_baseline():
    network, image = small_network(), noise()
    base = torch.full_like(image, 0.5)
    by_number, by_batch = (
        torch_backend.integrated_gradients(network, image, 1, baseline=one, steps=200) for one in (0.5, base)
    )
    np.testing.assert_array_equal(by_number, by_batch)
    ends = torch_backend.scores(network, torch.cat([image, base]))
    assert by_number.sum() == pytest.approx(ends[0, 1] - ends[1, 1], rel=0.01)
    with pytest.raises(ValueError, match="expected a baseline"):
        torch_backend.integrated_gradients(network, image, 1, baseline=noise(size=11))


def test_grad_cam_is_cam_where_the_head_is_a_mean_and_a_linear_layer():
    network, image = small_network(), noise()
    with torch.no_grad():
        features = network[:4](image)[0].numpy()
    for number in range(5):
        cam = np.einsum("c,chw->hw", network[6].weight[number].detach().numpy(), features)
        for method in (torch_backend.grad_cam, torch_backend.hires_cam):
            ours = method(network, image, "3", number, signed=True)
            np.testing.assert_allclose(ours, cam / cam.size, atol=1e-6 * np.abs(cam).max())


def test_grad_cam_of_squeezenets_last_maps_is_the_categorys_own_map(squeezenet, batch):
    from days.day17.code.torch_backend import capture

    own = capture(squeezenet.network, "conv10_activation", batch)["conv10_activation"][0, CAT]
    ours = torch_backend.grad_cam(squeezenet.network, batch, "conv10_activation", CAT)
    np.testing.assert_allclose(ours, own / own.size, atol=1e-6 * own.max())


def test_saliency_is_the_difference_quotient():
    network, image = small_network().double(), noise().double()
    gradient = torch_backend.saliency(network, image, 2)
    for row, column, channel in ((3, 4, 0), (0, 11, 2), (7, 7, 1)):
        step = torch.zeros_like(image)
        step[0, channel, row, column] = 1e-6
        ends = torch_backend.scores(network, torch.cat([image + step, image - step]))[:, 2]
        assert gradient[row, column, channel] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_smooth_grad_without_spread_is_saliency():
    network, image = small_network(), noise()
    smooth = torch_backend.smooth_grad(network, image, 2, samples=3, spread=0)
    assert off_by(smooth, torch_backend.saliency(network, image, 2)) < 1e-6


def test_occlusion_of_a_network_that_reads_one_corner_points_there():
    network = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 1, bias=False))
    nn.init.zeros_(network[2].weight).data[0, 3] = 1.0  # the first color's top right quarter of a quarter
    image = torch.ones(1, 3, 16, 16)
    found = torch_backend.occlusion(network, image, 0, size=4, stride=4)
    wanted = np.zeros((16, 16))
    wanted[:4, 12:] = 1
    np.testing.assert_allclose(found, wanted, atol=1e-6)


# ------------------------------------------------------------ torch and Keras


def both(name, squeezenet, keras_squeezenet, keras_backend, cat, *asked, **how):
    ours = getattr(torch_backend, name)(squeezenet.network, squeezenet.preprocess(cat), *asked, **how)
    theirs = getattr(keras_backend, name)(keras_squeezenet.network, keras_squeezenet.preprocess(cat), *asked, **how)
    return ours, theirs


@pytest.mark.parametrize(
    ("name", "asked", "how"),
    [
        ("grad_cam", ("conv1", CAT), {}),
        ("grad_cam", ("fire5", CAT), {"signed": True}),
        ("grad_cam", ("fire9", ["Egyptian cat", "tabby", ESPRESSO]), {}),
        ("hires_cam", ("fire5", CAT), {"signed": True}),
        ("layer_cam", ("fire5", CAT), {}),
        ("saliency", ("tabby",), {}),
        ("guided_backpropagation", (["Egyptian cat", ESPRESSO],), {}),
        ("occlusion", ([CAT, TABBY],), {"size": 64, "stride": 40, "fill": (10.0, 0.0, -5.0)}),
    ],
)
def test_both_frameworks_give_the_same(squeezenet, keras_squeezenet, keras_backend, cat, name, asked, how):
    ours, theirs = both(name, squeezenet, keras_squeezenet, keras_backend, cat, *asked, **how)
    assert off_by(theirs, ours) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(("name", "how"), [("smooth_grad", {"samples": 4}), ("integrated_gradients", {"steps": 24})])
def test_both_frameworks_give_the_same_but_where_a_relu_jumps(
    squeezenet, keras_squeezenet, keras_backend, cat, name, how
):
    """Among millions of ReLUs a few lie within rounding of 0, and the two frameworks round otherwise."""
    ours, theirs = both(name, squeezenet, keras_squeezenet, keras_backend, cat, CAT, **how)
    assert off_by(theirs, ours) < 1e-2
    assert np.abs(theirs - ours).mean() < 1e-4 * np.abs(ours).max()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["smooth_grad", "integrated_gradients"])
def test_both_frameworks_give_the_same_in_double_precision(keras_backend, name):
    """What differs above is rounding: with 64 bits it is gone."""
    from days.day18.code import keras_backend as keras_shapes

    keras, images = keras_backend.keras, make_shapes(4, seed=9).images.astype(np.float64)
    keras.config.set_floatx("float64")  # the input's type
    keras.config.set_dtype_policy("float64")
    try:
        theirs = keras_shapes.small_cnn(shapes_backend.load_weights())
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    ours, pixels = shapes_backend.shapes_model().network.double(), 2 * images - 1
    how = {"smooth_grad": {"samples": 4}, "integrated_gradients": {"steps": 200}}[name]
    found = getattr(torch_backend, name)(ours, torch.from_numpy(pixels).permute(0, 3, 1, 2), [0, 1, 2, 3], **how)
    other = getattr(keras_backend, name)(theirs, keras_backend.tensorflow.constant(pixels), [0, 1, 2, 3], **how)
    assert off_by(other, found) < 1e-9


def test_keras_guides_layers_with_their_own_relu_and_nested_models(keras_backend):
    keras = keras_backend.keras
    inner = keras.Sequential(
        [keras.Input((None, None, 6)), keras.layers.Conv2D(8, 3, padding="same"), keras.layers.ReLU()]
    )
    start = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="first")(start)
    x = inner(x)
    x = keras.ops.relu(0.3 - x) + x
    x = keras.layers.Dense(5, name="scores")(keras.layers.GlobalAveragePooling2D()(x))
    network = keras.Model(start, x)
    same = small_network()
    places = {"0": network.get_layer("first"), "2": inner.layers[0], "6": network.get_layer("scores")}
    for name, layer in places.items():
        values = same.get_submodule(name).weight.detach().numpy()
        turned = values.transpose(2, 3, 1, 0) if values.ndim == 4 else values.T
        layer.set_weights([turned, same.get_submodule(name).bias.detach().numpy()])

    class Again(nn.Module):
        def forward(self, maps):
            return functional.relu(0.3 - maps) + maps

    same = nn.Sequential(*same[:4], Again(), *same[4:])
    pixels, nodes = noise(), [len(layer._inbound_nodes) for layer in network.layers]
    theirs = keras_backend.guided_backpropagation(
        network, keras.ops.convert_to_tensor(pixels.permute(0, 2, 3, 1).numpy()), 3
    )
    assert off_by(theirs, torch_backend.guided_backpropagation(same, pixels, 3)) < 1e-5
    assert nodes == [len(layer._inbound_nodes) for layer in network.layers]
    plain = keras_backend.saliency(network, keras.ops.convert_to_tensor(pixels.permute(0, 2, 3, 1).numpy()), 3)
    assert off_by(plain, torch_backend.saliency(same, pixels, 3)) < 1e-5
    nested = keras_backend.grad_cam(
        network,
        keras.ops.convert_to_tensor(pixels.permute(0, 2, 3, 1).numpy()),
        f"{inner.name}/{inner.layers[1].name}",
        3,
    )
    assert off_by(nested, torch_backend.grad_cam(same, pixels, "3", 3)) < 1e-5


def keras_network(keras_backend, end):
    """A convolution, a mean over all places, and what `end` makes of its 5 numbers with a dense layer."""
    keras = keras_backend.keras
    keras.utils.set_random_seed(0)
    start, dense = keras.Input((12, 12, 3)), keras.layers.Dense(5, name="dense")
    maps = keras.layers.Conv2D(5, 3, activation="relu", name="first")(start)
    return keras.Model(start, end(keras, dense, keras.layers.GlobalAveragePooling2D()(maps)))


def twice(keras, dense, means):
    return dense(keras.ops.tanh(dense(means)))


def doubled(keras, dense, means):
    return dense(means) * 2.0


def plain(keras, dense, means):
    return dense(means)


def dropped(keras, dense, means):
    return dense(keras.layers.Dropout(0.9)(means, training=True))


@pytest.mark.parametrize(("end", "same"), [(twice, twice), (doubled, doubled), (dropped, plain)])
def test_keras_grad_cam_is_that_of_the_networks_own_scores(keras_backend, end, same):
    """The layer that answers runs twice, or no layer answers but an operation, or one was told to train."""
    keras, tensorflow = keras_backend.keras, keras_backend.tensorflow
    network, pixels = keras_network(keras_backend, end), noise().permute(0, 2, 3, 1).numpy()
    maps = keras.Model(network.inputs[0], network.get_layer("first").output)(pixels)
    with tensorflow.GradientTape() as tape:
        tape.watch(maps)
        score = same(keras, network.get_layer("dense"), tensorflow.reduce_mean(maps, (1, 2)))[0, 3]
    wanted = (tape.gradient(score, maps).numpy().mean((1, 2), keepdims=True) * maps.numpy()).sum(-1)[0]
    ours = keras_backend.grad_cam(network, tensorflow.constant(pixels), "first", 3, signed=True)
    assert off_by(ours, wanted) < 1e-5


def test_keras_refuses_what_it_cannot_run_in_one_clear_error(keras_backend, keras_squeezenet):
    keras, tensorflow = keras_backend.keras, keras_backend.tensorflow
    network, small = keras_network(keras_backend, plain), tensorflow.zeros((1, 5, 5, 3))
    batch = tensorflow.zeros((1, 12, 12, 3))
    two = keras.Model(network.inputs, [*network.outputs, network.get_layer("first").output])
    for name in ("grad_cam", *PIXEL_METHODS):
        first, ninth = (("first",), ("fire9",)) if name == "grad_cam" else ((), ())
        with pytest.raises(ValueError, match="one input and one output, got 1 and 2"):
            getattr(keras_backend, name)(two, batch, *first, 1)
        with pytest.raises(ValueError, match=r"cannot take a batch of shape \(1, 5, 5, 3\)"):
            getattr(keras_backend, name)(keras_squeezenet.network, small, *ninth, CAT)
    with pytest.raises(ValueError, match=r"expected a layer's name, got .'first'."):
        keras_backend.grad_cam(network, batch, ["first"], 1)
    with pytest.raises(ValueError, match=r"expected shape=.* found shape=") as error:
        keras_backend.scores(network, tensorflow.zeros((1, 13, 12, 3)))
    assert "inspect._empty" not in str(error.value)  # Keras ends its messages with the call's arguments


def test_keras_compiles_nothing(keras_squeezenet, keras_backend, cat, monkeypatch):
    """TensorFlow never lets go of a graph entirely, and each compiled function is one."""
    from tensorflow.python.framework.func_graph import FuncGraph

    traced, begin = [], FuncGraph.__init__
    monkeypatch.setattr(FuncGraph, "__init__", lambda graph, *a, **k: traced.append(graph) or begin(graph, *a, **k))
    keras_backend.tensorflow.function(lambda one: one + 1)(keras_backend.tensorflow.constant(1.0))
    assert traced  # so a graph would be noticed
    traced.clear()
    batch, network = keras_squeezenet.preprocess(cat), keras_squeezenet.network
    keras_backend.grad_cam(network, batch, "fire9", CAT)
    keras_backend.smooth_grad(network, batch, CAT, samples=1)
    keras_backend.guided_backpropagation(network, batch, CAT)
    keras_backend.occlusion(network, batch, CAT, size=112, stride=112)
    assert not traced


# ------------------------------------------------------------ the network comes back as it was


def state_of(network: nn.Module):
    modes = [module.training for module in network.modules()]
    hooks = sum(len(module._forward_hooks) + len(module._backward_hooks) for module in network.modules())
    values = [(one.requires_grad, one.grad is None, one.detach().clone()) for one in network.parameters()]
    return modes, hooks, values


def call_all(network: nn.Module, batch: torch.Tensor, category) -> list[np.ndarray]:
    found = [torch_backend.grad_cam(network, batch, "2", category, signed=True)]
    return found + [
        getattr(torch_backend, name)(network, batch, category, **QUICK.get(name, {})) for name in PIXEL_METHODS
    ]


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("grad_mode", [torch.no_grad, torch.enable_grad])
def test_frozen_weights_in_place_relus_and_training_mode(frozen, grad_mode):
    network = small_network(inplace=True)
    plain = call_all(small_network(inplace=False), noise(), 1)
    network.insert(4, nn.Dropout(0.5))  # would draw numbers in training mode
    network.train()
    network[2].eval()
    network.requires_grad_(not frozen)
    before, pixels = state_of(network), noise()
    with grad_mode():
        found = call_all(network, pixels, 1)
        assert torch.is_grad_enabled() == (grad_mode is torch.enable_grad)
    after = state_of(network)
    assert before[:2] == after[:2]
    for one, other in zip(before[2], after[2], strict=True):
        assert one[:2] == other[:2]
        assert torch.equal(one[2], other[2])
    assert torch.equal(pixels, noise())
    for one, other in zip(found, plain, strict=True):
        assert off_by(one, other) < 1e-5


def test_inside_inference_mode_maps_are_the_same():
    network, pixels = small_network(), noise()
    plain = call_all(network, pixels, 1)
    with torch.inference_mode():
        found = call_all(network, pixels + 0, 1)
        assert torch.is_inference_mode_enabled()
    for one, other in zip(found, plain, strict=True):
        assert off_by(one, other) < 1e-6


class TwoAnswers(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = small_network()

    def forward(self, batch):
        return self.inner(batch), batch


@pytest.mark.parametrize("name", PIXEL_METHODS)
def test_a_network_of_two_answers_is_refused(name):
    with pytest.raises(ValueError, match=r"expected scores \(1, categories\) from the network, got tuple"):
        getattr(torch_backend, name)(TwoAnswers(), noise(), 1)


class Broken(nn.Module):
    def forward(self, maps):
        raise KeyError("broken here")


def test_no_hook_and_no_mode_is_left_after_an_exception():
    network = small_network().train()
    network.insert(4, Broken())
    before = state_of(network)
    for name in ("grad_cam", *PIXEL_METHODS):
        layer = ("2",) if name == "grad_cam" else ()
        with pytest.raises(ValueError, match="KeyError: 'broken here'"):
            getattr(torch_backend, name)(network, noise(), *layer, 1)
        assert state_of(network)[:2] == before[:2]
        assert torch.is_grad_enabled()
    again = small_network()
    assert off_by(torch_backend.saliency(again, noise(), 1), torch_backend.saliency(again, noise(), 1)) == 0


def test_guided_backpropagation_finds_relus_that_are_functions():
    class Functions(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = small_network()

        def forward(self, batch):
            maps = functional.relu(self.inner[0](batch), inplace=True)
            maps = self.inner[2](maps).relu_()
            return self.inner[4:](maps)

    network = Functions()
    ours = torch_backend.guided_backpropagation(network, noise(), 1)
    assert off_by(ours, torch_backend.guided_backpropagation(small_network(), noise(), 1)) < 1e-6
    assert off_by(ours, torch_backend.saliency(network, noise(), 1)) > 0.1


@pytest.mark.parametrize("relu", [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.ReLU6(inplace=True)], ids=str)
def test_guided_backpropagation_by_hand(relu):
    """Score = -relu(x) + 2 relu(x): the first way's gradient is negative, and is cut off; the second's stays."""
    network = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), relu, nn.Conv2d(2, 1, 1, bias=False), nn.Flatten())
    network[0].weight.data[:] = torch.tensor([1.0, 1.0]).reshape(2, 1, 1, 1)
    network[2].weight.data[:] = torch.tensor([-1.0, 2.0]).reshape(1, 2, 1, 1)
    one = torch.full((1, 1, 1, 1), 3.0)
    assert torch_backend.guided_backpropagation(network, one, 0).item() == 2
    assert torch_backend.saliency(network, one, 0).item() == 1


def test_grad_cam_of_a_network_of_nested_blocks_with_batch_norm_is_captums(cat):
    from captum.attr import LayerGradCam

    from days.common.models import load_model

    model = load_model("efficientnet_lite0")
    peer = copy.deepcopy(model.network)
    for module in peer.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    batch = model.preprocess(cat).contiguous(memory_format=torch.channels_last)
    model.network.train()  # a batch norm that counted on would change the network
    for layer in ("conv_stem", "blocks.4.1", "blocks.6"):
        theirs = LayerGradCam(peer, peer.get_submodule(layer)).attribute(batch, target=CAT)[0, 0].detach().numpy()
        assert off_by(torch_backend.grad_cam(model.network, batch, layer, CAT, signed=True), theirs) < 1e-6
    assert all(torch.equal(one, other) for one, other in zip(model.network.buffers(), peer.buffers(), strict=True))


class Skipping(nn.Module):
    """A layer beside whose way another one leads on, called in a nested block, with a second layer that is not used."""

    def __init__(self):
        super().__init__()
        self.stem, self.block, self.head = (
            nn.Conv2d(3, 4, 3),
            nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(True)),
            nn.Linear(4, 3),
        )
        self.unused, self.loose = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, batch):
        first = self.stem(batch)
        self.loose(first)
        return self.head((first + self.block(first)).mean((2, 3)))


def test_grad_cam_of_a_layer_beside_a_shortcut_is_captums():
    from captum.attr import LayerGradCam

    torch.manual_seed(1)
    network = Skipping()
    peer = copy.deepcopy(network)
    peer.block[1].inplace = False
    for layer in ("stem", "block.0", "block"):
        theirs = LayerGradCam(peer, peer.get_submodule(layer)).attribute(noise(), target=1)[0, 0].detach().numpy()
        assert off_by(torch_backend.grad_cam(network, noise(), layer, 1, signed=True), theirs) < 1e-6
    with pytest.raises(ValueError, match="'unused' did not run"):
        torch_backend.grad_cam(network, noise(), "unused", 1)
    with pytest.raises(ValueError, match="near it: unused"):
        torch_backend.grad_cam(network, noise(), "unsued", 1)
    with pytest.raises(ValueError, match="expected maps"):
        torch_backend.grad_cam(network, noise(), "head", 1)
    with pytest.warns(RuntimeWarning, match="the gradient is 0"):
        assert not torch_backend.grad_cam(network, noise(), "loose", 1).any()
    network.requires_grad_(False)
    with pytest.warns(RuntimeWarning, match="the gradient is 0"):
        assert not torch_backend.grad_cam(network, noise(), "loose", 1).any()


def test_a_layer_that_runs_twice_counts_the_first_time():
    network = small_network()
    twice = nn.Sequential(network[0], network[1], network[2], network[1], *network[4:])
    ours = torch_backend.grad_cam(twice, noise(), "1", 2, signed=True)
    assert off_by(ours, torch_backend.grad_cam(network, noise(), "1", 2, signed=True)) < 1e-6


class PassedOn(nn.Module):
    """A layer that answers its own input, which is then changed in place."""

    def __init__(self):
        super().__init__()
        self.stem, self.same, self.head = nn.Conv2d(3, 4, 3), nn.Identity(), nn.Linear(4, 3)

    def forward(self, batch):
        first = self.stem(batch)
        second = self.same(first)
        first.mul_(0)
        return self.head(second.mean((2, 3)))


def test_activations_are_copies_that_nothing_changes_later():
    network = PassedOn()
    plain = nn.Sequential(network.stem, nn.AdaptiveAvgPool2d(1), nn.Flatten(), network.head)
    ours = torch_backend.grad_cam(network, noise(), "same", 1, signed=True)
    assert off_by(ours, torch_backend.grad_cam(plain, noise(), "0", 1, signed=True)) < 1e-6


# ------------------------------------------------------------ which category


def test_several_categories_and_batches_are_the_single_ones():
    network, images = small_network(), noise(3)
    for several, singles in (
        (call_all(network, images[:1], [1, 4]), [call_all(network, images[:1], one) for one in (1, 4)]),
        (
            call_all(network, images, [1, 4, 0]),
            [call_all(network, images[i : i + 1], n) for i, n in enumerate((1, 4, 0))],
        ),
        (call_all(network, images, 2), [call_all(network, images[i : i + 1], 2) for i in range(3)]),
        (call_all(network, images[:1], [3]), [call_all(network, images[:1], 3)]),
    ):
        for method, together in enumerate(several):
            assert off_by(together, np.stack([single[method] for single in singles])) < 1e-5


@pytest.mark.slow
def test_several_in_keras_are_the_single_ones(keras_backend):
    from days.day18.code import keras_backend as keras_shapes

    model, shapes = keras_shapes.shapes_model(), make_shapes(3, seed=2)
    images, how = keras_shapes.to_batch(shapes.images), {"names": model.categories}
    for name in ("grad_cam", *PIXEL_METHODS):
        first = ("conv3_activation",) if name == "grad_cam" else ()

        def ask(batch, category, name=name, first=first):
            knobs = QUICK.get(name, {}) | how
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return getattr(keras_backend, name)(model.network, batch, *first, category, **knobs)

        assert (
            off_by(ask(images, [0, 5, 2]), np.stack([ask(images[i : i + 1], n) for i, n in enumerate((0, 5, 2))]))
            < 1e-4
        )
        assert off_by(ask(images[:1], ["ring", 2]), np.stack([ask(images[:1], n) for n in (1, "square")])) < 1e-4


def test_a_category_by_name_is_the_one_by_number(squeezenet, batch):
    by_name = torch_backend.grad_cam(squeezenet.network, batch, "fire9", "egyptian CAT")
    np.testing.assert_array_equal(by_name, torch_backend.grad_cam(squeezenet.network, batch, "fire9", np.int64(CAT)))
    own = torch_backend.grad_cam(small_network(), noise(), "3", "dog", names=NAMES, signed=True)
    np.testing.assert_array_equal(own, torch_backend.grad_cam(small_network(), noise(), "3", 3, signed=True))


@pytest.mark.parametrize(
    ("category", "count", "names", "said"),
    [
        ("egyptian ct", 1000, None, "near it: .*Egyptian cat"),
        ("rocket", 1000, None, "no category 'rocket' among 1000; near it: .*rock"),
        ("cat", 1000, None, "near it: .*cat"),
        ("Ant", 3, ["ant", "bee", "ant"], "categories 0 and 2: give the number"),
        ("sqare", 6, SHAPE_NAMES, "near it: square"),
        ("", 6, SHAPE_NAMES, "no category ''"),
        ("square", 6, None, "names=model.categories"),
        ("square", 7, SHAPE_NAMES, "expected 7 names.* got 6"),
        ("square", 2, {0: "square", 1: "ring"}, "expected 2 names, one for each category, got .0: .square., 1: .ring."),
        (1000, 1000, None, "from 0 to 999.* got 1000"),
        (-1, 1000, None, "from 0 to 999.* got -1"),
        (2.0, 1000, None, "got 2.0"),
        (True, 1000, None, "got True"),
        ([], 1000, None, "got 0"),
        ([1, 1000], 1000, None, "got 1000"),
    ],
)
def test_categories_that_are_none(category, count, names, said):
    with pytest.raises(ValueError, match=said):
        attribution.wanted(category, 1, count, names)


def test_a_list_must_fit_the_batch():
    with pytest.raises(ValueError, match="one for each of the 3 images, got 2"):
        torch_backend.saliency(small_network(), noise(3), [1, 2])
    with pytest.raises(ValueError, match=r"expected scores \(1, categories\)"):
        torch_backend.saliency(small_network()[:4], noise(), 1)


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        ("smooth_grad", {"samples": 0}, "samples as a whole number of at least 1, got 0"),
        ("smooth_grad", {"spread": -1}, "spread of at least 0"),
        ("smooth_grad", {"spread": "0.1"}, "spread of at least 0.* got '0.1'"),
        ("smooth_grad", {"seed": -1}, "seed as a whole number of at least 0, got -1"),
        ("smooth_grad", {"seed": None}, "seed as a whole number"),
        ("integrated_gradients", {"steps": 1.5}, "steps as a whole number"),
        ("occlusion", {"size": 4, "stride": 5}, "stride of at most the size, 4, got 5"),
        ("occlusion", {"size": 0}, "size as a whole number"),
        ("occlusion", {"fill": None}, "a fill of one finite number, or of 3, one for each channel, got None"),
        ("occlusion", {"fill": np.nan}, "got nan"),
        ("occlusion", {"fill": (1, 2)}, r"got \(1, 2\)"),
        ("integrated_gradients", {"baseline": "black"}, "baseline .* got 'black'"),
    ],
)
def test_knobs_out_of_range(name, how, said):
    with pytest.raises(ValueError, match=said):
        getattr(torch_backend, name)(small_network(), noise(), 1, **how)


def test_why_one_and_not_the_other_is_the_map_of_a_network_that_subtracts():
    """The difference of two scores as a score of its own: a last layer that subtracts gives the same maps."""
    network, asked = small_network(), attribution.Rather(2, 0)
    subtracting = copy.deepcopy(network)
    last = subtracting[-1]
    with torch.no_grad():
        for values in (last.weight, last.bias):
            values[1] = values[2] - values[0]
    for name in PIXEL_METHODS:
        how = QUICK.get(name, {})
        got = getattr(torch_backend, name)(network, noise(), asked, **how)
        wanted = getattr(torch_backend, name)(subtracting, noise(), 1, **how)
        assert off_by(got, wanted) < 1e-5, name
    got, wanted = (
        torch_backend.grad_cam(net, noise(), "3", target, signed=True)
        for net, target in ((network, asked), (subtracting, 1))
    )
    assert off_by(got, wanted) < 1e-5
    several = torch_backend.saliency(network, noise(), [asked, 1])
    assert several.shape == (2, 12, 12, 3)
    with pytest.raises(ValueError, match="two categories to tell apart, got 2 twice"):
        torch_backend.saliency(network, noise(), attribution.Rather(2, 2))
    with pytest.raises(ValueError, match="a category from 0 to"):
        torch_backend.saliency(network, noise(), attribution.Rather(2, 99))


def test_why_one_and_not_the_other_in_both_frameworks(squeezenet, keras_squeezenet, keras_backend, cat):
    ours, theirs = both(
        "grad_cam", squeezenet, keras_squeezenet, keras_backend, cat, "fire9", attribution.Rather(285, 281), signed=True
    )
    assert off_by(ours, theirs) < 1e-4


class Tokens(nn.Module):
    """A transformer's first steps: patches as tokens behind one for the class, each put through a layer, and a mean."""

    def __init__(self):
        super().__init__()
        self.patch, self.block, self.last = nn.Conv2d(3, 4, 3, 3), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, batch):
        tokens = self.patch(batch).flatten(2).transpose(1, 2)
        tokens = self.block(torch.cat([tokens.mean(1, keepdim=True), tokens], 1))
        return self.last(torch.relu(tokens).mean(1))


def test_tokens_on_a_named_grid_are_maps():
    torch.manual_seed(0)
    network, batch = Tokens(), noise(2)
    maps = capture(network, "block", batch, grid=(4, 4))["block"]
    by_hand = network.block(network.patch(batch).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    np.testing.assert_allclose(maps, by_hand.detach().numpy(), atol=1e-6)
    assert torch_backend.grad_cam(network, batch, "block", 1, grid=(4, 4), signed=True).shape == (2, 4, 4)
    with pytest.raises(ValueError, match=r"tokens \(N, T, C\), name their grid"):
        torch_backend.grad_cam(network, batch, "block", 1)
    with pytest.raises(ValueError, match=r"expected 5 x 4 tokens .* got 17"):
        capture(network, "block", batch, grid=(5, 4))
    with pytest.raises(ValueError, match=r"got \(2, 4, 4, 4\), whose channels may be first or last"):
        capture(network, "patch", batch, grid=(4, 4))


# ------------------------------------------------------------ no empty map without a word


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda x: torch.softmax(1e4 * x, 1), "softmax or sigmoid, which is saturated"),
        (torch.round, "its forward rounds"),
        (lambda x: x.detach(), "leaves the graph.*detach"),
        (lambda x: (100 * x).long().float(), "casts to whole numbers"),
        (lambda x: torch.from_numpy(x.detach().numpy().copy()), "leaves the graph.*detach"),
        (torch.no_grad()(lambda x: 2 * x), "switches gradients off"),
        (torch.inference_mode()(lambda x: 2 * x), "inference_mode"),
    ],
)
@pytest.mark.parametrize("name", ["saliency", "grad_cam"])
def test_a_gradient_of_0_is_explained_by_what_causes_it(name, end, said):
    class Ends(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = small_network()

        def forward(self, batch):
            return end(self.body(batch))

    asked = ("body.3", 1) if name == "grad_cam" else (1,)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            getattr(torch_backend, name)(Ends(), noise(), *asked)
            message = ""
        except ValueError as error:
            message = str(error)
    assert re.search(said, " ".join([message, *(str(one.message) for one in warned)]))


def test_an_empty_map_says_why(squeezenet, batch):
    network = small_network()
    network[6].weight.data[0] = -1
    with pytest.warns(RuntimeWarning, match="nothing in it is above 0; signed=True"):
        assert not torch_backend.grad_cam(network, noise(), "3", 0).any()
    assert torch_backend.grad_cam(network, noise(), "3", 0, signed=True).min() < 0
    network[6].weight.data[0] = 0
    with pytest.warns(RuntimeWarning, match="the gradient is 0"):
        assert not torch_backend.grad_cam(network, noise(), "3", 0).any()
    for name in PIXEL_METHODS:
        with pytest.warns(RuntimeWarning, match="0 everywhere"):
            assert not getattr(torch_backend, name)(network, noise(), 0, **QUICK.get(name, {})).any()
    network[6].weight.data[0] = np.nan
    with pytest.warns(RuntimeWarning, match="not finite"):
        assert np.isnan(torch_backend.grad_cam(network, noise(), "3", 0)).any()


def test_a_map_that_is_not_empty_says_nothing(squeezenet, batch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch_backend.grad_cam(squeezenet.network, batch, "fire9", CAT)
        torch_backend.saliency(squeezenet.network, batch, CAT)


# ------------------------------------------------------------ maps


@pytest.mark.parametrize(
    ("small", "large"), [((13, 13), (224, 224)), ((3, 5), (17, 4)), ((1, 1), (6, 5)), ((9, 1), (4, 3))]
)
def test_enlarging_is_torchs(small, large):
    values = np.random.default_rng(0).normal(size=(2, *small)).astype(np.float32)
    theirs = functional.interpolate(torch.from_numpy(values)[None], large, mode="bilinear", align_corners=False)[0]
    np.testing.assert_allclose(maps.enlarge(values, large), theirs.numpy(), atol=1e-5)


def test_smoothing_is_scipys():
    from scipy.ndimage import gaussian_filter

    values = np.random.default_rng(0).normal(size=(20, 31))
    np.testing.assert_allclose(maps.smoothed(values, 1.7), gaussian_filter(values, 1.7, mode="reflect"), atol=2e-3)
    assert maps.smoothed(values, 9.0).sum() == pytest.approx(values.sum())
    np.testing.assert_array_equal(maps.smoothed(values, 0), values)


@pytest.mark.parametrize("size", [(224, 224), (300, 451), (97, 64), (5, 400)])
def test_an_overlay_keeps_the_photos_size_and_colors_what_is_marked(size):
    photo = np.random.default_rng(0).random((*size, 3)).astype(np.float32)
    one = np.zeros((13, 13))
    one[:, 0] = 2.0
    picture, unmarked = maps.overlay(photo, one, 0.7), maps.overlay(photo, one * 0, 0.7)
    assert picture.shape == photo.shape
    assert picture.dtype == np.float32
    np.testing.assert_allclose(picture[:, size[1] // 2 :], unmarked[:, size[1] // 2 :], atol=1e-6)
    brightest = np.array(colormaps["inferno"](1.0)[:3])
    np.testing.assert_allclose(picture[:, 0], 0.3 * unmarked[:, 0] + 0.7 * brightest, atol=1e-5)
    np.testing.assert_array_equal(maps.overlay(photo, one, 0), photo)


def test_overlays_of_one_top_can_be_compared_and_empty_ones_show_no_color():
    photo = np.full((8, 8, 3), 0.5, np.float32)
    weak = np.full((2, 2), 0.1)
    empty = maps.overlay(photo, weak * 0)
    changed = [np.abs(maps.overlay(photo, weak, top=top) - empty).mean() for top in (None, 1.0)]
    assert changed[0] > 5 * changed[1] > 0
    assert np.ptp(empty) == 0
    np.testing.assert_array_equal(maps.overlay(photo, -weak), empty)


@pytest.mark.parametrize(
    ("photo", "one", "how", "said"),
    [
        (np.ones((4, 4)), np.ones((2, 2)), {}, r"photo \(H, W, 3\)"),
        (np.ones((4, 4, 3)), np.ones((1, 2, 2)), {}, r"map \(h, w\), got .* \(1, 2, 2\)"),
        (np.ones((4, 4, 3)), np.full((2, 2), np.nan), {}, "finite map"),
        (np.full((4, 4, 3), 255, np.uint8), np.ones((2, 2)), {}, "got uint8: load_image"),
        (np.full((4, 4, 3), np.nan), np.ones((2, 2)), {}, "expected finite values"),
        (np.ones((4, 4, 3)), np.ones((2, 2)), {"strength": 2}, "strength from 0 to 1"),
        (np.ones((4, 4, 3)), np.ones((2, 2)), {"top": 0}, "top above 0"),
    ],
)
def test_overlays_refuse(photo, one, how, said):
    with pytest.raises(ValueError, match=said):
        maps.overlay(photo, one, **how)


# ------------------------------------------------------------ scores


@pytest.fixture(scope="module")
def shapes():
    return make_shapes(60, seed=4)


@pytest.fixture(scope="module")
def shapes_model():
    return shapes_backend.shapes_model()


def test_the_mask_itself_scores_one_and_its_opposite_nothing(shapes):
    for measure in (scoring.pointing_game, scoring.share_inside):
        np.testing.assert_array_equal(measure(shapes.masks.astype(float), shapes.masks), 1)
        np.testing.assert_array_equal(measure(1.0 - shapes.masks, shapes.masks), 0)
        area = shapes.masks.mean(axis=(1, 2))
        np.testing.assert_allclose(measure(np.zeros(shapes.masks.shape), shapes.masks), area)
    signed = np.where(shapes.masks, 1.0, -5.0)
    for measure in (scoring.pointing_game, scoring.share_inside):
        np.testing.assert_array_equal(measure(signed, shapes.masks), 1)


@pytest.mark.parametrize("measure", [scoring.pointing_game, scoring.share_inside])
def test_measures_refuse_what_does_not_fit(measure):
    with pytest.raises(ValueError, match="maps and masks of one shape"):
        measure(np.ones((2, 4, 4)), np.ones((4, 4)))
    with pytest.raises(ValueError, match="finite maps"):
        measure(np.full((4, 4), np.nan), np.ones((4, 4)))


def test_insertion_and_deletion_by_hand():
    """The score is the sum of four pixels 4, 3, 2, 1: in the right order they come and go fast."""
    image = np.array([[4.0, 1.0], [3.0, 2.0]])[..., None]

    def score(images):
        return images.sum(axis=(1, 2, 3))

    right = scoring.insertion_deletion(score, image, image[..., 0], fill=0, steps=4)
    np.testing.assert_array_equal(right.insertion, [0, 4, 7, 9, 10])
    np.testing.assert_array_equal(right.deletion, [10, 6, 3, 1, 0])
    assert right.areas == (pytest.approx(25 / 4), pytest.approx(15 / 4))
    wrong = scoring.insertion_deletion(score, image, -image[..., 0], fill=0, steps=4)
    np.testing.assert_array_equal(wrong.insertion, [0, 1, 3, 6, 10])
    half = scoring.insertion_deletion(score, image, image[..., 0], fill=5.0, steps=2)
    np.testing.assert_array_equal(half.insertion, [20, 17, 10])
    for kind in (np.uint8, np.int8):  # whose negatives are no order
        again = scoring.insertion_deletion(score, image, (image[..., 0] - 1).astype(kind), fill=0, steps=4)
        np.testing.assert_array_equal(again.insertion, right.insertion)
    mask = scoring.insertion_deletion(score, image, image[..., 0] > 3, fill=0, steps=4)
    np.testing.assert_array_equal(mask.insertion, [0, 4, 5, 8, 10])
    with pytest.raises(ValueError, match="map of the image's size"):
        scoring.insertion_deletion(score, image, np.ones((3, 2)), fill=0)
    with pytest.raises(ValueError, match="1 of its values NaN or infinite"):
        scoring.insertion_deletion(score, image, np.array([[np.nan, 1], [2, 3]]), fill=0)


def test_the_blob_is_in_the_middle_and_the_random_map_nowhere():
    blob = scoring.centered_blob((31, 41))
    assert np.unravel_index(blob.argmax(), blob.shape) == (15, 20)
    np.testing.assert_array_equal(blob, blob[::-1, ::-1])
    chance = scoring.random_map((200, 32, 32), 0)
    masks = np.zeros((200, 32, 32), bool)
    masks[:, :, :8] = True
    assert scoring.share_inside(chance, masks).mean() == pytest.approx(0.25, abs=0.01)
    np.testing.assert_array_equal(chance, scoring.random_map((200, 32, 32), 0))


def test_an_interval_is_as_wide_as_theory_says_and_shuts_a_constant_in():
    values = np.random.default_rng(0).normal(3, 2, 400)
    mean, low, high = scoring.mean_and_interval(values)
    assert mean == pytest.approx(values.mean())
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert scoring.mean_and_interval(np.ones(9)) == (1, 1, 1)
    with pytest.raises(ValueError, match="finite values"):
        scoring.mean_and_interval(np.array([1, np.nan]))


@pytest.mark.parametrize("hits", [0, 1, 7, 41, 42])
def test_the_interval_of_a_share_is_scipys_exact_one(hits):
    values = np.random.default_rng(0).permutation(np.arange(42) < hits)
    ends = stats.binomtest(hits, 42).proportion_ci(method="exact")
    assert scoring.share_and_interval(values) == pytest.approx((hits / 42, ends.low, ends.high))


def test_parts_of_hits_add_up_and_no_hits_have_no_share():
    assert scoring.share_and_interval(np.full(8, 0.25)) == pytest.approx(scoring.share_and_interval(np.arange(8) < 2))
    for hits in ([], [0.5, 1.1], [np.nan], [[1.0]]):
        with pytest.raises(ValueError, match="expected hits"):
            scoring.share_and_interval(np.array(hits))


def test_the_truth_scores_best_and_random_numbers_worst(shapes, shapes_model):
    how = {"size": 8, "stride": 4, "steps": 16, "samples": 8, "names": shapes_model.categories}
    methods = scoring.standard_methods("conv3_activation", **how)
    methods = {name: methods[name] for name in ("saliency", "integrated gradients", "occlusion", "Grad-CAM")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 16 steps are few
        found = scoring.shape_maps(methods, shapes_model.network, shapes, shapes_backend.to_batch)
    assert {one.shape for one in found.values()} == {(60, 32, 32)}
    for measure in (scoring.pointing_game, scoring.share_inside):
        means = {name: measure(maps, shapes.masks).mean() for name, maps in found.items()}
        assert measure(shapes.masks * 1.0, shapes.masks).mean() == 1
        for name in ("saliency", "integrated gradients", "occlusion"):
            assert means["random map"] < means[name] <= 1


# ------------------------------------------------------------ randomization


def test_rank_correlation_is_scipys():
    generator = np.random.default_rng(0)
    one, other = generator.integers(0, 9, (2, 40, 30))  # many equal values
    assert randomization.rank_correlation(one, one + other) == pytest.approx(
        stats.spearmanr(one.ravel(), (one + other).ravel()).statistic
    )
    assert np.isnan(randomization.rank_correlation(one, np.zeros_like(one)))
    assert np.isnan(randomization.rank_correlation(np.array([1, np.nan, 3]), np.array([1, 2, 3])))
    with pytest.raises(ValueError, match="two arrays of one shape"):
        randomization.rank_correlation(one, other[1:])


def test_similarity_is_one_for_equal_maps_and_knows_no_scale():
    one = np.random.default_rng(0).random((13, 13))
    assert randomization.similarity(one, 7 * one) == pytest.approx((1, 1))
    turned = randomization.similarity(one, 1 - one)
    assert turned.rank == pytest.approx(-1)
    assert turned.structure < 0.5
    assert np.isnan(randomization.similarity(one, one * 0)).all()
    with pytest.raises(ValueError, match="3 x 3 or more"):
        randomization.similarity(one[:2], one[:2])


def test_randomized_shuffles_these_layers_and_no_others(squeezenet):
    spoiled = torch_backend.randomized(squeezenet.network, ["conv10", "fire9"], 0)
    for (name, before), after in zip(squeezenet.network.named_parameters(), spoiled.parameters(), strict=True):
        touched = name.startswith(("conv10.", "fire9."))
        assert torch.equal(before, after) == (not touched), name
        assert torch.equal(before.flatten().sort().values, after.flatten().sort().values)
    alone = torch_backend.randomized(squeezenet.network, "conv10", 0)
    assert torch.equal(alone.conv10.weight, spoiled.conv10.weight)
    other = torch_backend.randomized(squeezenet.network, "conv10", 1)
    assert not torch.equal(alone.conv10.weight, other.conv10.weight)
    orders = [randomization.shuffled(np.arange(99), 0, name) for name in ("fire2", "fire2", "fire3")]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).any()
    twice = torch_backend.randomized(squeezenet.network, ["conv10", "conv10"], 0)
    assert torch.equal(alone.conv10.weight, twice.conv10.weight)
    with pytest.raises(ValueError, match="has no weights to shuffle"):
        torch_backend.randomized(squeezenet.network, "pool1", 0)
    for layers in (None, [], 3):
        with pytest.raises(ValueError, match="a layer's name or a list of names"):
            torch_backend.randomized(squeezenet.network, layers, 0)
    with pytest.raises(ValueError, match="expected a torch or Keras network, got str"):
        torch_backend.randomized("squeezenet", "conv10", 0)
    with pytest.raises(ValueError, match="seed as a whole number of at least 0, got None"):
        torch_backend.randomized(squeezenet.network, "conv10", None)


def test_both_frameworks_shuffle_alike(squeezenet, keras_squeezenet, keras_backend, cat):
    layers = ["conv10", "fire9", "fire2"]
    before = keras_squeezenet.network.get_weights()
    ours = torch_backend.scores(torch_backend.randomized(squeezenet.network, layers, 3), squeezenet.preprocess(cat))
    state = random.getstate()
    spoiled = keras_backend.randomized(keras_squeezenet.network, layers, 3)
    assert random.getstate() == state  # Keras draws seeds for new layers from it
    assert off_by(keras_backend.scores(spoiled, keras_squeezenet.preprocess(cat)), ours) < 1e-5
    for one, other in zip(before, keras_squeezenet.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="no weights to shuffle"):
        keras_backend.randomized(keras_squeezenet.network, "pool1", 0)


def test_a_cascade_tells_what_hangs_on_the_weights_from_what_does_not():
    image = noise()
    methods = {
        "gradient": lambda network: torch_backend.saliency(network, image, 1),
        "edges": lambda network: np.abs(np.diff(image[0, 0].numpy(), axis=0)),
    }
    found = randomization.cascade(small_network(), methods, ["6", "2", "0"], seed=0)
    assert [len(one) for one in found.values()] == [4, 4]
    assert found["gradient"][0] == pytest.approx((1, 1))
    assert found["edges"][3] == pytest.approx((1, 1))
    assert abs(found["gradient"][3].rank) < 0.5
    one_layer = randomization.cascade(small_network(), methods, "6")
    assert [len(one) for one in one_layer.values()] == [2, 2]


# ------------------------------------------------------------ what the lesson says


def test_guided_backpropagation_hardly_cares_for_the_category_and_saliency_does(squeezenet, batch):
    pairs = {
        name: [one.ravel() for one in getattr(torch_backend, name)(squeezenet.network, batch, [CAT, ESPRESSO])]
        for name in ("guided_backpropagation", "saliency")
    }
    assert np.corrcoef(*pairs["guided_backpropagation"])[0, 1] > 0.9
    assert np.corrcoef(*pairs["saliency"])[0, 1] < 0.4


# ------------------------------------------------------------ the rocket, the widget


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"image": None}, "an .* image, got NoneType"),
        ({"image": np.full((8, 8, 3), 9, np.uint8)}, "got uint8: load_image"),
        ({"boxes": (1, 2, 3, 4)}, r"each \(top, bottom, left, right\) in whole pixels, got \(1, 2, 3, 4\)"),
        ({"boxes": [(1, 2, 3)]}, r"got \[\(1, 2, 3\)\]"),
        ({"boxes": [(1.0, 2, 3, 4)]}, "in whole pixels"),
        ({"boxes": [(1, 9, 3, 4)]}, "a box inside 8 x 8 pixels"),
        ({"rim": 0}, "rim as a whole number of at least 1, got 0"),
    ],
    ids=str,
)
def test_wiping_refuses(how, said):
    from days.day22.code.rocket import wiped

    with pytest.raises(ValueError, match=said):
        wiped(**({"image": np.zeros((8, 8, 3)), "boxes": [(1, 4, 3, 5)]} | how))


def test_the_widget_takes_a_number_where_two_categories_have_one_name(squeezenet):
    from days.day22.code.explorer import attribution_explorer

    explorer = attribution_explorer(squeezenet)
    category, caption = explorer.controls["category"], explorer.caption
    category.value = "cardigan"
    assert "264 and 474: give the number" in caption.value
    category.value = " 264 "
    assert "chelsea, 264, fire9: Grad-CAM" in caption.value
    category.value = "1000"
    assert "a name, or a category from 0 to 999, got 1000" in caption.value


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_the_widget_follows_its_controls(framework, request):
    from days.day22.code.explorer import attribution_explorer

    model = request.getfixturevalue("squeezenet" if framework == "torch" else "keras_squeezenet")
    explorer = attribution_explorer(model)
    controls, picture, caption = explorer.controls, explorer.picture, explorer.caption
    assert set(controls) == {"photo", "category", "method", "layer", "strength"}
    for name, value, said in (
        ("photo", "coffee", "coffee, espresso, fire9: Grad-CAM"),
        ("category", "cup", "coffee, cup, fire9"),
        ("layer", "fire5", "coffee, cup, fire5"),
        ("method", "saliency", "coffee, cup: saliency"),
        ("strength", 0.2, "coffee, cup: saliency"),
    ):
        before, controls[name].value = picture.value, value
        assert said in caption.value
        assert picture.value != before


def test_a_part_is_wiped_with_the_colors_at_its_sides_and_nothing_else_changes(cat):
    from days.day22.code.rocket import PARTS, wiped

    image, box = cat.copy(), (slice(60, 212), slice(100, 126))
    found = wiped(image, PARTS["rocket"])
    np.testing.assert_array_equal(image, cat)
    outside = np.ones(cat.shape, bool)
    outside[box] = False
    np.testing.assert_array_equal(found[outside], cat[outside])
    np.testing.assert_allclose(found[60:212, 100], cat[60:212, 97:100].mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(found[60:212, 125], cat[60:212, 126:129].mean(axis=1), atol=1e-6)
    bends = np.diff(found[box], n=2, axis=1)
    np.testing.assert_allclose(bends, 0, atol=1e-6)  # straight from one side to the other
    np.testing.assert_array_equal(wiped(image, PARTS["nothing"]), cat)
    at_the_border = wiped(image, [(0, 10, 0, 20)])
    np.testing.assert_allclose(at_the_border[:10, 0], cat[:10, 20:23].mean(axis=1), atol=1e-6)


def test_without_the_rocket_the_platforms_score_falls_less_than_without_the_towers_and_flagpole_rises(squeezenet):
    from days.day22.code.rocket import PARTS, wiped

    photo, lost, shares = load_image("rocket", size=224), {}, {}
    for part in ("nothing", "both towers", "lamps", "rocket"):
        logits = squeezenet.logits(squeezenet.preprocess(wiped(photo, PARTS[part])))[0]
        lost[part] = -logits[squeezenet.categories.index("drilling platform")]
        shares[part] = squeezenet.predict(wiped(photo, PARTS[part]), 1)[0]
    assert lost["nothing"] < min(lost["rocket"], lost["lamps"])
    assert max(lost["rocket"], lost["lamps"]) < lost["both towers"]
    assert shares["rocket"] == ("flagpole", pytest.approx(0.57, abs=0.1))


def test_two_shapes_stand_side_by_side_and_never_the_same():
    data = make_shapes(60, seed=5)
    images, labels = scoring.side_by_side(data)
    differ = np.flatnonzero(data.labels[:30] != data.labels[30:])
    assert 0 < len(differ) < 30
    assert images.shape == (len(differ), 32, 64, 3)
    np.testing.assert_array_equal(images[0, :, :32], data.images[differ[0]])
    np.testing.assert_array_equal(images[-1, :, 32:], data.images[30 + differ[-1]])
    np.testing.assert_array_equal(labels, np.stack([data.labels[differ], data.labels[30 + differ]], axis=1))


def test_the_half_that_was_asked_for_wins_or_does_not():
    left, right = np.array([[3.0, 0, 0, 1]]), np.array([[0.0, 1, 2, 2]])
    maps = [np.stack(one) for one in ((left, right, left, right), (right, left, left, right))]
    np.testing.assert_array_equal(scoring.asked_half_wins(*maps), [1, 0, 0.5, 0.5])


# ------------------------------------------------------------ what the lesson says


def _keep_positive(module, back, _):
    return (back[0].clamp(min=0),)


def guided_copy(network: nn.Module) -> nn.Module:
    """As the lesson writes it: saliency of this copy is guided backpropagation."""
    guided = copy.deepcopy(network)
    for module in guided.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
            module.register_full_backward_hook(_keep_positive)
    return guided


def test_guided_backpropagation_draws_the_same_from_random_numbers(squeezenet, peer, batch):
    """Random positive numbers that start at fire6 give nearly its picture of the cat; of the gradient they do not."""
    cut, alike = [name for name, _ in peer.named_children()].index("fire6") + 1, {}
    for kind, network in (("guided", guided_copy(peer)), ("ordinary", peer)):
        pixels, drawn = batch.clone().requires_grad_(True), []
        units = network[:cut](pixels)
        start = torch.rand(units.shape, generator=torch.Generator().manual_seed(0))
        drawn.append(torch.autograd.grad(units, pixels, start)[0][0])
        drawn.append(torch.autograd.grad(network(pixels)[0, CAT], pixels)[0][0])
        alike[kind] = np.corrcoef([one.abs().sum(dim=0).ravel().numpy() for one in drawn])[0, 1]
    assert alike["guided"] > 0.9
    assert alike["ordinary"] < 0.65


def test_what_all_scores_have_in_common_moves_their_maps_and_no_difference(batch, peer):
    def shifted(pixels):
        return peer(pixels) + 0.05 * pixels[:, :, -40:, -40:].sum(dim=(1, 2, 3))[:, None]

    pixels = batch.clone().requires_grad_(True)
    plain, moved = peer(pixels)[0], shifted(pixels)[0]
    assert (plain.softmax(0) - moved.softmax(0)).abs().max() < 1e-3

    def map_of(value):
        return torch.autograd.grad(value, pixels, retain_graph=True)[0][0].abs().sum(dim=0).numpy()

    assert off_by(map_of(moved[CAT] - moved[TABBY]), map_of(plain[CAT] - plain[TABBY])) < 1e-3
    corner = maps.smoothed(map_of(moved[CAT]), 4)
    assert min(np.unravel_index(corner.argmax(), corner.shape)) > 180


def test_grad_cams_brightest_place_costs_no_more_than_random_squares(squeezenet, cat):
    def covered(row, column):
        image = cat.copy()
        image[row - 16 : row + 16, column - 16 : column + 16] = np.array([123, 117, 104]) / 255
        return squeezenet.logits(squeezenet.preprocess(image))[0, CAT]

    before = squeezenet.logits(squeezenet.preprocess(cat))[0, CAT]
    falls = np.array([before - covered(*place) for place in np.random.default_rng(0).integers(16, 209, (50, 2))])
    beaten = [(falls < before - covered(*place)).mean() for place in ((86, 70), (106, 68), (163, 77))]
    assert beaten[2] < 0.75 < beaten[0] < beaten[1]
    assert beaten[1] > 0.9


def test_the_rim_of_fire4_is_bright_in_every_photo_and_that_of_fire9_in_none(squeezenet):
    ratios = {"fire4": [], "fire9": []}
    for name in IMAGE_NAMES:
        photo = squeezenet.preprocess(load_image(name, size=224))
        for layer, found in ratios.items():
            heatmap = torch_backend.grad_cam(
                squeezenet.network, photo, layer, int(squeezenet.logits(photo)[0].argmax())
            )
            inside = heatmap[1:-1, 1:-1]
            rim = (heatmap.sum() - inside.sum()) / (heatmap.size - inside.size)
            found.append(rim / inside.mean())
    assert min(ratios["fire4"]) > 1 > max(ratios["fire9"])


def test_integrated_gradients_of_a_shuffled_network_follow_their_factor_more_than_saliency_does(squeezenet, batch):
    shuffled = torch_backend.randomized(squeezenet.network, list(randomization.CASCADE), 1)
    factor = maps.strength(batch[0].permute(1, 2, 0).numpy())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few steps
        found = torch_backend.integrated_gradients(shuffled, batch, CAT, steps=16)
    saliency = torch_backend.saliency(shuffled, batch, CAT)
    ranks = [randomization.rank_correlation(maps.strength(one), factor) for one in (found, saliency)]
    assert ranks[0] > ranks[1] + 0.1
    assert ranks[1] < 0.25


def test_a_mosaic_holds_the_photo_that_is_asked_for_where_its_mask_says():
    pictures = mosaics.make_mosaics(8, seed=3)
    assert pictures.photos.tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
    for image, mask, cell in zip(pictures.images, pictures.masks, pictures.cells, strict=True):
        np.testing.assert_array_equal(image[mask].reshape(160, 160, 3), cell)
    np.testing.assert_array_equal(pictures[:2].images, mosaics.make_mosaics(2, seed=3).images)
    assert (mosaics.make_mosaics(2, seed=4).images != pictures[:2].images).any()
    blob = np.broadcast_to(scoring.centered_blob((320, 320)), pictures.masks.shape)
    np.testing.assert_array_equal(scoring.pointing_game(blob, pictures.masks), 0.25)


# ------------------------------------------------------------ the pointing game, stored


@pytest.fixture(scope="module")
def hits():
    return {
        test: dict(zip(pointing.METHODS, rows, strict=True)) for test, rows in pointing.load_hits()._asdict().items()
    }


def test_the_stored_game_says_what_the_lesson_says(hits):
    assert [len(rows["saliency"]) for rows in hits.values()] == [500, 42, 42]
    shares = {test: {name: one.mean() for name, one in rows.items()} for test, rows in hits.items()}
    drawn, *photos = shares.values()
    assert min(list(drawn)[:6], key=drawn.get) == "Grad-CAM"
    for found in photos:
        assert max(list(found)[:5], key=found.get) == "Grad-CAM"
        assert min(list(found)[:6], key=found.get) == "guided backpropagation"
        assert found["centered blob"] == 0.25
    for found in hits.values():
        differs = found["HiResCAM, earlier layer"] - found["Grad-CAM, earlier layer"]
        assert scoring.mean_and_interval(differs)[1] > 0


@pytest.mark.filterwarnings("ignore:.*0 everywhere:RuntimeWarning")
def test_the_game_of_the_methods_that_take_one_pass_is_what_is_stored_on_every_shape(hits, shapes_model):
    data = make_shapes(500, seed=1)
    every = six_and_early("conv3_activation", "conv2_activation", names=shapes_model.categories)
    quick = {name: every[name] for name in every if name not in ("SmoothGrad", "integrated gradients", "occlusion")}
    for name, found in scoring.shape_maps(quick, shapes_model.network, data, shapes_backend.to_batch).items():
        now = scoring.pointing_game(found, data.masks)
        assert np.abs(now - hits["shapes"][name]).mean() < 0.01, name


@pytest.mark.slow
def test_the_stored_game_is_what_is_played():
    """The first 50 shapes, and of the mosaics the first seven: each photo is asked for once."""
    for stored, now in zip(pointing.load_hits(), pointing.play(Lesson(), 50, 7), strict=True):
        assert np.abs(stored[:, : now.shape[1]] - now).mean() < 0.02


def test_a_game_is_stored_as_played_and_a_file_without_one_is_one_clear_error(tmp_path):
    hits = pointing.Hits(*(np.eye(len(pointing.METHODS), count) for count in (5, 2, 3)))
    for values, again in zip(hits, pointing.load_hits(pointing.save_hits(hits, tmp_path / "one")), strict=True):
        np.testing.assert_array_equal(values, again)
    with pytest.raises(FileNotFoundError, match="plays it anew"):
        pointing.load_hits(tmp_path / "none")
    (tmp_path / "one").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"holds no pointing game or is damaged .* plays it anew"):
        pointing.load_hits(tmp_path / "one")


def test_the_deeper_network_names_shapes_and_grad_cam_points_beside_them_in_every_small_network(shapes_model):
    """At the last layer a blob beats Grad-CAM, and so does HiResCAM at the earlier one; other starts differ."""
    data, second = make_shapes(200, seed=6), deeper.load_network()
    assert (shapes_backend.scores(second, data.images).argmax(axis=1) == data.labels).mean() > 0.95
    batch, blob = shapes_backend.to_batch(data.images), scoring.centered_blob((32, 32))
    blob = scoring.pointing_game(np.broadcast_to(blob, data.masks.shape), data.masks)

    def hits(method, network, layer):
        return scoring.pointing_game(maps.enlarge(method(network, batch, layer, data.labels), (32, 32)), data.masks)

    last = {}
    for name, network, layer, early in (
        ("small", shapes_model.network, "conv3_activation", "conv2_activation"),
        ("other", shapes_backend.small_cnn(load_finals()["other start"]), "conv3_activation", "conv2_activation"),
        ("deeper", second, deeper.LAYER, "conv3_activation"),
    ):
        last[name] = hits(torch_backend.grad_cam, network, layer)
        assert scoring.mean_and_interval(last[name] - blob)[2] < 0
        differs = hits(torch_backend.hires_cam, network, early) - last[name]
        assert scoring.mean_and_interval(differs)[1] > 0
    assert scoring.mean_and_interval(last["deeper"] - last["small"])[2] < 0
    assert scoring.mean_and_interval(last["other"] - last["small"])[1] > 0


def test_the_deeper_network_has_coarser_maps_and_its_file_repeats(tmp_path):
    network = deeper.train(steps=2, progress=False)
    assert capture(network, deeper.LAYER, torch.zeros(1, 3, 32, 32))[deeper.LAYER].shape == (1, 64, 4, 4)
    again = deeper.load_network(deeper.save_network(network, tmp_path / "one"))
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    assert deeper.FILE.stat().st_size < 150_000
    with pytest.raises(FileNotFoundError, match="makes it anew"):
        deeper.load_network(tmp_path / "none")
    (tmp_path / "one").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"holds no deeper network or is damaged .* makes it anew"):
        deeper.load_network(tmp_path / "one")


@pytest.mark.slow
def test_on_mosaics_of_photos_grad_cam_points_better_than_guided_backpropagation(squeezenet):
    pictures = mosaics.make_mosaics(21, seed=0)
    methods = scoring.standard_methods("fire9")
    methods = {name: methods[name] for name in ("guided backpropagation", "Grad-CAM")}
    for name, method in (("early", torch_backend.grad_cam), ("early HiResCAM", torch_backend.hires_cam)):
        methods[name] = lambda network, one, asked, method=method: method(network, one, "fire5", asked)
    found = mosaics.mosaic_maps(squeezenet, pictures, methods)
    hits = {name: scoring.pointing_game(heatmaps, pictures.masks) for name, heatmaps in found.items()}
    assert scoring.mean_and_interval(hits["early HiResCAM"] - hits["early"])[1] > 0
    assert scoring.mean_and_interval(hits["Grad-CAM"] - hits["guided backpropagation"])[1] > 0
    assert scoring.mean_and_interval(hits["Grad-CAM"] - 0.25)[1] > 0


@pytest.mark.slow
@pytest.mark.parametrize("number", range(30))
def test_the_worked_report_is_right_for_every_claim(number):
    assert all(point.met for point in claims.rubric(exercises.refute.solve(number), number))


@pytest.mark.slow
@pytest.mark.parametrize(("number", "stands"), [(1, False), (2, True)])
def test_a_claim_that_holds_and_a_claim_that_does_not(number, stands):
    report = exercises.refute.solve(number)
    assert report["stands"] is stands
    assert all(point.met for point in claims.rubric(report, number))
    turned = claims.rubric(report | {"stands": not stands}, number)
    assert [point.met for point in turned] == [True, True, False, True]
    beside = claims.fall(number, claims.make_claim(number).box, beside=True)
    assert not claims.rubric(report | {"falls": beside}, number)[0].met
    assert not claims.rubric(report | {"falls": report["falls"] + 0.03}, number)[0].met
    assert claims.make_claim(number).words == claims.make_claim(number).words


BOXES = [(top, top + 40, left, left + 40) for top, left in np.random.default_rng(5).integers(0, 185, (50, 2)).tolist()]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda box, cost: 0.0, "costs .*, you say 0.00"),
        (lambda box, cost: abs(cost), "costs -.*, you say 0"),
        (lambda box, cost: claims.fall(5, box, beside=True), "covering your random box"),
        (lambda box, cost: None, "you say None"),
        (lambda box, cost: cost + 0.01, ""),
    ],
)
def test_a_control_is_measured_again(change, said):
    control = {box: claims.fall(5, box) for box in BOXES}
    assert claims._controlled(5, control).met
    found = claims._controlled(5, {box: change(box, cost) for box, cost in control.items()})
    assert found.met == (not said)
    assert re.search(said, found.said)


@pytest.mark.parametrize(
    ("boxes", "said"),
    [
        (BOXES[:3], "your control has 3 different boxes, wanted fifty"),
        ([(46 + i % 20, 86 + i % 20, 92 - i, 132 - i) for i in range(50)], "your boxes begin at .* draw 0 to 184"),
    ],
)
def test_a_control_of_too_few_boxes_or_of_neighbors_is_none(boxes, said):
    found = claims._controlled(5, dict.fromkeys(boxes, 0.0))
    assert not found.met
    assert re.search(said, found.said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"instead": (46, 92, 86, 132)},
            r"instead as \(top, bottom, left, right\), 40 x 40 .*, got \(46, 92, 86, 132\)",
        ),
        ({"instead": (0, 224, 0, 224)}, "40 x 40 whole pixels"),
        ({"instead": (46.5, 86.5, 92.5, 132.5)}, "40 x 40 whole pixels"),
        ({"random": {(46, 92, 86, 132): 1.0}}, r"a random box as \(top, bottom, left, right\)"),
        ({"random": {3: 1.0}}, "a random box as .*, got 3"),
        ({"random": 1.2}, "'random' as a dict {box: its fall} of fifty boxes, got 1.2"),
        ({"instead": None}, r"instead as \(top, bottom, left, right\), .* got None"),
        ({"stands": "no"}, "'stands' as True or False, got 'no'"),
    ],
)
def test_what_is_no_report_on_a_claim_is_refused(change, said):
    report = {"falls": 1.0, "random": {}, "stands": True, "instead": np.array([46.0, 86, 92, 132])}
    assert len(claims.rubric(report, 5)) == 4
    with pytest.raises(ValueError, match=said):
        claims.rubric(report | change, 5)


@pytest.mark.slow
def test_the_fill_decides_whether_integrated_gradients_or_saliency_win_insertion(shapes_model):
    """In the mean color the one, with the colors around the other; on 300 images both differences leave out 0."""
    shapes = make_shapes(300, seed=1)

    def mean_color(image, kept):
        return np.where(kept[..., None], image, image.mean(axis=(0, 1)))

    def colors_around(image, kept):
        blurred = np.stack([maps.smoothed(kept * color, 2) for color in np.moveaxis(image, 2, 0)], axis=-1)
        near = blurred + 1e-3 * image.mean(axis=(0, 1))
        return np.where(kept[..., None], image, near / (maps.smoothed(kept.astype(float), 2)[..., None] + 1e-3))

    def insertion(image, heatmap, label, fill):
        place = (-heatmap).argsort(axis=None).argsort().reshape(heatmap.shape)
        steps = fill(image, place < np.linspace(0, heatmap.size, 17)[:, None, None])
        logits = torch.from_numpy(shapes_backend.scores(shapes_model.network, steps.astype(np.float32)))
        return float(np.trapezoid(logits.softmax(dim=1)[:, label]) / 16)

    every = scoring.standard_methods("conv3_activation", size=8, stride=4, steps=48, names=shapes_model.categories)
    methods = {name: every[name] for name in ("integrated gradients", "saliency")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = scoring.shape_maps(methods, shapes_model.network, shapes, shapes_backend.to_batch)
    differences = []
    for fill in (mean_color, colors_around):
        areas = [
            np.array([insertion(*one, fill) for one in zip(shapes.images, found[name], shapes.labels, strict=True)])
            for name in methods
        ]
        differences.append(scoring.mean_and_interval(areas[0] - areas[1]))
    assert differences[0][1] > 0 > differences[1][2]
