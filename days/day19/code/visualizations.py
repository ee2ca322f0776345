"""The figures of Day 19. `python -m days.day19.code.visualizations` rebuilds days/day19/outputs/.

draw_* turn arrays into a described Figure. plot_* and anim_* store one and return its path.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from days.common import figures as fg
from days.common.colors import BLUE, ORANGE
from days.common.images import load_image
from days.common.paths import outputs_dir
from days.day17.code.lesson import EDGE_KERNEL
from days.day17.code.visualizations import spotlight
from days.day19.code import feature_visualization as fv
from days.day19.code.lesson import DREAM_LAYERS, FAVORITES, KERNELS, Lesson, to_image


def draw_feature_maps(
    image: np.ndarray, kernels: np.ndarray, maps: np.ndarray, names: Sequence[str] | None = None
) -> Figure:
    """An image (H, W), kernels (n, k, k) and the map (n, h, w) that each makes of it, one scale for all maps."""
    names = names or [f"kernel {index}" for index in range(len(kernels))]
    columns = min(len(kernels), 8)
    rows = math.ceil(len(kernels) / columns)
    figure = fg.new_figure(9.6, 0.4 + rows * (0.6 + 2 * 9.6 / (columns + 2)))
    grid = figure.subplots(2 * rows, columns + 1, squeeze=False, height_ratios=[0.5, 1] * rows)
    scale, look = fg.color_scale(maps), fg.signed(fg.color_scale(kernels, clip=100).high)
    for axes in grid.ravel():
        axes.axis("off")
    fg.plain(grid[1, 0], f"image {image.shape}", size=8).imshow(image, cmap="gray")
    for index, (kernel, values) in enumerate(zip(kernels, maps, strict=True)):
        row, column = divmod(index, columns)
        fg.show_map(fg.plain(grid[2 * row, column + 1], names[index], size=8), kernel, look, "nearest")
        fg.show_map(fg.plain(grid[2 * row + 1, column + 1], f"map {values.shape}", size=8), values, scale)
    label = "map: red positive, blue negative, white 0; one scale for all maps, another for all kernels"
    fg.add_colorbar(figure, list(grid.ravel()), scale, label)
    return fg.describe(
        figure,
        f"An image {image.shape}, {len(kernels)} kernels and the feature map of each, with values from "
        f"{maps.min():.2g} to {maps.max():.2g}.",
    )


def draw_dreaming(patches: np.ndarray, kernel: np.ndarray, step: int) -> Figure:
    """One moment of the toy's ascent: the patch so far, the kernel's direction, and the objective up to here."""
    favorite = kernel / np.linalg.norm(kernel)
    objectives = (patches * kernel).sum(axis=(1, 2))
    figure, (now, goal, curve) = fg.subplots(6.0, 2.4, 1, 3, width_ratios=[1, 1, 1.5])
    scale = fg.signed(np.abs(favorite).max())
    fg.show_map(fg.plain(now, f"patch, step {step}", size=8), patches[step], scale, "nearest")
    fg.show_map(fg.plain(goal, "kernel / |kernel|", size=8), favorite, scale, "nearest")
    curve.plot(objectives[: step + 1], color=BLUE)
    curve.axhline(np.linalg.norm(kernel), color=ORANGE, linestyle="--", linewidth=1)
    curve.set(xlim=(0, len(patches) - 1), ylim=(min(objectives.min(), 0) - 0.2, 1.1 * np.linalg.norm(kernel)))
    angle = fv.angle_between(patches[step], kernel)
    curve.set_title(f"objective {objectives[step]:.2f} (dashed: |kernel|)\nangle left {angle:.1f}°", fontsize=8)
    curve.set_xlabel("step", fontsize=7)
    curve.tick_params(labelsize=7)
    return fg.describe(figure, f"Step {step}: the patch is {angle:.1f} degrees from the kernel's direction.")


def draw_gradient(gradient: np.ndarray, kernel: np.ndarray) -> Figure:
    """The gradient (H, W) of a map's mean with its numbers, beside the kernel."""
    figure, axes = fg.subplots(7.0, 3.4, 1, 2, width_ratios=[kernel.shape[1], gradient.shape[1]])
    for place, grid, name in ((axes[0], kernel, "kernel"), (axes[1], gradient, "gradient of the map's mean")):
        scale = fg.signed(1.6 * float(np.abs(grid).max()))
        fg.show_map(fg.plain(place, f"{name} {grid.shape}"), grid, scale, "nearest")
        for (row, column), value in np.ndenumerate(grid):
            place.text(column, row, f"{value:.2f}".rstrip("0").rstrip("."), ha="center", va="center", fontsize=8)
    return fg.describe(
        figure,
        f"The kernel {kernel.shape} and the gradient {gradient.shape} of its map's mean with respect to each pixel, as "
        "numbers: the columns left of the middle pull it down, those on the right push it up.",
    )


