"""Activation maximization in PyTorch: pictures that excite what an objective names."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm.auto import tqdm

from days.common import squeezenet
from days.common.torch_models import batch_maker
from days.day17.code.torch_backend import evaluation_mode, live_answers
from days.day20.code import objectives
from days.day20.code.objectives import Objective, requested
from days.day20.code.parameterization import STANDARD, color_basis, draw_transform, pixel_map, spectrum_scale, start


def maximize(
    network: nn.Module,
    layer: str | Objective | Sequence[Objective],
    channels: int | Sequence[int] | None = None,
    *,
    size: int = 128,
    steps: int = 256,
    seed: int = 0,
    parameterization: str = "fourier",
    decorrelated: bool = True,
    transforms: Sequence = STANDARD,
    before_relu: bool = True,
    learning_rate: float = 0.05,
    preprocess: Callable | None = None,
    progress: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Grow one picture for each channel, or for each objective, all in one batch, by Adam's ascent.

    Parameters
    ----------
    layer, channels : a layer's name and the channels wanted; or one or several objectives, and no channels.
    parameterization : "fourier" or "pixel"; decorrelated : colors along `color_basis`.
    transforms : how the picture is shaken before every look, from `seed`; () for not at all.
    before_relu : ask a channel of a fire module of SqueezeNet before its ReLU, where it cannot start dead.
    preprocess : the network's own, as of a `Model`; SqueezeNet's unless given.

    Returns
    -------
    images (n, size, size, 3) in [0, 1], and the objective's value at every step, (steps, n). A step that is not finite
    ends the ascent with a warning: fewer values then, and the last good picture.

    Raises ValueError for an unknown layer, a channel out of range, or anything else that cannot be maximized.
    """
    wanted = requested(layer, channels, before_relu)
    device = next(network.parameters()).device
    values = torch.from_numpy(start(len(wanted), size, seed=seed, parameterization=parameterization)).to(device)
    draw = _painter(size, parameterization, decorrelated, device)
    to_input = _input_maker(preprocess or batch_maker(squeezenet.normalize), device)
    generator = np.random.default_rng(seed)

    def look(values: torch.Tensor) -> torch.Tensor:
        pictures = _shaken(draw(values), draw_transform(transforms, generator, size))
        return _reached(network, to_input(pictures), wanted)

    with evaluation_mode(network):
        values, history = _climb(values, look, steps, learning_rate, progress)
    with torch.no_grad():
        images = draw(values).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return images, np.array(history, np.float32).reshape(-1, len(wanted))


def _climb(values: torch.Tensor, look: Callable, steps: int, learning_rate: float, progress: bool):
    """Adam's ascent: the last values whose objective was finite, and all objectives (steps, n)."""
    values = values.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([values], learning_rate)
    good, history = values.detach().clone(), []
    with torch.enable_grad(), tqdm(total=steps, desc="ascent", unit="step", disable=not progress) as bar:
        for step in range(steps):
            reached = look(values)
            # Asked for the picture alone, autograd computes no gradient of any weight.
            (gradient,) = torch.autograd.grad(-reached.sum(), [values])
            if not (torch.isfinite(reached).all() and torch.isfinite(gradient).all()):
                warnings.warn(
                    f"step {step} was not finite: the picture is the one before it", RuntimeWarning, stacklevel=3
                )
                return good, history
            good.copy_(values.detach())
            values.grad = gradient
            optimizer.step()
            history.append(reached.detach().cpu().numpy())
            bar.update()
            bar.set_postfix(objective=f"{history[-1].mean():.1f}")
    return values.detach(), history


def _painter(size: int, parameterization: str, decorrelated: bool, device) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function from what is grown to pictures (n, 3, size, size) in [0, 1]."""
    scale = torch.from_numpy(spectrum_scale(size)).to(device)
    basis = torch.from_numpy(color_basis()).to(device)

    def draw(values):
        if parameterization == "fourier":
            values = torch.fft.irfft2(torch.view_as_complex(values) * scale, s=(size, size)) / 4
        if decorrelated:
            values = torch.einsum("dc,nchw->ndhw", basis, values)
        return torch.sigmoid(values)

    return draw


def _input_maker(preprocess: Callable, device) -> Callable[[torch.Tensor], torch.Tensor]:
    """`preprocess` for a batch of pictures, differentiable: one 1x1 convolution, laid out as the network is fastest."""
    matrix, offset = pixel_map(preprocess, lambda batch: batch.cpu().numpy())
    weight, bias = torch.from_numpy(matrix)[:, :, None, None].to(device), torch.from_numpy(offset).to(device)
    return lambda pictures: functional.conv2d(pictures, weight, bias).contiguous(memory_format=torch.channels_last)


def _shaken(pictures: torch.Tensor, matrix: np.ndarray) -> torch.Tensor:
    """Pictures moved, turned and scaled by one matrix (2, 3), reflected beyond their border."""
    if np.array_equal(matrix, np.eye(3)[:2]):
        return pictures
    matrices = torch.from_numpy(matrix).to(pictures.device)[None].expand(len(pictures), 2, 3)
    grid = functional.affine_grid(matrices, list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def _reached(network: nn.Module, batch: torch.Tensor, wanted: Sequence[Objective]) -> torch.Tensor:
    """Each picture's own objective, (n,); no layer runs that is deeper than the deepest one wanted."""
    layers = objectives.layers_of(wanted)
    answers = live_answers(network, layers, batch)
    objectives.check_terms(wanted, {name: tuple(answers[name].shape) if name in answers else None for name in layers})
    return torch.cat(objectives.values(wanted, answers, torch.mean))
