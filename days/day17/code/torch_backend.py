"""Looking into a PyTorch network: which layers, what they answer, what their filters are.

`keras_backend` has the same functions with the same signatures and the same array layout.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import random
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.nn.parameter import UninitializedParameter
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from days.common.checks import check_channels_first, check_layers, check_maps, check_values, unknown_layer
from days.common.errors import cannot_run


def conv_layers(network: nn.Module) -> list[str]:
    """Names of the convolutions in forward order, nested ones by their path ("fire2.squeeze").

    Layers are told by their type, never by their name. The order is read off a symbolic trace of `forward` in
    evaluation mode; a network that cannot be traced gives the order in which its layers were registered. A warning
    names convolutions that are out of sight.

    >>> conv_layers(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()))
    ['0']
    """
    check_network(network)
    network = getattr(network, "_orig_mod", network)  # what torch.compile wraps answers to the same names
    convolutions = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    nodes = _traced(network)
    if hidden := _hidden(network, nodes):
        warnings.warn(f"not listed: {hidden}", RuntimeWarning, stacklevel=2)
    called = convolutions if nodes is None else [str(node.target) for node in nodes if node.op == "call_module"]
    return [name for name in dict.fromkeys(called) if name in convolutions]


def out_of_sight(network: nn.Module) -> str:
    """Which convolutions cannot be looked into, since no module of the network's is one; "" where all can."""
    return _hidden(network, _traced(network))


def _traced(network: nn.Module) -> list[fx.Node] | None:
    """The operations of the network's `forward` in evaluation mode; None where it cannot be traced."""
    try:
        # Tracing runs `forward`, which may count calls or keep tensors: so not on the learner's own modules.
        shared_weights = {id(parameter): parameter for parameter in network.parameters()}
        with _random_numbers_given_back(list(network.modules())):
            return list(_LayerTracer().trace(copy.deepcopy(network, shared_weights).eval()).nodes)
    except Exception:
        return None  # the learner's forward has run on stand-ins for tensors, so anything may be raised


def _hidden(network: nn.Module, nodes: list[fx.Node] | None) -> str:
    told = [f"what is inside {name!r}, which is TorchScript" for name in scripted(network)]
    known = set(network.modules())
    for name, module in network.named_modules():
        for attribute, value in vars(module).items():
            parts = tree_leaves(value) if isinstance(value, (list, tuple, dict)) and attribute[0] != "_" else ()
            inside = [part for one in parts if isinstance(one, nn.Module) for part in one.modules()]
            if any(isinstance(part, nn.Conv2d) and part not in known for part in inside):
                where = f"{name}.{attribute}".strip(".")
                told.append(f"the convolutions in {where!r}, a {type(value).__name__}: nn.ModuleList shows them")
    if any(node.op == "call_function" and "conv2d" in getattr(node.target, "__name__", "") for node in nodes or []):
        told.append("convolutions that its forward calls as functions: nn.Conv2d shows them")
    return ", and ".join(told)


def scripted(network: nn.Module) -> list[str]:
    """Names of the modules that are TorchScript, whose insides nothing can watch; of nested ones the outermost."""
    names = [name for name, module in network.named_modules() if isinstance(module, torch.jit.ScriptModule)]
    return [name for name in names if not any(name.startswith(f"{other}.") for other in names)]


def capture(
    network: nn.Module,
    layers: str | Sequence[str],
    batch: torch.Tensor,
    *,
    grid: tuple[int, int] | None = None,
) -> dict[str, np.ndarray]:
    """What `layers` answer to a batch: {layer: activations (N, C, H, W)}, in the order asked for.

    The network runs in evaluation mode, without gradients, and no further than the deepest layer asked for. It comes
    back as it was: same mode, no hook left. The arrays are copies: nothing that runs later can change them. A layer
    that runs several times in one pass gives its first answer.

    Parameters
    ----------
    layers : names as `network.named_modules()` gives them.
    batch : (N, C, H, W) tensor, as `model.preprocess` makes it; moved to the network's device.
    grid : (rows, columns) of the tokens (N, T, C) or the maps (N, H, W, C) of a transformer, which then come as maps.

    Raises
    ------
    ValueError : a layer that does not exist (the nearest names are listed), has no maps or never ran; a batch of
        another shape or with NaN.
    """
    layers = check_layers(layers)
    batch = check_batch(network, batch)
    found = without_gradients(lambda: _watched(network, layers, batch))
    for name in layers if grid is None else ():
        check_axes(network, name, found.get(name), batch)
    return {name: check_maps(name, to_numpy(found.get(name)), grid) for name in layers}


