"""Import TensorFlow and Keras late and quietly, and tell which framework a network is of."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from packaging.requirements import Requirement

from days.common.paths import REPO_ROOT


def keras_is_installed() -> bool:
    """Whether TensorFlow and Keras are there; looks without importing them."""
    return all(importlib.util.find_spec(package) for package in ("tensorflow", "keras"))


def why_no_keras(python: str | None = None) -> str:
    """One line on why TensorFlow is missing and what helps, for this Python or for another one such as "3.14".

    Whether the course's TensorFlow can be had at all is read from pyproject.toml, where it is pinned.
    """
    python = python or ".".join(platform.python_version_tuple()[:2])
    lines = tomllib.loads((REPO_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    wanted = next(line for line in map(Requirement, lines) if line.name == "tensorflow")
    if wanted.marker is None or wanted.marker.evaluate({"python_version": python}):
        return "TensorFlow is not installed: pip install -r requirements.txt brings it"
    version = str(wanted.specifier).removeprefix("==")
    return f"TensorFlow is not installed: its version {version} has no wheel for Python {python}"


def framework_of(network) -> str:
    """ "torch" or "keras", told by the network's type; imports neither. Raises ValueError for anything else."""
    packages = {base.__module__.split(".")[0] for base in type(network).__mro__}
    for framework in ("torch", "keras"):
        if framework in packages:
            return framework
    got, way_out = type(network).__name__, "load_model(...).network is a network"
    if isinstance(network, type):
        got, way_out = f"the class {network.__name__}", f"{network.__name__}() makes one"
    elif isinstance(network, Mapping):
        way_out = "if it holds weights, make the network first, then network.load_state_dict(...)"
    raise ValueError(f"expected a torch or Keras network, got {got}: {way_out}")


def module_for(framework: str, name: str) -> ModuleType:
    """The module that `name` ("days.common.{}_models") names for "torch" or "keras". Raises ValueError for another."""
    if framework not in ("torch", "keras"):
        raise ValueError(f"expected framework 'torch' or 'keras', got {framework!r}")
    return import_module(name.format(framework))


def import_keras() -> Any:
    """The `keras` module on TensorFlow. ModuleNotFoundError says what is missing, ImportError what is wrong."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not keras_is_installed():
        raise ModuleNotFoundError(f"{why_no_keras()}; every PyTorch part runs without it")
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


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Send file descriptor 2 to nowhere: TensorFlow's C++ start-up lines ignore Python's `sys.stderr`."""
    saved = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
