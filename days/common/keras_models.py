"""The Keras half of `load_model`."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from days.common import squeezenet
from days.common.categories import imagenet_categories
from days.common.errors import cannot_run, download_failed, network_timeout, unknown_name
from days.common.frameworks import import_keras
from days.common.preprocessing import Pixels

keras = import_keras()


def build(name: str, weights: str, seed: int):
    """Network, what it does to pixels, and its categories."""
    # Keras draws the seeds of its initializers from Python's generator; the learner's own sequence must not notice.
    state = random.getstate()
    if name == "efficientnet_lite0":
        raise ValueError("efficientnet_lite0 is here in PyTorch only: framework='torch', or squeezenet in Keras")
    try:
        builder = _squeezenet if name == "squeezenet" else _from_applications
        return *builder(name, weights, seed), imagenet_categories()
    finally:
        random.setstate(state)


def to_tensor(pixels: np.ndarray):
    """Preprocessed pixels (N, H, W, C) as a batch (N, H, W, C)."""
    return keras.ops.convert_to_tensor(pixels)


def logits(network, batch) -> np.ndarray:
    """Batch (N, H, W, C) -> scores before the softmax, (N, categories)."""
    try:
        return keras.ops.convert_to_numpy(network(batch, training=False))
    except Exception as error:
        raise cannot_run(batch, error) from error


def _squeezenet(_: str, weights: str, seed: int):
    network, values = _squeezenet_layers(), squeezenet.load_weights(weights, seed)
    if values is None:
        load_weights_file(network, weights)
    for layer, kernel_and_bias in (values or {}).items():
        network.get_layer(layer).set_weights(kernel_and_bias)
    return network, squeezenet.PIXELS


def _squeezenet_layers():
    image = keras.Input((None, None, 3), name="pixels")
    x = _convolution(image, 64, 3, "conv1", strides=2, padding="valid")
    x = _pool(x, "pool1")
    for name, (_, squeeze, expand) in squeezenet.FIRE_WIDTHS.items():
        x = _convolution(x, squeeze, 1, f"{name}.squeeze")
        branches = [_convolution(x, expand, size, f"{name}.expand{size}x{size}") for size in (1, 3)]
        x = keras.layers.Concatenate(name=name)(branches)
        if name in squeezenet.POOL_AFTER:
            x = _pool(x, squeezenet.POOL_AFTER[name])
    x = keras.layers.Dropout(0.5, name="drop9")(x)
    x = _convolution(x, 1000, 1, "conv10")
    x = keras.layers.GlobalAveragePooling2D(name="logits")(x)
    return keras.Model(image, x, name="squeezenet")


def _convolution(x, width: int, size: int, name: str, strides: int = 1, padding: str = "same"):
    x = keras.layers.Conv2D(width, size, strides=strides, padding=padding, name=name)(x)
    return keras.layers.ReLU(name=f"{name}_activation")(x)


def _pool(x, name: str):
    # torchvision's pools have ceil_mode. After a ReLU one row and one column of zeros do the same, at every size.
    x = keras.layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
    return keras.layers.MaxPooling2D(3, 2, name=name)(x)


def _from_applications(name: str, weights: str, seed: int):
    builders = [function for function in dir(keras.applications) if function[0].isupper()]
    known = {function.lower(): function for function in builders}
    key = name.lower().replace("_", "")
    if key not in known:
        raise unknown_name(key, sorted(known), "keras.applications")
    builder = getattr(keras.applications, known[key])
    module = getattr(keras.applications, builder.__module__.rsplit(".", 1)[-1])
    if weights == "imagenet":
        network = _download(name, builder)
    else:
        network = builder(weights=None, classifier_activation=None)
        _draw_kernels(network, seed)
        if weights != "random":
            load_weights_file(network, weights)
    # What these modules do is written in code; four plain colors tell the numbers.
    colors = np.concatenate([np.zeros((1, 3)), np.eye(3)]).astype(np.float32)[None] * 255
    offset, *columns = module.preprocess_input(colors)[0]
    return network, Pixels(f"{known[key]}'s own", np.stack([column - offset for column in columns], axis=1), offset)


def _download(name: str, builder):
    try:
        with network_timeout():
            return builder(weights="imagenet", classifier_activation=None)
    except Exception as error:
        # Keras raises a bare Exception when a download fails, and a ValueError for a file that arrives damaged.
        said = str(error)
        if not isinstance(error, OSError) and "URL fetch failure" not in said and "corrupted file" not in said:
            raise
        raise download_failed(name, error) from error


def _draw_kernels(network, seed: int) -> None:
    """He-normal kernels from `seed`; Keras' own initializers would draw from its global state."""
    generator = np.random.default_rng(seed)
    for variable in network.weights:
        if "kernel" in variable.name:
            spread = np.sqrt(2 / np.prod(variable.shape[:-1]))
            variable.assign(generator.normal(0, spread, variable.shape).astype(np.float32))


def load_weights_file(network, path: str) -> None:
    """Load a `.weights.h5` file into the network; a whole saved model, which can run code, is refused.

    Raises FileNotFoundError, and ValueError for a file of another kind or one that does not fit the network.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"weights={path!r} is neither 'imagenet', 'random' nor a file")
    if not path.endswith(".weights.h5"):
        raise ValueError(
            f"expected a .weights.h5 file, got {path}: a whole saved model can run code on loading; "
            "save the weights alone with model.save_weights('name.weights.h5')"
        )
    try:
        network.load_weights(path)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first_lines = " ".join(str(error).split())[:300]
        raise ValueError(f"{path} does not hold weights for this network: {first_lines}") from error
