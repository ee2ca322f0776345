"""Drawing and storing pictures: one panel grid, one honest color scale, one way onto the screen and the disk.

Figures are made with matplotlib's object interface: no window opens, no global state changes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from days.common.alt_text import DescribedPicture, is_on_a_page
from days.common.colors import ALARM, INK, MUTED
from days.common.paths import outputs_dir, write_bytes

DPI = 100
PNG_BUDGET = 150 * 1024  # bytes; above it a stored picture gives up colors


class ColorScale(NamedTuple):
    """A color map with the values at its two ends."""

    cmap: str
    low: float
    high: float


def color_scale(values, *, clip: float = 99.8) -> ColorScale:
    """The scale that shows `values` honestly: viridis from 0 for activations, blue-white-red around 0 for signed ones.

    The upper end is the `clip`-th percentile of |values|, so that one hot pixel does not darken all the rest. Panels
    that are to be compared get one scale made from all of them. NaN and infinite values are left out of the reckoning.
    """
    values = np.asarray(values, np.float32)
    values = values[np.isfinite(values)] if np.isfinite(values).any() else np.zeros(1, np.float32)
    high = float(np.percentile(np.abs(values), clip)) or float(np.abs(values).max()) or 1.0
    return signed(high) if values.min() < 0 else ColorScale("viridis", 0.0, high)


def signed(high: float) -> ColorScale:
    """Blue below 0, white at 0, red above it, from -high to high."""
    return ColorScale("RdBu_r", -float(high), float(high))


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches at 100 dots per inch, laid out so that nothing is cut off."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def subplots(width: float, height: float, rows: int = 1, columns: int = 1, **layout) -> tuple[Figure, Any]:
    """An empty figure and its axes, as matplotlib's `Figure.subplots` lays them out."""
    figure = new_figure(width, height)
    return figure, figure.subplots(rows, columns, **layout)


def plain(axes, title: str = "", *, color: str = INK, size: float = 9):
    """Take ticks and frame away from `axes`, title it, and return it."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=size, color=color)
    return axes


def chart(axes, title: str = "", x: str = "", y: str = "", *, title_size=9.0, size=8.0, ticks=8.0):
    """Dress `axes` as a chart and return it: a title, names for x and y, small numbers, no frame above and right."""
    axes.set_title(title, fontsize=title_size)
    axes.set_xlabel(x, fontsize=size)
    axes.set_ylabel(y, fontsize=size)
    axes.tick_params(labelsize=ticks)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def paired_bars(axes, names, heights, words, labels, colors, *, width=0.38, size=7, padding=0) -> None:
    """Two bars over each of `names`: heights (2, n), words (2, n) above them, a label and a color for either kind."""
    places = np.arange(len(names))
    for shift, high, above, label, color in zip((-0.2, 0.2), heights, words, labels, colors, strict=True):
        bars = axes.bar(places + shift, high, width, color=color, label=label)
        axes.bar_label(bars, list(map(str, above)), fontsize=size, padding=padding)
    axes.set_xticks(places, names, fontsize=8)


def show_map(axes, values: np.ndarray, scale: ColorScale, interpolation: str = "auto") -> None:
    """Draw values (h, w) on `axes` in the colors of `scale`; NaN stays white."""
    axes.imshow(values, cmap=scale.cmap, vmin=scale.low, vmax=scale.high, interpolation=interpolation)


def add_colorbar(figure: Figure, axes, scale: ColorScale, label: str, *, extend: str | None = None) -> None:
    """A horizontal bar under `axes` that states the scale; arrows at its ends say that values may lie beyond.

    extend : "min", "max", "both" or "neither"; as `color_scale` clips its values, unless given.
    """
    mappable = ScalarMappable(Normalize(scale.low, scale.high), scale.cmap)
    extend = extend or ("both" if scale.low < 0 else "max")
    bar = figure.colorbar(
        mappable, ax=axes, orientation="horizontal", fraction=0.05, pad=0.02, aspect=50, extend=extend
    )
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)


def tile(panels: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Lay panels side by side, `columns` to a row: (n, h, w) with NaN between and behind the last, which stays white.

    Colors (n, h, w, 3) have white itself there, and wherever they are NaN.
    """
    count, height, width = panels.shape[:3]
    rows = math.ceil(count / columns)
    room = [(0, rows * columns - count), (0, gap), (0, gap), (0, 0)][: panels.ndim]
    cells = np.pad(np.asarray(panels, np.float32), room, constant_values=np.nan)
    cells = cells.reshape(rows, columns, height + gap, width + gap, *panels.shape[3:]).swapaxes(1, 2)
    sheet = cells.reshape(rows * (height + gap), columns * (width + gap), *panels.shape[3:])[:-gap, :-gap]
    return np.nan_to_num(sheet, nan=1.0) if panels.ndim == 4 else sheet


