"""Which pixels decided, in PyTorch: the functions of `methods`, which take a network of either framework."""

from __future__ import annotations

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
    "occlusion",
    "randomized",
    "saliency",
    "scores",
    "smooth_grad",
]
