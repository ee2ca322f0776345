"""What to change in the pixels, asked of a PyTorch network. `keras_backend` answers the same by the same names."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from days.day17.code.torch_backend import run_to


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
    weight = next(network.parameters())
    batch = torch.tensor(pixels, dtype=weight.dtype, device=weight.device, requires_grad=True)
    value = _objective(run_to(network, layer, batch), layer, channel)
    (gradient,) = torch.autograd.grad(value, batch)
    return value.item(), gradient.cpu().numpy()


def maps_and_gradients(
    network: nn.Module, layer: str, pixels: np.ndarray, category: int
) -> tuple[np.ndarray, np.ndarray]:
    """A layer's maps, and how a category's logit changes with every unit of them: two arrays (N, C, H, W).

    What follows the layer is run on the maps alone, so that they, not the pixels, are what is differentiated.
    """
    names = [name for name, _ in network.named_children()]
    if layer not in names:
        raise ValueError(f"expected one of the network's own blocks, got {layer!r}: {', '.join(names)}")
    weight = next(network.parameters())
    batch = torch.tensor(pixels, dtype=weight.dtype, device=weight.device)
    with torch.no_grad():
        maps = run_to(network, layer, batch).clone()
    maps.requires_grad_(True)
    # A copy goes on, because an in-place layer may come next.
    logit = network[names.index(layer) + 1 :](maps.clone())[:, category].sum()
    (gradient,) = torch.autograd.grad(logit, maps)
    return maps.detach().cpu().numpy(), gradient.cpu().numpy()


def _objective(answer: torch.Tensor, layer: str, channel: int | None) -> torch.Tensor:
    if channel is None:
        return (answer**2).mean() / 2
    if not 0 <= channel < answer.shape[1]:
        raise ValueError(f"expected a channel of {layer!r} from 0 to {answer.shape[1] - 1}, got {channel}")
    return answer[:, channel].mean()
