"""TensorFlow and triton in one process, in every order that a learner may write.

The real pair ends Python with a segmentation fault where triton is installed (PyTorch's standard package on Linux). A
stand-in pair, which raises where the real one crashes, shows the same everywhere.
"""

from __future__ import annotations

import importlib.util

import pytest
from fresh_python import run

TRITON = """
import sys
if "tensorflow.python" in sys.modules:
    raise SystemError("segmentation fault")
"""
ASK = """
try:
    import triton
    print("triton")
except ImportError as error:
    print(error)
"""


@pytest.fixture
def stand_ins(tmp_path):
    """Packages named triton and tensorflow, the first of which fails when it comes second."""
    for name, source in {"triton": TRITON, "tensorflow": "import tensorflow.python", "tensorflow/python": ""}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(source, encoding="utf-8")
    return tmp_path


def test_without_the_mend_the_order_matters(stand_ins):
    assert run("import triton, tensorflow; print('both')", stand_ins) == "both"
    with pytest.raises(AssertionError, match="SystemError: segmentation fault"):
        run("import tensorflow, triton", stand_ins)


def test_after_days_tensorflow_may_come_first(stand_ins):
    assert run("import days, tensorflow" + ASK, stand_ins) == "triton"


def test_where_tensorflow_came_before_days_triton_counts_as_not_installed(stand_ins):
    look = "; import importlib.util; print(importlib.util.find_spec('triton'))"
    assert run("import tensorflow, days" + look, stand_ins) == "None"
    assert "triton" in run("import tensorflow, days" + ASK, stand_ins).splitlines()[0]


def test_looking_whether_tensorflow_is_installed_loads_nothing(stand_ins):
    look = "import days, importlib.util, sys; importlib.util.find_spec('tensorflow'); print('triton' in sys.modules)"
    assert run(look, stand_ins) == "False"


def test_a_second_call_adds_no_finder():
    script = (
        "import sys, days; from days.common.triton_import import watch_triton; n = len(sys.meta_path); watch_triton()"
    )
    assert run(f"{script}; print(len(sys.meta_path) - n)") == "0"


@pytest.mark.parametrize("first", ["import days, tensorflow", "import tensorflow, days"])
def test_torchvision_after_the_real_tensorflow(first):
    if not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    assert run(f"{first}\nimport torchvision; print('alive')").endswith("alive")
