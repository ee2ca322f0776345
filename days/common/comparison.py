"""A learner's answer beside the wanted one: values of any framework as NumPy, and differences in words."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

HALF_PRECISION = 4e-3
"""Tolerance for answers in float16, whose numbers are one thousandth apart."""
PLACES = ("first", "second", "third", "fourth", "fifth", "sixth")


class Words(str):
    """What a `look` found out about an answer, in words that a verdict says as they stand."""

    __slots__ = ()


class Leaf(NamedTuple):
    """One array, number or text of an answer: where it stands (" as the first of 2"), what came, what is wanted."""

    where: str
    got: Any
    wanted: Any


def plain(value):
    """`value` with tensors as NumPy arrays, exact fractions as floats, and what can be looped over once as a list."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        kind = type(value) if type(value) in (list, set, frozenset) else tuple
        return kind(plain(one) for one in value)
    if isinstance(value, (Iterator, type({}.keys()), type({}.values()), range)):
        return [plain(one) for one in value]
    if isinstance(value, type):
        return value
    if isinstance(value, (Fraction, Decimal)):
        return float(value)
    if callable(getattr(value, "detach", None)):
        value = value.detach().cpu().resolve_conj().resolve_neg()
        value = value.float() if "bfloat16" in str(value.dtype) else value
    return np.asarray(value.numpy()) if callable(getattr(value, "numpy", None)) else value


def leaves(got, wanted, where: str = "") -> list[Leaf] | str:
    """The parts of an answer beside those that are wanted; or, where they do not fit together, why, in words."""
    if isinstance(wanted, dict):
        if not isinstance(got, dict):
            return f"you returned {brief(got)}, wanted a dict with the keys {list(wanted)}."
        if got.keys() != wanted.keys():
            odd = {"missing": wanted.keys() - got.keys(), "too many": got.keys() - wanted.keys()}
            said = "; ".join(f"{what}: {', '.join(sorted(map(repr, keys)))}" for what, keys in odd.items() if keys)
            return f"you returned a dict with the keys {brief(list(got))}, wanted {list(wanted)} ({said})."
        parts = [(f" under {key!r}", got[key], wanted[key]) for key in wanted]
    elif isinstance(wanted, tuple) or (isinstance(wanted, list) and any(isinstance(one, str) for one in wanted)):
        got = tuple(got) if isinstance(got, np.ndarray) and got.ndim else got
        if not isinstance(got, (tuple, list)) or len(got) != len(wanted):
            return f"you returned {_counted(got)}, wanted {brief(wanted)}, {len(wanted)} values."
        parts = [
            (f" as the {PLACES[place]} of {len(wanted)}", *pair)
            for place, pair in enumerate(zip(got, wanted, strict=True))
        ]
    elif isinstance(wanted, str):
        return [Leaf(where, got, wanted)]
    else:
        return _array_leaf(got, np.asarray(wanted), where)
    found = [leaves(one, other, where + place) for place, one, other in parts]
    bad = next((one for one in found if isinstance(one, str)), None)
    return bad or [leaf for one in found if not isinstance(one, str) for leaf in one]


def _counted(got) -> str:
    return brief(got) + (f", {len(got)} values" if isinstance(got, (tuple, list)) else "")


def _array_leaf(got, wanted: np.ndarray, where: str) -> list[Leaf] | str:
    if isinstance(got, tuple) and len(got) == 1 and wanted.ndim == 1 and np.ndim(got[0]) == 1:
        got = got[0]  # as np.where gives it
    got = sorted(got) if isinstance(got, (set, frozenset)) else got
    try:
        array = np.asarray(got)
    except (TypeError, ValueError, RuntimeError) as error:
        return f"you returned {type(got).__name__}{where}, which is no array ({brief(error)}); wanted {brief(wanted)}."
    if array.size == 0 == wanted.size and array.ndim == 1:
        array = array.astype(wanted.dtype).reshape(wanted.shape)  # an empty list has no type and no columns
    if array.dtype.kind in "US" and _are_numbers(array):
        return f"you returned {brief(got)}{where}, a text: numbers stand without quotes, {brief(wanted)}."
    if array.dtype.kind == "c":
        return f"you returned complex numbers{where}, wanted real ones: {brief(wanted)}."
    if array.dtype.kind not in "biuf":
        return f"you returned {brief(got)}{where}, wanted numbers: {brief(wanted)}."
    return [Leaf(where, array, wanted)]


