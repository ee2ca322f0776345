"""The figures of Day 23. `python -m days.day23.code.visualizations` rebuilds days/day23/outputs/."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from days.common.colors import ALARM, BLUE, GREEN, INK, MUTED, ORANGE
from days.common.datasets import SHAPE_NAMES, Shapes
from days.common.figures import ColorScale, Figures, add_colorbar, chart, describe, draw_panels, new_figure, plain
from days.day17.code.feature_maps import cosine_similarities
from days.day18.code.visualizations import visible_patches
from days.day22.code.scoring import share_inside
from days.day22.code.visualizations import marked
from days.day23.code import detectors, diagnosis
from days.day23.code.lesson import Lesson
from days.day23.code.network import LAYERS
from days.day23.code.pruning import SHARES, WAYS, PruningCurves

# ---------------------------------------------------------------- draw_*: arrays -> Figure


def draw_filters(rows: dict[str, tuple[np.ndarray, Sequence[int]]]) -> Figure:
    """First filters as color patches, a row for each network: {title: (filters (n, 3, k, k), their numbers)}.

    The filters of a column belong together.
    """
    figure = new_figure(9.6, 1.05 * len(rows) + 0.35)
    figure.suptitle("the filters of conv1, each at its own strength; mid-gray = 0", fontsize=10, color=INK)
    longest = max(len(numbers) for _, numbers in rows.values())
    parts = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
    for part, (name, (filters, numbers)) in zip(parts, rows.items(), strict=True):
        part.suptitle(name, fontsize=9, x=0.01, ha="left", color=INK)
        for place, axes in enumerate(part.subplots(1, longest)):
            plain(axes)
            if place < len(numbers):
                axes.imshow(visible_patches(filters[place : place + 1])[0], interpolation="nearest")
                axes.set_title(str(numbers[place]), fontsize=8, pad=2, color=MUTED)
    listed = "; ".join(f"{name}: {', '.join(map(str, numbers))}" for name, (_, numbers) in rows.items())
    return describe(figure, f"Rows of small color patches, the first filters of networks, by number. {listed}.")


def draw_ranges(
    rows: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]], batch: int, first: dict[str, int]
) -> Figure:
    """How far each channel's responses reach before the ReLU, in a panel for each layer.

    rows : {layer: (strongest response (N, C) of each channel to each image, least possible (C,), most possible (C,))}.
    batch : the first so many images are drawn as dots of their own. first : {layer: the number of its first channel}.
    """
    figure, summary = new_figure(9.6, 4.2), []
    for axes, (layer, (strongest, least, most)) in zip(figure.subplots(1, len(rows)), rows.items(), strict=True):
        places = np.arange(len(most))
        everywhere, data = most <= 0, (strongest.max(axis=0) <= 0) & (most > 0)
        axes.hlines(places, least, most, color="#d0d0d0", linewidth=3, label="any input (bound)")
        axes.hlines(places, strongest.min(axis=0), strongest.max(axis=0), color=BLUE, linewidth=3, label="120 images")
        axes.plot(strongest[:batch].T, places, ".", color=ORANGE, markersize=4)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xscale("symlog", linthresh=1)
        axes.set_yticks(places, [str(first[layer] + place) for place in places], fontsize=7)
        for label, silent in zip(axes.get_yticklabels(), everywhere | data, strict=True):
            label.set_color(ALARM if silent else MUTED)
        last = first[layer] + len(most) - 1
        across = "strongest response to an image, before the ReLU (logarithmic beyond 1 and -1)"
        chart(axes, f"{layer}, channels {first[layer]} to {last}; red: 0 after the ReLU", across, ticks=7)
        axes.margins(x=0.03)
        axes.set_ylim(len(most) - 0.5, -0.5)
        counts = f"{everywhere.sum()} cannot respond to anything, {data.sum()} more responded to none of the images"
        summary.append(f"{layer}: {counts}")
    axes.plot([], [], ".", color=ORANGE, label=f"first {batch} images")
    figure.legend(*axes.get_legend_handles_labels(), fontsize=8, frameon=False, loc="outside lower center", ncols=3)
    return describe(figure, f"Ranges of each channel's responses on a line, with 0 marked. {'; '.join(summary)}.")


def draw_cosines(layers: dict[str, np.ndarray], pairs: dict[str, list[detectors.Pair]]) -> Figure:
    """The cosine of every two filters, a square for each layer: {layer: (out, in, kh, kw)}; pairs get a ring."""
    figure = new_figure(9.6, 4.2)
    grid = figure.subplots(1, len(layers))
    scale, listed = ColorScale("RdBu_r", -1.0, 1.0), []
    for axes, (layer, filters) in zip(grid, layers.items(), strict=True):
        cosines = cosine_similarities(filters)
        found = [f"{pair.first}, {pair.second}: {pair.cosine:.2f}" for pair in pairs[layer]]
        plain(axes, "\n".join([layer, " · ".join(found) or "no twins"])).imshow(
            cosines, cmap=scale.cmap, vmin=-1, vmax=1, interpolation="nearest"
        )
        numbers = np.arange(0, len(filters), 2 * (1 + len(filters) // 25))
        axes.set_xticks(numbers, numbers, fontsize=7)
        axes.set_yticks(numbers, numbers, fontsize=7)
        axes.tick_params(length=0, colors=MUTED)
        for pair in pairs[layer]:
            i, j = pair.first, pair.second
            axes.plot([i, j], [j, i], "o", ms=11, mfc="none", mec=ORANGE, mew=2)
        listed += [f"{layer} {words}" for words in found]
    label = "cosine: 1 same direction, -1 opposite, 0 nothing in common"
    add_colorbar(figure, list(grid), scale, label, extend="neither")
    return describe(figure, f"Squares of cosines between filters, pale but for ringed pairs. {'; '.join(listed)}.")


def draw_noise(panels: dict[str, np.ndarray]) -> Figure:
    """Two tests for noise: {title: filters (out, in, kh, kw)}, a dot for each filter, by both of its numbers."""
    figure, summary = new_figure(9.6, 3.6), []
    for axes, (title, filters) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        closeness, neighbors = detectors.closeness(filters), detectors.correlated_neighbors(filters)
        noise, limits = detectors.noise_filters(filters), (detectors.NOT_CLOSE, detectors.AS_ROUGH_AS_NOISE)
        axes.fill_between([-3, limits[0]], 0, limits[1], color=ALARM, alpha=0.12, linewidth=0)
        axes.text(-2.8, limits[1], "called noise", va="bottom", fontsize=8, color=ALARM)
        colors = [ALARM if channel in noise else BLUE for channel in range(len(filters))]
        axes.scatter(closeness, neighbors, 14, colors)
        for channel in noise:
            axes.annotate(
                f"  {channel}", (closeness[channel], neighbors[channel]), va="center", fontsize=8, color=ALARM
            )
        axes.set(xlim=(-3, np.nanmax(closeness) + 1), ylim=(0, np.nanmax(neighbors) + 1.5))
        chart(axes, title, "whitened closeness (noise: mostly from -2 to 2)", ticks=8)
        named = ", ".join(map(str, noise)) or "none"
        summary.append(f"{title}: low in both, and so called noise: {named}")
    figure.axes[0].set_ylabel("correlation of neighbors x √(number of pairs)", fontsize=8)
    return describe(figure, f"Filters as dots, by two numbers. {'; '.join(summary)}.")


def draw_limits(panels: dict[str, tuple[Sequence[float], dict[str, np.ndarray]]]) -> Figure:
    """The share of faults found against how strong they are: {what the axis is: (levels, {layer: shares})}."""
    figure, summary = new_figure(9.6, 3.0), []
    grid = figure.subplots(1, len(panels), sharey=True)
    for axes, (name, (levels, curves)) in zip(grid, panels.items(), strict=True):
        looks = zip((BLUE, ORANGE, GREEN), ("-", "--", ":"), strict=True)
        for (layer, shares), (color, style) in zip(curves.items(), looks, strict=False):
            axes.plot(levels, shares, color=color, linestyle=style, marker=".", label=layer)
        half = [f"{layer} {levels[int(np.argmin(np.abs(shares - 0.5)))]:g}" for layer, shares in curves.items()]
        summary.append(f"{name}: half is found near {', '.join(half)}")
        chart(axes, x=name, y="share found" if axes is grid[0] else "", ticks=7).set_ylim(-0.05, 1.05)
    grid[0].legend(fontsize=8, frameon=False)
    return describe(figure, f"Curves of the share of faults found as they grow fainter. {'. '.join(summary)}.")


def draw_wrong(
    data: Shapes, scores: np.ndarray, maps: np.ndarray, groups: diagnosis.WrongOnes, each: int = 7
) -> Figure:
    """Wrong predictions and their heatmaps, a row for each group behind its name."""
    panels: list[np.ndarray] = []
    labels, counts = [], [f"{name.replace('_', ' ')}: {len(chosen)}" for name, chosen in groups._asdict().items()]
    for count, chosen in zip(counts, groups, strict=True):
        panels += [np.ones((4 * data.images.shape[1] + 24, 4 * data.images.shape[2], 3))] * (each + 1)
        labels += [count.replace(" or ", "\nor ").replace(" than ", "\nthan "), *[""] * each]
        for place, index in enumerate(chosen[:each], len(labels) - each):
            picture = _outlined(marked(data.images[index], np.maximum(maps[index], 0)), data.masks[index])
            # Room for a label of two lines above the next row.
            panels[place] = np.pad(picture, ((0, 24), (0, 0), (0, 0)), constant_values=1)
            truth, named = SHAPE_NAMES[data.labels[index]], SHAPE_NAMES[scores[index].argmax()]
            labels[place] = f"{truth}: '{named}'\n{share_inside(maps[index], data.masks[index]):.0%} inside"
    title = "true shape: 'predicted shape', grouped by how much of the heatmap lies on the object"
    alt = f"Two rows of small images with heatmaps of the predicted shape. {'; '.join(counts)}."
    return draw_panels(np.stack(panels), title=title, labels=labels, columns=each + 1, alt=alt)


def _outlined(picture: np.ndarray, mask: np.ndarray, times: int = 4) -> np.ndarray:
    """An image (H, W, 3), enlarged, with a white line along the border of the mask (H, W)."""
    large, inside = (np.repeat(np.repeat(one, times, 0), times, 1) for one in (picture, mask))
    within = np.pad(inside, 1)
    neighbors = (within[:-2, 1:-1], within[2:, 1:-1], within[1:-1, :-2], within[1:-1, 2:])
    return np.where((inside & ~np.all(neighbors, axis=0))[..., None], np.float32(1), large)


def draw_pruning(curves: PruningCurves) -> Figure:
    """Accuracy against the share of channels pruned: smallest filters or random ones, right after it and trained on."""
    figure = new_figure(7.2, 4.0)
    axes, listed = figure.add_subplot(), []
    for name, found, style in (("right after pruning", curves.cut, ":"), ("trained on", curves.tuned, "-")):
        for way, values, color, mark in zip(WAYS, found, (BLUE, ORANGE), "os", strict=True):
            means, low, high = values.mean(axis=1), values.min(axis=1), values.max(axis=1)
            bars, label = [means - low, high - means], f"{way}, {name}"
            axes.errorbar(SHARES, means, bars, color=color, ls=style, marker=mark, ms=4, capsize=2, label=label)
            listed.append(f"{way}, {name}: {', '.join(f'{mean:.2f}' for mean in means)}")
    axes.axhline(1 / len(SHAPE_NAMES), color=MUTED, lw=0.8, ls="--", label="guessing")
    figure.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=3)
    axes.set_xticks(SHARES, [f"{share:g}" for share in SHARES])
    title = "mean of three draws; bars from the smallest to the largest"
    chart(axes, title, "share of each layer's channels pruned", "held-out images right").set_ylim(0, 1.02)
    return describe(figure, f"Accuracy against the share of channels pruned. {'; '.join(listed)}.")


# ---------------------------------------------------------------- the stored figures


def _figure_filters(lesson: Lesson) -> Figure:
    healthy, patient = (one.weights["conv1"][0] for one in (lesson.healthy, lesson.admitted[0]))
    order = lesson.matches("conv1")
    below = "patient 008, the filter that matches best"
    return draw_filters({"healthy": (healthy, range(len(healthy))), below: (patient[order], order.tolist())})


def _figure_ranges(lesson: Lesson) -> Figure:
    bounds = detectors.bounds(lesson.admitted[0].weights)
    rows, first = {}, {"conv1": 0, "conv3": 8}
    for layer, start in first.items():
        strongest = lesson.answers.before[layer].max(axis=(2, 3))
        least, most = bounds[layer]
        shown = slice(start, start + 16)
        rows[layer] = strongest[:, shown], least[shown], most[shown]
    return draw_ranges(rows, 8, first)


def _figure_cosines(lesson: Lesson) -> Figure:
    layers = {layer: lesson.admitted[0].weights[layer] for layer in LAYERS}
    pairs = {layer: detectors.redundant_pairs(*both) for layer, both in layers.items()}
    return draw_cosines({layer: filters for layer, (filters, _) in layers.items()}, pairs)


def _figure_noise(lesson: Lesson) -> Figure:
    name, filters = lesson.noisy
    conv1 = lesson.admitted[0].weights["conv1"][0]
    return draw_noise({"conv1 of patient 008": conv1, f"conv3 of patient {name}, from the ward": filters})


FIGURES = Figures(
    23,
    Lesson,
    {
        "00_filters.png": _figure_filters,
        "01_three_deaths.png": _figure_ranges,
        "02_cosines.png": _figure_cosines,
        "03_noise.png": _figure_noise,
        "04_limits.png": lambda lesson: draw_limits(lesson.limits()),
        "05_pruning.png": lambda lesson: draw_pruning(lesson.curves),
        "08_wrong.png": lambda lesson: draw_wrong(*lesson.wrong()),
    },
)

if __name__ == "__main__":
    FIGURES.rebuild()
