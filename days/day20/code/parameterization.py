"""How a picture is written down while it grows, and how it is shaken, in NumPy: both frameworks start from here.

Source: Olah, Mordvintsev and Schubert, "Feature visualization", Distill, 2017; Mordvintsev and others,
"Differentiable image parameterizations", Distill, 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from days.common import squeezenet
from days.common.checks import check_integer, is_number
from days.common.images import IMAGE_NAMES, load_image
from days.common.preprocessing import Pixels, Preprocess
from days.day17.code.backends import backend_of

PARAMETERIZATIONS = ("fourier", "pixel", "sphere")


def spectrum_scale(size: int) -> np.ndarray:
    """Factor for every frequency of a picture's spectrum, (size, size // 2 + 1): size / frequency.

    Photographs hold less, the finer the detail, in proportion to 1 / frequency. With this factor one step of ascent
    changes all frequencies as photographs would have it, where steps on pixels change the finest most. The lowest
    frequency, 0, gets the factor of the one above it.
    """
    across, down = np.fft.rfftfreq(size)[None], np.fft.fftfreq(size)[:, None]
    return (size / np.maximum(np.hypot(across, down), 1 / size)).astype(np.float32)


@cache
def color_basis() -> np.ndarray:
    """Three directions of color, as columns (3, 3): how red, green and blue vary together in the bundled photos.

    They are the principal directions of the photos' colors, each as long as its spread, the longest 1: first light
    against dark, then the two of hue, which vary less.
    """
    pixels = np.concatenate([load_image(name, size=64).reshape(-1, 3) for name in IMAGE_NAMES])
    directions, variances, _ = np.linalg.svd(np.cov(pixels.T.astype(np.float64)))
    basis = directions * np.sqrt(variances)
    return (basis / np.linalg.norm(basis, axis=0).max()).astype(np.float32)


@cache
def photo_amplitudes(size: int) -> np.ndarray:
    """The mean amplitude of every wave in the bundled photos, in the colors of `color_basis`: (3, size, size // 2 + 1).

    As `np.fft.rfft2` lays waves out, of the values that a sigmoid turns into colors. Source: Fel and others, 2023,
    arXiv:2306.06805, who take the mean over ImageNet.
    """
    photos = np.stack([load_image(name, size=size) for name in IMAGE_NAMES]).clip(0.02, 0.98).astype(np.float64)
    values = np.einsum("dc,nhwc->ndhw", np.linalg.inv(color_basis()), np.log(photos / (1 - photos)))
    return np.abs(np.fft.rfft2(values)).mean(axis=0).astype(np.float32)


def start(count: int, size: int, *, seed: int, parameterization: str) -> np.ndarray:
    """Faint noise to grow pictures from: spectra (count, 3, size, size // 2 + 1, 2) or pixels (count, 3, size, size).

    A "sphere" is written in pixels, too; see `Ascent`. Raises ValueError for an unknown parameterization.
    """
    if parameterization not in PARAMETERIZATIONS:
        raise ValueError(f"expected a parameterization of {', '.join(PARAMETERIZATIONS)}, got {parameterization!r}")
    shape = (count, 3, size, size // 2 + 1, 2) if parameterization == "fourier" else (count, 3, size, size)
    return np.random.default_rng(seed).normal(0, 0.01, shape).astype(np.float32)


def pixel_map(preprocess: Callable, to_numpy: Callable) -> tuple[np.ndarray, np.ndarray]:
    """What `preprocess` does to a color, as a matrix (3, 3) and an offset (3,): input = matrix @ RGB + offset.

    It is read off four plain images, black, red, green and blue, so that any such preprocessing can be differentiated.
    Raises ValueError for one that does not treat each pixel alike.
    """
    colors = np.concatenate([np.zeros((1, 3)), np.eye(3), [[0.2, 0.5, 0.9]]]).astype(np.float32)
    inputs = [to_numpy(preprocess(np.broadcast_to(color, (32, 32, 3)).copy())) for color in colors]
    answers = np.stack([one.reshape(3, -1)[:, 0] for one in inputs])
    matrix, offset = (answers[1:4] - answers[0]).T, answers[0]
    if not np.allclose(matrix @ colors[4] + offset, answers[4], rtol=1e-3, atol=1e-3):
        raise ValueError("expected a preprocessing that scales and shifts each pixel's color, got one that does more")
    return matrix.astype(np.float32), offset.astype(np.float32)


@dataclass(frozen=True)
class Painting:
    """How what grows becomes a picture of `size` x `size` pixels, a picture the network's input, and how it is moved.

    diversity, learning_rate : as of `Ascent`.
    """

    size: int
    parameterization: str
    decorrelated: bool
    pixels: Pixels
    diversity: float
    learning_rate: float

    @property
    def key(self) -> tuple:
        """The same for two paintings that are alike."""
        colors = self.pixels.matrix.astype(np.float32).tobytes() + self.pixels.offset.astype(np.float32).tobytes()
        return self.size, self.parameterization, self.decorrelated, colors, self.diversity, self.learning_rate


def pixels_of(network, preprocess: Callable | None = None) -> Pixels:
    """A preprocessing as a value: a `Model`'s own, a learner's read off by `pixel_map`, or SqueezeNet's."""
    if preprocess is None:
        return squeezenet.PIXELS
    if isinstance(preprocess, Preprocess):
        return preprocess.pixels
    if not callable(preprocess):
        raise ValueError(f"expected preprocess as a function of an image, got {preprocess!r}: model.preprocess is one")
    looking = backend_of(network)

    def planes(batch):
        looking.check_batch(network, batch)
        return looking.to_pixels(batch).transpose(0, 3, 1, 2)

    return Pixels("a learner's own", *pixel_map(preprocess, planes))


def check_knobs(size, seed, transforms, diversity, learning_rate) -> tuple[int, int, tuple]:
    """The size and the seed as whole numbers, and the transforms; ValueError for a knob that `Ascent` cannot take."""
    transforms = transforms if isinstance(transforms, Sequence) else (transforms,)
    # A class has a `matrix`, too, which only one that was called can draw.
    if not all(hasattr(one, "matrix") and not isinstance(one, type) for one in transforms):
        raise ValueError(f"expected transforms such as (Jitter(16), Rotate(8)), or () for none, got {transforms!r}")
    if not is_number(learning_rate) or learning_rate <= 0:
        raise ValueError(f"expected a learning_rate above 0, got {learning_rate!r}: 0.05 is usual")
    if not is_number(diversity) or diversity < 0:
        raise ValueError(f"expected a diversity of at least 0, got {diversity!r}: 0.1 is usual")
    return check_integer(size, 2, "size"), check_integer(seed, 0, "seed"), tuple(transforms)


# ---------------------------------------------------------------- transforms
# Each draws itself as a matrix (3, 3), in coordinates from -1 to 1 over a picture of `size` pixels.


class _EitherWay:
    """What moves a picture by up to so much either way: its only field."""

    def __post_init__(self):
        (reach,) = vars(self).values()
        if not is_number(reach) or reach < 0:
            raise ValueError(f"expected a number of at least 0, how far either way, got {self}")


@dataclass(frozen=True)
class Pad:
    """Let the network look at `pixels` more on every side: the picture reflected. It costs time."""

    pixels: int = 8

    def __post_init__(self):
        check_integer(self.pixels, 0, "Pad's pixels")

    def matrix(self, generator: np.random.Generator, size: int) -> np.ndarray:
        """Nothing moves, `padded` makes the room."""
        return np.eye(3)


@dataclass(frozen=True)
class Jitter(_EitherWay):
    """Move the picture by up to `pixels` each way."""

    pixels: float = 16

    def matrix(self, generator: np.random.Generator, size: int) -> np.ndarray:
        right, down = generator.uniform(-self.pixels, self.pixels, 2) * 2 / size
        return np.array([[1, 0, right], [0, 1, down], [0, 0, 1]])


@dataclass(frozen=True)
class Rotate(_EitherWay):
    """Turn the picture by up to `degrees` either way."""

    degrees: float = 8

    def matrix(self, generator: np.random.Generator, size: int) -> np.ndarray:
        angle = np.deg2rad(generator.uniform(-self.degrees, self.degrees))
        return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


@dataclass(frozen=True)
class Scale:
    """Make the picture larger or smaller by a factor from `low` to `high`."""

    low: float = 0.9
    high: float = 1.1

    def __post_init__(self):
        if not (is_number(self.low) and is_number(self.high) and 0 < self.low <= self.high):
            raise ValueError(f"expected factors with 0 < low <= high, got {self}")

    def matrix(self, generator: np.random.Generator, size: int) -> np.ndarray:
        factor = 1 / generator.uniform(self.low, self.high)
        return np.diag([factor, factor, 1.0])


STANDARD = (Jitter(16), Rotate(8), Scale(0.9, 1.1))


def padded(transforms: Sequence, size: int) -> int:
    """How many pixels wide the network sees a picture of `size`: more than that where there is a `Pad`."""
    return size + 2 * sum(one.pixels for one in transforms if isinstance(one, Pad))


def draw_transform(transforms: Sequence, generator: np.random.Generator, size: int) -> np.ndarray:
    """All transforms in turn, drawn at random, as one matrix (2, 3): where each pixel of the shaken picture comes from.

    What lies beyond the border is the picture reflected, so that no frame shows.
    """
    room = padded(transforms, size) / size
    matrix = np.diag([room, room, 1])
    for one in transforms:
        matrix = one.matrix(generator, size) @ matrix
    return matrix[:2].astype(np.float32)


def bilinear(matrix: np.ndarray, size: int, wide: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A transform (2, 3) written out: for each pixel the four that it is mixed from, and their shares.

    Returns, for a shaken picture of wide x wide pixels (`size` unless told), indices (4, wide * wide) into the
    flattened picture and weights of the same shape that add up to 1. Beyond the border the picture is reflected.
    PyTorch's `grid_sample` does the same from the matrix itself.
    """
    wide = wide or size
    places = (2 * np.arange(wide) + 1) / wide - 1
    across, down = np.meshgrid(places, places)
    wanted = np.einsum("ij,jyx->iyx", matrix, np.stack([across, down, np.ones_like(across)]))
    pixels = np.mod((wanted + 1) * size / 2, 2 * size)
    pixels = np.clip(np.where(pixels > size, 2 * size - pixels, pixels) - 0.5, 0, size - 1).reshape(2, -1)
    low = np.floor(pixels).astype(np.int32)
    high, share = np.minimum(low + 1, size - 1), pixels - low
    indices, weights = [], []
    for row, part in ((low[1], 1 - share[1]), (high[1], share[1])):
        for column, other in ((low[0], 1 - share[0]), (high[0], share[0])):
            indices.append(row * size + column)
            weights.append(part * other)
    return np.stack(indices).astype(np.int32), np.stack(weights).astype(np.float32)
