"""The exercises of Day 20. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import numpy as np

from days.common.exercises import Mistake, exercise

# ---------------------------------------------------------------- 9.1 the sign


def _kernels(generator):
    return [(generator.normal(size=shape), 60, 0.3) for shape in ((3, 3), (5, 5), (4, 7))]


def _climb(kernel, steps, rate, *, sign=1.0, normalize=True):
    picture = np.full(kernel.shape, 1 / np.sqrt(kernel.size))
    for _ in range(steps):
        picture = picture + sign * rate * kernel
        if normalize:
            picture = picture / np.linalg.norm(picture)
    return picture


@exercise(
    "9.1",
    cases=_kernels,
    truth=lambda kernel, steps, rate: kernel / np.linalg.norm(kernel),
    mistakes=[
        Mistake(
            "The sign is turned round: this picture excites the filter least of all. A step goes up, so add it.",
            lambda kernel, steps, rate: -kernel / np.linalg.norm(kernel),
        ),
        Mistake(
            "The picture grows without bound, because nothing keeps it 1 long: divide by its length after every step.",
            lambda kernel, steps, rate: _climb(kernel, steps, rate, normalize=False),
        ),
        Mistake(
            "That is only one step: the loop must take all of them, each from where the last one ended.",
            lambda kernel, steps, rate: _climb(kernel, 1, rate),
        ),
        Mistake(
            "The largest pixel is 1, but the picture is to be 1 long: divide by np.linalg.norm(picture).",
            lambda kernel, steps, rate: kernel / np.abs(kernel).max(),
        ),
    ],
    hints=[
        "The objective is (kernel * picture).sum(). Its gradient for the picture is the kernel itself.",
        "Begin with a flat picture, np.full(kernel.shape, 1.0), made 1 long.",
        "for _ in range(steps): picture = picture + rate * kernel, then divide by the picture's length.",
    ],
    tolerance=1e-3,
)
def favorite(kernel, steps, rate):
    """The picture, 1 long, that excites a linear filter most, by `steps` steps of gradient ascent from a flat one."""
    picture = np.full(kernel.shape, 1.0)
    for _ in range(steps):
        picture = picture + rate * kernel
        picture /= np.linalg.norm(picture)
    return picture


# ---------------------------------------------------------------- 9.2 jitter


class _Slope:
    """The gradient of an objective that is not the same everywhere, so that it matters where a picture lies."""

    def __init__(self, weights: np.ndarray):
        self.weights = weights

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        return self.weights * picture


def _jitters(generator):
    return [
        (generator.normal(size=(6, 7)), _Slope(generator.normal(size=(6, 7))), int(down), int(right))
        for down, right in ((1, 2), (-2, 3), (4, -1))
    ]


def _jittered_by_index(picture, slope, down, right):
    """Each pixel's gradient, looked up where the pixel went."""
    height, width = picture.shape
    moved = np.empty_like(picture)
    for row in range(height):
        for column in range(width):
            moved[(row + down) % height, (column + right) % width] = picture[row, column]
    answer = slope(moved)
    return np.array(
        [[answer[(row + down) % height, (column + right) % width] for column in range(width)] for row in range(height)]
    )


@exercise(
    "9.2",
    cases=_jitters,
    truth=_jittered_by_index,
    mistakes=[
        Mistake(
            "The jitter is missing: the slope must be asked at the moved picture.",
            lambda picture, slope, down, right: slope(picture),
        ),
        Mistake(
            "The gradient still lies where the moved picture lay: roll it back by (-down, -right).",
            lambda picture, slope, down, right: slope(np.roll(picture, (down, right), (0, 1))),
        ),
        Mistake(
            "The gradient is rolled on, not back: the second roll has the opposite signs.",
            lambda picture, slope, down, right: np.roll(
                slope(np.roll(picture, (down, right), (0, 1))), (down, right), (0, 1)
            ),
        ),
        Mistake(
            "Down and right have changed places: axis 0 is down, axis 1 is right.",
            lambda picture, slope, down, right: np.roll(
                slope(np.roll(picture, (right, down), (0, 1))), (-right, -down), (0, 1)
            ),
        ),
    ],
    hints=[
        "np.roll(picture, (down, right), axis=(0, 1)) moves a picture; what leaves on one side comes in on the other.",
        "slope(moved) is the gradient for the moved picture. Which pixel of the picture does each number belong to?",
        "Roll the answer back: the same call with (-down, -right).",
    ],
)
def jittered_slope(picture, slope, down, right):
    """The gradient for `picture` (H, W) when the network looks at it moved: slope(moved picture), moved back."""
    moved = np.roll(picture, (down, right), axis=(0, 1))
    return np.roll(slope(moved), (-down, -right), axis=(0, 1))


# ---------------------------------------------------------------- 9.3 logit, not softmax


