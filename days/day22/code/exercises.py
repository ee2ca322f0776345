"""The exercises of Day 22. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import numpy as np

from days.common.exercises import Mistake, exercise

# ---------------------------------------------------------------- 9.1 Grad-CAM


def _layers(generator):
    shapes = ((4, 3, 5), (6, 7, 4), (3, 5, 5))
    return [(generator.normal(0.5, 1, shape), generator.normal(size=shape)) for shape in shapes]


def _cam_by_loops(activations, gradients):
    """Grad-CAM, one place after the other."""
    channels, height, width = activations.shape
    found = np.zeros((height, width))
    for row, column in np.ndindex(height, width):
        evidence = sum(gradients[one].mean() * activations[one, row, column] for one in range(channels))
        found[row, column] = max(evidence, 0)
    return found


@exercise(
    "9.1",
    cases=_layers,
    truth=_cam_by_loops,
    mistakes=[
        Mistake(
            "Evidence against the category is still in it: what is below 0 is cut off at the very end.",
            lambda activations, gradients: np.einsum("c,chw->hw", gradients.mean(axis=(1, 2)), activations),
        ),
        Mistake(
            "That is gradient times activation at each place. Grad-CAM gives each channel one weight: the mean of its "
            "gradient over all places.",
            lambda activations, gradients: np.maximum((gradients * activations).sum(axis=0), 0),
        ),
        Mistake(
            "The ReLU came too early: cut off below 0 channel by channel, a channel that speaks against the category "
            "counts as silent. Add up first.",
            lambda activations, gradients: np.maximum(gradients.mean(axis=(1, 2))[:, None, None] * activations, 0).sum(
                axis=0
            ),
        ),
        Mistake(
            "Activations and gradients have changed places: the weights come from the gradients.",
            lambda activations, gradients: np.maximum(
                np.einsum("c,chw->hw", activations.mean(axis=(1, 2)), gradients), 0
            ),
        ),
        Mistake(
            "The weights are sums; Grad-CAM takes the mean over the places, so that a larger layer is no stronger.",
            lambda activations, gradients: np.maximum(
                np.einsum("c,chw->hw", gradients.sum(axis=(1, 2)), activations), 0
            ),
        ),
    ],
    hints=[
        "One weight for each channel: gradients.mean(axis=(1, 2)) has the shape (C,).",
        "weights[:, None, None] has two axes more: multiply the activations by it, and add up over the channels.",
        "np.maximum(..., 0) comes last.",
    ],
)
def class_map(activations, gradients):
    """Grad-CAM (h, w) from a layer's activations and the gradients of a score for them, both (C, h, w)."""
    weights = gradients.mean(axis=(1, 2))
    return np.maximum((weights[:, None, None] * activations).sum(axis=0), 0)


# ---------------------------------------------------------------- 9.2 occlusion


class _Score:
    """A score that a few pixels decide, not in proportion."""

    def __init__(self, weights: np.ndarray):
        self.weights = weights

    def __call__(self, image: np.ndarray) -> float:
        return float(np.tanh((self.weights * image).sum()))


def _pictures(generator):
    found = []
    for height, width, size in ((6, 8, 2), (6, 6, 3), (4, 12, 4)):
        image = generator.random((height, width)) + 0.2
        found.append((_Score(generator.normal(0, 0.3, image.shape)), image, size))
    return found


def _falls(score, image, size, *, fill=0.0, keep=False, turn=1, fall=True):
    rows, columns = image.shape[0] // size, image.shape[1] // size
    found, covered = np.zeros((rows, columns)), image.copy()
    for row, column in np.ndindex(rows, columns):
        if not keep:
            covered = image.copy()
        covered[row * size : (row + 1) * size, column * size : (column + 1) * size] = fill
        found[row, column] = turn * (score(image) - score(covered)) if fall else score(covered)
    return found


def _falls_by_masks(score, image, size):
    """The same by multiplying with masks."""
    rows, columns = image.shape[0] // size, image.shape[1] // size
    corner = np.kron(np.eye(rows * columns).reshape(-1, rows, columns), np.ones((size, size)))
    return np.array([score(image) - score(image * (1 - mask)) for mask in corner]).reshape(rows, columns)


