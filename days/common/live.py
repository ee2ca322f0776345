"""Live pictures: panels and curves put together by Pillow in milliseconds, where matplotlib takes a tenth of a second.

They are for widgets alone, which are drawn at every key press; what is stored is drawn by `days.common.figures`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from days.common.colors import ALARM, BLUE, GREEN, INK, MUTED, ORANGE, VIOLET
from days.common.figures import ColorScale

DENSITY = 2
"""How many pixels of the file, along a side, are one pixel of the page: letters stay sharp."""

LINE = 22 * DENSITY  # the height of a line of words
COLORS = (BLUE, ORANGE, GREEN, VIOLET, ALARM, MUTED)

Part = Callable[[int], Image.Image]
"""Draws a part of a live picture, as wide as it is told."""


class LivePicture(NamedTuple):
    """The bytes of a JPEG file, its description in words, and its width on the page in pixels."""

    jpeg: bytes
    alt: str
    width: int


def live_picture(title: str, parts: Sequence[Part], alt: str, width: int = 960) -> LivePicture:
    """Parts side by side below a title, all of one width; `width` pixels of the page for all of them."""
    step, gap = width * DENSITY // len(parts), 8 * DENSITY
    drawn = [part(step - gap) for part in parts]
    sheet = Image.new("RGB", (width * DENSITY, LINE + max(picture.height for picture in drawn)), "white")
    _write(sheet, (sheet.width / 2, LINE / 2), title, size=13)
    for place, picture in enumerate(drawn):
        sheet.paste(picture, (place * step + gap // 2, LINE))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=88, subsampling=0, comment=alt.encode())
    return LivePicture(buffer.getvalue(), alt, width)


def panel(title: str, values: np.ndarray, scale: ColorScale | None = None, unit: str = "") -> Part:
    """Colors (h, w, 3) from 0 to 1, or values (h, w) in the colors of `scale`, which a bar states; NaN is white."""

    def draw(side: int) -> Image.Image:
        bar = 2 * LINE if scale else DENSITY
        sheet = _titled(title, side, LINE + side + bar)
        colors = colored(values, *scale) if scale else np.nan_to_num(values, nan=1.0)
        picture = Image.fromarray((np.clip(colors, 0, 1) * 255 + 0.5).astype(np.uint8))
        factor = side / max(picture.size)
        size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
        picture = picture.resize(size, Image.Resampling.NEAREST if factor > 3 else Image.Resampling.BILINEAR)
        sheet.paste(picture, ((side - size[0]) // 2, LINE + (side - size[1]) // 2))
        if scale:
            _add_bar(sheet, values, scale, unit)
        return sheet

    return draw


def curves(
    title: str,
    lines: Mapping[str, Sequence[float]],
    *,
    steps: Sequence[float] | None = None,
    end: float | None = None,
    limits: tuple[float, float] | None = None,
    log: bool = False,
    height: float = 1.0,
) -> Part:
    """Lines {name: values} over `steps`, 0, 1, 2 ... unless given, with the numbers at the ends of both axes.

    end : the last step that there is room for. limits : of the values. log : the axis counts powers of ten, and values
    must be above 0. height : as a share of the width.
    """

    def draw(width: int) -> Image.Image:
        sheet = _titled(title, width, LINE + int(height * width))
        every = np.concatenate([np.asarray(line, float) for line in lines.values()])
        low, high = limits or (float(every.min()), float(every.max())) if every.size else (0.0, 1.0)
        along = np.arange(max(map(len, lines.values()))) if steps is None else np.asarray(steps)
        last = float(end if end is not None else max(along, default=1)) or 1.0
        box = (int(0.2 * width), int(1.4 * LINE), width - LINE, sheet.height - LINE)
        _add_axes(sheet, box, (low, high), last)
        to_unit = np.log10 if log else np.asarray
        bottom, span = to_unit(low), to_unit(high) - to_unit(low) or 1.0
        pen = ImageDraw.Draw(sheet)
        for place, line in enumerate(lines.values()):
            across = box[0] + along[: len(line)] / last * (box[2] - box[0])
            down = box[3] - np.clip((to_unit(line) - bottom) / span, 0, 1) * (box[3] - box[1])
            pen.line([*np.stack([across, down], axis=1).ravel()], COLORS[place % len(COLORS)], 2 * DENSITY)
        if len(lines) > 1:
            _add_names(sheet, box, list(lines))
        return sheet

    return draw


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf"), size * DENSITY)


def _write(sheet: Image.Image, place: tuple, words: str, *, size: int = 11, color: str = INK, anchor: str = "mm"):
    """Words at a place in pixels of the file, smaller where they would not fit the sheet's width."""
    while size > 7 and _font(size).getlength(words) > sheet.width:
        size -= 1
    ImageDraw.Draw(sheet).text(place, words, color, _font(size), anchor)


def _titled(title: str, width: int, height: int) -> Image.Image:
    sheet = Image.new("RGB", (width, height), "white")
    _write(sheet, (width / 2, LINE / 2), title)
    return sheet


def colored(values: np.ndarray, cmap: str, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Values of any shape (...) as colors (..., 3) from 0 to 1, by a color map of matplotlib; NaN is white."""
    shares = (np.asarray(values, np.float32) - low) / (high - low or 1.0)
    return np.where(np.isnan(shares)[..., None], 1.0, matplotlib.colormaps[cmap](shares)[..., :3])


def _add_bar(sheet: Image.Image, values: np.ndarray, scale: ColorScale, unit: str) -> None:
    """State a panel's scale at its foot; the signs at its ends say that values lie beyond."""
    top, margin, thick = sheet.height - 2 * LINE + 6 * DENSITY, LINE // 2, 8 * DENSITY
    ramp = colored(np.linspace(scale.low, scale.high, sheet.width - 2 * margin)[None], *scale)
    picture = Image.fromarray((ramp * 255).astype(np.uint8)).resize((ramp.shape[1], thick))
    sheet.paste(picture, (margin, top))
    below = f"{'≤ ' if (values < scale.low).any() else ''}{scale.low:.3g}"
    above = f"{'≥ ' if (values > scale.high).any() else ''}{scale.high:.3g}"
    words = ((margin, below, "lm"), (sheet.width / 2, unit, "mm"), (sheet.width - margin, above, "rm"))
    for across, text, anchor in words:
        _write(sheet, (across, top + thick + LINE / 2), text, size=10, color=MUTED, anchor=anchor)


def _add_axes(sheet: Image.Image, box: tuple, limits: tuple[float, float], last: float) -> None:
    """Two axes along the left and the bottom of `box`, with the numbers at their ends."""
    left, top, right, bottom = box
    ImageDraw.Draw(sheet).line([(left, top), (left, bottom), (right, bottom)], MUTED, DENSITY)
    for value, down in zip(limits, (bottom, top), strict=True):
        _write(sheet, (left - 4 * DENSITY, down), f"{value:.4g}", size=9, color=MUTED, anchor="rm")
    for value, across in ((0, left), (last, right)):
        _write(sheet, (across, bottom + LINE / 2), f"{value:.0f}", size=9, color=MUTED)
    _write(sheet, ((left + right) / 2, bottom + LINE / 2), "step", size=9, color=MUTED)


def _add_names(sheet: Image.Image, box: tuple, names: Sequence[str]) -> None:
    for place, name in enumerate(names):
        where = (box[2], box[1] + place * LINE * 0.7)
        _write(sheet, where, name, size=9, color=COLORS[place % len(COLORS)], anchor="rm")
