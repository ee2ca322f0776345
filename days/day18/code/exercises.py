"""The exercises of Day 18. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from days.common import cases
from days.common.exercises import exercise
from days.common.tasks import task
from days.day18.code import suspects
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


def _snapshots_by_replay(training, every):
    """Each moment by a replay of its own up to there, so that nothing has to be copied."""
    steps = range(0, training.steps, every)
    return {step: next(filters for at, filters in training if at == step) for step in steps}


@exercise(
    "9.1 · 10 min · ●○○",
    cases=lambda generator: [
        (_Training(int(generator.integers(1e6)), steps), every) for steps, every in ((13, 4), (7, 1), (131, 12))
    ],
    truth=_snapshots_by_replay,
    mistakes=[
        "All snapshots are one and the same array, which training went on changing: keep filters.copy().",
        ("filters.copy()", "filters"),
        "That is a snapshot of every step; wanted is every `every`-th: step % every == 0.",
        ("if step % every == 0", "if True"),
        "The filters before the first step are missing: step 0 belongs to it, 0 % every is 0.",
        ("if step %", "if step and step %"),
        "The steps are counted by snapshots, 0, 1, 2: the key is the step itself.",
        ("kept[step]", "kept[len(kept)]"),
    ],
    hints=[
        "for step, filters in loop: ... runs the training; decide in the loop what to keep.",
        "step % every is 0 for every `every`-th step, and for step 0.",
        "An optimizer changes its weights in place. What is to last must be a copy.",
    ],
)
def keep_filters(loop, every):
    """{step: filters} of steps 0, every, 2 * every ... of a loop that yields (step, filters).

    Like any optimizer, the loop changes one and the same array in place.
    """
    kept = {}
    for step, filters in loop:
        if step % every == 0:
            kept[step] = filters.copy()
    return kept


def _layer(generator, count, channels, images, strength=1.0):
    """1x1 filters, their biases, and what they answer to inputs from 0 to 1: two dead for any input, two nearly."""
    weights, biases = generator.normal(0, 1, (count, channels)), generator.normal(-0.3, 0.5, count)
    biases[:2] = -np.maximum(weights[:2], 0).sum(axis=1) - 0.1
    weights[2:4, 0] = np.abs(weights[2:4, 0])
    biases[2:4] = 1e-3 - np.maximum(weights[2:4], 0).sum(axis=1)
    weights[4], biases[4] = np.abs(weights[4]), -0.4 * np.abs(weights[4]).sum()
    weights[5], biases[5] = -np.abs(weights[5]), 0.15 * np.abs(weights[5]).sum()
    last, faint = generator.integers([7, 1], [9, 3])
    weights[6:last], biases[6:last] = -np.abs(weights[6:last]), 0  # at most exactly 0
    inputs = generator.uniform(0.2, 1, (images, channels, 4, 5))
    inputs[0] *= 0.2  # a dark image, in which filter 4 stays silent, and filter 5 does not
    answers = np.maximum(np.einsum("oc,nchw->nohw", weights, inputs) + biases[None, :, None, None], 0)
    answers[:, -faint:] = 0
    answers[images // 2, -faint:, generator.integers(4), generator.integers(5)] = 1e-4  # awake, faintly, at one place
    return strength * weights, strength * biases, strength * answers


def _dead_by_trying(weights, biases, activations):
    """The largest answer by trying all corners of the inputs' range; the silent channels by a look at each."""
    corners = np.array(list(np.ndindex(*[2] * weights.shape[1])))
    predicted = ((corners @ weights.T + biases).max(axis=0) <= 0).sum()
    return int(predicted), sum(1 for channel in np.moveaxis(activations, 1, 0) if not channel.any())


