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
from days.day24.code import bias_lab
from days.day24.code.explorer import draw_suspect
from days.day24.code.lesson import Lesson
from days.day24.code.trainings import Trainings, over_networks

COLORS, STYLES, MARKS = (BLUE, ORANGE, GREEN, VIOLET), ("-", "--", ":", "-."), ("o", "s", "^", "D")
_SCORES = {
    "tied": "right, tied",
    "blind": "right, blind",
    "swapped": "right, swapped",
    "follows": "follows: named after the background, swapped",
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
    figure = draw_rows(shown, title, heads=heads, alt=alt)
    for axes in figure.axes:
        for picture in axes.images:
            picture.set_interpolation("nearest")  # any other puts bars and ripples at the borders of the maps
    return figure


def draw_dials(dials: Sequence[float], trainings: Trainings) -> Figure:
    """Every network's scores against its dial, as dots, and the mean over networks with its 95 % interval."""
    figure = new_figure(9.6, 4.2)
    left, right = figure.subplots(1, 2)
    inside = {method: trainings.means(method) for method in trainings.inside}
    words = [
        _draw_networks(axes, dials, {labels.get(name, name): values for name, values in scores.items()})
        for axes, scores, labels in ((left, inside, {}), (right, trainings.right, _SCORES))
    ]
    left.axhline(0.13, color=INK, linestyle=":", linewidth=1)
    for axes, title in ((left, "share of the map inside (dotted: chance)"), (right, "share of 2,000 new images")):
        axes.set_xticks(dials, [f"{dial:g}" for dial in dials])
        axes.set_ylim(0, None)
        chart(axes, title, "dial", title_size=10, size=9, ticks=9).legend(fontsize=8, frameon=False)
    alt = "Curves against the dial, each over the dots of five networks: shares inside and accuracies. "
    return describe(figure, alt + "; ".join(filter(None, words)) + ".")


def _draw_networks(axes, dials: Sequence[float], scores: dict[str, np.ndarray]) -> str:
    """Draw {name: (dials, networks)}; return the means in words."""
    for place, ((name, values), color, style, mark) in enumerate(
        zip(scores.items(), COLORS, STYLES, MARKS, strict=True)
    ):
        at = np.array(dials) + 0.008 * (place - 1.5)  # so that dots and bars do not cover each other
        means, low, high = np.transpose([over_networks(row) for row in values])
        axes.plot(at, values, ".", color=color, alpha=0.35, markersize=5)
        axes.errorbar(at, means, [means - low, high - means], color=color, ls=style, marker=mark, ms=4, label=name)
    return "; ".join(f"{name}: {', '.join(f'{row.mean():.2f}' for row in values)}" for name, values in scores.items())


def draw_swap(pairs: dict[str, Shapes], named: dict[str, np.ndarray], chosen: np.ndarray) -> Figure:
    """The same objects on two kinds of background, and what a network calls each: {kind: Shapes}, {kind: (N,)}."""
    panels, labels = [], []
    for kind, data in pairs.items():
        for index in chosen:
            # Room for a label above the next row.
            panels.append(np.pad(data.images[index], ((0, 3), (0, 0), (0, 0)), constant_values=1))
            labels.append(f"“{SHAPE_NAMES[named[kind][index]]}”")
    said = "; ".join(
        f"{kind}: {', '.join(SHAPE_NAMES[names[index]] for index in chosen)}" for kind, names in named.items()
    )
    alt = f"{len(chosen)} shapes, each on two textures, a row for each texture; above, what a network calls it. {said}."
    title = "above: a familiar background; below: the same object on another; between quotes: what the network says"
    return draw_panels(np.stack(panels), title=title, labels=labels, columns=len(chosen), alt=alt)


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
    kinds = ("tied", "swapped")
    named = {kind: lesson.named(lesson.suspects[lesson.worst], kind) for kind in kinds}
    return draw_swap({kind: lesson.three[kind] for kind in kinds}, named, lesson.fooled[:6])


def _figure_mended(lesson: Lesson) -> Figure:
    data = lesson.three["swapped"][lesson.fooled[:8]]
    heads = [f"{SHAPE_NAMES[a]} on {BACKGROUND_NAMES[b]}" for a, b in zip(data.labels, data.backgrounds, strict=True)]
    title = f"{lesson.worst} before and after mending: integrated gradients, each map scaled by itself"
    return draw_maps(data.images, _blurred_maps(lesson, lesson.before_and_after, data), heads, title)


def _figure_explorer(lesson: Lesson) -> Figure:
    shapes = lesson.three["swapped"][lesson.fooled[4:5]]
    return draw_suspect(lesson.suspects, lesson.worst, shapes, "integrated gradients")


FIGURES = Figures(
    24,
    Lesson,
    {
        "00_suspects.png": _figure_suspects,
        "01_swap.png": _figure_swap,
        "02_dials.png": lambda lesson: draw_dials(bias_lab.DIALS, lesson.trainings),
        "03_mended_maps.png": _figure_mended,
        "05_explorer.png": _figure_explorer,
    },
)

if __name__ == "__main__":
    FIGURES.rebuild()
