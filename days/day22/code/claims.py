"""A claim made from a map, to be put to the test: "SqueezeNet says this because of what stands there".

    claim = make_claim(7)                    # a photo, its category, a box, and the words
    control = {box: fall(7, box) for box in boxes}                 # fifty random ones
    rubric({"falls": 2.1, "random": control, "stands": False, "instead": (40, 80, 60, 100)}, 7)

Every number makes another claim: a photo, a method, and the place where its map is brightest. Some claims hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from days.common.checks import check_integer, is_number
from days.common.comparison import brief
from days.common.images import IMAGE_NAMES
from days.common.models import Model, load_model
from days.common.tasks import Point, ReportError, fields
from days.day22.code.maps import enlarge, smoothed
from days.day22.code.methods import grad_cam
from days.day22.code.mosaics import draw_crop
from days.day22.code.rocket import Box, wiped
from days.day22.code.scoring import standard_methods

SIDE = 40
"""Of every box, in pixels."""
METHODS = ("guided backpropagation", "Grad-CAM at fire4", "Grad-CAM", "saliency", "occlusion")
PLACES = 60
"""So many random boxes are the check's own control; of a report's, so many are measured again."""
FEWEST = 45
"""Random boxes of a report: of fifty that were drawn, a few may be the same."""
EXACT = 0.02
"""How far a fall may be off. Nothing is drawn, so only roundings can differ."""
STRONG = 0.9
"""A box counts if it costs more than this share of random boxes. Between `OPEN` either verdict is taken."""
OPEN = (0.8, 0.95)
LEAST = 0.85
"""The share of the check's boxes that a box must beat: where it beats `STRONG` of them all, sixty miss that by 0.04."""
CONTROL = "a dict {box: its fall} of fifty boxes", lambda value: isinstance(value, dict)
BOX = "(top, bottom, left, right)", lambda value: True
"""Two kinds of a report's fields, see `fields`; `_read` looks into a box."""
MEAN_COLOR = np.array([123, 117, 104], np.float32) / 255


class Claim(NamedTuple):
    """What somebody read off a map.

    photo : an image (224, 224, 3). category : what SqueezeNet names it. box : (top, bottom, left, right), 40 x 40
    pixels. words : the claim.
    """

    photo: np.ndarray
    category: str
    box: Box
    words: str


class Control(NamedTuple):
    """The falls of the score for random boxes, (n,), by the two fills: the mean color, and the colors beside."""

    plain: np.ndarray
    beside: np.ndarray


def make_claim(number: int) -> Claim:
    """The claim that belongs to a number, 0 or more."""
    photo, category, box, method = _claim(check_integer(number, 0, "number"))
    top, bottom, left, right = box
    place = f"rows {top} to {bottom}, columns {left} to {right}"
    return Claim(photo.copy(), category, box, f"SqueezeNet says {category} because of {place}: {method} is brightest.")


def in_mean_color(photo: np.ndarray, box: Box) -> np.ndarray:
    """The photo (H, W, 3) with a box in the mean color of the training set."""
    top, bottom, left, right = box
    found = photo.copy()
    found[top:bottom, left:right] = MEAN_COLOR
    return found


def fall(number: int, box: Box, *, beside: bool = False) -> float:
    """By how much the score of a claim's category falls where a box of its photo is covered.

    beside : in the colors beside the box, as `rocket.wiped` does, and not in the mean color of the training set.
    """
    return _fall(check_integer(number, 0, "number"), tuple(int(edge) for edge in box), beside)


@lru_cache(maxsize=4096)
def _fall(number: int, box: Box, beside: bool) -> float:
    photo = _claim(number)[0]
    return _score(number) - _score_of(number, wiped(photo, [box]) if beside else in_mean_color(photo, box))


@lru_cache(maxsize=16)
def _score(number: int) -> float:
    return _score_of(number, _claim(number)[0])


def _score_of(number: int, image: np.ndarray) -> float:
    model = squeezenet()
    return float(model.logits(model.preprocess(image))[0, model.categories.index(_claim(number)[1])])


