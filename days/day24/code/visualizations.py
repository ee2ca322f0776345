"""The figures of Day 24. `python -m days.day24.code.visualizations` rebuilds days/day24/outputs/."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from days.common.colors import BLUE, GREEN, INK, ORANGE, VIOLET
from days.common.datasets import BACKGROUND_NAMES, SHAPE_NAMES, Shapes
from days.common.figures import Figures, chart, describe, draw_panels, new_figure
from days.day20.code.visualizations import draw_rows
from days.day22.code.maps import overlay
from days.day22.code.scoring import Interval
from days.day24.code import bias_lab
from days.day24.code.explorer import draw_suspect
from days.day24.code.lesson import Lesson

COLORS, STYLES, MARKS = (BLUE, ORANGE, GREEN, VIOLET), ("-", "--", ":", "-."), ("o", "s", "^", "D")
_SCORES = {
    "tied": "right, tied",
    "blind": "right, blind",
    "swapped": "right, swapped",
    "follows": "follows: swapped, named after the background",
}

# ---------------------------------------------------------------- draw_*: arrays -> Figure


def draw_maps(images: np.ndarray, rows: dict[str, np.ndarray], heads: Sequence[str], title: str) -> Figure:
    """Images (n, H, W, 3) on top, and below a row of maps for each network, whose strongest percent is pale yellow.

    rows : {name: (n, H, W)}.
    """
    shown = {"": images}
    for name, maps in rows.items():
        tops = np.maximum(np.percentile(np.maximum(maps, 0), 99, axis=(1, 2)), 1e-12)
        triples = zip(images, maps, tops.tolist(), strict=True)
        shown[name] = np.stack([overlay(image, heatmap, 0.85, top=top) for image, heatmap, top in triples])
    alt = f"{len(images)} small images of shapes on textures, and a row of maps on them for each of {', '.join(rows)}."
    return draw_rows(shown, title, heads=heads, alt=alt)


def draw_dials(rows: dict[float, dict]) -> Figure:
    """Both scores against the dial: {dial: a row of `bias_lab.score_suspects`}."""
    figure = new_figure(9.6, 3.6)
    left, right = figure.subplots(1, 2)
    dials = list(rows)
    for name, color, style, mark in zip(rows[dials[0]]["inside"], COLORS, STYLES, MARKS, strict=False):
        means, low, high = np.transpose([rows[dial]["inside"][name] for dial in dials])
        left.errorbar(dials, means, [means - low, high - means], color=color, ls=style, marker=mark, ms=4, label=name)
    left.axhline(0.13, color=INK, linestyle=":", linewidth=1)
    for (score, label), color, style, mark in zip(_SCORES.items(), COLORS, STYLES, MARKS, strict=True):
        values = [rows[dial][score] for dial in dials]
        right.plot(dials, values, color=color, linestyle=style, marker=mark, markersize=4, label=label)
    inside, shares = "share inside, 200 tied images (mean, 95 % interval; dotted: chance)", "share of 2,000 new images"
    for axes, title in ((left, inside), (right, shares)):
        axes.set_xticks(dials, [f"{dial:g}" for dial in dials])
        axes.set_ylim(0, None)
        chart(axes, title, "dial", title_size=8).legend(fontsize=7, frameon=False)
    listed = "; ".join(
        f"dial {dial:g}: integrated gradients {rows[dial]['inside']['integrated gradients'][0]:.2f} inside, "
        f"{rows[dial]['swapped']:.2f} right after the swap"
        for dial in dials
    )
    return describe(figure, f"Curves against the dial: share of relevance on the object, and accuracies. {listed}.")


def draw_swap(three: dict[str, Shapes], named: dict[str, dict[str, np.ndarray]], chosen: np.ndarray) -> Figure:
    """The same objects on three kinds of background, and what networks call them: {kind: {network: (N,) numbers}}."""
    panels, labels = [], []
    for kind, data in three.items():
        for index in chosen:
            # Room for a label of two lines above the next row.
            panels.append(np.pad(data.images[index], ((0, 5), (0, 0), (0, 0)), constant_values=1))
            words = "  ".join(f"{name} {SHAPE_NAMES[answers[index]]}" for name, answers in named[kind].items())
            labels.append(f"{kind}, {BACKGROUND_NAMES[data.backgrounds[index]]}\n{words}")
    listed = ", ".join(three)
    alt = f"{len(chosen)} shapes, each on three textures, a row for each: {listed}; above, what is said of it."
    title = "what two networks call one object on three backgrounds: six images that fool one of them"
    return draw_panels(np.stack(panels), title=title, labels=labels, columns=len(chosen), alt=alt)


def draw_mending(rows: dict[str, tuple[float, Interval]]) -> Figure:
    """Networks before and after: {name: (accuracy after the swap, share inside with its interval)}."""
    figure = new_figure(6.4, 3.0)
    axes = figure.add_subplot()
    looks = zip((*COLORS, INK), (*MARKS, "*"), strict=True)
    for (name, (right, (mean, low, high))), (color, mark) in zip(rows.items(), looks, strict=False):
        axes.errorbar(right, mean, [[mean - low], [high - mean]], color=color, marker=mark, linestyle="none", capsize=2)
        axes.annotate(name, (right, mean), (9, -3), textcoords="offset points", fontsize=8, color=color)
    chart(axes, x="share right after the swap", y="share inside").margins(0.4, 0.18)
    listed = "; ".join(
        f"{' '.join(name.split())}: {right:.2f} right, {mean:.2f} inside" for name, (right, (mean, *_)) in rows.items()
    )
    return describe(figure, f"Networks as dots by two scores. {listed}.")


# ---------------------------------------------------------------- the stored figures


def _blurred_maps(lesson: Lesson, networks: dict, data: Shapes) -> dict[str, np.ndarray]:
    return {name: bias_lab.blurred(lesson.maps(weights, data)) for name, weights in networks.items()}


def _figure_suspects(lesson: Lesson) -> Figure:
    data = lesson.three["tied"]
    of_label = [np.flatnonzero(data.labels == label) for label in range(len(SHAPE_NAMES))]
    data = data[np.array([of_label[place % 6][place // 6] for place in range(8)])]
    heads = [SHAPE_NAMES[label] for label in data.labels]
    title = "four suspects, integrated gradients, each map scaled by itself"
    return draw_maps(data.images, _blurred_maps(lesson, lesson.suspects, data), heads, title)


def _figure_swap(lesson: Lesson) -> Figure:
    named = {
        background: {name: lesson.named(lesson.suspects[name], background) for name in (lesson.honest, lesson.worst)}
        for background in lesson.three
    }
    return draw_swap(lesson.three, named, lesson.fooled[:6])


def _figure_mended(lesson: Lesson) -> Figure:
    data = lesson.three["swapped"][lesson.fooled[:8]]
    heads = [f"{SHAPE_NAMES[a]} on {BACKGROUND_NAMES[b]}" for a, b in zip(data.labels, data.backgrounds, strict=True)]
    title = f"{lesson.worst} before and after mending, integrated gradients"
    return draw_maps(data.images, _blurred_maps(lesson, lesson.before_and_after, data), heads, title)


def _figure_mending(lesson: Lesson) -> Figure:
    networks = lesson.before_and_after | {f"{lesson.honest}, honest\nfrom the start": lesson.suspects[lesson.honest]}
    return draw_mending({name: lesson.scores(weights) for name, weights in networks.items()})


def _figure_explorer(lesson: Lesson) -> Figure:
    shapes = lesson.three["swapped"][lesson.fooled[4:5]]
    return draw_suspect(lesson.suspects, lesson.worst, shapes, "integrated gradients")


FIGURES = Figures(
    24,
    Lesson,
    {
        "00_suspects.png": _figure_suspects,
        "01_swap.png": _figure_swap,
        "02_dials.png": lambda lesson: draw_dials(bias_lab.by_dial(lesson.table, lesson.key)),
        "03_mended_maps.png": _figure_mended,
        "04_mending.png": _figure_mending,
        "05_explorer.png": _figure_explorer,
    },
)

if __name__ == "__main__":
    FIGURES.rebuild()
