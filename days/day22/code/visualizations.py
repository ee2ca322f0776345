"""The figures of Day 22. `python -m days.day22.code.visualizations` rebuilds days/day22/outputs/ (two minutes).

draw_* turn arrays into a described Figure; `Lesson` computes what they show.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from days.common.datasets import SHAPE_NAMES, make_shapes
from days.common.figures import (
    ALARM,
    BLUE,
    INK,
    MUTED,
    ORANGE,
    describe,
    draw_panels,
    new_figure,
    plain,
    rebuild,
    save_figure,
    save_gif,
)
from days.common.images import IMAGE_NAMES, load_image
from days.common.models import Model, load_model, softmax
from days.common.paths import outputs_dir
from days.day20.code.visualizations import draw_rows
from days.day22.code import attribution, randomization, rocket, scoring
from days.day22.code.maps import overlay, smoothed

SIZE = 224
LAYERS = ("conv1_activation", "fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9")
LAYER = "fire9"
ASKED = {
    "chelsea": ("Egyptian cat", "tabby", "tiger cat"),
    "coffee": ("espresso", "consomme", "cup"),
    "motorcycle_left": ("motor scooter", "disk brake", "moped"),
}
"""Photos and categories of the lesson, the network's first answers to each, and the cup that it does not name."""
FINE = ("saliency", "SmoothGrad", "integrated gradients", "guided backpropagation")
"""The methods whose maps have the photo's own resolution: drawn blurred by 2 pixels, or nothing could be seen."""
STAGES = {"untouched": 0, "conv10": 1, "fire9": 2, "fire8": 3, "fire6": 5, "fire4": 7, "conv1": 10}
"""Stages of the cascade that are shown, by the layer shuffled last: how many layers are shuffled."""
CASCADED = {
    "saliency": (BLUE, "-"),
    "SmoothGrad": (BLUE, "--"),
    "integrated gradients": (BLUE, ":"),
    "guided backpropagation": (ALARM, "-"),
    "Grad-CAM": (ORANGE, "-"),
    "occlusion": (INK, "--"),
}
"""The methods whose maps are watched while the network is shuffled, with the color and the style of their lines."""


# ---------------------------------------------------------------- draw_*: arrays -> Figure


def marked(photo: np.ndarray, one: np.ndarray, method: str = "", *, top: float | None = None) -> np.ndarray:
    """A map on its photo as the lesson shows it: fine maps blurred, their strongest half percent in the last color."""
    if method in FINE:
        one = smoothed(one, 2.0)
        top = top or max(float(np.percentile(one, 99.5)), 1e-12)
    return overlay(photo, one, 0.8, top=top)


