"""Activation maximization in PyTorch: pictures that excite what an objective names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from days.common import squeezenet
from days.common.torch_models import batch_maker
from days.day17.code.torch_backend import check_batch, check_network, live_answers, to_numpy
from days.day20.code import objectives
from days.day20.code.ascent import climb
from days.day20.code.objectives import Objective, requested
from days.day20.code.parameterization import (
    STANDARD,
    check_knobs,
    color_basis,
    draw_transform,
    padded,
    pixel_map,
    spectrum_scale,
    start,
)


def maximize(
    network: nn.Module,
    layer: str | Objective | Sequence[Objective],
    channels: int | Sequence[int] | None = None,
    *,
    size: int = 128,
    steps: int = 256,
    seed: int = 0,
    progress: bool = True,
    **knobs,
) -> tuple[np.ndarray, np.ndarray]:
    """Grow one picture for each channel, or for each objective, all in one batch, by Adam's ascent.

    For the parameters and for all other knobs see `Ascent`. Returns images (n, size, size, 3) in [0, 1], and the
    objective's value at every step, (steps, n). A step that is not finite ends the ascent with a warning: fewer values
    then, and the last good picture. Raises ValueError for an unknown layer, a channel out of range, or anything else
    that cannot be maximized.
    """
    return climb(Ascent(network, layer, channels, size=size, seed=seed, **knobs), steps, progress=progress)


class Ascent:
    """Pictures that grow with every `step()`. The network is never changed: its weights get no gradients.

    Parameters
    ----------
    layer, channels : a layer's name and the channels wanted; or one or several objectives, and no channels.
    size, seed : of the square pictures, in pixels; of the noise that they start from, and of the transforms.
    parameterization : "fourier", "pixel", or "sphere": pictures of one contrast, whose difference from mid-gray is, as
        a vector, half as long as 1. decorrelated : colors along `color_basis`.
    transforms : how the picture is shaken before every look; () for not at all.
    diversity : how much of the objective may be given up so that the pictures differ, as a share of it; see `likeness`.
    before_relu : ask a channel of a fire module of SqueezeNet before its ReLU, where it cannot start dead.
    preprocess : the network's own, as of a `Model`; SqueezeNet's unless given.
    """

    @torch.inference_mode(False)
    def __init__(
        self,
        network: nn.Module,
        layer: str | Objective | Sequence[Objective],
        channels: int | Sequence[int] | None = None,
        *,
        size: int = 128,
        seed: int = 0,
        parameterization: str = "fourier",
        decorrelated: bool = True,
        transforms: Sequence = STANDARD,
        diversity: float = 0.0,
        before_relu: bool = True,
        learning_rate: float = 0.05,
        preprocess: Callable | None = None,
    ):
        check_network(network)
        size, seed, self._transforms = check_knobs(size, seed, transforms, diversity, learning_rate)
        self.network, self.wanted = network, requested(layer, channels, before_relu)
        kind = next(network.parameters(), torch.empty(0))
        device = kind.device
        values = torch.from_numpy(start(len(self.wanted), size, seed=seed, parameterization=parameterization))
        self.values = values.to(device).requires_grad_(True)
        self._before = self.values.detach().clone()
        self._draw = _painter(size, parameterization, decorrelated, device)
        self._to_input = _input_maker(preprocess or batch_maker(squeezenet.normalize), kind)
        self._optimizer = torch.optim.Adam([self.values], learning_rate, fused=True)
        self._generator, self._size = np.random.default_rng(seed), size
        self._diversity = diversity

    @torch.inference_mode(False)
    def step(self) -> np.ndarray | None:
        """Go one step up: the objectives (n,) before it; None, and one step back, where something is not finite."""
        with torch.enable_grad():
            reached, loss = self._look()
            gradient = gradient_at(loss, self.values)
        if not torch.isfinite(reached.sum() + gradient.sum()):
            with torch.no_grad():
                self.values.copy_(self._before)
            return None
        self._before.copy_(self.values.detach())
        self.values.grad = gradient
        self._optimizer.step()
        return to_numpy(reached)

    def images(self) -> np.ndarray:
        """The pictures as they stand, (n, size, size, 3) in [0, 1]."""
        with torch.no_grad():
            return self._draw(self.values).permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def _look(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Each picture's own objective, (n,), and the loss; no layer runs that is deeper than the deepest wanted."""
        pictures = self._draw(self.values)
        if self._transforms:
            matrix = draw_transform(self._transforms, self._generator, self._size)
            pictures = _shaken(pictures, matrix, padded(self._transforms, self._size))
        layers = objectives.layers_of(self.wanted)
        answers = live_answers(self.network, layers, self._to_input(pictures))
        shapes = {name: tuple(answer.shape) for name, answer in answers.items()}
        objectives.check_terms(self.wanted, shapes, self._diversity)
        reached = torch.cat(objectives.values(self.wanted, answers, torch.mean, torch.chunk))
        loss = -reached.sum()
        if self._diversity:
            given_up = self._diversity * reached.detach().abs().sum()
            loss = loss + given_up * objectives.likeness(answers[layers[0]], torch.einsum)
        return reached, loss


