"""The exercises of Day 24. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import numpy as np

from days.common.exercises import Mistake, exercise

# ---------------------------------------------------------------- 9.1 another background


def _cutouts(generator):
    cases = []
    for height, width in ((5, 7), (6, 6), (4, 8)):
        image, other = generator.uniform(size=(2, height, width, 3))
        mask = generator.random((height, width)) < 0.4
        cases.append((image, mask, other))
    return cases


def _paste_by_pixels(image, mask, other):
    found = other.copy()
    for row, column in np.argwhere(mask):
        found[row, column] = image[row, column]
    return {"returned": found, "the image you were given, afterwards": image}


def _paste_in_place(image, mask, other):
    image[~mask] = other[~mask]
    return image


@exercise(
    "9.1",
    cases=_cutouts,
    truth=_paste_by_pixels,
    look=lambda answer, image, *others: {"returned": answer, "the image you were given, afterwards": image},
    mistakes=[
        Mistake(
            "The object has gone and the background has stayed: the mask is True on the object.",
            lambda image, mask, other: np.where(mask[..., None], other, image),
        ),
        Mistake(
            "The two images were mixed. A pixel belongs to one of them, as the mask says.",
            lambda image, mask, other: (image + other) / 2,
        ),
        Mistake(
            "Around the object there is nothing: wanted is the other image's background.",
            lambda image, mask, other: image * mask[..., None],
        ),
        Mistake("The image that you were given has changed: make a new one, with np.where.", _paste_in_place),
    ],
    hints=[
        "The mask has no axis for colors: mask[..., None] is (H, W, 1) and fits to (H, W, 3).",
        "np.where(condition, a, b) takes from a where the condition holds, and from b elsewhere.",
    ],
)
def on_new_background(image, mask, other):
    """The object of `image` (H, W, 3), where `mask` (H, W) is True, on the background of `other`."""
    return np.where(mask[..., None], image, other)


# ---------------------------------------------------------------- 9.2 does it follow the background?


def _answers(generator):
    cases = []
    for _ in range(3):
        labels, backgrounds = generator.integers(6, size=(2, 397))
        named = np.where(generator.random(397) < 0.6, labels, backgrounds)
        named = np.where(generator.random(397) < 0.1, generator.integers(6, size=397), named)
        cases.append((named, labels, backgrounds))
    return cases


def _follows_by_counting(named, labels, backgrounds):
    swapped = [(one, other) for one, label, other in zip(named, labels, backgrounds, strict=True) if label != other]
    return sum(one == other for one, other in swapped) / len(swapped)


@exercise(
    "9.2",
    cases=_answers,
    truth=_follows_by_counting,
    mistakes=[
        Mistake(
            "Images whose background goes with their shape were counted, too: there, right and fooled look the same. "
            "Leave them out.",
            lambda named, labels, backgrounds: np.mean(named == backgrounds),
        ),
        Mistake(
            "The fooled ones are right, but they were divided by all images; divide by those with a wrong background.",
            lambda named, labels, backgrounds: np.mean((named == backgrounds) & (labels != backgrounds)),
        ),
        Mistake(
            "That is the share that is named rightly. Wanted is the share named after the background.",
            lambda named, labels, backgrounds: np.mean((named == labels)[labels != backgrounds]),
        ),
        Mistake(
            "That is the share named wrongly. A wrong answer need not be the background's.",
            lambda named, labels, backgrounds: np.mean((named != labels)[labels != backgrounds]),
        ),
    ],
    hints=[
        "swapped = labels != backgrounds marks the images that count.",
        "(named == backgrounds)[swapped].mean() is a share.",
    ],
)
def share_fooled(named, labels, backgrounds):
    """Of the images whose background is another shape's: which share is named after it? Three arrays (N,)."""
    swapped = labels != backgrounds
    return float((named == backgrounds)[swapped].mean())


# ---------------------------------------------------------------- 9.3 who looks away?


def _suspects(generator):
    """Maps of four networks, one of which has a few glaring images that would rule a sum, and signs that mislead."""
    cases = []
    for _ in range(3):
        masks = np.zeros((12, 6, 6), bool)
        masks[:, 1:4, 2:5] = True
        maps = {}
        for name, inside in zip(generator.permutation(list("ABCD")), (0.8, 0.6, 0.4, 0.2), strict=True):
            one = generator.uniform(0.5, 1, (12, 6, 6)) * np.where(masks, inside / 9, (1 - inside) / 27)
            maps[str(name)] = one
        first, second, third, last = maps.values()
        first[0] = np.where(masks[0], 0.0, 50.0)
        last[0] = np.where(masks[0], 50.0, 0.0)
        second -= np.where(masks, 0.15, 0)[::1] * (np.arange(12) % 3 == 0)[:, None, None]
        third -= np.where(masks, 0, 0.01)
        cases.append((maps, masks))
    return cases


