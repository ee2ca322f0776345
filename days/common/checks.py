"""What arguments must be: each check gives the value back, or raises one ValueError that quotes wanted and got."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from difflib import get_close_matches
from numbers import Real

import numpy as np

from days.common.comparison import brief

MOST_OTHER_TOKENS = 8
"""Tokens that stand for no place: that of the class, that of a teacher, registers."""


def check_layers(layers: str | Sequence[str]) -> list[str]:
    """`layers` as a list without repeats. Raises ValueError when it is empty or holds anything but names."""
    layers = [layers] if isinstance(layers, str) else layers
    if not isinstance(layers, Sequence) or not layers or not all(isinstance(name, str) for name in layers):
        raise ValueError(
            f"expected a layer's name or a list of names, got {brief(layers)}: conv_layers(network) lists some"
        )
    return list(dict.fromkeys(layers))


def unknown_layer(name: str, known: list[str], kind: str = "layer") -> ValueError:
    """The error for a name that the network does not have, with the nearest ones."""
    near = get_close_matches(str(name), known, n=4, cutoff=0.4) or known[:4]
    return ValueError(
        f"no {kind} {brief(name)} in this network; of its {len(known)}, near it: {', '.join(near) or 'none'}"
    )


def check_values(finite: bool, floating: bool, count: int, kind: str) -> None:
    """Raise ValueError for a batch whose values, numbers of this kind, no network can make sense of."""
    if not floating:
        raise ValueError(f"expected a batch of floats, got {kind}: model.preprocess(image) makes one")
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
        raise ValueError(f"expected {what} from 0 to {count - 1}, got {brief(value)}")
    return index


def check_integer(value, lowest: int, name: str) -> int:
    """`value` as a whole number of at least `lowest`, or ValueError that calls it `name`."""
    if (number := _integer(value)) is None or number < lowest:
        raise ValueError(f"expected {name} as a whole number of at least {lowest}, got {brief(value)}")
    return number


def is_number(value) -> bool:
    """Whether `value` is one finite number: no text, no truth value, nothing left out."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def check_maps(name: str, answer, grid: tuple[int, int] | None = None) -> np.ndarray:
    """`answer` if it holds maps (N, C, H, W), or, with a grid, others as such maps; else ValueError.

    grid : (rows, columns) of maps (N, H, W, C), or of tokens (N, T, C), row by row. Tokens of the class and the like
    come before them, and are left out.
    """
    if answer is None:
        raise ValueError(f"layer {name!r} did not run in this forward pass, so it has no activations")
    got, dimensions = getattr(answer, "shape", type(answer).__name__), np.ndim(answer)
    if not isinstance(answer, np.ndarray) or dimensions not in ((4,) if grid is None else (3, 4)):
        way_out = "choose an earlier layer"
        if grid is None and dimensions == 3:
            way_out = "if these are tokens (N, T, C), name their grid, such as grid=(14, 14)"
        wanted = "maps (N, C, H, W)" if grid is None else "maps or tokens (N, T, C)"
        raise ValueError(f"expected {wanted} from layer {name!r}, got {got}: {way_out}")
    if grid is None:
        return answer
    if not isinstance(grid, Sequence) or len(grid) != 2:
        raise ValueError(f"expected a grid as (rows, columns), such as (14, 14), got {grid!r}")
    rows, columns = (check_integer(count, 1, "each side of the grid") for count in grid)
    grid = rows, columns
    return _on_grid(name, answer, grid) if dimensions == 3 else _turned(name, answer, grid)


def _turned(name: str, answer: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Maps (N, H, W, C) or (N, C, H, W), whichever has the grid's (rows, columns), as (N, C, H, W)."""
    first, last = answer.shape[2:] == grid, answer.shape[1:3] == grid
    if first == last:
        how = "whose channels may be first or last: give images of another size" if first else "which does not fit"
        raise ValueError(f"expected maps on a grid of {grid} from layer {name!r}, got {answer.shape}, {how}")
    return answer if first else answer.transpose(0, 3, 1, 2)


SIDES_ALIKE = 0.1
"""By how much the logarithm of a map's height over its width may differ from that of the image."""


def check_channels_first(name: str, shape: tuple, image: tuple[int, int], *, either: bool) -> None:
    """Raise ValueError for maps of this shape, (N, C, H, W), whose channels seem to come last, by the image's sides.

    either : the network is known to lay out some maps channels last, so a shape that fits both ways is refused, too.
    """
    ratio = math.log(image[0] / image[1])
    first, last = (abs(math.log(sides[0] / sides[1]) - ratio) for sides in (shape[2:], shape[1:3]))
    if first > SIDES_ALIKE and last < first:
        raise ValueError(
            f"expected maps (N, C, H, W) from layer {name!r}, got {tuple(shape)}, whose channels seem to come last: "
            f"capture and grad_cam take them with grid={tuple(shape[1:3])}; else choose a layer with channels first"
        )
    if either and max(first, last) <= SIDES_ALIKE:
        raise ValueError(
            f"expected maps (N, C, H, W) from layer {name!r}, got {tuple(shape)}, whose channels may come first or "
            "last in this network: give images of another size"
        )


def _on_grid(name: str, tokens: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    rows, columns = grid
    before = tokens.shape[1] - rows * columns
    if not 0 <= before <= MOST_OTHER_TOKENS:
        raise ValueError(
            f"expected {rows} x {columns} tokens from layer {name!r}, or a few more that come before them, got "
            f"{tokens.shape[1]}: the grid is the image's size through that of a patch"
        )
    return tokens[:, before:].transpose(0, 2, 1).reshape(len(tokens), -1, rows, columns)


def check_scores(answer, images: int) -> int:
    """How many categories a network's answer has scores of. Raises ValueError unless it is (images, categories)."""
    shape = tuple(getattr(answer, "shape", ()))
    if len(shape) == 2 and shape[0] == images and shape[1]:
        return shape[1]
    way_out = "wrap it so that it returns them alone"
    if len(shape) == 1:
        way_out = "wrap it so that both axes stay, which a squeeze() in it may have dropped"
    elif len(shape) == 2 and shape[1]:
        way_out = "a reshape in its forward mixes the images, perhaps as they have another size than it was made for"
    elif len(shape) == 4:
        way_out = "wrap it so that it returns the mean of each category's map"
    elif hasattr(answer, "shape") and not shape:
        way_out = "let it return a row of scores for each image, not their sum or mean"
    got = shape or ("a single number" if hasattr(answer, "shape") else type(answer).__name__)
    raise ValueError(f"expected scores ({images}, categories) from the network, got {got}: {way_out}")
