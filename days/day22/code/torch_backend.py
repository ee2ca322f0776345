"""Which pixels decided, in PyTorch. `keras_backend` has the same functions with the same signatures and results.

All of them take a batch as `model.preprocess` makes it, and

- category: a number or a name, or a list of them: one for each image, or any number for one image.
- names: the categories' names, by number; ImageNet's for a network of 1000 categories, unless given.

One category of one image gives one map, anything else a map for each pair. Each function raises ValueError for a batch
of another form, and for a category that is unknown (the nearest names are listed) or out of range; each warns of a map
that is 0 everywhere or not finite. The network runs in evaluation mode and comes back as it was: modes, hooks, weights
and `requires_grad`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from days.common.checks import check_layers, check_maps
from days.common.errors import cannot_run
from days.day17.code.torch_backend import check_batch, check_network, evaluation_mode, hooks, module_named, to_numpy
from days.day22.code import attribution
from days.day22.code.attribution import Wanted
from days.day22.code.randomization import shuffled

Category = int | str | Sequence[int | str]


def grad_cam(
    network: nn.Module,
    batch: torch.Tensor,
    layer: str,
    category: Category,
    *,
    signed: bool = False,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """Where a layer's maps speak for a category: (h, w), at the layer's own resolution, not rescaled; or (n, h, w).

    The maps, each weighted by the mean gradient of the category's score for it, are added up; what is negative is cut
    off, unless `signed`. Costs a pass without gradients up to the layer, forward and backward from there on, and for
    several categories of one image only the way back again. A layer that runs several times counts the first time.

    Raises ValueError also for a layer that does not exist, did not run or has no maps.

    Source: Selvaraju and others, "Grad-CAM: visual explanations from deep networks", 2017.
    """
    activations, gradients, asked = _look(network, batch, category, names, layer)
    return attribution.grad_cam_maps(check_maps(layer, activations), gradients, asked, layer, signed)


def saliency(
    network: nn.Module, batch: torch.Tensor, category: Category, *, names: Sequence[str] | None = None
) -> np.ndarray:
    """How a category's score changes with each value of the batch, signed: (H, W, 3), channels in the batch's order.

    Source: Simonyan and others, "Deep inside convolutional networks", 2013.
    """
    _, gradients, asked = _look(network, batch, category, names)
    return attribution.handed_out(_channels_last(gradients), asked, "saliency")


def smooth_grad(
    network: nn.Module,
    batch: torch.Tensor,
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
    maps = attribution.smooth_grad(_gradient(network), copies, asked.numbers, **how)
    return attribution.handed_out(maps, asked, "SmoothGrad")


def integrated_gradients(
    network: nn.Module,
    batch: torch.Tensor,
    category: Category,
    *,
    baseline: torch.Tensor | float = 0.0,
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
    if isinstance(baseline, torch.Tensor):
        baseline = _channels_last(to_numpy(check_batch(network, baseline)))
    baseline = attribution.check_baseline(baseline, copies.shape)
    functions, how = (_gradient(network), _scores_of(network)), {"baseline": baseline, "steps": steps}
    maps = attribution.integrated_gradients(*functions, copies, asked.numbers, **how)
    return attribution.handed_out(maps, asked, "integrated gradients")


def guided_backpropagation(
    network: nn.Module, batch: torch.Tensor, category: Category, *, names: Sequence[str] | None = None
) -> np.ndarray:
    """`saliency` that drops, on its way back, everything negative at each ReLU: (H, W, 3).

    Every ReLU counts: a module's or a function's, in place or not, and ReLU6 too.

    Source: Springenberg and others, "Striving for simplicity", 2015. It draws fine pictures and hardly cares for the
    category: Adebayo and others, 2018.
    """
    with _NothingNegativeBack():
        _, gradients, asked = _look(network, batch, category, names)
    return attribution.handed_out(_channels_last(gradients), asked, "guided backpropagation")


def occlusion(
    network: nn.Module,
    batch: torch.Tensor,
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
    maps = attribution.occlusion(_scores_of(network), pixels, asked, size=size, stride=stride, fill=fill)
    return attribution.handed_out(maps, asked, "occlusion")


def scores(network: nn.Module, batch: torch.Tensor) -> np.ndarray:
    """The scores before the softmax, (N, categories); the mode comes back."""
    return _scores_of(network)(_channels_last(to_numpy(check_batch(network, batch))))


def randomized(network: nn.Module, layers: str | Sequence[str], seed: int) -> nn.Module:
    """A copy of the network with the weights of these layers shuffled, each tensor by itself; see `shuffled`.

    A layer's name also stands for all layers inside it ("fire9"). The network itself stays as it is. Raises ValueError
    for a layer that does not exist or has no weights.
    """
    check_network(network)
    twin = copy.deepcopy(network)
    for layer in check_layers(layers):
        owners = [(name, module) for name, module in module_named(twin, layer).named_modules(prefix=layer)]
        held = [(name, kind, one) for name, module in owners for kind, one in module.named_parameters(recurse=False)]
        if not held:
            raise ValueError(f"layer {layer!r} has no weights to shuffle: choose a convolution or its block")
        with torch.no_grad():
            for name, kind, parameter in held:
                values = shuffled(to_numpy(parameter), seed, f"{name}.{kind}")
                parameter.copy_(torch.from_numpy(values))
    return twin


class _NothingNegativeBack(TorchFunctionMode):
    """Inside the `with`, what flows back to the answer of any ReLU is cut off below 0.

    No hook stands on any module: the answers themselves carry it, and are gone with them.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        options = kwargs or {}
        answer = function(*args, **options)
        # The module ReLU6 is a hardtanh from 0 to 6.
        is_relu = function in _RELUS or (function is functional.hardtanh and options.get("min_val") == 0)
        if is_relu and answer.requires_grad:
            answer.register_hook(lambda gradient: gradient.clamp(min=0))
        return answer


