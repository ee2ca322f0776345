"""The task of Day 23: cut channels from a network, say what that costs, and what as many random ones would cost."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from days.common.checks import check_integer, is_number
from days.common.datasets import make_shapes
from days.common.tasks import Point
from days.day18.code.training import Weights
from days.day23.code import network, patients, pruning
from days.day23.code.network import LAYERS

SHARE = 0.2
"""Of all channels, at least so many are to be cut ..."""
COST = 0.06
"""... at a loss of accuracy of at most so much."""
AS_MEASURED, AS_MEASURED_AT_RANDOM = 0.03, 0.2
"""How far the reported losses may be from ours: of one cut, and of a mean of random ones, which vary by about 0.2."""

Cut = Mapping[str, list[int]]


@lru_cache(maxsize=4)
def network_to_cut(number: int) -> Weights:
    """The network that belongs to a number, 0 or more: a healthy one, its channels shuffled, and scaled by 1/8 to 8.

    What a channel is scaled by, the next layer divides by, so that no prediction changes but for rounding.
    """
    generator = np.random.default_rng([23, check_integer(number, 0, "number")])
    networks = network.healthy_networks()
    weights = dict(patients.disguised(networks[generator.integers(len(networks))], generator))
    for layer, later in zip(LAYERS, [*LAYERS[1:], "scores"], strict=True):
        (values, bias), (following, last) = weights[layer], weights[later]
        scale = (8 ** generator.uniform(-1, 1, len(bias))).astype(np.float32)
        weights[layer] = values * scale[:, None, None, None], bias * scale
        weights[later] = following / scale.reshape((1, -1) + (1,) * (following.ndim - 2)), last
    return weights


def without(weights: Weights, cut: Cut) -> Weights:
    """The network without some channels, {layer: channels}. Raises ValueError for channels that there are not."""
    keep = {}
    for layer in LAYERS:
        count, gone = len(weights[layer][1]), set(map(int, cut.get(layer, [])))
        if not gone <= set(range(count)) or len(gone) == count:
            raise ValueError(f"{layer} has the channels 0 to {count - 1}, and one stays, got {sorted(gone)}")
        keep[layer] = np.setdiff1d(np.arange(count), sorted(gone))
    return network.with_channels(weights, keep)


def loss(weights: Weights, cut: Cut, *, count: int, seed: int) -> float:
    """How much smaller the share named rightly is without some channels, on `count` images drawn from `seed`."""
    data = make_shapes(count, seed=seed)
    return pruning.share_right(weights, data) - pruning.share_right(without(weights, cut), data)


def random_cut(weights: Weights, cut: Cut, *, seed: int) -> dict[str, list[int]]:
    """As many channels of each layer as in `cut`, drawn from `seed`."""
    generator = np.random.default_rng(seed)
    return {
        layer: generator.permutation(len(weights[layer][1]))[: len(cut.get(layer, []))].tolist() for layer in LAYERS
    }


def rubric(report: Mapping, number: int) -> list[Point]:
    """Cut what a report says, and measure on images that no report has seen what that and random cuts cost."""
    if not isinstance(report, Mapping) or not {"cut", "loss", "random"} <= set(report):
        raise TypeError(f'expected {{"cut": {{layer: channels}}, "loss": ..., "random": ...}}, got {report!r}')
    cut, losses = report["cut"], [report["loss"], report["random"]]
    if not isinstance(cut, Mapping) or not set(cut) <= set(LAYERS) or not all(map(is_number, losses)):
        raise TypeError(f"expected channels by layer ({', '.join(LAYERS)}) and two losses as numbers, got {report!r}")
    weights = network_to_cut(number)
    everything = sum(len(weights[layer][1]) for layer in LAYERS)
    count = sum(len(set(cut[layer])) for layer in cut)
    costs = loss(weights, cut, count=1000, seed=2300)
    drawn = [loss(weights, random_cut(weights, cut, seed=seed), count=100, seed=2301) for seed in range(20)]
    usual = float(np.mean(drawn))
    least = int(np.ceil(SHARE * everything))
    return [
        Point(count >= least, f"{count} of {everything} channels are cut; wanted are {least} or more"),
        Point(costs <= COST, f"on 1,000 other images the cut costs {costs:.3f}; allowed is {COST}"),
        Point(abs(losses[0] - costs) <= AS_MEASURED, f"you say that it costs {losses[0]:.3f}, we measured {costs:.3f}"),
        Point(
            abs(losses[1] - usual) <= AS_MEASURED_AT_RANDOM,
            f"you say that random cuts cost {losses[1]:.2f} on the mean, we measured {usual:.2f}",
        ),
    ]
