"""The exercises of Day 18. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import numpy as np

from days.common.exercises import Mistake, exercise
from days.day18.code.storage import load_runs
from days.day18.code.training import initial_weights


class _Training:
    """A loop that hands out (step, filters) and, like any optimizer, changes the one array in place."""

    def __init__(self, seed: int, steps: int):
        self.seed, self.steps = seed, steps

    def __iter__(self):
        generator = np.random.default_rng(self.seed)
        filters = generator.normal(size=(3, 2, 3, 3))
        for step in range(self.steps):
            yield step, filters
            filters += generator.normal(size=filters.shape)


def _loops(generator):
    return [(_Training(int(generator.integers(1e6)), steps), every) for steps, every in ((13, 4), (9, 3), (8, 5))]


def _snapshots_by_replay(training, every):
    """Each moment by a replay of its own up to there, so that nothing has to be copied."""
    wanted = {}
    for step in range(0, training.steps, every):
        wanted[step] = next(filters for at, filters in training if at == step)
    return wanted


@exercise(
    "9.1",
    cases=_loops,
    truth=_snapshots_by_replay,
    mistakes=[
        Mistake(
            "All snapshots are one and the same array, which training went on changing: keep filters.copy().",
            lambda training, every: {step: filters for step, filters in training if step % every == 0},
        ),
        Mistake(
            "That is a snapshot of every step; wanted is every `every`-th: step % every == 0.",
            lambda training, every: {step: filters.copy() for step, filters in training},
        ),
        Mistake(
            "The filters before the first step are missing: step 0 belongs to it, 0 % every is 0.",
            lambda training, every: {step: filters.copy() for step, filters in training if step and step % every == 0},
        ),
        Mistake(
            "The steps are counted by snapshots, 0, 1, 2: the key is the step itself.",
            lambda training, every: dict(enumerate(_snapshots_by_replay(training, every).values())),
        ),
    ],
    hints=[
        "for step, filters in loop: ... runs the training; decide in the loop what to keep.",
        "step % every is 0 for every `every`-th step, and for step 0.",
        "An optimizer changes its weights in place. What is to last must be a copy.",
    ],
)
def keep_filters(loop, every):
    """{step: filters} of every `every`-th step of a loop that yields (step, filters)."""
    kept = {}
    for step, filters in loop:
        if step % every == 0:
            kept[step] = filters.copy()
    return kept


def _layers(generator):
    """1x1 filters, their biases, and what they answer to inputs from 0 to 1: two dead for any input, two nearly."""

    def case(count, channels, images):
        weights = generator.normal(0, 1, (count, channels))
        biases = generator.normal(-0.3, 0.5, count)
        biases[:2] = -np.maximum(weights[:2], 0).sum(axis=1) - 0.1
        weights[2:4, 0] = np.abs(weights[2:4, 0])
        biases[2:4] = -0.9 * np.maximum(weights[2:4], 0).sum(axis=1)
        weights[4], biases[4] = np.abs(weights[4]), -0.4 * np.abs(weights[4]).sum()
        weights[5], biases[5] = -np.abs(weights[5]), 0.15 * np.abs(weights[5]).sum()
        inputs = generator.uniform(0.2, 1, (images, channels, 4, 5))
        inputs[0] *= 0.2  # a dark image, in which filter 4 stays silent, and filter 5 does not
        answers = np.maximum(np.einsum("oc,nchw->nohw", weights, inputs) + biases[None, :, None, None], 0)
        return weights, biases, answers

    return [case(8, 3, 2), case(12, 5, 3), case(9, 4, 2)]


def _predicted_by_corners(weights, biases):
    """The largest answer, by trying all corners of the inputs' range."""
    corners = np.array(list(np.ndindex(*[2] * weights.shape[1])))
    return int(((corners @ weights.T + biases).max(axis=0) <= 0).sum())


def _counted(activations):
    return sum(1 for channel in np.moveaxis(activations, 1, 0) if not channel.any())


