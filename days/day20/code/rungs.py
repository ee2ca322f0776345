"""Day 20's task: a learner's own rung of the ladder, grown from raw pixels, and how it is graded. In PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from days.common.models import Model, load_model
from days.common.tasks import Point, ReportError, asked, fields
from days.day20.code import evidence
from days.day20.code.objectives import requested
from days.day20.code.parameterization import start

CHANNELS, SIZE, STEPS, LEARNING_RATE = (16, 32), 64, 96, 0.05
"""Two channels of fire7, and how their pictures are grown."""
DRAWS, STARTS, WIDEST_CLAIM = 40, (7, 8, 9), 0.15
"""How many looks are examined, from which noise pictures are grown, and how far from theirs a claim may be."""
LEAST_MOVE, LEAST_KEPT, LEAST_OBJECTIVE = 2, 0.8, 100
"""What is wanted: pixels and degrees, the share of the objective that a move by one pixel leaves, and the objective."""

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
        seen = _seen(look, torch.sigmoid(values), generator)
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
    look, *claims = fields(report, look=Callable, moved=float, mirrored=float)
    (down, across), turns = _moves_and_turns(look)
    measured = [score(grown(look, seed)) for seed in STARTS]
    moved = f"looks are moved by {down:.1f} pixels down and {across:.1f} across"
    points = [
        Point(min(down, across) >= LEAST_MOVE, f"{moved} (standard deviations, {LEAST_MOVE} or more)"),
        Point(
            turns >= LEAST_MOVE, f"they are turned by {turns:.1f} degrees (standard deviation, {LEAST_MOVE} or more)"
        ),
    ]
    for name, claim in zip(("moved", "mirrored"), claims, strict=True):
        low, *_, high = sorted(one[name] for one in measured)
        said = f"{name}: you claim {claim:.0%}, pictures from {len(STARTS)} other starts keep {low:.0%} to {high:.0%}"
        points.append(Point(low - WIDEST_CLAIM <= claim <= high + WIDEST_CLAIM, said))
    kept, objective = (float(np.mean([one[name] for one in measured])) for name in ("moved", "objective"))
    said = f"moved by one pixel they keep {kept:.0%} ({LEAST_KEPT:.0%} or more), of an objective of {objective:.0f}"
    met = kept >= LEAST_KEPT and objective > LEAST_OBJECTIVE
    return [*points, Point(met, f"{said} (over {LEAST_OBJECTIVE})")]


def _pixels(model: Model) -> tuple[np.ndarray, np.ndarray]:
    preprocess: Any = model.preprocess
    return preprocess.pixels.matrix, preprocess.pixels.offset


def _seen(look: Look, pictures, generator: np.random.Generator):
    """What a look makes of pictures, or ReportError where no picture could be grown with it."""
    import torch

    before = pictures.detach().clone()
    seen = asked("look", look, pictures, generator)
    wanted = f"expected a look that returns a tensor of the pictures' shape {tuple(pictures.shape)}"
    if not isinstance(seen, torch.Tensor):
        raise ReportError(f"{wanted}, got {type(seen).__name__}: gradients go through operations of torch alone")
    if seen.shape != pictures.shape:
        raise ReportError(f"{wanted}, got {tuple(seen.shape)}")
    if not seen.isfinite().all():
        raise ReportError(f"{wanted} and finite values, got NaN or infinity")
    if not torch.equal(before, pictures.detach()):
        raise ReportError("expected a look that leaves its pictures alone, got them changed: work on a copy")
    if not seen.requires_grad:
        raise ReportError(f"{wanted} and gradients to the pictures, got one without: leave out detach() and no_grad()")
    return seen


def _moves_and_turns(look: Look) -> tuple[np.ndarray, float]:
    """How far looks differ: standard deviations of their moves in pixels, down and across (2,), and turns in degrees.

    Two pictures are looked at that noise or a patch hardly change: rings, which look alike however they are turned and
    show the move; and stripes, which look alike however they are moved and show the turn.
    """
    import torch

    down, across = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    far = np.hypot(down, across)
    rings, stripes = np.cos(far * 2 * np.pi / 16) * np.exp(-(far**2) / 200), np.cos(down * 2 * np.pi / 8)
    shown = np.repeat(np.stack([rings, stripes])[:, None] / 2 + 0.5, 3, axis=1)
    pictures = torch.tensor(shown, dtype=torch.float32, requires_grad=True)
    generator, moves, turns = np.random.default_rng(1), [], []
    for _ in range(DRAWS):
        seen = np.asarray(_seen(look, pictures * 1, generator).detach(), np.float64)
        moves.append(_move(seen[0], rings))
        turns.append(_turn(seen[1]))
    circle = abs(np.mean(np.exp(2j * np.array(turns))))  # stripes turned by 180 degrees are as before
    return np.std(moves, axis=0), float(np.degrees(np.sqrt(2 * -np.log(np.clip(circle, 1e-3, 1)) + 0.0) / 2))


def _move(picture: np.ndarray, rings: np.ndarray) -> np.ndarray:
    """Where in a picture (3, h, w) the rings lie: the move (2,) after which the two resemble each other most."""
    spectra = np.fft.fft2(picture - picture.mean(axis=(1, 2), keepdims=True)) * np.conj(np.fft.fft2(rings))
    alike = (np.fft.ifft2(spectra).real ** 2).sum(axis=0)
    place = np.array(np.unravel_index(alike.argmax(), alike.shape))
    return (place + SIZE // 2) % SIZE - SIZE // 2


def _turn(picture: np.ndarray) -> float:
    """The angle, in radians, at which a picture (3, h, w) changes most."""
    down, across = np.gradient(picture, axis=(1, 2))
    return float(np.arctan2(2 * (down * across).sum(), (down**2 - across**2).sum()) / 2)
