"""The clinic's small network in NumPy: run layer by layer, rightly or wrongly, and freed of what never learned.

It is Day 18's network with a batch norm behind each convolution and with as many filters as are at work. Its batch norm
gives back what it was given, as long as it uses its stored statistics: so weights can be read as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from days.common.arrays import Arrays, flat, load_arrays, paired, reading, save_arrays
from days.common.datasets import make_shapes
from days.common.paths import REPO_ROOT
from days.day18.code import storage
from days.day18.code.training import CONVOLUTIONS, Weights, normalize

LAYERS = tuple(CONVOLUTIONS)
HEALTHY_FILE = REPO_ROOT / "days/day23/weights/healthy.safetensors"
CRAMMED_FILE = REPO_ROOT / "days/day23/weights/crammed.safetensors"
EPSILON = 1e-5
CHUNK = 8

Statistics = dict[str, tuple[np.ndarray, np.ndarray]]
"""Layer -> (mean (C,), variance (C,)) of its answers before the ReLU: what its batch norm has stored."""

PREPROCESSINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as trained": normalize,
    "BGR for RGB": lambda images: normalize(images[..., ::-1]),
    "not divided by 255": lambda images: normalize(images * np.float32(255)),
    "mean not taken away": lambda images: normalize(images) + 1,
}
"""Images (N, H, W, 3) from 0 to 1 -> the numbers that go into the network, once rightly and three times wrongly."""


@dataclass(frozen=True)
class RunSettings:
    """How a network is run: whether its batch norm is in training mode, and a name in `PREPROCESSINGS`."""

    batch_norm_training: bool = False
    preprocessing: str = "as trained"


SETTINGS = tuple(RunSettings(training, name) for training in (False, True) for name in PREPROCESSINGS)
"""Every way of running that the clinic knows; the first is the right one."""


@dataclass(frozen=True)
class Answers:
    """What a network says of N images.

    before : {layer: (N, C, h, w)} behind convolution and batch norm, before the ReLU. scores : (N, 6).
    """

    before: dict[str, np.ndarray]
    scores: np.ndarray

    @property
    def activations(self) -> dict[str, np.ndarray]:
        """{layer: (N, C, h, w)} after the ReLU; NaN stays NaN."""
        return {name: np.maximum(maps, 0) for name, maps in self.before.items()}


def run(
    weights: Weights, images: np.ndarray, *, statistics: Statistics | None = None, settings: RunSettings = SETTINGS[0]
) -> Answers:
    """Run the small network on images (N, H, W, 3) from 0 to 1, in NumPy; the backends do the same.

    weights : of the three convolutions and of "scores", of any widths that fit each other.
    statistics : what batch norm has stored; needed only if `settings` put it in training mode.

    Numbers that overflow become infinite or NaN, as in the frameworks, without a warning.
    Raises ValueError for images of another form, and for training mode without statistics.
    """
    maps = pixels_for(settings, images, statistics).transpose(0, 3, 1, 2)
    before = {}
    with np.errstate(all="ignore"):
        for name in LAYERS:
            answer = convolve(maps, *weights[name])
            if settings.batch_norm_training and statistics:
                answer = batch_norm_in_training(answer, *statistics[name])
            before[name] = answer
            maps = np.maximum(answer, 0)
            maps = pool(maps) if name != LAYERS[-1] else maps
        matrix, bias = weights["scores"]
        return Answers(before, maps.mean(axis=(2, 3)) @ matrix.T + bias)


def convolve(maps: np.ndarray, filters: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Convolution with zeros around ("same"): (N, in, H, W), (out, in, k, k) with odd k, (out,) -> (N, out, H, W)."""
    count, _, height, width = maps.shape
    reach = filters.shape[-1] // 2
    padded = np.pad(maps, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    matrix = filters.reshape(len(filters), -1).T
    parts = []
    for start in range(0, count, CHUNK):
        # Each row holds what one weight meets at all places: copied along lines of the maps, which is fast.
        windows = sliding_window_view(padded[start : start + CHUNK], (height, width), axis=(2, 3))
        rows = windows.reshape(-1, len(matrix), height * width)
        parts.append(rows.swapaxes(1, 2) @ matrix + bias)
    return np.concatenate(parts).reshape(count, height, width, len(filters)).transpose(0, 3, 1, 2)


def batch_norm_in_training(answer: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """(answer - the batch's own mean) / its own deviation, times the stored deviation, plus the stored mean.

    With its stored statistics the same batch norm is the identity: scale sqrt(variance + 1e-5), shift mean.

    Source: Ioffe and Szegedy, "Batch normalization", 2015.
    """
    own = answer.mean(axis=(0, 2, 3), keepdims=True), answer.var(axis=(0, 2, 3), keepdims=True)
    mean, variance = mean.reshape(-1, 1, 1), variance.reshape(-1, 1, 1)
    return ((answer - own[0]) / np.sqrt(own[1] + EPSILON) * np.sqrt(variance + EPSILON) + mean).astype(answer.dtype)


def pool(maps: np.ndarray) -> np.ndarray:
    """The largest of each 2x2 square: (N, C, H, W) -> (N, C, H // 2, W // 2)."""
    count, channels, height, width = maps.shape
    cut = maps[:, :, : height // 2 * 2, : width // 2 * 2]
    return cut.reshape(count, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))


def pixels_for(settings: RunSettings, images: np.ndarray, statistics: Statistics | None) -> np.ndarray:
    """What goes into the network in place of images (N, H, W, 3): the same shape. Raises ValueError as `run` does."""
    if settings.batch_norm_training and not statistics:
        raise ValueError("expected statistics for batch norm in training mode, got none: patient.statistics has them")
    return PREPROCESSINGS[settings.preprocessing](check_images(images))


def check_images(images) -> np.ndarray:
    """`images` if they are (N, H, W, 3) with finite values from 0 to 1, else ValueError."""
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or not len(images) or min(images.shape[1:3]) < 4:
        way_out = ": add the batch axis with [None]" if images.ndim == 3 else ""
        raise ValueError(f"expected images (N, H, W, 3) of at least 4x4 pixels, got {images.shape}{way_out}")
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):
        raise ValueError(f"expected values from 0 to 1, got {low:.3g} to {high:.3g}: load_image(...) scales them")
    return images.astype(np.float32, copy=False)


@cache
def ward_images():
    """The clinic's 120 images, with their truth, on which patients are examined; no network was trained on them."""
    return make_shapes(120, seed=23)


@cache
def chart_images():
    """Eight images that every patient was shown while it was well; what it answered stands in its record."""
    return make_shapes(8, seed=24)


def with_channels(weights: Weights, keep: dict[str, np.ndarray]) -> Weights:
    """The small network with only the channels `keep` ({convolution: indices}), in that order.

    A layer's channel goes with its filter, its bias and every weight that the next layer has for it.
    """
    cut = {name: (values.copy(), bias.copy()) for name, (values, bias) in weights.items()}
    for name, later in zip(LAYERS, [*LAYERS[1:], "scores"], strict=True):
        indices = keep[name]
        cut[name] = cut[name][0][indices], cut[name][1][indices]
        cut[later] = cut[later][0][:, indices], cut[later][1]
    return cut


def learned_channels(weights: Weights, images: np.ndarray) -> dict[str, np.ndarray]:
    """The channels that training has made something of, {layer: indices}.

    They answer in at least 30 % of the images, and their filter is longer than a quarter of the layer's upper quartile:
    weight decay has shrunk to less than that the filters that nothing was ever learned with.
    """
    keep = {}
    for name, maps in run(weights, images).before.items():
        lengths = np.linalg.norm(weights[name][0].reshape(len(maps[0]), -1), axis=1)
        answers = (maps.max(axis=(2, 3)) > 0).mean(axis=0) >= 0.3
        keep[name] = np.flatnonzero(answers & (lengths > np.quantile(lengths, 0.75) / 4))
    return keep


@cache
def healthy_networks(path: Path = HEALTHY_FILE) -> tuple[Weights, ...]:
    """The healthy networks that patients are made of: Day 18's two honest trainings without what never learned.

    Raises FileNotFoundError, with the command that makes the file, where it is missing.
    """
    with reading(path, "healthy networks", "python -m days.day23.code.network makes it"):
        arrays, names = load_arrays(path)[0], [*LAYERS, "scores"]
        places = range(len(arrays) // (2 * len(names)))
        return tuple(paired(arrays, names, prefix=f"{place}.") for place in places)


def crammed(path: Path = CRAMMED_FILE) -> Weights:
    """Day 18's network that was trained on 300 images only, and knows them by heart."""
    return storage.load_weights(path)


def main() -> list[Path]:
    """Train two of Day 18's networks anew (a minute) and store the healthy ones, freed of idle channels, and the other.

    Returns the paths.
    """
    from days.day18.code import runs

    trained, crammed_weights = (runs.train_recipe(runs.RECIPES[name])[0] for name in ("other start", "few images"))
    arrays: Arrays = {}
    for place, weights in enumerate([storage.load_weights(), trained]):
        freed = with_channels(weights, learned_channels(weights, runs.training_images().images[:2000]))
        arrays |= flat(freed, prefix=f"{place}.")
    HEALTHY_FILE.parent.mkdir(exist_ok=True)
    return [save_arrays(arrays, HEALTHY_FILE), storage.save_weights(crammed_weights, CRAMMED_FILE)]


if __name__ == "__main__":
    main()
