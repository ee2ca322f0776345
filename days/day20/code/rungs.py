"""Day 20's task: a learner's own rung of the ladder, grown from raw pixels, and how it is graded. In PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

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

MOST_SHEAR, MOST_TOGETHER = 0.6, 0.9
"""How far pictures may be sheared, as a share of their turns, and how much moves down and across may correlate."""
DIRECTIONS = np.radians([0, 60, 120])
"""Of the stripes that show turns and shears, one for each color."""

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
    points = _shaken_enough(shaking(look))
    measured = [score(grown(look, seed)) for seed in STARTS]
    for name, claim in zip(("moved", "mirrored"), claims, strict=True):
        low, *_, high = sorted(one[name] for one in measured)
        said = f"{name}: you claim {claim:.0%}, pictures from {len(STARTS)} other starts keep {low:.0%} to {high:.0%}"
        points.append(Point(low - WIDEST_CLAIM <= claim <= high + WIDEST_CLAIM, said))
    kept, objective = (float(np.mean([one[name] for one in measured])) for name in ("moved", "objective"))
    said = f"moved by one pixel they keep {kept:.0%} ({LEAST_KEPT:.0%} or more), of an objective of {objective:.0f}"
    met = kept >= LEAST_KEPT and objective > LEAST_OBJECTIVE
    return [*points, Point(met, f"{said} (over {LEAST_OBJECTIVE})")]


def _shaken_enough(found: Shaking) -> list[Point]:
    (down, across), turns, shears, together = found
    deviations = f"standard deviations of your looks, {LEAST_MOVE} or more"
    points = [
        Point(
            min(down, across) >= LEAST_MOVE,
            f"places differ by {down:.2f} pixels down and {across:.2f} across ({deviations})",
        ),
        Point(
            turns >= LEAST_MOVE,
            f"angles differ by {turns:.2f} degrees ({deviations}; a constant angle, a shear, a mirror or a turn by 180 "
            "degrees is not enough)",
        ),
    ]
    if turns >= LEAST_MOVE:
        said = f"pictures are sheared by {shears:.2f} degrees and turned by {turns:.2f}"
        alike = shears <= MOST_SHEAR * turns
        points.append(Point(alike, said if alike else f"{said}: check the signs and entries of your matrix"))
    if min(down, across) >= LEAST_MOVE:
        said = f"moves down and across have a correlation of {together:.2f}"
        points.append(Point(together <= MOST_TOGETHER, f"{said} (at most {MOST_TOGETHER}; draw each of them anew)"))
    return points


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


class Shaking(NamedTuple):
    """How looks differ, in standard deviations: moves down and across in pixels (2,), turns and shears in degrees.

    together : the size of the correlation of the moves down with those across, from 0 to 1.
    """

    moves: np.ndarray
    turns: float
    shears: float
    together: float


def shaking(look: Look) -> Shaking:
    """How a look moves, turns and shears pictures.

    Two pictures are looked at that noise or a patch hardly change: rings, which look alike however they are turned and
    show the move; and stripes, which look alike however they are moved, in another direction for each color. A turn
    changes all directions by one angle, a shear by different angles. Stripes turned by 180 degrees are as before, so
    that such a turn is not seen.
    """
    import torch

    down, across = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    far = np.hypot(down, across)
    rings = np.cos(far * 2 * np.pi / 16) * np.exp(-(far**2) / 200)
    stripes = [np.cos((down * np.cos(angle) + across * np.sin(angle)) * 2 * np.pi / 8) for angle in DIRECTIONS]
    shown = np.stack([[rings] * 3, stripes]) / 2 + 0.5
    pictures = torch.tensor(shown, dtype=torch.float32, requires_grad=True)
    generator, moves, angles = np.random.default_rng(1), [], []
    for _ in range(DRAWS):
        seen = np.asarray(_seen(look, pictures * 1, generator).detach(), np.float64)
        moves.append(_move(seen[0], rings))
        angles.append([_turn(color) for color in seen[1]])
    spread = np.std(moves, axis=0)
    together = abs(float(np.corrcoef(np.transpose(moves))[0, 1])) if spread.all() else 0.0
    return Shaking(spread, *_turns_and_shears(np.array(angles)), together)


def _turns_and_shears(angles: np.ndarray) -> tuple[float, float]:
    """Standard deviations, in degrees, of the turns and shears that stripes at `angles` (draws, 3) have gone through.

    A mirror turns every direction's sign round. Mirrored looks are compared with each other alone: a picture whose
    rows and columns are exchanged is no turned one.
    """
    doubled = np.exp(2j * angles)  # a direction is as before after 180 degrees
    plain, mirrored = doubled * np.exp(-2j * DIRECTIONS), doubled * np.exp(2j * DIRECTIONS)
    is_mirrored = abs(mirrored.mean(axis=1)) > abs(plain.mean(axis=1))
    alike = mirrored[is_mirrored] if is_mirrored.mean() > 0.5 else plain[~is_mirrored]
    turned = alike.mean(axis=1) / abs(alike.mean(axis=1))
    circle = np.clip(abs(turned.mean()), 1e-3, 1)
    # A shear along the axes turns stripes by an angle that goes with the cosine of twice their direction.
    shears = np.angle(alike * np.conj(turned)[:, None]) @ np.cos(2 * DIRECTIONS) / 3
    return float(np.degrees(np.sqrt(-2 * np.log(circle) + 0.0) / 2)), float(np.degrees(np.std(shears)))


def _move(picture: np.ndarray, rings: np.ndarray) -> np.ndarray:
    """Where in a picture (3, h, w) the rings lie: the move (2,) after which the two resemble each other most."""
    spectra = np.fft.fft2(picture - picture.mean(axis=(1, 2), keepdims=True)) * np.conj(np.fft.fft2(rings))
    alike = (np.fft.ifft2(spectra).real ** 2).sum(axis=0)
    place = np.array(np.unravel_index(alike.argmax(), alike.shape))
    return (place + SIZE // 2) % SIZE - SIZE // 2


def _turn(color: np.ndarray) -> float:
    """The angle, in radians, at which one color of a picture (h, w) changes most."""
    down, across = np.gradient(color)
    return float(np.arctan2(2 * (down * across).sum(), (down**2 - across**2).sum()) / 2)