def _painter(size: int, parameterization: str, decorrelated: bool, device) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function from what is grown to pictures (n, 3, size, size) in [0, 1]."""
    scale = torch.from_numpy(spectrum_scale(size)).to(device)
    basis = torch.from_numpy(color_basis()).to(device)

    def draw(values):
        if parameterization == "fourier":
            values = torch.fft.irfft2(torch.view_as_complex(values) * scale, s=(size, size)) / 4
        if decorrelated:
            values = torch.einsum("dc,nchw->ndhw", basis, values)
        if parameterization == "sphere":
            return 0.5 + values / (2 * torch.linalg.vector_norm(values, dim=(1, 2, 3), keepdim=True))
        return torch.sigmoid(values)

    return draw


def _input_maker(preprocess: Callable, kind: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """`preprocess` for a batch of pictures, differentiable: one 1x1 convolution, laid out as the network is fastest.

    kind : one of the network's weights, whose device and type the batch gets.
    """
    matrix, offset = pixel_map(preprocess, to_numpy)
    weight, bias = torch.from_numpy(matrix)[:, :, None, None].to(kind), torch.from_numpy(offset).to(kind)
    return lambda pictures: functional.conv2d(pictures.to(kind), weight, bias).contiguous(
        memory_format=torch.channels_last
    )


def _shaken(pictures: torch.Tensor, matrix: np.ndarray, wide: int) -> torch.Tensor:
    """Pictures moved, turned and scaled by one matrix (2, 3), wide x wide, reflected beyond their border."""
    matrices = torch.from_numpy(matrix).to(pictures.device)[None].expand(len(pictures), 2, 3)
    grid = functional.affine_grid(matrices, [*pictures.shape[:2], wide, wide], align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


@torch.inference_mode(False)
def input_gradient(network: nn.Module, wanted: Objective, batch: torch.Tensor) -> np.ndarray:
    """The gradient of an objective for every number of a batch (N, 3, H, W), of the same shape."""
    batch = check_batch(network, batch).requires_grad_(True)
    with torch.enable_grad():
        answers = live_answers(network, wanted.layers, batch)
        objectives.check_terms([wanted], {name: tuple(answer.shape) for name, answer in answers.items()})
        return to_numpy(gradient_at(objectives.value(wanted, answers, torch.mean).sum(), batch))


def gradient_at(value: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """How `value` changes with `pixels`. Raises ValueError where nothing leads from one to the other."""
    found = None
    if value.requires_grad:
        # Asked for the pixels alone, autograd computes no gradient of any weight.
        (found,) = torch.autograd.grad(value, [pixels], allow_unused=True)
    if found is None:
        raise ValueError(
            "expected an objective that hangs on the picture, got one without a gradient: "
            "does the network's forward switch gradients off?"
        )
    return found
