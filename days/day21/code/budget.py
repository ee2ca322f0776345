"""Day 21's task: a dream under a budget of pixels, and how its settings are graded.

found = dreamed("fire5", {"octaves": 1, "steps": 10, "tile": 96})
found.shown                         # what it cost: so many pixels were shown to the network
score(found)                        # what it is worth
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from days.common.checks import is_number
from days.common.comparison import brief
from days.common.images import load_image
from days.common.models import Model, load_model
from days.common.tasks import Point, fields
from days.day21.code import deepdream, dreaming

SIZE = (192, 288)
AT_ONCE, IN_ALL = 224 * 224, 4_000_000
"""How many pixels the network may be shown at once, margins included, and in all steps together."""
GOALS = {"rise": (10, np.inf), "kept": (0.65, np.inf), "wavelength": (7, np.inf), "change": (0, 0.05)}
"""What the scores must lie between; see `score`."""
DECIMALS = {"rise": 1, "kept": 2, "wavelength": 1, "change": 3}
"""To how many places a claim must be right. It is measured again, with the same shifts, so it may be rounded only."""
EXAMINED = (("china", 7), ("flower", 8))
"""Photos that the goals are measured on, and the seeds of other shifts; each only if all is well before it."""
SETTINGS = ("octaves", "octave_scale", "steps", "step_size", "bands", "jitter", "tile")
LARGEST = 1000
"""Of every setting: more octaves or bands than this would only take time."""
SHIFTS = ((3, 7), (7, 3), (11, 13), (9, 6), (5, 12), (13, 5))
"""How far pictures are moved, down and right, to see whether their objective holds. No multiples of the network's
strides, at which a dream without jitter keeps most of it."""


class Dreamed(NamedTuple):
    """A photo and its dream, (H, W, 3) each, the layer, and how many pixels the network was shown for it."""

    photo: np.ndarray
    dream: np.ndarray
    layer: str
    shown: int


@cache
def network() -> Model:
    """SqueezeNet, loaded once."""
    return load_model("squeezenet")


def dreamed(layer: str, settings: Mapping[str, Any], photo: str = "china", seed: int = 0) -> Dreamed:
    """A layer's dream of a photo of 192 x 288 pixels, with settings as of `dream`, and what it cost.

    settings : values for any of `SETTINGS`. Raises ValueError as soon as a budget is overdrawn, for other settings, and
    for what `dream` refuses; TypeError for a layer that is no name.
    """
    if not isinstance(layer, str):
        raise TypeError(f"expected a layer's name, got {brief(layer)}: try 'fire5'")
    for name, value in settings.items():
        if name not in SETTINGS:
            raise ValueError(f"expected settings among {', '.join(SETTINGS)}, got {brief(name)}: leave it out")
        if not (is_number(value) and abs(value) <= LARGEST):
            raise ValueError(f"expected {name} as a number of at most {LARGEST}, got {brief(value)}")
    return _dreamed(layer, tuple(sorted(settings.items())), photo, seed)


@lru_cache(maxsize=32)
def _dreamed(layer: str, settings: tuple, photo: str, seed: int) -> Dreamed:
    image, passes = load_image(photo, size=SIZE), []
    ask = deepdream.slope(network().network, layer)

    def counted(picture):
        passes.append(picture.shape[0] * picture.shape[1])
        if passes[-1] > AT_ONCE:
            seen = " x ".join(map(str, picture.shape[:2]))
            raise ValueError(f"expected at most {AT_ONCE:,} pixels at once, got {seen}: take smaller tiles")
        if sum(passes) > IN_ALL:
            raise ValueError(f"expected at most {IN_ALL:,} pixels in all, got more: take fewer steps, or cheaper ones")
        return ask(picture)

    dream = dreaming.last_picture(counted, image, seed=seed, **dict(settings))
    return Dreamed(image, dream, layer, sum(passes))


def score(found: Dreamed) -> dict[str, float]:
    """What a dream is worth, in four numbers.

    rise : its objective over the photo's, each the mean of six copies that are moved by some pixels. kept : that mean
    over the objective of the dream as it is. wavelength : of what was added, in pixels; see
    `dreaming.median_wavelength`. change : the mean size of what was added.
    """
    ask, added = deepdream.slope(network().network, found.layer), found.dream - found.photo
    after, before = (_moved(ask, image) for image in (found.dream, found.photo))
    return {
        "rise": after / before,
        "kept": after / ask(found.dream)[0],
        "wavelength": dreaming.median_wavelength(added),
        "change": float(np.abs(added).mean()),
    }


def _moved(ask: dreaming.Ask, image: np.ndarray) -> float:
    return float(np.mean([ask(np.roll(image, shift, axis=(0, 1)))[0] for shift in SHIFTS]))


def rubric(report: Any) -> list[Point]:
    """Whether a report's numbers are those of its settings, which reach the goals with other shifts and photos, too.

    report : {"layer": a name, "settings": a dict, and the four numbers of `score`}. Raises ValueError or TypeError
    for what is no such report, and where a budget is overdrawn.
    """
    layer, settings, *claims = fields(report, layer=str, settings=dict, **dict.fromkeys(GOALS, float))
    found = score(dreamed(layer, settings))
    points = [_holds(name, claim, found[name]) for name, claim in zip(GOALS, claims, strict=True)]
    for photo, seed in EXAMINED:
        if not all(point.met for point in points):
            break
        found = score(dreamed(layer, settings, photo, seed))
        points += [_reaches(name, found[name], photo) for name in GOALS]
    return points


def _holds(name: str, claim: float, measured: float) -> Point:
    places = DECIMALS[name]
    met = abs(claim - measured) <= 0.51 * 10**-places
    return Point(met, f"{name}: you claim {claim:.{places + 1}f}, `budget.score` gives {measured:.{places + 1}f}")


def _reaches(name: str, measured: float, photo: str) -> Point:
    least, most = GOALS[name]
    wanted = f"at least {least}" if least else f"at most {most}"
    return Point(least <= measured <= most, f"{name} on {photo}, with other shifts: {measured:.3g}, wanted {wanted}")
