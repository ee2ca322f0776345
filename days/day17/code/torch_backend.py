"""Looking into a PyTorch network: which layers, what they answer, what their filters are.

`keras_backend` has the same three functions with the same signatures and the same array layout.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import fx, nn

from days.day17.code.layers import check_layers, check_maps, unknown_layer


def conv_layers(network: nn.Module) -> list[str]:
    """Names of the convolutions in forward order, nested ones by their path ("fire2.squeeze").

    Layers are told by their type, never by their name. The order is read off a symbolic trace of `forward`; a network
    that cannot be traced gives the order in which its layers were registered.

    >>> conv_layers(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()))
    ['0']
    """
    convolutions = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    try:
        called = [str(node.target) for node in _LayerTracer().trace(network).nodes if node.op == "call_module"]
    except Exception:
        # Tracing runs the learner's own forward on stand-ins for tensors, so anything may be raised.
        return convolutions
    return [name for name in dict.fromkeys(called) if name in convolutions]


def capture(network: nn.Module, layers: str | Sequence[str], batch: torch.Tensor) -> dict[str, np.ndarray]:
    """What `layers` answer to a batch: {layer: activations (N, C, H, W)}, in the order asked for.

    The network runs in evaluation mode, without gradients, and no further than the deepest layer asked for. It comes
    back as it was: same mode, no hook left. The arrays are copies: nothing that runs later can change them. A layer
    that runs several times in one pass gives its first answer.

    Parameters
    ----------
    layers : names as `network.named_modules()` gives them.
    batch : (N, C, H, W) tensor, as `model.preprocess` makes it; moved to the network's device.

    Raises
    ------
    ValueError : a layer that does not exist (the nearest names are listed), has no maps or never ran; a batch of
        another shape or with NaN.
    """
    layers = check_layers(layers)
    batch = _check_batch(network, batch)
    modules = {name: _module(network, name) for name in layers}
    found: dict[str, torch.Tensor] = {}

    def keep(name):
        def hook(module, inputs, output):
            deepest = len(found.keys() | {name}) == len(layers)
            if name not in found and isinstance(output, torch.Tensor):
                # Without a copy an in-place ReLU that runs next would overwrite what was seen. Behind the deepest
                # layer nothing runs, so its fresh output needs none.
                fresh = deepest and output._base is None and output.data_ptr() != batch.data_ptr()
                found[name] = output.detach() if fresh else output.detach().clone()
            if deepest:
                raise _AllSeen

        return hook

    hooks = [(module, keep(name)) for name, module in modules.items()]
    with _evaluation_mode(network), _hooks(hooks), torch.no_grad(), contextlib.suppress(_AllSeen):
        network(batch)
    return {name: check_maps(name, found[name].cpu().numpy() if name in found else None) for name in layers}


def filters(network: nn.Module, layer: str) -> np.ndarray:
    """A copy of a convolution's filters, (out, in, kh, kw). Grouped convolutions have in = their group's width.

    Raises ValueError for a name that is no convolution; the nearest ones are listed.
    """
    module = dict(network.named_modules()).get(layer)
    if not isinstance(module, nn.Conv2d):
        raise unknown_layer(layer, conv_layers(network), kind="convolution")
    return module.weight.detach().cpu().numpy().copy()


class _AllSeen(Exception):
    """Leaves `forward` once the deepest layer has answered."""


class _LayerTracer(fx.Tracer):
    def is_leaf_module(self, module, name):
        return isinstance(module, nn.Conv2d) or super().is_leaf_module(module, name)


@contextlib.contextmanager
def _hooks(hooks: list[tuple[nn.Module, Callable]]) -> Iterator[None]:
    handles = []
    try:
        for module, hook in hooks:
            handles.append(module.register_forward_hook(hook))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def _evaluation_mode(network: nn.Module) -> Iterator[None]:
    training = [module for module in network.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _module(network: nn.Module, name: str) -> nn.Module:
    try:
        return network.get_submodule(name or "no name")
    except AttributeError:
        raise unknown_layer(name, [known for known, _ in network.named_modules() if known]) from None


def _check_batch(network: nn.Module, batch) -> torch.Tensor:
    if not isinstance(batch, torch.Tensor):
        raise ValueError(f"expected a torch tensor, got {type(batch).__name__}: model.preprocess(image) makes one")
    first = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    channels = first.in_channels if first else batch.shape[1] if batch.ndim == 4 else "C"
    if batch.ndim != 4 or batch.shape[1] != channels:
        way_out = "model.preprocess(image) makes one"
        if batch.ndim == 3:
            way_out = "add the batch axis with batch[None]"
        elif batch.ndim == 4 and batch.shape[3] == channels:
            way_out = "channels go first in PyTorch, so batch.permute(0, 3, 1, 2)"
        raise ValueError(f"expected a (N, {channels}, H, W) batch, got {tuple(batch.shape)}: {way_out}")
    if not torch.isfinite(batch.sum()):
        raise ValueError("expected finite values in the batch, got NaN or infinity: look at the image and its scaling")
    weight = next(network.parameters(), batch)
    return batch.to(device=weight.device, dtype=weight.dtype)
