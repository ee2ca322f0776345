"""The small network in PyTorch: built, trained and watched. `keras_backend` does the same by the same names."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from days.common.arrays import paired
from days.common.checks import check_maps
from days.common.datasets import SHAPE_NAMES
from days.common.models import Model
from days.common.preprocessing import Preprocess
from days.common.torch_models import to_tensor
from days.day17.code.torch_backend import check_batch, conv_layers, evaluation_mode, hooks
from days.day18.code import training
from days.day18.code.snapshots import Measurement, check_labels, check_watched, train, watch
from days.day18.code.storage import load_weights

__all__ = ["descent", "scores", "shapes_model", "small_cnn", "to_batch", "train", "watch", "weights_of"]

NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d)
ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus),
    *(nn.Hardswish, nn.Hardtanh, nn.Sigmoid, nn.Tanh),
)


def small_cnn(weights: training.Weights) -> nn.Sequential:
    """The small network with the given weights: images (N, 3, H, W) -> scores (N, 6), in evaluation mode."""
    layers = OrderedDict()
    for name, (count, channels, size, _) in training.CONVOLUTIONS.items():
        layers[name] = nn.utils.skip_init(nn.Conv2d, channels, count, size, padding="same")
        layers[f"{name}_activation"] = nn.ReLU()
        layers[f"pool{name[-1]}"] = nn.MaxPool2d(2)
    layers["pool3"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["scores"] = nn.utils.skip_init(nn.Linear, training.SCORES[1], training.SCORES[0])
    network = nn.Sequential(layers)
    for name, (values, bias) in weights.items():
        network.get_submodule(name).load_state_dict({"weight": torch.tensor(values), "bias": torch.tensor(bias)})
    return network.eval()


def weights_of(network: nn.Module) -> training.Weights:
    """Copies of the small network's weights, {layer: (weights, bias)}, in the layout that both frameworks share."""
    held = {name: values.detach().cpu().numpy().copy() for name, values in network.named_parameters()}
    return paired(held, training.weight_shapes())


def shapes_model(weights: training.Weights | None = None) -> Model:
    """The small network as a `Model`, as `load_model` gives others: trained on shapes, unless weights are given."""
    network = small_cnn(load_weights() if weights is None else weights)
    return Model(network, Preprocess(training.PIXELS, to_tensor), list(SHAPE_NAMES), "shapes", "torch")


def to_batch(images: np.ndarray) -> torch.Tensor:
    """Images (N, H, W, 3) from 0 to 1 -> the batch (N, 3, H, W) that the small network wants."""
    return torch.from_numpy(training.PIXELS(images)).permute(0, 3, 1, 2)


@torch.no_grad()
def scores(network: nn.Module, images: np.ndarray, *, size: int = 500) -> np.ndarray:
    """The small network's scores (N, 6) for images (N, H, W, 3), in batches of `size`; the mode comes back."""
    device = next(network.parameters()).device
    with evaluation_mode(network):
        parts = [images[start : start + size] for start in range(0, len(images), size)]
        return np.concatenate([network(to_batch(part).to(device)).cpu().numpy() for part in parts])


