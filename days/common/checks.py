"""What arguments must be: each check gives the value back, or raises one ValueError that quotes wanted and got."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from difflib import get_close_matches
from numbers import Real

import numpy as np


def check_layers(layers: str | Sequence[str]) -> list[str]:
    """`layers` as a list without repeats. Raises ValueError when it is empty or holds anything but names."""
    layers = [layers] if isinstance(layers, str) else layers
    if not isinstance(layers, Sequence) or not layers or not all(isinstance(name, str) for name in layers):
        raise ValueError(f"expected a layer's name or a list of names, got {layers!r}: conv_layers(network) lists some")
    return list(dict.fromkeys(layers))


def unknown_layer(name: str, known: list[str], kind: str = "layer") -> ValueError:
    """The error for a name that the network does not have, with the nearest ones."""
    near = get_close_matches(str(name), known, n=4, cutoff=0.4) or known[:4]
    return ValueError(f"no {kind} {name!r} in this network; of its {len(known)}, near it: {', '.join(near) or 'none'}")


def check_values(finite: bool, floating: bool, count: int) -> None:
    """Raise ValueError for a batch whose values no network can make sense of."""
    if not floating:
        raise ValueError("expected a batch of floats, got whole numbers: model.preprocess(image) makes one")
    if not count:
        raise ValueError("expected at least one image in the batch, got none")
    if not finite:
        raise ValueError("expected finite values in the batch, got NaN or infinity: look at the image and its scaling")


def check_index(value, count: int, what: str) -> int:
    """`value` as an index from 0 to count - 1, or ValueError: `what` names it ("a channel of 'fire4'")."""
    try:
        index = operator.index(value)
    except TypeError:
        index = -1
    if isinstance(value, bool) or not 0 <= index < count:
        raise ValueError(f"expected {what} from 0 to {count - 1}, got {value!r}")
    return index


def check_integer(value, lowest: int, name: str) -> int:
    """`value` as a whole number of at least `lowest`, or ValueError that calls it `name`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = lowest - 1
    if isinstance(value, bool) or number < lowest:
        raise ValueError(f"expected {name} as a whole number of at least {lowest}, got {value!r}")
    return number


def is_number(value) -> bool:
    """Whether `value` is one finite number: no text, no truth value, nothing left out."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_maps(name: str, answer) -> np.ndarray:
    """`answer` if it holds maps (N, C, H, W), else ValueError."""
    if answer is None:
        raise ValueError(f"layer {name!r} did not run in this forward pass, so it has no activations")
    if not isinstance(answer, np.ndarray) or answer.ndim != 4:
        got = getattr(answer, "shape", type(answer).__name__)
        raise ValueError(f"expected maps (N, C, H, W) from layer {name!r}, got {got}: choose an earlier layer")
    return answer


def check_scores(answer, images: int) -> int:
    """How many categories a network's answer has scores of. Raises ValueError unless it is (images, categories)."""
    shape = tuple(getattr(answer, "shape", ()))
    if len(shape) != 2 or shape[0] != images:
        raise ValueError(
            f"expected scores ({images}, categories) from the network, got {shape or type(answer).__name__}"
        )
    return shape[1]
