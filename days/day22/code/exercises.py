"""The exercises of Day 22. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import numpy as np
import scipy

from days.common import cases
from days.common.exercises import exercise
from days.common.tasks import task
from days.day22.code import claims


def _two_layers(generator, inputs, hidden, top):
    """A faint input and the weights of three layers; half of the units are on, half of what comes back is negative."""
    shapes = (inputs,), (hidden, inputs), (top, hidden), (top,)
    x, *weights = (generator.normal(size=shape) for shape in shapes)
    return 0.2 * x, *weights


def _at_zero(generator):
    """A unit of each layer gets exactly 0, and something positive comes back to it."""
    first, second = generator.integers(1, 4, (3, 2)), generator.integers(1, 4, (3, 3))
    x = generator.integers(1, 4, 2)
    first[0] = x[1], -x[0]
    inside = np.maximum(first @ x, 0)
    second[0, 1:] = inside[2], -inside[1]
    return tuple(values.astype(float) for values in (x, first, second, generator.integers(1, 4, 3)))


def _unit_by_unit(x, first, second, last):
    """What comes back, one connection after the other."""
    inside = [sum(weight * value for weight, value in zip(row, x, strict=True)) for row in first]
    outside = [sum(weight * max(value, 0) for weight, value in zip(row, inside, strict=True)) for row in second]
    back = [max(weight, 0) if value > 0 else 0 for weight, value in zip(last, outside, strict=True)]
    sums = [sum(row[unit] * share for row, share in zip(second, back, strict=True)) for unit in range(len(inside))]
    back = [max(total, 0) if value > 0 else 0 for total, value in zip(sums, inside, strict=True)]
    return np.array([sum(row[n] * share for row, share in zip(first, back, strict=True)) for n in range(len(x))])


@exercise(
    "9.1 · 10 min · ●●○",
    cases=lambda generator: [
        *(_two_layers(generator, *sizes) for sizes in ((4, 8, 6), (3, 9, 7), (6, 7, 8))),
        cases.edge("the input of a ReLU is exactly 0, and nothing passes it", *_at_zero(generator)),
    ],
    truth=_unit_by_unit,
    mistakes=[
        "That is the ordinary gradient: at each ReLU, set what is negative in it to 0, too.",
        ("np.maximum(last, 0)", "last", "np.maximum(second.T @ back, 0)", "(second.T @ back)"),
        "What comes back passes ReLUs that were off: where a ReLU's input was not above 0, nothing passes.",
        (" * (top > 0)", "", " * (hidden > 0)", ""),
        "Only the last ReLU is guided; there are two.",
        ("np.maximum(second.T @ back, 0)", "(second.T @ back)"),
        "What reaches x passes no ReLU any more: it keeps its sign.",
        ("return first.T @ back", "return np.maximum(first.T @ back, 0)"),
    ],
    hints=[
        "Forward first: keep hidden = first @ x and top = second @ relu(hidden), the inputs of the two ReLUs.",
        "At the last ReLU arrives `last`. What passes is np.maximum(last, 0) * (top > 0).",
        "Through the weights by second.T @ back, then the other ReLU by the same rule, then first.T @ back.",
    ],
)
def guided_gradient(x, first, second, last):
    """x (n,), weights (h, n), (k, h) and (k,) -> its guided gradient for x, (n,)."""
    hidden = first @ x
    top = second @ np.maximum(hidden, 0)
    back = np.maximum(last, 0) * (top > 0)
    back = np.maximum(second.T @ back, 0) * (hidden > 0)
    return first.T @ back


def _picture(generator, height, width, size):
    """A score that a few pixels decide, not in proportion, an image, and the squares' size."""
    image, weights = generator.random((height, width)) + 0.2, generator.normal(0, 0.3, (height, width))
    return cases.given(lambda image: float(np.tanh((weights * image).sum())), "score", image.shape), image, size


def _falls_by_masks(score, image, size):
    """The same by multiplying with masks."""
    rows, columns = image.shape[0] // size, image.shape[1] // size
    squares = np.kron(np.eye(rows * columns).reshape(-1, rows, columns), np.ones((size, size)))
    return np.array([score(image) - score(image * (1 - square)) for square in squares]).reshape(rows, columns)


