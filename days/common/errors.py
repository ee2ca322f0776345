"""What can go wrong around a network, each as one error with its way out, in the same words for both frameworks."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from difflib import get_close_matches

OFFLINE_NETWORKS = ("squeezenet", "efficientnet_lite0")


class OfflineError(RuntimeError):
    """Weights had to be downloaded and could not be."""


def unknown_name(name: str, known: list[str], framework: str) -> ValueError:
    """The error for a network that the framework does not have, with the nearest names."""
    near = get_close_matches(name.lower(), [*OFFLINE_NETWORKS, *known], n=3, cutoff=0.5)
    return ValueError(
        f"no network {name!r} in {framework}"
        + (f"; did you mean {', '.join(near)}?" if near else "")
        + f" Without a download there are {' and '.join(OFFLINE_NETWORKS)} (the second in torch only)."
    )


WAYS_OUT = {
    r"inference tensor": "its weights were made under torch.inference_mode: build the network outside of it",
    r"missing \d+ required": "wrap it in a module whose forward takes the image alone",
    r"values to unpack": "its forward takes several inputs, or more axes: wrap it so that it takes a batch of images",
    r"view size is not compatible": "its forward needs a batch laid out in order: batch.contiguous()",
    r"kernel size can't be greater|output size is too small|shapes? cannot be multiplied|must match the size|"
    r"negative dimension|output size would be|<= 0 due to downsampling|is invalid for input of size|"
    r"expected shape=|doesn't match model|wrong image (height|width)|to have value|non-empty|"
    r"sizes of tensors must match|empty output|"
    r"nothing is left of the image": "load_image(..., size=...) makes an image of the size that it was made for{usual}",
}
"""What frameworks say of a cause that is known (a regular expression), and the way out of it.

{usual} becomes a size to try, where the batch does not have it already.
"""


def cannot_run(batch, error: Exception, way_out: str = "") -> ValueError:
    """The error for a batch that a network's forward pass ended with, whatever that raised.

    way_out : where the caller knows the cause; else one of `WAYS_OUT`, or how to find the cause.
    """
    # Keras colors its messages, and lists all arguments behind them.
    said = re.sub(r"\x1b\[\d+m", "", str(error)).split("\n\nArguments received by")[0].strip()
    reason = said.splitlines()[-1][:200] if said else ""
    if not isinstance(error, (RuntimeError, ValueError)) or not reason:
        reason = f"{type(error).__name__}: {reason}".removesuffix(": ")
    way_out = way_out or _way_out(said, sorted(batch.shape[1:])[1] if len(batch.shape) == 4 else 224)
    return ValueError(f"the network cannot take a batch of shape {tuple(batch.shape)} ({reason}); {way_out}")


def _way_out(said: str, side: int) -> str:
    """The way out for what a framework has said of images with sides of so many pixels."""
    if size := re.search(r"expected (\d+) but got|doesn't match model \((\d+)", said, re.IGNORECASE):
        return f"load_image(..., size={size[1] or size[2]}) makes one that fits"
    usual = "" if side == 224 else "; 224 is usual"
    for words, way_out in WAYS_OUT.items():
        if re.search(words, said, re.IGNORECASE):
            return way_out.format(usual=usual)
    # Some processors say of an image that pooling uses up only that two shapes do not fit.
    guess = "the image may be too small, size=224 is usual; " if side < 16 else ""
    return f"{guess}network(batch) shows where in its forward pass"


@contextlib.contextmanager
def network_timeout(seconds: float = 15) -> Iterator[None]:
    """No download waits longer than this for an answer; Python's own setting comes back afterwards."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def download_failed(name: str, error: Exception) -> OfflineError:
    """The error for weights that could not be downloaded, with the two networks that need none."""
    return OfflineError(
        f"the weights of {name!r} have to be downloaded, and that failed ({error}). "
        "Offline there are load_model('squeezenet') and load_model('efficientnet_lite0'); "
        "or hand over a file: weights='path/to/weights'."
    )
