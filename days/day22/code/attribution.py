"""Which category is asked of which image: numbers, names, and why one rather than another, as targets.

Targets (n, categories) say how much each score counts: 1 for a category; 1 and -1 for one category rather than another.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np

from days.common.categories import imagenet_categories
from days.common.checks import check_index
from days.common.comparison import brief


class Rather(NamedTuple):
    """Why one category and not the other: what is explained is the difference of their scores."""

    this: int | str
    than: int | str


Category = int | str | Rather | Sequence[int | str | Rather]


class Wanted(NamedTuple):
    """Targets (n, categories), one for each map; `alone` says that the only map comes without the first axis."""

    targets: np.ndarray
    alone: bool


def asked_for(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """What targets (n, categories) ask for, of scores (n, categories) or (1, categories): (n,) numbers.

    >>> asked_for(np.array([[1.0, 5.0, np.inf]]), np.array([[-1, 1, 0]]))
    array([4.])
    """
    return (np.where(targets != 0, scores, 0) * targets).sum(axis=1)


def title(target: np.ndarray) -> str:
    """A target (categories,) in words.

    >>> title(np.array([0, 1, -1]))
    'category 1 rather than 2'
    """
    this, than = int(target.argmax()), int(target.argmin())
    return f"category {this}" + (f" rather than {than}" if target[than] < 0 else "")


def wanted(category, images: int, count: int, names: Sequence[str] | None = None) -> Wanted:
    """Which category of which image is asked for, of so many images and categories.

    category : a number, a name, or `Rather(this, than)` of two of these; or a list of such, one for each image, or of
        any length for one image.
    names : the categories' names by number; ImageNet's for a network of 1000 categories, unless given.

    Raises ValueError for a number out of range, an unknown name (the nearest are listed), a name that two categories
    have, and a list that fits neither one image nor the batch.

    >>> wanted(["cat", 0], 1, 2, ["dog", "cat"]).targets.tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    single = isinstance(category, Rather) or (isinstance(category, np.ndarray) and not category.ndim)
    several = isinstance(category, (list, tuple, range, np.ndarray)) and not single
    asked = list(category) if several else [category]
    if not asked or (images > 1 and several and len(asked) != images):
        raise ValueError(f"expected one category, or one for each of the {images} images, got {len(asked)}")
    targets = np.stack([_target(one, count, names) for one in asked])
    if images > 1 and not several:
        targets = np.repeat(targets, images, axis=0)
    return Wanted(targets, alone=images == 1 and not several)


def _target(category: int | str | Rather, count: int, names: Sequence[str] | None) -> np.ndarray:
    pair = category if isinstance(category, Rather) else (category,)
    numbers = [
        _named(one, _names(count, names)) if isinstance(one, str) else check_index(one, count, "a name, or a category")
        for one in pair
    ]
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"expected two categories to tell apart, got {pair[0]!r} twice")
    target = np.zeros(count, np.float32)
    target[numbers] = (1, -1)[: len(numbers)]
    return target


def _names(count: int, names: Sequence[str] | None) -> list[str]:
    if names is None and count != 1000:
        raise ValueError(f"the names of this network's {count} categories are not known: names=model.categories")
    if names is not None and np.ndim(names) != 1:
        raise ValueError(
            f"expected {count} names, one for each category, got {brief(names)}: model.categories holds them"
        )
    names = imagenet_categories() if names is None else list(names)
    if len(names) != count or not all(isinstance(one, str) for one in names):
        kinds = " and ".join(sorted({type(one).__name__ for one in names}))
        raise ValueError(f"expected {count} names, one for each category, got {len(names)} of type {kinds or 'none'}")
    return names


def _named(name: str, names: list[str]) -> int:
    plain = [one.casefold() for one in names]
    found = [number for number, one in enumerate(plain) if one == name.casefold()]
    if len(found) > 1:
        raise ValueError(f"{name!r} is the name of the categories {' and '.join(map(str, found))}: give the number")
    if not found:
        inside = [one for one in names if name.casefold() in one.casefold()][:4] if name else []
        close = get_close_matches(name.casefold(), plain, n=4, cutoff=0.4)
        near = list(dict.fromkeys([*inside, *(names[plain.index(one)] for one in close)])) or names[:4]
        raise ValueError(f"no category {name!r} among {len(names)}; near it: {', '.join(near[:6])}")
    return found[0]
