"""The figures of Day 17. `python -m days.day17.code.visualizations` rebuilds days/day17/outputs/.

draw_* turn arrays into a described Figure; `Lesson` computes what the stored ones show. anim_* store an animation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from days.common import figures as fg
from days.common.colors import ALARM, BLUE, INK, MUTED, ORANGE
from days.common.images import load_image
from days.common.paths import outputs_dir
from days.common.squeezenet import convolution_behind
from days.day17.code import feature_maps as fm
from days.day17.code.lesson import EDGE_KERNEL, Lesson, crop_at, toy_image


def draw_toy(image: np.ndarray, kernel: np.ndarray, answer: np.ndarray) -> Figure:
    """Image, kernel and feature map as grids of numbers, with the first window and its answer framed."""
    grids_and_names = [(image, "image"), (kernel, "kernel"), (answer, "feature map")]
    columns = [grid.shape[1] for grid, _ in grids_and_names]
    figure, grids = fg.subplots(7.0, 0.7 + 6.4 * image.shape[0] / sum(columns), 1, 3, width_ratios=columns)
    for axes, (grid, name) in zip(grids, grids_and_names, strict=True):
        look = (
            fg.ColorScale("gray", -1.5, 1.2) if name == "image" else fg.signed(2 * fg.color_scale(grid, clip=100).high)
        )
        fg.plain(axes, f"{name} {grid.shape}")
        fg.show_map(axes, grid, look)
        for (row, column), value in np.ndenumerate(grid):
            cell = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=MUTED, linewidth=0.5, clip_on=False)
            axes.add_patch(cell)
            axes.text(column, row, f"{value:g}", ha="center", va="center", color=INK, fontsize=11)
    for axes, (height, width) in ((grids[0], kernel.shape), (grids[2], (1, 1))):
        axes.add_patch(Rectangle((-0.5, -0.5), width, height, fill=False, edgecolor=ORANGE, linewidth=2.5))
    return fg.describe(
        figure,
        f"Three grids of numbers: a {image.shape} image, a {kernel.shape} kernel and the {answer.shape} feature map. "
        f"The first window of the image is framed, and so is its answer {answer[0, 0]:g}.",
    )


def draw_predictions(image: np.ndarray, predictions: dict[str, list[tuple[str, float]]]) -> Figure:
    """A photo beside one bar chart of probabilities for each way of feeding it: {title: [(category, p), ...]}."""
    figure, places = fg.subplots(9.6, 2.6, 1, 1 + len(predictions), width_ratios=[1] + [1.25] * len(predictions))
    fg.plain(places[0], "the photo").imshow(image)
    for axes, (title, rows) in zip(places[1:], predictions.items(), strict=True):
        bars = axes.barh([name for name, _ in rows], [share for _, share in rows], color=BLUE)
        axes.bar_label(bars, [f"{share:.2f}" for _, share in rows], padding=3, fontsize=8)
        axes.set(xlim=(0, 1.18), xticks=[])
        axes.invert_yaxis()
        fg.chart(axes, title).tick_params(length=0)
        axes.spines[:].set_visible(False)
    first = "; ".join(f"{title}: {rows[0][0]} {rows[0][1]:.2f}" for title, rows in predictions.items())
    return fg.describe(figure, f"A photo and its predicted categories as bars. {first}.")


def draw_maps(activations: np.ndarray, title: str) -> Figure:
    """All channels (C, H, W) of a layer on one scale; a channel that is zero throughout has a red number."""
    dead = fm.dead_channels(activations[None]).tolist()
    best = fm.rank_channels(activations)[0]
    return fg.draw_panels(
        activations,
        title=title,
        unit="activation, one scale for all panels; the arrow stands for the brightest 0.2 %",
        alarm=dead,
        alt=f"{title}: {len(activations)} maps on one scale. Channel {best} is brightest on average; "
        f"{len(dead)} maps are dark throughout.",
    )


def draw_patches(patches: np.ndarray, title: str) -> Figure:
    """Filters as color patches (n, k, k, 3); mid-gray is a weight of zero."""
    alt = f"{title}: {len(patches)} small patches. Some are stripes and spots, some plain colors; gray is zero."
    return fg.draw_panels(patches, title=f"{title} (mid-gray = 0, one scale)", alt=alt)


def draw_all_slices(filters: np.ndarray, title: str) -> Figure:
    """The first 64 filters (out, in, kh, kw), every slice: a column for each filter, a row for each input channel."""
    shown = filters[:64]
    sheet = fg.tile(shown.transpose(1, 0, 2, 3).reshape(-1, *filters.shape[2:]), len(shown))
    figure = fg.new_figure(9.6, 9.6 * sheet.shape[0] / sheet.shape[1] + 1.2)
    axes = fg.plain(figure.add_subplot(), title, size=10)
    scale = fg.color_scale(shown)
    fg.show_map(axes, sheet, scale, "nearest")
    axes.set_xlabel(f"filter 0 to {len(shown) - 1} of {len(filters)}", fontsize=8)
    axes.set_ylabel(f"input channel 0 to {filters.shape[1] - 1}", fontsize=8)
    fg.add_colorbar(figure, axes, scale, "weight: red pushes the answer up, blue pulls it down, white is 0")
    return fg.describe(
        figure, f"{title}: {len(shown)} columns of {filters.shape[1]} small signed patches, one for each input channel."
    )


def draw_beside(rows: Sequence[tuple], titles: tuple[str, str]) -> Figure:
    """Two networks side by side, a row for each kind of panels: [(what, left (n, ...), right (n, ...)), ...].

    Colors (n, k, k, 3) are shown as they are, so put both on one scale. The maps (n, H, W) of each network have a scale
    of their own, dark blue for 0, which is printed above them: their units differ.
    """
    figure, grid = fg.subplots(9.6, 2.75 * len(rows), len(rows), 2, squeeze=False, gridspec_kw={"wspace": 0.06})
    for axes_row, (what, *both) in zip(grid, rows, strict=True):
        for axes, panels, title in zip(axes_row, both, titles, strict=True):
            sheet = fg.tile(panels, 8, gap=max(1, panels.shape[2] // 12))
            if panels.ndim == 4:
                fg.plain(axes, f"{title}: {what}").imshow(sheet, interpolation="nearest")
            else:
                scale = fg.color_scale(panels)
                axes = fg.plain(axes, f"{title}: {what}, scale 0 to {scale.high:.0f}")
                fg.show_map(axes, sheet, scale, "nearest")
    named = ", ".join(what for what, *_ in rows)
    seen = "Filters with stripes and spots stand only on the left; the cat is seen on both."
    return fg.describe(figure, f"{titles[0]} beside {titles[1]}: {named}. {seen}")


def draw_ranking(activations: np.ndarray, patches: np.ndarray, means: np.ndarray, channels: Sequence[int]) -> Figure:
    """The chosen channels' means as bars, with map (h, w) and filter patch (k, k, 3) under each bar."""
    figure = fg.new_figure(9.6, 4.3)
    grid = figure.subplot_mosaic(
        [["bars"] * len(channels), [f"m{i}" for i in channels], [f"f{i}" for i in channels]],
        height_ratios=[1.1, 1, 0.55],
    )
    bars = grid["bars"].bar(range(len(channels)), means[channels], color=BLUE, width=0.5)
    grid["bars"].bar_label(bars, [f"{means[i]:.0f}" for i in channels], fontsize=8)
    grid["bars"].set(xlim=(-0.5, len(channels) - 0.5), xticks=[], yticks=[])
    grid["bars"].margins(y=0.2)
    grid["bars"].spines[["top", "right", "left"]].set_visible(False)
    grid["bars"].set_title("mean activation of the strongest channels; below each its map and its filter", fontsize=9)
    scale = fg.color_scale(activations)
    for index in channels:
        axes = fg.plain(grid[f"m{index}"], f"channel {index}")
        fg.show_map(axes, activations[index], scale)
        fg.plain(grid[f"f{index}"]).imshow(patches[index])
    fg.add_colorbar(figure, list(grid.values()), scale, "activation, one scale for all maps")
    listed = ", ".join(f"{i} ({means[i]:.0f})" for i in channels)
    return fg.describe(figure, f"Bars of the strongest channels with map and filter below each: {listed}.")


