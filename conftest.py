"""What every test has: no window, no write into the stored figures, fixed seeds, and the course's networks at hand."""

from __future__ import annotations

import random

import matplotlib
import numpy as np
import pytest

from days.common.frameworks import keras_is_installed
from days.common.images import load_image

matplotlib.use("Agg")

collect_ignore_glob = [] if keras_is_installed() else ["days/*/code/keras_backend.py", "days/common/keras_models.py"]


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
