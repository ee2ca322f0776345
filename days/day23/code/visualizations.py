"""The figures of Day 23. `python -m days.day23.code.visualizations` rebuilds days/day23/outputs/.

draw_* turn arrays and findings into a described Figure; what they show is computed elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.figure import Figure

from days.common.datasets import SHAPE_NAMES, Shapes, make_shapes
from days.common.figures import (
    ALARM,
    BLUE,
    INK,
    MUTED,
    ORANGE,
    ColorScale,
    Figures,
    add_colorbar,
    describe,
    draw_panels,
    new_figure,
    plain,
    show_map,
)
from days.day17.code.feature_maps import cosine_similarities
from days.day18.code import runs, storage
from days.day18.code.visualizations import visible_patches
from days.day22.code.visualizations import marked
from days.day23.code import detectors, diagnosis, limits, network, patients
from days.day23.code.network import LAYERS

TEACHING_PATIENT = 8
"""The seed of the patient that the lesson examines with its key open."""

# ---------------------------------------------------------------- draw_*: arrays -> Figure


def draw_filters(rows: dict[str, np.ndarray], alarm: dict[str, Sequence[int]] | None = None) -> Figure:
    """First filters as color patches, a row for each network: {title: (n, 3, k, k)}; alarm : numbers in red."""
    figure = new_figure(9.6, 1.05 * len(rows) + 0.35)
    figure.suptitle("the filters of conv1, each at its own strength; mid-gray = 0", fontsize=10, color=INK)
    longest = max(map(len, rows.values()))
    for part, (name, filters) in zip(figure.subfigures(len(rows), 1, squeeze=False)[:, 0], rows.items(), strict=True):
        part.suptitle(name, fontsize=9, x=0.01, ha="left", color=INK)
        for number, axes in enumerate(part.subplots(1, longest)):
            plain(axes)
            if number < len(filters):
                axes.imshow(visible_patches(filters[number : number + 1])[0], interpolation="nearest")
                ill = number in (alarm or {}).get(name, ())
                axes.set_title(str(number), fontsize=8, pad=2, color=ALARM if ill else MUTED)
    said = "; ".join(f"{name}: {len(filters)} filters" for name, filters in rows.items())
    return describe(figure, f"Rows of small color patches, the first filters of networks. {said}.")


def draw_ranges(
    rows: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]], batch: int, first: dict[str, int]
) -> Figure:
    """How far each channel's answers reach before the ReLU, in a panel for each layer.

    rows : {layer: (strongest answer (N, C) of each channel to each image, least possible (C,), most possible (C,))}.
    batch : the first so many images are drawn as dots of their own. first : {layer: the number of its first channel}.
    """
    figure = new_figure(9.6, 4.2)
    said = []
    panels = zip(figure.subplots(1, len(rows), squeeze=False)[0], rows.items(), strict=True)
    for axes, (layer, (strongest, least, most)) in panels:
        places = np.arange(len(most))
        everywhere, data = most <= 0, (strongest.max(axis=0) <= 0) & (most > 0)
        axes.hlines(places, least, most, color="#d0d0d0", linewidth=3, label="any input (bound)")
        axes.hlines(places, strongest.min(axis=0), strongest.max(axis=0), color=BLUE, linewidth=3, label="120 images")
        axes.plot(strongest[:batch].T, places, ".", color=ORANGE, markersize=4)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_xscale("symlog", linthresh=1)
        axes.set_yticks(places, [str(first[layer] + place) for place in places], fontsize=7)
        for label, proven, seen in zip(axes.get_yticklabels(), everywhere, data, strict=True):
            label.set_color(ALARM if proven or seen else MUTED)
        last = first[layer] + len(most) - 1
        axes.set_title(f"{layer}, channels {first[layer]} to {last}; red: no image woke it", fontsize=9)
        axes.set_xlabel("strongest answer to an image, before the ReLU (logarithmic beyond 1 and -1)", fontsize=8)
        axes.margins(x=0.03)
        axes.tick_params(labelsize=7)
        axes.set_ylim(len(most) - 0.5, -0.5)
        axes.spines[["top", "right"]].set_visible(False)
        said.append(
            f"{layer}: {everywhere.sum()} cannot answer anything, {data.sum()} more answered none of the images"
        )
    axes.plot([], [], ".", color=ORANGE, label=f"first {batch} images")
    figure.legend(*axes.get_legend_handles_labels(), fontsize=8, frameon=False, loc="outside lower center", ncols=3)
    return describe(figure, f"Ranges of each channel's answers on a line, with 0 marked. {'; '.join(said)}.")


def draw_cosines(layers: dict[str, np.ndarray], pairs: dict[str, Sequence[detectors.Pair]]) -> Figure:
    """The cosine of every two filters, a square for each layer: {layer: (out, in, kh, kw)}; pairs get a ring."""
    figure = new_figure(9.6, 4.2)
    grid = figure.subplots(1, len(layers), squeeze=False)[0]
    scale, said = ColorScale("RdBu_r", -1.0, 1.0), []
    for axes, (layer, filters) in zip(grid, layers.items(), strict=True):
        show_map(plain(axes, layer), cosine_similarities(filters), scale, "nearest")
        numbers = np.arange(0, len(filters), 2)
        axes.set_xticks(numbers, numbers, fontsize=7)
        axes.set_yticks(numbers, numbers, fontsize=7)
        axes.tick_params(length=0, colors=MUTED)
        for one in pairs[layer]:
            axes.plot([one.first, one.second], [one.second, one.first], "o", ms=13, mfc="none", mec=ORANGE, mew=2)
            text = f"{one.first}, {one.second}: {one.cosine:.2f}"
            look = {"fontsize": 8, "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1}}
            axes.annotate(text, (one.second, one.first), (9, 9), textcoords="offset points", **look)
            said.append(f"{layer} {text}")
    add_colorbar(
        figure, list(grid), scale, "cosine: 1 same direction, -1 opposite, 0 nothing in common", extend="neither"
    )
    return describe(figure, f"Squares of cosines between filters, pale but for ringed pairs. {'; '.join(said)}.")


def draw_noise(filters: np.ndarray, layer: str) -> Figure:
    """Two witnesses for noise: each filter (out, in, kh, kw) by its kinship and by how its neighbors correlate."""
    kinship, neighbors = detectors.kinship(filters), detectors.correlated_neighbors(filters)
    noise = detectors.noise_filters(filters)
    figure = new_figure(5.6, 3.6)
    axes = figure.add_subplot()
    axes.fill_between([-3, detectors.NO_KIN], 0, detectors.AS_ROUGH_AS_NOISE, color=ALARM, alpha=0.12, linewidth=0)
    axes.text(-2.8, detectors.AS_ROUGH_AS_NOISE, "called noise", va="bottom", fontsize=8, color=ALARM)
    for channel, place in enumerate(zip(kinship, neighbors, strict=True)):
        color = ALARM if channel in noise else BLUE
        axes.annotate(str(channel), place, ha="center", va="center", fontsize=8, color=color)
    axes.set(xlim=(-3, max(7.0, np.nanmax(kinship) + 1)), ylim=(0, np.nanmax(neighbors) + 1.5))
    axes.set_xlabel("kinship: deviations from what noise would score", fontsize=8)
    axes.set_ylabel("neighbors: deviations from chance", fontsize=8)
    axes.set_title(f"{layer}: each number is a filter", fontsize=9)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    named = ", ".join(map(str, noise)) or "none"
    return describe(figure, f"Filters of {layer} by two numbers; low in both, and so called noise: {named}.")


def draw_limits(panels: dict[str, tuple[Sequence[float], dict[str, np.ndarray]]]) -> Figure:
    """The share of faults found against how strong they are: {what the axis is: (levels, {layer: shares})}."""
    figure = new_figure(9.6, 3.0)
    said = []
    for axes, (name, (levels, curves)) in zip(
        figure.subplots(1, len(panels), sharey=True), panels.items(), strict=True
    ):
        for (layer, shares), color, style in zip(
            curves.items(), (BLUE, ORANGE, "#2e7d4f"), ("-", "--", ":"), strict=False
        ):
            axes.plot(levels, shares, color=color, linestyle=style, marker=".", label=layer)
        half = [f"{layer} {levels[int(np.argmin(np.abs(shares - 0.5)))]:g}" for layer, shares in curves.items()]
        said.append(f"{name}: half is found near {', '.join(half)}")
        axes.set_xlabel(name, fontsize=8)
        axes.tick_params(labelsize=7)
        axes.set_ylim(-0.05, 1.05)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("share found", fontsize=8)
    figure.axes[0].legend(fontsize=8, frameon=False)
    return describe(figure, f"Curves of the share of faults found as they grow fainter. {'. '.join(said)}.")


def draw_explanations(remains: dict[str, float], size: float) -> Figure:
    """How much of a drift of `size` each way of running leaves unexplained: {name: remains}."""
    figure = new_figure(7.2, 0.32 * len(remains) + 1.0)
    axes = figure.add_subplot()
    floor = 1e-8
    names, best = list(remains), min(remains, key=remains.get)
    shown = [max(value, floor) for value in remains.values()]
    axes.barh(names, shown, left=0, color=[ORANGE if name == best else BLUE for name in names], height=0.6)
    for place, value in enumerate(remains.values()):
        text = f"{value:.1g}" if value > floor else "nothing: the very same answers"
        axes.text(max(value, floor) * 1.3, place, text, va="center", fontsize=8)
    axes.axvline(diagnosis.EXPLAINED, color=INK, linestyle=":", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(floor, 1e3)
    axes.invert_yaxis()
    axes.set_xlabel("what remains of the drift (dotted: counts as explained)", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"the answers have drifted by {size:.2g}: which way of running gives the same ones?", fontsize=9)
    said = f"all leave a drift but one: {best}"
    return describe(figure, f"Bars for {len(remains)} ways of running a network; {said}.")


def draw_outliers(panels: dict[str, np.ndarray], limit: float = 6.0) -> Figure:
    """Strength and presence of every channel, outliers named: {title: activations (N, C, h, w)}."""
    figure = new_figure(9.6, 3.2)
    said = []
    for axes, (name, maps) in zip(
        figure.subplots(1, len(panels), sharex=True, sharey=True), panels.items(), strict=True
    ):
        with np.errstate(divide="ignore"):
            strength = np.log10(maps.max(axis=(0, 2, 3)))
        presence = 100 * (maps > 0).mean(axis=(0, 2, 3))
        named = sorted({one.channel for one in detectors.outliers(maps, limit)})
        axes.plot(strength, presence, ".", color=BLUE)
        for channel in named:
            axes.plot(strength[channel], presence[channel], "o", ms=10, mfc="none", mec=ALARM)
            axes.annotate(
                str(channel), (strength[channel], presence[channel]), (7, 5), textcoords="offset points", fontsize=8
            )
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("strength: log10 of the largest answer", fontsize=8)
        axes.set_ylabel("presence: % of places above 0", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        said.append(f"{name}: outliers {', '.join(map(str, named)) or 'none'}")
    return describe(figure, f"Channels as dots by their strongest answer and how often they answer. {'; '.join(said)}.")


def draw_gaps(gaps: dict[str, np.ndarray], layer: str) -> Figure:
    """The gap between training and held-out selectivity of each filter, sorted: {network: (C,)}."""
    figure = new_figure(7.2, 2.8)
    axes = figure.add_subplot()
    said = []
    for (name, values), color, style in zip(gaps.items(), (BLUE, ORANGE), ("-", "--"), strict=False):
        ordered, middle = np.sort(values), float(np.median(values))
        axes.plot(
            np.linspace(0, 100, len(ordered)),
            ordered,
            color=color,
            linestyle=style,
            label=f"{name}, median {middle:.2f}",
        )
        said.append(f"{name}: median {middle:.2f}")
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set_xlabel(f"filters of {layer}, sorted, in %", fontsize=8)
    axes.set_ylabel("gap, in deviations", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("how much better filters tell shapes apart on images that were learned", fontsize=9)
    return describe(figure, f"Two curves of gaps between training and held-out images. {'; '.join(said)}.")


def draw_wrong(
    data: Shapes, scores: np.ndarray, maps: np.ndarray, groups: diagnosis.WrongOnes, each: int = 7
) -> Figure:
    """Wrong predictions, a row for each group, with their relevance maps; what is above a panel is said, not true."""
    panels, labels, said = [], [], []
    for group, chosen in zip(groups._fields, groups, strict=True):
        said.append(f"{group.replace('_', ' ')}: {len(chosen)}")
        for place in range(each):
            if place < len(chosen):
                index = chosen[place]
                one = marked(data.images[index], np.maximum(maps[index], 0))
                # Room for a label of two lines above the next row.
                panels.append(np.pad(one, ((0, 4), (0, 0), (0, 0)), constant_values=1))
                truth, named = SHAPE_NAMES[data.labels[index]], SHAPE_NAMES[scores[index].argmax()]
                labels.append(f"{group.replace('_', ' ') if place == 0 else ''}\n{truth}: '{named}'")
            else:
                panels.append(np.ones_like(panels[-1]))
                labels.append("")
    title = "a true shape: 'what it was called', by where the map for that lies. " + ", ".join(said)
    alt = f"Three rows of small images with what the network looked at in color. {'; '.join(said)}."
    return draw_panels(np.stack(panels), title=title, labels=labels, columns=each, alt=alt)


# ---------------------------------------------------------------- the lesson's own material


@dataclass
class Lesson:
    """What the figures are drawn from: the teaching patient, a healthy network, and one that learned by heart."""

    seed: int = TEACHING_PATIENT

    @cached_property
    def admitted(self) -> tuple[patients.Patient, patients.Key]:
        """The teaching patient and its key."""
        return patients.admit(self.seed)

    @cached_property
    def healthy(self) -> patients.Patient:
        """A healthy patient of the same build."""
        return patients.admit(6, "healthy")[0]

    @cached_property
    def images(self) -> np.ndarray:
        """The 120 images of the clinic, (120, 32, 32, 3)."""
        return network.ward_images().images

    @cached_property
    def answers(self) -> network.Answers:
        """What the teaching patient, run rightly, answers to them."""
        return network.run(self.admitted[0].weights, self.images)

    def gaps(self, layer: str = "conv3", count: int = 300) -> dict[str, np.ndarray]:
        """Selectivity on `count` training images minus that on held-out ones, for two networks."""
        training, held_out = runs.training_images()[:count], runs.held_out_images()[:count]
        found = {}
        for name, weights in {"12,000 images": storage.load_weights(), "300 images": network.crammed()}.items():
            maps = [network.run(weights, data.images).activations[layer] for data in (training, held_out)]
            found[name] = diagnosis.activation_gap(*maps, training.labels, held_out.labels)
        return found

    def wrong(self, count: int = 240) -> tuple[Shapes, np.ndarray, np.ndarray, diagnosis.WrongOnes]:
        """Held-out images, the scores of the network that learned 300 by heart, occlusion maps, and its mistakes."""
        from days.day18.code import torch_backend as shapes_backend
        from days.day22.code import torch_backend as attribution
        from days.day23.code import torch_backend

        data = make_shapes(count, seed=1)
        model = torch_backend.clinic_model(network.crammed())
        batch = shapes_backend.to_batch(data.images)
        scores = attribution.scores(model.network, batch)
        said = [int(one) for one in scores.argmax(axis=1)]
        maps = attribution.occlusion(model.network, batch, said, size=8, stride=4, names=model.categories)
        return data, scores, maps, diagnosis.wrong_predictions(scores, data.labels, maps, data.masks)


def _figure_filters(lesson: Lesson) -> Figure:
    rows = {"healthy": lesson.healthy.weights["conv1"][0], "patient 008": lesson.admitted[0].weights["conv1"][0]}
    return draw_filters(rows)


def _figure_ranges(lesson: Lesson) -> Figure:
    bounds = detectors.bounds(lesson.admitted[0].weights)
    rows, first = {}, {"conv1": 0, "conv3": 8}
    for layer, start in first.items():
        strongest = lesson.answers.before[layer].max(axis=(2, 3))
        rows[layer] = tuple(one[..., start : start + 16] for one in (strongest, *bounds[layer]))
    return draw_ranges(rows, 8, first)


def _figure_cosines(lesson: Lesson) -> Figure:
    layers = {layer: lesson.admitted[0].weights[layer] for layer in ("conv1", "conv2")}
    pairs = {layer: detectors.redundant_pairs(*both) for layer, both in layers.items()}
    return draw_cosines({layer: filters for layer, (filters, _) in layers.items()}, pairs)


COPIES = (0, 0.1, 0.15, 0.2, 0.22, 0.24, 0.26, 0.28, 0.3, 0.4, 0.5)
NOISES = (0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1)


def _figure_limits(lesson: Lesson) -> Figure:
    found = ((limits.copies_found, COPIES), (limits.noise_found, NOISES))
    curves = [
        (levels, {layer: measure(levels, layer=layer, seeds=range(20)) for layer in LAYERS})
        for measure, levels in found
    ]
    names = (
        "copies: noise added, as a share of the filter's length",
        "noise: share of the filter's length that is random",
    )
    return draw_limits(dict(zip(names, curves, strict=True)))


def _figure_explanations(lesson: Lesson) -> Figure:
    patient = lesson.admitted[0]
    observed = diagnosis.observe(patient)
    remains = diagnosis.explanations(patient, observed)
    named = {
        f"{'batch' if how.batch_norm_training else 'stored'} statistics, {how.preprocessing}": left
        for how, left in remains.items()
    }
    return draw_explanations(named, detectors.paired_drift(patient.record, observed))


def _figure_outliers(lesson: Lesson) -> Figure:
    ill = patients.admit(378)[0]
    panels = {
        f"{name}, conv2": network.run(one.weights, lesson.images).activations["conv2"]
        for name, one in (("healthy", lesson.healthy), ("patient 008", lesson.admitted[0]), ("patient 378", ill))
    }
    return draw_outliers(panels)


FIGURES = Figures(
    23,
    Lesson,
    {
        "00_filters.png": _figure_filters,
        "01_three_deaths.png": _figure_ranges,
        "02_cosines.png": _figure_cosines,
        "03_noise.png": lambda lesson: draw_noise(lesson.admitted[0].weights["conv1"][0], "conv1"),
        "04_limits.png": _figure_limits,
        "05_explanations.png": _figure_explanations,
        "06_outliers.png": _figure_outliers,
        "07_gaps.png": lambda lesson: draw_gaps(lesson.gaps(), "conv3"),
        "08_wrong.png": lambda lesson: draw_wrong(*lesson.wrong()),
    },
)

if __name__ == "__main__":
    FIGURES.rebuild()
