"""The seam between lessons and frameworks: a network tells its own, its layout stays its own, and nothing keeps it."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune

from days.day17.code import torch_backend as looking
from days.day17.code.backends import backend_of, capture, filters
from days.day19.code.gradients import maps_and_gradients, value_and_gradient
from days.day20.code.ascent import input_gradient, maximize
from days.day20.code.objectives import channel, logit
from days.day21.code.deepdream import dream
from days.day22.code import methods
from days.day22.code.randomization import randomized


class Flattens(nn.Module):
    """Flattens its maps with `view`, as many tutorials do: that takes one memory layout only."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.conv2, self.fc = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5), nn.Linear(400, 10)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        return self.fc(x.view(x.size(0), -1))


class Reshapes(Flattens):
    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
        return self.fc(x.reshape(x.size(0), -1))


BATCH = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32))
PHOTO = np.random.default_rng(1).random((32, 32, 3)).astype(np.float32)
PIXEL_METHODS = {
    "saliency": {},
    "smooth_grad": {"samples": 2},
    "integrated_gradients": {"steps": 32},
    "guided_backpropagation": {},
    "occlusion": {},
}


@pytest.mark.parametrize("name", PIXEL_METHODS)
def test_pixels_of_a_network_that_flattens_with_view(name):
    method = getattr(methods, name)
    ours = method(Flattens(), BATCH, 3, **PIXEL_METHODS[name])
    np.testing.assert_allclose(ours, method(Reshapes(), BATCH, 3, **PIXEL_METHODS[name]), atol=1e-6)
    if name == "saliency":
        live = BATCH.clone().requires_grad_(True)
        (wanted,) = torch.autograd.grad(Flattens()(live)[0, 3], live)
        np.testing.assert_allclose(ours, wanted[0].permute(1, 2, 0).numpy(), atol=1e-7)


def test_layers_of_a_network_that_flattens_with_view():
    network = Flattens()
    assert capture(network, "conv1", BATCH)["conv1"].shape == (1, 6, 28, 28)
    assert filters(network, "conv2").shape == (16, 6, 5, 5)
    assert methods.grad_cam(network, BATCH, "conv2", 3, signed=True).shape == (10, 10)
    np.testing.assert_allclose(methods.scores(network, BATCH), network(BATCH).detach().numpy(), atol=1e-6)
    assert value_and_gradient(network, "conv2", BATCH.numpy(), 3)[1].any()
    assert maps_and_gradients(network, "conv2", BATCH.numpy(), 3)[1].any()
    assert input_gradient(network, logit(3, "fc"), BATCH).any()
    pictures, _ = maximize(network, [logit(3, "fc"), channel("conv2", 1)], size=32, steps=2, progress=False)
    assert np.isfinite(pictures).all()
    assert (dream(network, PHOTO, "conv2", octaves=1, steps=1, progress=False) != PHOTO).any()


def test_the_fast_layout_is_for_networks_known_to_take_it(squeezenet):
    batch = squeezenet.preprocess(PHOTO)
    assert looking.fastest(squeezenet.network, batch).is_contiguous(memory_format=torch.channels_last)
    assert not looking.takes_any_layout(Flattens())
    hooked = nn.Sequential(nn.Conv2d(3, 4, 3))
    assert looking.takes_any_layout(hooked)
    hooked[0].register_forward_hook(lambda module, inputs, output: output.view(len(output), -1))
    assert not looking.takes_any_layout(hooked)
    assert looking.fastest(hooked, batch).is_contiguous()


class Answers(nn.Module):
    """Does with its pixels whatever a test says."""

    def __init__(self, forward, channels: int = 3):
        super().__init__()
        self.conv, self.end, self._do = nn.Conv2d(channels, 2, 3), nn.Identity(), forward

    def forward(self, x):
        return self._do(self, x)


def raises(error):
    def forward(network, x):
        network.conv(x)
        raise error

    return forward


CALLS = {
    "capture": lambda network: capture(network, ["conv", "end"], BATCH),
    "scores": lambda network: methods.scores(network, BATCH),
    "grad_cam": lambda network: methods.grad_cam(network, BATCH, "conv", 1),
    "saliency": lambda network: methods.saliency(network, BATCH, 1),
    "maximize": lambda network: maximize(network, logit(1, "end"), size=32, steps=1, progress=False),
    "input_gradient": lambda network: input_gradient(network, logit(1, "end"), BATCH),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (
            raises(KeyError("lost")),
            r"shape \(1, 3, 32, 32\) \(KeyError: 'lost'\); network\(batch\) shows where",
        ),
        (
            raises(AssertionError()),
            r"shape \(1, 3, 32, 32\) \(AssertionError\); network\(batch\) shows where in its forward pass$",
        ),
        (raises(TypeError("no")), r"\(TypeError: no\); network\(batch\) shows where in its forward pass$"),
        (raises(RuntimeError("mat1 and mat2 shapes cannot be multiplied")), "224 is usual"),
    ],
    ids=["key", "assertion", "type", "size"],
)
def test_whatever_ends_a_forward_pass_is_one_error_with_the_shape(call, forward, words):
    network = Answers(forward)
    with pytest.raises(ValueError, match=words):
        CALLS[call](network)
    assert not any(module._forward_hooks for module in network.modules())


