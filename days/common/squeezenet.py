"""SqueezeNet 1.1 on paper: its layers, its weights file, its pixels. Both frameworks build from this page.

Source: Iandola and others, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from days.common.paths import packaged
from days.common.preprocessing import scaled

FIRE_WIDTHS = {  # name: (channels in, squeeze, expand1x1 and expand3x3 each)
    "fire2": (64, 16, 64),
    "fire3": (128, 16, 64),
    "fire4": (128, 32, 128),
    "fire5": (256, 32, 128),
    "fire6": (256, 48, 192),
    "fire7": (384, 48, 192),
    "fire8": (384, 64, 256),
    "fire9": (512, 64, 256),
}
POOL_AFTER = {"conv1": "pool1", "fire3": "pool3", "fire5": "pool5"}
PACKAGED_FILE = "example_models/weights/squeezenet_weights.pkl"
MEAN_BGR = np.array([104, 117, 123], np.float32)
PIXELS = scaled("0 to 255, BGR, minus the training set's mean color", 255, -MEAN_BGR, order="BGR")

Weights = dict[str, tuple[np.ndarray, np.ndarray]]
"""Layer name -> (kernel (kh, kw, in, out), bias (out,)), float32."""


def weight_shapes() -> dict[str, tuple[int, int, int, int]]:
    """Kernel shape (kh, kw, in, out) of each of the 26 convolutions, in forward order."""
    shapes: dict[str, tuple[int, int, int, int]] = {"conv1": (3, 3, 3, 64)}
    for name, (channels, squeeze, expand) in FIRE_WIDTHS.items():
        shapes[f"{name}.squeeze"] = (1, 1, channels, squeeze)
        shapes[f"{name}.expand1x1"] = (1, 1, squeeze, expand)
        shapes[f"{name}.expand3x3"] = (3, 3, squeeze, expand)
    return shapes | {"conv10": (1, 1, 512, 1000)}


def load_weights(weights: str, seed: int = 0) -> Weights | None:
    """What `weights` names: "imagenet", "random" (drawn from `seed`) or a .pkl file; None for any other file."""
    if weights == "random":
        return random_weights(seed)
    if weights == "imagenet":
        return imagenet_weights()
    return imagenet_weights(weights) if weights.endswith(".pkl") else None


def imagenet_weights(path: Path | str | None = None) -> Weights:
    """The weights that Caffe trained on ImageNet, from the package `ndf` or from a file of the same form.

    The file is a pickle, read without any of the classes that it names: it can bring float32 arrays and nothing else.
    Raises FileNotFoundError without the file, ValueError for one that holds anything else.
    """
    path = Path(path).expanduser() if path else packaged("ndf", PACKAGED_FILE, "SqueezeNet's weights ship")
    if not path.is_file():
        raise FileNotFoundError(f"no weights file {path}")
    try:
        with open(path, "rb") as file:
            raw = _ArraysOnly(file).load()
        weights = {  # under our names, in place of Caffe's
            name.replace("squeeze1x1", "squeeze").replace("/", "."): (kernel.values, bias.values)
            for name, (kernel, bias) in raw.items()
        }
        found = {name: (kernel.shape, bias.shape) for name, (kernel, bias) in weights.items()}
    except Exception as error:
        # A damaged pickle makes Python raise almost anything.
        raise ValueError(f"{path} is no SqueezeNet weights file, {{layer: [kernel, bias]}}: {error}") from error
    wanted = {name: (shape, shape[3:]) for name, shape in weight_shapes().items()}
    if found != wanted:
        wrong = {name for name in found.keys() | wanted if found.get(name) != wanted.get(name)}
        raise ValueError(f"{path} does not fit SqueezeNet 1.1: layers {sorted(wrong)[:4]} are missing or misshapen")
    if not all(np.isfinite(kernel).all() and np.isfinite(bias).all() for kernel, bias in weights.values()):
        raise ValueError(f"{path} holds NaN or infinite weights")
    return weights


def random_weights(seed: int = 0) -> Weights:
    """He-uniform kernels and zero biases, as torchvision initializes SqueezeNet, drawn from `seed`."""
    generator = np.random.default_rng(seed)
    weights = {}
    for name, shape in weight_shapes().items():
        bound = np.sqrt(6 / np.prod(shape[:3]))
        kernel = generator.normal(0, 0.01, shape) if name == "conv10" else generator.uniform(-bound, bound, shape)
        weights[name] = (kernel.astype(np.float32), np.zeros(shape[3], np.float32))
    return weights


def denormalize(pixels: np.ndarray) -> np.ndarray:
    """`PIXELS` undone: (..., H, W, 3) BGR minus the mean -> RGB from 0 to 1, clipped."""
    return np.clip((pixels + MEAN_BGR)[..., ::-1] / 255, 0, 1).astype(np.float32)


def convolution_behind(layer: str, channel: int) -> tuple[str, int]:
    """Which filter makes a channel: (convolution's name, filter index).

    A fire module lays its two expand layers one behind the other, so its later channels come from `expand3x3`.

    >>> convolution_behind("fire2", 70), convolution_behind("conv1_activation", 5)
    (('fire2.expand3x3', 6), ('conv1', 5))
    """
    if layer in FIRE_WIDTHS:
        width = FIRE_WIDTHS[layer][2]
        return (f"{layer}.expand1x1", channel) if channel < width else (f"{layer}.expand3x3", channel - width)
    return layer.removesuffix("_activation"), channel


class _Float32:
    """Stands in for numpy's dtype, and is float32 or refuses."""

    def __init__(self, code, *_):
        if code != "f4":
            raise pickle.UnpicklingError(f"expected float32 arrays, got dtype {code!r}")

    def __setstate__(self, state):
        if state[1] != "<":
            raise pickle.UnpicklingError(f"expected little-endian numbers, got {state[1]!r}")


class _Array:
    """Stands in for numpy's array; numpy's own would believe whatever the file says of its memory."""

    values: np.ndarray

    def __init__(self, *_):
        """Take no notice of what the file asks to be made; the state that follows says it all."""

    def __setstate__(self, state):
        _, shape, dtype, column_order, raw = state
        if not isinstance(dtype, _Float32):
            raise pickle.UnpicklingError("expected float32 arrays")
        self.values = np.frombuffer(raw, "<f4").reshape(shape, order="F" if column_order else "C").copy()


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        allowed = {"_reconstruct": _Array, "ndarray": _Array, "dtype": _Float32}
        if module.split(".")[0] == "numpy" and name in allowed:
            return allowed[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no part of a float32 array")
