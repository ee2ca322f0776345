"""The figures of Day 18. `python -m days.day18.code.visualizations` rebuilds days/day18/outputs/.

draw_* turn arrays and snapshots into a described Figure. They show stored runs, so that all machines draw the same;
`python -m days.day18.code.runs` trains those runs anew.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from days.common import figures as fg
from days.common.colors import ALARM, BLUE, GREEN, INK, MUTED, ORANGE, VIOLET
from days.common.datasets import BACKGROUND_NAMES, SHAPE_NAMES, Shapes, make_shapes
from days.common.paths import outputs_dir
from days.day18.code import training
from days.day18.code.filter_statistics import neighbor_correlation
from days.day18.code.health import TrainingWarning, findings
from days.day18.code.lesson import MAP_MOMENTS, MOMENTS, SHOWN_STEPS, SOBEL, Lesson
from days.day18.code.runs import RECIPES, WATCHED_COUNT, watched_images
from days.day18.code.snapshots import Snapshot

LETTERS = {"A": "faint start", "B": "honest", "C": "too fast"}
"""The trainings of the day's first question."""
DEPTH_COLORS = (BLUE, ORANGE, GREEN, VIOLET, "#a0522d", "#4aa3a2")
STYLES = ("-", "--", ":", "-.")
DASHBOARD_PANELS = (
    "loss (dotted: guessing)",
    "% of channels dead",
    "spread / input's (0: bottom)",
    "|gradient| / |weights| (0: bottom)",
)


def visible_patches(filters: np.ndarray) -> np.ndarray:
    """First filters (n, 3, k, k) as colors (n, k, k, 3), each at its own strength, mid-gray for 0.

    A filter weaker than a twentieth of the strongest is not blown up beyond that: what has faded away looks gray.
    """
    strength = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    return (0.5 + filters / (2 * np.maximum(strength, max(strength.max() / 20, 1e-12)))).transpose(0, 2, 3, 1)


def draw_shapes(data: Shapes) -> Figure:
    """One image of each shape (a row) on each background (a column), taken from `data`."""
    size, columns = data.images.shape[1], len(BACKGROUND_NAMES)
    kinds = [
        np.flatnonzero(data.labels * columns + data.backgrounds == kind) for kind in range(len(SHAPE_NAMES) * columns)
    ]
    panels = data.images[[places[0] for places in kinds]]
    sheet = fg.tile(panels, columns, gap=3)
    figure = fg.new_figure(6.4, 6.2)
    axes = fg.plain(figure.add_subplot(), "six shapes (labels), on six backgrounds that tell nothing", size=10)
    axes.imshow(sheet, interpolation="nearest")
    places = np.arange(columns) * (size + 3) + size / 2
    axes.set_xticks(places, BACKGROUND_NAMES, fontsize=9)
    axes.set_yticks(places, SHAPE_NAMES, fontsize=9)
    axes.tick_params(length=0, colors=MUTED)
    return fg.describe(
        figure,
        f"A grid of {len(panels)} small colored pictures: a row for each shape, {', '.join(SHAPE_NAMES)}, and a column "
        f"for each background, {', '.join(BACKGROUND_NAMES)}. Sizes, places, angles and colors vary.",
    )


def draw_question(runs: dict[str, Sequence[Snapshot]], steps: int = 300) -> Figure:
    """The loss on the watched images of several trainings at the steps that all share, up to `steps`: a panel each."""
    figure, panels = fg.subplots(9.6, 2.2, 1, len(runs), sharey=True)
    shared, ends = set.intersection(*(set(_steps(snapshots)) for snapshots in runs.values())), []
    for axes, (name, snapshots) in zip(panels, runs.items(), strict=True):
        seen = [snapshot for snapshot in snapshots if snapshot.step <= steps and snapshot.step in shared]
        axes.plot(_steps(seen), [snapshot.loss for snapshot in seen], "o-", markersize=3, color=BLUE)
        axes.axhline(np.log(seen[0].categories), color=MUTED, linestyle=":", linewidth=1)
        fg.chart(axes, name, "step", ticks=7)
        ends.append(f"{name} {seen[-1].loss:.2f}")
    panels[0].set_ylabel("loss", fontsize=8)
    return fg.describe(
        figure, f"Three curves of the loss. All end near that of blind guessing, the dotted line: {', '.join(ends)}."
    )