@exercise(
    "9.2 · 15 min · ●●○",
    cases=cases.drawn(_layer, (9, 3, 2), (12, 5, 3), (10, 4, 2, 0.1)),
    truth=_dead_by_trying,
    mistakes=[
        "The prediction took all weights, but inputs are never negative: a filter's output is largest where its "
        "negative weights see 0, so add up the positive ones alone.",
        ("np.maximum(weights, 0)", "weights"),
        "That is the bound for inputs from -1 to 1; from 0 to 1, a negative weight adds most when it sees a 0.",
        ("np.maximum(weights, 0)", "np.abs(weights)"),
        "The prediction looks at the biases alone; positive weights can lift a negative bias above 0.",
        ("np.maximum(weights, 0).sum(axis=1) + biases", "biases"),
        "The count looks at the first image only; silent there may be loud in the next.",
        ("activations.max", "activations[:1].max"),
        "Counted are the units that are 0; a channel is dead when all of its units are, in all images.",
        ("activations.max(axis=(0, 2, 3))", "activations"),
    ],
    hints=[
        "The largest possible output of a filter: every positive weight sees a 1, every negative one a 0.",
        "np.maximum(weights, 0).sum(axis=1) + biases is that most; what is not above 0 dies in the ReLU.",
        "activations.max(axis=(0, 2, 3)) is each channel's largest activation over images and places.",
    ],
)
def predict_and_count_dead(weights, biases, activations):
    """1x1 filters (out, in), biases (out,), activations (N, out, h, w) after the ReLU.

    Returns two numbers: how many channels cannot exceed 0 for any input from 0 to 1, and how many
    do not in these activations.
    """
    most = np.maximum(weights, 0).sum(axis=1) + biases
    return int((most <= 0).sum()), int((activations.max(axis=(0, 2, 3)) <= 0).sum())


def _drift_by_loops(history):
    length, start = np.linalg.norm, history[0]
    return np.array([[length(f - at) / length(at) for f, at in zip(now, start, strict=True)] for now in history])


@exercise(
    "9.3 · 10 min · ●●○",
    cases=lambda generator: [
        (np.cumsum(generator.normal(size=shape), axis=0),) for shape in ((5, 4, 3, 2, 3), (3, 6, 1, 3, 2))
    ],
    truth=_drift_by_loops,
    mistakes=[
        "That is the way from one snapshot to the next; wanted is the distance from the start, history[0].",
        ("(history - history[0])", "np.diff(history, axis=0, prepend=history[:1])"),
        "Not divided by the filter's length at the start, so strong filters always seem to go far.",
        ("moved / np.sqrt((history[0] ** 2).sum(axis=(1, 2, 3)))", "moved"),
        "Divided by the length that the filter has now; wanted is its length at the start.",
        ("(history[0] ** 2).sum(axis=(1, 2, 3))", "(history**2).sum(axis=(2, 3, 4))"),
        "That is one number for the whole layer; wanted is one a filter: sum over in, kh and kw only.",
        (".sum(axis=(2, 3, 4))", ".sum(axis=(1, 2, 3, 4))", ".sum(axis=(1, 2, 3))", ".sum()"),
    ],
    hints=[
        "history - history[0] is how far every weight has gone, at every step.",
        "The length of a filter is sqrt of the sum of its squared weights: axes 2, 3 and 4.",
        "Divide by the lengths of history[0], one for each filter.",
    ],
)
def drift(history):
    """Filters (steps, out, in, kh, kw) -> |now - start| / |start| of each, (steps, out)."""
    moved = np.sqrt(((history - history[0]) ** 2).sum(axis=(2, 3, 4)))
    return moved / np.sqrt((history[0] ** 2).sum(axis=(1, 2, 3)))


def _by_lists(filters):
    """The correlation of neighboring weights, pair by pair."""
    ones, others = [], []
    for kernel in filters.reshape(-1, *filters.shape[2:]).tolist():
        for row in kernel:
            ones += row[:-1]
            others += row[1:]
        for row, below in pairwise(kernel):
            ones += row
            others += below
    return float(np.corrcoef(ones, others)[0, 1])


def _noise(generator):
    """The filters of a training's first layer before it begins."""
    return initial_weights(int(generator.integers(1e6)))["conv1"][0].astype(np.float64)


def _with_correlation(filters, wanted):
    """Filters whose neighbors' correlation is `wanted`: each weight mixed with the one to its right and below."""
    low, high = -0.9, 0.9
    for _ in range(12):
        share = (low + high) / 2
        mixed = filters + share * (np.roll(filters, 1, axis=-1) + np.roll(filters, 1, axis=-2))
        low, high = (share, high) if _by_lists(mixed) < wanted else (low, share)
    return mixed


def _trained_and_random(generator):
    """Filters of the stored trainings after and before, and random sets that are not square, on both sides of 0.1."""
    run = load_runs()[["honest", "other start"][generator.integers(2)]]
    chosen = generator.permutation(16)[:12]
    after, before = (run[at].filters["conv1"][chosen].astype(np.float64) for at in (generator.integers(-6, 0), 0))
    near = [_with_correlation(_noise(generator)[:4, :, :6], correlation) for correlation in (0.12, 0.08, -0.2)]
    return [(after,), (before,), *((one,) for one in near)]


