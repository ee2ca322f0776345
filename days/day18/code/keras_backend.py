"""The small network in Keras: built, trained and watched. `torch_backend` does the same by the same names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from days.common.datasets import SHAPE_NAMES
from days.common.frameworks import import_keras
from days.common.keras_models import to_tensor
from days.common.keras_private import feeds
from days.common.models import Model
from days.common.preprocessing import Preprocess
from days.day17.code.keras_backend import (
    channels_first,
    check_batch,
    check_network,
    conv_layers,
    filters,
    named_layers,
    submodel,
)
from days.day18.code import training
from days.day18.code.snapshots import Measurement, Watch, check_labels, check_watched, train, watch
from days.day18.code.storage import load_weights

keras = import_keras()

import tensorflow  # noqa: E402  only after import_keras has quieted it

__all__ = ["WatchFit", "descent", "scores", "shapes_model", "small_cnn", "to_batch", "train", "watch", "weights_of"]

NORMS = (keras.layers.BatchNormalization, keras.layers.GroupNormalization, keras.layers.LayerNormalization)
ACTIVATIONS = (
    *(keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.PReLU, keras.layers.ELU),
)


def small_cnn(weights: training.Weights):
    """The small network with the given weights: images (N, H, W, 3) -> scores (N, 6)."""
    layers = keras.layers
    start = x = keras.Input((None, None, 3))
    for name, (count, _, size, _) in training.CONVOLUTIONS.items():
        # The values come below; an initializer that draws would move the learner's own random numbers on.
        x = layers.Conv2D(count, size, padding="same", kernel_initializer="zeros", name=name)(x)
        x = layers.ReLU(name=f"{name}_activation")(x)
        if name != "conv3":
            x = layers.MaxPooling2D(2, name=f"pool{name[-1]}")(x)
    x = layers.GlobalAveragePooling2D(name="pool3")(x)
    x = layers.Dense(training.SCORES[0], kernel_initializer="zeros", name="scores")(x)
    network = keras.Model(start, x, name="shapes")
    for name, (values, bias) in weights.items():
        network.get_layer(name).set_weights([values.transpose(2, 3, 1, 0) if values.ndim == 4 else values.T, bias])
    return network


def weights_of(network) -> training.Weights:
    """Copies of the small network's weights, {layer: (weights, bias)}, in the layout that both frameworks share."""
    weights = {}
    for name in training.weight_shapes():
        values, bias = network.get_layer(name).get_weights()
        turned = values.transpose(3, 2, 0, 1) if values.ndim == 4 else values.T
        weights[name] = (np.ascontiguousarray(turned), bias)
    return weights


def shapes_model(weights: training.Weights | None = None) -> Model:
    """The small network as a `Model`, as `load_model` gives others: trained on shapes, unless weights are given."""
    network = small_cnn(load_weights() if weights is None else weights)
    return Model(network, Preprocess(training.PIXELS, to_tensor), list(SHAPE_NAMES), "shapes", "keras")


def to_batch(images: np.ndarray):
    """Images (N, H, W, 3) from 0 to 1 -> the batch (N, H, W, 3) that the small network wants."""
    return to_tensor(training.PIXELS(images))


def scores(network, images: np.ndarray, *, size: int = 500) -> np.ndarray:
    """The small network's scores (N, 6) for images (N, H, W, 3), in batches of `size`."""
    parts = [images[start : start + size] for start in range(0, len(images), size)]
    return np.concatenate([np.asarray(network(to_batch(part), training=False)) for part in parts])


def training_mode(network) -> contextlib.AbstractContextManager:
    """Nothing to do: a Keras network has no mode, each call says whether it trains."""
    return contextlib.nullcontext()


def descent(network) -> Callable[[np.ndarray, np.ndarray, float], float]:
    """A function that does one step of training in place: (images (N, H, W, 3), labels (N,), learning rate) -> loss."""
    optimizer = keras.optimizers.SGD(momentum=training.MOMENTUM)
    rate_before = None
    variables = network.trainable_variables
    optimizer.build(variables)

    @tensorflow.function
    def descend(images, labels):
        with tensorflow.GradientTape() as tape:
            answers = network(images, training=True)
            loss = tensorflow.reduce_mean(tensorflow.nn.sparse_softmax_cross_entropy_with_logits(labels, answers))
            # Half the squared length, whose gradient is the weight itself: PyTorch's `weight_decay`.
            penalty = tensorflow.add_n([tensorflow.nn.l2_loss(variable.value) for variable in variables])
            total = loss + training.WEIGHT_DECAY * penalty
        optimizer.apply(tape.gradient(total, variables))
        return loss

    def step(images, labels, rate):
        nonlocal rate_before
        if rate != rate_before:
            # Keras' momentum holds past steps, PyTorch's past gradients: a new rate must reach into it.
            for momentum in optimizer.momentums:
                momentum.assign(momentum * (rate / rate_before if rate_before else 0))
            optimizer.learning_rate.assign(rate)
            rate_before = rate
        return float(descend(to_batch(images), keras.ops.convert_to_tensor(labels)))

    return step


