"""The exercises of Day 19. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from days.common import cases
from days.common.exercises import exercise
from days.common.tasks import task
from days.day19.code import better_pictures


def _filters(generator, shape, count):
    """The largest weight of the chosen filters is negative for an odd count, and a larger one stands behind them."""
    filters = cases.filters(generator, *shape, mean=0.1)
    filters[count - 1, 0, 0, 0], filters[count, 0, 0, 0] = 6 * (-1) ** count, generator.uniform(7, 12)
    return filters, count


def _patches_by_loop(filters, count):
    largest = max(abs(float(weight)) for weight in filters[:count].ravel())
    return np.stack([np.stack(list(colors), axis=-1) / largest / 2 + 0.5 for colors in filters[:count]])


@exercise(
    "9.1 · 10 min · ●●○",
    cases=cases.drawn(_filters, ((20, 3, 3, 3), 16), ((18, 3, 5, 4), 10), ((32, 3, 2, 7), 5)),
    truth=_patches_by_loop,
    mistakes=[
        "Each filter is scaled by itself, so a weak one looks as strong as all others: one scale for all.",
        (".max()", ".max(axis=(1, 2, 3), keepdims=True)"),
        "From the smallest to the largest weight, a weight of 0 is no longer mid-gray: divide by the largest size "
        "of a weight instead, then halve and add 0.5.",
        ("0.5 + chosen / (2 * np.abs(chosen).max())", "(chosen - chosen.min()) / (chosen.max() - chosen.min())"),
        "reshape cuts the rows anew and mixes up pixels; moving an axis is transpose(0, 2, 3, 1).",
        ("transpose(0, 2, 3, 1)", "reshape(count, *filters.shape[2:], 3)"),
        "The colors are still in front: imshow wants (kh, kw, 3), so move axis 1 to the end.",
        (".transpose(0, 2, 3, 1)", ""),
        "All filters came back; wanted are the first `count`.",
        ("[:count]", ""),
    ],
    hints=[
        "filters[:count] are the first ones; their axes are (count, 3, kh, kw).",
        "weights / largest |weight| run from -1 to 1; halved, plus 0.5, from 0 to 1 with 0 at 0.5.",
        "transpose(0, 2, 3, 1) moves the colors to the end.",
    ],
)
def first_filters(filters, count):
    """(out, 3, kh, kw) -> the first as (count, kh, kw, 3) in [0, 1]: one scale, 0 is 0.5."""
    chosen = filters[:count]
    return (0.5 + chosen / (2 * np.abs(chosen).max())).transpose(0, 2, 3, 1)


def _three_layers(generator):
    rows, columns = (generator.permutation([3, 5, 7, 8, 9, 11, 12])[:3] for _ in range(2))
    shapes = {
        name: (1, *at)
        for name, *at in zip(("early", "middle", "late"), generator.integers(4, 9, 3), rows, columns, strict=True)
    }
    found = {name: cases.maps(generator, *shape, mean=-0.3, relu=name != "late") for name, shape in shapes.items()}
    found["early"][:, generator.integers(4)] = 0  # a silent channel; and the late layer has no ReLU
    return found


@exercise(
    "9.2 · 5 min · ●○○",
    cases=cases.drawn(_three_layers, times=3),
    truth=lambda activations: {
        name: (len(a[0]), len(a[0, 0]), sum(v > 0 for v in a.ravel().tolist()) / a.size)
        for name, a in activations.items()
    },
    look=lambda answer, activations: {name: tuple(row) for name, row in answer.items()},
    mistakes=[
        "The first number is the batch: channels are axis 1, rows axis 2.",
        ("[1], a.shape[2]", "[0], a.shape[1]"),
        "A response of exactly 0 is silent, and after a ReLU most are: count what is > 0.",
        ("> 0", ">= 0"),
        "Responses below 0 do not count; without a ReLU there are some. Count what is > 0, not what is other than 0.",
        ("a > 0", "a != 0"),
        "That is the share of channels that fire anywhere; wanted is that of responses, places in channels.",
        ("(a > 0)", "(a > 0).any(axis=(2, 3))"),
        "That is the mean activation; wanted is the share of responses above 0, (values > 0).mean().",
        ("(a > 0)", "a"),
    ],
    hints=[
        "activations.items() gives (layer, array (1, C, H, W)).",
        "(values > 0) is True and False; its mean is the share of True.",
    ],
)
def describe_depths(activations):
    """{layer: (1, C, H, W)} -> {layer: (C, H, share of responses above 0)}."""
    return {layer: (a.shape[1], a.shape[2], (a > 0).mean()) for layer, a in activations.items()}


def _photo_and_dream(generator, height, width):
    photo = generator.random((height, width, 3))
    return photo, photo + generator.normal(0, 0.1, photo.shape) + np.linspace(0, 1, width)[None, :, None]


def _roughness_by_columns(photo, dream):
    change = np.moveaxis(dream - photo, 1, 0)
    return np.mean([abs(right - left) for left, right in pairwise(change)]) / abs(change).mean()


@exercise(
    "9.3 · 10 min · ●●○",
    cases=cases.drawn(_photo_and_dream, (20, 24), (17, 9), (6, 31)),
    truth=_roughness_by_columns,
    mistakes=[
        "That is the roughness of the dream, with the photo's own texture in it: take the change, dream - photo.",
        ("dream - photo", "dream"),
        "Rises and falls cancel: take the size of each difference, np.abs, before the mean.",
        ("np.abs(np.diff(change, axis=1))", "np.diff(change, axis=1)"),
        "Not divided by the size of the change, so a stronger dream always seems rougher.",
        (" / np.abs(change).mean()", ""),
        "These are differences between rows; neighbors to the right are along axis 1.",
        ("axis=1", "axis=0"),
    ],
    hints=[
        "change = dream - photo is what was drawn into the photo.",
        "np.diff(change, axis=1) is each pixel minus its left neighbor.",
        "np.abs(...).mean() of that, divided by np.abs(change).mean().",
    ],
)
def roughness(photo, dream):
    """Mean |difference of horizontal neighbors| of dream - photo, over its mean size."""
    change = dream - photo
    return np.abs(np.diff(change, axis=1)).mean() / np.abs(change).mean()


def _head(shape):
    """Weights of a head whose slope at every unit differs: what Grad-CAM has to average."""
    return np.cos(np.arange(np.prod(shape))).reshape(shape) + np.linspace(-1, 1, shape[0])[:, None, None]


def _score(activations):
    return (_head(activations.shape) * (activations + 0.05 * activations**2)).sum()


def _maps_and_slopes(generator, *shape, relu=True):
    activations = cases.maps(generator, *shape, mean=0.3, relu=relu)
    return activations, _head(shape) * (1 + 0.1 * activations)


def _grad_cam_by_trying(activations, gradients):
    """The same from finite differences of the score: the gradients handed over are not even looked at."""
    weights = cases.slopes(_score, activations).mean(axis=(1, 2))
    return np.maximum(np.einsum("c,chw->hw", weights, activations), 0)


@exercise(
    "9.4 · 15 min · ●●●",
    cases=lambda generator: [
        *(_maps_and_slopes(generator, *shape) for shape in ((6, 4, 5), (5, 3, 7), (7, 6, 2))),
        cases.edge("activations are below 0, too", *_maps_and_slopes(generator, 4, 3, 5, relu=False)),
    ],
    truth=_grad_cam_by_trying,
    rounds=1,
    mistakes=[
        "The ReLU at the end is missing: evidence against the category is still in the map, below zero.",
        ("np.maximum(evidence, 0)", "evidence"),
        "Each unit is weighted by its own gradient; Grad-CAM gives a whole channel one weight, its mean gradient.",
        ("weights[:, None, None]", "gradients"),
        "The ReLU belongs behind the sum: cut off channel by channel, evidence against can no longer cancel.",
        ("(weights[:, None, None] * activations)", "np.maximum(weights[:, None, None] * activations, 0)"),
        "The weights are sums of the gradients, so the map grows with the layer's size: take their mean.",
        (".mean(", ".sum("),
    ],
    hints=[
        "One weight for each channel: the mean of its gradient over all places.",
        "The map is the weighted sum of the channels' maps.",
        "Only what speaks for the category is kept: np.maximum(..., 0), once, at the end.",
    ],
)
def grad_cam(activations, gradients):
    """Maps (C, h, w) and the score's gradient for them (C, h, w) -> evidence (h, w)."""
    weights = gradients.mean(axis=(1, 2))
    evidence = (weights[:, None, None] * activations).sum(axis=0)
    return np.maximum(evidence, 0)