def draw_learned_filters(rows: dict[str, tuple[np.ndarray, np.ndarray]], steps: Sequence[int], wanted) -> Figure:
    """How one filter learns under several conditions: {name: (filters (n, k, k), losses (n,))}, shown at `steps`."""
    figure, scale, summary = fg.new_figure(9.6, 1.6 * len(rows) + 1.0), fg.signed(np.abs(wanted).max()), []
    grid = figure.subplots(len(rows), len(steps) + 2, squeeze=False, width_ratios=[1] * (len(steps) + 1) + [2.4])
    for line, (name, (filters, losses)) in zip(grid, rows.items(), strict=True):
        for axes, step in zip(line, steps, strict=False):
            fg.show_map(fg.plain(axes, f"step {step}", size=8), filters[step], scale, "nearest")
        line[0].set_ylabel(name, fontsize=9)
        fg.show_map(fg.plain(line[-2], "wanted", size=8), wanted, scale, "nearest")
        line[-1].sharey(grid[0, -1])
        fg.chart(line[-1], "loss, one scale", title_size=8, ticks=7).semilogy(losses, color=BLUE)
        summary.append(f"{name}: loss from {losses[0]:.1g} to {losses[-1]:.1g}")
    fg.add_colorbar(
        figure, list(grid[:, :-1].ravel()), scale, "weight: red positive, blue negative, white 0; one scale"
    )
    shown = ", ".join(map(str, steps))
    return fg.describe(figure, f"A filter at steps {shown} beside the wanted one. {'; '.join(summary)}.")


def draw_divergence(losses: dict[str, np.ndarray], bound: float) -> Figure:
    """Losses of one filter at learning rates around the bound, step by step: {title: (n,)}."""
    figure, axes = fg.subplots(7.2, 2.8)
    for (name, values), color, style in zip(losses.items(), (BLUE, GREEN, ALARM), STYLES, strict=False):
        axes.semilogy(values, color=color, linestyle=style, label=name)
    title = f"the bound on the learning rate: {bound:.3f}"
    fg.chart(axes, title, "step", "loss", ticks=7).legend(fontsize=8, frameon=False)
    summary = "; ".join(f"{name}: {values[0]:.1g} to {values[-1]:.1g}" for name, values in losses.items())
    return fg.describe(figure, f"Curves of the loss at learning rates around the bound {bound:.3f}. {summary}.")


def draw_filters_over_time(snapshots: Sequence[Snapshot]) -> Figure:
    """The filters of conv1 at several moments: a row for each snapshot, a column for each filter."""
    rows = [visible_patches(snapshot.filters["conv1"]) for snapshot in snapshots]
    sheet, steps = fg.tile(np.concatenate(rows), len(rows[0])), _steps(snapshots)
    figure = fg.new_figure(9.6, 0.5 + 9.6 * sheet.shape[0] / sheet.shape[1])
    title = f"the {len(rows[0])} filters of conv1, each at its own strength; mid-gray = 0"
    axes = fg.plain(figure.add_subplot(), title, size=10)
    axes.imshow(sheet, interpolation="nearest")
    places = np.arange(len(rows)) * (rows[0].shape[1] + 1) + rows[0].shape[1] / 2
    axes.set_yticks(places, [f"step {step}" for step in steps], fontsize=8)
    axes.tick_params(length=0, colors=MUTED)
    first, last = (neighbor_correlation(snapshots[at].filters["conv1"]) for at in (0, -1))
    return fg.describe(
        figure,
        f"Filters of conv1 as small color patches at steps {', '.join(map(str, steps))}: noise at first, then "
        f"slanted stripes, spots and edges. Neighboring weights correlate {first:.2f} at first and {last:.2f} at last.",
    )