def columns_for(count: int, aspect: float = 1.0) -> int:
    """Columns of a wide grid for `count` panels of width / height = `aspect`, without a ragged last row if it can be.

    >>> columns_for(64), columns_for(128), columns_for(37)
    (16, 16, 10)
    """
    wanted = math.sqrt(2.6 * count / aspect)
    even = [columns for columns in range(1, count + 1) if count % columns == 0 and 0.7 < columns / wanted < 1.5]
    return min(even, key=lambda columns: abs(columns - wanted)) if even else min(count, math.ceil(wanted))


def draw_panels(
    panels: np.ndarray,
    *,
    title: str,
    unit: str = "activation",
    labels: Sequence[str] | None = None,
    columns: int | None = None,
    scale: ColorScale | None = None,
    alarm: Sequence[int] = (),
    width: float = 9.6,
    alt: str = "",
) -> Figure:
    """A grid of any number of panels on one stated color scale.

    panels : (n, h, w) values, or (n, h, w, 3) colors in [0, 1], which need no scale.
    labels : one above each panel; their numbers, unless given. alarm : panels whose label is red.
    """
    panels = np.asarray(panels, np.float32)
    if panels.ndim not in (3, 4) or panels.size == 0:
        raise ValueError(f"expected panels (n, h, w) or (n, h, w, 3), got {panels.shape}")
    count, height, breadth = panels.shape[:3]
    columns = columns or columns_for(count, breadth / height)
    labels = [str(index) for index in range(count)] if labels is None else labels
    gap = max(1, breadth // 16)
    header = max(gap, round(0.17 * columns / width * breadth)) if any(labels) else 0
    above = [(0, 0), (header, 0), (0, 0), (0, 0)][: panels.ndim]
    sheet = tile(np.pad(panels, above, constant_values=np.nan), columns, gap)
    figure, axes = subplots(width, width * sheet.shape[0] / sheet.shape[1] + (0.95 if panels.ndim == 3 else 0.35))
    figure.suptitle(title, fontsize=10, color=INK)
    scale = scale or color_scale(panels)
    show_map(plain(axes), sheet, scale, "nearest")
    if panels.ndim == 3:
        add_colorbar(figure, axes, scale, unit)
    for index, label in enumerate(labels):
        row, column = divmod(index, columns)
        place = (column * (breadth + gap) + breadth / 2 - 0.5, row * (height + header + gap) + header * 0.85 - 0.5)
        look = {"fontsize": min(8, 4.5 + 4.5 * width / columns), "color": ALARM if index in alarm else MUTED}
        axes.text(*place, label, ha="center", va="bottom", **look)
    return describe(figure, alt or f"{title}: a grid of {count} panels, {columns} to a row.")


def describe(figure: Figure, alt: str) -> Figure:
    """Attach to the figure what it shows, in words; `show` and `save_figure` hand it to those who cannot see it."""
    figure.set_label(alt)
    return figure


def picture_bytes(figure: Figure, format: str = "png", *, quality: int = 88, density: int = 1) -> bytes:
    """The figure as a file's bytes with its description inside: a palette PNG, or a JPEG for photographs.

    quality : of the JPEG; 100 also stores color as finely as brightness. density : pixels drawn for each of the 100
    to an inch. Raises ValueError for a figure without a description.
    """
    alt = str(figure.get_label())
    if not alt:
        raise ValueError("expected a figure with a description, got none: describe(figure, 'what is seen') adds it")
    picture, buffer = _render(figure, density), io.BytesIO()
    if format == "jpeg":
        colors = 0 if quality == 100 else -1
        picture.save(buffer, "JPEG", quality=quality, subsampling=colors, optimize=True, comment=alt.encode())
        return buffer.getvalue()
    info = PngInfo()
    info.add_itxt("Description", alt)
    for colors in (256, 128, 64, 32):
        buffer = io.BytesIO()
        # The palette is refined where it is stored; on a page, a learner waits for it.
        _palette(picture, colors, refined=density == 1).save(buffer, "PNG", optimize=True, pnginfo=info)
        if buffer.tell() <= PNG_BUDGET * density**2:
            break
    return buffer.getvalue()


def show(figure: Figure, format: str = "png") -> DescribedPicture:
    """The described figure for a notebook's screen; on JupyterLab's page sharp also on a dense one."""
    sharp = is_on_a_page()
    picture = picture_bytes(figure, format, density=2 if sharp else 1)
    return DescribedPicture(picture, format=format, alt=figure.get_label(), retina=sharp)


def save_figure(figure: Figure, path: Path | str, *, quality: int = 88) -> Path:
    """Store the described figure as its suffix says (.png or .jpg), whole or not at all, and return the path.

    quality : of a JPEG; see `picture_bytes`.
    """
    path = Path(path)
    formats = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
    if path.suffix not in formats:
        raise ValueError(f"expected a name ending in {', '.join(formats)}, got {path.name!r}")
    return write_bytes(path, picture_bytes(figure, formats[path.suffix], quality=quality))


def save_gif(figures: Iterable[Figure], path: Path | str, alt: str, *, milliseconds: int = 120) -> Path:
    """Store figures of one size as an endless animation with one palette, whole or not at all.

    Raises ValueError for no figures, figures of different sizes, a missing `alt` or a name that is no .gif.
    """
    frames = [_render(figure) for figure in figures]
    if len({frame.size for frame in frames}) != 1 or not alt or Path(path).suffix != ".gif":
        sizes = sorted({frame.size for frame in frames})
        raise ValueError(f"expected figures of one size, a description and a .gif, got {sizes}, {alt!r} and {path}")
    samples = [np.asarray(frames[index]) for index in (0, len(frames) // 2, -1)]
    palette = _palette(Image.fromarray(np.concatenate(samples)), 64)
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, comment=alt.encode()
    )
    return write_bytes(path, buffer.getvalue())


def rebuild(jobs: dict[str, Callable[[], Path]], title: str) -> list[Path]:
    """Do each job, which draws and stores the picture of that name, in the order of names, with a progress bar."""
    from tqdm.auto import tqdm

    return [jobs[name]() for name in tqdm(sorted(jobs), desc=title, unit="figure")]


@dataclass(frozen=True)
class Figures:
    """The stored pictures of one day, by the names of their files in days/dayNN/outputs/.

    lesson : makes the day's `Lesson`, from which all are drawn. draw : {name: function of a lesson that returns a
    Figure}. store : {name: function of a lesson that stores a picture itself, such as an animation, and returns its
    path}.
    """

    day: int
    lesson: Callable[[], Any]
    draw: dict[str, Callable[[Any], Figure]]
    store: dict[str, Callable[[Any], Path]] = field(default_factory=dict)

    def plot(self, name: str, lesson: Any = None) -> Path:
        """Rebuild one picture, from a lesson that has computed something already if one is given; returns its path."""
        lesson = lesson or self.lesson()
        if name in self.store:
            return self.store[name](lesson)
        return save_figure(self.draw[name](lesson), outputs_dir(self.day) / name)

    def jobs(self, lesson: Any = None) -> dict[str, Callable[[], Path]]:
        """What rebuilds each picture of the day, by its name; all of them from one lesson."""
        lesson = lesson or self.lesson()
        return {name: partial(self.plot, name, lesson) for name in (*self.draw, *self.store)}

    def rebuild(self, lesson: Any = None) -> list[Path]:
        """Rebuild every picture of the day with a progress bar; returns the paths in the order of names."""
        return rebuild(self.jobs(lesson), f"Day {self.day} figures")


def _render(figure: Figure, density: int = 1) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI * density, facecolor="white")
    return Image.open(buffer).convert("RGB")


def _palette(picture: Image.Image, colors: int, refined: bool = True) -> Image.Image:
    return picture.quantize(colors, method=Image.Quantize.MEDIANCUT, kmeans=int(refined), dither=Image.Dither.NONE)


def stored_alt(path: Path | str) -> str:
    """The description inside a stored picture; "" where there is none."""
    with Image.open(path) as picture:
        text = picture.info.get("Description") or picture.info.get("comment") or ""
    return text.decode() if isinstance(text, bytes) else text


def show_stored(path: Path | str) -> DescribedPicture:
    """A stored picture for a notebook's screen.

    Raises FileNotFoundError or ValueError, with the way to rebuild it, where it is missing or damaged.
    """
    path = Path(path)
    way_out = "set RUN_ANIMATIONS = True, or type 'make figures'"
    if not path.is_file():
        raise FileNotFoundError(f"no stored figure {path.name}: {way_out}")
    try:
        with Image.open(path) as picture:
            picture.load()
    except OSError as error:
        raise ValueError(f"the stored figure {path.name} is damaged: {way_out}") from error
    format = path.suffix.lstrip(".").replace("jpg", "jpeg")
    return DescribedPicture(path.read_bytes(), format=format, alt=stored_alt(path))