def check_axes(network: nn.Module, layer: str, answer, batch) -> None:
    """Raise ValueError for a layer's maps whose channels seem to come last; see `check_channels_first`."""
    shape = tuple(getattr(answer, "shape", ()))
    if len(shape) != 4 or 0 in shape or isinstance(module_named(network, layer), _CHANNELS_FIRST):
        return
    norms_last = any(isinstance(module, (nn.LayerNorm, nn.RMSNorm)) for module in network.modules())
    check_channels_first(layer, shape, tuple(batch.shape[2:]), either=norms_last)


_CHANNELS_FIRST = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d, nn.GroupNorm)
"""These take and give channels first, whatever the network does elsewhere."""


def run_to(network: nn.Module, layer: str, batch: torch.Tensor) -> torch.Tensor:
    """One layer's answer as a live tensor, for gradients: see `live_answers`. Raises ValueError where there is none."""
    found = live_answers(network, [layer], batch)
    if layer not in found:
        raise ValueError(f"layer {layer!r} did not run, or gave no single tensor")
    return found[layer]


def live_answers(network: nn.Module, layers: Sequence[str], batch: torch.Tensor) -> dict[str, torch.Tensor]:
    """What `layers` answer, those that run, as live tensors with the graph that leads back to `batch`.

    Like `capture`, it runs in evaluation mode, no further than the deepest layer, and leaves neither hooks nor modes
    behind; unlike it, it hands out the tensors themselves. A layer that answers anything else is left out. Raises
    ValueError for a layer that does not exist, or whose channels come last, and for a batch that the network cannot
    take.
    """
    found = _watched(network, layers, batch)
    for name, answer in found.items():
        check_axes(network, name, answer, batch)
    return {name: answer for name, answer in found.items() if isinstance(answer, torch.Tensor)}


def _watched(network: nn.Module, layers: Sequence[str], batch: torch.Tensor) -> dict[str, object]:
    """Whatever `layers` answer the first time that each runs; behind the deepest of them nothing runs."""
    modules = {name: module_named(network, name) for name in layers}
    found: dict[str, object] = {}

    def keep(name):
        def hook(module, inputs, output):
            deepest = len(found.keys() | {name}) == len(modules)
            # Without a copy an in-place ReLU that runs next would overwrite what was seen. Behind the deepest layer
            # nothing runs, and what a plain convolution returns is nobody else's.
            if isinstance(output, torch.Tensor) and not (deepest and type(module) is nn.Conv2d):
                output = output.clone()
            found.setdefault(name, output)
            if deepest:
                raise _AllSeen

        return hook

    with hooks([(module, keep(name)) for name, module in modules.items()]), contextlib.suppress(_AllSeen):
        run(network, batch)
    return found


def run(network: nn.Module, batch: torch.Tensor):
    """What the network answers in evaluation mode, the learner's sequences of random numbers left as they are.

    Raises ValueError for whatever ends its forward pass.
    """
    # Behind torch.compile a layer may run without the hooks that watch it.
    plain = torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else contextlib.nullcontext()
    with plain, evaluation_mode(network) as modules, _as_before(modules, batch.device):
        try:
            return network(batch)
        except _AllSeen:
            raise
        except Exception as error:
            raise cannot_run(batch, error, _way_out(batch, error)) from error


def without_gradients(call: Callable[[], Any]) -> Any:
    """What call() gives, without gradients; with them where a forward cannot do without, as one that hooks tensors."""
    with torch.no_grad():
        try:
            return call()
        except ValueError as error:
            if "grad" not in str(error):
                raise
    with torch.enable_grad():
        return call()


def scores(network: nn.Module, batch: torch.Tensor):
    """The network's answer to a batch, as an array where it is one tensor: (N, categories) of a classifier."""
    return to_numpy(without_gradients(lambda: run(network, batch)))


