"""The figures of Day 22. `python -m days.day22.code.visualizations` rebuilds days/day22/outputs/ (two minutes)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from days.common.colors import BLUE, INK, MUTED
from days.common.datasets import SHAPE_NAMES
from days.common.figures import Figures, chart, describe, draw_panels, new_figure, plain, save_gif
from days.common.images import IMAGE_NAMES, load_image
from days.common.paths import outputs_dir
from days.day20.code.visualizations import draw_rows
from days.day22.code import methods, rocket
from days.day22.code.attribution import Rather
from days.day22.code.lesson import ASKED, LAYERS, SIZE, STAGES, Lesson, visible
from days.day22.code.maps import overlay
from days.day22.code.mosaics import categories_of
from days.day22.code.pointing import CONTROLS, load_hits, shares

# ---------------------------------------------------------------- draw_*: arrays -> Figure


def marked(photo: np.ndarray, heatmap: np.ndarray, *, top: float | None = None) -> np.ndarray:
    """A heatmap (h, w) on its photo (H, W, 3), as an image; `top`, or its largest value, gets the last color."""
    return overlay(photo, heatmap, 0.8, top=top)


def draw_pointing(tests: dict[str, dict[str, tuple[float, float, float]]]) -> Figure:
    """{test: {method: (mean, low, high)}}, one line a method, one panel a test."""
    names = list(next(iter(tests.values())))
    figure = new_figure(9.6, 0.38 * len(names) + 1.3)
    figure.suptitle("how often the map's largest value lies on what was asked for, 95 % intervals", fontsize=10)
    places = np.arange(len(names))[::-1]
    for axes, (test, found) in zip(figure.subplots(1, len(tests), sharey=True), tests.items(), strict=True):
        for place, name in zip(places, names, strict=True):
            mean, low, high = found[name]
            color = MUTED if name in CONTROLS else BLUE
            axes.plot([low, high], [place, place], color=color, linewidth=2)
            axes.plot(mean, place, "s" if name in CONTROLS else "o", color=color, markersize=4)
            axes.annotate(f"{mean:.2f}", (mean, place), (0, 4), textcoords="offset points", fontsize=7, ha="center")
        axes.set_yticks(places, names, fontsize=8)
        axes.set_xlim(-0.05, 1.08)
        chart(axes, test)
        axes.grid(axis="y", linewidth=0.4)
    best = [f"{' '.join(test.split())}: {max(found, key=lambda name: found[name][0])}" for test, found in tests.items()]
    return describe(figure, f"Dots with intervals for {', '.join(names)}. Best at {'; '.join(best)}.")


def draw_explanation(
    photo: np.ndarray, heatmap: np.ndarray, title: str, method: str, strength: float, *, top: float | None = None
) -> Figure:
    """A photo, the heatmap (h, w) on it, and the heatmap alone on its own scale, 0 to `top` or its largest value."""
    figure = new_figure(9.6, 3.5)
    figure.suptitle(title, fontsize=10)
    top = top or max(float(heatmap.max()), 1e-12)
    left, middle, right = figure.subplots(1, 3)
    plain(left, "image").imshow(photo)
    plain(middle, f"{method} on it").imshow(overlay(photo, heatmap, strength, top=top))
    what = f"the map, {heatmap.shape[0]} x {heatmap.shape[1]}"
    shown = plain(right, what).imshow(heatmap, cmap="inferno", vmin=0, vmax=top)
    figure.colorbar(shown, ax=right, fraction=0.046, pad=0.02).ax.tick_params(labelsize=7)
    return describe(figure, describe_explanation(heatmap, title, method))


def describe_explanation(heatmap: np.ndarray, title: str, method: str) -> str:
    """A heatmap (h, w) in words: where its strongest value lies, and how large that is."""
    strongest = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    down, across = ((index + 0.5) / length for index, length in zip(strongest, heatmap.shape, strict=True))
    where = f"strongest {down:.0%} from the top, {across:.0%} from the left" if heatmap.max() > 0 else "nothing above 0"
    return f"{title}: {method}, {where}; values up to {heatmap.max():.3g}."


def draw_occlusion(photo: np.ndarray, heatmap: np.ndarray, falls: Sequence[float], count: int, title: str) -> Figure:
    """A photo with its gray square, the photo (H, W, 3) with the map so far, and all falls of the score, of `count`."""
    figure = new_figure(7.2, 3.9)
    figure.suptitle(title, fontsize=10)
    top, bottom = figure.subplots(2, 1, height_ratios=[2.4, 1])
    plain(top).imshow(np.concatenate([photo, np.ones((len(photo), 12, 3)), heatmap], axis=1))
    bottom.plot(falls, color=BLUE, linewidth=1)
    bottom.set(xlim=(0, count), ylim=(-3, 9))
    bottom.axhline(0, color=INK, linewidth=0.6)
    chart(bottom, x="squares so far, row by row from the top left", y="score falls by", ticks=7)
    return describe(figure, f"{title}: after {len(falls)} of {count} squares.")


# ---------------------------------------------------------------- the stored figures


def _seen(photo: np.ndarray, heatmap: np.ndarray, method: str) -> np.ndarray:
    shown, top = visible(heatmap, method)
    return marked(photo, shown, top=top)


def _in_lines(name: str) -> str:
    return name.replace(" ", "\n")


def _figure_methods(lesson: Lesson) -> Figure:
    asked = {"coffee": "espresso", "motorcycle_left": "motor scooter", "rocket": "drilling platform"}
    rows = {}
    for name, category in ({"chelsea": "Egyptian cat"} | asked).items():
        photo = load_image(name, size=SIZE)
        seen = [_seen(photo, lesson.map(method, name, category), method) for method in lesson.methods]
        rows[_in_lines(category)] = np.stack([photo, *seen])
    alt = (
        "Four photos, each beside six maps for the category that SqueezeNet names. On the cat the strongest spot of "
        "five lies in or below the left eye, Grad-CAM's on the whiskers; on the cup most mark the coffee or the rim."
    )
    title = "six methods, one question: what made it this category? Each map scaled by itself\n"
    return draw_rows(rows, title, heads=["photo", *map(_in_lines, lesson.methods)], margin=0.3, alt=alt)


def _figure_layers(lesson: Lesson) -> Figure:
    rows = {}
    for name, (category, *_) in ASKED.items():
        maps = (lesson.grad_cam(name, category, layer) for layer in LAYERS)
        rows[_in_lines(category)] = np.stack([marked(load_image(name, size=SIZE), heatmap) for heatmap in maps])
    alt = (
        "Grad-CAM of nine layers on three photos: on the cat the eyes in the first three layers, then little, "
        "then spots at the eye, the cheeks and the whiskers; on the cup only fire9 fills the coffee."
    )
    heads = [name.removesuffix("_activation") for name in LAYERS]
    return draw_rows(rows, "Grad-CAM, layer by layer, each map scaled by itself", heads=heads, margin=0.6, alt=alt)


def _figure_categories(lesson: Lesson) -> Figure:
    rows = {}
    for name, (this, other, *_) in ASKED.items():
        photo, asked = load_image(name, size=SIZE), [this, other, Rather(this, other), Rather(other, this)]
        maps = lesson.grad_cam(name, asked)
        tops = [maps[:2].max()] * 2 + [maps[2:].max()] * 2
        seen = [marked(photo, heatmap, top=top) for heatmap, top in zip(maps, tops, strict=True)]
        rows[f"{this}\nor {other}?"] = np.stack([photo, *seen])
    alt = (
        "Three photos, each with Grad-CAM for two categories, which look almost the same, and for the one rather than "
        "the other, which do not: each of these marks places that the other leaves dark."
    )
    heads = ["photo", "the first", "the second", "first rather\nthan second", "second rather\nthan first"]
    title = "Grad-CAM at fire9; the two categories on one scale, the two differences on another\n"
    return draw_rows(rows, title, heads=heads, margin=0.9, width=8.4, alt=alt)


def _figure_shapes(lesson: Lesson) -> Figure:
    data, heatmaps = lesson.shapes(50)
    shown = [name for name in heatmaps if "earlier" not in name]
    rows = {}
    for label, name in enumerate(SHAPE_NAMES):
        index = int(np.flatnonzero(data.labels == label)[1])
        photo = data.images[index]
        mask = np.where(data.masks[index][..., None], np.ones(3), 0.15)
        panels = np.stack([photo, mask, *(marked(photo, heatmaps[one][index]) for one in shown)])
        rows[name] = panels.repeat(3, axis=1).repeat(3, axis=2)
    alt = (
        "Six pictures of shapes with their masks, and the maps of six methods and two controls: four methods mark "
        "pieces of the outline, occlusion squares on the shape, Grad-CAM spots that often lie beside it."
    )
    heads = ["image", "mask", *(_in_lines(name.replace("backpropagation", "backprop.")) for name in shown)]
    title = "six shapes, whose truth is known; each map scaled by itself\n"
    return draw_rows(rows, title, heads=heads, margin=0.4, alt=alt)


def _figure_mosaics(lesson: Lesson) -> Figure:
    pictures = lesson.pictures
    shown = ("saliency", "integrated gradients", "guided backpropagation", "Grad-CAM", "occlusion")
    rows, names = {}, categories_of(lesson.model, pictures[:7])
    for index in (0, 1, 4):
        photo = pictures.images[index]
        asked = np.where(pictures.masks[index][..., None], photo, 0.2)
        heatmaps = lesson.mosaic("squeezenet", index)
        seen = [_seen(photo, heatmaps[name][0], name) for name in shown]
        rows[_in_lines(lesson.model.categories[names[index]])] = np.stack([photo, asked, *seen])
    alt = (
        "Three pictures of two by two photos, the photo that is asked for, and five maps of each. Grad-CAM and "
        "occlusion mostly stay in the right quarter; guided backpropagation marks edges in all four."
    )
    heads = ["picture", "asked for", *map(_in_lines, shown)]
    title = "four photos in one picture, one of them asked for; each map scaled by itself\n\n"
    return draw_rows(rows, title, heads=heads, margin=0.5, alt=alt)


def _figure_cascade_maps(lesson: Lesson) -> Figure:
    photo, rows = load_image("chelsea", size=SIZE), {}
    for name, maps in lesson.shuffled_maps().items():
        rows[_in_lines(name)] = np.stack([_seen(photo, heatmap, name) for heatmap in maps])
    alt = (
        "Six methods' maps of the cat while the network is shuffled from its last layer to its first. Guided "
        "backpropagation goes on drawing eyes and nose; the others turn to noise or wander off."
    )
    title = "Egyptian cat: all layers from the last to the one named are shuffled; each map scaled by itself"
    return draw_rows(rows, title, heads=list(STAGES), alt=alt)


def _figure_scales(lesson: Lesson) -> Figure:
    pairs = [(load_image(name, size=SIZE), lesson.grad_cam(name, "Egyptian cat")) for name in IMAGE_NAMES]
    top = max(heatmap.max() for _, heatmap in pairs)
    rows = {"each by\nitself": np.stack([marked(*pair) for pair in pairs])}
    rows["one scale"] = np.stack([marked(*pair, top=top) for pair in pairs])
    alt = (
        "Grad-CAM for Egyptian cat on seven photos, one of a cat. Scaled each by itself every photo has its bright "
        "spot; on one scale only the cat's stays bright."
    )
    title = f"where is the Egyptian cat? Grad-CAM at fire9; one scale: pale yellow is {top:.2f}"
    return draw_rows(rows, title, heads=IMAGE_NAMES, margin=0.5, alt=alt)


def _figure_rocket(lesson: Lesson) -> Figure:
    photo, panels, labels = load_image("rocket", size=SIZE), [], []
    for part in ("nothing", "both towers", "rocket", "their upper masts"):
        image = rocket.wiped(photo, rocket.PARTS[part])
        answers = [(model.name, *model.predict(image, 1)[0]) for model in (lesson.model, lesson.witness)]
        panels.append(image)
        labels.append("\n".join([f"{part} wiped", *("{}: {} {:.2f}".format(*answer) for answer in answers)]))
    for category, name in product(("drilling platform", "missile"), ("occlusion", "Grad-CAM")):
        panels.append(marked(photo, lesson.map(name, "rocket", category)))
        labels.append(f"{name}: {category}")
    alt = (
        "The rocket between two lattice towers, and the same photo with towers, rocket or masts wiped away, each with "
        "both networks' answers. Below, occlusion and Grad-CAM for drilling platform and for missile."
    )
    title = "why a drilling platform? above: what both networks say; below: maps of SqueezeNet"
    return draw_panels(np.stack(panels), title=title, labels=labels, columns=4, alt=alt)


def _figure_explorer(lesson: Lesson) -> Figure:
    photo, heatmap = load_image("chelsea", size=SIZE), lesson.grad_cam("chelsea", "Egyptian cat")
    return draw_explanation(photo, heatmap, "chelsea, Egyptian cat, fire9", "Grad-CAM", 0.8)


OCCLUSION_GIF = "10_occlusion.gif"


def anim_occlusion(lesson: Lesson) -> Path:
    """Rebuild the animation: a gray square walks over the cat, and the map fills where the score falls."""
    photo, steps = load_image("chelsea", size=SIZE), len(list(methods.squares(SIZE, SIZE, 32, 16)))
    top, frames = lesson.map("occlusion", "chelsea", "Egyptian cat").max(), []
    for step, (covered, heatmap, falls) in enumerate(lesson.walk(32)):
        if step % 7 == 6:
            shown = marked(photo, heatmap, top=top)
            frames.append(draw_occlusion(covered, shown, falls, steps, "occlusion: Egyptian cat"))
    alt = "A gray square walks over a cat's face; the score falls most where it covers the left eye, which lights up."
    return save_gif([frames[-1], *frames, *frames[-1:] * 6], outputs_dir(22) / OCCLUSION_GIF, alt)


FIGURES = Figures(
    22,
    Lesson,
    {
        "00_six_methods.jpg": _figure_methods,
        "01_layers.jpg": _figure_layers,
        "02_categories.jpg": _figure_categories,
        "03_shapes.png": _figure_shapes,
        "04_pointing.png": lambda lesson: draw_pointing(shares(load_hits())),
        "05_cascade_maps.jpg": _figure_cascade_maps,
        "06_mosaics.jpg": _figure_mosaics,
        "07_scales.jpg": _figure_scales,
        "09_rocket.jpg": _figure_rocket,
        "11_explorer.jpg": _figure_explorer,
    },
    {OCCLUSION_GIF: anim_occlusion},
)

if __name__ == "__main__":
    FIGURES.rebuild()
