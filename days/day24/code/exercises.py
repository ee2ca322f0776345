"""The exercises of Day 24. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import contextlib

import numpy as np
import scipy

from days.common import cases
from days.common.comparison import Words
from days.common.exercises import exercise
from days.common.frameworks import framework_of
from days.common.models import OFFLINE_NETWORKS, load_model
from days.common.tasks import task
from days.day17.code.backends import backend_of, meaning_of
from days.day24.code import mystery


def _cutout(generator, *shape):
    (image, other), mask = generator.random((2, *shape, 3)), generator.random(shape) < 0.4
    mask[1:4, 2:5] = True
    mask[2, 3] = False  # a hole in the object
    image[1, 2], image[2, 2], other[3, 3], image[0, 0] = 0, 1, 0, 0  # black and white, on the object and beside it
    if shape[0] == shape[1]:  # one object lies away from the sides
        mask[[0, -1]] = mask[:, [0, -1]] = False
    return image, mask, other


def _paste_by_pixels(image, mask, other):
    found = other.copy()
    for row, column in np.argwhere(mask):
        found[row, column] = image[row, column]
    return found


@exercise(
    "9.1 · 5 min · ●○○",
    cases=cases.drawn(_cutout, (5, 7), (6, 6), (4, 8)),
    truth=_paste_by_pixels,
    mistakes=[
        "The object has gone and the background has stayed: the mask is True on the object.",
        ("image, other", "other, image"),
        "The two images were mixed. A pixel belongs to one of them, as the mask says.",
        ("np.where(mask[..., None], image, other)", "(image + other) / 2"),
        "Around the object there is nothing: wanted is the other image's background.",
        ("image, other", "image, 0.0"),
    ],
    hints=[
        "The mask has no axis for colors: mask[..., None] is (H, W, 1) and fits to (H, W, 3).",
        "np.where(condition, a, b) takes from a where the condition holds, and from b elsewhere.",
    ],
)
def on_new_background(image, mask, other):
    """Images (H, W, 3), mask (H, W) of True on the object -> image (H, W, 3)."""
    return np.where(mask[..., None], image, other)


def _fooled(generator, count):
    """Answers that follow the label or the background, and some that follow neither; six kinds, of any numbers."""
    labels, backgrounds, others = generator.choice(generator.choice(999, 6, replace=False), (3, count))
    return cases.mixed(generator, cases.mixed(generator, labels, backgrounds, 0.4), others, 0.1), labels, backgrounds


def _follows_by_counting(named, labels, backgrounds):
    swapped = [(name, other) for name, label, other in zip(named, labels, backgrounds, strict=True) if label != other]
    return sum(name == other for name, other in swapped) / len(swapped)


@exercise(
    "9.2 · 10 min · ●○○",
    cases=cases.drawn(_fooled, (397,), (180,), (91,)),
    truth=_follows_by_counting,
    mistakes=[
        "Images whose background goes with their shape were counted, too: there, right and fooled look the same. "
        "Leave them out.",
        ("[swapped]", ""),
        "The fooled ones are right, but they were divided by all images; divide by those with a wrong background.",
        ("[swapped].mean()", "[swapped].sum() / len(named)"),
        "That is the share that is named rightly. Wanted is the share named after the background.",
        ("named == backgrounds", "named == labels"),
        "That is the share named wrongly. A wrong answer need not be the background's.",
        ("named == backgrounds", "named != labels"),
    ],
    hints=[
        "swapped = labels != backgrounds marks the images that count.",
        "(named == backgrounds)[swapped].mean() is a share.",
    ],
)
def share_fooled(named, labels, backgrounds):
    """Three arrays (N,) of numbers -> a share from 0 to 1."""
    swapped = labels != backgrounds
    return float((named == backgrounds)[swapped].mean())


def _suspects(generator, count, height, width):
    """Maps of five networks whose mean shares lie 0.005 apart; loud maps, sizes and what is below 0 all mislead."""
    shape, maps = (count, height, width), {}
    masks = generator.random(shape) < generator.uniform(0.2, 0.8, (count, 1, 1))
    masks[:, 0, :2] = True, False
    names = generator.permutation(list("ABCDE")).tolist()
    for place in generator.permutation(5):
        shares = generator.uniform(0.3, 0.6, count)
        shares[0] *= place % 2  # of every other network's first map, nothing lies inside
        shares[1:] += (0.43 + 0.005 * place - shares.mean()) * count / (count - 1)
        below, values = generator.random(shape) < 0.3, generator.uniform(0.2, 1, shape)
        below[:, 0, :2] = False
        values[below] = 0
        for side, share in ((masks, shares), (~masks, 1 - shares)):
            values *= np.where(side, (share / (values * side).sum(axis=(1, 2)))[:, None, None], 1)
        loud = generator.uniform(0.2, 5, (count, 1, 1))
        maps[names[place]] = loud * np.where(below, -generator.uniform(0, 0.3, shape), values)
    return maps, masks


def _by_images(maps, masks):
    def share(values):
        return np.mean([image[mask].sum() / image.sum() for image, mask in zip(values.clip(0), masks, strict=True)])

    return tuple(sorted(maps, key=lambda name: share(maps[name])))


@exercise(
    "9.3 · 15 min · ●●○",
    cases=cases.drawn(_suspects, (12, 6, 6), (7, 5, 8), (20, 4, 5)),
    truth=_by_images,
    mistakes=[
        "The order is turned round: who has the least on the object comes first.",
        ("key=shares.get", "key=shares.get, reverse=True"),
        "All images were thrown together before the share was taken, so that one glaring map outweighs the rest. "
        "Take each image's share first, then the mean.",
        (".sum(axis=(1, 2)) / positive.sum(axis=(1, 2))", ".sum() / positive.sum()"),
        "What is below 0 was counted as if it spoke for the shape: cut it off, do not take its absolute value.",
        ("np.maximum(values, 0)", "np.abs(values)"),
        "That is how much lies on the objects, not which share: divide by each map's own sum.",
        (" / positive.sum(axis=(1, 2))", ""),
        "What is below 0 took part: evidence against a shape is not to be set off against evidence for it. Cut it "
        "off with np.maximum(maps, 0).",
        ("np.maximum(values, 0)", "values"),
    ],
    hints=[
        "positive = np.maximum(maps[name], 0); (positive * masks).sum(axis=(1, 2)) is what lies on the objects, (N,).",
        "sorted(shares, key=shares.get) sorts the names of a dict by their values.",
    ],
)
def most_suspicious(maps, masks):
    """{name: maps (N, H, W)}, masks (N, H, W) of True on the object -> names in order."""
    shares = {}
    for name, values in maps.items():
        positive = np.maximum(values, 0)
        shares[name] = ((positive * masks).sum(axis=(1, 2)) / positive.sum(axis=(1, 2))).mean()
    return sorted(shares, key=shares.get)


def _shares(generator, count, mean):
    """Two networks' shares for the same images, which are of very different difficulty."""
    difficulty, (noise, other) = generator.uniform(0.2, 0.8, count), generator.normal(0, 0.03, (2, count))
    return difficulty + mean + noise, difficulty + other