@exercise(
    "9.4 · 15 min · ●●○",
    cases=_trained_and_random,
    truth=lambda filters: (_by_lists(filters), "trained" if _by_lists(filters) > 0.1 else "random"),
    rounds=1,
    mistakes=[
        "Neighbors are along the last axis only; those one below the other, along axis -2, are missing.",
        ("[right, below]", "[right]"),
        "In one flat row the end of a filter's line meets the start of the next: slice the last axes, then ravel.",
        ("np.concatenate([right, below], axis=1)", "filters.ravel()[:-1], filters.ravel()[1:]"),
        "Those are neighboring filters and channels, axes 0 and 1; a filter's pixels are along the last two.",
        (
            *("filters[..., :-1].ravel(), filters[..., 1:]", "filters[:-1].ravel(), filters[1:]"),
            *("filters[..., :-1, :].ravel(), filters[..., 1:, :]", "filters[:, :-1].ravel(), filters[:, 1:]"),
        ),
        "The number is right and the name is turned round: smooth filters are the trained ones.",
        ("> 0.1", "<= 0.1"),
    ],
    hints=[
        "filters[..., :-1] and filters[..., 1:] are each weight and the one to its right.",
        "filters[..., :-1, :] and filters[..., 1:, :] are each weight and the one below it.",
        "np.concatenate both kinds of pairs, flattened; np.corrcoef(first, second)[0, 1] is the correlation.",
        'Above 0.1 say "trained".',
    ],
)
def trained_or_random(filters):
    """(out, in, kh, kw) -> the correlation of neighboring weights, and a word, as a pair.

    One np.corrcoef over all pairs of weights side by side and one below the other in a filter.
    The word is "trained" for a correlation above 0.1, else "random".
    """
    right = filters[..., :-1].ravel(), filters[..., 1:].ravel()
    below = filters[..., :-1, :].ravel(), filters[..., 1:, :].ravel()
    correlation = np.corrcoef(np.concatenate([right, below], axis=1))[0, 1]
    return correlation, "trained" if correlation > 0.1 else "random"


def _three_runs(generator):
    """Two sound trainings and a bad one under letters: the conv1 filters of six moments, each run at its own scale.

    In each case another size misleads: the bad run has the largest weights, the smallest, or those in the middle. It
    stands first, second or last.
    """
    stored = load_runs()

    def case(place, bad, sizes):
        letters, runs = generator.permutation(list("PQRSTUVW"))[:3], {}
        for letter, name, size in zip(letters, ("honest", "other start", bad), sizes, strict=True):
            moments = np.linspace(0, len(stored[name]) - 1, 6).astype(int)
            history = np.stack([stored[name][at].filters["conv1"] for at in moments]).astype(np.float64)
            runs[str(letter)] = history * size / np.abs(history[-1]).max()
        return ({str(name): runs[name] for name in np.roll(list(runs), place + 1)},)

    small, middle, large = generator.uniform(0.2, 1), generator.uniform(1.5, 2), generator.uniform(3, 5)
    return [
        case(0, "faint start", (large, middle, small)),
        case(1, "too fast", (small, middle, large)),
        case(1, "faint start", (middle, small, large)),
        case(2, "too fast", (middle, large, small)),
        case(2, "faint start", (large, small, middle)),
        case(0, "too fast", (small, large, middle)),
    ]


def _bad_by_bounds(runs):
    """The one whose last filters are noise still, or flat: outside what two sound trainings end with by far."""
    (name,) = [name for name, history in runs.items() if not 0.4 < _by_lists(history[-1]) < 0.85]
    return name


