"""Which pixels decided, in PyTorch: the functions of `methods`, which take a network of either framework."""

from days.day22.code.methods import (  # noqa: F401
    grad_cam,
    guided_backpropagation,
    hires_cam,
    integrated_gradients,
    layer_cam,
    occlusion,
    saliency,
    scores,
    smooth_grad,
)
from days.day22.code.randomization import randomized  # noqa: F401