def draw_sheet(sheet: np.ndarray, title: str) -> Figure:
    """One large array (H, W), such as a mosaic of maps, with its scale."""
    figure, scale = fg.new_figure(9.6, 9.6 * sheet.shape[0] / sheet.shape[1] + 0.9), fg.color_scale(sheet)
    axes = fg.plain(figure.add_subplot(), title, size=10)
    fg.show_map(axes, sheet, scale)
    fg.add_colorbar(figure, axes, scale, "value")
    return fg.describe(figure, f"{title}: an array of shape {sheet.shape} drawn as one picture.")


def draw_pairs(patches: np.ndarray, pairs: Sequence[tuple[int, int, float]], activations: np.ndarray) -> Figure:
    """Pairs of filters (patches) with their cosine, and the maps (C, h, w) that the two make of one photo."""
    figure, grid = fg.subplots(9.6, 4.6, 4, len(pairs), height_ratios=[0.6, 1, 0.6, 1], squeeze=False)
    chosen = [index for pair in pairs for index in pair[:2]]
    scale = fg.color_scale(activations[chosen])
    for column, (first, second, cosine) in zip(grid.T, pairs, strict=True):
        for index, patch_axes, map_axes in ((first, column[0], column[1]), (second, column[2], column[3])):
            fg.plain(patch_axes, f"filter {index}", size=8).imshow(patches[index])
            fg.show_map(fg.plain(map_axes), activations[index], scale)
        column[0].set_title(f"cosine {cosine:+.3f}\nfilter {first}", fontsize=8)
    fg.add_colorbar(figure, list(grid.ravel()), scale, "activation after the ReLU, one scale for all maps")
    listed = ", ".join(f"{i} and {j} ({cosine:+.3f})" for i, j, cosine in pairs)
    return fg.describe(figure, f"Pairs of filters that are almost each other's negative, with their maps: {listed}.")


