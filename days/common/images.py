"""Photographs that ship inside pip packages, and one way to turn any picture into an `image`.

An `image` is a NumPy array (H, W, 3), float32, RGB, with values from 0 to 1.
"""

from __future__ import annotations

import contextlib
import operator
import os
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from days.common.paths import packaged

_FILES = {
    "chelsea": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "astronaut": ("skimage", "data/astronaut.png"),
    "motorcycle_left": ("skimage", "data/motorcycle_left.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
MAX_SIDE = 20_000
IMAGE_NAMES = tuple(_FILES)
"""Bundled photographs: a cat (`chelsea`), a cup (`coffee`), and five more."""


def load_image(source, size: int | tuple[int, int] | None = None) -> np.ndarray:
    """Load a picture as an image: (H, W, 3) float32, RGB, 0 to 1.

    source : a name in `IMAGE_NAMES`, a path, a PIL image, or an array: (H, W) gray, (H, W, 1), (H, W, 3) RGB or
        (H, W, 4) RGBA; unsigned integers count from 0 to their type's maximum, floats from 0 to 1, booleans are 0 or 1.
    size : None keeps the picture as it is. An integer S crops the largest centered square and resizes it to (S, S);
        a pair (height, width) crops to that shape's proportions first, so nothing is ever stretched.

    Transparent pixels are laid on white, 16-bit and CMYK pictures are converted, a camera's rotation mark is obeyed.
    Raises ValueError for an array of another shape, range or type, or with NaN, an unreadable file, or a size below 1;
    FileNotFoundError for no such name or file.

    >>> load_image("chelsea", size=224).shape
    (224, 224, 3)
    """
    if isinstance(source, Image.Image):
        image = _from_pil(source)
    elif isinstance(source, (str, os.PathLike)):
        image = _from_file(source)
    elif hasattr(source, "shape"):
        image = _from_array(np.asarray(source))
    else:
        raise ValueError(f"expected a name, a path, a picture or an array, got {type(source).__name__}")
    return image if size is None else _resize(image, size)


def check_image(image) -> np.ndarray:
    """Return `image` if it is one, else raise ValueError with wanted, got and the way out."""
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3:
        got = getattr(image, "shape", type(image).__name__)
        hint = "drop the batch axis" if getattr(image, "ndim", 0) == 4 else "load_image(...) makes one"
        raise ValueError(f"expected an (H, W, 3) image, got {got}: {hint}")
    if image.size == 0:
        raise ValueError(f"expected an image with pixels, got shape {image.shape}")
    if image.dtype.kind != "f":
        raise ValueError(f"expected float values in [0, 1], got {image.dtype}: load_image(array) rescales them")
    _check_range(image)
    return image


def _check_range(array: np.ndarray) -> None:
    if not np.isfinite(array).all():
        raise ValueError(f"expected finite values, got {np.count_nonzero(~np.isfinite(array))} NaN or infinite ones")
    low, high = array.min(), array.max()
    if low < -1e-3 or high > 1 + 1e-3:
        way_out = "divide by 255" if low >= 0 and high <= 255 else "rescale them to it"
        raise ValueError(f"expected values in [0, 1], got {low:.3g} to {high:.3g}: {way_out}")


def _from_file(source: str | os.PathLike) -> np.ndarray:
    path = Path(os.path.expanduser(source))
    if str(source) in _FILES:
        path = packaged(*_FILES[str(source)], f"the picture {str(source)!r} ships")
    if not path.is_file():
        raise _not_found(str(source), path)
    try:
        with Image.open(path) as picture:
            return _from_pil(picture)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path} is too large to open safely: {error}. Make it smaller first.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path} is not a readable picture (empty, cut short or no image file): {error}") from error


