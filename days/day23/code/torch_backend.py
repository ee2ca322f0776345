"""Patients of the clinic in PyTorch. `keras_backend` has the same functions with the same signatures and results."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from days.common.datasets import SHAPE_NAMES
from days.common.models import Model, load_model
from days.common.preprocessing import Preprocess
from days.common.torch_models import to_tensor
from days.day17.code.torch_backend import capture, hooks
from days.day18.code.training import PIXELS, Weights
from days.day23.code.network import EPSILON, LAYERS, SETTINGS, Answers, RunSettings, Statistics, pixels_for
from days.day23.code.squeezenet_patients import photos


def clinic_cnn(weights: Weights, statistics: Statistics | None = None) -> nn.Sequential:
    """The clinic's network, of whatever widths, in evaluation mode: images (N, 3, H, W) -> scores (N, 6).

    Layers are "conv1", "conv1_activation", "pool1" and so on to "scores", and with statistics also "conv1_norm": a
    batch norm that in evaluation mode gives back what it was given.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for name in LAYERS:
        values, bias = weights[name]
        layers[name] = nn.utils.skip_init(nn.Conv2d, values.shape[1], len(values), values.shape[2], padding="same")
        _fill(layers[name], weight=values, bias=bias)
        if statistics:
            (mean, variance), norm = statistics[name], nn.BatchNorm2d(len(values), eps=EPSILON)
            scale = np.sqrt(variance + np.float32(EPSILON))
            _fill(norm, weight=scale, bias=mean, running_mean=mean, running_var=variance)
            layers[f"{name}_norm"] = norm
        layers[f"{name}_activation"] = nn.ReLU()
        layers[f"pool{name[-1]}"] = nn.MaxPool2d(2) if name != LAYERS[-1] else nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    values, bias = weights["scores"]
    layers["scores"] = nn.utils.skip_init(nn.Linear, values.shape[1], len(values))
    _fill(layers["scores"], weight=values, bias=bias)
    return nn.Sequential(layers).eval()


@torch.no_grad()
def _fill(module: nn.Module, **values: np.ndarray) -> None:
    for name, value in values.items():
        getattr(module, name).copy_(torch.from_numpy(np.ascontiguousarray(value)))


@torch.no_grad()
def run(
    weights: Weights, images: np.ndarray, *, statistics: Statistics | None = None, settings: RunSettings = SETTINGS[0]
) -> Answers:
    """What `days.day23.code.network.run` does, with PyTorch: same arguments, same result up to rounding."""
    network = clinic_cnn(weights, statistics).train(settings.batch_norm_training)
    pixels = pixels_for(settings, images, statistics)
    before: dict[str, np.ndarray] = {}

    def keep(name):
        return lambda module, inputs, output: before.__setitem__(name, inputs[0].numpy().copy())

    with hooks([(network.get_submodule(f"{name}_activation"), keep(name)) for name in LAYERS]):
        scores = network(torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))).numpy()
    return Answers(before, scores)


def clinic_model(weights: Weights, statistics: Statistics | None = None) -> Model:
    """The clinic's network, rightly run, as a `Model`, as `load_model` gives others."""
    network = clinic_cnn(weights, statistics)
    return Model(network, Preprocess(PIXELS, to_tensor), list(SHAPE_NAMES), "clinic", "torch")


def squeezenet_model(weights: Weights) -> Model:
    """SqueezeNet with a patient's weights, {convolution: (filters (out, in, kh, kw), bias (out,))}."""
    model = load_model("squeezenet")
    for name, (values, bias) in weights.items():
        _fill(model.network.get_submodule(name), weight=values, bias=bias)
    return model


def squeezenet_answers(weights: Weights, layers: Sequence[str]) -> dict[str, np.ndarray]:
    """What SqueezeNet's convolutions answer to the seven photos, before the ReLU: {layer: (7, C, h, w)}."""
    model = squeezenet_model(weights)
    return capture(model.network, layers, torch.cat([model.preprocess(one) for one in photos()]))
