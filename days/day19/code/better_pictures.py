"""What a picture is worth that should excite its channel more than the lesson's ascents do: the task of Day 19."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from days.common.models import load_model
from days.common.tasks import Point, ReportError
from days.day19.code.gradients import value_and_gradient
from days.day19.code.lesson import HIGH, LOW

ASCENT = {("conv1_activation", 49): 338, ("fire2", 84): 855, ("fire4", 200): 1980, ("fire6", 341): 3165}
"""What the best of three ascents reaches, 60 steps each from `noise(seed=0)` to `noise(seed=2)`, by channel."""
BETTER = 1.1
SHAPE = (1, 3, 128, 128)


def rubric(report) -> list[Point]:
    """Measure pictures {(layer, channel): pixels (1, 3, 128, 128)}: each must excite its channel a tenth more.

    Raises ReportError, in one line, for what are no such pictures.
    """
    if not isinstance(report, dict) or set(report) != set(ASCENT):
        got = ", ".join(map(str, report)) if isinstance(report, dict) else type(report).__name__
        raise ReportError(f"expected a dict with the keys {', '.join(map(str, ASCENT))}, got {got[:120] or 'none'}")
    return list(_points({place: _pixels(place, picture) for place, picture in report.items()}))


def _points(pictures: dict[tuple[str, int], np.ndarray]) -> Iterator[Point]:
    for (layer, channel), ascent in ASCENT.items():
        value, _ = value_and_gradient(_network(), layer, pictures[layer, channel], channel)
        wanted = f"the best of three ascents {ascent}, wanted {BETTER * ascent:.0f}"
        yield Point(value >= BETTER * ascent, f"{layer}, {channel}: your picture {value:.0f}, {wanted}")


def _pixels(place: tuple[str, int], picture) -> np.ndarray:
    try:
        pixels = np.asarray(picture, np.float32)
    except (TypeError, ValueError) as error:
        raise ReportError(f"expected the picture for {place} as an array, got {type(picture).__name__}") from error
    if pixels.shape != SHAPE:
        way_out = ": the three colors come second" if pixels.shape[-1:] == (3,) else ""
        raise ReportError(f"expected pixels of shape {SHAPE} for {place}, got {pixels.shape}{way_out}")
    if lost := int((~np.isfinite(pixels)).sum()):
        raise ReportError(f"expected finite pixels for {place}, got NaN or infinity in {lost:,} of {pixels.size:,}")
    beyond = max(float((LOW - pixels).max()), float((pixels - HIGH).max()))
    if beyond > 0.01:
        raise ReportError(
            f"expected pixels from LOW to HIGH, black to white, for {place}, got {beyond:.1f} beyond them"
        )
    return pixels


@cache
def _network():
    return load_model("squeezenet").network
