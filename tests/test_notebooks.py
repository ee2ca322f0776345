"""What holds for every notebook, beyond nbval's comparison of its outputs."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys

import pytest
from notebook_tools import NOTEBOOKS, code_cells, headings, read

SLOTS = [
    "1. Core intuition",
    "2. Python",
    "3. Visualization",
    "4. The mathematics",
    "5. ",
    "6. PyTorch",
    "7. Keras",
    "8. Debugging insights",
    "9. Mini exercises",
    "10. Key takeaways",
]

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@every_notebook
def test_is_stored_executed_in_order_and_without_errors(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert "widgets" not in read(path).metadata


@every_notebook
def test_begins_with_the_same_cell(path):
    assert code_cells(path)[0].source == code_cells(NOTEBOOKS[0])[0].source
    assert any(re.search(r"^RUN_ANIMATIONS = False", cell.source, re.M) for cell in code_cells(path)[:3])


@every_notebook
def test_first_cell_refuses_a_foreign_directory(path, tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", code_cells(path)[0].source], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert "Run this notebook from inside the repository tree." in run.stderr


@every_notebook
def test_sections_stand_in_their_slots(path):
    assert len(headings(path, 1)) == 1
    found = headings(path, 2)
    places = [next(place for place, slot in enumerate(SLOTS) if title.startswith(slot)) for title in found]
    assert places == sorted(set(places))


@every_notebook
def test_cells_are_short(path):
    lengths = [len(cell.source.splitlines()) for cell in code_cells(path)]
    assert statistics.median(lengths) <= 5
    assert max(lengths) <= 15
    assert max(len(line) for cell in code_cells(path) for line in cell.source.splitlines()) <= 98


@every_notebook
def test_every_picture_has_a_description(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            pictures = [kind for kind in output.get("data", {}) if kind.startswith("image/")]
            for kind in pictures:
                alt = output.metadata.get(kind, {}).get("alt", "")
                assert len(alt) > 20, f"cell {cell.execution_count}: {alt!r}"


@every_notebook
def test_text_holds_no_html_that_jupyter_would_swallow_and_no_placeholder(path):
    for cell in read(path).cells:
        assert not re.search(r"\bTODO\b|\bFIXME\b|lorem ipsum", cell.source)


def test_links_between_files_lead_somewhere():
    for path in NOTEBOOKS:
        for cell in read(path).cells:
            if cell.cell_type == "markdown":
                for target in re.findall(r"\]\(([^)#:]+)\)", cell.source):
                    assert (path.parent / target).exists(), f"{path.name} links to {target}"


@every_notebook
def test_animations_are_not_compared_byte_by_byte(path):
    """nbval skips PNG and JPEG, and would compare a GIF exactly, which differs from machine to machine."""
    for cell in code_cells(path):
        if any("image/gif" in output.get("data", {}) for output in cell.outputs):
            assert "nbval-ignore-output" in cell.metadata.get("tags", [])