@exercise(
    "9.2 · 15 min · ●●○",
    cases=cases.drawn(_picture, (6, 8, 2), (6, 6, 3), (4, 12, 4)),
    truth=_falls_by_masks,
    mistakes=[
        "The squares stay covered, one after the other: cover a fresh copy of the image each time.",
        ("image.copy()", "covered if row + column else image.copy()"),
        "That is the score of the covered image. Where it is *low* the square mattered; wanted is the fall, the "
        "score of the image minus that of the covered one.",
        ("score(image) - score(covered)", "score(covered)"),
        "The squares are filled with 1, the brightest color; wanted is 0.",
        ("] = 0", "] = 1"),
    ],
    hints=[
        "There are image.shape[0] // size rows of squares and image.shape[1] // size columns.",
        "covered = image.copy(), then covered[row * size : (row + 1) * size, ...] = 0.",
        "The number of a square is score(image) - score(covered).",
    ],
)
def falls(score, image, size):
    """By how much score(image) falls as each square of `size` pixels is 0: (rows, columns)."""
    found = np.zeros((image.shape[0] // size, image.shape[1] // size))
    for row, column in np.ndindex(found.shape):
        covered = image.copy()
        covered[row * size : (row + 1) * size, column * size : (column + 1) * size] = 0
        found[row, column] = score(image) - score(covered)
    return found


def _game(generator, count, height, width):
    """The largest |value| of each map is negative, and lies outside of the object but once."""
    maps = generator.normal(size=(count, height, width)) * generator.uniform(0.05, 2, (count, 1, 1))
    masks = generator.random((count, height, width)) < 0.4
    flat, inside, every = maps.reshape(count, -1), masks.reshape(count, -1), np.arange(count)
    deepest = flat.argmin(axis=1)
    flat[every, deepest] -= np.where(every % 3, 9, 0)
    inside[every, deepest] = every == 0
    inside[:, flat.sum(axis=0).argmax()] = every < count // 8
    inside[every, flat.argmax(axis=1)] = every < count * 5 // 8 + generator.integers(count // 8 + 1)
    maps[1:4] -= maps[1:4].max(axis=(1, 2), keepdims=True) + 0.5  # all of it below 0
    return maps, masks


def _hits(maps, masks):
    """Image by image, place by place."""
    tops = [max(np.ndindex(values.shape), key=values.item) for values in maps]
    return sum(bool(mask[top]) for mask, top in zip(masks, tops, strict=True)) / len(maps)


@exercise(
    "9.3 · 10 min · ●○○",
    cases=cases.drawn(_game, (16, 5, 7), (24, 6, 6), (8, 4, 9)),
    truth=_hits,
    mistakes=[
        "That is how many hits there are; wanted is their share of the images.",
        (".mean()", ".sum()"),
        "The largest |value| was taken: a value far below 0 does not point at the object. Take the largest value.",
        ("= maps.reshape", "= np.abs(maps).reshape"),
        "One largest value was found for all maps together; each map has its own.",
        ("maps.reshape(len(maps), -1).argmax(axis=1)", "maps.sum(axis=0).argmax()"),
        "That is how much of the images the objects cover, without a look at the maps.",
        ("[np.arange(len(maps)), places]", ""),
    ],
    hints=[
        "maps.reshape(len(maps), -1).argmax(axis=1) says where each map is largest.",
        "The masks, reshaped alike, can be asked at these places: masks[np.arange(len(maps)), places].",
        "Its mean is the share of hits.",
    ],
)
def pointing_share(maps, masks):
    """Maps (N, H, W), masks (N, H, W) of True on the object -> a share from 0 to 1."""
    places = maps.reshape(len(maps), -1).argmax(axis=1)
    return float(masks.reshape(len(masks), -1)[np.arange(len(maps)), places].mean())


def _alike(generator, count, *shape):
    """Maps that have a part in common, which the last one has with the other sign, and a mean far from 0."""
    shares = np.where(np.arange(count) < count - 1, 1, -1)[:, None, None]
    return (shares * generator.normal(size=shape) + cases.maps(generator, count, *shape) * 0.7 + 1.5,)


@exercise(
    "9.4 · 10 min · ●●○",
    cases=cases.drawn(_alike, (2, 5, 6), (3, 4, 4), (5, 6, 3)),
    truth=lambda maps: 1 - scipy.spatial.distance.pdist(maps.reshape(len(maps), -1), "correlation").mean(),
    mistakes=[
        "Each map is compared with itself, too, which always gives 1: leave these pairs out.",
        ("[~np.eye(len(rows), dtype=bool)]", ""),
        "Without taking their means away first, that is a cosine: two maps that are positive everywhere look alike "
        "whatever they show.",
        ("np.corrcoef(rows)", "(rows @ rows.T / np.outer(*[np.linalg.norm(rows, axis=1)] * 2))"),
        "The pixels are compared with one another, not the maps: each map must be one row, maps.reshape(len(maps), "
        "-1).",
        (".reshape(len(maps), -1)", ".reshape(len(maps), -1).T"),
    ],
    hints=[
        "np.corrcoef takes rows, one for each map, and gives all correlations, (k, k).",
        "Its diagonal compares each map with itself. ~np.eye(k, dtype=bool) is a mask of all other pairs.",
        "The mean of np.corrcoef(maps.reshape(k, -1)) under that mask.",
    ],
)
def likeness_of_categories(maps):
    """Maps (k, H, W) of k categories of one photo -> mean correlation of every two of them."""
    rows = maps.reshape(len(maps), -1)
    return float(np.corrcoef(rows)[~np.eye(len(rows), dtype=bool)].mean())


def _stack(generator, best):
    """Maps of three layers, the best of which aims at the objects; the middle layer is by far the loudest."""
    masks, layers = cases.masks(generator, 4, 12, 4)[:, 2:10], {}
    for name, step, loud in (("early", 1, 1.0), ("middle", 2, 40.0), ("late", 4, 5.0)):
        coarse = masks.reshape(4, 8 // step, step, 12 // step, step).mean(axis=(2, 4))
        aim, each = 6.0 if name == best else 0.6, generator.uniform(0.5, 2, (4, 1, 1))
        layers[name] = loud * each * (aim * coarse + generator.normal(0.3, 0.5, coarse.shape))
        layers[name][-1] = np.where(coarse[-1] > 0, -1, np.abs(layers[name][-1]) + 0.1)  # all of it beside the object
    return layers, masks


def _share_by_images(maps, masks):
    step = len(masks[0]) // len(maps[0])
    large = maps.clip(0).repeat(step, axis=1).repeat(step, axis=2)
    return np.mean([values[mask].sum() / values.sum() for values, mask in zip(large, masks, strict=True)])


@exercise(
    "9.5 · 15 min · ●●●",
    cases=cases.drawn(_stack, ("early",), ("middle",), ("late",)),
    truth=lambda layers, masks: {name: _share_by_images(maps, masks) for name, maps in layers.items()},
    mistakes=[
        "These are sums, not shares, and a loud layer wins: divide by the sum of the whole map.",
        (" / large.sum(axis=(1, 2))", ""),
        "That is the share that lies beside the object.",
        ("large * masks", "large * ~masks"),
        "What is below 0 counts as well: cut it off first.",
        ("np.maximum(maps, 0)", "np.abs(maps)"),
        "All images were put together, so that one strong map outvotes the others: a share for each image, then "
        "their mean.",
        (".sum(axis=(1, 2)) / large.sum(axis=(1, 2))", ".sum() / large.sum()"),
    ],
    hints=[
        "Maps (N, h, w) become as large as the masks by np.kron(maps, np.ones((1, step, step))), step = H // h.",
        "np.maximum(large, 0) is the evidence for the category; (large * masks).sum(axis=(1, 2)) what lies inside.",
        "Divide by large.sum(axis=(1, 2)), image by image, and take the mean.",
    ],
)
def shares_inside(layers, masks):
    """{name: maps (N, h, w)}, masks (N, H, W), H a multiple of h -> {name: mean share inside}."""
    shares = {}
    for name, maps in layers.items():
        step = masks.shape[1] // maps.shape[1]
        large = np.kron(np.maximum(maps, 0), np.ones((1, step, step)))
        shares[name] = float(((large * masks).sum(axis=(1, 2)) / large.sum(axis=(1, 2))).mean())
    return shares


def _network(generator, count, category, largest):
    """A network's way back for one image, sure of itself, so that the softmax is nearly flat there."""
    jacobian, scores = generator.normal(size=(count, 4, 5, 3)), generator.normal(size=count)
    scores[largest] += 6
    backward = cases.given(lambda gradient: np.tensordot(gradient, jacobian, axes=1), "backward", (count,))
    backward.jacobian = jacobian
    return backward, scores, category


@exercise(
    "9.6 · 10 min · ●●○",
    cases=lambda generator: [
        *(_network(generator, *sizes) for sizes in ((5, 2, 2), (8, 0, 0))),
        cases.edge("the category is not the one with the largest score", *_network(generator, 6, 5, 1)),
    ],
    truth=lambda backward, scores, category: np.linalg.norm(backward.jacobian[category], ord=1, axis=-1),
    mistakes=[
        "The softmax is in the way: where the network is sure, its slope is nearly 0, and so is this map. Hand "
        "back 1 for the category's score and 0 for all others.",
        ("(wanted)", "(scipy.special.softmax(scores)[category] * (wanted - scipy.special.softmax(scores)))"),
        "That is the slope of the logarithm of the softmax: it asks what makes the others less likely, too.",
        ("(wanted)", "(wanted - scipy.special.softmax(scores))"),
        "Added up with their signs, the colors cancel: take |values| first.",
        ("np.abs(backward(wanted))", "backward(wanted)"),
        "That is the gradient of all scores together: it asks for no category.",
        ("zeros", "ones"),
        "That is the signed gradient (H, W, 3); wanted is one number a pixel, the sum of |values| over colors.",
        ("np.abs(backward(wanted)).sum(axis=-1)", "backward(wanted)"),
    ],
    hints=[
        "The objective is scores[category] itself. How does it change with each score?",
        "np.eye(len(scores))[category] is 1 at the category and 0 elsewhere; backward(...) takes it to the pixels.",
        "np.abs(...).sum(axis=-1) makes one number of three colors.",
    ],
)
def clear_saliency(backward, scores, category):
    """Scores (k,) and a category's number -> how strongly each pixel moves its score, (H, W)."""
    wanted = np.zeros(len(scores))
    wanted[category] = 1
    return np.abs(backward(wanted)).sum(axis=-1)


def _way(generator, shape, steps):
    """A gradient that is not straight along the way, an image, a baseline and the steps."""
    weights, image = generator.normal(size=shape), generator.uniform(-0.5, 1.5, shape)
    baseline = generator.random(shape) / 3
    gradient = cases.given(lambda x: weights * x**3 + np.roll(x, 1, axis=1) ** 2 + np.cos(3 * x), "gradient", shape)
    return gradient, image, baseline, steps


def _added_up_step_by_step(gradient, image, baseline, steps):
    """One step's share after the other, from middle to middle."""
    step, total = (image - baseline) / steps, np.zeros(image.shape)
    place = baseline + step / 2
    for _ in range(steps):
        total += step * gradient(place)
        place = place + step
    return total


@exercise(
    "9.7 · 15 min · ●●○",
    cases=cases.drawn(_way, ((3, 4), 4), ((5, 5), 8), ((2, 6), 3)),
    truth=_added_up_step_by_step,
    mistakes=[
        "The mean gradient is not multiplied by the way, image - baseline: it does not add up to the change of the "
        "score.",
        ("return (image - baseline) * ", "return "),
        "That is the gradient at the image alone, times the way. The score's slope changes along it: average.",
        ("(np.arange(steps) + 0.5) / steps", "[1]"),
        "The way begins at 0, not at the baseline.",
        ("    places", "    baseline = 0\n    places"),
        "The gradients are added up, not averaged: the result grows with the number of steps.",
        ("np.mean", "np.sum"),
        "The places lie at the beginnings of the steps, so that all are a little too near: take the middle of each.",
        ("+ 0.5", "+ 0"),
        "The places lie at the ends of the steps, so that all of them are a little too far along: take the middle "
        "of each, (step + 0.5) / steps.",
        ("+ 0.5", "+ 1"),
    ],
    hints=[
        "The places along the way are baseline + t * (image - baseline), with t = (step + 0.5) / steps.",
        "Average gradient(place) over all steps.",
        "Multiply the average by image - baseline.",
    ],
)
def added_up(gradient, image, baseline, steps):
    """Image and baseline (H, W) -> integrated gradients (H, W)."""
    places = (np.arange(steps) + 0.5) / steps
    return (image - baseline) * np.mean([gradient(baseline + t * (image - baseline)) for t in places], axis=0)


@task(
    "9.8 · 30 min · ●●●",
    rubric=claims.rubric,
    given=(1,),
    wrong=[
        "the claim is believed, and its own box is named",
        lambda number: {"falls": 3.0, "random": {}, "stands": True, "instead": claims.make_claim(number).box},
        "no control: any fall is taken for a proof",
        ('"random": control', '"random": {}'),
        "a control that was never measured",
        ('"random": control', '"random": dict.fromkeys(control, costs)'),
        "random boxes from the middle of the photo alone",
        ("integers(0, 185, (50, 2))", "integers(60, 125, (50, 2))"),
        "the verdict is turned round",
        ("costs > np.quantile", "costs <= np.quantile"),
        "the fall of the probability, not of the score",
        ('"falls": costs', '"falls": costs / 40'),
        "a box that hardly matters",
        ("[-6:]", "[:6]"),
    ],
    hints=[
        "`claims.fall(number, box)` covers a box in the mean color. Do it for the claimed box and for fifty random "
        "ones of the same size.",
        "The claim stands if its box costs more than nine in ten random boxes.",
        "For a box that matters, walk over the photo in steps of 16 pixels; keep what costs much in both fills.",
    ],
)
def refute(number):
    """A number -> your report on `claims.make_claim(number)`, a dict as described above."""
    from days.day22.code import claims

    claim = claims.make_claim(number)
    costs = claims.fall(number, claim.box)
    places = np.random.default_rng(0).integers(0, 185, (50, 2)).tolist()
    boxes = [(top, top + 40, left, left + 40) for top, left in places]
    control = {box: claims.fall(number, box) for box in boxes}

    tried = [(top, top + 40, left, left + 40) for top in range(0, 185, 23) for left in range(0, 185, 23)]
    strongest = sorted([claim.box, *tried], key=lambda box: claims.fall(number, box))[-6:]
    return {
        "falls": costs,
        "random": control,
        "stands": bool(costs > np.quantile(list(control.values()), 0.9)),
        "instead": max(strongest, key=lambda box: claims.fall(number, box, beside=True)),
    }