def draw_filter_frame(snapshots: Sequence[Snapshot], at: int) -> Figure:
    """One frame of the animation: the filters at snapshot `at`, and the share of the watched images named rightly."""
    now = snapshots[at]
    figure, (left, right) = fg.subplots(6.4, 2.9, 1, 2, width_ratios=[1.25, 1])
    sheet = fg.tile(visible_patches(now.filters["conv1"]), 4)
    fg.plain(left, f"conv1, step {now.step}").imshow(sheet, interpolation="nearest")
    steps = _steps(snapshots)
    right.plot(steps[: at + 1], [100 * snapshot.accuracy for snapshot in snapshots[: at + 1]], color=BLUE)
    right.axhline(100 / now.categories, color=MUTED, linestyle=":", linewidth=1)
    right.set(xlim=(0, steps[-1]), ylim=(0, 103))
    title = f"{now.accuracy:.0%} of {WATCHED_COUNT} watched images right\n(dotted: blind guessing)"
    fg.chart(right, title, "step", "%", title_size=8, ticks=7)
    return fg.describe(figure, f"Step {now.step}: the filters, and {now.accuracy:.0%} right.")


def _steps(snapshots: Sequence[Snapshot]) -> list[int]:
    return [snapshot.step for snapshot in snapshots]


def draw_maps_over_time(snapshots: Sequence[Snapshot], image: np.ndarray, name: str, channels: int = 2) -> Figure:
    """Maps of one image at several moments: a row for each of `channels` a layer, one scale a layer.

    Colors go by the square root, so that faint answers show.
    """
    rows = [(layer, channel) for layer in snapshots[0].maps for channel in range(channels)]
    scales = {
        layer: fg.color_scale(np.sqrt([snapshot.maps[layer][:channels] for snapshot in snapshots]))
        for layer in snapshots[0].maps
    }
    figure, grid = fg.subplots(9.6, 0.3 + 0.95 * len(rows), len(rows), len(snapshots) + 1)
    fg.plain(grid[0, 0], f"a {name}", size=8).imshow(image)
    for axes in grid[1:, 0]:
        axes.axis("off")
    for axes_row, (layer, channel) in zip(grid[:, 1:], rows, strict=True):
        for axes, snapshot in zip(axes_row, snapshots, strict=True):
            title = f"step {snapshot.step}" if (layer, channel) == rows[0] else ""
            fg.show_map(fg.plain(axes, title, size=8), np.sqrt(snapshot.maps[layer][channel]), scales[layer], "nearest")
        if not channel:
            axes_row[0].set_ylabel(f"{layer}\n0 to {scales[layer].high ** 2:.2g}", fontsize=8)
    first, last = snapshots[0].layers, snapshots[-1].layers
    spread = ", ".join(f"{layer} {first[layer].spread:.2f} to {last[layer].spread:.2f}" for layer in scales)
    return fg.describe(
        figure,
        f"Feature maps of one image of a {name} at steps {', '.join(map(str, _steps(snapshots)))}, bright where "
        f"a channel fires. The spread of the activations goes from first to last: {spread}.",
    )


def draw_runs(runs: dict[str, Sequence[Snapshot]], captions: dict[str, str]) -> Figure:
    """The filters of conv1 with which each run ended, a row for each, with a caption beside it."""
    figure, grid = fg.subplots(9.6, 0.75 * len(runs) + 0.4, len(runs), 2, width_ratios=[3.1, 1])
    figure.suptitle("the 16 filters of conv1 at the end, each at its own strength; mid-gray = 0", fontsize=10)
    for (picture, text), (name, snapshots) in zip(grid, runs.items(), strict=True):
        patches = visible_patches(snapshots[-1].filters["conv1"])
        fg.plain(picture).imshow(fg.tile(patches, len(patches)), interpolation="nearest")
        text.axis("off")
        text.text(0, 0.5, f"{name}\n{captions[name]}", va="center", fontsize=8, color=INK, linespacing=1.5)
    ends = "; ".join(f"{name}: {caption}".replace("\n", ", ") for name, caption in captions.items())
    return fg.describe(
        figure, f"Six rows of 16 small color patches, the first filters that each training ended with. {ends}."
    )