def filters(network: nn.Module, layer: str) -> np.ndarray:
    """A copy of a convolution's filters as it uses them, (out, in, kh, kw); in is the group's width of a grouped one.

    A learner's own kind of convolution may change its weights before it uses them; then it runs once, on zeros. Raises
    ValueError for a name that is no convolution; the nearest ones are listed.
    """
    check_network(network)
    try:
        module = module_named(network, layer)
    except ValueError:
        module = None
    if not isinstance(module, nn.Conv2d):
        raise unknown_layer(layer, conv_layers(network), kind="convolution")
    with evaluation_mode(module), _weights_made(module):  # a spectral norm moves on with every look in training mode
        own = type(module).forward is not nn.Conv2d.forward or type(module)._conv_forward is not nn.Conv2d._conv_forward
        return to_numpy((_weight_used(layer, module) if own else module.weight).clone())


def _weight_used(layer: str, module: nn.Conv2d) -> torch.Tensor:
    """The weights that a convolution with a `forward` of its own hands to the framework's; its own, with a warning,
    where it hands over none of their shape."""
    sizes = [dilation * (size - 1) + 1 for dilation, size in zip(module.dilation, module.kernel_size, strict=True)]
    with torch.no_grad(), _WeightFinder() as finder:
        module.forward(torch.zeros(1, module.in_channels, *sizes).to(module.weight))
    if finder.weight is None or finder.weight.shape != module.weight.shape:
        words = f"layer {layer!r} has a forward of its own, and may use its weights otherwise than they are shown"
        warnings.warn(words, RuntimeWarning, stacklevel=3)
        return module.weight
    return finder.weight


class _WeightFinder(TorchFunctionMode):
    """Inside the `with`, the weights of the first convolution that runs are kept."""

    weight: torch.Tensor | None = None

    def __torch_function__(self, function, types, args=(), kwargs=None):
        options = kwargs or {}
        if self.weight is None and function in (torch.conv2d, nn.functional.conv2d):
            self.weight = options["weight"] if "weight" in options else args[1]
        return function(*args, **options)


class _AllSeen(Exception):
    """Leaves `forward` once the deepest layer has answered."""


class _LayerTracer(fx.Tracer):
    def is_leaf_module(self, module, name):
        return isinstance(module, nn.Conv2d) or super().is_leaf_module(module, name)


