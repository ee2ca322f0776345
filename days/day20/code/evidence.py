"""Is a grown picture right? Numbers to hold against it: photos, noise, shakes that it never saw, and its neighbors.

Everything here takes a `Model` of either framework, and returns NumPy arrays.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from days.common.images import IMAGE_NAMES, load_image
from days.common.models import Model
from days.day17.code.backends import capture
from days.day20.code import objectives
from days.day20.code.ascent import Ascent, climb, input_gradient
from days.day20.code.objectives import Objective
from days.day20.code.parameterization import STANDARD, Jitter, bilinear, color_basis, spectrum_scale

LADDER: dict[str, dict[str, Any]] = {
    "raw pixels": {"parameterization": "pixel", "decorrelated": False, "transforms": ()},
    "+ jitter": {"parameterization": "pixel", "decorrelated": False, "transforms": (Jitter(16),)},
    "+ turn and scale": {"parameterization": "pixel", "decorrelated": False, "transforms": STANDARD},
    "+ Fourier": {"parameterization": "fourier", "decorrelated": False, "transforms": STANDARD},
    "+ colors": {"parameterization": "fourier", "decorrelated": True, "transforms": STANDARD},
    "+ diversity": {"parameterization": "fourier", "decorrelated": True, "transforms": STANDARD, "diversity": 0.1},
}
"""One knob of `maximize` more on every rung."""
ONE_FILTER: dict[str, Any] = {"parameterization": "sphere", "decorrelated": False, "transforms": ()}
"""Knobs with which a picture as small as a filter has the proven answer k / |k|."""


def responses(model: Model, wanted: Sequence[Objective], images: Iterable[np.ndarray]) -> np.ndarray:
    """The value of every objective for every image (H, W, 3): (images, objectives)."""
    layers = objectives.layers_of(wanted)
    found = []
    for image in images:
        answers = capture(model.network, layers, model.preprocess(image))
        found.append([float(objectives.value(objective, answers)[0]) for objective in wanted])
    return np.array(found)


def photo_crops(size: int = 128) -> list[np.ndarray]:
    """Square crops (size, size, 3) of the bundled photos, half overlapping, with the shorter side at three scales."""
    crops = []
    for name, scale in itertools.product(IMAGE_NAMES, (1, 1.5, 2.25)):
        height, width = load_image(name).shape[:2]
        factor = scale * size / min(height, width)
        shape = (max(size, round(height * factor)), max(size, round(width * factor)))
        photo = load_image(name, size=shape)
        # Half overlapping, the last ones flush with the end
        corners = itertools.product(*(sorted({*range(0, side - size, size // 2), side - size}) for side in shape))
        crops += [photo[top : top + size, left : left + size] for top, left in corners]
    return crops


def noise_images(count: int, size: int = 128, *, seed: int = 0) -> np.ndarray:
    """Random pictures with the colors and the spectrum of photographs and no content: (count, size, size, 3)."""
    spectra = np.random.default_rng(seed).normal(size=(count, 3, size, size // 2 + 1, 2)) @ [1, 1j]
    values = np.fft.irfft2(spectra * spectrum_scale(size), (size, size))
    values *= 2 / values.std()
    return (1 / (1 + np.exp(-np.einsum("dc,nchw->nhwd", color_basis(), values)))).astype(np.float32)


def held_out_shakes(image: np.ndarray, count: int = 16, *, seed: int = 1) -> Iterator[np.ndarray]:
    """A square image (size, size, 3), shaken beyond what `STANDARD` does: turned by 10 to 20 degrees either way, 12 to
    30 percent larger or smaller, and every second one mirrored."""
    generator, size = np.random.default_rng(seed), len(image)
    for index in range(count):
        angle = np.deg2rad(generator.uniform(10, 20)) * generator.choice([-1, 1])
        factor = generator.uniform(1.12, 1.3) ** generator.choice([-1, 1])
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]]) * factor
        indices, weights = bilinear(turn @ np.diag([1 - 2 * (index % 2), 1, 1]), size)
        yield (image.reshape(-1, 3)[indices] * weights[..., None]).sum(axis=0).reshape(image.shape)


def robustness(model: Model, wanted: Sequence[Objective], images: Iterable[np.ndarray]) -> np.ndarray:
    """For each objective and its picture: the value of the picture as it is, and the mean over 16 shakes; (n, 2)."""
    found = []
    for objective, image in zip(wanted, images, strict=True):
        untouched, *shaken = responses(model, [objective], [image, *held_out_shakes(image)])[:, 0]
        found.append((untouched, np.mean(shaken)))
    return np.array(found)


class Patch(NamedTuple):
    """A place of a photo that excites a channel: the photo's name, the unit's answer, and what the unit looks at."""

    photo: str
    answer: float
    image: np.ndarray


def top_patches(model: Model, place: tuple[str, int], photos: dict[str, np.ndarray], count: int = 3) -> list[Patch]:
    """The patches that excite a channel most, the strongest place of each photo {name: (H, W, 3)}, `count` of them.

    place : (layer, channel). A patch is the square that holds 90 percent of what influences the unit, by the gradient.
    """
    (layer, index), found = place, []
    for name, photo in photos.items():
        batch = model.preprocess(photo)
        answers = capture(model.network, layer, batch)[layer][0, index]
        row, column = map(int, np.unravel_index(answers.argmax(), answers.shape))
        gradient = input_gradient(model.network, objectives.unit(layer, index, row, column), batch)[0]
        if answers.max() > 0 and gradient.any():
            top, left, side = influence_window(gradient)
            found.append(Patch(name, float(answers.max()), photo[top : top + side, left : left + side]))
    return sorted(found, key=lambda patch: -patch.answer)[:count]


def influence_window(gradient: np.ndarray, share: float = 0.9) -> tuple[int, int, int]:
    """The smallest square, around the center of what influences a unit, that holds `share` of the influence.

    gradient : of one unit for every pixel, (3, H, W). Returns the square's top, left and side in pixels; it lies within
    the image. Source: Luo and others, "Understanding the effective receptive field", 2016.
    Raises ValueError where nothing has influence.
    """
    strength = np.abs(gradient).sum(axis=0)
    total = strength.sum()
    if not total > 0:
        raise ValueError("expected a unit that some pixel influences, got a gradient of 0: the unit is silent")
    places = np.indices(strength.shape)
    middle = [round(float((along * strength).sum() / total)) for along in places]
    for side in range(2, min(strength.shape) + 1):
        top, left = (
            int(np.clip(center - side // 2, 0, length - side))
            for center, length in zip(middle, strength.shape, strict=True)
        )
        if strength[top : top + side, left : left + side].sum() >= share * total:
            break
    return top, left, side


def never_moved(model: Model, layer: str, channels: int, *, before_relu: bool) -> int:
    """How many of a layer's first `channels` channels have pictures that eight steps of ascent leave as they were."""
    count = 0
    for first in range(0, channels, 64):
        asked = range(first, min(first + 64, channels))
        ascent = Ascent(model.network, layer, asked, size=64, before_relu=before_relu, preprocess=model.preprocess)
        before = ascent.images()
        after, _ = climb(ascent, 8, progress=False)
        count += int((np.abs(after - before).max(axis=(1, 2, 3)) == 0).sum())
    return count


def mean_amplitude(images: Sequence[np.ndarray]) -> np.ndarray:
    """Mean amplitude of gray images (size, size) at the frequencies 1, 2, ... size / 2 - 1 waves across the picture."""
    size = len(images[0])
    window = np.hanning(size)[:, None] * np.hanning(size)
    distance = np.round(np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)) * size)
    mean = np.mean([np.abs(np.fft.fft2((image - image.mean()) * window)) for image in images], axis=0)
    return np.array([mean[distance == frequency].mean() for frequency in range(1, size // 2)])