def _are_numbers(array) -> bool:
    try:
        return array.astype(float).size > 0
    except ValueError:
        return False


def close(got, wanted, tolerance: float) -> np.ndarray | bool:
    """Where two arrays agree, element by element; False for another shape. Texts agree or do not."""
    if isinstance(wanted, str):
        return isinstance(got, str) and got == wanted
    got, wanted = np.asarray(got), np.asarray(wanted)
    if got.shape != wanted.shape:
        return False
    if got.dtype == np.float16:
        tolerance, got = max(tolerance, HALF_PRECISION), got.astype(np.float64)
    finite = np.abs(wanted[np.isfinite(wanted)].astype(np.float64))
    allowed = tolerance * max(1e-12, float(finite.max(initial=0)))
    return np.isclose(got, wanted, rtol=0, atol=allowed, equal_nan=True)


def same(got, wanted, tolerance: float) -> bool:
    """Whether two arrays or texts agree everywhere."""
    return bool(np.all(close(got, wanted, tolerance)))


def difference(got, wanted, tolerance: float) -> str:
    """What sets an answer apart from the wanted one, in words; "" where nothing does."""
    parts = leaves(got, wanted)
    if isinstance(parts, str):
        return parts
    return next((_said(leaf, tolerance) for leaf in parts if not same(leaf.got, leaf.wanted, tolerance)), "")


def _said(leaf: Leaf, tolerance: float) -> str:
    where, got, wanted = leaf
    if isinstance(got, Words):
        return got
    if isinstance(wanted, str):
        return f"you returned {brief(got)}{where}, wanted {wanted!r}."
    if is_index_list(got) and is_index_list(wanted):
        return f"you returned {brief(got)}{where}, wanted {brief(wanted)}{_missing_or_extra(got, wanted)}."
    if got.shape != wanted.shape:
        if 0 in (got.ndim, wanted.ndim) or max(got.size, wanted.size) <= 6:
            return f"you returned {brief(got)}{where}, wanted {brief(wanted)}."
        return f"you returned an array of shape {got.shape}{where}, wanted {wanted.shape}."
    wrong = ~np.asarray(close(got, wanted, tolerance))
    if wanted.ndim == 0:
        one, other = digits_to_differ(got, wanted)
        return f"you returned {one}{where}, wanted {other}."
    if wanted.size <= 6:
        shown = (tuple(brief(array, digits) for array in (got, wanted)) for digits in (4, 6, 9, 17))
        one, other = next((pair for pair in shown if pair[0] != pair[1]), (brief(got, 17), brief(wanted, 17)))
        return f"you returned {one}{where}, wanted {other}."
    first = tuple(int(place) for place in np.argwhere(wrong)[0])
    one, other = digits_to_differ(got[first], wanted[first])
    return f"you returned {one} at {list(first)}{where}, wanted {other}; {wrong.mean():.0%} of the values differ."


def is_index_list(values) -> bool:
    """Whether an array could be a list of different indices."""
    return values.ndim == 1 and values.dtype.kind in "iu" and len(np.unique(values)) == len(values) and values.size != 1


def _missing_or_extra(got, wanted) -> str:
    odd = {"missing": np.setdiff1d(wanted, got), "too many": np.setdiff1d(got, wanted)}
    return "".join(f"; {what}: {', '.join(map(str, those[:8]))}" for what, those in odd.items() if len(those))