def draw_trained_or_random(
    correlations: dict[str, tuple[float, float]], slices: Sequence[np.ndarray], layer: str
) -> Figure:
    """Neighbor correlation by layer, trained and random, beside slices (n, k, k) of filters of `layer`, of both."""
    figure, (axes, *pictures) = fg.subplots(9.6, 3.3, 1, 3, width_ratios=[1.9, 1, 1], gridspec_kw={"wspace": 0.08})
    names, values = [name.removesuffix(".expand3x3") for name in correlations], np.array([*correlations.values()]).T
    words = [[f"{abs(value):.2f}" for value in row] for row in values]
    fg.paired_bars(axes, names, values, words, ("trained", "random"), (BLUE, ORANGE), padding=1)
    fg.chart(axes, "correlation of neighboring weights (3x3 filters)")
    axes.legend(fontsize=8, frameon=False, loc="upper left")
    for axes, panels, name in zip(pictures, slices, ("trained", "random"), strict=True):
        sheet = fg.tile(panels / np.abs(panels).max(axis=(1, 2), keepdims=True), 6)
        fg.show_map(fg.plain(axes, f"{name}: slices of {layer}", size=8), sheet, fg.signed(1), "nearest")
        axes.set_xlabel("each at its own strength; white is 0", fontsize=7)
    both = ", ".join(f"{name} {trained:.2f} and {abs(random):.2f}" for name, (trained, random) in correlations.items())
    return fg.describe(
        figure,
        f"Bars of the correlation of neighboring weights, trained and random: {both}. Beside them slices of filters of "
        f"{layer}: smooth blobs where trained, noise where random.",
    )