@contextlib.contextmanager
def training_mode(network: nn.Module) -> Iterator[None]:
    """Every module of the network in training mode inside the `with`, and as it was after it."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        network.train()
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def descent(network: nn.Module) -> Callable[[np.ndarray, np.ndarray, float], float]:
    """A function that does one step of training in place: (images (N, H, W, 3), labels (N,), learning rate) -> loss."""
    device = next(network.parameters()).device
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0, momentum=training.MOMENTUM, weight_decay=training.WEIGHT_DECAY
    )

    @torch.enable_grad()
    def step(images, labels, rate):
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()  # gradients that were there before would count
        loss = functional.cross_entropy(network(to_batch(images).to(device)), torch.from_numpy(labels).to(device))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def measurer(network: nn.Module, batch, labels, layers: dict[str, str] | None) -> Callable[[], Measurement]:
    """What a `Watch` over this network calls for each snapshot; see `snapshots.watch`. batch : (N, C, H, W)."""
    network = getattr(network, "_orig_mod", network)  # what torch.compile has compiled takes no notice of hooks
    batch = check_batch(network, batch)
    known = [name for name, _ in network.named_modules()]
    layers = check_watched(layers, lambda: _activations_behind(network, batch), conv_layers(network), known)
    with _untouched(network), torch.no_grad():
        labels = check_labels(labels, len(batch), network(batch.clone()))
    return lambda: _measure(network, batch, labels, layers)


def _measure(network: nn.Module, batch: torch.Tensor, labels: np.ndarray, layers: dict[str, str]) -> Measurement:
    activations: dict[str, np.ndarray] = {}

    def keep(name, output):
        # Cloned, or an in-place layer that runs next would overwrite it; the first run counts, as in `capture`.
        activations.setdefault(name, _array(output.clone(memory_format=torch.contiguous_format)))

    kept = [
        (network.get_submodule(layer), lambda module, inputs, output, name=name: keep(name, output))
        for name, layer in layers.items()
    ]
    # A parametrized weight is computed anew at every look, unless it is cached.
    with _untouched(network), torch.enable_grad(), hooks(kept), nn.utils.parametrize.cached():
        weights: dict[str, Any] = {name: network.get_submodule(name).weight for name in layers}
        answers = _as_scores(network(batch.clone()))
        loss = functional.cross_entropy(answers, torch.from_numpy(labels).to(answers.device))
        trained = {name: weight for name, weight in weights.items() if weight.requires_grad}
        found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True) if trained else ()
        filters = {name: _array(weight.clone()) for name, weight in weights.items()}
    gradients = {name: np.full_like(one, np.nan) for name, one in filters.items()}
    for name, gradient in zip(trained, found, strict=True):
        gradients[name] = np.zeros_like(filters[name]) if gradient is None else _array(gradient)
    return Measurement(
        scores=_array(answers),
        labels=labels,
        input_spread=float(_array(batch).std()),
        filters=filters,
        activations={name: check_maps(name, activations.get(name)) for name in layers},
        gradients=gradients,
    )


@contextlib.contextmanager
def _untouched(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, and the learner's random numbers where they were: some dropouts draw in any mode."""
    with evaluation_mode(network), torch.random.fork_rng(devices=[]):
        yield


def _array(tensor: torch.Tensor) -> np.ndarray:
    """As an array of at least 32 bits: sums of many 16-bit numbers overflow."""
    tensor = tensor.detach().cpu()
    return (tensor if tensor.dtype == torch.float64 else tensor.float()).numpy()


def _as_scores(answers: torch.Tensor) -> torch.Tensor:
    """Scores before the softmax, also of a network that ends in one: the logarithm of a probability is such a score."""
    with torch.no_grad():
        probable = bool((answers >= 0).all() and ((answers.sum(dim=1) - 1).abs() < 1e-3).all())
    return answers.clamp_min(1e-12).log() if probable else answers


def _activations_behind(network: nn.Module, batch: torch.Tensor) -> dict[str, str]:
    """For each convolution, the last layer of the run of batch norms and one activation that its answer goes into."""
    calls: list[tuple[str, nn.Module, object, object]] = []
    leaves = [
        (module, lambda module, inputs, output, name=name: calls.append((name, module, inputs[0], output)))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) or not list(module.children())
    ]
    with _untouched(network), torch.no_grad(), hooks(leaves):
        network(batch[:1].clone())
    names, behind = [name for name, *_ in calls], {}
    for place, (convolution, module, _, answer) in enumerate(calls):
        if not isinstance(module, nn.Conv2d) or convolution in behind:
            continue
        behind[convolution] = convolution
        for at, (name, later, given, returned) in enumerate(calls[place + 1 :], place + 1):
            # A module that runs several times in one pass is captured in its first run only.
            if given is answer and isinstance(later, NORMS + ACTIVATIONS) and names.index(name) == at:
                behind[convolution], answer = name, returned
                if isinstance(later, ACTIVATIONS):
                    break
    return behind