def _quiet_layer(generator, share, below=0.0):
    """Most channels fire seldom, one never, one faintly, and one at exactly this share of the places."""
    activations = cases.maps(generator, 4, 24, 10, 10, levels=(-5, 1), relu=True)
    activations[0] = np.maximum(activations[0] - 1, 0)
    activations[:, 3] = activations[:, 7] = 0
    activations[1, 7].flat[: round(share * 400)] = 1
    activations[:, 5:7] = 0
    activations[2, 5].flat[: round(share * 800)] = 1e-4  # at twice the share, and but once not faintly
    activations[2, 5, 0, 0] = 1
    activations[3, 6].flat[: round(share * 400) - 1] = 1  # at one place less than the share
    for image, channel in enumerate(generator.choice(np.arange(8, 24), 4, replace=False)):
        activations[:, channel], activations[image, channel] = 0, 1
    return 0.05 * np.where(activations > 0, activations, -below), share


def _quiet_by_counting(activations, share):
    counts = [sum(value > 0 for value in channel.ravel().tolist()) for channel in np.moveaxis(activations, 1, 0)]
    return np.array([channel for channel, count in enumerate(counts) if count < share * activations[:, 0].size])


@exercise(
    "9.5 · 10 min · ●●○",
    cases=lambda generator: [
        *(_quiet_layer(generator, share) for share in (0.02, 0.1, 0.05)),
        cases.edge("what does not fire is below 0", *_quiet_layer(generator, 0.05, 0.3)),
    ],
    truth=_quiet_by_counting,
    mistakes=[
        "Only the first image was looked at; silent there may be loud elsewhere.",
        ("(activations", "(activations[:1]"),
        "These are the dead ones alone; wanted are all that fire at less than `share` of the places.",
        ("< share", "== 0"),
        "That compares the mean activation with the share; count where it fires, (activations > 0).",
        ("(activations > 0)", "activations"),
        "These are the channels that fire often: turn the comparison round.",
        ("< share", ">= share"),
    ],
    hints=[
        "(activations > 0).mean(axis=...) over images and places leaves one share for each channel.",
        "The axes to average over are 0, 2 and 3; np.flatnonzero gives the indices that are True.",
    ],
)
def quiet_channels(activations, share):
    """Indices of the channels of (N, C, H, W) that fire at less than `share` of all places."""
    return np.flatnonzero((activations > 0).mean(axis=(0, 2, 3)) < share)