def draw_pictures(images: Sequence[np.ndarray], labels: Sequence, title: str, columns: int | None = None) -> Figure:
    """Images (H, W, 3) of one size beside each other, each under its label, a text or a number."""
    labels = [str(label) for label in labels]
    listed = "; ".join(label.replace("\n", ", ") for label in labels)
    return fg.draw_panels(np.stack(images), title=title, labels=labels, columns=columns, alt=f"{title}. {listed}.")


def draw_ascents(ascents: dict[str, list[fv.AscentStep]]) -> Figure:
    """The objective of several ascents, each in a panel with a scale of its own."""
    figure = fg.new_figure(9.6, 2.6)
    figure.suptitle("the objective at every step; each panel has its own scale", fontsize=10)
    for axes, (name, steps) in zip(figure.subplots(1, len(ascents)), ascents.items(), strict=True):
        title = name.replace(": ", ":\n")
        fg.chart(axes, title, "step", "objective", ticks=7).plot([step.value for step in steps], color=BLUE)
    fates = "; ".join(f"{name}: {fv.describe_ascent(steps)}" for name, steps in ascents.items())
    return fg.describe(figure, f"Curves of the objective. {fates}.")


def draw_fired(photo: np.ndarray, feature_map: np.ndarray, title: str) -> Figure:
    """What fired in a photo (H, W, 3): the photo, the photo lit by a channel's map (h, w), the map with its scale."""
    return _draw_lit(photo, feature_map, "lit where the channel fires", title, "activation")


def draw_cam(photo: np.ndarray, evidence: np.ndarray, category: str) -> Figure:
    """A Grad-CAM map (h, w) for a category: the photo, the photo lit by the map, the map with its scale."""
    return _draw_lit(photo, evidence, "lit by the evidence", f"evidence for {category}", "Grad-CAM")


def _draw_lit(photo: np.ndarray, values: np.ndarray, lit: str, title: str, unit: str) -> Figure:
    figure, axes = fg.subplots(7.2, 3.3, 1, 3)
    scale = fg.color_scale(values)
    fg.plain(axes[0], "photo").imshow(photo)
    fg.plain(axes[1], lit).imshow(spotlight(photo, values))
    fg.show_map(fg.plain(axes[2], title), values, scale)
    fg.add_colorbar(figure, axes[2], scale, unit)
    row, column = np.unravel_index(values.argmax(), values.shape)
    place = f"strongest in row {row + 1}, column {column + 1} of {values.shape}"
    return fg.describe(figure, f"A photo, the photo {lit}, and the map of {title}: {place}.")


# ---------------------------------------------------------------- plot_* and anim_*: the contract


def plot_feature_maps(img: np.ndarray, kernels: np.ndarray) -> Path:
    """Draw the feature map of every kernel over an image, store the picture, return its path.

    img : (H, W). kernels : (n, k, k), or flattened (n, k * k), so that a (4, 4) array is four 2 x 2 kernels.
    Raises ValueError for kernels of another form; when k * k is no square it says which lengths are.
    """
    kernels = _as_squares(np.asarray(kernels, np.float64))
    image = np.asarray(img, np.float64)
    maps = np.stack([fv.feature_map(image, kernel) for kernel in kernels])
    return fg.save_figure(draw_feature_maps(image, kernels, maps), outputs_dir(19) / "00_feature_maps.png")


def anim_filter_dreaming(kernel: np.ndarray | None = None, *, steps: int = 60, seed: int = 0) -> Path:
    """Animate the toy's gradient ascent, patch and objective, store it, return its path."""
    kernel = EDGE_KERNEL if kernel is None else np.asarray(kernel, np.float64)
    patches = fv.dreamed_patches(kernel, steps=steps, seed=seed)
    shown = [*range(0, steps, 2), *[steps] * 6]
    frames = (draw_dreaming(patches, kernel, step) for step in shown)
    alt = "A patch of random numbers turns into the kernel, step by step, while its objective climbs to |kernel|."
    return fg.save_gif(frames, outputs_dir(19) / "01_filter_dreaming.gif", alt)


