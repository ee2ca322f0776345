"""Awkward Keras networks: small samples of what learners bring, and of what public bug reports are about."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import numpy as np
from awkward import Awkward

from days.common.frameworks import import_keras

keras = import_keras()

import tensorflow  # noqa: E402  only after import_keras has quieted it

layers = keras.layers


def keras_state(network) -> list:
    """All that must not change while a network is looked into."""
    told = [random.getstate(), np.random.get_state()[1].tobytes()]
    told += [one.tobytes() for one in network.get_weights()] if network.built else []
    for layer in network._flatten_layers():
        told.append((layer.name, layer.trainable, id(getattr(layer, "activation", None)), layer.dtype_policy.name))
    return told


def graph(*middle: Callable, end: Callable | None = None, size: int | None = 32, channels: int = 3, dtype=None, **how):
    """A maker of functional networks: conv1, what `middle` makes in turn, conv2, a mean, three scores, `end`."""

    def make():
        inputs = keras.Input((size, size, channels), dtype=dtype)
        x = layers.Conv2D(6, 3, name="conv1", **how)(inputs)
        for operation in middle:
            x = operation()(x)
        x = layers.Conv2D(8, 3, name="conv2", activation="relu")(x)
        x = layers.Dense(3)(layers.GlobalAveragePooling2D()(x))
        return keras.Model(inputs, end(x) if end else x)

    return make


def in_policy(policy: str, make: Callable) -> Callable:
    """`make`, whose layers are made under a precision policy."""

    def build():
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            return make()
        finally:
            keras.config.set_dtype_policy(before)

    return build


def changed(make: Callable, change: Callable) -> Callable:
    """A maker whose network is put through `change`."""

    def build():
        network = make()
        return change(network) or network

    return build


@keras.saving.register_keras_serializable("awkward")
class Block(layers.Layer):
    """A layer of the learner's own that holds a convolution."""

    def __init__(self, **how):
        super().__init__(**how)
        self.conv = layers.Conv2D(6, 3, padding="same", activation="relu")

    def call(self, x):
        return self.conv(x)


