"""The names of ImageNet's 1000 categories."""

from __future__ import annotations

from days.common.frameworks import import_torchvision


def imagenet_categories() -> list[str]:
    """The 1000 ImageNet categories, by index."""
    return list(import_torchvision().models.SqueezeNet1_1_Weights.DEFAULT.meta["categories"])
