"""Day 20's task: a learner's own rung of the ladder, grown from raw pixels, and how it is graded. In PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from days.common.checks import is_number
from days.common.comparison import brief
from days.common.models import Model, load_model
from days.common.tasks import Point
from days.day20.code import evidence
from days.day20.code.objectives import requested
from days.day20.code.parameterization import start

CHANNELS, SIZE, STEPS, LEARNING_RATE = (16, 32), 64, 96, 0.05
"""Two channels of fire7, and how their pictures are grown."""
DRAWS, WIDEST_CLAIM, LEAST_KEPT = 40, 0.1, 0.8
"""How many looks are examined, how far a claim may be off, and how much a move by one pixel may leave."""

Look = Callable[..., Any]


@cache
def network() -> Model:
    """SqueezeNet, loaded once."""
    return load_model("squeezenet")


def grown(look: Look, seed: int = 0) -> np.ndarray:
    """Pictures (2, 64, 64, 3) grown from raw pixels, of which the network sees only `look(pictures, generator)`.

    look : pictures (2, 3, 64, 64), a tensor that gradients go through, and a NumPy generator -> such a tensor.
    seed : of the noise at the start, and of the generator.
    """
    import torch

    from days.day17.code.backends import run_to

    model, generator = network(), np.random.default_rng(seed)
    matrix, offset = (torch.tensor(part, dtype=torch.float32) for part in _pixels(model))
    values = torch.tensor(start(2, SIZE, seed=seed, parameterization="pixel"), requires_grad=True)
    optimizer = torch.optim.Adam([values], lr=LEARNING_RATE)
    for _ in range(STEPS):
        seen = look(torch.sigmoid(values), generator)
        batch = torch.einsum("dc,nchw->ndhw", matrix, seen) + offset[:, None, None]
        maps = run_to(model.network, "fire7.expand1x1", batch)
        (values.grad,) = torch.autograd.grad(-maps[range(2), CHANNELS].mean(dim=(1, 2)).sum(), [values])
        optimizer.step()
    return torch.sigmoid(values).detach().permute(0, 2, 3, 1).numpy()


def score(pictures: np.ndarray) -> dict[str, float]:
    """The mean objective of the two pictures, and the shares of it that stay when moved by one pixel, and mirrored."""
    wanted = requested("fire7", list(CHANNELS), before_relu=True)
    plain, moved, mirrored = evidence.robustness(network(), wanted, list(pictures)).mean(axis=0)
    return {"objective": float(plain), "moved": float(moved / plain), "mirrored": float(mirrored / plain)}


def rubric(report: Any) -> list[Point]:
    """Whether a look moves and turns pictures, and whether what is grown with it keeps what the report claims.

    report : {"look": function, "moved": share, "mirrored": share}. Pictures are grown anew from other noise.
    """
    if not isinstance(report, dict) or set(report) != {"look", "moved", "mirrored"} or not callable(report["look"]):
        raise TypeError(f'expected {{"look": a function, "moved": a share, "mirrored": a share}}, got {brief(report)}')
    claims = {name: report[name] for name in ("moved", "mirrored")}
    if not all(is_number(claim) for claim in claims.values()):
        raise TypeError(f"expected two finite numbers as shares, got {brief(claims)}")
    moves, turns = _moves_and_turns(report["look"])
    measured = score(grown(report["look"], seed=7))
    points = [
        Point(moves.min() >= 2, f"looks are moved by {moves[0]:.1f} pixels down and {moves[1]:.1f} across, typically"),
        Point(turns >= 2, f"they are turned by {turns:.1f} degrees, typically"),
    ]
    for name, claim in claims.items():
        said = f"{name}: you claim {claim:.0%}, pictures from other noise keep {measured[name]:.0%}"
        points.append(Point(abs(claim - measured[name]) <= WIDEST_CLAIM, said))
    kept = f"moved by one pixel they keep {measured['moved']:.0%}, of an objective of {measured['objective']:.0f}"
    return [*points, Point(measured["moved"] >= LEAST_KEPT and measured["objective"] > 100, kept)]


def _pixels(model: Model) -> tuple[np.ndarray, np.ndarray]:
    preprocess: Any = model.preprocess
    return preprocess.pixels.matrix, preprocess.pixels.offset


def _moves_and_turns(look: Look) -> tuple[np.ndarray, float]:
    """The standard deviations of where a bar in the middle lies, in pixels (2,), and of its angle in degrees."""
    import torch

    bar = np.exp(-(((np.indices((SIZE, SIZE)) - SIZE / 2 + 0.5) / np.array([[[3]], [[9]]])) ** 2).sum(axis=0) / 2)
    pictures = torch.tensor(np.broadcast_to(bar, (1, 3, SIZE, SIZE)).copy(), dtype=torch.float32)
    generator, middles, angles = np.random.default_rng(1), [], []
    for _ in range(DRAWS):
        seen = look(pictures, generator)
        if tuple(seen.shape) != tuple(pictures.shape):
            raise ValueError(f"expected a look of the pictures' shape {tuple(pictures.shape)}, got {tuple(seen.shape)}")
        weights = np.asarray(seen.detach()[0, 0], np.float64)
        weights = weights / weights.sum()
        places = np.indices(weights.shape)
        middle = (places * weights).sum(axis=(1, 2))
        down, across = places - middle[:, None, None]
        spread = (down * across * weights).sum(), ((across**2 - down**2) * weights).sum()
        middles.append(middle)
        angles.append(np.degrees(np.arctan2(2 * spread[0], spread[1]) / 2))
    return np.std(middles, axis=0), float(np.std(angles))