def draw_dashboard(snapshots: Sequence[Snapshot], found: Sequence[TrainingWarning], title: str = "training") -> Figure:
    """The state of a training at a glance: loss, dead channels, spread and gradient by layer, and what was found."""
    now, steps = snapshots[-1], _steps(snapshots)
    sentences = [finding.sentence for finding in found[:6]] or ["Nothing suspicious in what was watched."]
    lines = [part for sentence in sentences for part in textwrap.wrap(sentence, 150)]
    figure = fg.new_figure(9.6, 2.75 + 0.17 * len(lines))
    parts: Any = figure.subfigures(2, 1, height_ratios=[2.6, 0.15 + 0.17 * len(lines)])
    upper, lower = parts
    loss, dead, spread, gradient = upper.subplots(1, 4)
    upper.suptitle(
        f"{title}, step {now.step}: {now.accuracy:.0%} right, loss {now.loss:.2f}", size=10, parse_math=False
    )
    loss.plot(steps, [snapshot.loss for snapshot in snapshots], color=INK)
    loss.axhline(np.log(now.categories), color=MUTED, linestyle=":", linewidth=1)
    middle, half = np.mean(loss.get_ylim()), np.ptp(loss.get_ylim()) / 2
    loss.set_ylim(middle - max(half, 0.25), middle + max(half, 0.25))
    many = len(now.layers) > len(DEPTH_COLORS)
    for axes, curves in zip((dead, spread, gradient), dashboard_curves(snapshots), strict=True):
        for place, (layer, values) in enumerate(curves.items()):
            color = colormaps["viridis"](0.9 * place / (len(curves) - 1)) if many else DEPTH_COLORS[place]
            axes.plot(steps, values, color=color, linestyle=STYLES[place % 4], label=layer)
    for axes, name in zip((loss, dead, spread, gradient), DASHBOARD_PANELS, strict=True):
        fg.chart(axes, name, "step", title_size=8, ticks=7)
    dead.set_ylim(-3, 103)
    for axes in (spread, gradient):
        axes.set_yscale("log")
    dead.legend(fontsize=7, frameon=False, ncols=1 + len(now.layers) // 8)
    color = ALARM if found else GREEN
    lower.text(0.01, 0.95, "\n".join(lines), va="top", fontsize=8, color=color, linespacing=1.4)
    return fg.describe(figure, describe_dashboard(snapshots, found, title))


def dashboard_curves(snapshots: Sequence[Snapshot]) -> list[dict[str, list[float]]]:
    """Three panels of the dashboard, each {layer: a value for each snapshot}: dead channels, spread, gradient."""
    states = {layer: [snapshot.layers[layer] for snapshot in snapshots] for layer in snapshots[-1].layers}
    spread, tiny = max(snapshots[-1].input_spread, 1e-9), 1e-9
    return [
        {layer: [100 * state.dead / state.channels for state in row] for layer, row in states.items()},
        {layer: [max(state.spread, tiny) / spread for state in row] for layer, row in states.items()},
        {
            layer: [max(state.gradient / max(state.weights, tiny), tiny) for state in row]
            for layer, row in states.items()
        },
    ]


def describe_dashboard(snapshots: Sequence[Snapshot], found: Sequence[TrainingWarning], title: str) -> str:
    """The dashboard in words."""
    now = snapshots[-1]
    sentences = [finding.sentence for finding in found[:6]] or ["Nothing suspicious in what was watched."]
    dead_now = ", ".join(f"{state.dead} of {layer}" for layer, state in list(now.layers.items())[:6])
    curves = f"Loss from {snapshots[0].loss:.2f} to {now.loss:.2f}; dead at last {dead_now}"
    return f"{title}, step {now.step}. {curves}. {' '.join(sentences)}"


# ---------------------------------------------------------------- the stored figures


def _figure_question(lesson: Lesson) -> Figure:
    return draw_question({letter: lesson.runs[name] for letter, name in LETTERS.items()})


def _figure_learned(lesson: Lesson) -> Figure:
    photo = lesson.gray_cat
    rows = {"the photo as it is": lesson.learned(photo), "its mean taken away": lesson.learned(photo - photo.mean())}
    return draw_learned_filters(rows, SHOWN_STEPS, SOBEL)


def _figure_divergence(lesson: Lesson) -> Figure:
    image = lesson.gray_cat - lesson.gray_cat.mean()
    losses = {f"{share:.2f} of it": lesson.learned(image, share=share, steps=200)[1] for share in (0.5, 0.98, 1.02)}
    return draw_divergence(losses, 2 / training.curvatures(image, (3, 3))[-1])


def _figure_maps(lesson: Lesson) -> Figure:
    data = watched_images()
    return draw_maps_over_time(
        [lesson.runs["honest"][at] for at in MAP_MOMENTS], data.images[0], SHAPE_NAMES[data.labels[0]]
    )


def _figure_dashboard(name: str, count: int | None = None) -> Callable[[Lesson], Figure]:
    def draw(lesson: Lesson) -> Figure:
        snapshots = lesson.runs[name][:count]
        return draw_dashboard(snapshots, findings(snapshots), f"{name}: {RECIPES[name].description}")

    return draw


def _figure_trained(lesson: Lesson) -> Figure:
    layer = "fire8.expand3x3"
    slices = [lesson.filters(layer, model)[:6, :6].reshape(-1, 3, 3) for model in (lesson.model, lesson.untrained)]
    return draw_trained_or_random(lesson.correlations(), slices, layer)


LEARNING_GIF = "03_filters_learning.gif"


def anim_filters_learning(lesson: Lesson) -> Path:
    """Rebuild the animation: the first filters of the honest training, from noise to detectors."""
    snapshots = lesson.runs["honest"]
    shown = [*range(len(snapshots)), *[len(snapshots) - 1] * 8]
    frames = (draw_filter_frame(snapshots, at) for at in shown)
    alt = (
        "Sixteen patches of colored noise turn into slanted stripes, edges and spots while the share of rightly named "
        f"images climbs from {snapshots[0].accuracy:.0%} to {snapshots[-1].accuracy:.0%}."
    )
    return fg.save_gif(frames, outputs_dir(18) / LEARNING_GIF, alt)


FIGURES = fg.Figures(
    18,
    Lesson,
    {
        "00_shapes.png": lambda _: draw_shapes(make_shapes(600, seed=2)),
        "01_one_filter_learns.png": _figure_learned,
        "02_learning_rate_bound.png": _figure_divergence,
        "04_filters_over_time.png": lambda lesson: draw_filters_over_time(
            [lesson.runs["honest"][at] for at in MOMENTS]
        ),
        "05_maps_over_time.png": _figure_maps,
        "06_question.png": _figure_question,
        "07_six_trainings.png": lambda lesson: draw_runs(lesson.runs, lesson.captions()),
        "08_dashboard_too_fast.png": _figure_dashboard("too fast", 13),
        "09_dashboard_faint.png": _figure_dashboard("faint start", 13),
        "10_dashboard_healthy.png": _figure_dashboard("honest"),
        "11_trained_or_random.png": _figure_trained,
    },
    {LEARNING_GIF: anim_filters_learning},
)

if __name__ == "__main__":
    FIGURES.rebuild()
