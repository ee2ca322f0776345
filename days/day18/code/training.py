"""What a training does, in NumPy: one filter that learns, a small network's start, and its plan of batches.

Every function takes arrays and returns new ones. Random numbers come from a seed that is passed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from days.common.preprocessing import scaled
from days.day17.code.feature_maps import feature_map

CONVOLUTIONS = {"conv1": (16, 3, 7, 7), "conv2": (32, 16, 3, 3), "conv3": (64, 32, 3, 3)}
"""The small network: filters (out, in, kh, kw), each followed by a ReLU, the first two also by 2x2 max pooling."""
SCORES = (6, 64)
"""After the mean over all places, one linear layer: (categories, channels)."""
WEIGHT_DECAY = 5e-4
MOMENTUM = 0.9
PIXELS = scaled("-1 to 1, RGB: gray is 0", 2, -1)

Weights = dict[str, tuple[np.ndarray, np.ndarray]]
"""Layer name -> (weights, bias (out,)), float32; filters (out, in, kh, kw) or a matrix (out, in)."""


def filter_gradient(image: np.ndarray, student: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """How wrong a filter's map is, and how that changes with each of its weights.

    loss = mean over places of error**2, with error = feature_map(image, student) - target
    gradient[i, j] = 2 * mean over places (y, x) of error[y, x] * image[y + i, x + j]

    The sum in the second line is itself a feature map: the error, slid over the image.

    image : (H, W). student : (kh, kw). target : the map wanted, (H - kh + 1, W - kw + 1). Returns loss and gradient.

    >>> filter_gradient(np.array([[1.0, 3.0]]), np.array([[0.0]]), np.array([[1.0, 3.0]]))
    (5.0, array([[-10.]]))
    """
    error = feature_map(image, student) - target
    return float((error**2).mean()), 2 * feature_map(image, error) / error.size


def learn_filter(
    image: np.ndarray, target: np.ndarray, start: np.ndarray, *, learning_rate: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient descent on one filter, from `start`, towards the map `target`: filter -= learning_rate * gradient.

    Returns the filters (steps + 1, kh, kw), the start among them, and the loss of each (steps + 1,); fewer where a loss
    is no longer finite, which ends the steps.
    """
    filters, losses = [np.asarray(start, np.float64)], []
    for _ in range(steps + 1):
        loss, gradient = filter_gradient(image, filters[-1], target)
        losses.append(loss)
        step = filters[-1] - learning_rate * gradient
        if not np.isfinite(step).all() or not np.abs(step).max() < 1e100:
            break
        filters.append(step)
    return np.stack(filters[: len(losses)]), np.array(losses)


def curvatures(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """How sharply the loss of `filter_gradient` bends along its principal directions, smallest first: (kh * kw,).

    They are the eigenvalues of 2 / n * sum over the n windows w of the image of w w^T. Gradient descent converges for
    a learning rate below 2 / largest, and above it grows without bound.

    Source: LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998.
    """
    windows = sliding_window_view(np.asarray(image, np.float64), shape).reshape(-1, shape[0] * shape[1])
    return np.linalg.eigvalsh(2 / len(windows) * windows.T @ windows)


def weight_shapes() -> dict[str, tuple[int, ...]]:
    """The small network's layers with weights, in forward order: {layer: shape of its weights}."""
    return {**CONVOLUTIONS, "scores": SCORES}


def normalize(images: np.ndarray) -> np.ndarray:
    """The pixels that the small network wants: RGB from -1 to 1, so that gray is 0; any shape (..., 3)."""
    return PIXELS(images.astype(np.float32))


def initial_weights(seed: int, *, scale: float = 1.0) -> Weights:
    """The small network's first weights, for both frameworks: He-uniform filters, zero biases, drawn from `seed`.

    A filter's weights are uniform within sqrt(6 / inputs), so that a ReLU network passes signals on at their size;
    `scale` multiplies the three convolutions' and spoils that.

    Source: He and others, "Delving deep into rectifiers", 2015.
    """
    generator = np.random.default_rng(seed)
    weights = {}
    for name, shape in weight_shapes().items():
        bound = np.sqrt((6 if name in CONVOLUTIONS else 3) / np.prod(shape[1:]))
        values = generator.uniform(-bound, bound, shape) * (scale if name in CONVOLUTIONS else 1)
        weights[name] = (values.astype(np.float32), np.zeros(shape[0], np.float32))
    return weights


def batches(count: int, *, size: int, steps: int, seed: int) -> Iterator[np.ndarray]:
    """`steps` batches of `size` indices below `count`: each index once before any comes twice, in an order from `seed`.

    Raises ValueError for no images or batches of none.

    >>> [batch.tolist() for batch in batches(4, size=2, steps=3, seed=0)]
    [[2, 0], [1, 3], [3, 2]]
    """
    if count < 1 or size < 1:
        raise ValueError(f"expected at least one image, and batches of at least one, got {count} and {size}")
    generator, waiting = np.random.default_rng(seed), np.empty(0, np.int64)
    for _ in range(steps):
        while len(waiting) < size:
            waiting = np.concatenate([waiting, generator.permutation(count)])
        yield waiting[:size]
        waiting = waiting[size:]


def plan(count: int, *, size: int, steps: int, seed: int, learning_rate: float) -> Iterator[tuple[np.ndarray, float]]:
    """What to do in each step: a batch of indices, and the learning rate, a tenth in the last seventh, to settle."""
    if not 0 <= learning_rate < np.inf:
        raise ValueError(f"expected a finite learning rate of at least 0, got {learning_rate}")
    for step, indices in enumerate(batches(count, size=size, steps=steps, seed=seed)):
        yield indices, learning_rate if step < 6 * steps // 7 else learning_rate / 10
