"""No stored picture is cut off: its outermost pixels are background."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from notebook_tools import NOTEBOOKS, code_cells
from PIL import Image

from days.common.figures import describe, new_figure, picture_bytes
from days.common.paths import REPO_ROOT

BARE = {"08_zoom.gif"}  # a picture by itself, without title and margin
OUTPUTS = [path for path in sorted(REPO_ROOT.glob("days/day*/outputs/*")) if path.name not in BARE]
JPEG_RINGS = 60  # how far JPEG spreads a dark edge into the white beside it, of 255


def cut_off(data: bytes) -> list[str]:
    """Sides of a picture on which something other than white touches the border."""
    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture.convert("RGB"), int)
    sides = {"top": pixels[0], "bottom": pixels[-1], "left": pixels[:, 0], "right": pixels[:, -1]}
    return [side for side, line in sides.items() if (255 - line).max() > JPEG_RINGS]


@pytest.mark.parametrize("path", OUTPUTS, ids=lambda path: f"{path.parts[-3]}-{path.name}")
def test_a_stored_figure_ends_in_background(path):
    assert not cut_off(path.read_bytes())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebooks_figures_end_in_background(path):
    found = {}
    for cell in code_cells(path):
        for output in cell.outputs:
            for kind, data in output.get("data", {}).items():
                if kind in ("image/png", "image/jpeg") and (sides := cut_off(base64.b64decode(data))):
                    found[cell.execution_count] = sides
    assert not found, "cells whose figures are cut off: draw them higher or wider"


def test_a_figure_that_is_too_flat_for_its_title_is_found():
    figure = new_figure(2, 1)
    figure.text(0.5, 1, "cut", va="center")
    assert "top" in cut_off(picture_bytes(describe(figure, "a word that is cut off")))
