"""Pictures of six shapes on six textures, drawn from a seed: a data set whose truth is known to the pixel.

What varies, and what depends on what
-------------------------------------
label (the shape), texture, position, size, angle, colors and noise are drawn for each image from the seed.

- The label is independent of everything else, and all six are equally frequent. Shapes of one size cover the same
  area, so that neither brightness nor area tells them apart: only the outline does.
- The texture is drawn independently of the label, except in the share `background_correlation` of the images, whose
  texture is the one that goes with the label (the texture of the same number).
- The position depends on the size alone: the shape lies wholly inside the image, and small ones have more room.
- The object's color is the one of eight drawn that is farthest from both colors of the texture, so that it is seen.

With one seed, count and size, two values of `background_correlation` give the same objects in the same places with
the same noise: just the textures differ, and those that are tied at the lower value are tied at the higher one. The
same holds for textures that are named, by `backgrounds`. What lies inside an outline by half a pixel or more stays as
it was, bit for bit; the pixels on the outline itself are part object, part background.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from days.common.checks import check_integer

SHAPE_NAMES = ("disc", "ring", "square", "triangle", "cross", "star")
BACKGROUND_NAMES = ("shading", "stripes", "checks", "rings", "dots", "waves")
SMALLEST, LARGEST = 0.15, 0.25
"""Radius of the disc of a shape's area, as a share of the image's side."""
REACH = 1.75
"""No shape's corner is farther from its center than this many of those radii."""
CHUNK = 250
STRENGTH = 0.6


class ImageSet:
    """A frozen dataclass of arrays that are indexed alike: its length is theirs, and [which] takes the same of each."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))  # type: ignore[arg-type]

    def __getitem__(self, which):
        """Some of the pictures, chosen by a slice, an array of indices or a mask. Raises TypeError for one integer."""
        if isinstance(which, (int, np.integer)):
            raise TypeError(f"expected a slice or indices, got {which}: [{which} : {which} + 1] is one image")
        return type(self)(*(getattr(self, field.name)[which] for field in fields(self)))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Shapes(ImageSet):
    """Images with their truth.

    images : (N, size, size, 3) float32 in [0, 1], RGB. labels : (N,) int64, the numbers of `SHAPE_NAMES`.
    masks : (N, size, size) bool, True on the object. backgrounds : (N,) int64, the numbers of `BACKGROUND_NAMES`.
    """

    images: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    backgrounds: np.ndarray


def make_shapes(
    count: int, *, seed: int, size: int = 32, background_correlation: float = 0.0, backgrounds: np.ndarray | None = None
) -> Shapes:
    """Draw `count` images of one shape each; the module's head says what is independent of what.

    seed : a whole number of at least 0; the same one gives the same images. size : side in pixels, at least 16.
    background_correlation : from 0 to 1; of the images that it does not tie, one in six has its label's texture, too.
    backgrounds : (count,) numbers of `BACKGROUND_NAMES`, where each image's texture is to be named: no dial then.

    Raises ValueError for a number outside these bounds.

    >>> data = make_shapes(12, seed=0)
    >>> data.images.shape, [SHAPE_NAMES[label] for label in data.labels[:3]]
    ((12, 32, 32, 3), ['triangle', 'square', 'ring'])
    """
    count, seed = check_integer(count, 1, "count"), check_integer(seed, 0, "seed")
    size = check_integer(size, 16, "size")
    if not 0 <= background_correlation <= 1:
        raise ValueError(f"expected background_correlation from 0 to 1, got {background_correlation}")
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(count) % len(SHAPE_NAMES))
    drawn = generator.integers(len(BACKGROUND_NAMES), size=count)
    tied = generator.permutation(count) < round(background_correlation * count)
    drawn = np.where(tied, labels, drawn)
    backgrounds = drawn if backgrounds is None else _named(backgrounds, count, background_correlation)
    images, masks = np.empty((count, size, size, 3), np.float32), np.empty((count, size, size), bool)
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        images[part], masks[part] = _draw(labels[part], backgrounds[part], size, generator)
    return Shapes(images, labels, masks, backgrounds)


def _named(backgrounds, count: int, dial: float) -> np.ndarray:
    backgrounds, kinds = np.array(backgrounds), len(BACKGROUND_NAMES)
    if dial:
        raise ValueError(f"expected backgrounds or a background_correlation, got both, the second as {dial}: drop one")
    if backgrounds.shape != (count,) or backgrounds.dtype.kind not in "iu":
        found = f"{backgrounds.dtype} of shape {backgrounds.shape}"
        raise ValueError(f"expected backgrounds as {count} whole numbers, ({count},), got {found}")
    if backgrounds.min() < 0 or backgrounds.max() >= kinds:
        raise ValueError(f"expected backgrounds from 0 to {kinds - 1}, got {backgrounds.min()} to {backgrounds.max()}")
    return backgrounds.astype(np.int64)


def _draw(labels: np.ndarray, backgrounds: np.ndarray, size: int, generator) -> tuple[np.ndarray, np.ndarray]:
    """Images and masks of one chunk; draws the same numbers whatever labels and backgrounds are."""
    count = len(labels)
    radius = size * generator.uniform(SMALLEST, LARGEST, count).astype(np.float32)
    room = size / 2 - REACH * radius - 0.5
    center = size / 2 - 0.5 + room[:, None] * generator.uniform(-1, 1, (count, 2)).astype(np.float32)
    angle = generator.uniform(0, 2 * math.pi, count).astype(np.float32)
    outside = np.empty((count, size, size), np.float32)
    for label, distance in enumerate(_DISTANCES):
        chosen = labels == label
        x, y = _grid(size, center[chosen], angle[chosen], radius[chosen])
        outside[chosen] = distance(x, y) * radius[chosen, None, None]
    texture = STRENGTH * _textures(backgrounds, size, generator)
    colors = generator.uniform(0.1, 0.9, (count, 2, 3)).astype(np.float32)
    first, second = colors[:, 0, None, None], colors[:, 1, None, None]
    images = first + texture[..., None] * (second - first)
    fills = _contrasting(colors, generator)
    cover = np.clip(0.5 - outside, 0, 1)[..., None]  # a border pixel is as much object as the outline covers
    images = (1 - cover) * images + cover * fills[:, None, None]
    spread = generator.uniform(0.01, 0.05, (count, 1, 1, 1)).astype(np.float32)
    images += spread * generator.standard_normal(images.shape, np.float32)
    return np.clip(images, 0, 1, out=images), outside <= 0


def _grid(size: int, center: np.ndarray, angle: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel's place (n, size, size) in coordinates that are moved to `center`, turned and measured in `unit`."""
    places = np.arange(size, dtype=np.float32)
    across = (places - center[:, :1])[:, None, :] / unit[:, None, None]
    down = (places - center[:, 1:])[:, :, None] / unit[:, None, None]
    cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    return cosine * across + sine * down, cosine * down - sine * across


