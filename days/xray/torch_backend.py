"""The X-ray's looks into a PyTorch network. `keras_backend` has the same functions with the same signatures."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from days.common.checks import check_scores
from days.common.torch_models import load_weights_file
from days.day17.code.torch_backend import (
    check_network,
    conv_layers,
    filters,
    hooks,
    module_named,
    out_of_sight,
    run,
    to_numpy,
    without_gradients,
)
from days.day19.code.torch_backend import call_instead, rectifies
from days.xray.anatomy import Convolution, FoldedWeights, NormStatistics, Summary, folded

__all__ = ["load_weights_file", "out_of_sight"]


def input_form(network: nn.Module) -> tuple[int, int | None]:
    """How many color channels the network takes, and the size it is bound to, if any.

    Raises ValueError for a network without convolutions, and for one of several inputs.
    """
    check_network(network)
    needed = [
        name
        for name, taken in inspect.signature(network.forward).parameters.items()
        if taken.default is taken.empty and taken.kind in (taken.POSITIONAL_ONLY, taken.POSITIONAL_OR_KEYWORD)
    ]
    if len(needed) > 1:
        raise ValueError(
            f"expected a network of one input, got {len(needed)} ({', '.join(needed)}): "
            "wrap it in a module whose forward takes the image alone"
        )
    names = conv_layers(network)
    if not names:
        why = out_of_sight(network)
        unused = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
        nothing = f"but its forward does not call {', '.join(unused)}" if unused else "got none"
        why = f"cannot look into {why}" if why else f"{nothing}: there are no filters to look at"
        raise ValueError(f"expected a network with 2-d convolutions, {why}")
    modules: list[Any] = [network.get_submodule(name) for name in names]
    taken = [module.in_channels for module in modules]
    # Where `forward` cannot be traced, the first of the names may not be the first that runs.
    return next((count for count in taken if count in (1, 3)), taken[0]), None


def of_any_size(network: nn.Module) -> nn.Module:
    """The network: what of it takes no other size than its own fails as it runs."""
    return network


def weighted_layers(network: nn.Module) -> list[str]:
    """Names of the layers that hold weights themselves, in the order in which they were registered."""
    return [name for name, module in network.named_modules() if any(True for _ in module.parameters(recurse=False))]


def training_layers(network: nn.Module) -> int:
    """How many layers that behave otherwise in training (dropout, batch norm) are in training mode now."""
    kinds = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
    return sum(module.training for module in network.modules() if isinstance(module, kinds))


def parameter_count(network: nn.Module) -> int:
    """How many numbers the network has learned, or could learn."""
    return sum(values.numel() for values in network.parameters())


def convolutions(network: nn.Module, batch: torch.Tensor) -> tuple[list[Convolution], str | None]:
    """The convolutions that run, in the order in which they do, and the name of the first batch norm, if any.

    One forward pass is watched: what each convolution answers is followed through a batch norm to what is done with it
    next, be that a module or a function, in place or not.
    """
    modules: dict[str, Any] = {name: module for name, module in network.named_modules() if _is_watched(module)}
    trace, norms = without_gradients(lambda: _followed(network, modules, batch))
    found = [
        Convolution(name, watch, trace.rectified(name), modules[name].groups > 1, False, sees_pixels)
        for name, (watch, _, sees_pixels) in trace.found.items()
    ]
    return found, next(iter(norms), None)


def _followed(network: nn.Module, modules: dict[str, Any], batch: torch.Tensor) -> tuple[_Trace, list[str]]:
    """What one forward pass shows of these modules, and the names of the batch norms that ran."""
    trace, norms = _Trace(), []

    def look(name):
        def hook(module, inputs, output):
            if not isinstance(output, torch.Tensor) or not inputs:
                return
            if isinstance(module, nn.Conv2d):
                trace.start(name, output, sees_pixels=inputs[0] is batch)
            else:
                norms.append(name)
                trace.carry(name, module, inputs[0], output)

        return hook

    with hooks([(module, look(name)) for name, module in modules.items()]), trace:
        run(network, batch)
    return trace, norms


def _is_watched(module: nn.Module) -> bool:
    return isinstance(module, (nn.Conv2d, nn.BatchNorm2d))


class _Trace(TorchFunctionMode):
    """Follows what convolutions answer: {layer: [where to watch, rectified, sees pixels]}.

    Rectified is what a ReLU alone reads, and nothing else. Of a layer that runs several times the first answer counts;
    it sees pixels if all its runs do.
    """

    def __init__(self):
        super().__init__()
        self.found: dict[str, list] = {}
        self._owner, self._read_otherwise = WeakIdKeyDictionary(), set()

    def start(self, name: str, answer: torch.Tensor, *, sees_pixels: bool) -> None:
        if name in self.found:
            self.found[name][2] &= sees_pixels
            self._read_otherwise.add(name)  # a later answer is not followed
        else:
            self.found[name] = [name, False, sees_pixels]
            self._owner[answer] = name

    def rectified(self, name: str) -> bool:
        """Whether a ReLU reads what this layer answers, and nothing else does."""
        return self.found[name][1] and name not in self._read_otherwise

    def carry(self, name: str, norm: nn.BatchNorm2d, before: torch.Tensor, answer: torch.Tensor) -> None:
        layer = self._owner.get(before)
        if layer:
            plain = type(norm) is nn.BatchNorm2d
            self.found[layer][:2] = name, not plain and rectifies(_normed(norm, before), answer, None)
            if not self.found[layer][1]:
                self._owner[answer] = layer

    def __torch_function__(self, function, types, args=(), kwargs=None):
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        layers = {self._owner[one] for one in given if one in self._owner}
        if not layers:
            return function(*args, **(kwargs or {}))
        # A ReLU is told by what it does, and may do it in place.
        read, name = next(one for one in given if one in self._owner), function.__name__
        layer, before = self._owner[read], read.detach().clone()
        self._read_otherwise |= layers - {layer}
        answer = function(*args, **(kwargs or {}))
        if not isinstance(answer, torch.Tensor):
            return answer  # a question about a tensor, such as its shape
        if name.startswith(("max_pool", "dropout", "feature_dropout")):
            self._owner[answer] = layer  # what a ReLU behind it silences, it would silence before it
        elif rectifies(before, answer, call_instead(function, args, kwargs or {}, read)):
            self.found[layer][1] = True
            self._owner.pop(answer, None)  # in place, it is the ReLU's answer now
        elif name != "batch_norm":
            self._read_otherwise |= layers
        return answer


def _normed(norm: nn.BatchNorm2d, inputs: torch.Tensor) -> torch.Tensor:
    """What a batch norm answers before the activation that some libraries build into it."""
    how = norm.running_mean, norm.running_var, norm.weight, norm.bias
    return functional.batch_norm(inputs, *how, training=norm.running_mean is None, eps=norm.eps)


def look(
    network: nn.Module, watched: Sequence[Convolution], norm: str | None, batch: torch.Tensor
) -> tuple[np.ndarray, dict[str, Summary], NormStatistics | None]:
    """One pass: the scores (N, categories), a summary for each convolution, and what the first batch norm sees.

    Maps are reduced as soon as they are there: never more than one layer's are held for it.
    """
    summaries: dict[str, Summary] = {}
    seen: list[NormStatistics] = []

    def reduce(layer):
        def hook(module, inputs, output):
            if layer not in summaries:
                built_in = isinstance(module, nn.BatchNorm2d) and type(module) is not nn.BatchNorm2d
                summaries[layer] = _summary(_normed(module, inputs[0]) if built_in else output)

        return hook

    def compare(module, inputs, output):
        if not seen and module.running_mean is not None:
            values = inputs[0].float()
            now = values.mean(dim=(0, 2, 3)), values.var(dim=(0, 2, 3), correction=0)
            stored = module.running_mean, module.running_var
            seen.append(NormStatistics(*(to_numpy(part).astype(np.float64) for part in (*stored, *now))))

    watching = [(module_named(network, part.watch), reduce(part.layer)) for part in watched]
    watching += [(module_named(network, norm), compare)] if norm else []
    with hooks(watching):
        scores = without_gradients(lambda: run(network, batch))
    check_scores(scores, len(batch))
    return to_numpy(scores).astype(np.float64), summaries, seen[0] if seen else None


def _summary(maps: torch.Tensor) -> Summary:
    maps, axes = maps.detach().float(), (2, 3)
    passed = maps.clamp(min=0)
    return Summary(
        mean=to_numpy(passed.mean(axes)),
        top=to_numpy(maps.amax(axes)),
        low=to_numpy(maps.amin(axes)),
        active=to_numpy((maps > 0).float().mean(axes)),
        middle=to_numpy(maps.mean(axes)),
        square=to_numpy(maps.square().mean(axes)),
        size=(maps.shape[2], maps.shape[3]),
    )


def folded_weights(network: nn.Module, part: Convolution) -> FoldedWeights:
    """Filters and bias, with the batch norm between the convolution and its watched answer folded in."""
    values, module = filters(network, part.layer), network.get_submodule(part.layer)
    bias = None if module.bias is None else to_numpy(module.bias).astype(np.float64)
    norm = network.get_submodule(part.watch)
    if norm is module or norm.running_mean is None:
        return folded(values, bias)
    scale = 1 / np.sqrt(to_numpy(norm.running_var).astype(np.float64) + norm.eps)
    shift = -to_numpy(norm.running_mean) * scale
    if norm.affine:
        scale, shift = scale * to_numpy(norm.weight), shift * to_numpy(norm.weight) + to_numpy(norm.bias)
    return folded(values, bias, scale, shift)