@exercise(
    "9.4 · 10 min · ●●○",
    cases=cases.drawn(_shares, (50, -0.03), (23, 0.05), (80, -0.02)),
    tolerance=5e-5,  # for 1.95996, too
    truth=lambda shares, honest: (sum(shares - honest) / len(shares), 1.96 * scipy.stats.sem(shares - honest)),
    mistakes=[
        "The two networks were taken as if they had seen different images. They saw the same: take the difference "
        "image by image first, and what makes an image hard for both cancels.",
        ("differences.std(ddof=1)", "np.sqrt(shares.var(ddof=1) + honest.var(ddof=1))"),
        "That is the spread of single images. The mean of n images is surer by the root of n.",
        (" / np.sqrt(len(differences))", ""),
        "One standard error, which holds the truth in two of three cases; 1.96 of them make 95 %.",
        ("1.96 * ", ""),
    ],
    hints=[
        "differences = shares - honest, an array (N,).",
        "The standard error of its mean is differences.std(ddof=1) / np.sqrt(len(differences)).",
    ],
)
def difference(shares, honest):
    """Two networks' shares (N,) of the same images -> (mean difference, half its interval)."""
    differences = shares - honest
    return float(differences.mean()), float(1.96 * differences.std(ddof=1) / np.sqrt(len(differences)))


