"""The gradient, asked of a PyTorch network: the only place where it is taken. `keras_backend` has the same names.

Everything that is delicate about it stands here: evaluation mode, frozen weights, layers that change their input in
place, a caller that has switched gradients off, and answers that have none.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn
from torch.autograd.function import BackwardCFunction
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from days.day17.code.torch_backend import (
    check_batch,
    fastest,
    hooks,
    live_answers,
    module_named,
    run,
    scripted,
    to_numpy,
    without_gradients,
)
from days.day19.code.gradients import NO_RELU, Look, Objective, maps_and_gradients, value_and_gradient

__all__ = ["call_instead", "constant", "gradient_at", "look", "maps_and_gradients", "mean", "objective_and_gradient"]
__all__ += ["rectifies", "total", "value_and_gradient"]

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
    try:
        (found,) = torch.autograd.grad(value, [at], weights, retain_graph=again, allow_unused=True)
    except RuntimeError as error:
        if "checkpoint" not in str(error).lower():
            raise
        raise ValueError(
            "the network's forward uses checkpoint(..., use_reentrant=True), which gives no gradient of activations: "
            "use_reentrant=False does"
        ) from error
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
            raise no_gradient(lambda: of(live_answers(network, layers, batch)), batch)
    return float(value.detach()), to_numpy(found)


@torch.inference_mode(False)
def look(network: nn.Module, batch: torch.Tensor, layer: str | None = None, *, guided: bool = False) -> Look:
    """One pass through a classifier that can be asked for gradients: at a layer's maps, or at the batch's values.

    guided : what flows back through any ReLU is cut off below 0; a warning names layers that cannot be looked into.
    """
    batch = fastest(network, check_batch(network, batch))
    if guided and (closed := scripted(network)):
        words = f"not guided: any ReLU inside {', '.join(map(repr, closed))}, which is TorchScript"
        warnings.warn(words, RuntimeWarning, stacklevel=4)
    with _NothingNegativeBack(network) if guided else contextlib.nullcontext() as guide:
        inside, answers = without_gradients(lambda: _live_from(network, batch, layer))
        if isinstance(answers, np.ndarray):
            raise ValueError("expected scores as a torch tensor from the network, got ndarray: gradients end there")
        if isinstance(answers, torch.Tensor) and not answers.requires_grad:
            # A `no_grad` in `forward` that ends behind the layer brings back the one that holds up to it.
            with torch.enable_grad():
                inside, answers = _live_from(network, batch, layer)
    if guide and (words := guide.missed() or guide.nothing()):
        warnings.warn(words, RuntimeWarning, stacklevel=4)

    @torch.inference_mode(False)
    def gradient(targets: np.ndarray) -> np.ndarray:
        found = gradient_at(answers, inside, torch.from_numpy(targets).to(answers), again=True)
        if found is None and (cut := _finder(network, batch, layer).cut):
            raise ValueError(f"no gradient leads from the score back to {layer or 'the image'}: {cut}")
        return to_numpy(torch.zeros_like(inside) if found is None else found)

    def why_flat() -> str:
        if answers.requires_grad:
            return _finder(network, batch, layer).flat
        return "no operation that PyTorch records leads from it to the score"

    return Look(to_numpy(inside), to_numpy(answers), gradient, why_flat)


def _finder(network: nn.Module, batch: torch.Tensor, layer: str | None) -> _CutFinder:
    """What was found on the way from a layer, or from the batch, to the scores of its first image."""
    with torch.inference_mode(False), torch.enable_grad(), _CutFinder() as finder:
        _live_from(network, batch[:1], layer, told=finder.follow)
    return finder


def no_gradient(call: Callable[[], object], start: torch.Tensor) -> ValueError:
    """The error for an objective, what `call` gives, that no gradient leads back from to the tensor `start`.

    start : what `call` begins with.
    """
    with _CutFinder() as finder:
        finder.follow(start)
        call()
    return ValueError(
        "expected an objective that depends on the picture, got one without a gradient"
        + (f": {finder.cut}" if finder.cut else "")
    )


class _CutFinder(TorchFunctionMode):
    """Inside the `with`, what comes of the tensors that it is told to follow is watched; `cut` says where that ends.

    `cut` is "" where every tensor that came of them can be differentiated; `flat` names a function on the way whose
    gradient is 0 everywhere.
    """

    def __init__(self):
        super().__init__()
        self.cut, self.flat, self._followed = "", "", {}

    def follow(self, tensor: torch.Tensor) -> None:
        """Watch whatever is computed from this tensor. It is kept, since the number of one that is gone comes again."""
        self._followed[id(tensor)] = tensor

    def __torch_function__(self, function, types, args=(), kwargs=None):
        read = [given for given in tree_leaves((args, kwargs)) if id(given) in self._followed]
        if not self.cut and any(one.is_floating_point() and not one.requires_grad for one in read):
            self.cut = (
                "its forward leaves the graph in a torch.autograd.Function; a checkpoint needs use_reentrant=False"
            )
        answer = function(*args, **(kwargs or {}))
        if read:
            for tensor in tree_leaves(answer):
                if isinstance(tensor, torch.Tensor):
                    self.follow(tensor)
                    self.cut = self.cut or _why_cut(function.__name__, tensor)
            if function.__name__.strip("_") in _FLAT:
                self.flat = f"its forward rounds ({function.__name__}), which has a gradient of 0 everywhere"
        return answer


_FLAT = {"round", "floor", "ceil", "trunc", "sign", "sgn", "heaviside", "floor_divide"}


def _why_cut(name: str, answer: torch.Tensor) -> str:
    """Why what a function of this name gave has no gradient, and the way out; "" where it has one or needs none."""
    if answer.requires_grad or answer.dtype == torch.bool:
        return ""
    if torch.is_inference_mode_enabled():
        return "its forward runs under torch.inference_mode(); freeze the weights with requires_grad_(False) instead"
    if not torch.is_grad_enabled():
        return (
            "its forward switches gradients off (torch.no_grad or a reentrant checkpoint); "
            "freeze the weights with requires_grad_(False), or checkpoint with use_reentrant=False"
        )
    if not (answer.is_floating_point() or answer.is_complex()):
        casts = name in ("long", "int", "short", "char", "byte", "to", "type", "type_as")
        return f"its forward casts to whole numbers ({name}), which have no gradient" if casts else ""
    return f"its forward leaves the graph ({'detach' if name == '__get__' else name}); leave that call out"


def _live_from(
    network: nn.Module,
    batch: torch.Tensor,
    layer: str | None,
    *,
    told: Callable[[torch.Tensor], object] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a layer answers, as the leaf of the graph that leads on to the scores, and these scores.

    Up to the layer gradients are recorded or not, as they are where it is called. From there on a copy goes, since an
    in-place layer may come next, as it may come first; `told` is called with that copy.
    """
    leaves: list[torch.Tensor] = []

    def start(module, inputs, output):
        if leaves:
            return None
        leaves.append(output)
        if not isinstance(output, torch.Tensor):
            return None
        leaves[0] = output.detach().clone().requires_grad_()
        torch.set_grad_enabled(True)
        onward = leaves[0].clone()
        if told:
            told(onward)
        return onward

    with torch.set_grad_enabled(torch.is_grad_enabled()):  # whatever `start` sets ends here
        batch = batch.clone() if layer else start(network, (), batch)
        with hooks([] if layer is None else [(module_named(network, layer), start)]):
            answers = run(network, batch)
    if not leaves or not isinstance(leaves[0], torch.Tensor):
        raise ValueError(f"layer {layer!r} did not run in this forward pass, or gave no single tensor")
    return leaves[0], answers


