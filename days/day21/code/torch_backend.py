"""DeepDream in PyTorch. `keras_backend` has the same functions with the same signatures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from days.common import squeezenet
from days.common.torch_models import batch_maker
from days.day17.code.torch_backend import capture, check_network, live_answers, to_numpy
from days.day20.code import objectives
from days.day20.code.objectives import Objective
from days.day20.code.parameterization import pixel_map
from days.day20.code.torch_backend import gradient_at
from days.day21.code import dreaming


def dream(
    network: nn.Module,
    image: np.ndarray,
    layer: str | Objective,
    *,
    octaves: int = 4,
    octave_scale: float = 1.4,
    steps: int = 20,
    step_size: float = 0.004,
    bands: int = 2,
    jitter: int = 32,
    seed: int = 0,
    tile: int = 640,
    guide: np.ndarray | None = None,
    preprocess: Callable | None = None,
    progress: bool = True,
) -> np.ndarray:
    """Raise what a layer, a channel or a mix of them answers to a photo, by changing the photo.

    Parameters
    ----------
    image : (H, W, 3) in [0, 1], any size from 32 x 32; above `tile` pixels on a side it is taken in tiles.
    layer : a layer's name, all of whose answers are raised; or an objective of Day 20 (layer, channel, direction).
    guide : a second image: each place of the layer is drawn to the guide's feature that it is most like.
    preprocess : the network's own, as of a `Model`; SqueezeNet's unless given.
    octaves, octave_scale, steps, step_size, bands, jitter, seed, tile : see `dreaming.grow`.

    Returns
    -------
    The dream, (H, W, 3) float32 in [0, 1], as large as the image. The network comes back as it was. Equal calls give
    equal pixels on one machine. A network in double precision gave them on every processor and with every number of
    threads that we tried.

    Raises ValueError for an unknown layer, a channel out of range, an image that is none, or settings out of range.
    """
    settings = {"octaves": octaves, "octave_scale": octave_scale, "steps": steps, "step_size": step_size}
    settings |= {"bands": bands, "jitter": jitter, "seed": seed, "tile": tile}
    ask = slope(network, layer, guide=guide, preprocess=preprocess)
    return dreaming.dream(ask, image, progress=progress, **settings)


@torch.inference_mode(False)
def slope(
    network: nn.Module,
    layer: str | Objective,
    *,
    guide: np.ndarray | None = None,
    preprocess: Callable | None = None,
) -> dreaming.Ask:
    """A function from a picture (H, W, 3) to the objective and its gradient (H, W, 3); arguments as of `dream`."""
    check_network(network)
    wanted = dreaming.wanted_objective(layer, guide)
    kind = next(network.parameters(), torch.empty(0))
    preprocess = preprocess or batch_maker(squeezenet.normalize)
    matrix, offset = pixel_map(preprocess, lambda batch: batch.cpu().numpy())
    weight, bias = torch.from_numpy(matrix)[:, :, None, None].to(kind), torch.from_numpy(offset).to(kind)
    if guide is not None:
        seen = dreaming.features_of(capture(network, layer, preprocess(dreaming.guide_image(guide)))[layer])

    def reached(batch):
        answers = live_answers(network, wanted.layers, batch)
        dreaming.check_answers(wanted, {name: tuple(answer.shape) for name, answer in answers.items()})
        return objectives.value(wanted, answers, torch.mean) if guide is None else _likeness(answers[layer], seen)

    @torch.inference_mode(False)
    def ask(picture):
        pixels = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)[None])).to(kind).requires_grad_()
        with torch.enable_grad():
            batch = functional.conv2d(pixels, weight, bias).contiguous(memory_format=torch.channels_last)
            value = reached(batch).sum()
            gradient = gradient_at(value, pixels)
        return float(value.detach()), to_numpy(gradient[0].permute(1, 2, 0))

    return ask


def _likeness(answer: torch.Tensor, guide: np.ndarray) -> torch.Tensor:
    """Mean over all places of the dot product of what is answered there with the guide's most similar feature."""
    chosen = dreaming.best_matches(to_numpy(answer), guide)
    return (answer * torch.from_numpy(chosen).to(answer.device)).sum(1).mean()
