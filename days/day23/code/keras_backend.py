"""Patients of the clinic in Keras. `torch_backend` has the same functions with the same signatures and results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from days.common.datasets import SHAPE_NAMES
from days.common.frameworks import import_keras
from days.common.keras_models import to_tensor
from days.common.models import Model, load_model
from days.common.preprocessing import Preprocess
from days.day17.code.keras_backend import capture, channels_first
from days.day18.code.training import PIXELS, Weights
from days.day23.code.network import EPSILON, LAYERS, SETTINGS, Answers, RunSettings, Statistics, pixels_for
from days.day23.code.squeezenet_patients import photos

keras = import_keras()


def clinic_cnn(weights: Weights, statistics: Statistics | None = None):
    """The clinic's network, of whatever widths: images (N, H, W, 3) -> scores (N, 6).

    Layers are "conv1", "conv1_activation", "pool1" and so on to "scores", and with statistics also "conv1_norm": a
    batch norm that in inference mode gives back what it was given.
    """
    layers = keras.layers
    start = x = keras.Input((None, None, 3))
    for name in LAYERS:
        values, _ = weights[name]
        # The values come below; an initializer that draws would move the learner's own random numbers on.
        x = layers.Conv2D(len(values), values.shape[2], padding="same", kernel_initializer="zeros", name=name)(x)
        if statistics:
            x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_norm")(x)
        x = layers.ReLU(name=f"{name}_activation")(x)
        pooling = layers.MaxPooling2D(2) if name != LAYERS[-1] else layers.GlobalAveragePooling2D()
        x = pooling(x)
    x = layers.Dense(len(weights["scores"][1]), kernel_initializer="zeros", name="scores")(x)
    network = keras.Model(start, x, name="clinic")
    _fill(network, weights)
    for name, (mean, variance) in (statistics or {}).items():
        scale = np.sqrt(variance + np.float32(EPSILON))
        network.get_layer(f"{name}_norm").set_weights([scale, mean, mean, variance])
    return network


def _fill(network, weights: Weights) -> None:
    for name, (values, bias) in weights.items():
        network.get_layer(name).set_weights([values.transpose(2, 3, 1, 0) if values.ndim == 4 else values.T, bias])


def run(
    weights: Weights, images: np.ndarray, *, statistics: Statistics | None = None, settings: RunSettings = SETTINGS[0]
) -> Answers:
    """What `days.day23.code.network.run` does, with Keras: same arguments, same result up to rounding."""
    network = clinic_cnn(weights, statistics)
    pixels = pixels_for(settings, images, statistics)
    watched = [network.get_layer(f"{name}_norm" if statistics else name).output for name in LAYERS]
    cut = keras.Model(network.inputs, [*watched, *network.outputs])
    *before, scores = cut(keras.ops.convert_to_tensor(pixels), training=settings.batch_norm_training)
    named = {name: channels_first(name, maps) for name, maps in zip(LAYERS, before, strict=True)}
    return Answers(named, keras.ops.convert_to_numpy(scores))


def clinic_model(weights: Weights, statistics: Statistics | None = None) -> Model:
    """The clinic's network, rightly run, as a `Model`, as `load_model` gives others."""
    network = clinic_cnn(weights, statistics)
    return Model(network, Preprocess(PIXELS, to_tensor), list(SHAPE_NAMES), "clinic", "keras")


def squeezenet_model(weights: Weights) -> Model:
    """SqueezeNet with a patient's weights, {convolution: (filters (out, in, kh, kw), bias (out,))}."""
    model = load_model("squeezenet", framework="keras")
    _fill(model.network, weights)
    return model


def squeezenet_answers(weights: Weights, layers: Sequence[str]) -> dict[str, np.ndarray]:
    """What SqueezeNet's convolutions answer to the seven photos, before the ReLU: {layer: (7, C, h, w)}."""
    model = squeezenet_model(weights)
    return capture(model.network, layers, keras.ops.concatenate([model.preprocess(one) for one in photos()]))
