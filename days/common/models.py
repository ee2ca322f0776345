"""Networks with their preprocessing and their categories, the same way from both frameworks.

Two networks need no download: `squeezenet` (PyTorch and Keras, one weights file) and `efficientnet_lite0` (PyTorch).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from days.common.errors import OFFLINE_NETWORKS
from days.common.frameworks import module_for
from days.common.preprocessing import Preprocess

HALVES = "days.common.{}_models"
"""The module that builds the networks of a framework."""


@dataclass(frozen=True)
class Model:
    """A network ready to look into.

    network : `torch.nn.Module` in evaluation mode, or `keras.Model`; its output is the logits (N, categories).
    preprocess : image (H, W, 3) -> batch of one: torch (1, 3, H, W), Keras (1, H, W, 3); the size is kept.
    categories : names, by index.
    """

    network: Any = field(repr=False)
    preprocess: Callable[[np.ndarray], Any] = field(repr=False)
    categories: list[str] = field(repr=False)
    name: str
    framework: str

    def logits(self, batch) -> np.ndarray:
        """The scores before the softmax, (N, categories), of a batch as `preprocess` makes it."""
        return module_for(self.framework, HALVES).logits(self.network, batch)

    def predict(self, image: np.ndarray, top: int = 5) -> list[tuple[str, float]]:
        """The `top` most probable categories of an image, as (name, probability), best first."""
        if top < 1:
            raise ValueError(f"expected top of at least 1, got {top}")
        probabilities = softmax(self.logits(self.preprocess(image))[0])
        best = np.argsort(-probabilities, kind="stable")[:top]
        return [(self.categories[index], float(probabilities[index])) for index in best]


def load_model(
    name: str = "squeezenet", *, framework: str = "torch", weights: str = "imagenet", seed: int = 0
) -> Model:
    """Load a network, its preprocessing and its categories.

    name : "squeezenet" (both frameworks) and "efficientnet_lite0" (torch) come from installed packages;
        any other torchvision or keras.applications classifier is downloaded once, when there is a network.
    framework : "torch" or "keras".
    weights : "imagenet"; "random" for an untrained network drawn from `seed`; or the path of a weights file:
        `.safetensors`, `.pt`, `.pth` (torch), `.weights.h5` (keras), `.pkl` (squeezenet, both).

    Raises ValueError for an unknown framework, name or weights, OfflineError for weights that need a download without
    a network, ImportError for Keras where TensorFlow is not installed.
    """
    half = module_for(framework, HALVES)
    if not isinstance(name, str):
        raise ValueError(f"expected a network's name, got {name!r}")
    plain_name = name.lower().replace("-", "_")
    name = plain_name if plain_name in OFFLINE_NETWORKS else name
    weights = weights if weights in ("imagenet", "random") else str(Path(weights).expanduser())
    network, pixels, categories = half.build(name, weights, operator.index(seed))
    return Model(network, Preprocess(pixels, half.to_tensor), categories, name, framework)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (..., K) from logits (..., K): exp(z) / sum(exp(z)) along the last axis."""
    return special.softmax(logits, axis=-1)