def _triangle(x, y):
    inradius, slant = math.sqrt(math.pi / (3 * math.sqrt(3))), math.sqrt(3) / 2
    return np.maximum(np.maximum(slant * x + y / 2, y / 2 - slant * x), -y) - inradius


def _cross(x, y):
    x, y, half = np.abs(x), np.abs(y), math.sqrt(9 * math.pi / 20)
    return np.minimum(np.maximum(x - half, y - half / 3), np.maximum(x - half / 3, y - half))


def _star(x, y, reach=1.673, waist=0.382):
    """Five points: the distance to the edge between a tip and the notch beside it, folded onto all ten edges."""
    fifth = 2 * math.pi / 5
    turn = np.abs((np.arctan2(y, x) + fifth / 2) % fifth - fifth / 2)
    radius = np.hypot(x, y)
    notch = np.array([math.cos(fifth / 2), math.sin(fifth / 2)]) * waist * reach
    along = notch - [reach, 0]
    normal = np.array([along[1], -along[0]]) / np.hypot(*along)
    edge = (radius * np.cos(turn) - reach) * np.float32(normal[0]) + radius * np.sin(turn) * np.float32(normal[1])
    return np.maximum(edge, radius - reach)  # beyond a tip, where the edges' lines would go on


_DISTANCES: tuple[Callable, ...] = (
    lambda x, y: np.hypot(x, y) - 1,
    lambda x, y: np.abs(np.hypot(x, y) - 1) - 0.25,
    lambda x, y: np.maximum(np.abs(x), np.abs(y)) - math.sqrt(math.pi) / 2,
    *(_triangle, _cross, _star),
)
"""For every shape, how far a point is outside its outline, in units of the radius; negative inside."""


def _textures(backgrounds: np.ndarray, size: int, generator) -> np.ndarray:
    """One texture (size, size) from 0 to 1 for each number in `backgrounds`, each turned and stretched at random."""
    count = len(backgrounds)
    center = generator.uniform(0, size, (count, 2)).astype(np.float32)
    angle = generator.uniform(0, 2 * math.pi, count).astype(np.float32)
    period = size * generator.uniform(0.14, 0.24, count).astype(np.float32)
    x, y = _grid(size, center, angle, period / (2 * math.pi))
    texture = np.empty((count, size, size), np.float32)
    for background, pattern in enumerate(_PATTERNS):
        chosen = backgrounds == background
        texture[chosen] = pattern(x[chosen], y[chosen])
    return texture


_PATTERNS: tuple[Callable, ...] = (
    lambda x, y: 0.5 + x / 130,
    lambda x, y: 0.5 + np.sin(x) / 2,
    lambda x, y: 0.5 + np.clip(4 * np.sin(x / 2) * np.sin(y / 2), -0.5, 0.5),
    lambda x, y: 0.5 + np.sin(np.hypot(x, y)) / 2,
    lambda x, y: np.clip(2 * (np.cos(x) + np.cos(y)) - 1.5, 0, 1),
    lambda x, y: 0.5 + np.sin(x + 1.5 * np.sin(y / 2)) / 2,
)


def _contrasting(colors: np.ndarray, generator) -> np.ndarray:
    """Of eight colors drawn for each image, the one whose nearer background color is farthest: (n, 3)."""
    drawn = generator.uniform(0, 1, (len(colors), 8, 3)).astype(np.float32)
    apart = np.linalg.norm(drawn[:, :, None] - colors[:, None], axis=-1).min(axis=2)
    return drawn[np.arange(len(colors)), apart.argmax(axis=1)]