@exercise(
    "9.2",
    cases=_pictures,
    truth=_falls_by_masks,
    mistakes=[
        Mistake(
            "The squares stay covered, one after the other: cover a fresh copy of the image each time.",
            lambda score, image, size: _falls(score, image, size, keep=True),
        ),
        Mistake(
            "That is the score of the covered image. Where it is *low* the square mattered; wanted is the fall, the "
            "score of the image minus that of the covered one.",
            lambda score, image, size: _falls(score, image, size, fall=False),
        ),
        Mistake(
            "The sign is turned round: a square that matters gets a positive number.",
            lambda score, image, size: _falls(score, image, size, turn=-1),
        ),
        Mistake(
            "The squares are filled with 1, the brightest color; wanted is 0.",
            lambda score, image, size: _falls(score, image, size, fill=1.0),
        ),
    ],
    hints=[
        "There are image.shape[0] // size rows of squares and image.shape[1] // size columns.",
        "covered = image.copy(), then covered[row * size : (row + 1) * size, ...] = 0.",
        "The number of a square is score(image) - score(covered).",
    ],
)
def falls(score, image, size):
    """By how much score(image) falls as each square of `size` pixels is set to 0, one at a time: (rows, columns)."""
    found = np.zeros((image.shape[0] // size, image.shape[1] // size))
    for row, column in np.ndindex(found.shape):
        covered = image.copy()
        covered[row * size : (row + 1) * size, column * size : (column + 1) * size] = 0
        found[row, column] = score(image) - score(covered)
    return found


# ---------------------------------------------------------------- 9.3 the pointing game


def _games(generator):
    found = []
    for count, height, width in ((16, 5, 7), (24, 6, 6), (8, 4, 9)):
        maps = generator.normal(size=(count, height, width))
        masks = generator.random((count, height, width)) < 0.4
        flat, inside, every = maps.reshape(count, -1), masks.reshape(count, -1), np.arange(count)
        deepest = flat.argmin(axis=1)
        flat[every, deepest] -= 9  # the largest |value| speaks against the category, and lies outside but once
        inside[every, deepest] = every == 0
        inside[:, flat.sum(axis=0).argmax()] = every < count // 8
        inside[every, flat.argmax(axis=1)] = every < count * 5 // 8
        found.append((maps, masks))
    return found


def _hits(maps, masks):
    """Image by image, place by place."""
    hits = 0
    for one, mask in zip(maps, masks, strict=True):
        row, column = max(np.ndindex(one.shape), key=lambda place: one[place])
        hits += bool(mask[row, column])
    return hits / len(maps)


def _at_the_top(maps, masks):
    tops = maps.reshape(len(maps), -1).argmax(axis=1)
    return masks.reshape(len(masks), -1)[np.arange(len(maps)), tops]


@exercise(
    "9.3",
    cases=_games,
    truth=_hits,
    mistakes=[
        Mistake(
            "That is how many hits there are; wanted is their share of the images.",
            lambda maps, masks: float(_at_the_top(maps, masks).sum()),
        ),
        Mistake(
            "That is the share of misses.",
            lambda maps, masks: float(1 - _at_the_top(maps, masks).mean()),
        ),
        Mistake(
            "The largest |value| was taken: evidence against the category does not point at the object. Take the "
            "largest value.",
            lambda maps, masks: float(_at_the_top(np.abs(maps), masks).mean()),
        ),
        Mistake(
            "One largest value was found for all maps together; each map has its own.",
            lambda maps, masks: float(masks.reshape(len(masks), -1)[:, maps.sum(axis=0).argmax()].mean()),
        ),
        Mistake(
            "That is how much of the images the objects cover, without a look at the maps.",
            lambda maps, masks: float(masks.mean()),
        ),
    ],
    hints=[
        "maps.reshape(len(maps), -1).argmax(axis=1) says where each map is largest.",
        "The masks, reshaped alike, can be asked at these places: masks[np.arange(len(maps)), places].",
        "Its mean is the share of hits.",
    ],
)
def pointing_share(maps, masks):
    """The share of maps (N, H, W) whose largest value lies on the object, where masks (N, H, W) are True."""
    places = maps.reshape(len(maps), -1).argmax(axis=1)
    return float(masks.reshape(len(masks), -1)[np.arange(len(maps)), places].mean())


# ---------------------------------------------------------------- 9.4 does it care for the category?


def _several(generator):
    found = []
    for count, shape in ((2, (5, 6)), (3, (4, 4)), (5, (6, 3))):
        common = generator.normal(size=shape)
        found.append((common + 0.7 * generator.normal(size=(count, *shape)) + 1.5,))
    return found


def _pairs_mean(maps):
    """numpy's own correlations, pair by pair."""
    pairs = [(one, other) for one in range(len(maps)) for other in range(one)]
    return float(np.mean([np.corrcoef(maps[one].ravel(), maps[other].ravel())[0, 1] for one, other in pairs]))


@exercise(
    "9.4",
    cases=_several,
    truth=_pairs_mean,
    mistakes=[
        Mistake(
            "Each map is compared with itself, too, which always gives 1: leave these pairs out.",
            lambda maps: float(np.corrcoef(maps.reshape(len(maps), -1)).mean()),
        ),
        Mistake(
            "Without taking their means away first, that is a cosine: two maps that are positive everywhere look alike "
            "whatever they show.",
            lambda maps: float(
                np.mean(
                    [
                        (maps[one] * maps[other]).sum() / np.linalg.norm(maps[one]) / np.linalg.norm(maps[other])
                        for one in range(len(maps))
                        for other in range(one)
                    ]
                )
            ),
        ),
        Mistake(
            "The pixels are compared with one another, not the maps: each map must be one row, maps.reshape(len(maps), "
            "-1).",
            lambda maps: float(np.corrcoef(maps.reshape(len(maps), -1).T)[~np.eye(maps[0].size, dtype=bool)].mean()),
        ),
        Mistake(
            "That is how much they differ, 1 minus the correlation.",
            lambda maps: 1 - _pairs_mean(maps),
        ),
    ],
    hints=[
        "np.corrcoef takes rows, one for each map, and gives all correlations, (k, k).",
        "Its diagonal compares each map with itself. ~np.eye(k, dtype=bool) is a mask of all other pairs.",
        "The mean of np.corrcoef(maps.reshape(k, -1)) under that mask.",
    ],
)
def likeness_of_categories(maps):
    """Mean correlation between the maps (k, H, W) of every two different categories of one photo: from -1 to 1."""
    correlations = np.corrcoef(maps.reshape(len(maps), -1))
    return float(correlations[~np.eye(len(maps), dtype=bool)].mean())


# ---------------------------------------------------------------- 9.5 which layer localizes best?


def _stack(generator):
    found = []
    for best in ("early", "middle", "late"):
        masks = np.zeros((4, 8, 8), bool)
        for mask in masks:
            row, column = generator.integers(0, 5, 2)
            mask[row : row + 4, column : column + 4] = True
        layers = {}
        for name, step, loud in (("early", 1, 1.0), ("middle", 2, 40.0), ("late", 4, 5.0)):
            coarse = masks.reshape(4, 8 // step, step, 8 // step, step).mean(axis=(2, 4))
            aim = 6.0 if name == best else 0.6
            each = generator.uniform(0.5, 2, (4, 1, 1))
            layers[name] = loud * each * (aim * coarse + generator.normal(0.3, 0.5, coarse.shape))
        found.append((layers, masks))
    return found


def _inside(layers, masks, shares):
    """{name: shares(evidence on the object, all evidence)}, with the evidence (N, H, W) summed over each image."""
    found = {}
    for name, maps in layers.items():
        step = masks.shape[1] // maps.shape[1]
        large = np.kron(maps, np.ones((1, step, step)))
        found[name] = float(shares(large, masks))
    return found


def _shares(large, masks):
    return ((large * masks).sum(axis=(1, 2)) / large.sum(axis=(1, 2))).mean()


def _shares_by_loops(layers, masks):
    """Pixel by pixel."""
    found = {}
    for name, maps in layers.items():
        step, shares = len(masks[0]) // len(maps[0]), []
        for one, mask in zip(maps, masks, strict=True):
            values = [(max(one[row // step, column // step], 0), mask[row, column]) for row, column in np.ndindex(8, 8)]
            shares.append(sum(value for value, inside in values if inside) / sum(value for value, _ in values))
        found[name] = float(np.mean(shares))
    return found


@exercise(
    "9.5",
    cases=_stack,
    truth=_shares_by_loops,
    mistakes=[
        Mistake(
            "These are sums, not shares, and a loud layer wins: divide by the sum of the whole map.",
            lambda layers, masks: _inside(
                layers, masks, lambda large, masks: (np.maximum(large, 0) * masks).sum(axis=(1, 2)).mean()
            ),
        ),
        Mistake(
            "That is the share that lies beside the object.",
            lambda layers, masks: _inside(layers, masks, lambda large, masks: _shares(np.maximum(large, 0), ~masks)),
        ),
        Mistake(
            "Evidence against the category counts as well: cut off what is below 0 first.",
            lambda layers, masks: _inside(layers, masks, lambda large, masks: _shares(np.abs(large), masks)),
        ),
        Mistake(
            "All images were put together, so that one strong map outvotes the others: a share for each image, then "
            "their mean.",
            lambda layers, masks: _inside(
                layers, masks, lambda large, masks: np.maximum(large, 0)[masks].sum() / np.maximum(large, 0).sum()
            ),
        ),
    ],
    hints=[
        "Maps (N, h, w) become as large as the masks by np.kron(maps, np.ones((1, step, step))), step = H // h.",
        "np.maximum(large, 0) is the evidence for the category; (large * masks).sum(axis=(1, 2)) what lies inside.",
        "Divide by large.sum(axis=(1, 2)), image by image, and take the mean.",
    ],
)
def shares_inside(layers, masks):
    """For each layer in {name: maps (N, h, w)}, which share of its positive evidence lies inside masks (N, H, W).

    Returns {name: mean share over the images}. H and W are whole multiples of h and w.
    """
    shares = {}
    for name, maps in layers.items():
        step = masks.shape[1] // maps.shape[1]
        large = np.maximum(np.kron(maps, np.ones((1, step, step))), 0)
        shares[name] = float(((large * masks).sum(axis=(1, 2)) / large.sum(axis=(1, 2))).mean())
    return shares


# ---------------------------------------------------------------- 9.6 the softmax in the way


class _Backward:
    """A network's way back, for one image: gradient for scores (k,) -> gradient for pixels (H, W, 3)."""

    def __init__(self, jacobian: np.ndarray):
        self.jacobian = jacobian

    def __call__(self, gradient: np.ndarray) -> np.ndarray:
        return np.tensordot(np.asarray(gradient, float), self.jacobian, axes=1)


def _networks(generator):
    found = []
    for count, category in ((5, 2), (8, 0), (6, 5)):
        scores = generator.normal(size=count)
        scores[category] += 6  # sure of itself: the softmax is nearly flat there
        found.append((_Backward(generator.normal(size=(count, 4, 5, 3))), scores, category))
    return found


def _powers(scores):
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def _one(scores, category):
    return np.eye(len(scores))[category]


@exercise(
    "9.6",
    cases=_networks,
    truth=lambda backward, scores, category: sum(
        np.abs(backward.jacobian[category, :, :, color]) for color in range(3)
    ),
    mistakes=[
        Mistake(
            "The softmax is in the way: where the network is sure, its slope is nearly 0, and so is this map. Hand "
            "back 1 for the category's score and 0 for all others.",
            lambda backward, scores, category: np.abs(
                backward(_powers(scores)[category] * (_one(scores, category) - _powers(scores)))
            ).sum(axis=-1),
        ),
        Mistake(
            "That is the slope of the logarithm of the softmax: it asks what makes the others less likely, too.",
            lambda backward, scores, category: np.abs(backward(_one(scores, category) - _powers(scores))).sum(axis=-1),
        ),
        Mistake(
            "Added up with their signs, the colors cancel: take |values| first.",
            lambda backward, scores, category: backward(_one(scores, category)).sum(axis=-1),
        ),
        Mistake(
            "That is the gradient of all scores together: it asks for no category.",
            lambda backward, scores, category: np.abs(backward(np.ones(len(scores)))).sum(axis=-1),
        ),
        Mistake(
            "That is the signed gradient (H, W, 3); wanted is one number a pixel, the sum of |values| over colors.",
            lambda backward, scores, category: backward(_one(scores, category)),
        ),
    ],
    hints=[
        "The objective is scores[category] itself. How does it change with each score?",
        "np.eye(len(scores))[category] is 1 at the category and 0 elsewhere; backward(...) takes it to the pixels.",
        "np.abs(...).sum(axis=-1) makes one number of three colors.",
    ],
)
def clear_saliency(backward, scores, category):
    """How strongly each pixel moves a category's score: (H, W), from backward(gradient for scores) -> (H, W, 3)."""
    wanted = np.zeros(len(scores))
    wanted[category] = 1
    return np.abs(backward(wanted)).sum(axis=-1)


# ---------------------------------------------------------------- 9.7 integrated gradients


class _Curve:
    """gradient(image) of the score sum(weights * image ** 2) / 2 + sum(image * its neighbor), which is not straight."""

    def __init__(self, weights: np.ndarray):
        self.weights = weights

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return self.weights * image + np.roll(image, 1, axis=1) + np.roll(image, -1, axis=1)


def _ways(generator):
    return [
        (_Curve(generator.normal(size=shape)), generator.random(shape), generator.random(shape) / 3, steps)
        for shape, steps in (((3, 4), 4), ((5, 5), 8), ((2, 6), 5))
    ]


def _along(gradient, image, baseline, steps):
    """The gradient of this score is straight along the way, so that its mean is that in the middle."""
    return (image - baseline) * gradient((image + baseline) / 2)


def _riemann(gradient, image, baseline, places):
    return (image - baseline) * np.mean([gradient(baseline + t * (image - baseline)) for t in places], axis=0)


@exercise(
    "9.7",
    cases=_ways,
    truth=_along,
    mistakes=[
        Mistake(
            "The mean gradient is not multiplied by the way, image - baseline: it does not add up to the change of the "
            "score.",
            lambda gradient, image, baseline, steps: gradient((image + baseline) / 2),
        ),
        Mistake(
            "That is the gradient at the image alone, times the way. The score's slope changes along it: average.",
            lambda gradient, image, baseline, steps: (image - baseline) * gradient(image),
        ),
        Mistake(
            "The way begins at 0, not at the baseline.",
            lambda gradient, image, baseline, steps: image * gradient(image / 2),
        ),
        Mistake(
            "The gradients are added up, not averaged: the result grows with the number of steps.",
            lambda gradient, image, baseline, steps: steps * _along(gradient, image, baseline, steps),
        ),
        Mistake(
            "The places lie at the ends of the steps, so that all of them are a little too far along: take the middle "
            "of each, (step + 0.5) / steps.",
            lambda gradient, image, baseline, steps: _riemann(
                gradient, image, baseline, (np.arange(steps) + 1) / steps
            ),
        ),
    ],
    hints=[
        "The places along the way are baseline + t * (image - baseline), with t = (step + 0.5) / steps.",
        "Average gradient(place) over all steps.",
        "Multiply the average by image - baseline.",
    ],
)
def added_up(gradient, image, baseline, steps):
    """Integrated gradients (H, W): the way from the baseline to the image, times the mean gradient along it."""
    places = (np.arange(steps) + 0.5) / steps
    return (image - baseline) * np.mean([gradient(baseline + t * (image - baseline)) for t in places], axis=0)