def _tied(generator, kinds, grounds):
    """Labels that mostly come on their own background; every pair occurs. kinds, grounds : three numbers each."""
    labels, others = generator.integers(3, size=(2, 90))
    backgrounds = cases.mixed(generator, labels, others, 0.4)
    if kinds[0]:
        backgrounds[(labels == 0) & (backgrounds == 2)] = 0  # so that this pair occurs but once
    labels[:9], backgrounds[:9] = np.divmod(np.arange(9), 3)
    order = generator.permutation(90)
    return np.array(kinds)[labels[order]], np.array(grounds)[backgrounds[order]]


def _balance_by_counting(labels, backgrounds):
    places = {}
    for index, pair in enumerate(zip(labels.tolist(), backgrounds.tolist(), strict=True)):
        places.setdefault(pair, []).append(index)
    least = min(map(len, places.values()))
    return np.array(sorted(index for several in places.values() for index in several[:least]))


@exercise(
    "9.5 · 15 min · ●●●",
    cases=lambda generator: [
        _tied(generator, (0, 1, 2), (0, 1, 2)),
        _tied(generator, (1, 2, 7), (2, 7, 8)),
        cases.edge("numbers are above 9", *_tied(generator, (1, 2, 11), (1, 2, 11))),
    ],
    truth=_balance_by_counting,
    mistakes=[
        "Now all shapes are equally frequent, and each still comes on its own background most of the time: count "
        "pairs of shape and background.",
        ("labels * 1000 + backgrounds", "labels"),
        "Two different pairs were taken for one: 10 * 1 + 11 and 10 * 2 + 1 are the same number. The numbers may be "
        "above 9.",
        ("1000", "10"),
        "Now all backgrounds are equally frequent, and each still goes with its shape: count pairs of both.",
        ("labels * 1000 + backgrounds", "backgrounds"),
        "These are True and False for all images; wanted are the places of those to keep, as numbers.",
        ("np.sort(kept)", "np.isin(np.arange(len(pairs)), kept)"),
        "The right images in another order: sort the indices.",
        ("np.sort(kept)", "np.sort(kept)[::-1]"),
        "As many of each pair as wanted, but the last ones; keep the first.",
        ("[: counts.min()]", "[-counts.min() :]"),
        "Only images whose background is another shape's: then the background still tells something, namely what "
        "the shape is not.",
        ("np.sort(kept)", "np.flatnonzero(labels != backgrounds)"),
    ],
    hints=[
        "pairs = labels * 1000 + backgrounds gives every pair a number of its own.",
        "np.unique(pairs, return_counts=True) counts them; the rarest one says how many of each can be kept.",
        "np.flatnonzero(pairs == one)[:least] are the first places of a pair.",
    ],
)
def balanced(labels, backgrounds):
    """Two arrays (N,) of numbers -> indices, from small to large."""
    pairs = labels * 1000 + backgrounds
    numbers, counts = np.unique(pairs, return_counts=True)
    kept = np.concatenate([np.flatnonzero(pairs == number)[: counts.min()] for number in numbers])
    return np.sort(kept)


