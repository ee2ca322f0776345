"""The solved course: each solution put into its exercise's cell, the notebook run whole, and every check passes."""

from __future__ import annotations

import importlib
import re

import pytest
from nbclient import NotebookClient
from notebook_tools import NOTEBOOKS, read

HEAD = re.compile(r"# Exercise (\d+\.\d+) ")


def solved(path):
    """The notebook with its exercises solved, and which of its cells those are."""
    module = importlib.import_module(f"days.{path.parent.name}.code.exercises")
    notebook, cells = read(path), []
    for cell in notebook.cells:
        if cell.cell_type == "code" and HEAD.match(cell.source):
            check = cell.source.rsplit("\n", 1)[1]
            name = re.fullmatch(r"exercises\.(\w+)\.check\(\1\)", check).group(1)
            cell.source = f"{getattr(module, name).solution().text}\n\n\n{check}"
            cells.append(cell)
    return notebook, cells


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_check_of_the_solved_notebook_passes(path, monkeypatch, tmp_path):
    monkeypatch.setenv("SEEING_CNNS_OUTPUTS", "")  # the stored figures are shown, and nothing is drawn
    notebook, cells = solved(path)
    assert len(cells) >= 5
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    verdicts = [cell.outputs[-1].data["text/plain"] for cell in cells]
    assert verdicts == ["✓ correct"] * len(cells)
    assert (tmp_path / "progress.json").read_text().count("9.") == len(cells)
