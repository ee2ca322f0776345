"""What holds for every notebook, beyond nbval's comparison of its outputs."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebook_run import FIRST_OF_KERAS, solved
from notebook_tools import NOTEBOOKS, code_cells, headings, read, shortened

from days.common.paths import REPO_ROOT

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


@every_notebook
def test_has_a_first_cell_of_keras_and_exercises_to_solve(path):
    """What `notebook_run` looks for in each lesson."""
    assert any(FIRST_OF_KERAS.search(cell.source) for cell in code_cells(path))
    assert len([cell for cell in code_cells(path) if solved(cell.source, path.parent.name)]) >= 5


SOURCES = [
    "import sys",
    "import numpy as np",
    "a = 1\nfor name in 'ab':\n    a += 1",
    "b = [name for name in 'cd']",
    "total = np.sum(a)",
    "def f(x):\n    return a + x",
    "show(total)",
    "a = 2",
    "f(3)",
]


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (["show(total)"], [0, 1, 2, 4, 6]),
        (["b = [name"], [0, 3]),
        (["def f"], [0, 2, 5]),
        (["a = 2", "f(3)"], [0, 2, 5, 7, 8]),
    ],
)
def test_a_shortened_notebook_keeps_what_the_wanted_cells_need(tmp_path, wanted, kept):
    path = tmp_path / "all.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# All"), *map(new_code_cell, SOURCES)]), path)
    found = [cell.source for cell in shortened(path, wanted).cells if cell.cell_type == "code"]
    assert found == [SOURCES[place] for place in kept]
    with pytest.raises(ValueError, match=r"no cell of all\.ipynb holds 'c = 3'"):
        shortened(path, ["c = 3"])


def test_every_time_limit_of_the_tests_stands_in_one_place():
    for path in (REPO_ROOT / "tests").glob("*.py"):
        if path.name not in ("limits.py", "test_notebooks.py"):
            limits = re.findall(r"timeout=(?!limits\.)[\d(].*", path.read_text(encoding="utf-8"))
            assert not limits, f"{path.name}: {limits}"
