"""Which pixels decided, in Keras: the functions of `methods`, which take a network of either framework."""

from __future__ import annotations

from days.common.keras_private import run_watched
from days.day17.code.keras_backend import keras
from days.day19.code.keras_backend import is_relu, tensorflow
from days.day22.code.methods import (
    grad_cam,
    guided_backpropagation,
    integrated_gradients,
    occlusion,
    saliency,
    scores,
    smooth_grad,
)
from days.day22.code.randomization import randomized

__all__ = [
    "grad_cam",
    "guided_backpropagation",
    "integrated_gradients",
    "is_relu",
    "keras",
    "occlusion",
    "randomized",
    "run_watched",
    "saliency",
    "scores",
    "smooth_grad",
    "tensorflow",
]