def test_the_way_out_fits_the_cause():
    gray, color = Answers(lambda self, x: self.conv(x).mean((2, 3)), 1), Answers(lambda self, x: self.conv(x))
    with pytest.raises(ValueError, match=r"its first convolution takes 1 channels, and the batch has 3$"):
        methods.scores(gray, BATCH)
    with pytest.raises(ValueError, match=r"permute\(0, 3, 1, 2\)$"):
        methods.saliency(color, BATCH.permute(0, 2, 3, 1), 1)
    with torch.inference_mode():
        frozen = Answers(lambda self, x: self.conv(x).mean((2, 3)))
    with pytest.raises(ValueError, match=r"inference_mode: build the network outside of it$"):
        methods.saliency(frozen, BATCH, 1)

    class Two(Answers):
        def forward(self, x, other):
            return self.conv(x + other)

    with pytest.raises(ValueError, match=r"wrap it in a module whose forward takes the image alone$"):
        capture(Two(None), "conv", BATCH)


def test_a_network_whose_weights_were_never_loaded_says_so():
    with torch.device("meta"):
        empty = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    for call in (
        lambda: capture(empty, "0", BATCH),
        lambda: filters(empty, "0"),
        lambda: methods.saliency(empty, BATCH, 1),
        lambda: maximize(empty, "0", 1, size=16, steps=1, progress=False),
    ):
        with pytest.raises(ValueError, match="its weights were never loaded"):
            call()


def test_a_pruned_network_is_copied_and_keeps_its_zeros():
    network = nn.Sequential(nn.Conv2d(3, 4, 3))
    prune.l1_unstructured(network[0], "weight", amount=0.5)
    before, twin = filters(network, "0"), randomized(network, "0", 0)
    assert (filters(network, "0") == before).all()
    assert ((filters(twin, "0") == 0) >= (before == 0)).all()
    assert (filters(twin, "0") != before).any()


def test_a_network_that_cannot_be_copied_says_so():
    network = nn.Sequential(nn.Conv2d(3, 4, 3))
    network.lock = threading.Lock()
    with pytest.raises(ValueError, match=r"cannot be copied .* does it hold a lock"):
        randomized(network, "0", 0)


# ------------------------------------------------------------ Keras


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from days.day17.code.keras_backend import keras

    return keras


def keras_network(keras, size=None):
    start = keras.Input((size, size, 3))
    maps = keras.layers.Conv2D(4, 3, activation="relu", name="first")(start)
    inner = keras.Sequential([keras.Input((None, None, 4)), keras.layers.Conv2D(5, 3, name="inside")], name="inner")
    means = keras.layers.GlobalAveragePooling2D()(inner(maps))
    return keras.Model(start, keras.layers.Dense(3, name="scores")(means))


def test_each_network_finds_its_own_backend(keras):
    from days.day17.code import keras_backend

    assert backend_of(keras_network(keras)) is keras_backend
    assert backend_of(nn.Conv2d(1, 1, 1)) is looking
    with pytest.raises(ValueError, match="expected a torch or Keras network, got int"):
        backend_of(3)


def test_a_keras_network_that_was_deleted_is_gone(keras):
    """Whatever a look, a gradient, an ascent or a dream keeps for the next time goes with the network."""
    network = keras_network(keras)
    batch = keras.ops.convert_to_tensor(PHOTO[None])
    capture(network, ["first", "inner/inside"], batch)
    value_and_gradient(network, "first", PHOTO.transpose(2, 0, 1)[None], 1)
    methods.grad_cam(network, batch, "first", 1, signed=True)
    methods.guided_backpropagation(network, batch, 1)
    maximize(network, "first", [0, 1], size=32, steps=2, progress=False)
    maximize(network, [logit(1, "scores")], size=32, steps=1, progress=False)
    dream(network, PHOTO, "first", octaves=1, steps=1, progress=False)
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


def test_keras_names_the_size_and_the_inputs_that_it_was_built_for(keras):
    fixed, batch = keras_network(keras, 48), keras.ops.convert_to_tensor(PHOTO[None])
    for call in (
        lambda: capture(fixed, "first", batch),
        lambda: methods.saliency(fixed, batch, 1),
        lambda: maximize(fixed, "first", 1, size=32, steps=1, progress=False),
    ):
        with pytest.raises(ValueError, match=r"it was built for images of 48 x 48 pixels: give that size$"):
            call()
    image, other = keras.Input((32, 32, 3), name="image"), keras.Input((4,), name="other")
    means = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 3, name="c")(image))
    two = keras.Model([image, other], keras.layers.Dense(2)(keras.layers.Concatenate()([means, other])))
    for call in (lambda: capture(two, "c", batch), lambda: methods.saliency(two, batch, 1)):
        with pytest.raises(ValueError, match="expected a network of one input, got 2"):
            call()
