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
    """How far each channel's answers reach before the ReLU, in a panel for each layer.

    rows : {layer: (strongest answer (N, C) of each channel to each image, least possible (C,), most possible (C,))}.
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
        across = "strongest answer to an image, before the ReLU (logarithmic beyond 1 and -1)"
        chart(axes, f"{layer}, channels {first[layer]} to {last}; red: no image woke it", across, ticks=7)
        axes.margins(x=0.03)
        axes.set_ylim(len(most) - 0.5, -0.5)
        counts = f"{everywhere.sum()} cannot answer anything, {data.sum()} more answered none of the images"
        summary.append(f"{layer}: {counts}")
    axes.plot([], [], ".", color=ORANGE, label=f"first {batch} images")
    figure.legend(*axes.get_legend_handles_labels(), fontsize=8, frameon=False, loc="outside lower center", ncols=3)
    return describe(figure, f"Ranges of each channel's answers on a line, with 0 marked. {'; '.join(summary)}.")


def draw_cosines(layers: dict[str, np.ndarray], pairs: dict[str, list[detectors.Pair]]) -> Figure:
    """The cosine of every two filters, a square for each layer: {layer: (out, in, kh, kw)}; pairs get a ring."""
    figure = new_figure(9.6, 4.2)
    grid = figure.subplots(1, len(layers))
    scale, listed = ColorScale("RdBu_r", -1.0, 1.0), []
    for axes, (layer, filters) in zip(grid, layers.items(), strict=True):
        cosines = cosine_similarities(filters)
        plain(axes, layer).imshow(cosines, cmap=scale.cmap, vmin=-1, vmax=1, interpolation="nearest")
        numbers = np.arange(0, len(filters), 2)
        axes.set_xticks(numbers, numbers, fontsize=7)
        axes.set_yticks(numbers, numbers, fontsize=7)
        axes.tick_params(length=0, colors=MUTED)
        for pair in pairs[layer]:
            i, j = pair.first, pair.second
            axes.plot([i, j], [j, i], "o", ms=13, mfc="none", mec=ORANGE, mew=2)
            look = {"fontsize": 8, "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1}}
            axes.annotate(f"{i}, {j}: {pair.cosine:.2f}", (j, i), (9, 9), textcoords="offset points", **look)
            listed.append(f"{layer} {i}, {j}: {pair.cosine:.2f}")
    label = "cosine: 1 same direction, -1 opposite, 0 nothing in common"
    add_colorbar(figure, list(grid), scale, label, extend="neither")
    return describe(figure, f"Squares of cosines between filters, pale but for ringed pairs. {'; '.join(listed)}.")


def draw_noise(filters: np.ndarray, layer: str) -> Figure:
    """Two witnesses for noise: each filter (out, in, kh, kw) by its closeness and by how its neighbors correlate."""
    closeness, neighbors = detectors.closeness(filters), detectors.correlated_neighbors(filters)
    noise = detectors.noise_filters(filters)
    figure = new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    axes.fill_between([-3, detectors.NOT_CLOSE], 0, detectors.AS_ROUGH_AS_NOISE, color=ALARM, alpha=0.12, linewidth=0)
    axes.text(-2.8, detectors.AS_ROUGH_AS_NOISE, "called noise", va="bottom", fontsize=8, color=ALARM)
    for channel, place in enumerate(zip(closeness, neighbors, strict=True)):
        color = ALARM if channel in noise else BLUE
        axes.annotate(str(channel), place, ha="center", va="center", fontsize=8, color=color)
    axes.set(xlim=(-3, max(7.0, np.nanmax(closeness) + 1)), ylim=(0, np.nanmax(neighbors) + 1.5))
    across, up = (
        "whitened closeness to the layer (noise: 0, give or take 1)",
        "correlation of neighbors (noise: below 3.5)",
    )
    chart(axes, f"{layer}: each number is a filter", across, up, title_size=10, size=9, ticks=9)
    named = ", ".join(map(str, noise)) or "none"
    return describe(figure, f"Filters of {layer} by two numbers; low in both, and so called noise: {named}.")


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
    """Wrong predictions, a row for each group, with their relevance maps; what is above a panel is said, not true."""
    panels: list[np.ndarray] = []
    labels, counts = [], []
    for group, chosen in zip(groups._fields, groups, strict=True):
        counts.append(f"{group.replace('_', ' ')}: {len(chosen)}")
        for place in range(each):
            if place >= len(chosen):
                panels.append(np.ones_like(panels[-1]))
                labels.append("")
                continue
            index = chosen[place]
            picture = _outlined(marked(data.images[index], np.maximum(maps[index], 0)), data.masks[index])
            # Room for a label of three lines above the next row.
            panels.append(np.pad(picture, ((0, 24), (0, 0), (0, 0)), constant_values=1))
            truth, named = SHAPE_NAMES[data.labels[index]], SHAPE_NAMES[scores[index].argmax()]
            inside = share_inside(maps[index], data.masks[index])
            head = group.replace("_", " ") if place == 0 else ""
            labels.append(f"{head}\n{truth}: '{named}'\n{inside:.0%} inside")
    title = "a true shape: 'what it was called', by where the map for that lies. " + ", ".join(counts)
    alt = f"Three rows of small images with what the network looked at in color. {'; '.join(counts)}."
    return draw_panels(np.stack(panels), title=title, labels=labels, columns=each, alt=alt)


def _outlined(picture: np.ndarray, mask: np.ndarray, times: int = 4) -> np.ndarray:
    """An image (H, W, 3), enlarged, with a white line along the border of the mask (H, W)."""
    large, inside = (np.repeat(np.repeat(one, times, 0), times, 1) for one in (picture, mask))
    within = np.pad(inside, 1)
    neighbors = (within[:-2, 1:-1], within[2:, 1:-1], within[1:-1, :-2], within[1:-1, 2:])
    return np.where((inside & ~np.all(neighbors, axis=0))[..., None], np.float32(1), large)


def draw_pruning(curves: PruningCurves) -> Figure:
    """Accuracy against the share of channels cut: smallest filters or random ones, right after the cut and tuned."""
    figure = new_figure(7.2, 3.6)
    axes, listed = figure.add_subplot(), []
    for name, found, style in (("right after the cut", curves.cut, ":"), ("trained on", curves.tuned, "-")):
        for way, values, color, mark in zip(WAYS, found, (BLUE, ORANGE), "os", strict=True):
            means, low, high = values.mean(axis=1), values.min(axis=1), values.max(axis=1)
            axes.errorbar(
                SHARES, means, [means - low, high - means], color=color, ls=style, marker=mark, ms=4, capsize=2
            )
            listed.append(f"{way}, {name}: {', '.join(f'{mean:.2f}' for mean in means)}")
    labels = [f"{way}, {name}" for name in ("right after the cut", "trained on") for way in WAYS]
    axes.legend(axes.containers, labels, fontsize=9, frameon=False)
    axes.set_xticks(SHARES, [f"{share:g}" for share in SHARES])
    chart(axes, x="share of each layer's channels cut", y="held-out images right", size=9, ticks=9).set_ylim(0, 1.02)
    return describe(figure, f"Accuracy against the share of channels cut. {'; '.join(listed)}.")


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
    layers = {layer: lesson.admitted[0].weights[layer] for layer in ("conv1", "conv2")}
    pairs = {layer: detectors.redundant_pairs(*both) for layer, both in layers.items()}
    return draw_cosines({layer: filters for layer, (filters, _) in layers.items()}, pairs)


FIGURES = Figures(
    23,
    Lesson,
    {
        "00_filters.png": _figure_filters,
        "01_three_deaths.png": _figure_ranges,
        "02_cosines.png": _figure_cosines,
        "03_noise.png": lambda lesson: draw_noise(lesson.admitted[0].weights["conv1"][0], "conv1"),
        "04_limits.png": lambda lesson: draw_limits(lesson.limits()),
        "05_pruning.png": lambda lesson: draw_pruning(lesson.curves),
        "08_wrong.png": lambda lesson: draw_wrong(*lesson.wrong()),
    },
)

if __name__ == "__main__":
    FIGURES.rebuild()
