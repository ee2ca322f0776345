"""The task of Day 23: cut channels from a network, say what that costs, and what as many random ones would cost."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from days.common.checks import check_index, check_integer, is_number
from days.common.comparison import brief
from days.common.datasets import make_shapes
from days.common.tasks import Point
from days.day18.code.training import Weights
from days.day23.code import network, patients, pruning
from days.day23.code.network import LAYERS

SHARE = 0.2
"""Of all channels, at least so many are to be cut ..."""
COST = 0.06
"""... at a loss of accuracy of at most so much."""
IMAGES, DRAWS, IMAGES_A_DRAW, SEED = 500, 20, 100, 1
"""What a report measures on: the images of its own cut, the random cuts (seeds 0 to 19), and the images of each."""
AS_MEASURED, AS_MEASURED_AT_RANDOM = 0.005, 0.025
"""How far a reported loss may be from ours on the same images: two of them, which rounding may turn."""

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


def checked(weights: Weights, cut: Cut) -> dict[str, list[int]]:
    """The channels to cut, for every layer; TypeError or ValueError for channels that the network cannot lose."""
    if not isinstance(cut, Mapping) or not set(cut) <= set(LAYERS):
        raise TypeError(
            f"expected channels by layer, such as {{'conv1': [3]}}, of {', '.join(LAYERS)}, got {brief(cut)}"
        )
    found = {}
    for layer in LAYERS:
        count = len(weights[layer][1])
        try:
            given = list(cut.get(layer, []))
        except TypeError:
            raise TypeError(f"expected the channels of {layer} as a list, got {brief(cut[layer])}") from None
        found[layer] = [check_index(one, count, f"each channel of {layer} as a whole number") for one in given]
        if len(set(found[layer])) < len(given):
            raise ValueError(f"expected each channel of {layer} once, got {brief(given)}")
        if len(given) == count:
            raise ValueError(f"expected at least one channel of {layer} to stay, got all {count} to cut")
    return found


def without(weights: Weights, cut: Cut) -> Weights:
    """The network without some channels, {layer: channels}; raises as `checked` does."""
    gone = checked(weights, cut)
    return network.with_channels(
        weights, {layer: np.setdiff1d(np.arange(len(weights[layer][1])), gone[layer]) for layer in LAYERS}
    )


def loss(weights: Weights, cut: Cut, *, count: int, seed: int) -> float:
    """How much smaller the share named rightly is without some channels, on `count` images drawn from `seed`."""
    data = make_shapes(count, seed=seed)
    return pruning.share_right(weights, data) - pruning.share_right(without(weights, cut), data)


def random_cut(weights: Weights, cut: Cut, *, seed: int) -> dict[str, list[int]]:
    """As many channels of each layer as in `cut`, drawn from `seed`; raises as `checked` does."""
    generator, cut = np.random.default_rng(seed), checked(weights, cut)
    return {layer: generator.permutation(len(weights[layer][1]))[: len(cut[layer])].tolist() for layer in LAYERS}


def rubric(report: Mapping, number: int) -> list[Point]:
    """Cut what a report says, measure the cost on images that no report has seen, and repeat its own measurement.

    Each of the random cuts is compared: their mean is much the same for every network, so it could be guessed.
    """
    weights = network_to_cut(number)
    cut, said, said_at_random = _read(report, weights)
    everything = sum(len(weights[layer][1]) for layer in LAYERS)
    count, least = sum(map(len, cut.values())), int(np.ceil(SHARE * everything))
    costs, again = loss(weights, cut, count=1000, seed=2300), loss(weights, cut, count=IMAGES, seed=SEED)
    cuts = [random_cut(weights, cut, seed=seed) for seed in range(DRAWS)]
    drawn = np.array([loss(weights, one, count=IMAGES_A_DRAW, seed=SEED) for one in cuts])
    worst = int(np.abs(drawn - said_at_random).argmax())
    return [
        Point(count >= least, f"{count} of {everything} channels are cut; wanted are {least} or more"),
        Point(costs <= COST, f"on 1,000 other images the cut costs {costs:.3f}; allowed is {COST}"),
        Point(
            abs(said - again) <= AS_MEASURED,
            f"you say that it costs {said:.3f}, we measured {again:.3f} on your images",
        ),
        Point(
            abs(drawn - said_at_random)[worst] <= AS_MEASURED_AT_RANDOM,
            f"you say that the random cut of seed {worst} costs {said_at_random[worst]:.2f}, we measured "
            f"{drawn[worst]:.2f}; all {DRAWS} cost {drawn.mean():.2f} on the mean, and at least {drawn.min():.2f}",
        ),
    ]


def _read(report: Mapping, weights: Weights) -> tuple[dict[str, list[int]], float, np.ndarray]:
    """A report's cut, its loss and the losses of its random cuts, or TypeError or ValueError for what is no report."""
    if not isinstance(report, Mapping) or not {"cut", "loss", "random"} <= set(report):
        raise TypeError(f'expected {{"cut": {{layer: channels}}, "loss": ..., "random": [...]}}, got {brief(report)}')
    cut, said, at_random = checked(weights, report["cut"]), report["loss"], report["random"]
    if not is_number(said):
        raise TypeError(f'expected "loss" as a number, got {brief(said)}')
    at_random = at_random.tolist() if isinstance(at_random, np.ndarray) else at_random
    if not isinstance(at_random, (list, tuple)) or len(at_random) != DRAWS or not all(map(is_number, at_random)):
        raise TypeError(f'expected "random" as a list of {DRAWS} numbers, a loss for each seed, got {brief(at_random)}')
    return cut, float(said), np.array(at_random, float)