def _scores(generator):
    return [(generator.normal(0, 4, (count, 10)), int(generator.integers(10))) for count in (1, 3, 4)]


def _softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _slope_by_trying(scores, category):
    """The logit's gradient, by moving each score a little."""
    found = np.zeros_like(scores)
    for place in np.ndindex(scores.shape):
        moved = scores.copy()
        moved[place] += 0.5
        found[place] = (moved[:, category].sum() - scores[:, category].sum()) / 0.5
    return found


def _softmax_slope(scores, category):
    shares = _softmax(scores)
    wanted = np.eye(scores.shape[1])[category]
    return shares[:, category, None] * (wanted - shares)


@exercise(
    "9.3",
    cases=_scores,
    truth=_slope_by_trying,
    mistakes=[
        Mistake(
            "That is the slope of the softmax. Probability also rises when all other scores fall, so such a picture "
            "may show anything that is not another category; and where the probability is near 0 or 1, it does not "
            "move at all. Take the score itself, the logit.",
            _softmax_slope,
        ),
        Mistake(
            "That is the slope of the log of the softmax: it, too, pushes all other categories down.",
            lambda scores, category: np.eye(scores.shape[1])[category] - _softmax(scores),
        ),
        Mistake(
            "Every score is raised; wanted is one category's alone.",
            lambda scores, category: np.ones_like(scores),
        ),
        Mistake(
            "The sign is turned round: this makes the category's score fall.",
            lambda scores, category: -np.eye(scores.shape[1])[np.full(len(scores), category)],
        ),
    ],
    hints=[
        "The objective is scores[:, category].sum(). How much does it change when one score grows by a little?",
        "Where the score is the category's own, by just that little; elsewhere not at all.",
        "An array of zeros like scores, with 1 in column `category`.",
    ],
)
def logit_slope(scores, category):
    """The gradient of a category's logits, summed over a batch, for all scores: (N, categories), as `scores`."""
    slope = np.zeros_like(scores)
    slope[:, category] = 1
    return slope


# ---------------------------------------------------------------- 9.4 Fourier


