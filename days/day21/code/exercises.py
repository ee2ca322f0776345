"""The exercises of Day 21. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import numpy as np

from days.common.exercises import Mistake, exercise


def _steps(generator):
    """A picture with some values at the ends, a lopsided gradient, and a step that reaches over the ends."""

    def case(shape, step_size, strength):
        gradient = (generator.normal(0.4, 1, shape) * strength).astype(np.float64)
        return generator.choice([0.0, 0.02, 0.4, 0.6, 0.97, 1.0], shape), gradient, step_size

    return [case((4, 5, 3), 0.05, 0.001), case((3, 3, 3), 0.1, 400.0), case((6, 2, 3), 0.03, 7.0)]


def _step_by_step(picture, gradient, step_size):
    size = sum(abs(one) for one in gradient.ravel()) / gradient.size
    moved = [old + step_size * way / size for old, way in zip(picture.ravel(), gradient.ravel(), strict=True)]
    return np.array([min(1.0, max(0.0, one)) for one in moved]).reshape(picture.shape)


@exercise(
    "9.1",
    cases=_steps,
    truth=_step_by_step,
    mistakes=[
        Mistake(
            "That goes down: the gradient points to where the objective grows, so it is added.",
            lambda picture, gradient, step_size: _step_by_step(picture, -gradient, step_size),
        ),
        Mistake(
            "Values below 0 or above 1 are left: np.clip(..., 0, 1) at the end.",
            lambda picture, gradient, step_size: picture + step_size * gradient / np.abs(gradient).mean(),
        ),
        Mistake(
            "The gradient is not normalized: divide it by the mean of its absolute values.",
            lambda picture, gradient, step_size: np.clip(picture + step_size * gradient, 0, 1),
        ),
        Mistake(
            "Divided by the gradient's mean, where plus and minus cancel; wanted is the mean of np.abs(gradient).",
            lambda picture, gradient, step_size: np.clip(picture + step_size * gradient / gradient.mean(), 0, 1),
        ),
        Mistake(
            "Divided by the largest value, so that one strong pixel makes all steps small; wanted is the mean.",
            lambda picture, gradient, step_size: np.clip(picture + step_size * gradient / np.abs(gradient).max(), 0, 1),
        ),
    ],
    hints=[
        "np.abs(gradient).mean() is how large the gradient is.",
        "Divided by that, its values have the mean size 1; times step_size, they have the mean size step_size.",
        "Add it to the picture (up, not down), and cut what lies beyond 0 and 1.",
    ],
)
def step_up(picture, gradient, step_size):
    """Picture and gradient (H, W, 3) -> one step up: values moved by step_size on average, in [0, 1]."""
    return np.clip(picture + step_size * gradient / np.abs(gradient).mean(), 0, 1)


class _Gradient:
    """The gradient of half the sum of (picture x weights) squared, where each place of what is seen has its weight."""

    def __init__(self, seed: int):
        self.seed = seed

    def __call__(self, picture):
        return picture * np.random.default_rng(self.seed).uniform(0.5, 2, picture.shape) ** 2


def _shifts(generator):
    def case(shape, shift):
        return _Gradient(int(generator.integers(1e6))), generator.random(shape), shift

    return [case((5, 7, 3), (2, 3)), case((6, 9, 3), (-1, 4)), case((8, 8, 3), (3, -2))]


def _shifted_by_index(gradient_of_picture, picture, shift):
    height, width = picture.shape[:2]
    rows, columns = (np.arange(height) - shift[0]) % height, (np.arange(width) - shift[1]) % width
    answer, result = gradient_of_picture(picture[rows][:, columns]), np.empty_like(picture)
    for row, old_row in enumerate(rows):
        for column, old_column in enumerate(columns):
            result[old_row, old_column] = answer[row, column]
    return result


@exercise(
    "9.2",
    cases=_shifts,
    truth=_shifted_by_index,
    mistakes=[
        Mistake(
            "The gradient was not rolled back: it belongs to the rolled picture and lies in the wrong place.",
            lambda gradient_of_picture, picture, shift: gradient_of_picture(np.roll(picture, shift, axis=(0, 1))),
        ),
        Mistake(
            "The gradient was rolled on instead of back: the second roll needs the shift with its sign turned round.",
            lambda gradient_of_picture, picture, shift: np.roll(
                gradient_of_picture(np.roll(picture, shift, (0, 1))), shift, (0, 1)
            ),
        ),
        Mistake(
            "Nothing was rolled at all: the network has to see the picture shifted.",
            lambda gradient_of_picture, picture, shift: gradient_of_picture(picture),
        ),
        Mistake(
            "Rolled back before it was rolled there: the picture is shifted by `shift`, the gradient by minus that.",
            lambda gradient_of_picture, picture, shift: np.roll(
                gradient_of_picture(np.roll(picture, (-shift[0], -shift[1]), (0, 1))), shift, (0, 1)
            ),
        ),
        Mistake(
            "Down and right are swapped: shift[0] is along axis 0, shift[1] along axis 1.",
            lambda gradient_of_picture, picture, shift: np.roll(
                gradient_of_picture(np.roll(picture, shift[::-1], (0, 1))), (-shift[1], -shift[0]), (0, 1)
            ),
        ),
    ],
    hints=[
        "np.roll(picture, (down, right), axis=(0, 1)) moves a picture; what leaves on one side comes in on the other.",
        "Three steps: roll the picture, ask gradient_of_picture, roll its answer.",
        "The way back is (-shift[0], -shift[1]).",
    ],
)
def jittered_gradient(gradient_of_picture, picture, shift):
    """A function from picture to gradient (H, W, 3), a picture, a shift -> the gradient, asked for while rolled."""
    gradient = gradient_of_picture(np.roll(picture, shift, axis=(0, 1)))
    return np.roll(gradient, (-shift[0], -shift[1]), axis=(0, 1))


def _sizes(generator):
    sides = generator.integers(200, 900, (3, 2))
    return [
        (int(h), int(w), count, scale) for (h, w), count, scale in zip(sides, (3, 4, 5), (1.4, 1.5, 1.3), strict=True)
    ]


def _sizes_by_logarithm(height, width, octaves, scale):
    powers = np.arange(octaves - 1, -1, -1)
    shrink = np.exp(-powers * np.log(scale))
    return np.stack([np.rint(height * shrink), np.rint(width * shrink)], axis=1).astype(int)


@exercise(
    "9.3",
    cases=_sizes,
    truth=_sizes_by_logarithm,
    mistakes=[
        Mistake(
            "The order is turned round: a dream begins with the smallest size and ends with the photo's own.",
            lambda h, w, octaves, scale: _sizes_by_logarithm(h, w, octaves, scale)[::-1],
        ),
        Mistake(
            "These grow beyond the photo: the photo's own size is the largest, and the others are divided by scale.",
            lambda h, w, octaves, scale: _sizes_by_logarithm(
                h * scale ** (octaves - 1), w * scale ** (octaves - 1), octaves, scale
            ),
        ),
        Mistake(
            "The photo's own size is missing: the powers of scale begin with 0.",
            lambda h, w, octaves, scale: _sizes_by_logarithm(h / scale, w / scale, octaves, scale),
        ),
        Mistake(
            "The sizes shrink by equal amounts; wanted is an equal factor, as in music: divide by scale ** power.",
            lambda h, w, octaves, scale: np.stack(
                [np.rint(np.linspace(side / scale ** (octaves - 1), side, octaves)) for side in (h, w)], axis=1
            ),
        ),
        Mistake(
            "Cut off, not rounded: int(...) and // drop what stands behind the point; round(...) takes the nearest.",
            lambda h, w, octaves, scale: np.array(
                [(int(h / scale**power), int(w / scale**power)) for power in range(octaves - 1, -1, -1)]
            ),
        ),
    ],
    hints=[
        "The photo's size divided by scale ** 0, scale ** 1, scale ** 2 ...",
        "range(octaves - 1, -1, -1) counts down to 0, so that the smallest comes first.",
        "round(height / scale ** power), and the same for the width.",
    ],
)
def octave_sizes(height, width, octaves, scale):
    """The (height, width) of every octave, smallest first, the photo's own last, each a factor `scale` larger."""
    powers = range(octaves - 1, -1, -1)
    return np.array([(round(height / scale**power), round(width / scale**power)) for power in powers])


