"""What to change in the pixels, asked of a PyTorch network. `keras_backend` answers the same by the same names."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from days.common.checks import check_index, check_maps
from days.day17.code.torch_backend import check_batch, evaluation_mode, run_to


def value_and_gradient(
    network: nn.Module, layer: str, pixels: np.ndarray, channel: int | None = None
) -> tuple[float, np.ndarray]:
    """How strongly a layer answers to `pixels`, and how that changes with every pixel.

    Parameters
    ----------
    pixels : (N, 3, H, W) as the network wants them, preprocessed, channels first.
    channel : the objective is this channel's mean; None takes the whole layer, half the mean of its squares.

    Returns
    -------
    the objective, and its gradient with respect to the pixels, (N, 3, H, W). The weights get no gradient, and the
    network comes back as it was.

    Raises ValueError for an unknown layer or a channel out of range.
    """
    batch = check_batch(network, torch.from_numpy(np.ascontiguousarray(pixels))).requires_grad_(True)
    with torch.enable_grad():
        value = _objective(run_to(network, layer, batch), layer, channel)
        (gradient,) = torch.autograd.grad(value, batch)
    return value.item(), gradient.cpu().numpy()


def maps_and_gradients(
    network: nn.Module, layer: str, pixels: np.ndarray, category: int
) -> tuple[np.ndarray, np.ndarray]:
    """A layer's maps, and how a category's logit changes with every unit of them: two arrays (N, C, H, W).

    What follows the layer is run on the maps alone, so that they, not the pixels, are what is differentiated.

    Raises ValueError for a network that is no `torch.nn.Sequential`, a layer that is none of its own blocks or has no
    maps, and a category out of range.
    """
    if not isinstance(network, nn.Sequential):
        raise ValueError(f"expected a torch.nn.Sequential, such as SqueezeNet here, got {type(network).__name__}")
    names = [name for name, _ in network.named_children()]
    if layer not in names:
        raise ValueError(f"expected one of the network's own blocks, got {layer!r}: {', '.join(names)}")
    batch = check_batch(network, torch.from_numpy(np.ascontiguousarray(pixels)))
    with evaluation_mode(network), torch.enable_grad():
        maps = run_to(network, layer, batch).detach().clone().requires_grad_(True)
        check_maps(layer, maps.detach().cpu().numpy())
        # A copy goes on, because an in-place layer may come next.
        logits = network[names.index(layer) + 1 :](maps.clone())
        logit = logits[:, check_index(category, logits.shape[1], "a category")].sum()
        (gradient,) = torch.autograd.grad(logit, maps)
    return maps.detach().cpu().numpy(), gradient.cpu().numpy()


def _objective(answer: torch.Tensor, layer: str, channel: int | None) -> torch.Tensor:
    if channel is None:
        return (answer**2).mean() / 2
    return answer[:, check_index(channel, answer.shape[1], f"a channel of {layer!r}")].mean()