@contextlib.contextmanager
def hooks(functions: list[tuple[nn.Module, Callable]]) -> Iterator[None]:
    """Forward hooks (module, function) that are there inside the `with` and gone after it, whatever happens."""
    handles = []
    try:
        for module, hook in functions:
            handles.append(module.register_forward_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[list[nn.Module]]:
    """Every module of the network in evaluation mode inside the `with`, which gets them, and as it was after it."""
    modules = list(network.modules())
    training = [module for module in modules if module.training]
    for module in training:
        module.training = False
    try:
        yield modules
    finally:
        for module in training:
            module.training = True


@contextlib.contextmanager
def _weights_made(module: nn.Module) -> Iterator[None]:
    """Inside the `with` the module's weight is what its next forward pass will use.

    Pruning and the older weight and spectral norms make it in a hook that runs before `forward`; until then, as after
    `load_state_dict`, it is what the last pass has used.
    """
    before = vars(module).get("weight")
    try:
        for hook in module._forward_pre_hooks.values():
            if type(hook).__module__.startswith("torch.nn.utils"):
                hook(module, ())
        yield
    finally:
        if before is not None:
            module.weight = before


@contextlib.contextmanager
def _random_numbers_given_back(modules: list[nn.Module], device: torch.device | None = None) -> Iterator[None]:
    """Whatever is drawn inside the `with` will be drawn again after it, as by a dropout that is always on."""
    # NumPy's state takes a tenth of a millisecond, and only a learner's own module may draw from it.
    states = None if all(map(_is_published, map(type, modules))) else (random.getstate(), np.random.get_state())
    try:
        with torch.random.fork_rng(devices=[device] if device and device.type == "cuda" else []):
            yield
    finally:
        if states:
            random.setstate(states[0])
            np.random.set_state(states[1])


@contextlib.contextmanager
def _as_before(modules: list[nn.Module], device: torch.device | None = None) -> Iterator[None]:
    """What a forward pass inside the `with` draws, or writes into buffers, is as it was after it.

    Published modules write nothing in evaluation mode. The graph keeps the buffers that the pass has used.
    """
    kept: list[tuple[nn.Module, dict]] = []
    if not all(map(_is_published, map(type, modules))):
        kept = [
            (module, dict(module._buffers))
            for module in modules
            if module._buffers and not isinstance(module, torch.jit.ScriptModule)
        ]
    try:
        for module, buffers in kept:
            module._buffers.update({name: one.clone() for name, one in buffers.items() if one is not None})
        with _random_numbers_given_back(modules, device):
            yield
    finally:
        for module, buffers in kept:
            module._buffers.clear()
            module._buffers.update(buffers)


@functools.cache
def _is_published(kind: Any) -> bool:
    """Whether a class of modules is of PyTorch's own, or of a library whose networks are known."""
    return kind.__module__.startswith(("torch.nn.", "torchvision.", "timm."))


def module_named(network: nn.Module, name: str) -> nn.Module:
    """The network's layer of this name, or ValueError with the nearest names."""
    if name:  # the empty name is the network itself
        with contextlib.suppress(AttributeError, TypeError):
            return network.get_submodule(name)
    raise unknown_layer(name, [known for known, _ in network.named_modules() if known])


def check_network(network) -> None:
    """Raise ValueError for anything but a network of PyTorch's that has its weights and can be looked into."""
    if not isinstance(network, nn.Module):
        raise ValueError(f"expected a torch network, got {type(network).__name__}: load_model(...).network is one")
    if isinstance(network, torch.jit.ScriptModule):
        raise ValueError(
            "expected a network as a Python module, got TorchScript, whose layers cannot be watched: "
            "load its weights into the module that it was scripted or traced from"
        )
    # One walk, and no look at names: every look at a network pays for this.
    for module in network.modules():
        kind: Any = type(module)  # mypy does not take a class for something that a cache can hold
        if _is_quantized(kind):
            name = next(name for name, other in network.named_modules() if other is module)
            raise ValueError(
                f"expected a network of floating-point numbers, got one whose layer {name!r} is quantized: "
                "look into the network that it was quantized from"
            )
        for values in module._parameters.values():
            if type(values) is UninitializedParameter:
                raise ValueError("expected a network with weights, got one with a lazy layer: call it once on a batch")
            if values is not None and values.is_meta:
                got = "one on the meta device: its weights were never loaded"
                raise ValueError(f"expected a network with weights, got {got}")


@functools.cache
def _is_quantized(kind: type) -> bool:
    # Every look at a network asks this of every module, and a class's answer never changes.
    return any("quantized" in base.__module__.split(".") for base in kind.__mro__)


def check_batch(network: nn.Module, batch) -> torch.Tensor:
    """The batch on the network's device and in its type, as a copy: an in-place layer may come first."""
    check_network(network)
    if not isinstance(batch, torch.Tensor):
        raise ValueError(f"expected a torch tensor, got {type(batch).__name__}: model.preprocess(image) makes one")
    if batch.ndim != 4:
        way_out = "add the batch axis with batch[None]" if batch.ndim == 3 else "model.preprocess(image) makes one"
        raise ValueError(f"expected a (N, C, H, W) batch, got {tuple(batch.shape)}: {way_out}")
    if batch.is_meta or batch.is_quantized or batch.layout != torch.strided:
        kind = "meta" if batch.is_meta else "quantized" if batch.is_quantized else "sparse"
        raise ValueError(f"expected a batch of plain floats, got a {kind} tensor: model.preprocess(image) makes one")
    check_values(True, batch.is_floating_point(), len(batch), str(batch.dtype))
    like = input_like(network, batch)
    batch = batch.detach().to(device=like.device, dtype=like.dtype, copy=True)
    # One sum is ten times faster than a look at every value, which is owed only where it overflows.
    finite = bool(torch.isfinite(batch.sum()) or torch.isfinite(batch).all())
    check_values(finite, True, len(batch), str(batch.dtype))
    return batch


def _way_out(batch: torch.Tensor, error: Exception) -> str:
    """What to do where the batch has other channels than the convolution that sees it wants; else nothing."""
    said = re.search(r"expected input\[([\d, ]+)\] to have (\d+) channels", str(error))
    if said is None:
        return ""
    got = [int(length) for length in said[1].split(", ")]
    if got != list(batch.shape):
        moved = "its forward moves the axes of a batch (N, H, W, C): wrap it so that it takes (N, C, H, W)"
        return moved if sorted(got) == sorted(batch.shape) else ""
    if batch.shape[3] == int(said[2]):
        return f"expected a (N, {said[2]}, H, W) batch: channels go first in PyTorch, so batch.permute(0, 3, 1, 2)"
    return f"its first convolution takes {said[2]} channels, and the batch has {batch.shape[1]}"


# ---------------------------------------------------------------- to and from the network's layout


def to_batch(network: nn.Module, pixels: np.ndarray) -> torch.Tensor:
    """Preprocessed pixels (N, H, W, C) as the network takes them: its axes, type, device, and fastest layout."""
    like = input_like(network, torch.empty(0))
    batch = torch.tensor(pixels, device=like.device, dtype=like.dtype).permute(0, 3, 1, 2)
    layout = torch.channels_last if takes_any_layout(network) else torch.contiguous_format
    return batch.contiguous(memory_format=layout)


def input_like(network: nn.Module, otherwise: torch.Tensor) -> torch.Tensor:
    """A tensor of the type, and on the device, of the images that the network takes: those of its first convolution.

    otherwise : what is handed back for a network without weights.
    """
    first = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), network)
    return next((values for values in first.parameters() if values.is_floating_point()), otherwise)