def _by_suspicion(maps, masks, *, share=None, turn=1):
    def mean_share(one):
        one = np.maximum(one, 0)
        return ((one * masks).sum(axis=(1, 2)) / one.sum(axis=(1, 2))).mean()

    return tuple(sorted(maps, key=lambda name: turn * (share or mean_share)(maps[name])))


def _by_loops(maps, masks):
    means = {}
    for name, several in maps.items():
        shares = []
        for one, mask in zip(several, masks, strict=True):
            positive = [max(value, 0) for value in one.ravel()]
            shares.append(sum(v for v, m in zip(positive, mask.ravel(), strict=True) if m) / sum(positive))
        means[name] = sum(shares) / len(shares)
    return tuple(sorted(means, key=means.get))


@exercise(
    "9.3",
    cases=_suspects,
    truth=_by_loops,
    mistakes=[
        Mistake(
            "The order is turned round: who has the least on the object comes first.",
            lambda maps, masks: _by_suspicion(maps, masks, turn=-1),
        ),
        Mistake(
            "All images were thrown together before the share was taken, so that one glaring map outweighs the rest. "
            "Take each image's share first, then the mean.",
            lambda maps, masks: tuple(
                sorted(maps, key=lambda name: np.maximum(maps[name], 0)[masks].sum() / np.maximum(maps[name], 0).sum())
            ),
        ),
        Mistake(
            "What is below 0 was counted as if it spoke for the shape: cut it off, do not take its absolute value.",
            lambda maps, masks: _by_suspicion(
                maps,
                masks,
                share=lambda one: (np.abs(one * masks).sum(axis=(1, 2)) / np.abs(one).sum(axis=(1, 2))).mean(),
            ),
        ),
        Mistake(
            "That is how much lies on the objects, not which share: divide by each map's own sum.",
            lambda maps, masks: _by_suspicion(maps, masks, share=lambda one: np.maximum(one, 0)[masks].sum()),
        ),
        Mistake(
            "What is below 0 took part: evidence against a shape is not to be set off against evidence for it. Cut it "
            "off with np.maximum(maps, 0).",
            lambda maps, masks: _by_suspicion(
                maps, masks, share=lambda one: ((one * masks).sum(axis=(1, 2)) / one.sum(axis=(1, 2))).mean()
            ),
        ),
    ],
    hints=[
        "positive = np.maximum(maps[name], 0); (positive * masks).sum(axis=(1, 2)) is what lies on the objects, (N,).",
        "sorted(shares, key=shares.get) sorts the names of a dict by their values.",
    ],
)
def most_suspicious(maps, masks):
    """{name: maps (N, H, W)}, masks (N, H, W) -> names, the least share on the object (mean over images) first."""
    shares = {}
    for name, one in maps.items():
        positive = np.maximum(one, 0)
        shares[name] = ((positive * masks).sum(axis=(1, 2)) / positive.sum(axis=(1, 2))).mean()
    return sorted(shares, key=shares.get)


# ---------------------------------------------------------------- 9.4 is it a difference?


def _share_pairs(generator):
    cases = []
    for _ in range(3):
        difficulty = generator.uniform(0.2, 0.8, 50)
        honest = difficulty + generator.normal(0, 0.03, 50)
        cases.append((difficulty - 0.03 + generator.normal(0, 0.03, 50), honest))
    return cases


def _paired(shares, honest):
    differences = [a - b for a, b in zip(shares, honest, strict=True)]
    mean = sum(differences) / len(differences)
    variance = sum((one - mean) ** 2 for one in differences) / (len(differences) - 1)
    return mean, 1.96 * (variance / len(differences)) ** 0.5


