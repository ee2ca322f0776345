"""`import torchvision` beside a torch of another build: mended when that is what is wrong, and else left alone.

The stand-in for torchvision fails just as the real one does, by the same call, so that the tests mean the same
everywhere; the real torchvision and timm are imported as well.
"""

from __future__ import annotations

import pytest
from fresh_python import run

NEEDS_OPERATORS = """
import torch

@torch.library.register_fake("torchvision::nms")
def nms(dets, scores, iou_threshold):
    return dets
"""
RAISES_ALWAYS = 'raise RuntimeError("operator torchvision::nms does not exist")'
COUNT = "import builtins; builtins.runs = getattr(builtins, 'runs', 0) + 1\n"
TELL = """
import builtins
try:
    import torchvision
    print("imported", builtins.runs)
except Exception as error:
    print(type(error).__name__, error, builtins.runs)
"""


@pytest.fixture
def stand_in(tmp_path):
    """Write a package named torchvision with this source; gives the folder to find it in."""

    def write(source):
        (tmp_path / "torchvision").mkdir()
        (tmp_path / "torchvision/__init__.py").write_text(COUNT + source, encoding="utf-8")
        return tmp_path

    return write


def test_the_real_torchvision_and_timm_are_imported_after_days():
    script = (
        "import days, timm, torchvision; print(torchvision.models.resnet18().fc.out_features, bool(timm.list_models()))"
    )
    assert run(script) == "1000 True"


def test_without_the_mend_the_stand_in_fails_as_torchvision_does(stand_in):
    assert run(TELL, stand_in(NEEDS_OPERATORS)) == "RuntimeError operator torchvision::nms does not exist 1"


def test_with_the_mend_it_is_imported_at_the_second_try(stand_in):
    assert run("import days\n" + TELL, stand_in(NEEDS_OPERATORS)) == "imported 2"


def test_an_import_that_failed_before_days_came_is_mended_too(stand_in):
    assert run(TELL + "import days" + TELL, stand_in(NEEDS_OPERATORS)).splitlines()[1] == "imported 3"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('no space left')", "RuntimeError no space left 1"),
        ("raise ImportError('no torch')", "ImportError no torch 1"),
        ("import nothing_of_this_name", "ModuleNotFoundError No module named 'nothing_of_this_name' 1"),
        (RAISES_ALWAYS, "RuntimeError operator torchvision::nms does not exist 2"),
        ("", "imported 1"),
    ],
)
def test_every_other_error_passes_and_nothing_is_tried_in_vain(stand_in, source, said):
    assert run("import days\n" + TELL, stand_in(source)) == said


def test_a_reload_and_a_second_import_of_days_change_nothing(stand_in):
    script = """
import importlib, sys
import days, days.common.torchvision_import as mend
before = list(sys.meta_path)
importlib.reload(mend), importlib.reload(days), mend.watch_torchvision()
print(sys.meta_path == before)
import torchvision
print(importlib.reload(torchvision).__spec__.name)
"""
    assert run(script, stand_in("")).splitlines() == ["True", "torchvision"]


def test_importing_days_imports_nothing_heavy():
    script = (
        "import sys, days; print({'torch', 'torchvision', 'timm', 'tensorflow', 'keras', 'numpy'} & set(sys.modules))"
    )
    assert run(script) == "set()"
