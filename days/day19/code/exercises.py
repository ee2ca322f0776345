"""The exercises of Day 19. Each function below is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import numpy as np

from days.common.exercises import Mistake, exercise


def _filters(generator):
    """The largest weight of the chosen filters is negative, and a larger one stands behind them."""

    def case(shape, count):
        filters = generator.normal(0.1, 1, shape) * generator.uniform(0.1, 1, (shape[0], 1, 1, 1))
        filters[count - 1, 0, 0, 0], filters[count, 0, 0, 0] = -6, 9
        return filters, count

    return [case((20, 3, 3, 3), 16), case((18, 3, 5, 5), 10), case((32, 3, 7, 7), 5)]


def _patches_by_loop(filters, count):
    largest = max(abs(float(weight)) for weight in filters[:count].ravel())
    return np.stack(
        [np.stack([one[color] for color in range(3)], axis=-1) / largest / 2 + 0.5 for one in filters[:count]]
    )


def _each_by_itself(filters, count):
    return np.stack([_patches_by_loop(one[None], 1)[0] for one in filters[:count]])


def _stretched(filters, count):
    chosen = filters[:count]
    return ((chosen - chosen.min()) / (chosen.max() - chosen.min())).transpose(0, 2, 3, 1)


@exercise(
    "9.1",
    cases=_filters,
    truth=_patches_by_loop,
    mistakes=[
        Mistake(
            "Each filter is scaled by itself, so a weak one looks as strong as all others: one scale for all.",
            _each_by_itself,
        ),
        Mistake(
            "From the smallest to the largest weight, a weight of 0 is no longer mid-gray: divide by the largest size "
            "of a weight instead, then halve and add 0.5.",
            _stretched,
        ),
        Mistake(
            "The colors are still in front: imshow wants (kh, kw, 3), so move axis 1 to the end.",
            lambda filters, count: filters[:count] / np.abs(filters[:count]).max() / 2 + 0.5,
        ),
        Mistake(
            "All filters came back; wanted are the first `count`.", lambda filters, count: _patches_by_loop(filters, 99)
        ),
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
    def case():
        shapes = {"early": (1, 4, 12, 14), "middle": (1, 6, 8, 9), "late": (1, 9, 3, 5)}
        return ({name: np.maximum(generator.normal(-0.3, 1, shape), 0) for name, shape in shapes.items()},)

    return [case() for _ in range(3)]


def _summary_by_counting(activations):
    return {
        name: (values.shape[1], values.shape[2], sum(v > 0 for v in values.ravel().tolist()) / values.size)
        for name, values in activations.items()
    }


@exercise(
    "9.2",
    cases=_three_layers,
    truth=_summary_by_counting,
    look=lambda answer, activations: {name: tuple(row) for name, row in answer.items()},
    mistakes=[
        Mistake(
            "The first number is the batch: channels are axis 1, rows axis 2.",
            lambda activations: {name: (a.shape[0], a.shape[1], (a > 0).mean()) for name, a in activations.items()},
        ),
        Mistake(
            "After a ReLU every unit is at least 0, so >= counts them all: a unit fires when it is > 0.",
            lambda activations: {name: (a.shape[1], a.shape[2], (a >= 0).mean()) for name, a in activations.items()},
        ),
        Mistake(
            "That is the mean activation; wanted is the share of units that fire, (values > 0).mean().",
            lambda activations: {name: (a.shape[1], a.shape[2], a.mean()) for name, a in activations.items()},
        ),
    ],
    hints=[
        "activations.items() gives (layer, array (1, C, H, W)).",
        "(values > 0) is True and False; its mean is the share of True.",
    ],
)
def describe_depths(activations):
    """{layer: (1, C, H, W)} -> {layer: (C, H, share of units above 0)}."""
    return {layer: (a.shape[1], a.shape[2], (a > 0).mean()) for layer, a in activations.items()}


def _photos_and_dreams(generator):
    def case():
        photo = generator.random((20, 24, 3))
        return photo, photo + generator.normal(0, 0.1, photo.shape) + np.linspace(0, 1, 24)[None, :, None]

    return [case() for _ in range(3)]


def _roughness_by_rows(photo, dream):
    change = dream - photo
    steps = [abs(change[:, x + 1] - change[:, x]) for x in range(change.shape[1] - 1)]
    return np.concatenate([step.ravel() for step in steps]).mean() / abs(change).mean()


@exercise(
    "9.3",
    cases=_photos_and_dreams,
    truth=_roughness_by_rows,
    mistakes=[
        Mistake(
            "That is the roughness of the dream, with the photo's own texture in it: take the change, dream - photo.",
            lambda photo, dream: np.abs(np.diff(dream, axis=1)).mean() / np.abs(dream).mean(),
        ),
        Mistake(
            "Rises and falls cancel: take the size of each difference, np.abs, before the mean.",
            lambda photo, dream: np.diff(dream - photo, axis=1).mean() / np.abs(dream - photo).mean(),
        ),
        Mistake(
            "Not divided by the size of the change, so a stronger dream always seems rougher.",
            lambda photo, dream: np.abs(np.diff(dream - photo, axis=1)).mean(),
        ),
        Mistake(
            "These are differences between rows; neighbors to the right are along axis 1.",
            lambda photo, dream: np.abs(np.diff(dream - photo, axis=0)).mean() / np.abs(dream - photo).mean(),
        ),
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


def _score(activations):
    """A head whose slope at every unit differs: what Grad-CAM has to average."""
    channels = len(activations)
    weights = (
        np.cos(np.arange(activations.size)).reshape(activations.shape) + np.linspace(-1, 1, channels)[:, None, None]
    )
    return float((weights * activations + 0.05 * weights * activations**2).sum())


def _maps_and_slopes(generator):
    def case(*shape):
        activations = np.maximum(generator.normal(0.3, 1, shape), 0)
        weights = (_score_slope_at_zero(activations.shape)) * (1 + 0.1 * activations)
        return activations, weights

    return [case(6, 4, 5), case(5, 3, 7), case(7, 6, 2)]


def _score_slope_at_zero(shape):
    return np.cos(np.arange(np.prod(shape))).reshape(shape) + np.linspace(-1, 1, shape[0])[:, None, None]


def _grad_cam_by_trying(activations, gradients):
    """The same from finite differences of the score: the gradients handed over are not even looked at."""
    weights = np.zeros(len(activations))
    for place in np.ndindex(activations.shape):
        up, down = activations.copy(), activations.copy()
        up[place] += 1e-4
        down[place] -= 1e-4
        weights[place[0]] += (_score(up) - _score(down)) / 2e-4 / activations[0].size
    return np.maximum(sum(weight * one for weight, one in zip(weights, activations, strict=True)), 0)


@exercise(
    "9.4",
    cases=_maps_and_slopes,
    truth=_grad_cam_by_trying,
    mistakes=[
        Mistake(
            "The ReLU at the end is missing: evidence against the category is still in the map, below zero.",
            lambda activations, gradients: np.einsum("c,chw->hw", gradients.mean(axis=(1, 2)), activations),
        ),
        Mistake(
            "Each unit is weighted by its own gradient; Grad-CAM gives a whole channel one weight, its mean gradient.",
            lambda activations, gradients: np.maximum((gradients * activations).sum(axis=0), 0),
        ),
        Mistake(
            "The ReLU belongs behind the sum: cut off channel by channel, evidence against can no longer cancel.",
            lambda activations, gradients: np.maximum(gradients.mean(axis=(1, 2))[:, None, None] * activations, 0).sum(
                0
            ),
        ),
        Mistake(
            "The weights are sums of the gradients, so the map grows with the layer's size: take their mean.",
            lambda activations, gradients: np.maximum(np.einsum("cij,chw->hw", gradients, activations), 0),
        ),
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
    return np.maximum((weights[:, None, None] * activations).sum(axis=0), 0)


def _layers_with_quiet_channels(generator):
    def case(share):
        levels = generator.permutation(np.linspace(-5, 1, 24))[None, :, None, None]
        activations = np.maximum(generator.normal(0, 1, (4, 24, 10, 10)) + levels, 0)
        activations[0] = np.maximum(activations[0] - 1, 0)
        activations[:, 3] = activations[:, 7] = 0
        activations[1, 7].flat[: round(share * 400)] = 1  # fires at exactly this share, so it is not below it
        return 0.05 * activations, share

    return [case(share) for share in (0.02, 0.1, 0.05)]


def _quiet_by_counting(activations, share):
    counts = [sum(int((image[channel] > 0).sum()) for image in activations) for channel in range(activations.shape[1])]
    places = activations[:, 0].size
    return np.array([channel for channel, count in enumerate(counts) if count < share * places])


@exercise(
    "9.5",
    cases=_layers_with_quiet_channels,
    truth=_quiet_by_counting,
    mistakes=[
        Mistake(
            "Only the first image was looked at; silent there may be loud elsewhere.",
            lambda activations, share: np.flatnonzero((activations[0] > 0).mean(axis=(1, 2)) < share),
        ),
        Mistake(
            "These are the dead ones alone; wanted are all that fire at fewer than `share` of the places.",
            lambda activations, share: np.flatnonzero(activations.max(axis=(0, 2, 3)) <= 0),
        ),
        Mistake(
            "That compares the mean activation with the share; count where it fires, (activations > 0).",
            lambda activations, share: np.flatnonzero(activations.mean(axis=(0, 2, 3)) < share),
        ),
        Mistake(
            "These are the busy ones: turn the comparison round.",
            lambda activations, share: np.flatnonzero((activations > 0).mean(axis=(0, 2, 3)) >= share),
        ),
    ],
    hints=[
        "(activations > 0).mean(axis=...) over images and places leaves one share for each channel.",
        "The axes to average over are 0, 2 and 3; np.flatnonzero gives the indices that are True.",
    ],
)
def quiet_channels(activations, share):
    """Indices of the channels of (N, C, H, W) that fire at less than `share` of all places."""
    return np.flatnonzero((activations > 0).mean(axis=(0, 2, 3)) < share)