def draw_evidence(image: np.ndarray, maps: dict[str, np.ndarray], logits: dict[str, float]) -> Figure:
    """A photo beside the evidence map (h, w) of each category, one scale, with the logit that the map averages to."""
    figure, axes = fg.subplots(9.6, 2.9, 1, 1 + len(maps))
    fg.plain(axes[0], "the photo").imshow(image)
    scale = fg.color_scale(np.stack(list(maps.values())), clip=100)
    for place, (category, evidence) in zip(axes[1:], maps.items(), strict=True):
        fg.show_map(fg.plain(place, f"{category}\nmean = logit {logits[category]:.1f}", size=8), evidence, scale)
    fg.add_colorbar(figure, list(axes), scale, "evidence (conv10 after its ReLU), one scale for all categories")
    peaks = "; ".join(
        f"{category} peaks in row {evidence.argmax() // evidence.shape[1] + 1} of {len(evidence)}"
        for category, evidence in maps.items()
    )
    return fg.describe(figure, f"A photo and the places that speak for each category: {peaks}.")


def draw_channel(image: np.ndarray, feature_map: np.ndarray, weights: np.ndarray, title: str) -> Figure:
    """One channel: photo, photo lit where the channel fires, map (h, w), and its filter's weights (in, kh, kw)."""
    figure, axes = fg.subplots(9.6, 2.9, 1, 4)
    figure.suptitle(title, fontsize=9)
    fg.plain(axes[0], "photo").imshow(image)
    fg.plain(axes[1], "lit where the channel fires").imshow(spotlight(image, feature_map))
    scale = fg.color_scale(feature_map)
    fg.show_map(fg.plain(axes[2], f"map {feature_map.shape}"), feature_map, scale)
    fg.add_colorbar(figure, axes[2], scale, "activation")
    if len(weights) == 3:
        fg.plain(axes[3], "filter, in color").imshow(fm.color_patches(weights[None])[0])
    else:
        strongest = fm.strongest_inputs(weights, 16)
        look, what = fg.signed(fg.color_scale(weights).high), f"filter: its {len(strongest)} strongest inputs"
        fg.show_map(fg.plain(axes[3], what), fg.tile(weights[strongest], 4), look, "nearest")
        fg.add_colorbar(figure, axes[3], look, "weight")
    return fg.describe(figure, f"{title}: the photo, the photo lit where the channel fires, the map and the filter.")