class Scaled(layers.Layer):
    """A layer of the learner's own that does not say how it can be made again."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, x):
        return self.factor * x


class Subclassed(keras.Model):
    """A model without a graph."""

    def __init__(self):
        super().__init__()
        self.conv = layers.Conv2D(4, 3, name="conv")
        self.last = layers.Dense(3)

    def call(self, x):
        return self.last(keras.ops.mean(self.conv(x), (1, 2)))


class CallsItself(keras.Model):
    """A functional model whose call does more than its graph shows."""

    def __init__(self):
        inputs = keras.Input((32, 32, 3))
        super().__init__(inputs, Subclassed().call(inputs))

    def call(self, x, training=None):
        return 2 * super().call(x, training=training)


def sequential():
    return keras.Sequential(
        [
            *(keras.Input((32, 32, 3)), layers.Conv2D(6, 3, name="conv1", activation="relu")),
            *(layers.MaxPooling2D(), layers.Conv2D(8, 3, name="conv2"), layers.GlobalAveragePooling2D()),
            layers.Dense(3),
        ]
    )


def transferred():
    """Augmentation, rescaling, a network inside a network, and a head, as in tutorials on transfer learning."""
    inner = keras.Input((32, 32, 3))
    core = keras.Model(inner, layers.Conv2D(8, 3, name="conv2", activation="relu")(inner), name="core")
    base = keras.Sequential([keras.Input((32, 32, 3)), core], name="base")
    base.trainable = False
    augment = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.1)], name="augment")
    head = [layers.GlobalAveragePooling2D(), layers.Dropout(0.2), layers.Dense(3)]
    return keras.Sequential([keras.Input((32, 32, 3)), augment, layers.Rescaling(2.0, offset=-1), base, *head])


def named_input():
    inputs = keras.Input((32, 32, 3), name="image")
    x = layers.Conv2D(6, 3, name="conv1", activation="relu")(inputs)
    return keras.Model({"image": inputs}, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def one_at_a_time():
    inputs = keras.Input(batch_shape=(1, 32, 32, 3))
    x = layers.Conv2D(6, 3, name="conv1", activation="relu")(inputs)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def flat():
    inputs = keras.Input((32 * 32 * 3,))
    x = layers.Conv2D(6, 3, name="conv1")(layers.Reshape((32, 32, 3))(inputs))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def clips():
    inputs = keras.Input((4, 32, 32, 3))
    x = layers.TimeDistributed(layers.Conv2D(6, 3, name="conv1"))(inputs)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling3D()(x)))


def unet():
    inputs = keras.Input((32, 32, 3))
    skip = layers.Conv2D(4, 3, padding="same", activation="elu", name="conv1")(inputs)
    x = layers.Conv2D(8, 3, 2, padding="same", activation="leaky_relu", name="conv2")(skip)
    x = layers.Concatenate()([layers.Conv2DTranspose(4, 2, 2)(x), skip])
    return keras.Model(inputs, layers.Conv2D(3, 1)(x))


def unet_pooled():
    network = unet()
    return keras.Model(network.inputs, layers.GlobalAveragePooling2D()(network.outputs[0]))


def recurrent():
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(4, 5, (4, 2), activation="hard_swish", name="conv1")(inputs)
    x = layers.Reshape((14, 28))(layers.Permute((2, 1, 3))(x))
    return keras.Model(inputs, layers.Dense(3)(layers.GRU(6)(x)))


def attention():
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 5, 4, activation="silu", name="conv1")(inputs)
    x = layers.Multiply()([x, layers.Dense(8, "hard_sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))])
    tokens = layers.LayerNormalization()(layers.Reshape((49, 8))(x))
    x = layers.Add()([tokens, layers.MultiHeadAttention(2, 4)(tokens, tokens)])
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def called_as_graph():
    inputs = keras.Input((32, 32, 3))
    return keras.Model(inputs, Subclassed().call(inputs))


def unbuilt():
    return keras.Sequential([layers.Conv2D(6, 3, name="conv1"), layers.GlobalAveragePooling2D(), layers.Dense(3)])


def nested():
    inner = keras.Input((None, None, 3))
    base = keras.Model(inner, layers.Conv2D(8, 3, name="conv2", activation="relu")(inner), name="base")
    inputs = keras.Input((32, 32, 3))
    x = base(layers.Rescaling(1.0)(inputs), training=False)
    return keras.Model(inputs, layers.Dense(3)(layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))))


def shared():
    conv = layers.Conv2D(6, 3, name="conv1", activation="relu", padding="same")
    inputs = keras.Input((32, 32, 3))
    both = layers.Add()([conv(inputs), conv(inputs[:, :, ::-1])])
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(both)))


def residual():
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(6, 3, name="conv1", activation="relu")(inputs)
    y = layers.BatchNormalization(gamma_initializer="zeros")(layers.Conv2D(6, 3, padding="same", name="conv2")(x))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([x, y])))))


def two_inputs():
    first, second = keras.Input((32, 32, 3)), keras.Input((4,))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, name="conv1")(first))
    return keras.Model([first, second], layers.Dense(3)(layers.Concatenate()([x, second])))


def two_outputs():
    inputs = keras.Input((32, 32, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, name="conv1")(inputs))
    return keras.Model(inputs, [layers.Dense(3)(x), layers.Dense(2)(x)])


def dictionary():
    inputs = keras.Input((32, 32, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, name="conv1")(inputs))
    return keras.Model(inputs, {"scores": layers.Dense(3)(x)})


def with_lora(network):
    network.get_layer("conv2").enable_lora(2)
    kernel = network.get_layer("conv2").lora_kernel_b
    kernel.assign(keras.ops.ones_like(kernel))


def frozen(network):
    network.trainable = False


WITH_RELU = graph(layers.ReLU)

RELUS = {
    "mask": lambda x: x * keras.ops.cast(x > 0, x.dtype),
    "where": lambda x: keras.ops.where(x > 0, x, 0.0),
    "maximum of two": lambda x: keras.ops.maximum(x, keras.ops.zeros_like(x)),
    "absolute value": lambda x: (x + keras.ops.abs(x)) / 2,
    "difference": lambda x: x - keras.ops.minimum(x, 0.0),
    "minimum, turned around": lambda x: -keras.ops.minimum(-x, 0.0),
    "largest of a stack": lambda x: keras.ops.max(keras.ops.stack([x, keras.ops.zeros_like(x)]), axis=0),
    "layer of two inputs": lambda x: layers.Multiply()([x, keras.ops.cast(x > 0, x.dtype)]),
}
"""ReLUs of operations, most of which are given several tensors."""

KERAS = [
    *(
        Awkward(f"a ReLU by {name}", graph(lambda relu=relu: relu), "conv1", plain=WITH_RELU)
        for name, relu in RELUS.items()
    ),
    Awkward("sequential", sequential, "conv2"),
    Awkward("functional, of any size", graph(layers.ReLU, size=None), "conv2"),
    Awkward("nested", nested, "base/conv2"),
    Awkward("a shared layer", shared, "conv1"),
    Awkward("zero-init residual", residual, "conv2", flat=True),
    Awkward(
        "a ReLU of TensorFlow's",
        graph(lambda: layers.Activation(tensorflow.nn.relu)),
        "conv1",
        plain=graph(layers.ReLU),
    ),
    Awkward("a ReLU of keras.ops", graph(lambda: layers.Activation(keras.ops.relu)), "conv1", plain=WITH_RELU),
    Awkward(
        "a ReLU in a Lambda",
        graph(lambda: layers.Lambda(lambda x: tensorflow.maximum(x, 0.0))),
        "conv1",
        plain=graph(layers.ReLU),
    ),
    Awkward(
        "a ReLU of operations", graph(lambda: lambda x: keras.ops.maximum(x, 0.0)), "conv1", plain=graph(layers.ReLU)
    ),
    Awkward("ReLU6", graph(lambda: layers.ReLU(max_value=6)), "conv1"),
    Awkward("a leaky ReLU called ReLU", graph(lambda: layers.ReLU(negative_slope=0.2)), "conv1"),
    Awkward("leaky ReLU", graph(lambda: layers.LeakyReLU(0.2)), "conv1"),
    Awkward("PReLU", graph(layers.PReLU), "conv1"),
    Awkward("SiLU", graph(lambda: layers.Activation("silu")), "conv1"),
    Awkward("pools before the ReLU", graph(layers.MaxPooling2D, layers.ReLU), "conv1"),
    Awkward("batch norm", graph(layers.BatchNormalization, layers.ReLU), "conv1"),
    Awkward("group norm", graph(lambda: layers.GroupNormalization(3)), "conv1"),
    Awkward("dropout that is always on, at 0", graph(lambda: lambda x: layers.Dropout(0.0)(x, training=True)), "conv1"),
    Awkward("noise in training", graph(lambda: layers.GaussianNoise(0.5)), "conv1"),
    Awkward("augmentation in the network", graph(layers.RandomFlip), "conv1"),
    Awkward("strided", graph(strides=2), "conv1"),
    Awkward("dilated", graph(dilation_rate=2), "conv1"),
    Awkward("grouped", graph(lambda: layers.Conv2D(6, 3, groups=3, name="grouped")), "grouped"),
    Awkward("depthwise", graph(lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, name="deep")), "deep"),
    Awkward("separable", graph(lambda: layers.SeparableConv2D(5, 3, name="apart")), "apart"),
    Awkward("transposed", graph(lambda: layers.Conv2DTranspose(4, 2, 2)), "conv1"),
    Awkward("ends in softmax", graph(end=lambda x: layers.Softmax()(x)), "conv2"),
    Awkward("several sigmoids", graph(end=lambda x: layers.Activation("sigmoid")(x)), "conv2"),
    Awkward("one logit", graph(end=lambda x: layers.Dense(1)(x)), "conv2", category=0),
    Awkward("answers a dictionary of one", dictionary, "conv1"),
    Awkward("gray", graph(channels=1), "conv2", channels=1),
    Awkward("transferred", transferred, "base/core/conv2"),
    Awkward("an input with a name", named_input, "conv1"),
    Awkward("one image at a time", one_at_a_time, "conv1"),
    Awkward("preprocessing in a Lambda", graph(lambda: layers.Lambda(lambda x: x[..., ::-1] / 2)), "conv1"),
    Awkward("a layer of one's own without a config", graph(lambda: Scaled(2.0)), "conv1"),
    Awkward("skip connection", unet_pooled, "conv2"),
    Awkward("recurrent", recurrent, "conv1"),
    Awkward("attention", attention, "conv1"),
    Awkward("called as a graph", called_as_graph, "conv"),
    Awkward(
        "spatial dropout that is always on",
        graph(lambda: partial(layers.SpatialDropout2D(0.5), training=True)),
        "conv1",
    ),
    Awkward(
        "no gradient passes",
        graph(lambda: layers.Lambda(tensorflow.stop_gradient)),
        "conv1",
        dark="stops gradients",
        dark_below=False,
    ),
    Awkward(
        "no gradient passes up to the layer",
        graph(lambda: layers.Lambda(tensorflow.stop_gradient)),
        "conv2",
        dark="stops gradients",
        dark_above=False,
    ),
    Awkward("half precision in", in_policy("float16", graph()), "conv2", tolerance=0.05),
    Awkward("a softmax over places", graph(lambda: layers.Softmax(axis=(1, 2))), "conv1"),
    Awkward("double precision", in_policy("float64", graph()), "conv2"),
    Awkward("mixed float16", in_policy("mixed_float16", graph()), "conv2", tolerance=0.05),
    Awkward("mixed bfloat16", in_policy("mixed_bfloat16", graph()), "conv2", tolerance=0.05),
    Awkward("low rank adaptation", changed(graph(), with_lora), "conv2"),
    Awkward("frozen", changed(graph(), frozen), "conv2"),
    Awkward("a convolution in a layer of one's own", graph(lambda: Block(name="block")), "conv2"),
    Awkward("a wrapped convolution", graph(lambda: layers.SpectralNormalization(layers.Conv2D(6, 3))), "conv2"),
    Awkward(
        "whole numbers in", graph(lambda: layers.Rescaling(1 / 255), dtype="uint8"), "conv2", refused="uint8|whole"
    ),
    Awkward("subclassed", Subclassed, "conv", refused="subclassed|functional|has no weights yet"),
    Awkward("functional, with a call of its own", CallsItself, "conv", refused="subclassed|functional"),
    Awkward("not built", unbuilt, "conv1", refused="call it once|call the network once|built"),
    Awkward("two inputs", two_inputs, "conv1", refused="one input"),
    Awkward("two outputs", two_outputs, "conv1", refused="one output|2 outputs|scores"),
    Awkward("flat images", flat, "conv1", refused=r"takes images .* got one that takes \(None, 3072\)"),
    Awkward(
        "clips",
        clips,
        "conv1",
        refused=r"takes images .* got one that takes \(None, 4, 32, 32, 3\)|inside 'time_distributed'",
    ),
    Awkward("scores as maps", unet, "conv2", refused="mean of each category's map"),
    Awkward("channels first", graph(data_format="channels_first"), "conv1", refused="channels"),
]
