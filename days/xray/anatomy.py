"""What the X-ray knows of a network, in arrays: the same from both frameworks. Past the backends, all is NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class Convolution(NamedTuple):
    """A convolution and where its answers are read.

    layer : its name. watch : it, or the batch norm right behind it, before any ReLU. rectified : whether what comes
    next is 0 wherever that answer is not positive. grouped : each filter sees only some of the input channels.
    separable : its filters are products of smaller ones, and share these. sees_pixels : its input is the picture.
    """

    layer: str
    watch: str
    rectified: bool
    grouped: bool
    separable: bool
    sees_pixels: bool


class FoldedWeights(NamedTuple):
    """A convolution with the batch norm behind it folded in: filters (out, in, kh, kw), bias (out,).

    asleep : (out,), where the batch norm's scale is 0, so that training can wake what the filters hold.
    """

    filters: np.ndarray
    bias: np.ndarray
    asleep: np.ndarray


def folded(filters: np.ndarray, bias: np.ndarray | None, scale=1.0, shift=0.0) -> FoldedWeights:
    """Filters (out, in, kh, kw) and bias (out,) with what is done to their answer: scale * answer + shift, (out,)."""
    ones = np.ones(len(filters))
    bias, scale = 0 * ones if bias is None else bias, scale * ones
    # In the network's own precision: the filters of separable convolutions, made full, take gigabytes in double.
    values = filters * scale[:, None, None, None].astype(filters.dtype)
    return FoldedWeights(values, bias * scale + shift, scale == 0)


class Summary(NamedTuple):
    """What is kept of maps (n, C, h, w): numbers (n, C) for each image and channel, and the maps' size.

    mean : of what the ReLU lets through. top, low : largest and least value before it. active : share of units above 0.
    middle, square : mean value and mean squared value before the ReLU.
    """

    mean: np.ndarray
    top: np.ndarray
    low: np.ndarray
    active: np.ndarray
    middle: np.ndarray
    square: np.ndarray
    size: tuple[int, int]

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation of each channel's values before the ReLU, over all images and places: (C,)."""
        with np.errstate(all="ignore"):
            variance = self.square.mean(axis=0) - self.middle.mean(axis=0) ** 2
            return np.sqrt(np.maximum(variance, 1e-12 * self.square.mean(axis=0)))

    def strongest(self, count: int) -> np.ndarray:
        """The `count` channels with the largest mean answer, the strongest first."""
        means = np.nan_to_num(self.mean.mean(axis=0), posinf=0)
        return np.argsort(-means, kind="stable")[:count]


def together(parts: Sequence[Summary]) -> Summary:
    """Summaries of several batches as one."""
    columns = zip(*(part[:-1] for part in parts), strict=True)
    mean, top, low, active, middle, square = (np.concatenate(column).astype(np.float64) for column in columns)
    return Summary(mean, top, low, active, middle, square, parts[0].size)


class NormStatistics(NamedTuple):
    """Of the first batch norm: what it has stored, and what it sees now of these images; (C,) each."""

    stored_mean: np.ndarray
    stored_variance: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    @property
    def fresh(self) -> bool:
        """Whether it still holds what it was created with, so that it was never trained: means of 0, variances of 1."""
        return not self.stored_mean.any() and bool((self.stored_variance == 1).all())

    @property
    def distance(self) -> float:
        """How far what it sees lies from what it has stored: the median over channels of sqrt(shift^2 + log(spread)^2).

        shift : by how many stored deviations the mean has moved. spread : deviation now over deviation stored.
        """
        with np.errstate(all="ignore"):
            shift = (self.mean - self.stored_mean) / np.sqrt(self.stored_variance)
            spread = 0.5 * np.log(self.variance / self.stored_variance)
            apart = np.hypot(shift, spread)
        apart = apart[(self.stored_variance > 1e-8) & ~np.isnan(apart)]
        return float(np.median(apart)) if len(apart) else 0.0


def averaged(parts: Sequence[NormStatistics]) -> NormStatistics | None:
    """What a batch norm sees of several batches as one; None for none."""
    if not parts:
        return None
    means, variances = np.stack([part.mean for part in parts]), np.stack([part.variance for part in parts])
    return parts[0]._replace(mean=means.mean(axis=0), variance=variances.mean(axis=0) + means.var(axis=0))


@dataclass(frozen=True)
class Layer:
    """All that the findings need to know of one convolution.

    shape : of its filters, (out, in, kh, kw). read : reads its weights off the network.
    """

    convolution: Convolution
    shape: tuple[int, ...]
    summary: Summary
    read: Callable[[], FoldedWeights] = field(repr=False)

    @property
    def weights(self) -> FoldedWeights:
        """Its weights, made anew whenever they are asked for: of all layers of a large network they take gigabytes."""
        return self.read()

    @property
    def name(self) -> str:
        """The convolution's name."""
        return self.convolution.layer

    @property
    def channels(self) -> int:
        """How many channels it answers with."""
        return self.shape[0]
