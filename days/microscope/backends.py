"""The microscope's looks into a network: `torch_backend` and `keras_backend` answer the same questions."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from days.common.frameworks import framework_of


def microscope_backend(network) -> ModuleType:
    """This package's module for the network's framework; the other one is not imported."""
    return import_module(f"days.microscope.{framework_of(network)}_backend")