@exercise(
    "9.2",
    cases=_layers,
    truth=lambda weights, biases, activations: (_predicted_by_corners(weights, biases), _counted(activations)),
    mistakes=[
        Mistake(
            "The prediction took all weights, but inputs are never negative: a filter answers most where its negative "
            "weights see 0, so add up the positive ones alone.",
            lambda weights, biases, activations: (int((weights.sum(1) + biases <= 0).sum()), _counted(activations)),
        ),
        Mistake(
            "The prediction looks at the biases alone; positive weights can lift a negative bias above 0.",
            lambda weights, biases, activations: (int((biases <= 0).sum()), _counted(activations)),
        ),
        Mistake(
            "The count looks at the first image only; silent there may be loud in the next.",
            lambda weights, biases, activations: (
                _predicted_by_corners(weights, biases),
                _counted(activations[:1]),
            ),
        ),
        Mistake(
            "The count looks at the last image only; silent there may be loud in another.",
            lambda weights, biases, activations: (
                _predicted_by_corners(weights, biases),
                _counted(activations[-1:]),
            ),
        ),
        Mistake(
            "Counted are the units that are 0; a channel is dead when all of its units are, in all images.",
            lambda weights, biases, activations: (
                _predicted_by_corners(weights, biases),
                int((activations == 0).sum()),
            ),
        ),
    ],
    hints=[
        "The most that a filter can answer: every positive weight sees a 1, every negative one a 0.",
        "np.maximum(weights, 0).sum(axis=1) + biases is that most; what is not above 0 dies in the ReLU.",
        "activations.max(axis=(0, 2, 3)) is each channel's largest answer over images and places.",
    ],
)
def predict_and_count_dead(weights, biases, activations):
    """1x1 filters (out, in), biases (out,), inputs in [0, 1], answers (N, out, h, w) -> (dead for any input, here)."""
    most = np.maximum(weights, 0).sum(axis=1) + biases
    return int((most <= 0).sum()), int((activations.max(axis=(0, 2, 3)) <= 0).sum())


def _histories(generator):
    return [(np.cumsum(generator.normal(size=shape), axis=0),) for shape in ((5, 4, 3, 2, 2), (3, 6, 1, 3, 3))]


def _drift_by_loops(history):
    first = history[0]
    return np.array(
        [
            [np.sqrt(np.sum((now[i] - first[i]) ** 2) / np.sum(first[i] ** 2)) for i in range(len(now))]
            for now in history
        ]
    )


@exercise(
    "9.3",
    cases=_histories,
    truth=_drift_by_loops,
    mistakes=[
        Mistake(
            "That is the way from one snapshot to the next; wanted is the distance from the start, history[0].",
            lambda history: (
                np.linalg.norm(np.diff(history, axis=0, prepend=history[:1]).reshape(*history.shape[:2], -1), axis=2)
                / np.linalg.norm(history[0].reshape(history.shape[1], -1), axis=1)
            ),
        ),
        Mistake(
            "Not divided by the filter's length at the start, so strong filters always seem to go far.",
            lambda history: np.linalg.norm((history - history[0]).reshape(*history.shape[:2], -1), axis=2),
        ),
        Mistake(
            "Divided by the length that the filter has now; wanted is its length at the start.",
            lambda history: (
                np.linalg.norm((history - history[0]).reshape(*history.shape[:2], -1), axis=2)
                / np.linalg.norm(history.reshape(*history.shape[:2], -1), axis=2)
            ),
        ),
        Mistake(
            "That is one number for the whole layer; wanted is one a filter: sum over in, kh and kw only.",
            lambda history: (
                np.linalg.norm((history - history[0]).reshape(len(history), -1), axis=1) / np.linalg.norm(history[0])
            ),
        ),
    ],
    hints=[
        "history - history[0] is how far every weight has gone, at every step.",
        "The length of a filter is sqrt of the sum of its squared weights: axes 2, 3 and 4.",
        "Divide by the lengths of history[0], one for each filter.",
    ],
)
def drift(history):
    """Filters (steps, out, in, kh, kw) -> |now - start| / |start| of each filter, (steps, out)."""
    moved = np.sqrt(((history - history[0]) ** 2).sum(axis=(2, 3, 4)))
    return moved / np.sqrt((history[0] ** 2).sum(axis=(1, 2, 3)))


def _by_lists(filters):
    pairs = []
    for one in filters.reshape(-1, *filters.shape[2:]):
        for y, x in np.ndindex(one.shape):
            pairs += [(one[y, x], one[y, x + 1])] if x + 1 < one.shape[1] else []
            pairs += [(one[y, x], one[y + 1, x])] if y + 1 < one.shape[0] else []
    first, second = np.array(pairs).T
    return np.corrcoef(first, second)[0, 1]


