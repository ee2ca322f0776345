"""The subject of an X-ray: a network with all that is needed to run it on images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from days.common.checks import check_integer
from days.common.comparison import brief
from days.common.frameworks import framework_of
from days.common.models import Model
from days.common.preprocessing import Pixels
from days.day17.code.backends import backend_of
from days.day20.code.parameterization import pixels_of
from days.xray.preprocessing import pixels_from


@dataclass(frozen=True)
class Subject:
    """A network, how it is fed, and what it is called.

    network : a torch module or a Keras model, the learner's own. pixels : its preprocessing. size : of the square
    images that it gets. bound : the size that it was built for, if any. categories : names by number, or None.
    """

    network: Any = field(repr=False)
    pixels: Pixels
    size: int
    bound: int | None
    categories: list[str] | None = field(repr=False)
    name: str

    @property
    def backend(self) -> ModuleType:
        """The X-ray's module for the network's framework; the other one is not imported."""
        return xray_backend(self.network)

    def batch(self, images: np.ndarray, pixels: Pixels | None = None) -> Any:
        """Images (N, H, W, 3) from 0 to 1 as the network takes them, preprocessed by `pixels` or its own."""
        return backend_of(self.network).to_batch(self.network, (pixels or self.pixels)(images))

    def called(self, category: int) -> str:
        """A category's name, or its number."""
        return self.categories[category] if self.categories else f"category {category}"


def xray_backend(network) -> ModuleType:
    """This package's `torch_backend` or `keras_backend`. Raises ValueError for what is no network of either."""
    return import_module(f"days.xray.{framework_of(network)}_backend")


def subject_of(
    network,
    *,
    size: int | None = None,
    mean=None,
    std=None,
    order: str | None = None,
    labels: Sequence[str] | None = None,
) -> Subject:
    """A network or a `Model` with its preprocessing, size and categories; for the parameters see `xray`.

    Raises ValueError for what cannot be X-rayed.
    """
    model = network if isinstance(network, Model) else None
    network = model.network if model else network
    channels, bound = xray_backend(network).input_form(network)
    if size is not None and bound not in (None, size):
        raise ValueError(f"expected the size {bound} that the network is bound to, got {size}")
    if model and mean is None and std is None and order is None:
        own = pixels_of(network, model.preprocess)
        pixels = Pixels("the model's own preprocessing", own.matrix, own.offset)
    else:
        pixels = pixels_from(channels, mean, std, order or "rgb")
    categories = _named(labels) if labels is not None else (model.categories if model else None)
    name = model.name if model else type(network).__name__
    size = check_integer((bound or 224) if size is None else size, 8, "size")
    return Subject(network, pixels, size, bound, categories, name)


def _named(labels) -> list[str]:
    if np.ndim(labels) != 1 or not len(labels) or not all(isinstance(one, str) for one in labels):
        raise ValueError(f"expected labels as a list of names, one a category, got {brief(labels)}")
    return list(labels)