def rubric(report: Mapping, number: int) -> list[Point]:
    """What a report says of a claim, measured: the fall, the control, the verdict, and a box that does matter.

    report : {"falls": the fall of the score, "random": {box: its fall} of at least fifty random boxes, "stands": True
    or False, "instead": (top, bottom, left, right)}. Raises ValueError for what is no such report.
    """
    falls, random, stands, instead = fields(report, falls=float, random=CONTROL, stands=bool, instead=BOX)
    instead, random = _read("instead", instead), {_read("a random box", box): fell for box, fell in random.items()}
    box, control = make_claim(number).box, _control(number)
    measured = fall(number, box)
    beaten = float((control.plain < measured).mean())
    shares = [
        (control.plain < fall(number, instead)).mean(),
        (control.beside < fall(number, instead, beside=True)).mean(),
    ]
    either = OPEN[0] <= beaten <= OPEN[1]
    return [
        Point(abs(falls - measured) <= EXACT, f"covering the claimed box costs {measured:.2f}, you say {falls:.2f}"),
        _controlled(number, random),
        Point(
            either or stands == (beaten > STRONG),
            f"the claimed box costs more than {beaten:.0%} of random ones, and you say that the claim "
            + ("stands" if stands else "falls"),
        ),
        Point(
            min(shares) >= LEAST,
            f"your box costs more than {shares[0]:.0%} of random ones in the mean color, and more than {shares[1]:.0%} "
            f"in the colors beside it, wanted {LEAST:.0%} in both",
        ),
    ]


def _controlled(number: int, random: dict[Box, float]) -> Point:
    """Whether a report's random boxes are enough, lie all over the photo, and cost what it says."""
    if len(random) < FEWEST:
        return Point(False, f"your control has {len(random)} different boxes, wanted fifty (a few may coincide)")
    corners = np.array(list(random))[:, [0, 2]]
    center, spread = corners.mean(axis=0), corners.std(axis=0)
    middle = (224 - SIDE) / 2
    if (np.abs(center - middle) > 30).any() or (spread < 40).any():  # four standard deviations of fifty random ones
        found = " and ".join(f"{a:.0f} +- {b:.0f}" for a, b in zip(center, spread, strict=True))
        return Point(False, f"your boxes begin at {found}, wanted {middle:.0f} +- 53 both ways: draw 0 to {224 - SIDE}")
    for box in list(random)[:: -(-len(random) // PLACES)]:
        measured, said = fall(number, box), random[box]
        if not (is_number(said) and abs(said - measured) <= EXACT):
            claimed = f"{said:.2f}" if is_number(said) else brief(said)
            return Point(False, f"covering your random box {box} costs {measured:.2f}, you say {claimed}")
    return Point(True, f"your {len(random)} random boxes cost {np.mean(list(random.values())):.2f} on average")


def _read(name: str, box: Any) -> Box:
    """A box of a report, in Python's integers. Raises ValueError for anything but 40 x 40 pixels of the photo."""
    edges = list(box) if isinstance(box, (tuple, list, np.ndarray)) else []
    if len(edges) == 4 and all(is_number(edge) and edge == int(edge) for edge in edges):
        top, bottom, left, right = (int(edge) for edge in edges)
        if bottom - top == SIDE == right - left and min(top, left) >= 0 and max(bottom, right) <= 224:
            return top, bottom, left, right
    wanted = f"(top, bottom, left, right), {SIDE} x {SIDE} whole pixels inside 224 x 224"
    raise ReportError(f"expected {name} as {wanted}, got {brief(box)}")


@lru_cache(maxsize=1)
def squeezenet() -> Model:
    """The network that every claim is about."""
    return load_model("squeezenet")


@lru_cache(maxsize=16)
def _claim(number: int) -> tuple[np.ndarray, str, Box, str]:
    generator, model = np.random.default_rng([22, number]), squeezenet()
    photo = draw_crop(generator, str(generator.choice(IMAGE_NAMES)), 224)
    category, method = model.predict(photo, 1)[0][0], str(generator.choice(METHODS))
    batch = model.preprocess(photo)
    if method == "Grad-CAM at fire4":
        heatmap = grad_cam(model.network, batch, "fire4", category)
    else:
        heatmap = standard_methods("fire9", stride=32)[method](model.network, batch, category)
    heatmap = smoothed(enlarge(heatmap, photo.shape[:2]), 8)
    row, column = (
        int(np.clip(place - SIDE // 2, 0, 224 - SIDE)) for place in np.unravel_index(heatmap.argmax(), heatmap.shape)
    )
    return photo, category, (row, row + SIDE, column, column + SIDE), method


@lru_cache(maxsize=16)
def _control(number: int) -> Control:
    places = np.random.default_rng([2222, number]).integers(0, 224 - SIDE + 1, (PLACES, 2)).tolist()
    boxes = [(top, top + SIDE, left, left + SIDE) for top, left in places]
    return Control(*(np.array([fall(number, box, beside=beside) for box in boxes]) for beside in (False, True)))
