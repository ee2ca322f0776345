"""What arguments must be: each check gives the value back, or raises one ValueError that quotes wanted and got."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from difflib import get_close_matches
from numbers import Real

import numpy as np

MOST_OTHER_TOKENS = 8
"""Tokens that stand for no place: that of the class, that of a teacher, registers."""


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


def _integer(value) -> int | None:
    """`value` as a whole number; None for anything else, a truth value among them."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def check_index(value, count: int, what: str) -> int:
    """`value` as an index from 0 to count - 1, or ValueError: `what` names it ("a channel of 'fire4'")."""
    if (index := _integer(value)) is None or not 0 <= index < count:
        raise ValueError(f"expected {what} from 0 to {count - 1}, got {value!r}")
    return index


def check_integer(value, lowest: int, name: str) -> int:
    """`value` as a whole number of at least `lowest`, or ValueError that calls it `name`."""
    if (number := _integer(value)) is None or number < lowest:
        raise ValueError(f"expected {name} as a whole number of at least {lowest}, got {value!r}")
    return number


def is_number(value) -> bool:
    """Whether `value` is one finite number: no text, no truth value, nothing left out."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_maps(name: str, answer, grid: tuple[int, int] | None = None) -> np.ndarray:
    """`answer` if it holds maps (N, C, H, W), or tokens (N, T, C) that lie on a grid, as maps; else ValueError.

    grid : (rows, columns) of the tokens, row by row. Tokens of the class and the like come before them, and are left
    out.
    """
    if answer is None:
        raise ValueError(f"layer {name!r} did not run in this forward pass, so it has no activations")
    got, dimensions = getattr(answer, "shape", type(answer).__name__), np.ndim(answer)
    if not isinstance(answer, np.ndarray) or dimensions != (4 if grid is None else 3):
        way_out = "choose an earlier layer"
        if grid is None and dimensions == 3:
            way_out = "if these are tokens (N, T, C), name their grid, such as grid=(14, 14)"
        wanted = "maps (N, C, H, W)" if grid is None else "tokens (N, T, C)"
        raise ValueError(f"expected {wanted} from layer {name!r}, got {got}: {way_out}")
    if grid is None:
        return answer
    rows, columns = (check_integer(count, 1, "each side of the grid") for count in grid)
    before = answer.shape[1] - rows * columns
    if not 0 <= before <= MOST_OTHER_TOKENS:
        raise ValueError(
            f"expected {rows} x {columns} tokens from layer {name!r}, or a few more that come before them, got "
            f"{answer.shape[1]}: the grid is the image's size through that of a patch"
        )
    return answer[:, before:].transpose(0, 2, 1).reshape(len(answer), -1, rows, columns)


def check_scores(answer, images: int) -> int:
    """How many categories a network's answer has scores of. Raises ValueError unless it is (images, categories)."""
    shape = tuple(getattr(answer, "shape", ()))
    if len(shape) != 2 or shape[0] != images:
        raise ValueError(
            f"expected scores ({images}, categories) from the network, got {shape or type(answer).__name__}"
        )
    return shape[1]
