"""Widgets as the tests use them, without a browser."""

from __future__ import annotations

import datetime
import io

import numpy as np
from PIL import Image


def upload(photos, name: str, content: bytes) -> None:
    """What a browser does when a file is chosen for a `PhotoChoice`."""
    details = {"type": "image/png", "size": len(content), "last_modified": datetime.datetime(2026, 1, 1)}
    photos.upload.value = ({"name": name, "content": memoryview(content), **details},)


def pixels(picture) -> np.ndarray:
    """What a widget's picture shows, (H, W, 3), whole numbers."""
    with Image.open(io.BytesIO(bytes(picture.value))) as file:
        return np.asarray(file.convert("RGB"), int)
