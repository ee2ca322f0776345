"""SqueezeNet as a patient: faults planted into its filters by a seed, examined on the seven bundled photos.

No patient is stored: its weights come from an installed package, and the seed makes the rest when asked. `run` is the
`squeezenet_answers` of one of this day's backends.

    weights, key = admit_squeezenet(7, run)
    found = new_findings(examine_squeezenet(weights, run), examine_squeezenet(healthy_squeezenet(), run))

A healthy SqueezeNet is not spotless. Of its own it shows six findings: filter 9 of fire5.expand1x1 is silent on all
photos, and five pairs of conv1 are opposites. So a diagnosis is graded by what is new against the healthy network. Two
limits remain: noise in the 18 layers outside of `SITES` cannot be told, and a fault may silence a healthy filter behind
it, which then counts as a false alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from days.common import squeezenet
from days.common.images import IMAGE_NAMES, load_image
from days.day18.code.training import Weights
from days.day23.code.detectors import Bounds, bounds
from days.day23.code.diagnosis import examine_layer
from days.day23.code.finding import Finding
from days.day23.code.patients import Key, plant

LAYERS = tuple(name for name in squeezenet.weight_shapes() if name != "conv10")
"""The convolutions that are examined; what conv10 answers are the categories' own maps."""
SITES = tuple(f"fire{number}.expand3x3" for number in (2, 4, 5, 6, 7, 8, 9))
"""Where faults are planted: in the seven layers whose filters are so much of a family that noise can be told."""
KINDS = ("dead", "redundant", "noise")
Run = Callable[[Weights, Sequence[str]], dict[str, np.ndarray]]


def admit_squeezenet(seed: int, run: Run, layers: Sequence[str] = SITES) -> tuple[Weights, Key]:
    """A SqueezeNet with faults of each of `KINDS`, planted by a seed into filters that answer to the photos.

    layers : convolutions to plant in. Returns the weights and the key. Between frameworks a bias "below anything seen"
    differs by rounding.
    """
    unknown = set(layers) - set(LAYERS)
    if unknown or not layers:
        raise ValueError(f"expected layers out of {', '.join(LAYERS)}, got {sorted(unknown) or 'none'}")

    def limits(weights: Weights, layer: str) -> tuple[np.ndarray, np.ndarray]:
        return squeezenet_bounds(weights)[layer][1], run(weights, [layer])[layer].max(axis=(0, 2, 3))

    well = run(healthy_squeezenet(), layers)
    alive = {name: np.flatnonzero(maps.max(axis=(0, 2, 3)) > 0) for name, maps in well.items()}
    generator = np.random.default_rng([17, seed])
    weights, faults = plant(healthy_squeezenet(), KINDS, generator, channels=alive, limits=limits)
    return weights, Key(f"squeezenet {seed}", tuple(faults))


def examine_squeezenet(weights: Weights, run: Run, layers: Sequence[str] = LAYERS) -> list[Finding]:
    """What is wrong with the filters of `layers`: dead, redundant, noise."""
    answers, largest = run(weights, layers), squeezenet_bounds(weights)
    return [
        finding
        for name in layers
        for finding in examine_layer(name, *weights[name], np.maximum(answers[name], 0), largest[name][1])
    ]


@cache
def healthy_squeezenet() -> Weights:
    """SqueezeNet's weights, {convolution: (filters (out, in, kh, kw), bias (out,))}, in forward order."""
    weights = squeezenet.imagenet_weights()
    return {name: (weights[name][0].transpose(3, 2, 0, 1), weights[name][1]) for name in squeezenet.weight_shapes()}


@cache
def photos() -> tuple[np.ndarray, ...]:
    """The seven bundled photos, each (224, 224, 3)."""
    return tuple(load_image(name, size=224) for name in IMAGE_NAMES)


def squeezenet_bounds(weights: Weights) -> Bounds:
    """`detectors.bounds` of SqueezeNet for any photo: a fire module's two expand layers lie one behind the other."""
    before: tuple[str, ...] = ("conv1",)
    hears: dict[str, tuple[str, ...]] = {"conv1": ()}
    for fire in squeezenet.FIRE_WIDTHS:
        hears[f"{fire}.squeeze"] = before
        before = (f"{fire}.expand1x1", f"{fire}.expand3x3")
        hears |= dict.fromkeys(before, (f"{fire}.squeeze",))
    return bounds(weights, -squeezenet.MEAN_BGR.max(), 255 - squeezenet.MEAN_BGR.min(), hears | {"conv10": before})
