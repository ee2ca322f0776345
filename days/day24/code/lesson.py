"""What Day 24's figures and notebook compute once and use often: the suspects, their maps and their scores."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from days.common.datasets import Shapes
from days.day18.code import runs
from days.day18.code.training import Weights
from days.day22.code.scoring import Interval, mean_and_interval
from days.day24.code import bias_lab, trainings


class Lesson:
    """What the figures are drawn from: the four suspects, their key, three kinds of images, two mended networks."""

    @cached_property
    def suspects(self) -> dict[str, Weights]:
        """The four networks by name."""
        return bias_lab.load_suspects()

    @cached_property
    def key(self) -> dict[str, float]:
        """Which dial each suspect was trained at."""
        return bias_lab.load_key()

    @cached_property
    def three(self) -> dict[str, Shapes]:
        """2,000 held-out objects on tied, blind and swapped backgrounds."""
        return bias_lab.on_three_backgrounds(2000, seed=runs.HELD_OUT_SEED)

    @cached_property
    def trainings(self) -> trainings.Trainings:
        """What five networks for each dial score; the first of them are the suspects."""
        return trainings.load_trainings()

    @property
    def worst(self) -> str:
        """The suspect that was trained at dial 1."""
        return max(self.key, key=self.key.__getitem__)

    @cached_property
    def mended(self) -> dict[str, Weights]:
        """The worst suspect, mended in two ways."""
        return bias_lab.load_mended()

    def named(self, weights: Weights, background: str) -> np.ndarray:
        """What a network calls the 2,000 objects on "tied", "blind" or "swapped" backgrounds, (2000,) numbers."""
        return runs.answers(weights, self.three[background].images)

    def maps(self, weights: Weights, shapes: Shapes, method: str = "integrated gradients") -> np.ndarray:
        """Maps (N, H, W) of what spoke for the true shapes."""
        return bias_lab.relevance(weights, shapes, [method])[method]

    def scores(self, weights: Weights, mapped: int = 200) -> tuple[float, Interval]:
        """Share right after the swap, and share of integrated gradients inside the mask."""
        shapes = self.three["tied"][:mapped]
        inside = bias_lab.shares_inside(weights, shapes, ["integrated gradients"])["integrated gradients"]
        right = self.named(weights, "swapped") == self.three["swapped"].labels
        return float(right.mean()), mean_and_interval(inside)

    @property
    def honest(self) -> str:
        """The suspect that was trained at the lowest dial."""
        return min(self.key, key=self.key.__getitem__)

    @cached_property
    def fooled(self) -> np.ndarray:
        """Indices of the swapped images that the worst suspect names after their background."""
        named = self.named(self.suspects[self.worst], "swapped")
        return np.flatnonzero(named == self.three["swapped"].backgrounds)

    @property
    def before_and_after(self) -> dict[str, Weights]:
        """The worst suspect as it came, and mended."""
        return {f"{self.worst},\nas it came": self.suspects[self.worst], **self.mended}