def draw_scores(table: dict[str, dict[str, tuple[float, float, float]]], count: int) -> Figure:
    """{method: {measure: (mean, low, high)}}, one line a method, one panel a measure."""
    measures, names = list(next(iter(table.values()))), list(table)
    figure = new_figure(9.6, 0.4 * len(names) + 1.3)
    figure.suptitle(f"means over {count} images, with their 95 % bootstrap intervals", fontsize=10)
    places = np.arange(len(names))[::-1]
    for axes, measure in zip(figure.subplots(1, len(measures), sharey=True), measures, strict=True):
        for place, name in zip(places, names, strict=True):
            mean, low, high = table[name][measure]
            color = MUTED if name in CONTROLS else BLUE
            axes.plot([low, high], [place, place], color=color, linewidth=2)
            axes.plot(mean, place, "s" if name in CONTROLS else "o", color=color, markersize=4)
            axes.annotate(f"{mean:.2f}", (mean, place), (0, 4), textcoords="offset points", fontsize=7, ha="center")
        axes.set_title(f"{measure}\n({'less' if measure == 'deletion' else 'more'} is better)", fontsize=9)
        axes.set_yticks(places, names, fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(axis="y", linewidth=0.4)
        axes.spines[["top", "right"]].set_visible(False)
    best = {one: (min if one == "deletion" else max)(names, key=lambda name: table[name][one][0]) for one in measures}
    said = ", ".join(f"{measure}: {name}" for measure, name in best.items())
    return describe(figure, f"Four panels of dots with intervals for {', '.join(names)}. Best by {said}.")


def draw_cascade(curves: dict[str, list], layers: Sequence[str]) -> Figure:
    """{method: similarities (stages + 1)}: rank correlation and structure against the layer that was shuffled last."""
    figure = new_figure(9.6, 3.5)
    places = np.arange(len(layers) + 1)
    panels = {"rank": "correlation of ranks", "structure": "structural similarity"}
    for axes, (field, title) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        for name, found in curves.items():
            color, style = CASCADED[name]
            axes.plot(places, [getattr(one, field) for one in found], style, color=color, marker=".", label=name)
        axes.axhline(0, color=INK, linewidth=0.6)
        axes.set_xticks(places, ["none", *layers], rotation=45, ha="right", fontsize=8)
        axes.set_title(f"{title} with the untouched network's map, mean of 3 shufflings", fontsize=8)
        axes.set_xlabel("shuffled from the last layer down to", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8, frameon=False)
    said = ", ".join(f"{name} {found[-1].rank:.2f}" for name, found in curves.items())
    return describe(figure, f"Curves that fall from 1 while layers are shuffled; ranks, all layers shuffled: {said}.")


def draw_explanation(photo: np.ndarray, one: np.ndarray, title: str, method: str, strength: float) -> Figure:
    """A photo, the map on it, and the map alone (h, w) on its own scale, which is printed."""
    figure = new_figure(9.6, 3.5)
    figure.suptitle(title, fontsize=10)
    fine = smoothed(one, 2.0) if method in FINE else one
    top = max(float(np.percentile(fine, 99.5 if method in FINE else 100)), 1e-12)
    left, middle, right = figure.subplots(1, 3)
    plain(left, "photo").imshow(photo)
    plain(middle, f"{method} on it, strength {strength:.1f}").imshow(overlay(photo, fine, strength, top=top))
    shown = plain(right, f"the map, {one.shape[0]} x {one.shape[1]}").imshow(fine, cmap="inferno", vmin=0, vmax=top)
    figure.colorbar(shown, ax=right, fraction=0.046, pad=0.02).ax.tick_params(labelsize=7)
    place = [f"{(index + 0.5) / length:.0%}" for index, length in zip(_strongest(fine), fine.shape, strict=True)]
    where = f"strongest {place[0]} from the top, {place[1]} from the left" if fine.max() > 0 else "nothing above 0"
    return describe(figure, f"{title}: {method}, {where}; values up to {fine.max():.3g}.")


def _strongest(one: np.ndarray) -> tuple[int, int]:
    return np.unravel_index(int(one.argmax()), one.shape)


def draw_occlusion(photo: np.ndarray, found: np.ndarray, falls: Sequence[float], count: int, title: str) -> Figure:
    """A photo with its gray square, the map so far (H, W), and the score of every look so far, `count` in all."""
    figure = new_figure(7.2, 3.9)
    figure.suptitle(title, fontsize=10)
    top, bottom = figure.subplots(2, 1, height_ratios=[2.4, 1])
    plain(top).imshow(np.concatenate([photo, np.ones((len(photo), 12, 3)), found], axis=1))
    bottom.plot(falls, color=BLUE, linewidth=1)
    bottom.set(xlim=(0, count), ylim=(-3, 9))
    bottom.axhline(0, color=INK, linewidth=0.6)
    bottom.set_xlabel("squares so far, row by row from the top left", fontsize=8)
    bottom.set_ylabel("score falls by", fontsize=8)
    bottom.tick_params(labelsize=7)
    bottom.spines[["top", "right"]].set_visible(False)
    return describe(figure, f"{title}: after {len(falls)} of {count} squares.")


# ---------------------------------------------------------------- what they show


CONTROLS = ("centered blob", "random map")


class Lesson:
    """Everything that the stored figures show, computed once, in PyTorch."""

    @cached_property
    def backend(self):
        """This day's, for PyTorch."""
        from days.day22.code import torch_backend

        return torch_backend

    @cached_property
    def model(self) -> Model:
        """The trained SqueezeNet."""
        return load_model("squeezenet")

    @cached_property
    def methods(self) -> dict[str, Callable]:
        """{name: function (network, batch, category) -> map}; Grad-CAM's layer is fire9."""
        return scoring.standard_methods(LAYER)

    @lru_cache(maxsize=200)  # noqa: B019 - a lesson lives as long as its figures
    def map(self, method: str, photo: str, category: str) -> np.ndarray:
        """The map of one method, of the trained SqueezeNet, for a category's score on a bundled photo."""
        return self.methods[method](self.model.network, self.batch(photo), category)

    def batch(self, photo: str):
        """A bundled photo at the lesson's size, as SqueezeNet takes it."""
        return self.model.preprocess(load_image(photo, size=SIZE))

    def grad_cam(self, photo: str, category, layer: str = LAYER, **how) -> np.ndarray:
        """Grad-CAM of the trained SqueezeNet."""
        return self.backend.grad_cam(self.model.network, self.batch(photo), layer, category, **how)

    @cached_property
    def cascade(self) -> dict[str, list]:
        """The means of `randomization.cascade` over three seeds: Egyptian cat on chelsea."""
        methods = scoring.standard_methods(LAYER, steps=32, stride=32)
        chosen = {
            name: lambda network, method=methods[name]: method(network, self.batch("chelsea"), "Egyptian cat")
            for name in CASCADED
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # 32 steps are complete to some percent, enough for ranks
            runs = [randomization.cascade(self.model.network, chosen, seed=seed) for seed in range(3)]
        return {name: mean_similarities([run[name] for run in runs]) for name in CASCADED}

    @cached_property
    def witness(self) -> Model:
        """EfficientNet-Lite0, which gets the rocket right, by a little."""
        return load_model("efficientnet_lite0")

    def shapes(self, count: int, seed: int = 1):
        """Day 18's network, held-out shapes, their maps {method: (N, H, W)}, and its probabilities as a function."""
        from days.day18.code import torch_backend as shapes_backend

        model, data = shapes_backend.shapes_model(), make_shapes(count, seed=seed)
        methods = scoring.standard_methods(SHAPES_LAYER, size=8, stride=4, names=model.categories)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # few of 500 are complete to 2 or 3 instead of 1 percent
            found = scoring.shape_maps(methods, model.network, data, shapes_backend.to_batch)
        return data, found, lambda images: softmax(shapes_backend.scores(model.network, images))


def mean_similarities(runs: Sequence[Sequence[randomization.Similarity]]) -> list[randomization.Similarity]:
    """The mean of several runs of the cascade, stage by stage."""
    return [randomization.Similarity(*np.mean(stage, axis=0)) for stage in zip(*runs, strict=True)]


SHAPES_LAYER = "conv3_activation"


def _figure_methods(lesson: Lesson) -> Figure:
    rows = {}
    for name, category in (
        ("chelsea", "Egyptian cat"),
        ("coffee", "espresso"),
        ("motorcycle_left", "motor scooter"),
        ("rocket", "drilling platform"),
    ):
        photo = load_image(name, size=SIZE)
        found = [marked(photo, lesson.map(method, name, category), method) for method in lesson.methods]
        rows[category.replace(" ", "\n")] = np.stack([photo, *found])
    heads = ["photo", *(name.replace(" ", "\n") for name in lesson.methods)]
    alt = (
        "Four photos, each beside six maps for the category that SqueezeNet names. On the cat the strongest spot of "
        "five lies in or below the left eye, Grad-CAM's on the whiskers; on the cup most mark the coffee or the rim."
    )
    title = "six methods, one question: what made it this category? Each map scaled by itself\n"
    return draw_rows(rows, title, heads=heads, margin=0.3, alt=alt)


def _figure_layers(lesson: Lesson) -> Figure:
    rows = {}
    for name, (category, *_) in ASKED.items():
        photo = load_image(name, size=SIZE)
        rows[category.replace(" ", "\n")] = np.stack(
            [marked(photo, lesson.grad_cam(name, category, layer)) for layer in LAYERS]
        )
    alt = (
        "Grad-CAM of nine layers on three photos: on the cat the eyes in the first three layers, then little, "
        "then spots at the eye, the cheeks and the whiskers; on the cup only fire9 fills the coffee."
    )
    heads = [name.removesuffix("_activation") for name in LAYERS]
    return draw_rows(rows, "Grad-CAM, layer by layer, each map scaled by itself", heads=heads, margin=0.6, alt=alt)


def _figure_categories(lesson: Lesson) -> Figure:
    panels, labels = [], []
    for name, categories in ASKED.items():
        photo, batch = load_image(name, size=SIZE), lesson.batch(name)
        maps = lesson.grad_cam(name, list(categories))
        shares = softmax(lesson.model.logits(batch))[0]
        panels += [photo, *(marked(photo, one, top=maps.max()) for one in maps)]
        labels += [name, *(f"{one}: {shares[lesson.model.categories.index(one)]:.2f}" for one in categories)]
    alt = "Three photos and Grad-CAM for three categories of each, which look almost the same within a photo."
    title = "Grad-CAM at fire9 for three categories of a photo, with their probability; each row on one scale"
    return draw_panels(np.stack(panels), title=title, labels=labels, columns=4, alt=alt)


@lru_cache(maxsize=2)
def _shapes(lesson: Lesson, count: int):
    return lesson.shapes(count)


def _figure_shapes(lesson: Lesson) -> Figure:
    data, found, _ = _shapes(lesson, 500)
    rows = {}
    for label, name in enumerate(SHAPE_NAMES):
        index = int(np.flatnonzero(data.labels == label)[1])
        photo = data.images[index]
        panels = [photo, np.where(data.masks[index][..., None], np.ones(3), 0.15)]
        panels += [overlay(photo, maps[index], 0.8) for maps in found.values()]
        rows[name] = np.stack(panels).repeat(3, axis=1).repeat(3, axis=2)
    alt = (
        "Six pictures of shapes with their masks, and the maps of six methods and two controls: four methods mark "
        "pieces of the outline, occlusion squares on the shape, Grad-CAM spots that often lie beside it."
    )
    heads = ["image", "mask", *(name.replace("backpropagation", "backprop.").replace(" ", "\n") for name in found)]
    title = "six shapes, whose truth is known; each map scaled by itself\n"
    return draw_rows(rows, title, heads=heads, margin=0.4, alt=alt)


def _figure_scores(lesson: Lesson) -> Figure:
    data, found, probabilities = _shapes(lesson, 500)
    return draw_scores(scoring.summary(scoring.score_table(found, data, probabilities)), len(data))


def _figure_cascade_maps(lesson: Lesson) -> Figure:
    photo, rows = load_image("chelsea", size=SIZE), {}
    networks = [
        lesson.backend.randomized(lesson.model.network, list(randomization.CASCADE[:count]), 0) if count else None
        for count in STAGES.values()
    ]
    methods = scoring.standard_methods(LAYER, stride=32)
    for name in CASCADED:
        maps = [
            methods[name](network or lesson.model.network, lesson.batch("chelsea"), "Egyptian cat")
            for network in networks
        ]
        rows[name.replace(" ", "\n")] = np.stack([marked(photo, one, name) for one in maps])
    alt = (
        "Six methods' maps of the cat while the network is shuffled from its last layer to its first. Guided "
        "backpropagation goes on drawing eyes and nose; the others turn to noise or wander off."
    )
    title = "Egyptian cat: all layers from the last to the one named are shuffled; each map scaled by itself"
    return draw_rows(rows, title, heads=list(STAGES), alt=alt)


def _figure_scales(lesson: Lesson) -> Figure:
    maps = {name: lesson.grad_cam(name, "Egyptian cat") for name in IMAGE_NAMES}
    top = max(one.max() for one in maps.values())
    photos = {name: load_image(name, size=SIZE) for name in IMAGE_NAMES}
    rows = {
        "each by\nitself": np.stack([marked(photos[name], one) for name, one in maps.items()]),
        "one scale": np.stack([marked(photos[name], one, top=top) for name, one in maps.items()]),
    }
    alt = (
        "Grad-CAM for Egyptian cat on seven photos, one of a cat. Scaled each by itself every photo has its bright "
        "spot; on one scale only the cat's stays bright."
    )
    title = f"where is the Egyptian cat? Grad-CAM at fire9; one scale: pale yellow is {top:.2f}"
    return draw_rows(rows, title, heads=list(photos), margin=0.5, alt=alt)


GUIDED = ("Egyptian cat", "espresso", "drilling platform", "goldfish")


def _figure_guided(lesson: Lesson) -> Figure:
    photo, rows = load_image("chelsea", size=SIZE), {}
    for name in ("guided backpropagation", "saliency", "Grad-CAM"):
        maps = [lesson.map(name, "chelsea", category) for category in GUIDED]
        rows[name.replace(" ", "\n")] = np.stack([marked(photo, one, name) for one in maps])
    alt = (
        "The cat, asked for four categories. Guided backpropagation marks the same eyes and nose for all of them; "
        "saliency and Grad-CAM change with the category."
    )
    title = "one photo, asked for four categories; each map scaled by itself"
    return draw_rows(rows, title, heads=GUIDED, width=7.2, alt=alt)


def _figure_rocket(lesson: Lesson) -> Figure:
    photo, panels, labels = load_image("rocket", size=SIZE), [], []
    for part in ("nothing", "both towers", "rocket", "their upper masts"):
        image = rocket.wiped(photo, rocket.PARTS[part])
        said = [
            f"{model.name}: {name} {share:.2f}"
            for model in (lesson.model, lesson.witness)
            for name, share in model.predict(image, 1)
        ]
        panels.append(image)
        labels.append("\n".join([f"{part} wiped", *said]))
    for name, category in (
        ("occlusion", "drilling platform"),
        ("Grad-CAM", "drilling platform"),
        ("occlusion", "missile"),
        ("Grad-CAM", "missile"),
    ):
        panels.append(marked(photo, lesson.map(name, "rocket", category), name))
        labels.append(f"{name}: {category}")
    alt = (
        "The rocket between two lattice towers, and the same photo with towers, rocket or masts wiped away, each with "
        "both networks' answers. Below, occlusion and Grad-CAM for drilling platform and for missile."
    )
    return draw_panels(
        np.stack(panels),
        title="why a drilling platform? above: what both networks say; below: maps of SqueezeNet",
        labels=labels,
        columns=4,
        alt=alt,
    )


def _figure_explorer(lesson: Lesson) -> Figure:
    one = lesson.grad_cam("chelsea", "Egyptian cat")
    return draw_explanation(load_image("chelsea", size=SIZE), one, "chelsea, Egyptian cat, fire9", "Grad-CAM", 0.8)


FIGURES: dict[str, Callable[[Lesson], Figure]] = {
    "00_six_methods.jpg": _figure_methods,
    "01_layers.jpg": _figure_layers,
    "02_categories.jpg": _figure_categories,
    "03_shapes.png": _figure_shapes,
    "04_scores.png": _figure_scores,
    "05_cascade_maps.jpg": _figure_cascade_maps,
    "06_cascade.png": lambda lesson: draw_cascade(lesson.cascade, randomization.CASCADE),
    "07_scales.jpg": _figure_scales,
    "08_guided.jpg": _figure_guided,
    "09_rocket.jpg": _figure_rocket,
    "11_explorer.jpg": _figure_explorer,
}
OCCLUSION_GIF = "10_occlusion.gif"


def plot_figure(name: str, lesson: Lesson | None = None) -> Path:
    """Rebuild one still figure of `FIGURES` in the day's outputs folder and return its path."""
    return save_figure(FIGURES[name](lesson or Lesson()), outputs_dir(22) / name)


def anim_occlusion(lesson: Lesson | None = None) -> Path:
    """Rebuild the animation: a gray square walks over the cat, and the map fills where the score falls."""
    lesson = lesson or Lesson()
    photo, size = load_image("chelsea", size=SIZE), 32
    places = list(attribution.squares(SIZE, SIZE, size, size // 2))
    number = lesson.model.categories.index("Egyptian cat")
    before = lesson.model.logits(lesson.batch("chelsea"))[0, number]
    total, times, falls, frames = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE)), [], []
    whole = lesson.map("occlusion", "chelsea", "Egyptian cat").max()
    for place, (rows, columns) in enumerate(places):
        covered = photo.copy()
        covered[rows, columns] = np.array([123, 117, 104]) / 255
        falls.append(float(before - lesson.model.logits(lesson.model.preprocess(covered))[0, number]))
        total[rows, columns] += falls[-1]
        times[rows, columns] += 1
        if place % 7 == 6:
            found = marked(photo, total / np.maximum(times, 1), top=whole)
            frames.append(draw_occlusion(covered, found, falls, len(places), "occlusion: Egyptian cat"))
    alt = "A gray square walks over a cat's face; the score falls most where it covers the left eye, which lights up."
    return save_gif([frames[-1], *frames, *frames[-1:] * 6], outputs_dir(22) / OCCLUSION_GIF, alt)


def jobs() -> dict[str, Callable[[], Path]]:
    """What rebuilds each picture of the day, by the name of its file."""
    lesson = Lesson()
    return {name: partial(plot_figure, name, lesson) for name in FIGURES} | {
        OCCLUSION_GIF: partial(anim_occlusion, lesson)
    }


def main() -> list[Path]:
    """Rebuild every picture of the day with a progress bar; returns the paths in order."""
    return rebuild(jobs(), "Day 22 figures")


if __name__ == "__main__":
    main()
