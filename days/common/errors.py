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


def cannot_run(batch, error: Exception) -> ValueError:
    """The error for a batch that a network cannot take, most often of too small an image."""
    # Keras colors its messages, and lists all arguments behind them.
    said = re.sub(r"\x1b\[\d+m", "", str(error)).split("\n\nArguments received by")[0].strip()
    reason = said.splitlines()[-1][:200] if said else type(error).__name__
    return ValueError(
        f"the network cannot take a batch of shape {tuple(batch.shape)} ({reason}); "
        "load_image(..., size=224) makes an image of the usual size"
    )


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
