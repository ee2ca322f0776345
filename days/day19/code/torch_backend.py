"""The gradient, asked of a PyTorch network: the only place where it is taken. `keras_backend` has the same names.

Everything that is delicate about it stands here: evaluation mode, frozen weights, layers that change their input in
place, a caller that has switched gradients off, and answers that have none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from days.day17.code.torch_backend import check_batch, fastest, hooks, live_answers, module_named, run, to_numpy
from days.day19.code.gradients import Look, Objective, maps_and_gradients, value_and_gradient

__all__ = ["constant", "gradient_at", "look", "maps_and_gradients", "mean", "objective_and_gradient", "total"]
__all__ += ["value_and_gradient"]

mean, total = torch.mean, torch.sum


def constant(values: np.ndarray, answer: torch.Tensor) -> torch.Tensor:
    """An array as a tensor beside `answer`: on its device."""
    return torch.from_numpy(values).to(answer.device)


def gradient_at(
    value: torch.Tensor, at: torch.Tensor, weights: torch.Tensor | None = None, *, again: bool = False
) -> torch.Tensor | None:
    """How `value` changes with `at`, or None where nothing leads from one to the other.

    weights : of a value that is no single number, how much each of its numbers counts. again : more will be asked.
    Asked for this one tensor, autograd computes no gradient of any weight of the network.
    """
    if not value.requires_grad:
        return None
    (found,) = torch.autograd.grad(value, [at], weights, retain_graph=again, allow_unused=True)
    return found


@torch.inference_mode(False)
def objective_and_gradient(
    network: nn.Module, batch: torch.Tensor, of: Objective, layers: Sequence[str]
) -> tuple[float, np.ndarray]:
    """An objective of what `layers` answer, and how it changes with each value of the batch, (N, C, H, W)."""
    batch = check_batch(network, batch).requires_grad_(True)
    with torch.enable_grad():
        value = of(live_answers(network, layers, batch))
        found = gradient_at(value, batch)
    if found is None:
        raise ValueError(
            "expected an objective that depends on the picture, got one without a gradient: "
            "does the network's forward switch gradients off?"
        )
    return float(value.detach()), to_numpy(found)


@torch.inference_mode(False)
def look(network: nn.Module, batch: torch.Tensor, layer: str | None = None, *, guided: bool = False) -> Look:
    """One pass through a classifier that can be asked for gradients: at a layer's maps, or at the batch's values.

    guided : what flows back through any ReLU is cut off below 0.
    """
    batch = fastest(network, check_batch(network, batch))
    with _NothingNegativeBack() if guided else contextlib.nullcontext():
        inside, answers = _live_from(network, batch, layer)

    @torch.inference_mode(False)
    def gradient(numbers: np.ndarray) -> np.ndarray:
        weights = torch.zeros_like(answers)
        weights[torch.arange(len(answers)), torch.from_numpy(numbers)] = 1
        found = gradient_at(answers, inside, weights, again=True)
        return to_numpy(torch.zeros_like(inside) if found is None else found)

    return Look(to_numpy(inside), answers, gradient)


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

    with torch.no_grad():
        if layer is None:
            batch = start(network, (), batch)
        with hooks([] if layer is None else [(module_named(network, layer), start)]):
            answers = run(network, batch)
    if not leaves or not isinstance(leaves[0], torch.Tensor):
        raise ValueError(f"layer {layer!r} did not run in this forward pass, or gave no single tensor")
    return leaves[0], answers


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