def draw_spotlights(image: np.ndarray, rows: dict[str, tuple[np.ndarray, Sequence[int]]]) -> Figure:
    """The photo lit where channels fire: {row title: (activations (C, h, w), channels)}, each map on its own scale."""
    longest = max(len(channels) for _, channels in rows.values())
    figure, grid = fg.subplots(9.6, 0.35 + len(rows) * (9.6 / longest + 0.25), len(rows), longest, squeeze=False)
    for line, (title, (activations, channels)) in zip(grid, rows.items(), strict=True):
        for axes, channel in zip(line, channels, strict=True):
            fg.plain(axes, f"{title} {channel}", size=8).imshow(spotlight(image, activations[channel]))
    listed = "; ".join(f"{title}: channels {', '.join(map(str, channels))}" for title, (_, channels) in rows.items())
    return fg.describe(figure, f"The photo, dark except where one channel fires, each on its own scale. {listed}.")


def draw_lit(image: np.ndarray, activations: np.ndarray, channels: Sequence[int]) -> Figure:
    """A photo, and the photo lit where each of some channels of (C, h, w) fires, each on its own scale."""
    figure, axes = fg.subplots(2.7 * (1 + len(channels)), 3.1, 1, 1 + len(channels))
    fg.plain(axes[0], "the photo").imshow(image)
    for place, channel in zip(axes[1:], channels, strict=True):
        fg.plain(place, f"lit where channel {channel} responds").imshow(spotlight(image, activations[channel]))
    listed = " and ".join(map(str, channels))
    return fg.describe(figure, f"A photo, and the same photo dark except where channels {listed} respond.")


def draw_fields(image: np.ndarray, fields: dict[str, tuple[np.ndarray, int]]) -> Figure:
    """What the middle unit of each layer sees: {layer: (gradient with respect to the pixels (H, W), field's width)}.

    On the photo each receptive field is a square; beside it, each gradient is drawn on its own scale.
    """
    figure, axes = fg.subplots(9.6, 2.6, 1, 1 + len(fields))
    fg.plain(axes[0], "receptive fields", size=8).imshow(image)
    colors = (ORANGE, "white", BLUE, ALARM)
    for place, color, (layer, (gradient, width)) in zip(axes[1:], colors, fields.items(), strict=False):
        fg.show_map(fg.plain(place, f"{layer}: {width} pixels wide", size=8), gradient, fg.color_scale(gradient))
        height, breadth = gradient.shape
        corner = ((breadth - width) / 2 - 0.5, (height - width) / 2 - 0.5)
        for where in (axes[0], place):
            where.add_patch(Rectangle(corner, width, width, fill=False, edgecolor=color, linewidth=1.5))
    listed = ", ".join(f"{layer} {width} pixels" for layer, (_, width) in fields.items())
    return fg.describe(
        figure,
        f"A photo with a square for each receptive field ({listed}), and the gradient inside each square: it is "
        "largest near the middle and fades toward the edge.",
    )


def draw_frame(image: np.ndarray, maps: np.ndarray, labels: Sequence[str], scale: fg.ColorScale) -> Figure:
    """One frame of the sliding animation: the photo and some maps (n, h, w) on one fixed scale."""
    figure, axes = fg.subplots(5.2, 1.5, 1, 1 + len(maps))
    fg.plain(axes[0], "photo", size=8).imshow(image)
    for place, values, label in zip(axes[1:], maps, labels, strict=True):
        fg.show_map(fg.plain(place, label, size=8), values, scale, "nearest")
    return figure


def spotlight(image: np.ndarray, feature_map: np.ndarray) -> np.ndarray:
    """The image (H, W, 3) darkened to an eighth where the map (h, w) is 0 and left bright where it is largest."""
    height, width = image.shape[:2]
    positive = np.maximum(feature_map, 0).astype(np.float32)
    light = np.asarray(Image.fromarray(positive).resize((width, height), Image.Resampling.BILINEAR))
    light = light / fg.color_scale(positive).high
    return image * (0.12 + 0.88 * np.clip(light, 0, 1))[:, :, None]


# ---------------------------------------------------------------- the stored figures

SLIDING_CHANNELS = (22, 8, 97)


def _figure_ranking(lesson: Lesson) -> Figure:
    maps, patches = lesson.maps("conv1_activation"), fm.color_patches(lesson.filters("conv1"))
    return draw_ranking(maps, patches, fm.channel_means(maps), fm.rank_channels(maps)[:8].tolist())


