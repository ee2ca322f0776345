"""Which pixels decided, in any network: each method is written here once, for PyTorch and Keras alike.

All of them take a batch as `model.preprocess` makes it, and

- category: a number, a name, or `attribution.Rather(this, than)`, why one and not the other; or a list of them: one for
  each image, or any number for one image.
- names: the categories' names, by number; ImageNet's for a network of 1000 categories, unless given.

One category of one image gives one map, anything else a map for each pair. Each function raises ValueError for a batch
of another form, and for a category that is unknown (the nearest names are listed) or out of range; each warns of a map
that is 0 everywhere or not finite. The network runs in evaluation mode and comes back as it was: modes, hooks, weights
and `requires_grad`. A Keras network is a functional or sequential model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from days.common.checks import brief, check_maps, check_scores
from days.day17.code.backends import backend_of
from days.day19.code.gradients import look
from days.day22.code import attribution
from days.day22.code.attribution import Category, Wanted, asked_for


def grad_cam(
    network,
    batch,
    layer: str,
    category: Category,
    *,
    signed: bool = False,
    grid: tuple[int, int] | None = None,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """Where a layer's maps speak for a category: (h, w), at the layer's own resolution, not rescaled; or (n, h, w).

    The maps, each weighted by the mean gradient of the category's score for it, are added up; what is negative is cut
    off, unless `signed`. Costs a pass without gradients up to the layer, forward and backward from there on, and for
    several categories of one image only the way back again. A layer that runs several times counts the first time.

    grid : (rows, columns) of the tokens (N, T, C) of a transformer's layer, or of its maps (N, H, W, C).

    Raises ValueError also for a layer that does not exist, did not run or has no maps.

    Source: Selvaraju and others, "Grad-CAM: visual explanations from deep networks", 2017.
    """
    if not isinstance(layer, str):
        raise ValueError(f"expected a layer's name, got {brief(layer)}: conv_layers(network) lists some")
    activations, gradients, asked = _look(network, batch, category, names, layer)
    if grid is None:
        backend_of(network).check_axes(network, layer, activations, batch)
    activations, gradients = (check_maps(layer, values, grid) for values in (activations, gradients))
    why_zero = _why_zero(network, batch, layer)
    return attribution.grad_cam_maps(activations, gradients, asked, layer, signed, why_zero)


def saliency(network, batch, category: Category, *, names: Sequence[str] | None = None) -> np.ndarray:
    """How a category's score changes with each value of the batch, signed: (H, W, 3), channels in the batch's order.

    Source: Simonyan and others, "Deep inside convolutional networks", 2013.
    """
    _, gradients, asked = _look(network, batch, category, names)
    return attribution.handed_out(_channels_last(gradients), asked, "saliency", _why_zero(network, batch))


def smooth_grad(
    network,
    batch,
    category: Category,
    *,
    samples: int = 25,
    spread: float = 0.15,
    seed: int = 0,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """The mean `saliency` of `samples` noisy copies: (H, W, 3). The noise is the same in both frameworks.

    spread : the noise's standard deviation, as a share of the range of the image's values in the batch.

    Source: Smilkov and others, "SmoothGrad: removing noise by adding noise", 2017.
    """
    pixels, asked = _asked(network, batch, category, names)
    copies, how = attribution.for_each(pixels, asked), {"samples": samples, "spread": spread, "seed": seed}
    maps = attribution.smooth_grad(_gradient(network), copies, asked.targets, **how)
    return attribution.handed_out(maps, asked, "SmoothGrad", _why_zero(network, batch))


def integrated_gradients(
    network,
    batch,
    category: Category,
    *,
    baseline=0.0,
    steps: int = 128,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """What each value adds to a category's score on the straight way from a baseline to the image: (H, W, 3).

    All values together add up to score(image) - score(baseline), up to the error of `steps` gradients along the way;
    an error above 1 % of the score is warned of.

    baseline : in the batch's own values: a number, or a batch of one image or of as many as are explained. 0 is the
    color that the preprocessing turns into 0: the training set's mean color for SqueezeNet, gray for Day 18's network.

    Source: Sundararajan and others, "Axiomatic attribution for deep networks", 2017.
    """
    pixels, asked = _asked(network, batch, category, names)
    copies = attribution.for_each(pixels, asked)
    if np.ndim(baseline) == 4 and not isinstance(baseline, np.ndarray):
        baseline = _pixels(network, baseline)
    baseline = attribution.check_baseline(baseline, copies.shape)
    functions, how = (_gradient(network), _scores(network)), {"baseline": baseline, "steps": steps}
    maps = attribution.integrated_gradients(*functions, copies, asked.targets, **how)
    return attribution.handed_out(maps, asked, "integrated gradients", _why_zero(network, batch))


def guided_backpropagation(network, batch, category: Category, *, names: Sequence[str] | None = None) -> np.ndarray:
    """`saliency` that drops, on its way back, everything negative at each ReLU: (H, W, 3).

    Every ReLU counts, told by what it does: a layer's, a function's, one built into a layer, or `x.clamp(min=0)`; in
    place or not, and ReLU6 too. An operation with a gradient of the learner's own keeps that.

    Source: Springenberg and others, "Striving for simplicity", 2015. It draws fine pictures and hardly cares for the
    category: Adebayo and others, 2018.
    """
    _, gradients, asked = _look(network, batch, category, names, guided=True)
    return attribution.handed_out(_channels_last(gradients), asked, "guided backpropagation", _why_zero(network, batch))


def occlusion(
    network,
    batch,
    category: Category,
    *,
    size: int = 32,
    stride: int = 16,
    fill: float | Sequence[float] = 0.0,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """By how much a category's score falls where squares cover the image, the mean over those on a pixel: (H, W).

    size, stride : of the squares, in pixels; stride is at most size. fill : what covers, in the batch's own values: a
    number, or one for each channel. One pass for each square: slow, and what the others are held against.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014.
    """
    pixels, asked = _asked(network, batch, category, names)
    maps = attribution.occlusion(_scores(network), pixels, asked, size=size, stride=stride, fill=fill)
    return attribution.handed_out(maps, asked, "occlusion", lambda target: "no square changes the score")


def scores(network, batch) -> np.ndarray:
    """The scores before the softmax, (N, categories)."""
    return _scores(network)(_pixels(network, batch))


def _look(
    network, batch, category: Category, names, layer: str | None = None, *, guided: bool = False
) -> tuple[np.ndarray, np.ndarray, Wanted]:
    """A layer's activations (N, C, h, w), the gradients of the scores asked for, (n, C, h, w), and what was asked for.

    Without a layer, the batch's values stand for activations.
    """
    seen = look(network, batch, layer, guided=guided)
    count = check_scores(seen.answers, len(batch))
    asked = attribution.wanted(category, len(batch), count, names)
    return seen.inside, np.concatenate([seen.gradient(targets) for targets in asked.rounds()]), asked


def _why_zero(network, batch, layer: str | None = None) -> attribution.Reason:
    """Why a map is 0 everywhere: what is known of the network, or whether noise on the image moves the score at all."""

    def why(target: np.ndarray) -> str:
        if known := look(network, batch[:1], layer).why_zero(int(target.argmax())):
            return f"the gradient is 0: {known}"
        if layer is not None:
            return "the gradient is 0 there: a small change of these maps leaves the score as it is"
        pixels = _pixels(network, batch[:1])
        noise = np.random.default_rng(0).standard_normal(pixels.shape, np.float32) * np.ptp(pixels) / 10
        before, after = (asked_for(_scores(network)(values), target[None])[0] for values in (pixels, pixels + noise))
        if before == after:
            return "the gradient is 0, and noise on the image leaves the score as it is, too"
        return "the gradient is 0, and yet noise on the image moves the score: something on the way has no slope"

    return why


def _asked(network, batch, category: Category, names) -> tuple[np.ndarray, Wanted]:
    """The batch as an array (N, H, W, C), and what is asked for; one image tells how many categories there are."""
    pixels = _pixels(network, batch)
    count = check_scores(_scores(network)(pixels[:1]), 1)
    return pixels, attribution.wanted(category, len(pixels), count, names)


def _pixels(network, batch) -> np.ndarray:
    looking = backend_of(network)
    return looking.to_pixels(looking.check_batch(network, batch))


def _gradient(network) -> attribution.Gradient:
    looking = backend_of(network)
    return lambda pixels, targets: _channels_last(look(network, looking.to_batch(network, pixels)).gradient(targets))


def _scores(network) -> Callable[[np.ndarray], np.ndarray]:
    looking = backend_of(network)
    return lambda pixels: looking.scores(network, looking.to_batch(network, pixels))


def _channels_last(maps: np.ndarray) -> np.ndarray:
    return maps.transpose(0, 2, 3, 1)