def _stripes():
    """Black and white columns, two of each in turn: the best picture known for channel 60 of conv1."""
    from days.day19.code.lesson import HIGH, LOW

    return LOW + (HIGH - LOW) * np.array([0, 0, 1, 1])[np.arange(128) % 4] + np.zeros((128, 1))


@task(
    "9.6 · 30 min · ●●●",
    rubric=better_pictures.rubric,
    wrong=[
        "one picture for all channels",
        lambda: dict.fromkeys(better_pictures.ASCENT, _stripes()),
        "brighter than white",
        lambda: dict.fromkeys(better_pictures.ASCENT, 9 * _stripes()),
        "three channels of four",
        lambda: dict.fromkeys(list(better_pictures.ASCENT)[1:], _stripes()),
        "pictures as `to_image` gives them",
        lambda: dict.fromkeys(better_pictures.ASCENT, np.zeros((128, 128, 3))),
    ],
    hints=[
        "For the deeper channels, more steps help. For conv1, they do not: too many local maxima are in the way.",
        "A small picture that repeats has few pixels to decide, and no regions that settle on different stripes. Grow "
        "a tile: np.tile makes the picture, and a pixel's gradient is the sum over all its copies.",
        "Start several times, and keep the best picture of all steps. Tiles of 4 or 8 pixels suit conv1 and fire2.",
    ],
)
def find_better_pictures():
    """-> {(layer, channel): pixels (1, 3, 128, 128), from LOW to HIGH} for the four channels."""
    from days.common.models import load_model
    from days.day19.code import feature_visualization as fv
    from days.day19.code.gradients import value_and_gradient
    from days.day19.code.lesson import HIGH, LOW, noise

    network = load_model("squeezenet").network

    def grown(layer, channel, side, steps, seed):
        copies = 128 // side

        def ask(tile):
            value, slope = value_and_gradient(network, layer, np.tile(tile, (1, 1, copies, copies)), channel)
            return value, slope.reshape(1, 3, copies, side, copies, side).sum(axis=(2, 4))

        path = fv.ascend(ask, noise(side, seed=seed), steps=steps, learning_rate=4.0, low=LOW, high=HIGH)
        best = max(path, key=lambda step: step.value)
        return best.value, np.tile(best.pixels, (1, 1, copies, copies))

    plans = {  # the side of the tile, steps, starts
        ("conv1_activation", 49): (4, 60, 4),
        ("fire2", 84): (8, 60, 3),
        ("fire4", 200): (128, 140, 1),
        ("fire6", 341): (128, 110, 1),
    }
    pictures = {}
    for place, (side, steps, starts) in plans.items():
        tries = [grown(*place, side, steps, seed) for seed in range(starts)]
        pictures[place] = max(tries, key=lambda one: one[0])[1]
    return pictures