def _halve(image):
    return image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2).mean(axis=(1, 3))


def _double(image):
    return image.repeat(2, axis=0).repeat(2, axis=1)


def _octave_pairs(generator):
    def case(height, width):
        photo = generator.random((2 * height, 2 * width))
        return _halve(photo) + generator.normal(0, 0.3, (height, width)), photo, _halve, _double

    return [case(3, 4), case(5, 2), case(4, 4)]


def _detail_by_places(picture, photo, halve, double):
    result, small = np.empty_like(photo), halve(photo)
    for row, column in np.ndindex(photo.shape):
        place = row // 2, column // 2
        result[row, column] = photo[row, column] + (picture[place] - small[place])
    return result


@exercise(
    "9.4",
    cases=_octave_pairs,
    truth=_detail_by_places,
    mistakes=[
        Mistake(
            "That is the small dream enlarged, as blurred as it was: the photo's lost detail is missing.",
            lambda picture, photo, halve, double: double(picture),
        ),
        Mistake(
            "That is the photo: all that the smaller octave dreamed is gone.",
            lambda picture, photo, halve, double: photo,
        ),
        Mistake(
            "The photo was added whole, so that all but its detail is there twice: take off what the small photo has.",
            lambda picture, photo, halve, double: double(picture) + photo,
        ),
        Mistake(
            "The detail was taken away instead of added: lost is photo - double(halve(photo)).",
            lambda picture, photo, halve, double: double(picture) - (photo - double(halve(photo))),
        ),
        Mistake(
            "The detail was measured against the dream, so that it takes the dream away again: compare the photo with "
            "its own small copy.",
            lambda picture, photo, halve, double: double(picture) + (photo - double(picture)) / 2,
        ),
    ],
    hints=[
        "halve(photo) is what the small octave began with; double(halve(photo)) is that, enlarged.",
        "Lost detail = photo - double(halve(photo)).",
        "The next octave begins with double(picture) + that.",
    ],
)
def next_octave(picture, photo, halve, double):
    """A dream at half size (h, w) and the photo (2h, 2w) -> what the next octave begins with, (2h, 2w)."""
    return double(picture) + photo - double(halve(photo))