def _not_found(source: str, path: Path) -> FileNotFoundError:
    """The error for a path without a file: where it looked, which pictures lie there, and the nearest name."""
    folder, here = path.absolute().parent, []
    with contextlib.suppress(OSError):
        here = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES)
    holds = ", ".join(here[:8]) + " and more" * (len(here) > 8) or "no picture"
    names = {name.lower(): name for name in (*IMAGE_NAMES, *(str(path.parent / name) for name in here))}
    near = [names[name] for name in get_close_matches(str(path).lower(), names, n=1)]
    if (folder.parent / path.name).is_file():
        near = [str(path.parent / ".." / path.name)]
    return FileNotFoundError(
        f"no picture {source!r}: neither one of {', '.join(IMAGE_NAMES)} nor a file. Looked in {folder}, which holds "
        + (f"{holds}. Did you mean {near[0]!r}?" if near else f"{holds}: put yours there, or give its whole path.")
    )


def _from_pil(picture: Image.Image) -> np.ndarray:
    if 0 in picture.size:
        raise ValueError(f"expected a picture with pixels, got {picture.size[0]} x {picture.size[1]}")
    format, picture = picture.format, ImageOps.exif_transpose(picture)  # the turned copy has no format
    if picture.mode.startswith("I") or picture.mode == "F":
        # Pillow's own conversion saturates above 255.
        return _from_array(_narrowed(picture, format))
    transparent = picture.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in picture.info
    return _from_array(np.asarray(picture.convert("RGBA" if transparent else "RGB")))


def _narrowed(picture: Image.Image, format: str | None) -> np.ndarray:
    """A picture of more than 8 bits as an array, one scale for all files of its kind.

    Pillow hands over a 16-bit PGM as 32-bit integers. A file that really has 32 bits does not say how much is white,
    and its own largest value says so of this one file only.
    """
    pixels = np.asarray(picture)
    if pixels.dtype.kind == "i" and format == "PPM":
        return pixels.astype(np.uint16)
    if pixels.dtype.kind == "i":
        raise ValueError(
            "its 32-bit integers do not say how much is white: "
            "load_image(np.asarray(Image.open(path)) / white) takes it, with one number for the whole series"
        )
    return pixels


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.size == 0:
        raise ValueError(f"expected a picture with pixels, got an array of shape {array.shape}")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        hint = "one gray, three RGB or four RGBA channels, last"
        if array.ndim == 4:
            hint = "drop the batch axis with array[0]"
        elif array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = "channels go last, so array.transpose(1, 2, 0)"
        raise ValueError(f"expected an (H, W), (H, W, 3) or (H, W, 4) array, got {array.shape}: {hint}")
    if array.dtype.kind == "u":
        array = array / np.float32(np.iinfo(array.dtype).max)
    elif array.dtype.kind not in "bf":
        raise ValueError(
            f"expected uint8, uint16, bool or float values, got {array.dtype}: "
            "say what its full range is by .astype('uint8') for 0-255, or by dividing to [0, 1]"
        )
    array = array.astype(np.float32)
    _check_range(array)
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    if array.shape[2] == 4:
        opacity = array[:, :, 3:]
        array = array[:, :, :3] * opacity + (1 - opacity)
    return np.clip(array, 0, 1)


def _resize(image: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    pair = size if isinstance(size, tuple) else (size, size)
    try:
        height, width = map(operator.index, pair)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected size as an integer or (height, width), got {size!r}") from error
    if isinstance(size, bool) or not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise ValueError(f"expected a size from 1 to {MAX_SIDE} pixels, got {size!r}")
    scale = min(image.shape[0] / height, image.shape[1] / width)
    left, top = max(0, (image.shape[1] - scale * width) / 2), max(0, (image.shape[0] - scale * height) / 2)
    box = left, top, min(image.shape[1], left + scale * width), min(image.shape[0], top + scale * height)
    planes = [Image.fromarray(np.ascontiguousarray(image[:, :, channel])) for channel in range(3)]
    planes = [plane.resize((width, height), Image.Resampling.BICUBIC, box) for plane in planes]
    return np.clip(np.stack([np.asarray(plane) for plane in planes], axis=2), 0, 1)