_RELUS = {
    *(functional.relu, functional.relu6, functional.relu_),
    *(torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_),
}


@torch.inference_mode(False)
def _look(
    network: nn.Module, batch, category: Category, names, layer: str | None = None
) -> tuple[np.ndarray, np.ndarray, Wanted]:
    """A layer's activations (N, C, h, w), the gradients of the scores asked for, (n, C, h, w), and what was asked for.

    Without a layer, the batch's values stand for activations.
    """
    batch = check_batch(network, batch).contiguous(memory_format=torch.channels_last)  # the fastest layout
    inside, answers = _live_from(network, batch, layer)
    asked = attribution.wanted(category, len(batch), attribution.check_scores(answers, len(batch)), names)
    gradients = [_gradient_at(inside, answers, numbers) for numbers in asked.rounds()]
    return to_numpy(inside), np.concatenate(gradients), asked


def _live_from(network: nn.Module, batch: torch.Tensor, layer: str | None) -> tuple[torch.Tensor, torch.Tensor]:
    """What a layer answers, as the leaf of the graph that leads on to the scores, and these scores.

    Up to the layer nothing is recorded. From there on a copy goes, since an in-place layer may come next.
    """
    leaves = []

    def start(module, inputs, output):
        if leaves:
            return None
        leaves.append(output)
        if not isinstance(output, torch.Tensor):
            return None
        leaves[0] = output.detach().clone().requires_grad_()
        torch.set_grad_enabled(True)
        return leaves[0].clone()

    with evaluation_mode(network), torch.no_grad():
        if layer is None:
            batch = start(network, (), batch)
        with hooks([] if layer is None else [(module_named(network, layer), start)]):
            answers = _answers(network, batch)
    if not leaves or not isinstance(leaves[0], torch.Tensor):
        raise ValueError(f"layer {layer!r} did not run in this forward pass, or gave no single tensor")
    return leaves[0], answers


def _answers(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    try:
        return network(batch)
    except RuntimeError as error:
        raise cannot_run(batch, error) from error


def _gradient_at(inside: torch.Tensor, answers: torch.Tensor, numbers: np.ndarray) -> np.ndarray:
    """How the images' scores of the categories `numbers` (N,) change with `inside`; 0 where they do not hang on it."""
    found = None
    if answers.requires_grad:
        with torch.enable_grad():
            score = answers[torch.arange(len(answers)), torch.from_numpy(numbers)].sum()
        # Asked for this one tensor, autograd computes no gradient of any weight.
        (found,) = torch.autograd.grad(score, [inside], retain_graph=True, allow_unused=True)
    return to_numpy(torch.zeros_like(inside) if found is None else found)


def _gradient(network: nn.Module) -> attribution.Gradient:
    @torch.inference_mode(False)
    def gradient(batch, numbers):
        inside, answers = _live_from(network, _tensor(network, batch), None)
        return _channels_last(_gradient_at(inside, answers, numbers))

    return gradient


def _scores_of(network: nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    def scores(batch):
        with evaluation_mode(network), torch.no_grad():
            return to_numpy(_answers(network, _tensor(network, batch)))

    return scores


def _asked(network: nn.Module, batch, category: Category, names) -> tuple[np.ndarray, Wanted]:
    """The batch as an array (N, H, W, C), and what is asked for; one image tells how many categories there are."""
    pixels = _channels_last(to_numpy(check_batch(network, batch)))
    count = attribution.check_scores(_scores_of(network)(pixels[:1]), 1)
    return pixels, attribution.wanted(category, len(pixels), count, names)


def _tensor(network: nn.Module, batch: np.ndarray) -> torch.Tensor:
    """An array (n, H, W, C) as a batch (n, C, H, W) for the network, laid out as the network is fastest."""
    weight = next(network.parameters(), torch.empty(0))
    pixels = torch.tensor(batch, device=weight.device, dtype=weight.dtype)
    return pixels.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def _channels_last(maps: np.ndarray) -> np.ndarray:
    return maps.transpose(0, 2, 3, 1)
