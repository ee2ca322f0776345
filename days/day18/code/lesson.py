"""What Day 18's figures and notebook compute once and use often: one filter's learning, and the stored trainings."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from days.day17.code import lesson as lesson17
from days.day17.code.feature_maps import feature_map
from days.day18.code import training
from days.day18.code.filter_statistics import filter_drift, neighbor_correlation
from days.day18.code.runs import RECIPES
from days.day18.code.snapshots import Snapshot
from days.day18.code.storage import load_runs

SOBEL = lesson17.EDGE_KERNEL.astype(np.float64) / 8
SHOWN_STEPS = (0, 1, 3, 10, 30, 100, 300)
"""Steps at which the filter that learns is shown."""
MOMENTS = (0, 1, 2, 4, 6, 8, 12, 16, 24, 40)
MAP_MOMENTS = (0, 1, 6, 9, 10, 12, 16, 40)
"""Snapshots of the honest training whose filters are shown, and whose maps."""


class Lesson(lesson17.Lesson):
    """Day 17's material, one filter that learns from the cat in gray, and the stored runs."""

    @cached_property
    def runs(self) -> dict[str, list[Snapshot]]:
        """The stored trainings."""
        return load_runs()

    def learned(self, image: np.ndarray, *, share: float = 0.95, steps: int = 300):
        """A 3x3 filter that learns Sobel's from an image, at `share` of the bound: filters, losses."""
        rate = share * 2 / training.curvatures(image, (3, 3))[-1]
        start = np.random.default_rng(0).normal(0, 0.1, (3, 3))
        return training.learn_filter(image, feature_map(image, SOBEL), start, learning_rate=rate, steps=steps)

    def correlations(self) -> dict[str, tuple[float, float]]:
        """Neighbor correlation of SqueezeNet's 3x3 filters, trained and random, by layer."""
        layers = ["conv1", *(f"fire{number}.expand3x3" for number in range(2, 10))]
        trained, random = (
            [neighbor_correlation(self.filters(layer, model)) for layer in layers]
            for model in (self.model, self.untrained)
        )
        return dict(zip(layers, zip(trained, random, strict=True), strict=True))

    def captions(self) -> dict[str, str]:
        """What each stored run is and how it ended, in three short lines."""
        lines = {}
        for name, snapshots in self.runs.items():
            last, filters = snapshots[-1], snapshots[-1].filters["conv1"]
            drift = filter_drift(filters, snapshots[0].filters["conv1"]).mean()
            lines[name] = (
                f"{RECIPES[name].description}\n{last.accuracy:.0%} of the watched right after {last.step} steps\n"
                f"neighbors {neighbor_correlation(filters):.2f}, drift {drift:.1f}"
            )
        return lines
