"""Notebooks as the tests see them."""

from __future__ import annotations

from pathlib import Path

import nbformat

from days.common.paths import REPO_ROOT

NOTEBOOKS = sorted((REPO_ROOT / "days").glob("day*/*.ipynb"))


def read(path: Path):
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list:
    return [cell for cell in read(path).cells if cell.cell_type == "code" and cell.source.strip()]


def headings(path: Path, level: int) -> list[str]:
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    return [line[level + 1 :] for line in text.splitlines() if line.startswith("#" * level + " ")]
