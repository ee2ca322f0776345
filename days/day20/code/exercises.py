"""The exercises of Day 20. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import numpy as np
import scipy

from days.common import cases
from days.common.exercises import exercise
from days.common.tasks import task
from days.day20.code import rungs


def _mixed_after(kernel, steps, rate):
    """The picture is a mixture of the flat start and the kernel throughout: only the two shares are followed."""
    flat, kernels, products = kernel.size / 4, (kernel**2).sum(), kernel.sum() / 2
    start, share = 1.0, 0.0
    for _ in range(steps):
        share += rate
        length = np.sqrt(start**2 * flat + 2 * start * share * products + share**2 * kernels)
        start, share = start / length, share / length
    return start / 2 + share * kernel


@exercise(
    "9.1 · 10 min · ●○○",
    cases=lambda generator: [
        *(
            (generator.normal(size=shape), steps, rate)
            for shape, steps, rate in (((3, 3), 3, 0.1), ((5, 4), 7, 0.05), ((4, 7), 2, 0.3), ((2, 3), 60, 0.3))
        ),
        cases.edge("the kernel's weights are whole numbers", generator.integers(-4, 0, (3, 4)), 2, 0.1),
    ],
    truth=_mixed_after,
    mistakes=[
        "The sign is turned round: this picture excites the filter least of all. A step goes up, so add it.",
        ("picture + rate", "picture - rate"),
        "The picture grows without bound, because nothing keeps it 1 long: divide by its length after every step.",
        ("picture /= np.linalg.norm(picture)", "pass"),
        "That is only one step: the loop must take all of them, each from where the last one ended.",
        ("range(steps)", "range(1)"),
        "The largest pixel is 1, but the picture is to be 1 long: divide by np.linalg.norm(picture).",
        ("np.linalg.norm(picture)", "np.abs(picture).max()"),
    ],
    hints=[
        "The objective is (kernel * picture).sum(). Its gradient for the picture is the kernel itself.",
        "Begin with a flat picture, np.full(kernel.shape, 0.5).",
        "for _ in range(steps): picture = picture + rate * kernel, then divide by the picture's length.",
    ],
)
def favorite(kernel, steps, rate):
    """The picture, 1 long, after `steps` steps of ascent from a flat one; like kernel (h, w)."""
    picture = np.full(kernel.shape, 0.5)
    for _ in range(steps):
        picture = picture + rate * kernel
        picture /= np.linalg.norm(picture)
    return picture


def _jitter(generator, down, right):
    """A picture, and the gradient of an objective that is not the same everywhere: it matters where a picture lies."""
    picture, weights = generator.normal(size=(2, 6, 7))
    return picture, cases.given(lambda picture: weights * picture, "slope", picture.shape), down, right


def _jittered_by_index(picture, slope, down, right):
    """Each pixel's gradient, looked up where the pixel went."""
    places = np.ix_(*((np.arange(side) + way) % side for side, way in zip(picture.shape, (down, right), strict=True)))
    moved = np.empty_like(picture)
    moved[places] = picture
    return slope(moved)[places]


@exercise(
    "9.2 · 10 min · ●●○",
    cases=lambda generator: [
        *(_jitter(generator, *ways) for ways in ((1, 5), (-2, 3), (4, -1))),
        cases.edge("one of the two is 0", *_jitter(generator, 0, -3)),
    ],
    truth=_jittered_by_index,
    mistakes=[
        "The jitter is missing: the slope must be asked at the moved picture.",
        ("np.roll(slope(moved), (-down, -right), axis=(0, 1))", "slope(picture)"),
        "The gradient still lies where the moved picture lay: roll it back by (-down, -right).",
        ("np.roll(slope(moved), (-down, -right), axis=(0, 1))", "slope(moved)"),
        "The gradient is rolled on, not back: the second roll has the opposite signs.",
        ("-down, -right", "down, right"),
        "Down and right have changed places: axis 0 is down, axis 1 is right.",
        ("(down, right)", "(right, down)", "(-down, -right)", "(-right, -down)"),
    ],
    hints=[
        "np.roll(picture, (down, right), axis=(0, 1)) moves a picture; what leaves on one side comes in on the other.",
        "slope(moved) is the gradient for the moved picture. Which pixel of the picture does each number belong to?",
        "Roll the answer back: the same call with (-down, -right).",
    ],
)
def jittered_slope(picture, slope, down, right):
    """Gradient for picture (H, W), which is moved before slope(moved picture) is asked."""
    moved = np.roll(picture, (down, right), axis=(0, 1))
    return np.roll(slope(moved), (-down, -right), axis=(0, 1))