@exercise(
    "9.5 · 20 min · ●●●",
    cases=_three_runs,
    truth=_bad_by_bounds,
    rounds=2,
    mistakes=[
        "That one has merely the largest weights; each run has a scale of its own, so compare nothing absolute.",
        ("abs(smooth[name] - middle)", "abs(runs[name][-1]).max()"),
        "That one has merely the smallest weights; each run has a scale of its own, so compare nothing absolute.",
        ("abs(smooth[name] - middle)", "-abs(runs[name][-1]).max()"),
        "The roughest filters are noise, but the bad run may also be too smooth: too fast, and all has become flat.",
        ("abs(smooth[name] - middle)", "-smooth[name]"),
        "The smoothest filters may be flat, but the bad run may also be the roughest: faint, and still noise.",
        ("abs(smooth[name] - middle)", "smooth[name]"),
        "The filters of that run at the start were looked at; the start tells nothing, all of them are noise then.",
        ("history[-1]", "history[0]", "abs(smooth[name] - middle)", "smooth[name]"),
    ],
    hints=[
        "Look at the last moment, history[-1]: compute the correlation of neighboring weights, as in 9.4.",
        "Two runs agree at about 0.6. Near 0 nothing was learned; near 1 the filters are flat.",
        "The bad run is the one whose number is farthest from the middle one of the three.",
    ],
)
def bad_run(runs):
    """{letter: conv1's filters at six moments, (6, out, in, kh, kw)} -> the bad run's letter.

    The moments are spread evenly from the first step (noise) to the last.
    """
    smooth = {}
    for name, history in runs.items():
        last = history[-1]
        right = last[..., :-1].ravel(), last[..., 1:].ravel()
        below = last[..., :-1, :].ravel(), last[..., 1:, :].ravel()
        smooth[name] = np.corrcoef(np.concatenate([right, below], axis=1))[0, 1]
    middle = np.median(list(smooth.values()))
    return max(smooth, key=lambda name: abs(smooth[name] - middle))


def _student(generator, image, kernel):
    target = image[0] - kernel[0] + 1, image[1] - kernel[1] + 1
    return tuple(generator.normal(size=shape) for shape in (image, kernel, target))


def _slope_by_trying(image, student, target):
    from scipy.signal import correlate2d

    return cases.slopes(lambda weights: ((correlate2d(image, weights, "valid") - target) ** 2).mean(), student)


@exercise(
    "9.6 · 10 min · ●●○",
    cases=cases.drawn(_student, ((6, 7), (3, 3)), ((8, 5), (2, 3)), ((7, 7), (3, 2))),
    truth=_slope_by_trying,
    mistakes=[
        "The 2 of the square's slope is missing.",
        ("2 * ", ""),
        "That is the sum over all places; the loss is their mean: divide by error.size.",
        (" / error.size", ""),
        "The error was flipped before it slid. Nothing is flipped here: convolution means cross-correlation.",
        ("(image, error)", "(image, error[::-1, ::-1])"),
    ],
    hints=[
        "from days.day17.code.feature_maps import feature_map gives the student's map.",
        "error = feature_map(image, student) - target has the target's shape.",
        "The gradient is 2 / error.size * feature_map(image, error): the error slides like a kernel.",
    ],
    tolerance=1e-4,
)
def filter_gradient(image, student, target):
    """Slope of mean((feature_map(image, student) - target) ** 2) for each weight, (kh, kw).

    For any sizes of image and student; feature_map may be used, autograd may not.
    """
    from days.day17.code.feature_maps import feature_map

    error = feature_map(image, student) - target
    return 2 * feature_map(image, error) / error.size


@task(
    "9.7 · 30 min · ●●●",
    rubric=suspects.rubric,
    given=(18,),
    wrong=[
        "the letter of the sound training, beside a statistic that would have told",
        ("max(trainings", "min(trainings"),
        "the loss, which is not given",
        lambda number: {"broken": "P", "statistic": lambda snapshots: snapshots[-1].loss},
        "the gradient before the first step, which tells nothing of the rate",
        ("snapshots[-1]", "snapshots[0]"),
        "the length of the weights",
        ("-min(state.gradient", "-min(state.weights"),
        "the right number with its sign turned round",
        ("-min(", "min("),
        "how far conv1 has moved, which a high rate and a dead network both make small or large",
        (
            "-min(state.gradient for state in last.layers.values())",
            "-abs(last.filters['conv1'] - snapshots[0].filters['conv1']).mean()",
        ),
    ],
    hints=[
        "Print, for both trainings and each layer, what `snapshots[-1].layers` holds. In which numbers do they differ?",
        "It must be one number that shows each of the faults: a rate too high, a faint start, biases far below 0. What "
        "do all three do to the signal that training depends on?",
        "The smallest gradient over the layers, with a minus, so that larger means broken.",
    ],
)
def broken_training(number):
    """A number -> {"broken": "P" or "Q", "statistic": a function of a training's snapshots}.

    The statistic gives one number, larger for a broken training than for a sound one. It is tried
    on other pairs, with every fault.
    """
    from days.day18.code.suspects import two_trainings

    def vanishing(snapshots):
        last = snapshots[-1]
        return -min(state.gradient for state in last.layers.values())

    trainings = two_trainings(number)
    return {"broken": max(trainings, key=lambda letter: vanishing(trainings[letter])), "statistic": vanishing}