@exercise(
    "9.4",
    cases=_share_pairs,
    truth=_paired,
    mistakes=[
        Mistake(
            "The two networks were taken as if they had seen different images. They saw the same: take the difference "
            "image by image first, and what makes an image hard for both cancels.",
            lambda shares, honest: (
                float(np.mean(shares) - np.mean(honest)),
                float(1.96 * np.sqrt((shares.var(ddof=1) + honest.var(ddof=1)) / len(shares))),
            ),
        ),
        Mistake(
            "That is the spread of single images. The mean of n images is surer by the root of n.",
            lambda shares, honest: (
                float(np.mean(shares - honest)),
                float(1.96 * np.std(shares - honest, ddof=1)),
            ),
        ),
        Mistake(
            "The sign is turned round: the suspect's share minus the honest one's.",
            lambda shares, honest: (-_paired(shares, honest)[0], _paired(shares, honest)[1]),
        ),
        Mistake(
            "One standard error, which holds the truth in two of three cases; 1.96 of them make 95 %.",
            lambda shares, honest: (_paired(shares, honest)[0], _paired(shares, honest)[1] / 1.96),
        ),
    ],
    hints=[
        "differences = shares - honest, an array (N,).",
        "The standard error of its mean is differences.std(ddof=1) / np.sqrt(len(differences)).",
    ],
)
def difference(shares, honest):
    """The mean of shares - honest, both (N,) of the same images, and half its 95 % interval: 1.96 standard errors."""
    differences = shares - honest
    return float(differences.mean()), float(1.96 * differences.std(ddof=1) / np.sqrt(len(differences)))


# ---------------------------------------------------------------- 9.5 balance


def _tied(generator):
    cases = []
    for _ in range(3):
        labels = generator.integers(3, size=90)
        backgrounds = np.where(generator.random(90) < 0.6, labels, generator.integers(3, size=90))
        for label in range(3):
            labels[label * 3 : label * 3 + 3], backgrounds[label * 3 : label * 3 + 3] = label, range(3)
        cases.append((labels, backgrounds))
    return cases


def _first_of_each(groups) -> np.ndarray:
    least = min(np.sum(groups == one) for one in np.unique(groups))
    return np.sort(np.concatenate([np.flatnonzero(groups == one)[:least] for one in np.unique(groups)]))


def _balance_by_counting(labels, backgrounds):
    places = {}
    for index, pair in enumerate(zip(labels.tolist(), backgrounds.tolist(), strict=True)):
        places.setdefault(pair, []).append(index)
    least = min(map(len, places.values()))
    return np.array(sorted(index for several in places.values() for index in several[:least]))


@exercise(
    "9.5",
    cases=_tied,
    truth=_balance_by_counting,
    mistakes=[
        Mistake(
            "Now all shapes are equally frequent, and each still comes on its own background most of the time: count "
            "pairs of shape and background.",
            lambda labels, backgrounds: _first_of_each(labels),
        ),
        Mistake(
            "Now all backgrounds are equally frequent, and each still goes with its shape: count pairs of both.",
            lambda labels, backgrounds: _first_of_each(backgrounds),
        ),
        Mistake(
            "These are True and False for all images; wanted are the places of those to keep, as numbers.",
            lambda labels, backgrounds: np.isin(np.arange(len(labels)), _balance_by_counting(labels, backgrounds)),
        ),
        Mistake(
            "The right images in another order: sort the indices.",
            lambda labels, backgrounds: _balance_by_counting(labels, backgrounds)[::-1],
        ),
        Mistake(
            "As many of each pair as wanted, but the last ones; keep the first.",
            lambda labels, backgrounds: np.sort(
                len(labels) - 1 - _balance_by_counting(labels[::-1], backgrounds[::-1])
            ),
        ),
        Mistake(
            "Only images whose background is another shape's: then the background still tells something, namely what "
            "the shape is not.",
            lambda labels, backgrounds: np.flatnonzero(labels != backgrounds),
        ),
    ],
    hints=[
        "pairs = labels * 1000 + backgrounds gives every pair a number of its own.",
        "np.unique(pairs, return_counts=True) counts them; the rarest one says how many of each can be kept.",
        "np.flatnonzero(pairs == one)[:least] are the first places of a pair.",
    ],
)
def balanced(labels, backgrounds):
    """Indices, in order: of every pair of label and background the first ones, as many as there are of the rarest."""
    pairs = labels * 1000 + backgrounds
    numbers, counts = np.unique(pairs, return_counts=True)
    return np.sort(np.concatenate([np.flatnonzero(pairs == one)[: counts.min()] for one in numbers]))


# ---------------------------------------------------------------- 9.6 defend a finding


class _Network:
    """Scores of a network with one channel silenced, which changes nothing, or little, or an answer."""

    def __init__(self, generator):
        self.whole = np.round(generator.normal(size=(20, 6)), 3)
        self.whole[np.arange(20), generator.integers(6, size=20)] += 4
        self.changes = {}
        for channel, kind in enumerate(generator.permutation(["none", "none", "rounding", "scores", "answer", "one"])):
            change = np.zeros((20, 6))
            if kind == "rounding":
                change[:] = 1e-7
            elif kind == "scores":
                change[:] = generator.normal(0, 0.05, (20, 6))
            elif kind == "answer":
                change[:, 0] = 9.0
            elif kind == "one":
                change[-1, self.whole[-1].argmin()] = 12.0
            self.changes[channel] = change

    def __call__(self, channel=None):
        return self.whole + (0 if channel is None else self.changes[channel])