@exercise(
    "9.3 · 5 min · ●○○",
    cases=lambda generator: [
        (generator.normal(0, 4, sizes), int(generator.integers(sizes[1]))) for sizes in ((1, 10), (3, 7), (4, 12))
    ],
    truth=lambda scores, category: cases.slopes(lambda moved: moved[:, category].sum(), scores),
    mistakes=[
        "That is the slope of the softmax. Probability also rises when all other scores fall, so such a picture "
        "may show anything that is not another category; and where the probability is near 0 or 1, it does not "
        "move at all. Take the score itself, the logit.",
        (
            "return slope",
            "p = scipy.special.softmax(scores, axis=1)\n    return p[:, [category]] * (slope - p)",
        ),
        "That is the slope of the log of the softmax: it, too, pushes all other categories down.",
        ("return slope", "return slope - scipy.special.softmax(scores, axis=1)"),
        "Every score is raised; wanted is one category's alone.",
        ("zeros_like", "ones_like"),
    ],
    hints=[
        "The objective is scores[:, category].sum(). How much does it change when one score grows by a little?",
        "Where the score is the category's own, by just that little; elsewhere not at all.",
        "An array of zeros like scores, with 1 in column `category`.",
    ],
)
def logit_slope(scores, category):
    """Scores before the softmax (N, categories), a category's number -> gradient, as scores."""
    slope = np.zeros_like(scores)
    slope[:, category] = 1
    return slope


