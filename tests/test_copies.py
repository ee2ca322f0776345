"""The learner's own copies: made once, never lost, and brought up to date beside what the learner wrote."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from days.common.paths import REPO_ROOT
from days.copies import NOTE, _print, carried_over, update_copies

DAY = "day17/day17_feature_maps_and_filters.ipynb"
ANSWER = "def to_oihw(kernel):\n    turned = kernel.transpose(3, 2, 0, 1)\n    return turned\n"
GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
GIT |= {f"GIT_{who}_{what}": "learner@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(folder, *words):
    """What git prints; its failure is the test's."""
    how = {"cwd": folder, "env": {**os.environ, **GIT}, "capture_output": True, "encoding": "utf-8"}
    run = subprocess.run(["git", *words], check=False, **how)
    assert run.returncode == 0, f"git {' '.join(words)}: {run.stdout}{run.stderr}"
    return run.stdout


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def write(path, notebook):
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False), encoding="utf-8")


def source(cell):
    return "".join(cell["source"])


def cell_with(notebook, text):
    """The only cell with this text."""
    [cell] = [cell for cell in notebook["cells"] if text in source(cell)]
    return cell


def change(path, text, **changes):
    """Change fields of the cell with this text in a notebook's file."""
    notebook = read(path)
    cell_with(notebook, text).update(changes)
    write(path, notebook)


@pytest.fixture
def upstream(tmp_path):
    """A git repository with what of the course a copy needs."""
    folder = tmp_path / "upstream"
    for name in ("days/start_here.ipynb", f"days/{DAY}", ".gitignore", "days/day17/outputs/10_one_channel.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO_ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def commit(folder):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A version")


@pytest.fixture
def course(upstream, tmp_path):
    """A learner's clone with copies."""
    folder = tmp_path / "Netze sehen – ü"
    git(tmp_path, "clone", "--quiet", str(upstream), str(folder))
    update_copies(folder)
    return folder


def pulled(upstream, course):
    """What is said when the course has a new version and the learner takes it; git must find nothing in the way."""
    commit(upstream)
    git(course, "pull", "--quiet")
    said = update_copies(course)
    assert git(course, "status", "--porcelain") == ""
    return said


def test_copies_are_made_once_and_git_does_not_see_them(course):
    mine = course / "my" / DAY
    assert read(mine)["cells"] == read(course / "days" / DAY)["cells"]
    assert git(course, "status", "--porcelain") == ""
    change(mine, "Exercise 9.6", source=ANSWER)
    before = mine.read_bytes()
    assert update_copies(course) == []
    assert mine.read_bytes() == before


def run_in(root):
    """`python -m days.copies` of the course in this folder, finished."""
    command = [sys.executable, "-m", "days.copies"]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONUTF8": "1"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, encoding="utf-8", check=False)