def _figure_beside(lesson: Lesson) -> Figure:
    models = (lesson.model, lesson.untrained)
    both = np.concatenate([lesson.filters("conv1", model)[:32] for model in models])  # drawn on one scale
    what = f"32 filters of conv1, gray 0, scale to {np.abs(both).max():.1f}"
    maps = [lesson.maps("conv1_activation", model=model)[:32] for model in models]
    rows = [(what, *np.split(fm.color_patches(both), 2)), ("their maps of the cat", *maps)]
    return draw_beside(rows, ("trained", "untrained"))


def _figure_parts(lesson: Lesson) -> Figure:
    rows = {}
    for title, model in (("trained", lesson.model), ("untrained", lesson.untrained)):
        maps = lesson.maps("fire9", model=model)
        rows[title] = (maps, fm.rank_channels(maps)[:8].tolist())
    return draw_spotlights(lesson.cat, rows)


def _figure_channel(lesson: Lesson) -> Figure:
    maps = lesson.maps("fire9")
    channel = int(fm.rank_channels(maps)[0])
    convolution, index = convolution_behind("fire9", channel)
    title = f"fire9, channel {channel}: mean {maps[channel].mean():.1f}"
    return draw_channel(lesson.cat, maps[channel], lesson.filters(convolution)[index], title)


def _figure_pairs(lesson: Lesson) -> Figure:
    filters = lesson.filters("conv1")
    pairs = fm.most_alike(fm.cosine_similarities(filters), 6)
    return draw_pairs(fm.color_patches(filters), pairs, lesson.maps("conv1_activation"))


def _figure_evidence(lesson: Lesson) -> Figure:
    rocket = load_image("rocket", size=224)
    maps, logits = lesson.maps("conv10_activation", rocket), lesson.model.logits(lesson.model.preprocess(rocket))[0]
    numbers = {name: lesson.model.categories.index(name) for name in ("drilling platform", "missile", "space shuttle")}
    return draw_evidence(
        rocket, {name: maps[i] for name, i in numbers.items()}, {name: logits[i] for name, i in numbers.items()}
    )


SLIDING_GIF = "11_sliding_photo.gif"


def anim_sliding_photo(lesson: Lesson) -> Path:
    """Rebuild the animation: the photo slides under the window, and the maps of fire2 slide along."""
    photo = load_image("chelsea")
    lefts = [*range(0, 217, 24), *range(192, 0, -24)]
    crops = [crop_at(photo, left) for left in lefts]
    maps = [lesson.maps("fire2", crop)[list(SLIDING_CHANNELS)] for crop in crops]
    scale = fg.color_scale(np.stack(maps), clip=99)
    labels = [f"fire2, channel {channel}" for channel in SLIDING_CHANNELS]
    frames = (draw_frame(*pair, labels, scale) for pair in zip(crops, maps, strict=True))
    alt = "The cat's photo slides sideways, and three feature maps of fire2 slide with it, unchanged in shape."
    return fg.save_gif(frames, outputs_dir(17) / SLIDING_GIF, alt)


FIGURES = fg.Figures(
    17,
    Lesson,
    {
        "00_toy.png": lambda _: draw_toy(toy_image(), EDGE_KERNEL, fm.feature_map(toy_image(), EDGE_KERNEL)),
        "01_conv1_maps.png": lambda lesson: draw_maps(
            lesson.maps("conv1_activation"), "conv1 after its ReLU, all 64 channels"
        ),
        "02_conv1_filters.png": lambda lesson: draw_patches(
            fm.color_patches(lesson.filters("conv1")), "the 64 filters of conv1"
        ),
        "03_strongest_channels.png": _figure_ranking,
        "08_trained_and_untrained.png": _figure_beside,
        "09_parts_of_a_cat.jpg": _figure_parts,
        "10_one_channel.png": _figure_channel,
        "14_opposite_filters.png": _figure_pairs,
        "15_rocket_evidence.png": _figure_evidence,
        "16_two_channels.jpg": lambda lesson: draw_lit(lesson.cat, lesson.maps("fire9"), (426, 111)),
    },
    {SLIDING_GIF: anim_sliding_photo},
)

if __name__ == "__main__":
    FIGURES.rebuild()