def _spectrum(generator, size):
    real, imaginary = generator.normal(size=(2, size, size // 2 + 1))
    return cases.edge("the size is odd", real + 1j * imaginary, size) if size % 2 else (real + 1j * imaginary, size)


def _painted_by_waves(spectrum, size):
    """The picture as a sum of waves, one after the other."""
    rows, columns = np.indices((size, size))
    whole = np.zeros((size, size))
    for down, across in np.ndindex(spectrum.shape):
        length = max(np.hypot(min(down, size - down), across), 1)
        wave = spectrum[down, across] / length * np.exp(2j * np.pi * (down * rows + across * columns) / size)
        whole += (1 if across == 0 or 2 * across == size else 2) * wave.real / size**2
    return whole


@exercise(
    "9.4 · 15 min · ●●●",
    cases=cases.drawn(_spectrum, (8,), (9,), (16,)),
    truth=_painted_by_waves,
    mistakes=[
        "The spectrum is not scaled: fine detail weighs as much as broad shapes, and the picture is noise.",
        (" / lengths", ""),
        "Multiplied by the frequency, where photographs ask to divide by it: fine detail gets most.",
        ("/ lengths", "* lengths"),
        "Divided by the frequency's square; photographs' amplitudes fall as 1 / frequency.",
        ("lengths,", "lengths**2,"),
        "The rows' frequencies count up to the last row. Rows have negative frequencies, too (np.fft.fftfreq); the "
        "columns of a real picture's spectrum have none (np.fft.rfftfreq).",
        ("np.fft.fftfreq(size)", "np.arange(size) / size"),
    ],
    hints=[
        "np.fft.fftfreq(size) * size are the frequencies of the rows, np.fft.rfftfreq(size) * size of the columns.",
        "Their length is np.hypot(rows[:, None], columns[None]); let no length be below 1.",
        "np.fft.irfft2(spectrum / lengths, (size, size)) is the picture.",
    ],
)
def painted(spectrum, size):
    """Complex spectrum (size, size // 2 + 1) as np.fft.rfft2 lays it out -> (size, size)."""
    rows, columns = np.fft.fftfreq(size) * size, np.fft.rfftfreq(size) * size
    lengths = np.maximum(np.hypot(rows[:, None], columns[None]), 1)
    return np.fft.irfft2(spectrum / lengths, (size, size))


def _half_awake(generator, channels, height):
    """Channels that are silent, at most exactly 0, awake at one place, awake everywhere, and at all places but one.

    Two more have a mean of the other sign than most of their places.
    """
    maps = cases.maps(generator, channels, height, 5, mean=-1)
    maps[[0, 1, 4, 5, 7]] = -np.abs(maps[[0, 1, 4, 5, 7]]) - 0.1
    maps[1, 0, 3], maps[4, 1, 2], maps[5, 0, 1], maps[7, 1, 0] = 1e-4, 0, 200, 1.2
    maps[[2, 3, 6]] = np.abs(maps[[2, 3, 6]]) + 0.5
    maps[3, 0, 0], maps[6, 0, 0] = -0.1, -200
    for axis in range(3):
        maps = generator.permutation(maps, axis=axis)
    return (maps,)


@exercise(
    "9.5 · 5 min · ●○○",
    cases=cases.drawn(_half_awake, (8, 4), (9, 3), (8, 25)),
    truth=lambda maps: np.array([index for index, values in enumerate(maps.tolist()) if np.max(values) <= 0]),
    mistakes=[
        "A mean below 0 is not silence: one place above 0 is enough for a gradient to get through.",
        ("~(maps > 0).any(axis=(1, 2))", "maps.mean(axis=(1, 2)) <= 0"),
        "A channel with one silent place still has a gradient at the others: all of its places must be at or below 0.",
        ("~(maps > 0)", "(maps <= 0)"),
        "Those are the channels that do move.",
        ("~", ""),
        "That is a mask of True and False; wanted are the channels' numbers, np.flatnonzero(mask).",
        ("np.flatnonzero", ""),
    ],
    hints=[
        "A ReLU hands a gradient back only where its input is above 0.",
        "(maps > 0).any(axis=(1, 2)) says of each channel whether it is awake somewhere.",
        "np.flatnonzero gives the places where a mask is True.",
    ],
)
def stuck_channels(maps):
    """Maps before the ReLU, (C, h, w) -> indices of the channels that pass no gradient back."""
    return np.flatnonzero(~(maps > 0).any(axis=(1, 2)))


@exercise(
    "9.6 · 15 min · ●●○",
    cases=lambda generator: [
        *((cases.maps(generator, *shape, mean=0.5, relu=True),) for shape in ((2, 3, 4, 4), (4, 5, 3, 2))),
        cases.edge("answers are below 0, too", cases.maps(generator, 3, 4, 5, 2)),
    ],
    truth=lambda answers: (
        1 - scipy.spatial.distance.pdist([np.einsum("chw,dhw->cd", a, a).ravel() for a in answers], "cosine").mean()
    ),
    mistakes=[
        "Each picture is compared with itself, too, which always gives 1: leave the diagonal out.",
        ("(cosines.sum() - np.trace(cosines)) / (count * (count - 1))", "cosines.mean()"),
        "Compared are the maps themselves, place by place; two pictures with the same eyes at other places would "
        "count as different. The Gram matrix forgets the places.",
        ("(flat @ flat.transpose(0, 2, 1))", "flat"),
        "The products are not divided by the matrices' lengths, so that strong answers count as alike.",
        ("grams / np.linalg.norm(grams, axis=1, keepdims=True)", "grams"),
        "That is a Gram matrix of places, (h w, h w); wanted is the one of channels, (C, C).",
        ("flat @ flat.transpose(0, 2, 1)", "flat.transpose(0, 2, 1) @ flat"),
    ],
    hints=[
        "flat = answers.reshape(n, C, h * w); flat @ flat.transpose(0, 2, 1) are the Gram matrices, (n, C, C).",
        "Make each one 1 long: divide it by np.linalg.norm of it.",
        "The cosine of two is then the sum of their product. Average it over all pairs of different pictures.",
    ],
)
def likeness(answers):
    """Answers (n, C, h, w) -> mean cosine of the Gram matrices (C, C) of every two pictures."""
    count = len(answers)
    flat = answers.reshape(*answers.shape[:2], -1)
    grams = (flat @ flat.transpose(0, 2, 1)).reshape(count, -1)
    grams = grams / np.linalg.norm(grams, axis=1, keepdims=True)
    cosines = grams @ grams.T
    return float((cosines.sum() - np.trace(cosines)) / (count * (count - 1)))


@task(
    "9.7 · 30 min · ●●●",
    rubric=rungs.rubric,
    wrong=[
        "jitter alone: nothing is turned",
        ("np.deg2rad(generator.uniform(-8, 8))", "0.0"),
        "rotation alone: nothing is moved",
        ("generator.uniform(-8, 8, 2) * 2 / pictures.shape[-1]", "(0.0, 0.0)"),
        "a shear in place of a turn",
        ("[[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]", "[[1, 0], [np.tan(angle), 1]]"),
        "one sign of the turn is wrong",
        ("-np.sin(angle)", "np.sin(angle)"),
        "one draw for both moves: pictures move along a diagonal",
        ("generator.uniform(-8, 8, 2)", "np.repeat(generator.uniform(-8, 8), 2)"),
        "numbers that were never measured",
        ('"moved": kept["moved"], "mirrored": kept["mirrored"]', '"moved": 0.5, "mirrored": 1.0'),
        "the raw pixels, which are pixel-exact",
        ("return functional.grid_sample(", "return pictures if True else functional.grid_sample("),
    ],
    hints=[
        "The lesson's `shaken` is such a look. Write one that moves by up to 8 pixels and turns by up to 8 degrees, "
        "and look at five of its pictures.",
        "functional.affine_grid takes a matrix (n, 2, 3) for coordinates from -1 to 1: one pixel of 64 is 2 / 64.",
        "`rungs.score(rungs.grown(look))` measures the two shares.",
    ],
)
def own_rung():
    """-> {"look": function, "moved": share, "mirrored": share}.

    look(pictures, generator) moves and turns pictures (n, 3, h, w) at random, as a tensor that
    gradients go through. The shares are what pictures grown with it keep of their objective.
    """
    import torch
    from torch.nn import functional

    from days.day20.code import rungs

    def look(pictures, generator):
        right, down = generator.uniform(-8, 8, 2) * 2 / pictures.shape[-1]
        angle = np.deg2rad(generator.uniform(-8, 8))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = np.column_stack([turn, [right, down]])
        matrices = torch.tensor(matrix, dtype=torch.float32).expand(len(pictures), 2, 3)
        where = functional.affine_grid(matrices, pictures.shape, align_corners=False)
        return functional.grid_sample(pictures, where, padding_mode="reflection", align_corners=False)

    kept = rungs.score(rungs.grown(look))
    return {"look": look, "moved": kept["moved"], "mirrored": kept["mirrored"]}