def _as_squares(kernels: np.ndarray) -> np.ndarray:
    if kernels.ndim == 2 and kernels.size:
        side = math.isqrt(kernels.shape[1])
        if side * side == kernels.shape[1]:
            return kernels.reshape(-1, side, side)
    if kernels.ndim == 3 and kernels.size and kernels.shape[1] == kernels.shape[2]:
        return kernels
    raise ValueError(
        f"expected kernels as (n, k, k) or flattened (n, k*k) with k*k = 1, 4, 9, 16, ..., got {kernels.shape}"
    )


# ---------------------------------------------------------------- the stored figures


def _figure_favorites(lesson: Lesson) -> Figure:
    pictures = [to_image(lesson.ascent(*place)[-1].pixels) for place in FAVORITES]
    labels = [f"{layer}, channel {channel}" for layer, channel in FAVORITES]
    return draw_pictures(pictures, labels, "plain ascent from noise", 3)


def _figure_dreams(lesson: Lesson) -> Figure:
    dreams = {layer: lesson.dream(layer) for layer in DREAM_LAYERS}
    labels = ["the photo", *(f"{layer} amplified" for layer in dreams)]
    return draw_pictures([lesson.cat, *dreams.values()], labels, "one layer amplified in the photo", 3)


def _figure_fates(lesson: Lesson) -> Figure:
    fates = {
        "it rises: fire6, 341": lesson.ascent("fire6", 341, steps=30),
        "it never moves: fire9, 426": lesson.ascent("fire9", 426, steps=30),
        "flipped sign: fire6, 341": lesson.ascent("fire6", 341, lesson.small_cat, steps=30, learning_rate=-4.0),
        "rate too large: fire5.expand1x1, 9": lesson.ascent("fire5.expand1x1", 9, steps=30),
    }
    return draw_ascents(fates)


_HIGH, _WIDE, _SIDE, _GAP = 280, 720, 224, 12
_LEFTS = [_GAP + place * (_SIDE + _GAP) for place in range(3)]
CUPS = {
    name: np.s_[_HIGH - _GAP - _SIDE : _HIGH - _GAP, left : left + _SIDE]
    for name, left in zip(("first photo", "second photo"), _LEFTS, strict=False)
}
"""Where the two photos lie in the stored picture, pixel by pixel."""


def draw_cups(photos: Sequence[np.ndarray]) -> Figure:
    """A photo, the same photo changed, and the change, (224, 224, 3) each; a pixel of theirs is one of the figure's."""
    figure, labels = fg.new_figure(_WIDE / 100, _HIGH / 100), [*CUPS, "second minus first, x 64, on gray"]
    figure.set_layout_engine("none")
    figure.suptitle("which of the two is a cup of espresso?", y=0.98, fontsize=10)
    for left, photo, label in zip(_LEFTS, photos, labels, strict=True):
        axes = figure.add_axes((left / _WIDE, _GAP / _HIGH, _SIDE / _WIDE, _SIDE / _HIGH))
        fg.plain(axes, label, size=8).imshow(np.rint(255 * photo).astype(np.uint8), interpolation="nearest")
    return fg.describe(figure, f"Which of the two is a cup of espresso? {'; '.join(labels)}.")


def plot_two_cups(lesson: Lesson) -> Path:
    """Store the cup and its adversarial example, so finely that the network can still tell them apart."""
    cup = load_image("coffee", size=224)
    changed = lesson.attacked(cup, epsilon=1)
    figure = draw_cups([cup, changed, np.clip(0.5 + 64 * (changed - cup), 0, 1)])
    return fg.save_figure(figure, outputs_dir(19) / "09_two_cups.jpg", quality=100)


FIGURES = fg.Figures(
    19,
    Lesson,
    {
        "03_gradient_by_hand.png": lambda _: draw_gradient(fv.mean_gradient((6, 6), EDGE_KERNEL), EDGE_KERNEL),
        "04_favorites.png": _figure_favorites,
        "05_dreams.jpg": _figure_dreams,
        "06_fates.png": _figure_fates,
    },
    {
        "00_feature_maps.png": lambda lesson: plot_feature_maps(lesson.gray_cat, KERNELS),
        "01_filter_dreaming.gif": lambda _: anim_filter_dreaming(),
        "09_two_cups.jpg": plot_two_cups,
    },
)

if __name__ == "__main__":
    FIGURES.rebuild()