def _trained_and_random(generator):
    """Filters of the stored trainings after and before, and one random set that is not square."""
    runs = load_runs()
    name = ["honest", "other start"][generator.integers(2)]
    at = int(generator.integers(-6, 0))
    chosen = generator.permutation(16)[:12]
    return [
        (runs[name][at].filters["conv1"][chosen].astype(np.float64),),
        (initial_weights(int(generator.integers(1e6)))["conv1"][0][:12, :, :6].astype(np.float64),),
        (runs[name][0].filters["conv1"][chosen].astype(np.float64),),
    ]


def _named(correlation):
    return float(correlation), "trained" if correlation > 0.1 else "random"


@exercise(
    "9.4",
    cases=_trained_and_random,
    truth=lambda filters: _named(_by_lists(filters)),
    mistakes=[
        Mistake(
            "Neighbors are along the last axis only; those one below the other, along axis -2, are missing.",
            lambda filters: _named(np.corrcoef(filters[..., :-1].ravel(), filters[..., 1:].ravel())[0, 1]),
        ),
        Mistake(
            "In one flat row the end of a filter's line meets the start of the next: slice the last axes, then ravel.",
            lambda filters: _named(np.corrcoef(filters.ravel()[:-1], filters.ravel()[1:])[0, 1]),
        ),
        Mistake(
            "Those are neighboring filters and channels, axes 0 and 1; a filter's pixels are along the last two.",
            lambda filters: _named(
                np.corrcoef(
                    np.concatenate([filters[:-1].ravel(), filters[:, :-1].ravel()]),
                    np.concatenate([filters[1:].ravel(), filters[:, 1:].ravel()]),
                )[0, 1]
            ),
        ),
        Mistake(
            "The number is right and the name is turned round: smooth filters are the trained ones.",
            lambda filters: (
                float(_by_lists(filters)),
                "random" if _by_lists(filters) > 0.1 else "trained",
            ),
        ),
    ],
    hints=[
        "filters[..., :-1] and filters[..., 1:] are each weight and the one to its right.",
        "filters[..., :-1, :] and filters[..., 1:, :] are each weight and the one below it.",
        "np.concatenate both kinds of pairs, flattened; np.corrcoef(first, second)[0, 1] is the correlation.",
        'Above 0.1 say "trained".',
    ],
)
def trained_or_random(filters):
    """(out, in, kh, kw) -> correlation of neighboring weights, and "trained" if it is above 0.1, else "random"."""
    first = np.concatenate([filters[..., :-1].ravel(), filters[..., :-1, :].ravel()])
    second = np.concatenate([filters[..., 1:].ravel(), filters[..., 1:, :].ravel()])
    correlation = np.corrcoef(first, second)[0, 1]
    return correlation, "trained" if correlation > 0.1 else "random"


def _three_runs(generator):
    """Two sound trainings and a bad one under letters: the conv1 filters of six moments, each run at its own scale.

    In each case a different shortcut misleads: the largest weights, the smallest, the look of the start.
    """
    stored = load_runs()

    def case(bad, sizes, starts):
        names, letters = ["honest", "other start", bad], generator.permutation(list("PQRSTUVW"))[:3]
        noises = sorted((initial_weights(int(generator.integers(1e6)))["conv1"][0] for _ in names), key=_by_lists)
        runs = {}
        for letter, name, size, start in zip(letters, names, sizes, starts, strict=True):
            moments = np.linspace(0, len(stored[name]) - 1, 6).astype(int)
            history = np.stack([stored[name][at].filters["conv1"] for at in moments]).astype(np.float64)
            history[0] = noises[start] * np.abs(history[1]).max()
            runs[str(letter)] = history * size / np.abs(history[-1]).max()
        order = generator.permutation(list(runs))
        return ({name: runs[name] for name in order},)

    first, second, third = generator.uniform(0.2, 1), generator.uniform(1.5, 2), generator.uniform(3, 5)
    return [
        case("faint start", (third, second, first), (0, 1, 2)),
        case("too fast", (first, second, third), (0, 1, 2)),
        case("faint start", (second, first, third), (2, 0, 1)),
        case("too fast", (first, second, third), (1, 0, 2)),
    ]


def _bad_by_bounds(runs):
    """The one whose last filters are noise still, or flat: outside what two sound trainings end with by far."""
    (name,) = [name for name, history in runs.items() if not 0.4 < _by_lists(history[-1]) < 0.85]
    return name