def _answers(generator):
    return [(generator.normal(0.5, 1, shape),) for shape in ((3, 2, 4), (2, 5, 3), (4, 3, 3))]


def _by_trying(activations):
    """Central differences, exact for a parabola."""
    result = np.empty_like(activations)
    for place in np.ndindex(activations.shape):
        values = []
        for change in (0.5, -0.5):
            moved = activations.copy()
            moved[place] += change
            values.append((moved**2).mean() / 2)
        result[place] = values[0] - values[1]
    return result


@exercise(
    "9.5",
    cases=_answers,
    truth=_by_trying,
    mistakes=[
        Mistake(
            "That is the activations themselves: right for a sum; the objective is a mean, so divide by the count.",
            lambda activations: activations,
        ),
        Mistake(
            "Twice too large: the half in the objective takes away the 2 that the square brings.",
            lambda activations: 2 * activations / activations.size,
        ),
        Mistake(
            "That is the gradient of the plain mean, the same for all; the square makes strong units pull harder.",
            lambda activations: np.full_like(activations, 1 / activations.size),
        ),
        Mistake(
            "Divided by the number of places of one channel; the mean runs over the channels as well.",
            lambda activations: activations / activations[0].size,
        ),
        Mistake(
            "Negative activations lost their sign: a square falls left of 0, so its gradient is negative there.",
            lambda activations: np.abs(activations) / activations.size,
        ),
    ],
    hints=[
        "The objective is (activations ** 2).mean() / 2. Take one activation a: how does a ** 2 / 2 grow with a?",
        "The mean divides by activations.size.",
        "So the gradient along a unit is its own activation, over the count: who answers strongly is pulled hardest.",
    ],
)
def layer_gradient(activations):
    """Activations (C, h, w) -> the gradient of the objective, half the mean of their squares, (C, h, w)."""
    return activations / activations.size


def _guides(generator):
    """Features whose lengths differ much, so that the nearest, the most parallel and the largest product differ."""

    def case(channels, places, guides):
        lengths = generator.uniform(0.3, 4, guides)
        return generator.random((channels, places)), generator.random((channels, guides)) * lengths

    return [case(4, 6, 9), case(3, 10, 7), case(5, 8, 8)]


