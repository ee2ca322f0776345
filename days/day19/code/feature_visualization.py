"""Feature maps and gradient ascent in NumPy: the toy whose answer is known, and the loop that real networks share.

Every function takes arrays and returns new ones. Gradients of real networks come from `torch_backend` and
`keras_backend`; all that is done with them is done here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from days.day17.code.feature_maps import check_plane
from days.day17.code.feature_maps import feature_map as feature_map  # belongs to this day's names, too


class AscentStep(NamedTuple):
    """One step: the pixels, the objective that they reach, and the mean |gradient| there."""

    pixels: np.ndarray
    value: float
    slope: float


def gradient_ascent_filter(
    shape: tuple[int, int],
    *,
    kernel: np.ndarray | None = None,
    steps: int = 100,
    learning_rate: float = 0.1,
    seed: int = 0,
) -> np.ndarray:
    """The patch of length 1 that excites a kernel most, found by gradient ascent: k / |k|.

    maximize  sum of x * k  over all x with |x| <= 1

    shape : (kh, kw) of the patch. kernel : of that shape, not all zeros; without one, drawn from `seed`.
    steps, learning_rate : at least 1, and above 0; with few or small steps the answer is not reached.
    seed : draws the patch that the ascent starts from.

    Returns (kh, kw), of length 1 once it has arrived. Raises ValueError for shapes that differ, a kernel of zeros
    (every patch excites it alike) or with NaN, and bad steps or rate.

    >>> kernel = np.array([[3.0, 0.0], [0.0, -4.0]])
    >>> gradient_ascent_filter((2, 2), kernel=kernel).round(2) + 0.0
    array([[ 0.6,  0. ],
           [ 0. , -0.8]])
    """
    generator = np.random.default_rng(seed)
    drawn = generator.normal(size=_check_shape(shape))
    kernel = drawn if kernel is None else kernel
    if np.shape(kernel) != tuple(shape):
        raise ValueError(f"expected a kernel of shape {tuple(shape)}, got {np.shape(kernel)}")
    return dreamed_patches(kernel, steps=steps, learning_rate=learning_rate, seed=seed + 1)[-1]


def dreamed_patches(
    kernel: np.ndarray, *, steps: int = 100, learning_rate: float = 0.1, seed: int = 0, constrained: bool = True
) -> np.ndarray:
    """Every patch of the ascent towards a kernel's favorite, (steps + 1, kh, kw), the random start first.

    The gradient of  sum of x * k  with respect to x is k itself. Each step goes `learning_rate` in its direction; then
    a patch longer than 1 is shortened to 1. With `constrained=False` it is not, and grows for ever.
    """
    kernel = np.asarray(kernel, np.float64)
    if kernel.ndim != 2 or not np.isfinite(kernel).all() or not kernel.any():
        raise ValueError(
            f"expected a 2-D kernel of finite numbers, not all zero, got shape {kernel.shape} with largest value "
            f"{np.abs(kernel).max(initial=0):g}"
        )
    if steps < 1 or not 0 < learning_rate <= 1e6:
        raise ValueError(
            f"expected at least 1 step and a learning rate above 0, at most a million, got {steps} and {learning_rate}"
        )
    uphill = kernel / np.abs(kernel).max()  # so that the squares of tiny or huge weights stay within range
    uphill = uphill / np.linalg.norm(uphill)
    patch = np.random.default_rng(seed).normal(size=kernel.shape)
    patches = [patch / max(1.0, float(np.linalg.norm(patch)))]
    for _ in range(steps):
        patch = patches[-1] + learning_rate * uphill
        patches.append(patch / max(1.0, float(np.linalg.norm(patch))) if constrained else patch)
    return np.stack(patches)


def angle_between(first: np.ndarray, second: np.ndarray) -> float:
    """Angle between two patterns of one shape, in degrees, 0 to 180.

    >>> angle_between(np.array([1.0, 0.0]), np.array([0.0, 2.0]))
    90.0
    """
    if np.shape(first) != np.shape(second) or not np.any(first) or not np.any(second):
        shapes = f"{np.shape(first)} and {np.shape(second)}"
        raise ValueError(f"expected two patterns of one shape, not all zero, got {shapes}")
    pair = [
        each.ravel() / np.abs(each).max() for each in map(np.asarray, (first, second))
    ]  # keeps squares within range
    first, second = (each / np.linalg.norm(each) for each in pair)
    # arccos would lose half the digits near 0.
    return float(np.degrees(2 * np.arctan2(np.linalg.norm(first - second), np.linalg.norm(first + second))))


def mean_gradient(shape: tuple[int, int], kernel: np.ndarray) -> np.ndarray:
    """The gradient of a feature map's mean with respect to the image, by hand: (H, W).

    d mean / d image[a, b] = (sum of kernel[i, j] over all windows that hold the pixel at their place i, j) / windows

    It does not depend on the image: the map is linear in it.

    >>> mean_gradient((1, 3), np.array([[2.0, 4.0]]))
    array([[1., 3., 2.]])
    """
    height, width = _check_shape(shape)
    kernel = check_plane(kernel, "kernel")
    rows, columns = height - kernel.shape[0] + 1, width - kernel.shape[1] + 1
    if rows < 1 or columns < 1:
        raise ValueError(f"expected a kernel no larger than the image {tuple(shape)}, got {kernel.shape}")
    gradient = np.zeros((height, width))
    for (i, j), weight in np.ndenumerate(kernel):
        gradient[i : i + rows, j : j + columns] += weight
    return gradient / (rows * columns)


def finite_differences(
    function: Callable[[np.ndarray], float], pixels: np.ndarray, places: Iterable[tuple], step: float = 1e-3
) -> np.ndarray:
    """Slopes of `function` at chosen places of `pixels`, by trying: (f(x + step) - f(x - step)) / (2 step).

    places : index tuples into `pixels`. Two calls a place; the truth that every gradient can be held against.

    >>> finite_differences(lambda x: float((x**2).sum()), np.array([1.0, 3.0]), [(1,)]).round(6)
    array([6.])
    """
    if not step > 0:
        raise ValueError(f"expected a step above 0, got {step}")
    pixels, slopes = np.asarray(pixels, np.float64), []
    for place in places:
        up, down = pixels.copy(), pixels.copy()
        up[place] += step
        down[place] -= step
        slopes.append((function(up) - function(down)) / (2 * step))
    return np.array(slopes)


def ascend(
    value_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    *,
    steps: int,
    learning_rate: float,
    low=-np.inf,
    high=np.inf,
) -> Iterator[AscentStep]:
    """Plain gradient ascent in pixels: step by step, `steps` + 1 times, the start first.

    pixels <- clip(pixels + learning_rate * gradient / mean |gradient|, low, high)

    value_and_gradient : pixels -> (objective, gradient of the same shape), as the backends give it.
    learning_rate : mean change of a pixel in one step, in the pixels' own units.
    low, high : bounds, numbers or arrays that broadcast to the pixels.

    Where the gradient is zero everywhere the pixels stay as they are; `describe_ascent` tells it from failing.
    Raises ValueError, naming the step, when the objective or a gradient is not finite.
    """
    pixels = np.clip(np.array(start, np.float32), low, high).astype(np.float32)
    if pixels.shape != np.shape(start) or not np.isfinite(pixels).all():
        raise ValueError(f"expected finite pixels and bounds of their shape, got {np.shape(start)} and {pixels.shape}")
    for step in range(steps + 1):
        value, gradient = value_and_gradient(pixels)
        if np.shape(gradient) != pixels.shape:
            raise ValueError(f"expected a gradient of the pixels' shape {pixels.shape}, got {np.shape(gradient)}")
        slope = float(np.abs(gradient).mean())
        if not np.isfinite(value) or not np.isfinite(slope):
            raise ValueError(f"the ascent left the finite numbers at step {step}: take a smaller learning rate")
        yield AscentStep(pixels, float(value), slope)
        if slope > 0:
            pixels = np.clip(pixels + learning_rate * gradient / slope, low, high).astype(np.float32)


def describe_ascent(steps: list[AscentStep]) -> str:
    """What became of an ascent, in one sentence: it rose, it never moved, or it went wrong."""
    if not steps:
        raise ValueError("expected the steps of an ascent, got none")
    # Two digits: further ones differ from processor to processor.
    first, last = (f"{float(f'{step.value:.2g}'):g}" for step in (steps[0], steps[-1]))
    if max(step.slope for step in steps) == 0:
        return f"never moved: no pixel has any influence (gradient 0), and the objective stays at {first}"
    if steps[-1].value == steps[0].value:
        return f"stayed at {first}"
    if steps[-1].value > steps[0].value:
        return f"rose from {first} to {last}"
    return f"failed: there is a gradient, but the objective went from {first} to {last}"


def mean_frequency(texture: np.ndarray) -> float:
    """How fine a texture is: the mean frequency of its power spectrum, in cycles per pixel, 0 to about 0.7.

    texture : (H, W) or (H, W, 3); colors are averaged. A flat one gives 0.

    >>> mean_frequency(np.tile([1.0, -1.0], (8, 4)))  # changes at every pixel
    0.5
    """
    gray = np.asarray(texture, np.float64)
    gray = check_plane(gray.mean(axis=2) if gray.ndim == 3 else gray, "texture")
    power = np.abs(np.fft.fft2(gray - gray.mean())) ** 2
    rows, columns = np.fft.fftfreq(gray.shape[0]), np.fft.fftfreq(gray.shape[1])
    frequency = np.hypot(rows[:, None], columns[None, :])
    return float((power * frequency).sum() / power.sum()) if power.sum() > 0 else 0.0


def _check_shape(shape) -> tuple[int, int]:
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"expected a shape (rows, columns) of at least 1 x 1, got {shape}")
    return tuple(shape)
