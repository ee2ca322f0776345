"""What a kernel does once `days` is imported: the course's errors are short, a learner's own keep their traces."""

from __future__ import annotations

import subprocess
import sys

import limits
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from days.common.images import load_image
from days.common.notebook import PATIENCE, UNDEFINED, leave_out_clock
from days.common.paths import REPO_ROOT

SET_UP = f"import sys\nsys.path.insert(0, {str(REPO_ROOT)!r})\nfrom days.common.images import load_image"


def executed(*cells, allow_errors=True):
    """The outputs of cells that a kernel has run, after the set-up's."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in (SET_UP, *cells)])
    how = {"kernel_name": "python3", "timeout": limits.CELL, "startup_timeout": limits.KERNEL}
    NotebookClient(notebook, allow_errors=allow_errors, **how).execute()
    return [cell.outputs for cell in notebook.cells[1:]]


@pytest.fixture(scope="module")
def failed():
    """Outputs of cells that fail, by what they stand for."""
    cells = {
        "a call": "size = 8\nload_image('there/is/none.png', size=size)",
        "a function": "def open_mine(name):\n    return load_image(name)",
        "a call in it": "open_mine('none.png')",
        "an own name": "undefined_name",
        "an own function that is called back": "def mine(name):\n    return 1 / 0\n\nsorted(['b', 'a'], key=mine)",
        "a call with too little": "load_image()",
        "no Python": "load_image(]",
        "a library's": "import numpy\nnumpy.zeros(3).reshape(2, 2)",
    }
    return dict(zip(cells, executed(*cells.values()), strict=True))


@pytest.mark.parametrize(
    ("what", "where"),
    [
        ("a call", "Your cell In[2], line 2: load_image('there/is/none.png', size=size)"),
        ("a call in it", "Your cell In[3], line 2: return load_image(name)"),
    ],
)
def test_an_error_of_the_course_is_its_line_the_cells_line_and_a_folded_trace(failed, what, where):
    error, trace = failed[what]
    assert (error.output_type, error.ename) == ("error", "FileNotFoundError")
    said, shown = error.traceback
    assert said == f"\x1b[31mFileNotFoundError\x1b[0m: {error.evalue}"
    assert shown == where
    assert trace.data["text/html"].startswith("<details><summary>The whole trace</summary><pre>")
    assert "in _not_found" not in trace.data["text/html"]
    assert "in _from_file(source)" in trace.data["text/html"]
    assert "\x1b" not in trace.data["text/html"]


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("an own name", "NameError"),
        ("an own function that is called back", "ZeroDivisionError"),
        ("a call with too little", "TypeError"),
        ("no Python", "SyntaxError"),
        ("a library's", "ValueError"),
    ],
)
def test_a_learners_own_mistake_keeps_its_trace(failed, what, kind):
    [error] = failed[what]
    assert error.ename == kind
    text = "".join(error.traceback)
    assert "Your cell" not in text
    assert "line 1" in text or "line 2" in text


def test_a_name_that_no_cell_has_defined_leads_to_the_cells_above(failed):
    [error] = failed["an own name"]
    assert error.traceback[-1] == UNDEFINED
    assert UNDEFINED not in "".join(failed["a library's"][0].traceback)


def test_an_error_of_the_course_stops_what_comes_after_it():
    with pytest.raises(CellExecutionError, match=r"no picture 'none\.png'"):
        executed("load_image('none.png')", "print('not reached')", allow_errors=False)


def test_a_long_cell_says_nothing_where_no_person_looks():
    """nbconvert and nbval start kernels in this way, too: what they store must not hold the clock's line."""
    [[output]] = executed(f"import time\ntime.sleep({PATIENCE + 1.5})\nprint('ended')")
    assert output.text == "ended\n"


def test_a_long_cell_says_so_in_jupyterlab_and_takes_it_back(monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "own.ipynb")
    short, [clock, output] = executed("print('short')", f"import time\ntime.sleep({PATIENCE + 1.5})\nprint('ended')")
    assert [output.text for output in short] == ["short\n"]
    assert (clock.data, output.text) == ({}, "ended\n")
    model = {"type": "notebook", "content": {"cells": [{"outputs": [clock, output]}, {"cell_type": "markdown"}]}}
    leave_out_clock(model=model, path="own.ipynb", contents_manager=None)
    assert model["content"]["cells"][0]["outputs"] == [output]
    leave_out_clock(model={"type": "file", "content": "text"}, path="a.txt")


def test_outside_a_notebook_nothing_of_ipython_is_imported():
    code = "import sys, days\nsys.exit('IPython' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPO_ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("holiday_photograph.png", "which holds Cat.JPG, dog.png: put yours there, or give its whole path."),
        ("cat.jpg", "which holds Cat.JPG, dog.png. Did you mean 'Cat.JPG'?"),
        ("up.png", "Did you mean '../up.png'?"),
        ("../up.jpg", "which holds up.png. Did you mean '../up.png'?"),
        ("no/such.png", "which holds no picture: put yours there, or give its whole path."),
        ("chelsae", "Did you mean 'chelsea'?"),
    ],
)
def test_a_wrong_path_says_where_it_looked_and_what_lies_there(tmp_path, monkeypatch, asked, said):
    here = tmp_path / "day17"
    here.mkdir()
    for path in (here / "dog.png", here / "Cat.JPG", here / "notes.txt", tmp_path / "up.png"):
        path.touch()
    monkeypatch.chdir(here)
    with pytest.raises(FileNotFoundError) as error:
        load_image(asked)
    assert f"Looked in {(here / asked).parent}, " in str(error.value)
    assert str(error.value).replace("\\\\", "/").endswith(said)


@pytest.fixture(scope="module")
def told():
    """What cells show of an exercise, by what they do; each output as its kind and its text."""
    check, hint = "exercises.to_oihw.check(lambda kernel: kernel)", "exercises.to_oihw.hint()"
    cells = {
        "set-up": "from days.day17.code import exercises",
        "a check": check,
        "a check and a hint": f"{check}\n{hint}",
        "a hint and a check": f"{hint}\n{check}",
        "a check and a solution": f"{check}\nexercises.to_oihw.solution()",
        "a check and a value": f"{check}\n7",
        "a check and no value": f"verdict = {check}",
        "a printed check": f"print({check})\nverdict = 7",
        "a check and a mistake": f"{check}\n1 / 0",
        "another cell": "7",
    }
    return {
        what: [(output.output_type, output.get("text") or output.get("data", {}).get("text/plain")) for output in shown]
        for what, shown in zip(cells, executed(*cells.values()), strict=True)
    }


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("a check", ["execute_result ✗ not quite"]),
        ("a check and a hint", ["display_data ✗ not quite", "execute_result Hint 1 of"]),
        ("a hint and a check", ["display_data Hint 2 of", "execute_result ✗ not quite"]),
        ("a check and a solution", ["display_data ✗ not quite", "execute_result def to_oihw(kernel):"]),
        ("a check and a value", ["execute_result 7", "display_data ✗ not quite"]),
        ("a check and no value", ["display_data ✗ not quite"]),
        ("a printed check", ["stream ✗ not quite"]),
        ("a check and a mistake", ["error None", "display_data ✗ not quite"]),
        ("another cell", ["execute_result 7"]),
    ],
)
def test_a_verdict_a_hint_and_a_solution_are_shown_once_wherever_they_stand(told, what, wanted):
    assert len(told[what]) == len(wanted)
    for (kind, text), begin in zip(told[what], wanted, strict=True):
        assert f"{kind} {text}".startswith(begin)