def _silenced(generator):
    """Scores of a network with one channel set to 0, which changes nothing, or little, or an answer, or one image."""
    whole = np.round(generator.normal(size=(20, 6)), 3)
    whole[np.arange(20), generator.integers(6, size=20)] += 4
    changes = np.zeros((11, 20, 6))  # of the eleven, the first four change nothing that counts
    changes[2], changes[3], changes[4] = 1e-7, -7e-6, generator.normal(0, 0.05, (20, 6))
    changes[4, 3, 3] = 0
    changes[5, :, 0], changes[6, -1, whole[-1].argmin()] = 9, 12
    changes[7, 3, 2:4], changes[8, 4, 1], changes[9, 0, 0] = (-0.5, 0.5), 1.5e-5, -1.1e-3
    changes[10] = 3e-5
    order, asked = generator.permutation(11), generator.permutation(11)[:9]
    asked = np.roll(asked, -(order[asked] < 4).argmax()).tolist()  # an idle one first

    def scores(channel=None):
        return whole + (0 if channel is None else changes[order[channel]])

    scores.idle = tuple(channel for channel in asked if order[channel] < 4)
    return scores, asked


@exercise(
    "9.6 · 10 min · ●●○",
    cases=cases.drawn(_silenced, times=3),
    truth=lambda scores, channels: np.array(scores.idle, int),
    mistakes=[
        "One of them moves the scores and only happens to change no prediction here: the next image may be closer.",
        (
            "np.abs(scores(channel) - scores()).max() < 1e-5",
            "(scores(channel).argmax(axis=1) == scores().argmax(axis=1)).all()",
        ),
        "Exactly equal is too much to ask: sums of other length are rounded otherwise. Allow 1e-5.",
        ("< 1e-5", "== 0"),
        "The mean hides a single image: the largest change of any score counts.",
        (".max() < 1e-5", ".mean() < 0.2"),
        "A drop counts as well as a rise, and a rise as well as a drop: take the absolute value.",
        ("np.abs(scores(channel) - scores())", "(scores() - scores(channel))"),
    ],
    hints=[
        "scores() are the scores (N, 6) as it is, scores(channel) those without the channel.",
        "np.abs(scores(channel) - scores()).max() < 1e-5 says that nothing hangs on it.",
    ],
)
def defended(scores, channels):
    """A function, a list of channels -> those on which no score depends, in the same order."""
    return [channel for channel in channels if np.abs(scores(channel) - scores()).max() < 1e-5]


TAKEN = "a network that the X-ray takes"


def _at_the_xray(network) -> str:
    """What the X-ray says of a network: that it takes it, or why not; and what else is asked for."""
    from days.common.images import load_image
    from days.xray import subject, xray

    photos, said = [load_image(name, size=64) for name in ("chelsea", "coffee")], []
    # None is the size that a network is bound to; PyTorch's do not say theirs.
    for size in (None, 64, 32, 28):
        try:
            xray(network, photos, size=size, pictures=False, progress=False)
            return _for_color_and_scores(subject.subject_of(network, size=size), np.stack(photos))
        except (ValueError, RuntimeError) as error:
            said.append(str(error))
    return Words(f"the X-ray cannot take it: {said[0]}")


def _for_color_and_scores(subject, photos) -> str:
    if subject.backend.input_form(subject.network)[0] != 3:
        return Words("it takes images of a single channel; wanted is a network for color images, which have three")
    size = subject.size
    images = np.stack([photo[:size, :size] if size <= 64 else np.resize(photo, (size, size, 3)) for photo in photos])
    batch = subject.batch(images)
    answers = backend_of(subject.network).scores(subject.network, batch)
    if answers.shape[1] < 2:
        return Words("it returns one number an image; wanted are scores of categories, of at least two")
    if not np.isfinite(answers).all():
        return Words("some of its scores are NaN or infinite; wanted are finite ones: look at its weights")
    if np.ptp(answers, axis=0).max() <= 1e-7 * np.abs(answers).max():
        return Words("it gives both photos the same scores; wanted are scores that depend on the image")
    if _of_the_course(subject.network, batch, answers):
        return Words("it is a network of the course; wanted is one of your own, trained or not")
    if meaning_of(subject.network, batch, answers) != "scores":
        return Words("it returns probabilities; wanted are scores: leave out the softmax or sigmoid at its end")
    return TAKEN


