"""The figures of Day 24. `python -m days.day24.code.visualizations` rebuilds days/day24/outputs/.

draw_* turn arrays and scores into a described Figure; what they show is computed elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.figure import Figure

from days.common.datasets import BACKGROUND_NAMES, SHAPE_NAMES, Shapes
from days.common.figures import BLUE, INK, ORANGE, Figures, describe, draw_panels, new_figure
from days.day18.code import runs
from days.day18.code import torch_backend as training
from days.day18.code.training import Weights
from days.day20.code.visualizations import draw_rows
from days.day22.code import torch_backend as attribution
from days.day22.code.maps import overlay
from days.day22.code.scoring import Interval, mean_and_interval
from days.day22.code.visualizations import smoothed
from days.day24.code import bias_lab

BACKENDS = (training, attribution)
GREEN = "#2e7d4f"
COLORS, STYLES, MARKS = (BLUE, ORANGE, GREEN, "#7b4fa3"), ("-", "--", ":", "-."), ("o", "s", "^", "D")

# ---------------------------------------------------------------- draw_*: arrays -> Figure


def on_image(image: np.ndarray, one: np.ndarray) -> np.ndarray:
    """A map on its small image as the lesson shows it: blurred by half a pixel, its strongest percent pale yellow."""
    one = smoothed(np.maximum(one, 0), 0.5)
    return overlay(image, one, 0.85, top=max(float(np.percentile(one, 99)), 1e-12))


def draw_maps(images: np.ndarray, rows: dict[str, np.ndarray], heads: Sequence[str], title: str) -> Figure:
    """Images (n, H, W, 3) on top, and below a row of maps for each network: {name: (n, H, W)}."""
    shown = {"": images} | {
        name: np.stack([on_image(image, one) for image, one in zip(images, maps, strict=True)])
        for name, maps in rows.items()
    }
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
    left.set_title("share inside, 200 tied images (mean, 95 % interval; dotted: chance)", fontsize=8)
    for (kind, said), color, style, mark in zip(_KINDS.items(), COLORS, STYLES, MARKS, strict=True):
        values = [rows[dial][kind] for dial in dials]
        right.plot(dials, values, color=color, linestyle=style, marker=mark, markersize=4, label=said)
    right.set_title("share of 2,000 new images", fontsize=8)
    for axes in (left, right):
        axes.set_xticks(dials, [f"{dial:g}" for dial in dials])
        axes.set_xlabel("dial", fontsize=8)
        axes.set_ylim(0, None)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=7, frameon=False)
    said = "; ".join(
        f"dial {dial:g}: integrated gradients {rows[dial]['inside']['integrated gradients'][0]:.2f} inside, "
        f"{rows[dial]['swapped']:.2f} right after the swap"
        for dial in dials
    )
    return describe(figure, f"Curves against the dial: share of relevance on the object, and accuracies. {said}.")


_KINDS = {
    "tied": "right, tied",
    "blind": "right, blind",
    "swapped": "right, swapped",
    "follows": "follows: swapped, named after the background",
}


def draw_swap(three: dict[str, Shapes], named: dict[str, dict[str, np.ndarray]], chosen: Sequence[int]) -> Figure:
    """The same objects on three kinds of background, and what networks call them: {kind: {network: (N,) numbers}}."""
    panels, labels = [], []
    for kind, data in three.items():
        for index in chosen:
            # Room for a label of two lines above the next row.
            panels.append(np.pad(data.images[index], ((0, 5), (0, 0), (0, 0)), constant_values=1))
            said = "  ".join(f"{name} {SHAPE_NAMES[answers[index]]}" for name, answers in named[kind].items())
            labels.append(f"{kind}, {BACKGROUND_NAMES[data.backgrounds[index]]}\n{said}")
    alt = (
        f"{len(chosen)} shapes, each on three textures, a row for each: {', '.join(three)}; above, what is said of it."
    )
    title = "what two networks call one object on three backgrounds: six images that fool one of them"
    return draw_panels(np.stack(panels), title=title, labels=labels, columns=len(chosen), alt=alt)


def draw_mending(rows: dict[str, tuple[float, Interval]]) -> Figure:
    """Networks before and after: {name: (accuracy after the swap, share inside with its interval)}."""
    figure = new_figure(6.4, 3.0)
    axes = figure.add_subplot()
    for (name, (right, (mean, low, high))), color, mark in zip(
        rows.items(), (*COLORS, INK), (*MARKS, "*"), strict=False
    ):
        axes.errorbar(right, mean, [[mean - low], [high - mean]], color=color, marker=mark, linestyle="none", capsize=2)
        axes.annotate(name, (right, mean), (9, -3), textcoords="offset points", fontsize=8, color=color)
    axes.set_xlabel("share right after the swap", fontsize=8)
    axes.set_ylabel("share inside", fontsize=8)
    axes.margins(0.4, 0.18)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    said = "; ".join(
        f"{' '.join(name.split())}: {right:.2f} right, {mean:.2f} inside" for name, (right, (mean, *_)) in rows.items()
    )
    return describe(figure, f"Networks as dots by two scores. {said}.")


# ---------------------------------------------------------------- the lesson's own material


@dataclass
class Lesson:
    """What the figures are drawn from: the four suspects, their key, three kinds of images, two mended networks."""

    @cached_property
    def suspects(self) -> dict[str, Weights]:
        """The four networks by name."""
        return bias_lab.load_suspects()

    @cached_property
    def key(self) -> dict[str, float]:
        """Which dial each suspect was trained at."""
        return bias_lab.load_key()

    @cached_property
    def three(self) -> dict[str, Shapes]:
        """2,000 held-out objects on tied, blind and swapped backgrounds."""
        return bias_lab.on_three_backgrounds(2000, seed=runs.HELD_OUT_SEED)

    @cached_property
    def table(self) -> dict[str, dict]:
        """All scores of all suspects (half a minute)."""
        return bias_lab.score_suspects(BACKENDS, self.suspects)

    @property
    def worst(self) -> str:
        """The suspect that was trained at dial 1."""
        return max(self.key, key=self.key.get)

    @cached_property
    def mended(self) -> dict[str, Weights]:
        """The worst suspect, mended in two ways."""
        return bias_lab.load_mended()

    def named(self, weights: Weights, kind: str) -> np.ndarray:
        """What a network calls the 2,000 objects on one kind of background, (2000,) numbers."""
        return training.scores(training.small_cnn(weights), self.three[kind].images).argmax(axis=1)

    def maps(self, weights: Weights, shapes: Shapes, method: str = "integrated gradients") -> np.ndarray:
        """Maps (N, H, W) of what spoke for the true shapes."""
        return bias_lab.relevance(BACKENDS, weights, shapes, [method])[method]

    def scores(self, weights: Weights, mapped: int = 200) -> tuple[float, Interval]:
        """Share right after the swap, and share of integrated gradients inside the mask."""
        shapes = self.three["tied"][:mapped]
        inside = bias_lab.shares_inside(BACKENDS, weights, shapes, ["integrated gradients"])["integrated gradients"]
        right = self.named(weights, "swapped") == self.three["swapped"].labels
        return float(right.mean()), mean_and_interval(inside)


SHOWN = 8


def _one_of_each(data: Shapes, count: int = SHOWN) -> np.ndarray:
    """Indices of `count` images, label after label."""
    order = [np.flatnonzero(data.labels == label) for label in range(len(SHAPE_NAMES))]
    return np.array([order[place % len(order)][place // len(order)] for place in range(count)])


def _figure_suspects(lesson: Lesson) -> Figure:
    data = lesson.three["tied"]
    data = data[_one_of_each(data)]
    rows = {name: lesson.maps(weights, data) for name, weights in lesson.suspects.items()}
    heads = [SHAPE_NAMES[label] for label in data.labels]
    return draw_maps(data.images, rows, heads, "four suspects, integrated gradients, each map scaled by itself")


def _figure_swap(lesson: Lesson) -> Figure:
    honest = min(lesson.key, key=lesson.key.get)
    named = {
        kind: {name: lesson.named(lesson.suspects[name], kind) for name in (honest, lesson.worst)}
        for kind in lesson.three
    }
    swapped = lesson.three["swapped"]
    fooled = np.flatnonzero(named["swapped"][lesson.worst] == swapped.backgrounds)
    return draw_swap(lesson.three, named, fooled[:6])


def _figure_mended(lesson: Lesson) -> Figure:
    data = lesson.three["swapped"]
    data = data[np.flatnonzero(lesson.named(lesson.suspects[lesson.worst], "swapped") == data.backgrounds)[:SHOWN]]
    networks = {f"{lesson.worst},\nas it came": lesson.suspects[lesson.worst], **lesson.mended}
    rows = {name: lesson.maps(weights, data) for name, weights in networks.items()}
    heads = [f"{SHAPE_NAMES[a]} on {BACKGROUND_NAMES[b]}" for a, b in zip(data.labels, data.backgrounds, strict=True)]
    return draw_maps(data.images, rows, heads, f"{lesson.worst} before and after mending, integrated gradients")


def _figure_mending(lesson: Lesson) -> Figure:
    honest = min(lesson.key, key=lesson.key.get)
    networks = {f"{lesson.worst},\nas it came": lesson.suspects[lesson.worst], **lesson.mended}
    networks[f"{honest}, honest\nfrom the start"] = lesson.suspects[honest]
    return draw_mending({name: lesson.scores(weights) for name, weights in networks.items()})


def _figure_explorer(lesson: Lesson) -> Figure:
    from days.day24.code.explorer import draw_suspect

    data = lesson.three["swapped"]
    fooled = np.flatnonzero(lesson.named(lesson.suspects[lesson.worst], "swapped") == data.backgrounds)[4]
    return draw_suspect(BACKENDS, lesson.suspects, lesson.worst, data[fooled : fooled + 1], "integrated gradients")


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