class _NothingNegativeBack(TorchFunctionMode):
    """Inside the `with`, what flows back to the answer of any ReLU is cut off below 0.

    A ReLU is told by what it does, and those of PyTorch's own by their name, which takes no time. No hook stands on any
    module: the answers themselves carry it, and are gone with them.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self._closed, self._found = bool(scripted(network)), False
        self._missed: dict[str, bool] = {}

    def missed(self) -> str:
        """What cut negative values off and was no ReLU, or ran out of sight, in one line; "" where nothing did."""
        return f"not guided: {', '.join(self._missed)}, which may hold a ReLU that cannot be seen" * bool(self._missed)

    def nothing(self) -> str:
        """That there was nothing to guide, in one line; "" where there was."""
        return "" if self._found or self._closed else f"not guided: {NO_RELU}"

    def __torch_function__(self, function, types, args=(), kwargs=None):
        options, name = kwargs or {}, getattr(function, "__name__", "")
        named = function in _RELUS
        plain = named or name.startswith(_NO_ACTIVATIONS)
        given = [] if plain else [one for one in tree_leaves((args, options)) if _leads_back(one)]
        before = [one.detach().clone() for one in given]  # the function may change them in place
        self._look_out_of_sight([one for one in tree_leaves((args, options)) if _leads_back(one)])
        answer = function(*args, **options)
        result = args[0] if function is torch.Tensor.__setitem__ else answer
        sign = 1 if named else _side(function, args, options, given, before, result)
        self._found |= named or bool(sign)
        if sign and _leads_back(result):
            _guide(result, sign)
        elif name.startswith("rnn_relu") or (
            any(map(_has_both_signs, before)) and not name.startswith(_OTHERWISE_ZERO)
        ):
            self._missed.update({repr(name): True for one in tree_leaves(result) if _cuts_off(one)})
        for one in tree_leaves(result):
            if _leads_back(one):
                setattr(one, _SEEN, True)
        return answer

    def _look_out_of_sight(self, given: list[torch.Tensor]) -> None:
        """Note those that no function made that was seen: an autograd function's, a scripted one's, those of vmap.

        Of a network that holds TorchScript an own warning tells; there, only autograd functions are noted.
        """
        for one in given:
            own = isinstance(one.grad_fn, BackwardCFunction)
            if one.grad_fn is not None and (own or not self._closed) and not hasattr(one, _SEEN):
                setattr(one, _SEEN, True)
                maker = one.grad_fn.name()
                if not maker.startswith(_VIEWS) and _cuts_off(one):
                    self._missed[repr(maker.removesuffix("Backward"))] = True


def _side(function, args, options, given, before, result) -> int:
    """1 for a ReLU of any of the tensors that were given, -1 for one turned around, as x.clamp(max=0) is, else 0."""
    for one, values in zip(given, before, strict=True) if _leads_back(result) else ():
        again = call_instead(function, args, options, one)
        if rectifies(values, result, again):
            return 1
        if _is_rectified(-values, -result) and rectifies(-values, -result, _turned(again)):
            return -1
    return 0


def _turned(call: Callable) -> Callable:
    def turned(values: torch.Tensor):
        answer = call(-values)
        return -answer if isinstance(answer, torch.Tensor) else answer

    return turned


def _guide(answer: torch.Tensor, sign: int) -> None:
    """Cut off what flows back to a ReLU's answer. One that changed a part of a tensor in place is read through that."""
    whole = answer._base
    if whole is None or whole.grad_fn is None or "CopySlices" not in whole.grad_fn.name():
        answer.register_hook(lambda gradient: sign * (sign * gradient).clamp(min=0))
        return
    part = torch.zeros_like(whole, dtype=torch.bool)
    with torch.no_grad():
        part.as_strided(answer.shape, answer.stride(), answer.storage_offset() - whole.storage_offset()).fill_(True)
    whole.register_hook(lambda gradient: torch.where(part, sign * (sign * gradient).clamp(min=0), gradient))


