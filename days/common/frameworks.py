"""Import the heavy frameworks late, quietly, and around one known fault."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys


def keras_is_installed() -> bool:
    """Whether TensorFlow and Keras are there; looks without importing them."""
    return all(importlib.util.find_spec(package) for package in ("tensorflow", "keras"))


def framework_of(network) -> str:
    """ "torch" or "keras", told by the network's type; imports neither. Raises ValueError for anything else."""
    packages = {base.__module__.split(".")[0] for base in type(network).__mro__}
    for framework in ("torch", "keras"):
        if framework in packages:
            return framework
    raise ValueError(
        f"expected a torch or Keras network, got {type(network).__name__}: load_model(...).network is a network"
    )


def import_keras():
    """The `keras` module on TensorFlow. Raises ImportError with the way out when one of the two is missing."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not keras_is_installed():
        raise ImportError(
            "TensorFlow is not installed: pip install -r requirements.txt brings it; every PyTorch part runs without it"
        )
    with _quiet_stderr():
        import keras
        import tensorflow

        tensorflow.config.list_physical_devices()  # looks for a GPU now, while its complaints are muted
    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            f"expected Keras on TensorFlow, got Keras on {keras.backend.backend()}: "
            "restart the kernel, and import days.common before keras"
        )
    return keras


def import_torchvision():
    """The `torchvision` module, also where its CUDA build stands beside a CPU-only torch.

    That pair fails on import because torchvision's compiled operators cannot be loaded. Models, weights' metadata and
    transforms need none of them, so declaring the two missing schemas is enough.
    """
    import torch

    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision

        # A library that is collected takes its schemas with it.
        torchvision._schemas_declared_here = library
    return torchvision


@contextlib.contextmanager
def _quiet_stderr():
    """Send file descriptor 2 to nowhere: TensorFlow's C++ start-up lines ignore Python's `sys.stderr`."""
    saved = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
