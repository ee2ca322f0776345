"""What holds for every notebook, beyond nbval's comparison of its outputs."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebook_run import FIRST_OF_KERAS, solved
from notebook_tools import NOTEBOOKS, code_cells, headings, read, shortened
from PIL import Image

from days import thumbnails
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

START_PAGE = REPO_ROOT / "days" / "start_here.ipynb"

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def calls(source: str, function: str) -> list[ast.Call]:
    """The calls of a function in a cell, outermost blocks only."""
    found = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [node for node in found if isinstance(node.func, ast.Name) and node.func.id == function]


def predictions_of(path) -> dict[str, tuple[int, ast.Call]]:
    """{"17.1": (its place among the code cells, the call that asks it)}."""
    asked = [(place, call) for place, cell in enumerate(code_cells(path)) for call in calls(cell.source, "predict")]
    assert len({ast.literal_eval(call.args[0]) for _, call in asked}) == len(asked), (
        "the same prediction is asked twice"
    )
    return {ast.literal_eval(call.args[0]): (place, call) for place, call in asked}


def is_hidden(cell) -> bool:
    """Whether a cell's results are folded, or it has none."""
    return not cell.outputs or cell.metadata.get("jupyter", {}).get("outputs_hidden", False)


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
    for path in [START_PAGE, *NOTEBOOKS]:
        for cell in read(path).cells:
            if cell.cell_type == "markdown":
                for target in re.findall(r"""(?:\]\(|src=")([^)"#:]+)[)"]""", cell.source):
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


@every_notebook
def test_asks_at_least_three_predictions_in_order(path):
    day = path.parent.name[3:]
    asked = predictions_of(path)
    assert list(asked) == [f"{day}.{number}" for number in range(1, len(asked) + 1)]
    assert len(asked) >= 3
    assert not [cell.source for cell in read(path).cells if "**Predict" in cell.source]


@every_notebook
def test_the_answer_to_a_prediction_is_computed_and_stays_folded(path):
    """From the question to the cell that reveals its answer, no stored result is in sight."""
    cells = code_cells(path)
    for name, (place, call) in predictions_of(path).items():
        assert cells[place].metadata.get("jupyter", {}).get("outputs_hidden") is None, f"{name} is hidden itself"
        [(answered, reveal)] = [
            (at, found)
            for at, cell in enumerate(cells)
            for found in calls(cell.source, "reveal")
            if found.args[0].value == name
        ]
        assert answered > place
        assert all(is_hidden(cell) for cell in cells[place + 1 : answered + 1]), name
        assert not isinstance(reveal.args[1], ast.Constant), f"{name}: the answer is written down, not computed"
        printed = "".join(output.get("text", "") for output in cells[answered].outputs)
        # A folded cell still shows the first line of its first output.
        assert cells[answered].outputs[0].get("text", "").startswith(f"Prediction {name}\n")
        measured = re.search(r"^Measured: (.+)$", printed, re.M)[1]
        choices = [ast.literal_eval(argument) for argument in call.args[2:]]
        assert measured in choices[0] if choices else float(measured) is not None, f"{name}: {measured}"


@every_notebook
def test_a_stored_prediction_reads_without_a_widget_and_has_no_random_id(path):
    cells = code_cells(path)
    for name, (place, call) in predictions_of(path).items():
        box, ways = (output["data"] for output in cells[place].outputs)
        assert f"Predict {name}" in box["text/html"]
        assert call.args[1].value in box["text/plain"]
        assert all(choice in ways["text/plain"] for choice in (ast.literal_eval(call.args[2]) if call.args[2:] else []))
        assert ways["application/vnd.jupyter.widget-view+json"]["model_id"] == f"prediction-{name.replace('.', '-')}"


@every_notebook
def test_the_first_and_the_last_text_lead_on(path):
    texts = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    place = NOTEBOOKS.index(path)
    neighbors = [*NOTEBOOKS[:place][-1:], *NOTEBOOKS[place + 1 :][:1]]
    wanted = ["../start_here.ipynb", *(f"../{other.parent.name}/{other.name}" for other in neighbors)]
    for text in (texts[0], texts[-1]):
        assert re.findall(r"\]\((.+?)\)", next(line for line in text.splitlines() if "[Start page]" in line)) == wanted


@pytest.mark.parametrize("path", [START_PAGE, *NOTEBOOKS], ids=lambda path: path.stem)
def test_the_set_up_cell_is_folded_and_folded_texts_end_with_a_blank_line(path):
    first = code_cells(path)[0]
    assert "find_repo_root" in first.source
    assert first.metadata.jupyter.source_hidden
    for cell in read(path).cells:
        assert not re.search(r"</details>\n(?!\n)|<details open", cell.source), cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.parent.name)
def test_the_start_page_has_a_small_picture_of_each_day_cut_from_a_stored_figure(path):
    day = int(path.parent.name[3:])
    stored, drawn = Image.open(thumbnails.thumbnail_path(day)), thumbnails.thumbnail(day)
    assert stored.size == drawn.size == (thumbnails.SIZE, thumbnails.SIZE)
    assert thumbnails.thumbnail_path(day).stat().st_size < 16 * 1024
    apart = np.abs(np.asarray(stored, float) - np.asarray(drawn, float)).mean()
    assert apart < 12, "run `python -m days.thumbnails`"
    assert f'src="outputs/day{day}.jpg" alt="' in "".join(cell.source for cell in read(START_PAGE).cells)


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
