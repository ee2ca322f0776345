"""Networks to try the X-ray on: each function here is a MODEL for `python -m days.xray`."""

from __future__ import annotations

from days.common.models import Model, load_model


def squeezenet() -> Model:
    """SqueezeNet in PyTorch, with its preprocessing and its 1,000 categories."""
    return load_model("squeezenet")


def keras_squeezenet() -> Model:
    """The same SqueezeNet in Keras."""
    return load_model("squeezenet", framework="keras")


def efficientnet_lite0() -> Model:
    """EfficientNet-Lite0 in PyTorch."""
    return load_model("efficientnet_lite0")
