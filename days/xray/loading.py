"""What the X-ray is handed: a network behind a name, photos in a folder, labels in a file. Each error is one line."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from days.common.images import load_image
from days.common.models import Model
from days.xray.subject import xray_backend


@dataclass(frozen=True)
class Photos:
    """Images of one size with what is known of them.

    images : (N, size, size, 3) from 0 to 1. names : N of them. folders : N names of the folders that are their truth,
    or None. skipped : (name, reason) of files that could not be read. left_out : how many more there were than wanted.
    below : what the folders lie in, such as "train" and "val".
    """

    images: np.ndarray
    names: list[str]
    folders: list[str] | None
    skipped: list[tuple[str, str]]
    left_out: int
    below: tuple[str, ...] = ()


def load_callable(name: str):
    """The function behind "package.module:callable", from what is installed or lies in the current folder.

    Importing a module runs its code: name only what you would run. Raises ValueError, with the reason in one line.
    """
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ValueError(f"expected package.module:callable, got {name!r}: such as days.xray.examples:squeezenet")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        # The learner's own module may raise anything while it is imported.
        raise ValueError(f"cannot import {module!r}: {type(error).__name__}: {one_line(error)}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ValueError(f"no {attribute!r} in {module!r}: name a function that returns the network")
        found = getattr(found, part)
    if not callable(found):
        raise ValueError(f"expected a function that returns the network, got {type(found).__name__} {name!r}")
    return found


def call_factory(name: str):
    """What the function behind "package.module:callable" returns. Raises ValueError where it fails."""
    factory = load_callable(name)
    try:
        return factory()
    except Exception as error:
        # The learner's own function may raise anything.
        raise ValueError(f"{name}() failed: {type(error).__name__}: {one_line(error)}") from error


def ready_for_use(network) -> None:
    """Put a network that was just made into evaluation mode: that a new one is in training mode says nothing of it."""
    network = network.network if isinstance(network, Model) else network
    if isinstance(getattr(network, "training", None), bool):
        network.eval()


def load_weights(network, path: Path | str) -> None:
    """Fill a network, or a `Model`'s, with the weights of a file. Raises ValueError for a file that holds others."""
    network = network.network if isinstance(network, Model) else network
    with warnings.catch_warnings():
        # What torch says of a file that it then refuses is said again in one line.
        warnings.simplefilter("ignore", UserWarning)
        xray_backend(network).load_weights_file(network, str(Path(path).expanduser()))


def one_line(error: BaseException) -> str:
    """What an error says, in one line of at most 300 characters."""
    return " ".join(str(error).split())[:300]


def read_labels(path: Path | str) -> list[str]:
    """The categories' names, by number, from a text file with one in each line. Raises ValueError for no such file."""
    try:
        names = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read the labels in {path}: {one_line(error)}") from error
    while names and not names[-1].strip():
        names.pop()
    if not names:
        raise ValueError(f"expected one label in each line of {path}, got an empty file")
    return [name.strip() for name in names]


SPLIT = re.compile(r"(train|training|val|valid|validation|test|testing|eval|dev|holdout)([ _-]?(set|data|images))?\d*")
"""Folders of such names part a data set, and are no categories."""


def read_photos(source, size: int, limit: int) -> Photos:
    """Photos of a folder, or from a list or a dictionary of what `load_image` takes, cropped to squares of `size`.

    In a folder with folders of photos inside, their names are the truth; hidden ones are left out, and of folders that
    part a data set, as train/ and val/ do, or hold all of it, the folders inside them count. Files that are no readable
    picture are listed, and of more than `limit` photos as many are taken, evenly spread. Raises ValueError where no
    photo is left.
    """
    if isinstance(source, (str, Path)):
        if not str(source):
            raise ValueError("expected a folder of pictures, got an empty name: '.' is the current folder")
        found, skipped, labels, below = _files(Path(source).expanduser())
    elif isinstance(source, bytes) or not isinstance(source, Iterable):
        raise ValueError(f"expected a folder, or a list or dictionary of pictures, got {type(source).__name__}")
    else:
        found, skipped, labels, below = _named(source), [], {}, ()
    chosen = list(found)
    if len(chosen) > limit:
        chosen = [chosen[index] for index in np.linspace(0, len(chosen) - 1, limit).round().astype(int)]
    images = {}
    for name in chosen:
        try:
            images[name] = load_image(found[name], size=size)
        except (OSError, ValueError) as error:
            known = str(found[name]) if isinstance(source, (str, Path)) else name
            skipped.append((name, one_line(error).replace(known, name)))
    if not images:
        reasons = "; ".join(f"{name}: {why}" for name, why in skipped[:3])
        where = str(source) if isinstance(source, (str, Path)) else f"the {type(source).__name__} of {len(found)}"
        raise ValueError(f"expected at least one readable picture in {where}, got none ({reasons or 'no files'})")
    folders = [labels[name] for name in images] if labels else None
    return Photos(np.stack(list(images.values())), list(images), folders, skipped, len(found) - len(chosen), below)