def from_planes(planes: np.ndarray) -> torch.Tensor:
    """An array (N, C, H, W) as a batch, its values and type as they are."""
    return torch.from_numpy(np.ascontiguousarray(planes))


def to_pixels(batch: torch.Tensor) -> np.ndarray:
    """A batch as an array (N, H, W, C)."""
    return to_numpy(batch).transpose(0, 2, 3, 1)


def fastest(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """The batch with its channels last in memory where the network is known to take that, else as it is."""
    return batch.contiguous(memory_format=torch.channels_last) if takes_any_layout(network) else batch


def takes_any_layout(network: nn.Module) -> bool:
    """Whether the network is known to run in any memory layout: no `forward` and no hook in it is a learner's own.

    A learner's may depend on the order in memory: `x.view(x.size(0), -1)` fails where the channels lie last.
    """
    modules = list(network.modules())
    return all(map(_is_published, map(type, modules))) and not any(
        module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module) for module in modules
    )


def to_numpy(output):
    """A tensor as an array on the processor, half precision as single; anything else as it is."""
    if not isinstance(output, torch.Tensor):
        return output
    output = output.detach().cpu()
    return (output.float() if output.dtype in (torch.bfloat16, torch.float16) else output).numpy()


def _kept(network: nn.Module) -> Iterator[torch.Tensor]:
    """The tensors that modules keep beside their parameters and buffers, in lists and the like, too."""
    for module in network.modules():
        yield from (one for one in tree_leaves(dict(vars(module))) if isinstance(one, torch.Tensor))


def altered(network: nn.Module, layers: str | Sequence[str], change: Callable[[np.ndarray, str], np.ndarray]):
    """A copy of the network in which each tensor of these layers that is trained is change(values, "layer.weight").

    A layer's name also stands for all layers inside it ("fire9"). The network itself stays as it is. Raises ValueError
    for a layer that does not exist or has no weights, and for a network that cannot be copied.
    """
    check_network(network)
    # Tensors with a graph, which pruning and the learner's own notes leave in modules, have no copy of their own.
    live = {id(values): values.detach().clone() for values in _kept(network) if values.grad_fn is not None}
    try:
        twin = copy.deepcopy(network, live)
    except Exception as error:
        reason = str(error).split(". ")[0]
        raise ValueError(f"the network cannot be copied ({reason}): does it hold a lock or an open file?") from error
    for layer in check_layers(layers):
        owners = module_named(twin, layer).named_modules(prefix=layer)
        held = [
            (f"{name}.{part}", values) for name, own in owners for part, values in own.named_parameters(recurse=False)
        ]
        if not held:
            raise ValueError(f"layer {layer!r} has no weights to shuffle: choose a convolution or its block")
        with torch.no_grad():
            for name, parameter in held:
                parameter.copy_(torch.from_numpy(change(to_numpy(parameter), name)))
    return twin