def _best_by_loops(answer, guide):
    chosen = []
    for place in answer.T:
        products = [sum(a * b for a, b in zip(place, one, strict=True)) for one in guide.T]
        chosen.append(guide[:, products.index(max(products))])
    return np.array(chosen).T


def _nearest(answer, guide):
    return guide[:, ((answer[:, :, None] - guide[:, None]) ** 2).sum(axis=0).argmin(axis=1)]


@exercise(
    "9.6",
    cases=_guides,
    truth=_best_by_loops,
    mistakes=[
        Mistake(
            "Those are the guide's features that are least alike: argmax, not argmin.",
            lambda answer, guide: guide[:, (guide.T @ answer).argmin(axis=0)],
        ),
        Mistake(
            "Alike is meant by the dot product here, not by the smallest distance.",
            _nearest,
        ),
        Mistake(
            "Divided by the features' lengths: that is the cosine; wanted is the plain dot product.",
            lambda answer, guide: guide[:, ((guide / np.linalg.norm(guide, axis=0)).T @ answer).argmax(axis=0)],
        ),
        Mistake(
            "That is the guide's mean feature, the same for every place; wanted is each place's own best one.",
            lambda answer, guide: np.repeat(guide.mean(axis=1, keepdims=True), answer.shape[1], axis=1),
        ),
    ],
    hints=[
        "guide.T @ answer holds all dot products, (guide's places, answer's places).",
        ".argmax(axis=0) is, for every place of the answer, the number of the best feature.",
        "guide[:, numbers] picks these columns.",
    ],
)
def best_guides(answer, guide):
    """Features (C, n) of a picture and (C, m) of a guide -> for each of the n the guide's with the largest product."""
    return guide[:, (guide.T @ answer).argmax(axis=0)]


def _lengths(generator):
    return [
        (int(generator.integers(3, 6)) * tile + rest, tile, margin) for tile, rest, margin in ((32, 9, 8), (50, 31, 12))
    ]


def _tiles_by_pixels(length, tile, margin):
    owner = np.arange(length) // tile
    rows = []
    for number in range(owner[-1] + 1):
        own = np.flatnonzero(owner == number)
        seen = [place for place in range(length) if own[0] - margin <= place <= own[-1] + margin]
        rows.append((own[0], own[-1] + 1, seen[0], seen[-1] + 1))
    return np.array(rows)


def _unclipped(length, tile, margin):
    starts = np.arange(0, length, tile)
    stops = np.minimum(starts + tile, length)
    return np.stack([starts, stops, starts - margin, stops + margin], axis=1)


@exercise(
    "9.7",
    cases=_lengths,
    truth=_tiles_by_pixels,
    mistakes=[
        Mistake(
            "The rest at the end is missing: the last tile is shorter, and without it a strip is never dreamed on.",
            lambda length, tile, margin: _tiles_by_pixels(length, tile, margin)[:-1],
        ),
        Mistake(
            "The margin reaches beyond the picture: what is seen begins at 0 and ends at length, at the farthest.",
            _unclipped,
        ),
        Mistake(
            "The last tile ends beyond the picture: it stops at length.",
            lambda length, tile, margin: np.array(
                [(s, s + tile, max(0, s - margin), min(length, s + tile + margin)) for s in range(0, length, tile)]
            ),
        ),
        Mistake(
            "Tiles see nothing beyond themselves, so seams will show: take the margin on both sides.",
            lambda length, tile, margin: np.array(
                [(s, min(length, s + tile), s, min(length, s + tile)) for s in range(0, length, tile)]
            ),
        ),
        Mistake(
            "The margin is there on one side only.",
            lambda length, tile, margin: np.array(
                [(s, min(length, s + tile), s, min(length, s + tile + margin)) for s in range(0, length, tile)]
            ),
        ),
    ],
    hints=[
        "range(0, length, tile) counts all starts, the last, shorter tile's too.",
        "A tile's own part goes from start to min(start + tile, length).",
        "Seen is from max(0, start - margin) to min(length, stop + margin).",
    ],
)
def tile_rows(length, tile, margin):
    """How a side is cut: one row (start, stop, seen from, seen to) a tile, (n, 4), stops not included."""
    rows = []
    for start in range(0, length, tile):
        stop = min(start + tile, length)
        rows.append((start, stop, max(0, start - margin), min(length, stop + margin)))
    return np.array(rows)
