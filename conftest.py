"""What every test has: no window, no write into the stored figures, fixed seeds, and the course's networks at hand."""

from __future__ import annotations

import random
import re

import limits
import matplotlib
import numpy as np
import pytest
from notebook_run import Notebook

from days.common.frameworks import keras_is_installed
from days.common.images import load_image

matplotlib.use("Agg")

FOR_KERAS = ["days/*/code/keras_*.py", "days/*/keras_*.py", "tests/*_keras.py"]
collect_ignore_glob = [] if keras_is_installed() else FOR_KERAS

# What takes longest, longest first: under two workers nothing long may be left for the end.
LONG = [
    "figures of day22",
    "figures of day20",
    "tests/test_browser.py",
    "tests/test_day18.py",
    "tests/test_day22.py",
    "tests/test_book.py",
    "figures of day21",
    "tests/test_xray.py",
    "tests/test_day20.py",
    "tests/test_day21.py",
    "tests/test_microscope_page.py",
    "tests/test_mystery.py",
]


LONG_LESSONS = ("day20", "day21", "day22", "day24")
"""One to three minutes each with one thread. Their stored state is read in `make test`."""


def pytest_configure(config):
    config.option.nbval_cell_timeout = limits.CELL


def pytest_collect_file(file_path, parent):
    """Every notebook runs once, as `notebook_run` says; those that compute long do so in `make test-all`."""
    if file_path.suffix != ".ipynb":
        return None
    notebook = Notebook.from_parent(parent, path=file_path)
    if file_path.parent.name in LONG_LESSONS:
        notebook.add_marker(pytest.mark.slow)
    return notebook


def unit(nodeid):
    """What runs in one worker: a file's tests, which share what they load; of pictures and of seeds, a day's."""
    of_a_day = re.match(r"tests/test_(figures|seeds)\.py::.*\[(day\d+)-", nodeid)
    return " of ".join(of_a_day.groups()) if of_a_day else nodeid.split("::")[0]


def pytest_collection_modifyitems(items):
    """Long units first, then the notebooks, then the rest; a unit's own tests keep their order."""

    def place(item):
        name = unit(item.nodeid)
        return LONG.index(name) if name in LONG else len(LONG) + (not name.endswith(".ipynb"))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Each unit stays in one worker."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return unit(nodeid)

    return Scheduling(config, log)


@pytest.fixture(autouse=True)
def _seeds_and_outputs(tmp_path, monkeypatch):
    """Global random states are seeded, and whatever a test draws or notes lands in its own folder."""
    random.seed(0)
    np.random.seed(0)
    monkeypatch.setenv("SEEING_CNNS_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setenv("SEEING_CNNS_PROGRESS", str(tmp_path / "progress.json"))


@pytest.fixture(scope="session")
def cat() -> np.ndarray:
    return load_image("chelsea", size=224)


@pytest.fixture(scope="session")
def squeezenet():
    from days.common.models import load_model

    return load_model("squeezenet")


@pytest.fixture(scope="session")
def keras_squeezenet():
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from days.common.models import load_model

    return load_model("squeezenet", framework="keras")


@pytest.fixture
def photo_file(tmp_path):
    """Save an array or a PIL image as a file of any kind: photo_file(picture, "name.png", **how)."""
    from PIL import Image

    def save(picture, name, **how):
        path = tmp_path / name
        picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        picture.save(path, **how)
        return path

    return save