def _named(source: Iterable) -> dict:
    """Photos of a list or a dictionary by name: the one that they were given, or else their number."""
    if isinstance(source, dict):
        return {str(name): photo for name, photo in source.items()}
    photos = list(source)
    numbers = [f"photo {number}" for number in range(len(photos))]
    names = [
        str(photo) if isinstance(photo, (str, Path)) else name for name, photo in zip(numbers, photos, strict=True)
    ]
    return dict(zip(names if len(set(names)) == len(names) else numbers, photos, strict=True))


def _files(folder: Path) -> tuple[dict[str, Path], list[tuple[str, str]], dict[str, str], tuple[str, ...]]:
    """The files of a folder by name, those that are left out and why, their label folders, and what these lie in."""
    if folder.is_file():
        raise ValueError(
            f"expected a folder of pictures, got the file {str(folder)!r}: name its folder, or give a list"
        )
    if not folder.is_dir():
        raise ValueError(f"no folder {str(folder)!r}: name one that holds pictures")
    parts: dict[Path, tuple[str, ...]] = {
        path: path.relative_to(folder).parts for path in sorted(folder.rglob("*")) if path.is_file()
    }
    parts = {path: names for path, names in parts.items() if not any(map(_is_hidden, names))}
    pictures = {path: names for path, names in parts.items() if _is_picture(path)}
    inside = [names for names in pictures.values() if len(names) > 1]
    mostly_inside, told = 2 * len(inside) > len(pictures), {}
    if folders := _label_folders(inside) if mostly_inside else set():
        depth = len(min(folders))
        chosen, beside = {path: names for path, names in parts.items() if names[:depth] in folders}, _BESIDE
        told = {"/".join(names): names[depth - 1] for names in chosen.values()}
    else:
        loose: dict[Path, tuple[str, ...]] = {path: names for path, names in parts.items() if len(names) == 1}
        chosen, beside = pictures if mostly_inside else loose or parts, _BESIDE_PHOTOS
    rooms = {names[:depth] for names in inside for depth in range(len(names))}
    reasons = {at: beside if at[:-1] in rooms else _NO_PICTURES for path, at in parts.items() if path not in chosen}
    skipped = [("/".join(names), reason) for names, reason in reasons.items()]
    below = sorted({"/".join(names[:-1]) for names in folders if len(names) > 1})
    return {"/".join(names): path for path, names in chosen.items()}, skipped, told, tuple(below)


def _label_folders(pictures: Sequence[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """The folders whose names are labels, all of one depth, for pictures by the parts of their paths; none where the
    folders only part a data set.

    They are the outermost ones, or lie in folders that part a data set, as train/ and val/ do, or hold all of it.
    """
    level = 0
    while True:
        deeper = [names for names in pictures if len(names) > level + 2]
        parted = [names for names in deeper if SPLIT.fullmatch(names[level].lower())]
        rooms = {names[level] for names in pictures}
        if not deeper and all(SPLIT.fullmatch(room.lower()) for room in rooms):
            return set()
        if not parted and (len(rooms) > 1 or len(deeper) < len(pictures)):
            return {names[: level + 1] for names in pictures}
        pictures, level = parted or pictures, level + 1


_BESIDE = "lies beside the folders whose names are the truth"
_NO_PICTURES = "lies in a folder without pictures"
_BESIDE_PHOTOS = "lies beside the photos"


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "@", "$", "__MACOSX")) or name in ("Thumbs.db", "desktop.ini")


def _is_picture(path: Path) -> bool:
    """Whether a file is a picture, by its name; without an ending, by how it begins."""
    if not path.suffix:
        with contextlib.suppress(OSError), Image.open(path):
            return True
        return False
    format = Image.registered_extensions().get(path.suffix.lower(), "")
    return format in Image.OPEN and Image.MIME.get(format, "").startswith("image/")


def truth_of(
    folders: Sequence[str] | None, categories: Sequence[str] | None, count: int, below: Sequence[str] = ()
) -> tuple[np.ndarray | None, str]:
    """The photos' categories (N,) by their folders' names, or None; and a sentence that says how it was told.

    A folder's name is looked for among the categories, or is a number. Without categories' names, as many folders as
    the network has categories are taken in alphabetical order, as `ImageFolder` and `image_dataset_from_directory` do.
    """
    if folders is None:
        return None, "The truth is not known: the photos lie in no folders named after categories."
    plain = _plain if categories else str  # without names to compare with, "Cat" and "cat" are two categories
    known = {plain(name): index for index, name in reversed(list(enumerate(categories or [])))}
    if not categories and len(set(folders)) == count:
        known = {name: index for index, name in enumerate(sorted(set(folders)))}
    known = {str(index): index for index in range(count)} | known
    strange = sorted({name for name in folders if plain(name) not in known})
    if strange:
        listed = ", ".join(strange[:5])
        return None, f"The truth is not known: the folders {listed} are no categories of the network; see --labels."
    inside = f", inside {' and '.join(below)}" if below else ""
    return np.array(
        [known[plain(name)] for name in folders]
    ), f"The truth is the name of the folder a photo lies in{inside}."


def _plain(name: str) -> str:
    return name.lower().replace("_", " ").replace("-", " ").strip()