def _spectra(generator):
    sizes = (8, 9, 16)
    return [
        (generator.normal(size=(size, size // 2 + 1)) + 1j * generator.normal(size=(size, size // 2 + 1)), size)
        for size in sizes
    ]


def _frequencies(size):
    return np.maximum(np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) * size, 1)


def _painted_by_waves(spectrum, size):
    """The picture as a sum of waves, one after the other."""
    rows, columns = np.indices((size, size))
    whole = np.zeros((size, size))
    for down, across in np.ndindex(spectrum.shape):
        turn = 2 * np.pi * (down * rows + across * columns) / size
        amount = spectrum[down, across] / _frequencies(size)[down, across]
        twice = 1 if across == 0 or 2 * across == size else 2
        whole += twice * (amount * np.exp(1j * turn)).real / size**2
    return whole


@exercise(
    "9.4",
    cases=_spectra,
    truth=_painted_by_waves,
    mistakes=[
        Mistake(
            "The spectrum is not scaled: fine detail weighs as much as broad shapes, and the picture is noise.",
            lambda spectrum, size: np.fft.irfft2(spectrum, (size, size)),
        ),
        Mistake(
            "Multiplied by the frequency, where photographs ask to divide by it: fine detail gets most.",
            lambda spectrum, size: np.fft.irfft2(spectrum * _frequencies(size), (size, size)),
        ),
        Mistake(
            "Divided by the frequency's square; photographs' amplitudes fall as 1 / frequency.",
            lambda spectrum, size: np.fft.irfft2(spectrum / _frequencies(size) ** 2, (size, size)),
        ),
        Mistake(
            "The frequencies of rows and columns have changed places: rows have negative ones too (np.fft.fftfreq), "
            "columns of a real picture's spectrum do not (np.fft.rfftfreq).",
            lambda spectrum, size: np.fft.irfft2(
                spectrum / np.maximum(np.add.outer(np.arange(size), np.arange(size // 2 + 1)), 1), (size, size)
            ),
        ),
    ],
    hints=[
        "np.fft.fftfreq(size) * size are the frequencies of the rows, np.fft.rfftfreq(size) * size of the columns.",
        "Their length is np.hypot(rows[:, None], columns[None]); let no length be below 1.",
        "np.fft.irfft2(spectrum / lengths, (size, size)) is the picture.",
    ],
)
def painted(spectrum, size):
    """A picture (size, size) from its spectrum (size, size // 2 + 1), each wave divided by its frequency."""
    rows, columns = np.fft.fftfreq(size) * size, np.fft.rfftfreq(size) * size
    lengths = np.maximum(np.hypot(rows[:, None], columns[None]), 1)
    return np.fft.irfft2(spectrum / lengths, (size, size))


# ---------------------------------------------------------------- 9.5 behind a ReLU


def _answers(generator):
    def case(channels, height):
        maps = generator.normal(-1, 1, (channels, height, 5))
        maps[0] = -np.abs(maps[0]) - 0.1  # silent everywhere
        maps[1] = -np.abs(maps[1]) - 0.1
        maps[1, 0, 3] = 0.4  # one place is awake, the mean is below 0
        maps[2] = np.abs(maps[2])
        maps[3] = np.abs(maps[3]) + 0.5
        maps[3, 0, 0] = -0.1  # one place is silent
        return (maps,)

    return [case(6, 4), case(9, 3), case(5, 6)]


@exercise(
    "9.5",
    cases=_answers,
    truth=lambda maps: np.array(
        [index for index, one in enumerate(maps) if not any(value > 0 for value in one.ravel())], int
    ),
    mistakes=[
        Mistake(
            "A mean below 0 is not silence: one place above 0 is enough for a gradient to get through.",
            lambda maps: np.flatnonzero(maps.mean(axis=(1, 2)) <= 0),
        ),
        Mistake(
            "A channel with one silent place still has a gradient at the others: all of its places must be at or "
            "below 0.",
            lambda maps: np.flatnonzero((maps <= 0).any(axis=(1, 2))),
        ),
        Mistake(
            "Those are the channels that do move.",
            lambda maps: np.flatnonzero((maps > 0).any(axis=(1, 2))),
        ),
        Mistake(
            "That is a mask of True and False; wanted are the channels' numbers, np.flatnonzero(mask).",
            lambda maps: (maps <= 0).all(axis=(1, 2)),
        ),
    ],
    hints=[
        "A ReLU hands a gradient back only where its input is above 0.",
        "(maps > 0).any(axis=(1, 2)) says of each channel whether it is awake somewhere.",
        "np.flatnonzero gives the places where a mask is True.",
    ],
)
def stuck_channels(maps):
    """Indices of the channels of maps before the ReLU, (C, h, w), from which no gradient comes back through it."""
    return np.flatnonzero(~(maps > 0).any(axis=(1, 2)))


# ---------------------------------------------------------------- 9.6 diversity


def _batches(generator):
    return [(np.abs(generator.normal(size=shape)),) for shape in ((2, 3, 4, 4), (4, 5, 3, 2), (3, 4, 5, 5))]


def _pairs(grams):
    count = len(grams)
    pairs = [(one, other) for one in range(count) for other in range(count) if one != other]
    return np.mean(
        [
            (grams[one] * grams[other]).sum() / np.linalg.norm(grams[one]) / np.linalg.norm(grams[other])
            for one, other in pairs
        ]
    )


def _grams(answers):
    flat = answers.reshape(*answers.shape[:2], -1)
    return flat @ flat.transpose(0, 2, 1)


@exercise(
    "9.6",
    cases=_batches,
    truth=lambda answers: float(_pairs(_grams(answers))),
    mistakes=[
        Mistake(
            "Each picture is compared with itself, too, which always gives 1: leave the diagonal out.",
            lambda answers: float(
                np.mean(
                    [
                        (one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other)
                        for one in _grams(answers)
                        for other in _grams(answers)
                    ]
                )
            ),
        ),
        Mistake(
            "Compared are the maps themselves, place by place; two pictures with the same eyes at other places would "
            "count as different. The Gram matrix forgets the places.",
            lambda answers: float(_pairs(answers)),
        ),
        Mistake(
            "The products are not divided by the matrices' lengths, so that strong answers count as alike.",
            lambda answers: float(
                np.mean(
                    [
                        (_grams(answers)[one] * _grams(answers)[other]).sum()
                        for one in range(len(answers))
                        for other in range(len(answers))
                        if one != other
                    ]
                )
            ),
        ),
        Mistake(
            "That is a Gram matrix of places, (h w, h w); wanted is the one of channels, (C, C).",
            lambda answers: float(_pairs([one.reshape(len(one), -1).T @ one.reshape(len(one), -1) for one in answers])),
        ),
    ],
    hints=[
        "flat = answers.reshape(n, C, h * w); flat @ flat.transpose(0, 2, 1) are the Gram matrices, (n, C, C).",
        "Make each one 1 long: divide it by np.linalg.norm of it.",
        "The cosine of two is then the sum of their product. Average it over all pairs of different pictures.",
    ],
)
def likeness(answers):
    """Mean cosine between the Gram matrices (C, C) of every two different pictures' answers (n, C, h, w)."""
    count = len(answers)
    flat = answers.reshape(*answers.shape[:2], -1)
    grams = (flat @ flat.transpose(0, 2, 1)).reshape(count, -1)
    grams = grams / np.linalg.norm(grams, axis=1, keepdims=True)
    cosines = grams @ grams.T
    return float((cosines.sum() - np.trace(cosines)) / (count * (count - 1)))
