"""The store: what the microscope knows of a network, in a folder of pictures and numbers; see `read_about`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from days.common.images import load_image
from days.common.paths import REPO_ROOT, packaged, write_bytes
from days.day20.code.photographs import SCENES

STORE = REPO_ROOT / "days/microscope/outputs"
"""The store of the course's SqueezeNet, which git keeps."""
COLUMNS, QUALITY, KEPT_QUALITY = 32, 80, 30
"""Of WebP files: of any store's, and of those that git keeps, which may take 4 MiB with all numbers."""
PHOTO_SIDE = 512


def significant(value: float, digits: int = 4) -> float:
    """A number rounded to so many digits, whatever its size.

    >>> significant(12345.678), significant(0.00123456, 2)
    (12350.0, 0.0012)
    """
    return float(f"{value:.{digits}g}")


def stem(layer: str) -> str:
    """A layer's name as the name of a file: those of nested Keras layers have slashes."""
    return layer.replace("/", "+")


def sheet(cells: np.ndarray, quality: int = QUALITY) -> bytes:
    """Pictures (n, cell, cell, 3), 0 to 255, as one WebP file, `COLUMNS` in a row; what is left over is mid-gray."""
    count, side = cells.shape[:2]
    rows = -(-count // COLUMNS)
    whole = np.full((rows * COLUMNS, side, side, 3), 128, np.uint8)
    whole[:count] = cells
    pixels = whole.reshape(rows, COLUMNS, side, side, 3).swapaxes(1, 2).reshape(rows * side, COLUMNS * side, 3)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=quality, method=6)
    return buffer.getvalue()


def read_sheet(path: Path, cell: int, count: int) -> np.ndarray:
    """The pictures of a sheet, (count, cell, cell, 3), 0 to 255."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    rows = len(pixels) // cell
    return pixels.reshape(rows, cell, -1, cell, 3).swapaxes(1, 2).reshape(-1, cell, cell, 3)[:count]


def write_json(path: Path, data: dict) -> None:
    """Write numbers and texts as small as JSON can be, whole or not at all."""
    write_bytes(path, json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode())


def write_photo(path: Path, image: np.ndarray) -> None:
    """Keep a learner's photo, at most `PHOTO_SIDE` pixels a side."""
    picture = Image.fromarray((image.clip(0, 1) * 255).round().astype(np.uint8))
    picture.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    write_bytes(path, buffer.getvalue())


def read_about(store: Path) -> dict:
    """What a store holds.

    network, framework : names. live : whether it is the course's SqueezeNet, which the page can run. input_size : of
    the photos that it gets. every : cell i of a sheet is channel i * every. layers : for each its name, how many
    channels it has, the pixels a side of a cell, columns, files (sheet, data), and a caption. categories : names, or
    None for ImageNet's. photos : for each its name, and its file in the store unless it ships with a package. probes :
    the photos that channels are switched off on: number among the photos, predicted category, its probability. grown :
    how the pictures were grown. says : what has to be said of it.

    Raises FileNotFoundError where there is no store, ValueError for one that is damaged.
    """
    return _read_json(Path(store) / "about.json")


def read_layer(store: Path, name: str) -> dict:
    """What is known of a layer's channels; every list has an entry for each cell of the sheet, in its order.

    response : the mean over the grown picture before the ReLU. dead : channels, by their numbers, that never moved.
    crops : [[photo, left, top, width, height, response], ...], best first, in shares of the photo's sides. inputs :
    [[layer or None, channel, weight], ...], or filter, a first layer's numbers, and filter_shape. votes : [for,
    against] with [[category, weight], ...] each, or None for the layer. silenced : for each probe [probability, change
    of the score, new top category or -1], or 0 where nothing changes.

    Raises as `read_about`.
    """
    return _read_json(Path(store) / f"{stem(name)}.json")


def _read_json(path: Path) -> dict:
    if not path.is_file():
        raise FileNotFoundError(f"no {path.name} in {path.parent}: python -m days.microscope makes it")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): delete it, and python -m days.microscope makes it") from error


def photo(store: Path, index: int) -> np.ndarray:
    """A photo of a store by its number, (H, W, 3) from 0 to 1. Raises as `load_image`."""
    name, file = (read_about(store)["photos"][index][part] for part in ("name", "file"))
    if file:
        return load_image(Path(store) / file)
    inside = name in SCENES and packaged("skimage", f"data/{name}.{SCENES[name]}", f"the picture {name!r} ships")
    return load_image(inside or name)
