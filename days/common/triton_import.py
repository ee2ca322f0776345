"""Let PyTorch's compiler, triton, be imported beside TensorFlow.

On Linux, PyTorch's standard packages bring triton, and `import torchvision` imports it. TensorFlow 2.20 and newer show
their copy of LLVM to every library that is loaded later; triton then calls it in place of its own, and Python ends
with a segmentation fault (TensorFlow's issue 124205). In the other order both work.
`days/__init__.py` calls `watch_triton`, which keeps that order for a learner's own imports, too.
"""

from __future__ import annotations

import contextlib
import sys

LIBRARY = "tensorflow.python"
"""Not "tensorflow": that name is looked up to see whether it is installed, and triton shall not be loaded for that."""


def watch_triton() -> None:
    """From now on, `import tensorflow` imports triton first. Imports nothing itself; a second call does nothing.

    Where TensorFlow is loaded already and triton is not, triton is marked as not installed: PyTorch works without it.
    """
    if LIBRARY in sys.modules:
        sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
    elif not any(getattr(finder, "watches", None) == LIBRARY for finder in sys.meta_path):
        sys.meta_path.insert(0, TritonFirst)


class TritonFirst:
    """On `sys.meta_path`, finds nothing itself: it imports triton when TensorFlow's library is about to be loaded."""

    watches = LIBRARY

    @classmethod
    def find_spec(cls, name, path=None, target=None) -> None:
        """Nothing, for any name."""
        if name == LIBRARY:
            with contextlib.suppress(ImportError):
                import triton  # noqa: F401