def test_every_relative_link_and_picture_of_a_copy_leads_to_a_file(tmp_path):
    root = tmp_path / "course"
    shutil.copytree(REPO_ROOT / "days", root / "days", ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    run = run_in(root)
    assert run.stdout == "my/ has your own copies of the lessons: what you write there stays yours\n", run.stderr
    assert run_in(root).stdout == ""
    copies = [*root.glob("my/*.ipynb"), *root.glob("my/day*/*.ipynb")]
    assert len(copies) == 9
    links = {
        (path, link)
        for path in copies
        for cell in read(path)["cells"]
        if cell["cell_type"] == "markdown"
        for pair in re.findall(r"""\]\(([^)#\s]+)|(?:src|href)="([^"#]+)""", source(cell))
        for link in pair
        if link and not re.match("[a-z]+:", link)
    }
    assert len(links) > 20
    assert not [link for path, link in links if not (path.parent / link).is_file()]
    shutil.rmtree(root / "my")
    (root / "my").touch()
    run = run_in(root)
    assert run.returncode == 1
    assert run.stderr.startswith("no own copies of the lessons: ")
    assert run.stderr.count("\n") == 1


def test_an_answer_is_carried_into_a_newer_lesson(upstream, course):
    """The course changes a text, adds a cell, and rewords the exercise; the learner has an answer and a saved run."""
    mine = course / "my" / DAY
    verdict = [{"output_type": "execute_result", "data": {"text/plain": "✓ correct"}, "metadata": {}}]
    check = "\nprint(to_oihw)\n\nexercises.to_oihw.check(to_oihw)"
    change(mine, "Exercise 9.6", source=f"# Exercise 9.6 · 5 min · ●○○\n{ANSWER}\n{check}", outputs=verdict)
    lesson = read(upstream / "days" / DAY)
    exercise = cell_with(lesson, "Exercise 9.6")
    new = source(exercise).replace("●○○", "●●○").replace('"""', '"""Now: ', 1)
    exercise["source"] = new.replace("\n\n\nexercises", "\n\n\n# exercises.to_oihw.solution()\nexercises")
    lesson["cells"].insert(3, {"cell_type": "markdown", "id": "new", "metadata": {}, "source": "A new text."})
    write(upstream / "days" / DAY, lesson)
    said = pulled(upstream, course)
    assert said == [
        f"my/{DAY} is up to date and has what you wrote, which was in 1 cell; the old copy is {mine.stem}_old1.ipynb"
    ]
    now = read(mine)
    carried = cell_with(now, "def to_oihw")
    head, rest = source(carried).split("\n", 1)
    assert head == new.split("\n")[0]
    check = "exercises.to_oihw.check(to_oihw)\n# exercises.to_oihw.hint()  # or .solution()"
    assert rest == f"{ANSWER}\n\nprint(to_oihw)\n\n\n# exercises.to_oihw.solution()\n{check}"
    assert carried["outputs"] == verdict
    assert source(now["cells"][3]) == "A new text."
    assert len(now["cells"]) == len(lesson["cells"])
    assert ANSWER in source(cell_with(read(mine.with_stem(f"{mine.stem}_old1")), "Exercise 9.6"))
    assert update_copies(course) == []


def test_a_copy_that_was_only_run_is_replaced_without_a_backup(upstream, course):
    mine = course / "my" / DAY
    notebook = read(mine)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": 7, "metadata": {"execution": {}}}
    write(mine, notebook)
    change(upstream / "days" / DAY, "Exercise 9.6", outputs=[])
    assert pulled(upstream, course) == [f"my/{DAY} is up to date; you had written nothing in it"]
    assert [path.name for path in mine.parent.glob("*.ipynb")] == [mine.name]
    assert read(mine)["cells"] == read(upstream / "days" / DAY)["cells"]


def test_a_second_update_keeps_the_first_backup(upstream, course):
    mine = course / "my" / DAY
    change(mine, "Exercise 9.6", source=ANSWER)
    for outputs in ([], [{"output_type": "stream", "name": "stdout", "text": "new"}]):
        change(upstream / "days" / DAY, "Exercise 9.7", outputs=outputs)
        assert len(pulled(upstream, course)) == 1
    assert ANSWER in source(cell_with(read(mine), "def to_oihw"))
    assert {path.stem[len(mine.stem) :] for path in mine.parent.glob("*.ipynb")} == {"", "_old1", "_old2"}


@pytest.mark.parametrize("content", ["<<<<<<< HEAD", "[]", "{}", '{"metadata": {}, "cells": []}'])
def test_a_copy_that_cannot_be_read_stays_as_it_is(course, content):
    mine = course / "my" / DAY
    mine.write_text(content)
    [said] = update_copies(course)
    assert said.startswith(f"my/{DAY} stays as it is, since it cannot be read as a copy (")
    assert mine.read_text() == content
    mine.unlink()
    assert len(update_copies(course)) == 1
    assert read(mine)["metadata"][NOTE]


def test_a_rebuilt_figure_is_the_learners_until_the_course_has_a_newer_one(upstream, course):
    name = "day17/outputs/10_one_channel.png"
    ours, mine = course / "days" / name, course / "my" / name
    assert mine.read_bytes() == ours.read_bytes()
    mine.write_bytes(b"rebuilt")
    update_copies(course)
    assert mine.read_bytes() == b"rebuilt"
    (upstream / "days" / name).write_bytes(b"newer")
    commit(upstream)
    git(course, "pull", "--quiet")
    later = mine.stat().st_mtime + 5
    os.utime(ours, (later, later))  # a learner takes longer than this test from one to the other
    update_copies(course)
    assert mine.read_bytes() == b"newer"


def test_what_a_lesson_shows_comes_along_and_addresses_are_no_files(upstream, course):
    shown = upstream / "days/day17/shown.png"
    shown.write_bytes(b"a picture")
    text = f'![a](shown.png) <img src="data:image/png;base64,{"x" * 9000}"> [b](https://example.org/b.png) [c](no.png)'
    change(upstream / "days" / DAY, "Exercise 9.7", cell_type="markdown", source=text)
    pulled(upstream, course)
    assert (course / "my/day17/shown.png").read_bytes() == b"a picture"
    assert {path.name for path in (course / "my/day17").iterdir()} == {"shown.png", "outputs", DAY.split("/")[1]}


# ------------------------------------------------------------ cell by cell


def notebook_of(*cells):
    """A notebook with cells (id, source), and a copy's note of them."""
    cells = [{"id": identity, "cell_type": "code", "metadata": {}, "source": text} for identity, text in cells]
    prints = {cell["id"]: _print(source(cell)) for cell in cells}
    return {"cells": cells, "metadata": {NOTE: {"lesson": "", "cells": prints}}}


def merged(before, mine, after):
    """The sources after an update, and how many cells are the learner's. Each argument: a list of (id, source)."""
    old = {**notebook_of(*mine), "metadata": notebook_of(*before)["metadata"]}
    notebook, count = carried_over(notebook_of(*after), old)
    identities = [cell["id"] for cell in notebook["cells"]]
    assert len(set(identities)) == len(identities)
    return [source(cell) for cell in notebook["cells"]], count


STUB = '# Exercise 9.1 · 5 min · ●○○\ndef f(x):\n    """Text."""\n    ...\n\n\nexercises.f.check(f)'
DONE = STUB.replace("...", "return x")
HEADLESS = DONE.replace(STUB.splitlines()[0], "import math\n")


@pytest.mark.parametrize(
    ("before", "mine", "after", "wanted", "count"),
    [
        ("ab", "ab", "acb", ["a", "c", "b"], 0),
        ("ab", [("a", "a"), ("x", "own"), ("b", "b")], "cab", ["c", "a", "own", "b"], 1),
        ("ab", [("x", "first"), ("y", "second"), ("a", "a"), ("b", "b")], "ab", ["first", "second", "a", "b"], 2),
        ("ab", [("a", "a"), ("b", "b"), ("x", "last")], "abc", ["a", "b", "last", "c"], 1),
        ("ab", [("a", "a = 2"), ("b", "b")], "ab", ["a = 2", "b"], 1),
        ("ab", [("b", "b")], "ab", ["a", "b"], 0),
        ("abc", [("a", "a"), ("b", "b"), ("x", "own"), ("c", "c")], "ac", ["a", "own", "c"], 1),
    ],
    ids=["nothing", "added", "added first", "added last", "changed by the learner", "deleted", "its neighbor is gone"],
)
def test_what_a_learner_wrote_stays_where_it_was(before, mine, after, wanted, count):
    pairs = [[(part, part) if isinstance(part, str) else part for part in parts] for parts in (before, mine, after)]
    assert merged(*pairs) == (wanted, count)


def test_a_cell_that_both_changed_stays_as_text_that_does_not_run():
    sources, count = merged([("a", "a")], [("a", "a = 2")], [("a", "a = 3")])
    assert sources[0] == "a = 3"
    assert sources[1].endswith("```python\na = 2\n```")
    assert count == 1


@pytest.mark.parametrize(
    ("answered", "after", "wanted"),
    [
        (DONE, STUB, DONE),
        (DONE, STUB.replace("Text", "New"), DONE),
        (DONE.replace("●○○", "mine"), STUB.replace("5 min", "9 min"), DONE.replace("5 min", "9 min")),
        (HEADLESS, STUB.replace("Text", "New"), f"{STUB.splitlines()[0]}\n{HEADLESS}"),
    ],
    ids=["as it was", "reworded", "another time", "head removed, and something imported"],
)
def test_an_answer_goes_into_its_exercise(answered, after, wanted):
    assert merged([("e", STUB)], [("e", answered)], [("e", after)]) == ([wanted], 1)


def test_an_answer_finds_its_exercise_by_the_number():
    """Here the ids have moved on by one."""
    after = [("a", "new"), ("b", "a"), ("c", STUB.replace("Text", "New"))]
    assert merged([("a", "a"), ("b", STUB)], [("a", "a"), ("b", DONE)], after) == (["new", "a", DONE], 1)


def test_an_answer_to_an_exercise_that_is_another_now_stays_as_text():
    sources, _ = merged([("e", STUB)], [("e", DONE)], [("e", STUB.replace("def f", "def g"))])
    assert "def g" in sources[0]
    assert "return x" not in sources[0]
    assert sources[1].endswith(f"```python\n{DONE}\n```")


def test_a_second_answer_in_a_cell_of_its_own_leaves_the_first_alone():
    sources, count = merged([("e", STUB)], [("e", DONE), ("x", DONE)], [("e", STUB.replace("Text", "New"))])
    assert (sources, count) == ([DONE, DONE], 2)
