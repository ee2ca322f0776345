"""How pixels become a network's input: as the learner says, as a model of the course does, and the usual other ways."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from days.common.comparison import brief
from days.common.preprocessing import Pixels

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LUMINANCE = np.array([[0.299, 0.587, 0.114]])
CAFFE_MEAN = np.array([123.0, 117.0, 104.0])


def pixels_from(channels: int, mean=None, std=None, order: str = "rgb") -> Pixels:
    """The preprocessing (value - mean) / std of values from 0 to 1, as a learner gives it.

    Parameters
    ----------
    channels : 1 (gray) or 3. mean, std : a number or one for each channel, in the network's order; ImageNet's unless
        given, or for gray their averages. order : "rgb" or "bgr".

    Raises ValueError for anything else. A network that wants 0 to 255 has a std of 1 / 255.
    """
    if channels not in (1, 3):
        raise ValueError(
            f"expected a network for gray (1) or color (3) images, got {channels} input channels: "
            "wrap it so that it makes these of three colors"
        )
    if order not in ("rgb", "bgr"):
        raise ValueError(f"expected the order 'rgb' or 'bgr', got {order!r}")
    mean = _numbers(mean, IMAGENET_MEAN, channels, "mean")
    std = _numbers(std, IMAGENET_STD, channels, "std")
    if not (std > 0).all():
        raise ValueError(f"expected std above 0, got {std.tolist()}")
    name = f"mean {_said(mean)}, std {_said(std)}" + (", gray" if channels == 1 else f", {order.upper()}")
    return _scaled(name, channels, mean, std, order)


def _numbers(given, usual: Sequence[float], channels: int, what: str) -> np.ndarray:
    if given is None:
        return np.array(usual if channels == 3 else [np.mean(usual)])
    values: np.ndarray
    try:
        values = np.asarray(given, np.float64).ravel()
    except (TypeError, ValueError):
        values = np.arange(0)
    if len(values) not in (1, channels) or not np.isfinite(values).all():
        raise ValueError(f"expected {what} as 1 or {channels} numbers, got {brief(given)}")
    return np.broadcast_to(values, channels)


def _said(values: np.ndarray) -> str:
    return ", ".join(f"{value:.4g}" for value in (values[:1] if np.ptp(values) == 0 else values))


def _scaled(name: str, channels: int, mean, std, order: str = "rgb") -> Pixels:
    colors = LUMINANCE if channels == 1 else np.eye(3)[:: -1 if order == "bgr" else 1]
    mean, std = np.broadcast_to(mean, channels), np.broadcast_to(std, channels)
    return Pixels(name, colors / std[:, None], -mean / std)


def alternatives(given: Pixels) -> list[Pixels]:
    """The usual preprocessings that are not the given one: its colors exchanged, and those of the common libraries."""
    channels = len(given.matrix)
    usual = [
        _scaled("values from 0 to 1", channels, 0, 1),
        _scaled("values from 0 to 255", channels, 0, 1 / 255),
        _scaled("values from -1 to 1", channels, 0.5, 0.5),
        pixels_from(channels),
    ]
    usual[-1] = Pixels("ImageNet's mean and std", usual[-1].matrix, usual[-1].offset)
    if channels == 1:
        usual.append(Pixels("black and white exchanged", -given.matrix, given.matrix.sum(axis=1) + given.offset))
    else:
        usual.append(_scaled("0 to 255 minus Caffe's mean, BGR", 3, CAFFE_MEAN[::-1] / 255, 1 / 255, "bgr"))
        usual.insert(0, Pixels("red and blue exchanged", given.matrix[:, ::-1], given.offset))
    return [pixels for pixels in usual if not _same(pixels, given)]


def _same(pixels: Pixels, other: Pixels) -> bool:
    """Whether two preprocessings differ by less than a hundredth of the input's range."""
    room = 0.01 * np.ptp(np.stack(other.reach))
    return bool(np.abs(pixels.matrix - other.matrix).max() < room and np.abs(pixels.offset - other.offset).max() < room)