def _extreme(measure, pick):
    return lambda runs: pick(runs, key=lambda name: measure(runs[name]))


@exercise(
    "9.5",
    cases=_three_runs,
    truth=_bad_by_bounds,
    mistakes=[
        Mistake(
            "That one has merely the largest weights; each run has a scale of its own, so compare nothing absolute.",
            _extreme(lambda history: np.abs(history[-1]).max(), max),
        ),
        Mistake(
            "That one has merely the smallest weights; each run has a scale of its own, so compare nothing absolute.",
            _extreme(lambda history: np.abs(history[-1]).max(), min),
        ),
        Mistake(
            "The filters of that run at the start were looked at; the start tells nothing, all of them are noise then.",
            _extreme(lambda history: _by_lists(history[0]), max),
        ),
    ],
    hints=[
        "Look at the last moment, history[-1]: compute the correlation of neighboring weights, as in 9.4.",
        "Two runs agree at about 0.6. Near 0 nothing was learned; near 1 the filters are flat.",
        "The bad run is the one whose number is farthest from the middle one of the three.",
    ],
)
def bad_run(runs):
    """{name: conv1 filters (moments, out, in, kh, kw)} of three trainings -> the name of the bad one."""
    smooth = {}
    for name, history in runs.items():
        last = history[-1]
        first = np.concatenate([last[..., :-1].ravel(), last[..., :-1, :].ravel()])
        second = np.concatenate([last[..., 1:].ravel(), last[..., 1:, :].ravel()])
        smooth[name] = np.corrcoef(first, second)[0, 1]
    middle = np.median(list(smooth.values()))
    return max(smooth, key=lambda name: abs(smooth[name] - middle))


def _students(generator):
    def case(image, kernel):
        picture, student = generator.normal(size=image), generator.normal(size=kernel)
        rows, columns = image[0] - kernel[0] + 1, image[1] - kernel[1] + 1
        return picture, student, generator.normal(size=(rows, columns))

    return [case((6, 7), (3, 3)), case((8, 5), (2, 3)), case((7, 7), (3, 2))]


def _map(image, kernel):
    rows, columns = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
    answer = np.zeros((rows, columns))
    for i, j in np.ndindex(*kernel.shape):
        answer += kernel[i, j] * image[i : i + rows, j : j + columns]
    return answer


def _gradient_by_trying(image, student, target):
    gradient = np.zeros_like(student)
    for place in np.ndindex(student.shape):
        up, down = student.copy(), student.copy()
        up[place] += 1e-5
        down[place] -= 1e-5
        losses = [((_map(image, one) - target) ** 2).mean() for one in (up, down)]
        gradient[place] = (losses[0] - losses[1]) / 2e-5
    return gradient


def _error_slid(image, student, target, factor=2.0):
    error = _map(image, student) - target
    return factor * _map(image, error) / error.size


@exercise(
    "9.6",
    cases=_students,
    truth=_gradient_by_trying,
    mistakes=[
        Mistake(
            "The sign is turned round: the error is what the student answers minus the target.",
            lambda image, student, target: -_error_slid(image, student, target),
        ),
        Mistake(
            "The 2 of the square's slope is missing.",
            lambda image, student, target: _error_slid(image, student, target, factor=1.0),
        ),
        Mistake(
            "That is the sum over all places; the loss is their mean: divide by error.size.",
            lambda image, student, target: _error_slid(image, student, target) * target.size,
        ),
        Mistake(
            "The error was flipped before it slid. Nothing is flipped here: convolution means cross-correlation.",
            lambda image, student, target: 2 * _map(image, (_map(image, student) - target)[::-1, ::-1]) / target.size,
        ),
    ],
    hints=[
        "from days.day17.code.feature_maps import feature_map gives the student's map.",
        "error = feature_map(image, student) - target has the target's shape.",
        "The gradient is 2 / error.size * feature_map(image, error): the error slides like a kernel.",
    ],
    tolerance=1e-4,
)
def filter_gradient(image, student, target):
    """Slope of mean((feature_map(image, student) - target) ** 2) for each of the student's weights, (kh, kw)."""
    from days.day17.code.feature_maps import feature_map

    error = feature_map(image, student) - target
    return 2 * feature_map(image, error) / error.size
