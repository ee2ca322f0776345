"""The figures of Day 21. `python -m days.day21.code.visualizations` rebuilds days/day21/outputs/."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from days.common.colors import BLUE, INK, ORANGE
from days.common.figures import Figures, chart, describe, new_figure, plain, save_gif
from days.common.paths import outputs_dir
from days.day21.code import dreaming
from days.day21.code.control import DreamControl, load_control
from days.day21.code.lesson import EVEN_SPREAD, GUIDES, LAYERS, PHOTOS, RICH, SHOWN, SIZE, TRICKS, Lesson

ZOOM_GIF = "08_zoom.gif"


# ---------------------------------------------------------------- draw_*: arrays -> Figure


def draw_pictures(
    images: Sequence[np.ndarray], labels: Sequence[str], title: str, columns: int, width: float = 9.6
) -> Figure:
    """Images (H, W, 3) beside each other, `columns` to a row, each under its label."""
    rows = math.ceil(len(images) / columns)
    shape = max(image.shape[0] / image.shape[1] for image in images)
    lines = 1 + max(label.count("\n") for label in labels)
    figure = new_figure(width, 0.3 + rows * (shape * width / columns + 0.16 * lines + 0.05))
    figure.suptitle(title, fontsize=10)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, image, label in zip(grid, images, labels, strict=False):
        plain(axes, label, size=8.5).imshow(np.clip(image, 0, 1), interpolation="antialiased")
    listed = "; ".join(label.replace("\n", ", ") for label in labels)
    return describe(figure, f"{title}. {len(images)} pictures: {listed}.")


def draw_pyramid(pictures: Sequence[np.ndarray], photos: Sequence[np.ndarray]) -> Figure:
    """Every octave of a dream, drawn equally large: the photo at its size above, what it became below."""
    height, width = pictures[-1].shape[:2]
    figure = new_figure(9.6, 9.6 * 2 / len(pictures) * height / width + 0.7)
    grid = figure.subplots(2, len(pictures))
    for column, (picture, photo) in enumerate(zip(pictures, photos, strict=True)):
        height, width = picture.shape[:2]
        plain(grid[0, column], f"octave {column + 1}: photo\n{height} x {width}", size=8).imshow(photo)
        plain(grid[1, column], "dream", size=8).imshow(picture)
    return describe(
        figure,
        f"{len(pictures)} octaves, each with 1.4 times as many pixels a side as the one before, drawn equally large: "
        "above the photo, below the dream. What grew in a small octave is enlarged and refined in the next.",
    )


def draw_lost_detail(photo: np.ndarray, small: np.ndarray) -> Figure:
    """A photo, itself from a smaller copy enlarged again, and the difference, which the octaves put back."""
    enlarged = np.clip(dreaming.resize(small, photo.shape[:2]), 0, 1)
    lost = photo - enlarged
    figure = new_figure(9.6, 2.5)
    panels = {
        "the photo": photo,
        f"made {small.shape[0]} x {small.shape[1]}, enlarged again": enlarged,
        "what was lost, twice as strong (gray: nothing)": np.clip(0.5 + 2 * lost, 0, 1),
    }
    for axes, (title, image) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        plain(axes, title).imshow(image)
    return describe(
        figure,
        "A photo, a blurred copy that was made small and enlarged, and their difference, twice as strong as it is: "
        f"thin outlines on gray, {np.abs(lost).mean():.3f} on average.",
    )


def draw_witness(control: DreamControl, names: Sequence[str]) -> Figure:
    """Dog probabilities of photos and of dreams on them: pale for each draw, solid for the mean of the draws."""
    figure = new_figure(9.6, 2.6)
    axes = figure.add_subplot()
    rows, means = np.arange(len(names)), control.dogs.mean(axis=2)
    axes.hlines(rows, 0, control.dogs.max(axis=(1, 2)), color="#dddddd", linewidth=1)
    axes.scatter(control.photo, rows, 130, "black", marker="|", label="photo", zorder=4)
    looks = (("dreams of the trained network", BLUE, "o"), ("dreams of random ones", ORANGE, "s"))
    for kind, (name, color, marker) in enumerate(looks):
        for each in control.dogs[:, kind].T:
            axes.scatter(each, rows, 25, color, marker=marker, alpha=0.3, lw=0)
        axes.scatter(means[:, kind], rows, 45, color, marker=marker, label=name, zorder=3)
    axes.axvline(EVEN_SPREAD, color=INK, linewidth=0.8, linestyle=":", label=f"even spread, {EVEN_SPREAD}")
    axes.set(yticks=rows, yticklabels=names, xlim=(-0.02, None), ylim=(len(names) - 0.5, -0.5))
    chart(axes, x="dog probability (EfficientNet-Lite0, all 118 breeds together); pale: each draw, solid: their mean")
    axes.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    return describe(
        figure,
        f"Dog probabilities of EfficientNet-Lite0 for {len(names)} photos and dreams of fire7 on them, and a line at "
        f"the even spread, {EVEN_SPREAD}: for the photos at most {control.photo.max():.2f}; the mean of "
        f"{control.dogs.shape[2]} draws for dreams of the trained network {means[:, 0].min():.2f} to "
        f"{means[:, 0].max():.2f}, for those of random networks at most {means[:, 1].max():.2f}.",
    )


def draw_growing(photo: np.ndarray, moments: Sequence[dreaming.Moment], title: str) -> Figure:
    """A dream as it stands: the photo, the picture so far, and the objective up to here, octave by octave."""
    figure = new_figure(9.6, 3.0)
    axes = figure.subplots(1, 3, width_ratios=[1, 1, 0.8])
    last = moments[-1]
    figure.suptitle(f"{title}: octave {last.octave + 1}, step {last.step + 1}", fontsize=9)
    plain(axes[0], "photo").imshow(photo)
    plain(axes[1], f"dream, {last.picture.shape[0]} x {last.picture.shape[1]}").imshow(last.picture)
    chart(axes[2], "objective", "step", ticks=7)
    axes[2].plot(1 + np.arange(len(moments)), [moment.value for moment in moments], color=BLUE)
    return describe(
        figure,
        f"{title}: photo, dream and objective after {len(moments)} steps, in octave {last.octave + 1}; the objective "
        f"{'has risen' if last.value > moments[0].value else 'has not risen'} since the first.",
    )


# ---------------------------------------------------------------- the stored figures


def _figure_dream(lesson: Lesson) -> Figure:
    size, pictures = (288, 432), []
    for name in ("china", "flower"):
        pictures += [lesson.photo(name, size), lesson.dream(name, "fire7", size=size, **RICH)]
    title = "what fire7 makes of two photos without any animal"
    return draw_pictures(pictures, ["photo", "fire7's dream"] * 2, title, 2)


def _figure_layers(lesson: Lesson) -> Figure:
    images = [lesson.photo("china"), *(lesson.dream("china", layer) for layer in LAYERS)]
    return draw_pictures(images, ["photo", *LAYERS], "one photo, one layer maximized at a time", 3)


def _figure_pyramid(lesson: Lesson) -> Figure:
    last = {moment.octave: moment.picture for moment in lesson.moments("china")}.values()
    return draw_pyramid(list(last), [dreaming.shrunk(lesson.photo("china"), picture.shape[:2]) for picture in last])


def _figure_lost_detail(lesson: Lesson) -> Figure:
    photo = lesson.photo("china")
    return draw_lost_detail(photo, dreaming.shrunk(photo, dreaming.octave_sizes(SIZE)[0]))


def _figure_tricks(lesson: Lesson) -> Figure:
    images = [lesson.dream("china", "fire7", **settings) for settings in TRICKS.values()]
    return draw_pictures(images, list(TRICKS), "80 steps on fire7, one trick more at a time", 2)


def _figure_control(lesson: Lesson) -> Figure:
    pictures = {
        f"{kind}: {SHOWN[name]}": lesson.dream(name, "fire7", trained=kind == "trained")
        for kind in ("trained", "random weights")
        for name in PHOTOS[:3]
    }
    title = "fire7's dreams, by the trained network and by a random one"
    return draw_pictures(list(pictures.values()), list(pictures), title, 3)


def _figure_guided(lesson: Lesson) -> Figure:
    pictures = {"photo": lesson.photo("china"), "no guide": lesson.dream("china", "fire5")}
    for guide in GUIDES:
        pictures[f"guide: {guide}"] = lesson.photo(guide)
        pictures[f"guided by {guide}"] = lesson.dream("china", "fire5", guide=guide)
    return draw_pictures(list(pictures.values()), list(pictures), "fire5, free and guided", 2, width=8.0)


def anim_zoom(lesson: Lesson) -> Path:
    """Dream, go a little closer, dream on: an animation without end, stored; returns its path."""
    return save_gif(
        (draw_frame(picture) for picture in lesson.flight),
        outputs_dir(21) / ZOOM_GIF,
        "A flight into a photo on which fire7 dreams on and on: out of every detail a new animal grows.",
        milliseconds=140,
    )


def draw_frame(picture: np.ndarray) -> Figure:
    """A picture alone, pixel by pixel, without a frame."""
    figure = new_figure(picture.shape[1] / 100, picture.shape[0] / 100)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.imshow(picture, interpolation="nearest", aspect="auto")
    return describe(figure, "one picture of a flight into a dream")


FIGURES = Figures(
    21,
    Lesson,
    {
        "00_dream.jpg": _figure_dream,
        "01_layers.jpg": _figure_layers,
        "02_octaves.jpg": _figure_pyramid,
        "03_lost_detail.jpg": _figure_lost_detail,
        "04_tricks.jpg": _figure_tricks,
        "06_control.jpg": _figure_control,
        "07_witness.png": lambda lesson: draw_witness(load_control(), [SHOWN[name] for name in PHOTOS]),
        "09_guided.jpg": _figure_guided,
        "10_growing.jpg": lambda lesson: draw_growing(lesson.photo("coffee"), lesson.moments("coffee"), "fire7"),
    },
    {ZOOM_GIF: anim_zoom},
)

if __name__ == "__main__":
    FIGURES.rebuild()