def _has_both_signs(values: torch.Tensor) -> bool:
    return not values.is_complex() and bool((values < 0).any() and (values > 0).any())


def _cuts_off(answer) -> bool:
    """Whether it is 0 at some places and positive at all others."""
    if not _leads_back(answer) or answer.is_complex() or not answer.numel():
        return False
    values = answer.detach()
    return bool((values >= 0).all() and (values == 0).any() and (values > 0).any())


_RELUS = {
    *(functional.relu, functional.relu6, functional.relu_),
    *(torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_),
}

SMALL = 2
"""Of negative values that are larger than this, other activations may leave nothing, either."""

_NO_ACTIVATIONS = ("conv", "linear", "batch_norm", "max_pool", "avg_pool", "adaptive", "cat", "flatten", "__get__")
"""How the names of functions begin that are known to be no activation, so that no time is spent on them."""

_OTHERWISE_ZERO = (
    "softmax",
    "sigmoid",
    "hardsigmoid",
    "abs",
    "square",
    "pow",
    "__pow__",
    "norm",
    "scaled_dot",
    "multi_head",
)
"""How the names of functions begin that may answer 0 beside positive values, and are no ReLU."""

_SEEN = "_seen_by_guide"
"""The attribute of tensors that a function made which was seen."""

_VIEWS = (
    "Unbind",
    "Select",
    "Slice",
    "Split",
    "View",
    "AsStrided",
    "torch::autograd::CopySlices",
    "Alias",
    "Transpose",
    "Permute",
)
"""How the names of steps back begin that only hand on a part of a tensor."""


def _leads_back(value) -> bool:
    return isinstance(value, torch.Tensor) and value.requires_grad


def rectifies(before: torch.Tensor, answer, again: Callable[[torch.Tensor], object] | None) -> bool:
    """Whether an answer is 0 where `before` was not positive, and positive elsewhere, as that of a ReLU is.

    again : what would be answered to another tensor like `before`, whose values may tell too little: all of one sign,
    or negative ones so large that a GELU, too, makes them 0. With None, a function that answers 0 to what is negative
    counts as a ReLU.
    """
    if not _is_rectified(before, answer):
        return False
    negative, positive = bool((before < 0).any()), bool((before > 0).any())
    if again is None or (positive and bool(((before < 0) & (before > -SMALL)).any())):
        return negative
    small = torch.linspace(-SMALL, SMALL, before.numel()).reshape(before.shape).to(before)
    return all(_is_rectified(factor * small, again(factor * small)) for factor in (1, -1, 0.25, -0.25))


def _is_rectified(before: torch.Tensor, answer) -> bool:
    if not isinstance(answer, torch.Tensor) or answer.shape != before.shape:
        return False
    if before.is_complex() or answer.is_complex():
        return False
    answer = answer.detach()
    return bool(((answer > 0) == (before > 0)).all() and (answer >= 0).all())


def call_instead(function: Callable, args: tuple, options: dict, tensor: torch.Tensor) -> Callable:
    """A call of a function as a function of `tensor`, which is among its arguments; None where it takes no other.

    It draws no random number.
    """

    def call(values: torch.Tensor):
        values = values.clone()
        places, named = tree_map(lambda one: values if one is tensor else one, (args, options))
        with torch.no_grad(), torch.random.fork_rng(devices=[]), contextlib.suppress(Exception):
            answer = function(*places, **named)
            return values if function is torch.Tensor.__setitem__ else answer

    return call
