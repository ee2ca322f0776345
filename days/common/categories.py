"""The names of ImageNet's 1000 categories."""

from __future__ import annotations


def imagenet_categories() -> list[str]:
    """The 1000 ImageNet categories, by index."""
    import torchvision

    return list(torchvision.models.SqueezeNet1_1_Weights.DEFAULT.meta["categories"])
