"""The figures of Day 20. `python -m days.day20.code.visualizations` rebuilds days/day20/outputs/ (two minutes).

draw_* turn arrays into a described Figure; `Lesson` grows the pictures that the stored ones show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from days.common import figures as fg
from days.common.colors import ALARM, BLUE, INK, MUTED, ORANGE
from days.common.models import load_model
from days.common.paths import outputs_dir
from days.day20.code import evidence, objectives
from days.day20.code.ascent import Ascent
from days.day20.code.lesson import CHANNELS, EFFICIENTNET_LAYERS, OBJECTIVES, SQUEEZENET_LAYERS, Lesson


def draw_rows(
    rows: dict[str, np.ndarray],
    title: str,
    *,
    heads: Sequence[str] = (),
    notes: dict[str, str] | None = None,
    width: float = 9.6,
    margin: float = 0.9,
    alt: str,
) -> Figure:
    """Pictures in named rows: {name: images (n, h, w, 3)}, rows of one length.

    heads : stand above the columns. notes : {name: text}, stand to the right of the rows. margin : room for the names
    on the left, in widths of a picture.
    """
    count = max(map(len, rows.values()))
    breadth = width if notes is None else width - 2.2
    height = len(rows) * breadth / (count + margin)
    figure = fg.new_figure(width, height + 0.4)
    figure.suptitle(title, fontsize=10, color=INK)
    ratios = {} if notes is None else {"width_ratios": [breadth, width - breadth]}
    grid = figure.subplots(len(rows), 1 if notes is None else 2, squeeze=False, gridspec_kw=ratios)
    for axes, (name, images) in zip(grid, rows.items(), strict=True):
        fg.plain(axes[0]).imshow(fg.tile(np.asarray(images), len(images), gap=3), interpolation="lanczos")
        axes[0].set_anchor("W")
        axes[0].set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center", color=INK)
        if name == next(iter(rows)):
            for place, head in enumerate(heads):
                middle = place * (np.shape(images)[2] + 3) + np.shape(images)[2] / 2
                axes[0].text(middle, -4, head, ha="center", va="bottom", fontsize=8, color=MUTED)
        if notes is not None:
            axes[1].axis("off")
            axes[1].text(0, 0.5, notes[name], va="center", fontsize=9, linespacing=1.6, color=INK)
    return fg.describe(figure, alt)


def draw_ladder(ladder: dict[str, np.ndarray], scores: dict[str, np.ndarray]) -> Figure:
    """The pictures of every rung, and means of scores (n, 3) beside them: as it is, moved by one pixel, mirrored."""
    notes = {}
    for name, each in scores.items():
        untouched, moved, mirrored = each.mean(axis=0)
        notes[name] = (
            f"objective {untouched:.0f}\nmoved by one: {moved / untouched:.0%}\nmirrored: {mirrored / untouched:.0%}"
        )
    labels = ", ".join(map(str, CHANNELS))
    kept = "; ".join(f"{name}, {note}".replace("\n", ", ") for name, note in notes.items())
    alt = (
        f"Rows of pictures for channels {labels} of fire7, one knob more each: colored noise from raw pixels, then "
        "gray relief with jitter, loud colors with Fourier, and natural-looking eggs, fur and eyes with decorrelated "
        f"colors. {kept}."
    )
    title = "fire7: one knob more on every rung. Right: the mean objective, and what is kept of it"
    heads = [f"channel {index}" for index in CHANNELS]
    return draw_rows(ladder, title, heads=heads, notes=notes, alt=alt)


def draw_top_nine(rows: dict[str, tuple[np.ndarray, Sequence[np.ndarray], float, float]], count: int) -> Figure:
    """{channel: (grown picture, its best crops, how many times their best by the mean, by the strongest unit)}.

    count : of how many crops they are the best.
    """
    panels = {name: np.stack([picture, *crops]) for name, (picture, crops, *_) in rows.items()}
    notes = {name: f"mean: {mean:.1f} times\nunit: {unit:.1f} times" for name, (*_, mean, unit) in rows.items()}
    title = f"grown, then the best of {count:,} crops; right: the grown picture's response over the best crop's"
    listed = "; ".join(f"{name}, {note}".replace("\n", ", ") for name, note in notes.items())
    alt = f"For each channel a grown picture and the crops of photos that excite it most. {listed}."
    return draw_rows(panels, title, heads=["grown"], notes=notes, alt=alt)


def draw_waves(panels: dict[str, np.ndarray], amplitudes: dict[str, np.ndarray]) -> Figure:
    """Gray panels {title: (h, w)}, and the mean amplitude by frequency of kinds of pictures, each 1 at 1 wave."""
    figure, axes = fg.subplots(9.6, 2.5, 1, len(panels) + 1, width_ratios=[*([1] * len(panels)), 1.5])
    for place, (title, panel) in enumerate(panels.items()):
        fg.plain(axes[place], title).imshow(panel, cmap="gray", interpolation="nearest")
    for (name, values), color, style in zip(amplitudes.items(), (BLUE, ORANGE), ("-", "--"), strict=False):
        axes[-1].loglog(range(1, len(values) + 1), values / values[0], color=color, linestyle=style, label=name)
    axes[-1].loglog([1, len(values)], [1, 1 / len(values)], color=INK, linewidth=0.8, label="1 / frequency")
    fg.chart(axes[-1], "amplitude", "frequency: waves, in any direction", size=9).legend(fontsize=7, frameon=False)
    return fg.describe(
        figure,
        f"Panels: {', '.join(panels)}. Then amplitude against frequency on logarithmic axes: photographs fall "
        "roughly along the line 1 / frequency, or faster; noise drawn pixel by pixel is flat.",
    )


def draw_control(deviations: dict[str, np.ndarray]) -> Figure:
    """How far grown pictures are above the mean crop, in standard deviations, a row for each network: {name: (n,)}."""
    figure, axes = fg.subplots(8, 0.3 * len(deviations) + 0.9)
    for place, (name, values) in enumerate(reversed(deviations.items())):
        color = BLUE if name.startswith("trained") else ORANGE
        axes.scatter(values, np.full(len(values), place), s=14, color=color, alpha=0.7)
        axes.scatter([values.mean()], [place], s=60, marker="|", color=INK)
    rows = [f"{name}: mean {values.mean():.0f}" for name, values in deviations.items()]
    axes.set_yticks(range(len(deviations)), reversed(rows), fontsize=8)
    name = "standard deviations above the mean crop; a dot for each channel, a stroke for their mean"
    fg.chart(axes, x=name, size=9).set_xlim(left=0)
    means = "; ".join(f"{name}: {values.min():.0f} to {values.max():.0f}" for name, values in deviations.items())
    return fg.describe(figure, f"Rows of dots, a network each, in standard deviations above the mean crop: {means}.")


def draw_confusion(answers: dict[str, np.ndarray], channels: Sequence[int]) -> Figure:
    """{title: (pictures, channels)}: how much each picture, a row, excites each channel, a column.

    Each column is divided by its largest answer.
    """
    figure = fg.new_figure(4.2 * len(answers), 4.3)
    grid = figure.subplots(1, len(answers), squeeze=False)[0]
    scale, own = fg.ColorScale("viridis", 0, 1), []
    for axes, (title, values) in zip(grid, answers.items(), strict=True):
        axes.imshow(values / values.max(axis=0), cmap=scale.cmap, vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("channel", fontsize=8)
        axes.set_ylabel("picture, grown for channel", fontsize=8)
        places = range(0, len(channels), 3)
        axes.set_xticks(places, [channels[place] for place in places], fontsize=7)
        axes.set_yticks(places, [channels[place] for place in places], fontsize=7)
        own.append(f"{title}: {int((values.argmax(axis=0) == np.arange(len(channels))).sum())} of {len(channels)}")
    label = "answer; 1 is the largest to that channel, 0 and less is dark"
    fg.add_colorbar(figure, list(grid), scale, label, extend="min")
    return fg.describe(
        figure, f"Squares of answers with a bright diagonal. Own picture excites most: {'; '.join(own)}."
    )


def draw_growing(images: np.ndarray, labels: Sequence[str], history: np.ndarray, steps: int) -> Figure:
    """Pictures (n, h, w, 3) in a row as they stand, above their objectives so far (steps so far, n)."""
    figure, (top, bottom) = fg.subplots(6.4, 2.9, 2, 1, height_ratios=[1.7, 1])
    fg.plain(top).imshow(fg.tile(images, len(images), gap=3))
    for place, (label, line) in enumerate(zip(labels, bottom.plot(history, linewidth=1.2), strict=True)):
        color = (BLUE, ORANGE, ALARM, MUTED)[place % 4]
        line.set_color(color)
        middle = place * (images.shape[2] + 3) + images.shape[2] / 2
        top.text(middle, -4, label, ha="center", va="bottom", fontsize=9, color=color)
    bottom.set(xlim=(0, steps))
    fg.chart(bottom, f"step {len(history)}: objectives, in the colors of the names", title_size=8, ticks=7)
    best = "" if not len(history) else f", objective {history[-1].mean():.3g}"
    return fg.describe(figure, f"{', '.join(labels)} after {len(history)} steps{best}.")


# ---------------------------------------------------------------- the stored figures


def draw_objectives(pictures: np.ndarray) -> Figure:
    """The pictures of `OBJECTIVES`, each below its name."""
    return fg.draw_panels(
        pictures,
        title="one machine, many questions",
        labels=list(OBJECTIVES),
        columns=4,
        alt=f"Grown pictures for {len(OBJECTIVES)} objectives: {', '.join(OBJECTIVES)}. The unit's has detail in its "
        "middle only, the channel's repeats over the whole picture, the mix holds both of its parts.",
    )


def _figure_diversity(lesson: Lesson) -> Figure:
    grown = np.concatenate([lesson.grow("fire7", [40] * 4, diversity=amount) for amount in (0, 0.5)])
    reached = evidence.responses(lesson.model, objectives.requested("fire7", 40, True), grown)[:, 0]
    labels = [
        f"{name}: {value:.0f}" for name, value in zip(["as it comes"] * 4 + ["diversity 0.5"] * 4, reached, strict=True)
    ]
    alt = (
        "Two rows of four pictures, all for channel 40 of fire7. Above, fur with dark eyes four times; below, fur "
        "with eyes as well, and woven arches: one channel, several things."
    )
    title = "fire7, channel 40, four times in one batch, with the objective that each picture reached"
    return fg.draw_panels(grown, title=title, labels=labels, columns=4, alt=alt)


def _gallery(
    names: Sequence[str], channels: range, title: str, seen: str, model: Callable
) -> Callable[[Lesson], Figure]:
    def draw(lesson: Lesson) -> Figure:
        grown = model(lesson)
        rows = {name: lesson.grow(name, channels, model=grown) for name in names}
        alt = f"{title}: {len(names)} rows of grown pictures, {seen}."
        return draw_rows(rows, title, heads=[f"channel {one}" for one in channels], width=8, alt=alt)

    return draw


GROWING_GIF = "08_growing.gif"


def anim_growing(lesson: Lesson) -> Path:
    """Rebuild the animation: four pictures from gray to what their channels love."""
    ascent = Ascent(lesson.model.network, "fire7", CHANNELS, size=lesson.size)
    frames: list[Figure] = []
    history: list[np.ndarray | None] = []
    for step in range(97):
        if step % 6 == 0:
            values = np.array(history).reshape(-1, len(CHANNELS))
            frames.append(draw_growing(ascent.images(), [f"channel {one}" for one in CHANNELS], values, 96))
        history.append(ascent.step())
    alt = "Four gray squares grow, step by step, into eyes, eggs, fur and beaks while their objectives climb."
    # A page on paper shows the first frame: let it be the end.
    return fg.save_gif([frames[-1], *frames, *frames[-1:] * 8], outputs_dir(20) / GROWING_GIF, alt)


FIGURES = fg.Figures(
    20,
    Lesson,
    {
        "01_ladder.jpg": lambda lesson: draw_ladder(
            lesson.ladder, {name: lesson.scores(images) for name, images in lesson.ladder.items()}
        ),
        "02_spectrum.png": lambda lesson: draw_waves(lesson.waves(), lesson.spectra()),
        "04_top_nine.jpg": lambda lesson: draw_top_nine(lesson.top_nine(), len(lesson.crops)),
        "06_objectives.jpg": lambda lesson: draw_objectives(lesson.grow(list(OBJECTIVES.values()), size=160)),
        "07_diversity.jpg": _figure_diversity,
        "09_gallery_squeezenet.jpg": _gallery(
            SQUEEZENET_LAYERS,
            range(0, 64, 8),
            "SqueezeNet, eight channels a layer",
            "from plain colors and stripes in the first layers to textures, eyes, fur and parts of animals in the last",
            lambda lesson: lesson.model,
        ),
        "10_gallery_efficientnet.jpg": _gallery(
            EFFICIENTNET_LAYERS,
            range(8),
            "EfficientNet-Lite0, eight channels a block",
            "from plain colors and grain through ripples and weaves to busy textures that are hard to name",
            lambda lesson: load_model("efficientnet_lite0"),
        ),
        "11_untrained.png": lambda lesson: draw_control(lesson.untrained_control()),
    },
    {GROWING_GIF: anim_growing},
)

if __name__ == "__main__":
    FIGURES.rebuild()