def measurer(network, batch, labels, layers: dict[str, str] | None) -> Callable[[], Measurement]:
    """What a `Watch` over this network calls for each snapshot; see `snapshots.watch`. batch : (N, H, W, C)."""
    check_network(network)
    known = list(named_layers(network))
    layers = check_watched(layers, lambda: _activations_behind(network), conv_layers(network), known)
    batch = check_batch(network, batch)
    labels = check_labels(labels, len(batch), network(batch, training=False))
    look = _compiled(network, batch, labels, layers)

    def measure():
        answers, activations, gradients = look()
        known, kernels = named_layers(network), {name: filters(network, name) for name in layers}
        return Measurement(
            scores=_array(answers),
            labels=labels,
            input_spread=float(_array(batch).std()),
            filters=kernels,
            activations={name: channels_first(layer, activations[layer]) for name, layer in layers.items()},
            gradients={
                name: _array(gradients[name]) if known[name].trainable and name in gradients else np.full(1, np.nan)
                for name in kernels
            },
        )

    return measure


def _compiled(network, batch, labels: np.ndarray, layers: dict[str, str]):
    """A compiled function without arguments: scores, {layer: activations}, {convolution: gradient} on this batch."""
    known, watched = named_layers(network), list(dict.fromkeys(layers.values()))
    kernels = {name: getattr(known[name], "kernel", None) for name in layers}
    # A separable or adapted layer computes its kernel from others, and has none to take a gradient for.
    kernels = {name: kernel for name, kernel in kernels.items() if isinstance(kernel, keras.Variable)}
    cut = keras.Model(network.inputs, [*submodel(network, watched).outputs, network.outputs[0]])

    @tensorflow.function
    def look():
        values = [kernel.value for kernel in kernels.values()]
        with tensorflow.GradientTape() as tape:
            tape.watch(values)
            *activations, answers = cut(batch, training=False)
            answers = _as_scores(tensorflow.cast(answers, tensorflow.float32))
            losses = tensorflow.nn.sparse_softmax_cross_entropy_with_logits(labels, answers)
            loss = tensorflow.reduce_mean(losses)
        gradients = tape.gradient(loss, values, unconnected_gradients="zero")
        activations = [tensorflow.cast(one, tensorflow.float32) for one in activations]
        return answers, dict(zip(watched, activations, strict=True)), dict(zip(kernels, gradients, strict=True))

    return look


def _array(tensor) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float32)


_Callback: Any = keras.callbacks.Callback


class WatchFit(_Callback):
    """Carries a `Watch` into `model.fit`: fit(..., callbacks=[WatchFit(watch)]). Steps count on from fit to fit."""

    def __init__(self, watch: Watch):
        super().__init__()
        self.watch = watch

    def on_train_batch_begin(self, batch, logs=None):
        """Look before each step."""
        self.watch(int(self.model.optimizer.iterations))

    def on_train_end(self, logs=None):
        """Look once more at the end."""
        self.watch.finish(int(self.model.optimizer.iterations))


def _as_scores(answers):
    """Scores before the softmax, also of a network that ends in one: the logarithm of a probability is such a score."""
    sums = tensorflow.reduce_sum(answers, axis=1)
    probable = tensorflow.reduce_all(answers >= 0) & tensorflow.reduce_all(tensorflow.abs(sums - 1) < 1e-3)
    return tensorflow.where(probable, tensorflow.math.log(tensorflow.maximum(answers, 1e-12)), answers)


def _activations_behind(network) -> dict[str, str]:
    """For each convolution, the last layer of the run of batch norms and one activation that its answer goes into."""
    known, behind = named_layers(network), {}
    for name in conv_layers(network):
        behind[name] = name
        if known[name].activation is not keras.activations.linear:
            continue
        for later, layer in known.items():
            if isinstance(layer, NORMS + ACTIVATIONS) and feeds(known[behind[name]], layer):
                behind[name] = later
                if isinstance(layer, ACTIVATIONS):
                    break
    return behind