def _defended(scores, channels, *, unchanged):
    return tuple(channel for channel in channels if unchanged(scores(), scores(channel)))


@exercise(
    "9.6",
    cases=lambda generator: [(_Network(generator), list(range(6))) for _ in range(3)],
    truth=lambda scores, channels: tuple(c for c in channels if all(abs(d) < 1e-5 for d in scores.changes[c].ravel())),
    mistakes=[
        Mistake(
            "One of them moves the scores and only happens to change no prediction here: the next image may be closer.",
            lambda scores, channels: _defended(
                scores, channels, unchanged=lambda a, b: (a.argmax(axis=1) == b.argmax(axis=1)).all()
            ),
        ),
        Mistake(
            "Exactly equal is too much to ask: sums of other length are rounded otherwise. Allow 1e-5.",
            lambda scores, channels: _defended(scores, channels, unchanged=lambda a, b: (a == b).all()),
        ),
        Mistake(
            "The mean hides a single image: the largest change of any score counts.",
            lambda scores, channels: _defended(scores, channels, unchanged=lambda a, b: abs(a - b).mean() < 0.2),
        ),
        Mistake(
            "A drop counts as well as a rise, and a rise as well as a drop: take the absolute value.",
            lambda scores, channels: _defended(scores, channels, unchanged=lambda a, b: (a - b).max() < 1e-5),
        ),
    ],
    hints=[
        "scores() are the scores (N, 6) as it is, scores(channel) those without the channel.",
        "np.abs(scores(channel) - scores()).max() < 1e-5 says that nothing hangs on it.",
    ],
)
def defended(scores, channels):
    """The channels, said to be dead, without which no score changes by 1e-5 or more: they may be called idle."""
    return [channel for channel in channels if np.abs(scores(channel) - scores()).max() < 1e-5]


# ---------------------------------------------------------------- 9.7 your own model

TAKEN = "a network that the X-ray takes"


def _at_the_xray(network) -> str:
    """What the X-ray says of a network: that it takes it, or why not."""
    from days.common.images import load_image
    from days.xray import xray

    photos, said = [load_image(name, size=64) for name in ("chelsea", "coffee")], []
    # None is the size that a network is bound to; PyTorch's do not say theirs.
    for size in (None, 64, 32, 28):
        try:
            xray(network, photos, size=size, progress=False)
            return TAKEN
        except (ValueError, RuntimeError) as error:
            said.append(str(error))
    return f"something that the X-ray cannot take: {said[0]}"


def _small(torch, *, convolution: bool = True, classes: int = 5):
    nn = torch.nn
    front = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1)] if convolution else [nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*front, nn.Flatten(), nn.Linear(8 if convolution else 3, classes))


def _bound_to_a_size():
    from torch import nn

    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 38 * 38, 5))


def _without_convolution():
    import torch

    return _small(torch, convolution=False)


def _weights_only():
    import torch

    return _small(torch).state_dict()


def _class_itself():
    import torch

    return type(_small(torch))


@exercise(
    "9.7",
    cases=lambda generator: [()],
    truth=lambda: TAKEN,
    look=_at_the_xray,
    mistakes=[
        Mistake(
            "It is bound to a size that the check does not try (28, 32, 64 and 224 pixels): end with a mean over all "
            "places, AdaptiveAvgPool2d(1), before the linear layer.",
            _bound_to_a_size,
        ),
        Mistake("There is no convolution in it, so there are no filters and no maps to look at.", _without_convolution),
        Mistake("Those are the weights. Return the network, with the weights loaded into it.", _weights_only),
        Mistake("That is the class. Call it: the X-ray wants a network, not a plan of one.", _class_itself),
    ],
    hints=[
        "torch.nn.Sequential(...) of a Conv2d, a ReLU, an AdaptiveAvgPool2d(1), a Flatten and a Linear is enough.",
        "Import what you need inside the function.",
        "Scores for categories: the last layer has as many outputs as there are categories.",
    ],
)
def my_network():
    """A network with at least one convolution, one input of color images, and scores for categories."""
    from torch import nn

    maps = [nn.Conv2d(3, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU()]
    return nn.Sequential(*maps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)).eval()