def _of_the_course(network, batch, answers: np.ndarray) -> bool:
    """Whether a network comes from this repository, or answers as one that `load_model` gives without a download."""
    if type(network).__module__.startswith("days."):
        return True
    framework = framework_of(network)
    for name in OFFLINE_NETWORKS if answers.shape[1] == 1000 else ():
        with contextlib.suppress(ValueError):
            own = load_model(name, framework=framework).network
            if np.allclose(backend_of(own).scores(own, batch), answers, rtol=1e-3, atol=1e-3):
                return True
    return False


@exercise(
    "9.7 · 25 min · ●●○",
    cases=lambda generator: [()],
    truth=lambda: TAKEN,
    look=_at_the_xray,
    rounds=1,
    probe=False,
    mistakes=[
        "It is bound to a size that the check does not try (28, 32, 64 and 224 pixels): end with a mean over all "
        "places, AdaptiveAvgPool2d(1), before the linear layer.",
        ("nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32,", "nn.Flatten(), nn.Linear(32 * 18 * 18,"),
        "There is no 2-d convolution in it, so there are no filters and no maps to look at.",
        ("*maps, ", "", "nn.Linear(32", "nn.Linear(3"),
        "Those are the weights. Return the network, with the weights loaded into it.",
        (".eval()", ".state_dict()"),
        "That is the class. Call it: the X-ray wants a network, not a plan of one.",
        ("return nn.Sequential(", "return type(nn.Sequential(", ".eval()", ")"),
    ],
    hints=[
        "torch.nn.Sequential(...) of a Conv2d, a ReLU, an AdaptiveAvgPool2d(1), a Flatten and a Linear is enough.",
        "Import what you need inside the function.",
        "Scores for categories: the last layer has as many outputs as there are categories, and no softmax.",
    ],
)
def my_network():
    """A network with a convolution, one input of color images, scores before the softmax."""
    from torch import nn

    maps = [nn.Conv2d(3, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU()]
    return nn.Sequential(*maps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)).eval()


@task(
    "9.8 · 40 min · ●●●",
    rubric=mystery.rubric,
    given=(2026,),
    wrong=[
        "an empty list: that nothing is wrong",
        lambda number: [],
        "the faults alone, without the background",
        (' + [("background", lost)] * (lost >= 0.06)', ""),
        "a loss that was measured on another network",
        ('("background", lost)', '("background", 0.31)'),
        "several losses, the right one first",
        ("(lost >= 0.06)", '(lost >= 0.06) + [("background", 0.31)]'),
        "a loss that is right, and a fault that nobody planted",
        ("return claims", 'return [("dead", "conv1", 0)] + claims'),
    ],
    hints=[
        "`examine` of Day 23 finds the faults of filters; show the network `clinic.ward_images().images`.",
        "Measure the background with `mystery.loss_by_swap`, on `make_shapes(500, background_correlation=1.0)` and on "
        "`bias_lab.swapped(500)`, both with the number as the seed.",
        "A loss below 0.06 on 500 images is no more than chance.",
    ],
)
def judge(number):
    """A number -> your report on `mystery_network(number)`, a list of claims as above."""
    from days.common.datasets import make_shapes
    from days.day23.code import diagnosis, network
    from days.day24.code import bias_lab, mystery

    patient = mystery.mystery_network(number)
    claims = diagnosis.examine(patient, network.ward_images().images)
    shapes = make_shapes(500, seed=number, background_correlation=1.0)
    lost = mystery.loss_by_swap(patient, shapes, bias_lab.swapped(500, seed=number))
    return claims + [("background", lost)] * (lost >= 0.06)
