"""A network knows its framework: what the lessons call, whichever it is of.

`torch_backend` and `keras_backend` answer the same questions by the same names, in the same layout: channels first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

import numpy as np

from days.common.answers import meaning
from days.common.frameworks import framework_of

FAR_TOO_STRONG = (100.0, -100.0, 1e4, -1e4)
"""Inputs times these tell scores, which grow with them, from probabilities, which stay between 0 and 1."""


def backend_of(network, day: int = 17) -> ModuleType:
    """The module of a day's that speaks to this network: its `torch_backend` or its `keras_backend`.

    The other framework is not imported. Raises ValueError for what is no network of either.
    """
    return import_module(f"days.day{day}.code.{framework_of(network)}_backend")


def conv_layers(network) -> list[str]:
    """Names of the convolutions in forward order, nested ones by their path."""
    return backend_of(network).conv_layers(network)


def capture(
    network, layers: str | Sequence[str], batch, *, grid: tuple[int, int] | None = None
) -> dict[str, np.ndarray]:
    """The activations of `layers` for a batch: {layer: (N, C, H, W)}; the network comes back as it was.

    batch : as `model.preprocess` makes it. grid : (rows, columns) of the tokens (N, T, C) or the maps (N, H, W, C) of a
    transformer, which then come as maps.

    Raises ValueError for an unknown layer (the nearest names are listed), a layer without maps or with channels last,
    and a batch that the network cannot take.
    """
    return backend_of(network).capture(network, layers, batch, grid=grid)


def filters(network, layer: str) -> np.ndarray:
    """A copy of a convolution's filters, (out, in, kh, kw). Raises ValueError for a name that is no convolution."""
    return backend_of(network).filters(network, layer)


def run_to(network, layer: str, batch):
    """One layer's answer as the framework's own live tensor, in its own layout, for gradients; no deeper layer runs.

    Raises ValueError for an unknown layer, and for a batch that the network cannot take.
    """
    return backend_of(network).run_to(network, layer, batch)


def meaning_of(network, batch, answers: np.ndarray) -> str:
    """What a classifier's answers mean, see `answers.meaning`: told by these, and by those to inputs far too strong.

    Scores of a few images may all lie between 0 and 1 by accident; of inputs far too strong, they do not. What the
    network cannot take, or answers with NaN, tells nothing. answers : whatever it was seen to answer, (n, outputs).
    """
    looking = backend_of(network)
    for strength in FAR_TOO_STRONG:
        if meaning(answers) in ("scores", "score"):
            break
        with contextlib.suppress(ValueError):
            strong = looking.scores(network, looking.check_batch(network, strength * batch))
            answers = np.concatenate([answers, strong])
    return meaning(answers)
