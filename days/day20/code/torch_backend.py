"""What grows, in PyTorch: pictures, and one step of Adam. `keras_backend` does the same by the same names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from days.day17.code.torch_backend import check_network, input_like, live_answers, takes_any_layout, to_numpy
from days.day19.code.torch_backend import gradient_at, no_gradient
from days.day20.code import objectives
from days.day20.code.ascent import Ascent, input_gradient, maximize
from days.day20.code.objectives import Objective
from days.day20.code.parameterization import Painting, color_basis, spectrum_scale

__all__ = ["Ascent", "Painter", "input_gradient", "maximize"]


class Painter:
    """The numbers that pictures are written in, which Adam moves: one `step` up at a time.

    wanted : an objective for each picture. first : the numbers to start from, as `parameterization.start` draws them.
    painting : how they become pictures, and pictures a batch.
    """

    @torch.inference_mode(False)
    def __init__(self, network: nn.Module, wanted: Sequence[Objective], first: np.ndarray, painting: Painting):
        check_network(network)
        weight = input_like(network, torch.empty(0))
        self._network, self._wanted, self._diversity = network, wanted, painting.diversity
        self._values = torch.from_numpy(first).to(weight.device).requires_grad_(True)
        self._before = self._values.detach().clone()
        self._draw = _drawer(painting, weight.device)
        self._to_input = _input_maker(painting, weight, channels_last=takes_any_layout(network))
        self._optimizer = torch.optim.Adam([self._values], painting.learning_rate, fused=True)

    @torch.inference_mode(False)
    def step(self, matrix: np.ndarray | None, wide: int) -> np.ndarray | None:
        """Go one step up: the objectives (n,) before it; None, and one step back, where something is not finite.

        matrix : how the pictures are shaken before the look, (2, 3), or not at all. wide : how many pixels are seen.
        """

        def look():
            pictures = self._draw(self._values)
            return self._look(pictures if matrix is None else _shaken(pictures, matrix, wide))

        with torch.enable_grad():
            reached, loss = look()
            gradient = gradient_at(loss, self._values)
            if gradient is None:
                raise no_gradient(look, self._values)
        if not torch.isfinite(reached.sum() + gradient.sum()):
            with torch.no_grad():
                self._values.copy_(self._before)
            return None
        self._before.copy_(self._values.detach())
        self._values.grad = gradient
        self._optimizer.step()
        return to_numpy(reached)

    def images(self) -> np.ndarray:
        """The pictures as they stand, (n, size, size, 3) in [0, 1]."""
        with torch.no_grad():
            return self._draw(self._values).permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def _look(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Each picture's own objective, (n,), and the loss; no layer runs that is deeper than the deepest wanted."""
        layers = objectives.layers_of(self._wanted)
        answers = live_answers(self._network, layers, self._to_input(pictures))
        shapes = {name: tuple(answer.shape) for name, answer in answers.items()}
        objectives.check_terms(self._wanted, shapes, self._diversity)
        reached = torch.cat(objectives.values(self._wanted, answers, torch.mean, torch.chunk))
        loss = -reached.sum()
        if self._diversity:
            given_up = self._diversity * reached.detach().abs().sum()
            loss = loss + given_up * objectives.likeness(answers[layers[0]], torch.einsum)
        return reached, loss


def _drawer(painting: Painting, device) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function from what is grown to pictures (n, 3, size, size) in [0, 1]."""
    size = painting.size
    scale = torch.from_numpy(spectrum_scale(size)).to(device)
    basis = torch.from_numpy(color_basis()).to(device)

    def draw(values):
        if painting.parameterization == "fourier":
            values = torch.fft.irfft2(torch.view_as_complex(values) * scale, s=(size, size)) / 4
        if painting.decorrelated:
            values = torch.einsum("dc,nchw->ndhw", basis, values)
        if painting.parameterization == "sphere":
            return 0.5 + values / (2 * torch.linalg.vector_norm(values, dim=(1, 2, 3), keepdim=True))
        return torch.sigmoid(values)

    return draw


def _input_maker(
    painting: Painting, like: torch.Tensor, *, channels_last: bool
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The preprocessing of a batch of pictures, differentiable: one 1x1 convolution.

    like : one of the network's weights, whose device and type the batch gets. channels_last : the layout in memory in
    which most networks are fastest, and which not every learner's takes.
    """
    matrix, offset = np.float32(painting.pixels.matrix), np.float32(painting.pixels.offset)
    weight, bias = torch.tensor(matrix)[:, :, None, None].to(like), torch.tensor(offset).to(like)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return lambda pictures: functional.conv2d(pictures.to(like), weight, bias).contiguous(memory_format=layout)


def _shaken(pictures: torch.Tensor, matrix: np.ndarray, wide: int) -> torch.Tensor:
    """Pictures moved, turned and scaled by one matrix (2, 3), wide x wide, reflected beyond their border."""
    matrices = torch.from_numpy(matrix).to(pictures.device)[None].expand(len(pictures), 2, 3)
    grid = functional.affine_grid(matrices, [*pictures.shape[:2], wide, wide], align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
