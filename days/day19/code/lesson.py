"""What Day 19's figures and notebook compute once and use often: kernels for the toy, and ascents on SqueezeNet."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from days.common.images import load_image
from days.common.squeezenet import MEAN_BGR, denormalize
from days.day17.code import lesson as lesson17
from days.day19.code import feature_visualization as fv
from days.day19.code.gradients import objective_and_gradient, value_and_gradient

# The lowest and highest values that a pixel of SqueezeNet's batches (N, 3, H, W) can have.
LOW = -MEAN_BGR.reshape(1, 3, 1, 1)
HIGH = 255 - MEAN_BGR.reshape(1, 3, 1, 1)
KERNELS = np.array(
    [
        [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
        [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
        [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
        [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
    ],
    np.float32,
)
KERNELS /= np.abs(KERNELS).sum(axis=(1, 2), keepdims=True)
"""Two kinds of edges, spots, brightness; the absolute values of each kernel's weights add up to 1."""

DREAM_STEPS, DREAM_RATE = 30, 3.0
DREAM_LAYERS = ("fire2", "fire4", "fire6", "fire8")
FAVORITES = (
    ("conv1_activation", 47),
    ("conv1_activation", 60),
    ("fire2", 84),
    ("fire4", 200),
    ("fire6", 341),
    ("fire6", 233),
)


def to_image(pixels: np.ndarray) -> np.ndarray:
    """The first picture of a batch (N, 3, H, W) of SqueezeNet's pixels as an image (H, W, 3)."""
    return denormalize(np.moveaxis(pixels[0], 0, -1))


def noise(size: int = 128, *, seed: int = 0, strength: float = 8.0) -> np.ndarray:
    """Faint gray noise to start an ascent from: (1, 3, size, size), in pixel units of 0 to 255 around the mean."""
    return np.random.default_rng(seed).normal(0, strength, (1, 3, size, size)).astype(np.float32)


class Lesson(lesson17.Lesson):
    """Day 17's material, and ascents on it."""

    def ascent(
        self, layer: str, channel: int | None, start: np.ndarray | None = None, **settings: Any
    ) -> list[fv.AscentStep]:
        """A plain ascent from noise, or from a batch, as a list of steps."""
        usual: dict[str, Any] = {"steps": 60, "learning_rate": 4.0, "low": LOW, "high": HIGH}
        ask = partial(value_and_gradient, self.model.network, layer, channel=channel)
        return list(fv.ascend(ask, noise() if start is None else start, **usual | settings))

    @property
    def small_cat(self) -> np.ndarray:
        """The cat as a batch of SqueezeNet's pixels, (1, 3, 128, 128)."""
        return self.model.preprocess(load_image("chelsea", size=128)).numpy()

    def dream(self, layer: str) -> np.ndarray:
        """The cat's photo with one layer amplified, an image."""
        start = self.model.preprocess(self.cat).numpy()
        return to_image(self.ascent(layer, None, start, steps=DREAM_STEPS, learning_rate=DREAM_RATE)[-1].pixels)

    def attacked(self, photo: np.ndarray, epsilon: float) -> np.ndarray:
        """An adversarial example by the fast gradient sign method: an image (H, W, 3) as large as the photo.

        epsilon : how much each pixel changes, of 255. Its sign is that of the loss' gradient for the category that the
        network names.
        """
        batch = self.model.preprocess(photo)
        category = int(self.model.logits(batch)[0].argmax())

        def loss(answers):
            return -answers["logits"].log_softmax(1)[0, category]

        _, slope = objective_and_gradient(self.model.network, batch, loss, ["logits"])
        return to_image(np.clip(batch.numpy() + epsilon * np.sign(slope), LOW, HIGH))
