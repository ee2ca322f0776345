"""The exercises of Day 21. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import numpy as np
import scipy

from days.common import cases
from days.common.exercises import exercise
from days.common.tasks import task
from days.day21.code import budget


def _step(generator, shape, step_size, strength, ends=(0, 0, 0.02, 0.97, 1, 1)):
    """A picture, faint but for some values at the ends, a lopsided gradient, and a step that reaches over them."""
    picture = cases.planted(generator, generator.uniform(0.2, 0.8, shape), ends)
    return picture, generator.normal(0.4, 1, shape) * strength, step_size


def _step_by_step(picture, gradient, step_size):
    size = sum(map(abs, gradient.ravel())) / gradient.size
    moved = [old + step_size * way / size for old, way in zip(picture.ravel(), gradient.ravel(), strict=True)]
    return np.array([min(1.0, max(0.0, value)) for value in moved]).reshape(picture.shape)


@exercise(
    "9.1 · 10 min · ●○○",
    cases=cases.drawn(_step, ((4, 5, 3), 0.05, 0.001), ((3, 3, 3), 0.1, 400.0), ((6, 2, 3), 0.03, 7.0, ())),
    truth=_step_by_step,
    mistakes=[
        "That goes down: the gradient points to where the objective grows, so it is added.",
        ("picture +", "picture -"),
        "Values below 0 or above 1 are left: np.clip(..., 0, 1) at the end.",
        (", 0, 1)", ", -np.inf, np.inf)"),
        "The gradient is not normalized: divide it by the mean of its absolute values.",
        (" / np.abs(gradient).mean()", ""),
        "Divided by the gradient's mean, where plus and minus cancel; wanted is the mean of np.abs(gradient).",
        ("np.abs(gradient)", "gradient"),
        "Divided by the largest value, so that one strong pixel makes all steps small; wanted is the mean.",
        (".mean()", ".max()"),
    ],
    hints=[
        "np.abs(gradient).mean() is how large the gradient is.",
        "Divided by that, its values have the mean size 1; times step_size, they have the mean size step_size.",
        "Add it to the picture (up, not down), and cut what lies beyond 0 and 1.",
    ],
)
def step_up(picture, gradient, step_size):
    """Picture and gradient (H, W, 3) -> the picture one step up, in [0, 1].

    The gradient is first divided by the mean of its absolute values.
    """
    return np.clip(picture + step_size * gradient / np.abs(gradient).mean(), 0, 1)


def _halve(image):
    return image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2).mean(axis=(1, 3))


def _double(image):
    return image.repeat(2, axis=0).repeat(2, axis=1)


_MEANS = _halve, _double
_POINTS = lambda image: image[::2, ::2], lambda image: scipy.ndimage.uniform_filter(_double(image), 2, mode="wrap")
"""Two ways to halve and double: by means of 2 x 2, each repeated, and by every other pixel, with means between."""


def _loud_detail(generator, height, width, ways=_MEANS):
    """A lopsided gradient of which the fine band is some times stronger than the coarse one, or weaker."""
    coarse, loud = generator.normal(0.3, 1, (height, width)), generator.choice([0.2, 5])
    return _double(coarse) + generator.normal(0, loud, (2 * height, 2 * width)), *ways


def _blurred_by_pixels(image, halve, double):
    """What halving and doubling leave of an image: the sum of what they leave of each pixel."""
    alone = np.eye(image.size).reshape(image.size, *image.shape)
    return sum(value * double(halve(pixel)) for value, pixel in zip(image.ravel(), alone, strict=True))


def _bands_by_pixels(gradient, halve, double):
    coarse = _blurred_by_pixels(gradient, halve, double)
    fine = gradient - coarse
    both = fine * (np.abs(coarse).sum() / np.abs(fine).sum()) + coarse
    return both * both.size / np.linalg.norm(both.ravel(), 1)


@exercise(
    "9.2 · 10 min · ●●○",
    cases=cases.drawn(_loud_detail, (3, 4), (5, 2), (4, 4, _POINTS), (3, 5)),
    truth=_bands_by_pixels,
    mistakes=[
        "The bands keep their own strength, so that the louder one drowns the other: divide each by its mean size.",
        ("fine / np.abs(fine).mean() + coarse / np.abs(coarse).mean()", "fine + coarse"),
        "The sum of the bands is not normalized: divide it by the mean of its absolute values, too.",
        ("both / np.abs(both).mean()", "both"),
        "The coarse band is in it twice: the fine band is only what halving loses, gradient - double(halve(gradient)).",
        ("gradient - coarse", "gradient"),
        "The fine band is missing.",
        ("fine / np.abs(fine).mean() + coarse", "coarse"),
        "The coarse band is missing.",
        (" + coarse / np.abs(coarse).mean()", ""),
        "Each band is divided by its standard deviation; wanted is the mean of its absolute values.",
        ("np.abs(fine).mean()", "fine.std()", "np.abs(coarse).mean()", "coarse.std()"),
    ],
    hints=[
        "coarse = double(halve(gradient)) is what outlives halving; what is lost is the fine band.",
        "np.abs(band).mean() is a band's size. Divided by it, both are equally strong: add them up.",
        "Their sum has another size again: divide it by its own.",
    ],
)
def two_bands(gradient, halve, double):
    """The gradient (2h, 2w) with its fine and its coarse band made equally strong.

    Fine: what is lost when the size is halved; coarse: the rest. Divide each band by the mean of
    its absolute values; add them up; divide the sum by the mean of its own absolute values.
    halve and double are functions: each takes an array and returns it at half or twice the size.
    """
    coarse = double(halve(gradient))
    fine = gradient - coarse
    both = fine / np.abs(fine).mean() + coarse / np.abs(coarse).mean()
    return both / np.abs(both).mean()


def _rounded_again(height, width, octaves, scale):
    sizes = [(height, width)]
    while len(sizes) < octaves:
        sizes.insert(0, tuple(round(side / scale) for side in sizes[0]))
    return np.array(sizes)


def _sizes_by_logarithm(height, width, octaves, scale):
    shrink = np.exp(-np.arange(octaves - 1, -1, -1) * np.log(scale))
    return np.rint(np.outer(shrink, (height, width))).astype(int)


def _photo_size(generator, octaves, scale):
    """A size for which it matters that each octave is rounded from the photo, and rounded, not cut off."""
    while True:
        height, width = map(int, generator.integers(200, 900, 2))
        right = _sizes_by_logarithm(height, width, octaves, scale)
        if (_rounded_again(height, width, octaves, scale) != right).any(axis=0).all():
            return height, width, octaves, scale


@exercise(
    "9.3 · 10 min · ●○○",
    cases=cases.drawn(_photo_size, (3, 1.4), (4, 1.5), (5, 1.3)),
    truth=_sizes_by_logarithm,
    mistakes=[
        "The order is turned round: a dream begins with the smallest size and ends with the photo's own.",
        ("range(octaves - 1, -1, -1)", "range(octaves)"),
        "These grow beyond the photo: the photo's own size is the largest, and the others are divided by scale.",
        ("range(octaves - 1, -1, -1)", "range(0, -octaves, -1)"),
        "The photo's own size is missing: the powers of scale begin with 0.",
        ("range(octaves - 1, -1, -1)", "range(octaves, 0, -1)"),
        "The sizes shrink by equal amounts; wanted is an equal factor, as in music: divide by scale ** power.",
        ("for by in shrink", "for by in 1 / np.linspace(1 / shrink[0], 1, octaves)"),
        "Sizes that are rounded already were divided and rounded again: divide the photo's own size each time.",
        _rounded_again,
        "Cut off, not rounded: int(...) and // drop what stands behind the point; round(...) takes the nearest.",
        ("round(height", "int(height", "round(width", "int(width"),
    ],
    hints=[
        "The photo's size divided by scale ** 0, scale ** 1, scale ** 2 ...",
        "range(octaves - 1, -1, -1) counts down to 0, so that the smallest comes first.",
        "round(height / scale ** power), and the same for the width.",
    ],
)
def octave_sizes(height, width, octaves, scale):
    """All octaves' (height, width) as an array (octaves, 2), in the order of a dream.

    Each is larger than the last by the factor scale; the photo's own size is among them.
    Divide the photo's size, then round to the nearest whole number, once for each octave.
    """
    shrink = [scale**power for power in range(octaves - 1, -1, -1)]
    return np.array([(round(height / by), round(width / by)) for by in shrink])


def _octave(generator, height, width, ways=_MEANS):
    photo = generator.random((2 * height, 2 * width))
    return ways[0](photo) + generator.normal(0, 0.3, (height, width)), photo, *ways


@exercise(
    "9.4 · 10 min · ●●○",
    cases=cases.drawn(_octave, (3, 4), (5, 2), (4, 4, _POINTS)),
    truth=lambda picture, photo, halve, double: photo + double(picture) - _blurred_by_pixels(photo, halve, double),
    mistakes=[
        "That is the small dream enlarged, as blurred as it was: the photo's lost detail is missing.",
        (" + photo - double(halve(photo))", ""),
        "That is the photo: all that the smaller octave dreamed is gone.",
        ("double(picture) + photo - double(halve(photo))", "photo"),
        "The photo was added whole, so that all but its detail is there twice: take off what the small photo has.",
        (" - double(halve(photo))", ""),
        "The detail was taken away instead of added: lost is photo - double(halve(photo)).",
        ("+ photo - double(halve(photo))", "- (photo - double(halve(photo)))"),
        "The detail was measured against the dream, so that it takes the dream away again: compare the photo with "
        "its own small copy.",
        ("photo - double(halve(photo))", "(photo - double(picture)) / 2"),
    ],
    hints=[
        "halve(photo) is what the small octave began with; double(halve(photo)) is that, enlarged.",
        "Lost detail = photo - double(halve(photo)).",
        "The next octave begins with double(picture) + that.",
    ],
)
def next_octave(picture, photo, halve, double):
    """What the next octave begins with, (2h, 2w), its lost detail put back.

    picture: the dream so far, (h, w). photo: (2h, 2w). halve and double are functions that are
    passed in; each takes an array and returns it at half or twice the size. Do not clip.
    """
    return double(picture) + photo - double(halve(photo))


@exercise(
    "9.5 · 10 min · ●●○",
    cases=lambda generator: [
        *((cases.maps(generator, *shape, mean=0.5),) for shape in ((3, 2, 4), (2, 5, 3))),
        (cases.maps(generator, 4, 3, 3, relu=True),),
    ],
    truth=lambda activations: cases.slopes(lambda values: (values**2).mean() / 2, activations),
    mistakes=[
        "That is the activations themselves: right for a sum; the objective is a mean, so divide by the count.",
        (" / activations.size", ""),
        "Twice too large: the half in the objective takes away the 2 that the square brings.",
        ("return", "return 2 *"),
        "That is the gradient of the plain mean, the same for all; the square makes strong units pull harder.",
        ("activations /", "np.ones_like(activations) /"),
        "Divided by the number of places of one channel; the mean runs over the channels as well.",
        ("activations.size", "activations[0].size"),
        "Negative activations lost their sign: a square falls left of 0, so its gradient is negative there.",
        ("activations /", "np.abs(activations) /"),
    ],
    hints=[
        "The objective is (activations ** 2).mean() / 2. Take one activation a: how does a ** 2 / 2 grow with a?",
        "The mean divides by activations.size.",
        "So the gradient along a unit is its own activation, over the count: who answers strongly is pulled hardest.",
    ],
)
def layer_gradient(activations):
    """The objective's gradient with respect to a layer's activations: both are (C, h, w).

    The objective is half the mean of all activations squared.
    """
    return activations / activations.size


def _guide(generator, channels, places, guides, least=0.0, sign=1):
    """Features whose lengths differ much, so that the nearest, the most parallel and the largest product differ."""
    lengths = generator.uniform(0.3, 4, guides)
    answer, guide = (generator.uniform(least, 1, (channels, count)) for count in (places, guides))
    return sign * answer, guide * lengths


@exercise(
    "9.6 · 15 min · ●●○",
    cases=lambda generator: [
        *(_guide(generator, *sizes) for sizes in ((4, 6, 9), (3, 10, 7), (5, 8, 8))),
        cases.edge("features are below 0, too", *_guide(generator, 4, 12, 9, -1.0)),
        cases.edge("all products are below 0", *_guide(generator, 3, 5, 8, sign=-1)),
    ],
    truth=lambda answer, guide: np.stack([max(guide.T, key=place.dot) for place in answer.T], axis=1),
    mistakes=[
        "Those are the guide's features that are least alike: argmax, not argmin.",
        ("argmax", "argmin"),
        "Alike is meant by the dot product here, not by the smallest distance.",
        ("(guide.T @ answer).argmax", "np.linalg.norm(guide[..., None] - answer[:, None], axis=0).argmin"),
        "Divided by the features' lengths: that is the cosine; wanted is the plain dot product.",
        ("guide.T @", "(guide / np.linalg.norm(guide, axis=0)).T @"),
        "That is the guide's mean feature, the same for every place; wanted is each place's own best one.",
        ("return guide[", "guide = np.full_like(guide, guide.mean(axis=1)[:, None])\n    return guide["),
    ],
    hints=[
        "guide.T @ answer holds all dot products, (guide's places, answer's places).",
        ".argmax(axis=0) is, for every place of the answer, the number of the best feature.",
        "guide[:, numbers] picks these columns.",
    ],
)
def best_guides(answer, guide):
    """For each column of the picture's features, the guide's best column: (C, n).

    answer: (C, n), one column for each place. guide: (C, m). Best: largest dot product.
    """
    return guide[:, (guide.T @ answer).argmax(axis=0)]


def _tiles_by_pixels(length, tile, margin):
    owner, rows = np.arange(length) // tile, []
    for number in range(owner[-1] + 1):
        own = np.flatnonzero(owner == number)
        seen = [place for place in range(length) if own[0] - margin <= place <= own[-1] + margin]
        rows.append((own[0], own[-1] + 1, seen[0], seen[-1] + 1))
    return np.array(rows)


@exercise(
    "9.7 · 15 min · ●●●",
    cases=lambda generator: [
        *(
            (int(generator.integers(3, 6)) * tile + rest, tile, margin)
            for tile, rest, margin in ((32, 9, 8), (51, 31, 12))
        ),
        cases.edge("the tiles fit without a rest", int(generator.integers(3, 6)) * 20, 20, 5),
        cases.edge("the rest is a single pixel", int(generator.integers(3, 6)) * 20 + 1, 20, 5),
        cases.edge("the margin is wider than a tile", 47, 10, 13),
        cases.edge("the side is shorter than a tile", 9, 16, 4),
    ],
    truth=_tiles_by_pixels,
    mistakes=[
        "The rest at the end is missing: the last tile is shorter, and without it a strip is never dreamed on.",
        ("range(0, length, tile)", "range(0, length - tile + 1, tile)"),
        "The margin reaches beyond the picture: what is seen begins at 0 and ends at length, at the farthest.",
        ("max(0, start - margin), min(length, stop + margin)", "start - margin, stop + margin"),
        "The last tile ends beyond the picture: it stops at length.",
        ("min(start + tile, length)", "start + tile"),
        "Tiles see nothing beyond themselves, so seams will show: take the margin on both sides.",
        ("max(0, start - margin), min(length, stop + margin)", "start, stop"),
        "The margin is there on one side only.",
        ("max(0, start - margin)", "start"),
    ],
    hints=[
        "range(0, length, tile) counts all starts, the last, shorter tile's too.",
        "A tile's own part goes from start to min(start + tile, length).",
        "Seen is from max(0, start - margin) to min(length, stop + margin).",
    ],
)
def tile_rows(length, tile, margin):
    """Cut a side into tiles: one row (start, stop, seen from, seen to) for each, (n, 4).

    Tiles follow each other from 0; the last may be shorter. Each sees `margin` pixels more on
    both sides, as far as there are any. Stops and "seen to" are not included, as in a slice.
    """
    rows = []
    for start in range(0, length, tile):
        stop = min(start + tile, length)
        rows.append((start, stop, max(0, start - margin), min(length, stop + margin)))
    return np.array(rows)


_ALONE = ('("fire5", "fire7")', '("fire7",)')


@task(
    "9.8 · 30 min · ●●●",
    rubric=budget.rubric,
    wrong=[
        "dream's own four octaves, in as few steps as they leave",
        ('"octaves": 3, "octave_scale": 2, "steps": 11, "step_size": 0.006', '"steps": 4, "step_size": 0.011', *_ALONE),
        "all steps in one octave",
        ('"octaves": 3, "octave_scale": 2, "steps": 11', '"octaves": 1, "steps": 13', *_ALONE),
        "tiles that are smaller than they need to be",
        ('11, "step_size": 0.006', '5, "step_size": 0.011', '"tile": 96', '"tile": 64', *_ALONE),
        "no jitter, and what it kept was not measured",
        ('"tile": 96', '"tile": 96, "jitter": 0', *_ALONE, "**scores[layer]", '**(scores[layer] | {"kept": 0.9})'),
        "the first layer that came to mind",
        ('("fire5", "fire7")', '("fire3",)'),
        "numbers that were never measured",
        ("**scores[layer]", '"rise": 30, "kept": 1, "wavelength": 10, "change": 0.045'),
        "the whole photo at once, as if there were no budget",
        ('"tile": 96', '"tile": 640'),
        "many steps of the usual size, which the budget does not hold",
        ('11, "step_size": 0.006', '20, "step_size": 0.004'),
    ],
    hints=[
        "What does one step cost? Add up, over the octaves (9.3), the pixels of all tiles with their margins "
        "(`dreaming.tiles(side, tile)`); or read it off a dream of one step.",
        "The largest octave costs nearly all. With octave_scale=2 the smaller ones are almost free.",
        "Fewer steps must be longer. Try step_size until change is just below its limit; then compare layers.",
    ],
)
def on_a_budget():
    """-> {"layer": a name, "settings": a dict} and the four scores, all in one dict."""
    from days.day21.code import budget

    settings = {"octaves": 3, "octave_scale": 2, "steps": 11, "step_size": 0.006, "bands": 3, "tile": 96}
    scores = {layer: budget.score(budget.dreamed(layer, settings)) for layer in ("fire5", "fire7")}
    layer = max(scores, key=lambda name: scores[name]["rise"])
    return {"layer": layer, "settings": settings, **scores[layer]}