def digits_to_differ(first, second) -> tuple[str, str]:
    """Two numbers with four digits, or as many as they need to differ."""
    for digits in range(4, 18):
        shown = f"{first:.{digits}g}", f"{second:.{digits}g}"
        if shown[0] != shown[1]:
            break
    return shown


def brief(value, digits: int = 4, length: int = 160) -> str:
    """A value in a few words; never raises."""
    try:
        text = str(value) if isinstance(value, BaseException) else _text(value, digits)
    except Exception:
        text = f"a {type(value).__name__} that cannot be shown"
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 3] + "..."


def _text(value, digits: int) -> str:
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "biufc":
        shown = value if (value.size <= 12 and value.ndim < 2) or value.size <= 6 else value.ravel()[:4]
        text = np.array2string(shown, precision=digits, separator=", ")
        return text + (f" ... of shape {value.shape}" if shown is not value else "")
    if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0:
        value = value.item()
    if isinstance(value, float):
        text = f"{value:.{digits}g}"
        return text if set(text) & set(".en") else f"{text}.0"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key, digits)}: {_text(one, digits)}" for key, one in value.items()) + "}"
    if type(value) in (list, tuple):
        inside = ", ".join(_text(one, digits) for one in value)
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    return repr(value)


# ---------------------------------------------------------------- what a function leaves behind in its inputs


def state(value, depth: int = 4):
    """A picture of a value that can be held against a later one: numbers byte by byte, networks with all they carry."""
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, dict):
        return {key: state(one, depth - 1) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [state(one, depth - 1) for one in value]
    if callable(getattr(value, "named_modules", None)):
        return _network_state(value)
    if callable(getattr(value, "detach", None)):
        return value.detach().cpu().numpy().tobytes()
    if depth and hasattr(value, "__dict__") and not callable(value):
        return state(vars(value), depth - 1)
    if isinstance(value, (set, frozenset)):
        return frozenset(value)
    return value if isinstance(value, (int, float, str, type(None))) else id(type(value))


def _network_state(network) -> dict:
    found = {}
    for name, module in network.named_modules():
        hooks = [vars(module)[kind] for kind in vars(module) if kind.endswith("hooks") and vars(module)[kind]]
        found[name] = {
            "hooks": [(key, id(hook)) for some in hooks for key, hook in some.items()],
            "mode": module.training,
            "inplace": getattr(module, "inplace", None),
            "layers": [(child, id(layer)) for child, layer in module.named_children()],
            "weights": [state(one) for one in (*module.parameters(False), *module.buffers(False))],
            "requires_grad": [one.requires_grad for one in module.parameters(False)],
        }
    return found


def changed(before, after, name: str) -> str:
    """What a function has done to an input, in a sentence; "" where the two states are equal."""
    if before == after:
        return ""
    if isinstance(before, dict) and any(isinstance(one, dict) and "hooks" in one for one in before.values()):
        for layer, was in before.items():
            if was != after.get(layer):
                return _network_change(was, after.get(layer) or {}, name)
    return f"Your function has changed its input `{name}`: leave it as it is, and work on a copy."


def _network_change(was: dict, now: dict, name: str) -> str:
    if was["hooks"] != now.get("hooks"):
        gone = [hook for hook in was["hooks"] if hook not in now.get("hooks", [])]
        if gone:
            return f"Hooks that are not yours were taken off `{name}`: take off your own alone, with handle.remove()."
        return f"A hook of yours still hangs on `{name}`: handle.remove() takes it off."
    what = next(key for key in was if was[key] != now.get(key))
    return f"Your function has changed `{name}`: its {what} must be as before."


def axes_of(array: np.ndarray, most: int = 3) -> list[tuple[int, ...]]:
    """All choices of one to `most` axes of an array."""
    return [some for count in range(1, most + 1) for some in itertools.combinations(range(array.ndim), count)]


def quietly(function: Callable, *inputs):
    """What a function returns, as `plain`; None where it raises or returns nothing."""
    try:
        return plain(function(*inputs))
    except (Exception, SystemExit):
        return None
