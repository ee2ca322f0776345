"""Let `import torchvision` work where its CUDA build stands beside a CPU-only torch.

That pair fails on import with "operator torchvision::nms does not exist", because torchvision's compiled operators
cannot be loaded. Models, weights and transforms need none of them: declaring the two missing operators is enough.
`days/__init__.py` calls `watch_torchvision`, so that a learner's own `import torchvision` or `import timm` works, too.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder, SourceFileLoader

ERROR = "operator torchvision::nms does not exist"
_declared: list[object] = []


def watch_torchvision() -> None:
    """From now on, an `import torchvision` that fails for want of its operators is tried again with them declared.

    Imports nothing, changes nothing about an import that works, and lets every other error through. A second call does
    nothing.
    """
    if any(getattr(finder, "watches", None) == TorchvisionFinder.watches for finder in sys.meta_path):
        return
    place = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(place, TorchvisionFinder)


class TorchvisionFinder:
    """On `sys.meta_path`, answers for `torchvision` alone: Python's own answer, with a loader that tries twice."""

    watches = "torchvision"

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """What Python's own finder finds; None for any other name, and for a torchvision that is no source file."""
        if name != cls.watches:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return None
        spec.loader = _SecondTry(spec.loader.name, spec.loader.path)
        return spec


class _SecondTry(SourceFileLoader):
    def exec_module(self, module):
        try:
            super().exec_module(module)
        except RuntimeError as error:
            if ERROR not in str(error) or _declared:
                raise
            _declare_operators()
            super().exec_module(module)


def _declare_operators() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)  # a library that is collected takes its operators with it
