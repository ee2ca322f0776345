"""Every exercise of every day: solutions pass, each known wrong answer gets its own word, a stub is no attempt."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from notebook_tools import NOTEBOOKS, code_cells

from days import new
from days.common.exercises import (
    CORRECT,
    NOT_ATTEMPTED,
    NOT_QUITE,
    Exercise,
    assignments_of,
    exchanged,
    exercise,
)
from days.common.paths import REPO_ROOT
from days.common.progress import HEAD

MODULES = [f"days.{path.parts[-3]}.code.exercises" for path in sorted(REPO_ROOT.glob("days/day*/code/exercises.py"))]
ASSIGNMENTS = [
    pytest.param(task, id=f"{module.split('.')[1]}-{name}")
    for module in MODULES
    for name, task in assignments_of(importlib.import_module(module))
]
every_assignment = pytest.mark.parametrize("task", ASSIGNMENTS)
every_exercise = pytest.mark.parametrize(
    "task", [parameter for parameter in ASSIGNMENTS if isinstance(parameter.values[0], Exercise)]
)


@every_exercise
def test_solution_is_correct(task):
    for seed in range(5 if task.probe else 1):
        assert task.check(task.solve, seed).status == CORRECT
    assert task.check(task.solve).status == CORRECT  # fresh inputs


@every_exercise
def test_each_wrong_answer_is_rejected_with_its_own_word(task):
    assert len(task.mistakes) >= 3
    for message, wrong in task.mistakes.items():
        for seed in range(3 if task.probe else 1):  # the others draw nothing; test_seeds asks for 200
            verdict = task.check(wrong, seed)
            assert verdict.status == NOT_QUITE
            assert message in verdict.message


@every_exercise
def test_strange_answers_never_raise(task):
    def forgot_to_return(*inputs):
        inputs[0]

    def leaves(*inputs):
        raise SystemExit

    for answer in (
        7,
        None,
        "text",
        forgot_to_return,
        leaves,
        lambda: 1,
        lambda *inputs: object(),
        lambda *inputs: np.nan,
    ):
        assert task.check(answer).status == NOT_QUITE


@every_assignment
def test_hints_come_one_by_one(task, monkeypatch):
    monkeypatch.setattr(task, "hints_given", 0)
    texts = [task.hint().text for _ in range(len(task.hints) + 2)]
    assert len(set(texts)) == len(task.hints) + 1
    assert "solution()" in texts[-1]


@every_assignment
def test_solution_shows_code_that_runs(task):
    source = task.solution().text
    assert source.startswith("def ")
    module = importlib.import_module(task.solve.__module__)
    # What the notebook imports, too: modules and constants, and nothing private.
    namespace = {name: value for name, value in vars(module).items() if isinstance(value, ModuleType) or name.isupper()}
    namespace |= {"np": np}
    exec(source, namespace)
    verdict = task.check(namespace[task.solve.__name__])
    assert verdict.status == CORRECT, verdict
    assert verdict.message or isinstance(task, Exercise)  # a task says what it measured


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_and_module_hold_the_same_exercises(path):
    """Each exercise has its cell: number, time, difficulty, signature and docstring are the module's; no attempt."""
    module = importlib.import_module(f"days.{path.parent.name}.code.exercises")
    cells = [cell.source for cell in code_cells(path) if HEAD.match(cell.source)]
    found = []
    for source in cells:
        number, name = re.match(r"# \w+ (\d+\.\d+) · \d+ min · [●○]{3}\ndef (\w+)", source).groups()
        task = getattr(module, name)
        assert source == task.cell, f"write `python -m days.new cells {path.parent.name[3:]}`"
        assert number == task.number
        namespace = {"exercises": module, "np": np}
        exec(source.partition("\nexercises.")[0], namespace)
        assert task.check(namespace[name]).status == NOT_ATTEMPTED
        found.append(name)
    assert found == [name for name, _ in assignments_of(module)]


def test_the_checker_itself():
    @exercise(
        "1.1 · 5 min · ●○○",
        cases=lambda generator: [(generator.random(4),)],
        truth=lambda numbers: sum(numbers),
        mistakes=["that is the mean", ("sum", "mean"), "that is one", lambda numbers: 1],
        hints=["add"],
    )
    def total(numbers):
        """The sum of the numbers."""
        return numbers.sum()

    def spoils_its_input(numbers):
        numbers *= 0
        return numbers.sum()

    assert total.check(lambda numbers: float(np.sum(numbers))).status == CORRECT
    assert total.check(lambda numbers: numbers.sum() * (1 + 1e-3)).status == NOT_QUITE
    assert total.check(spoils_its_input).status == NOT_QUITE
    assert "that is the mean" in total.check(np.mean).message
    assert "that is one" in total.check(lambda numbers: 1.0).message
    assert "return" in total.check(lambda numbers: print(end="")).message
    assert total.check(total.solve)._repr_html_().count("correct") == 1
    assert "&lt;b&gt;" in total.check(lambda numbers: "<b>")._repr_html_()


def _solution(numbers):
    """The mean of the numbers: numbers.mean()."""
    total = numbers.sum()
    return total / len(numbers)


def test_an_exchange_is_the_solution_but_for_its_pieces():
    numbers = np.array([1.0, 2.0, 6.0])
    assert exchanged(_solution, "sum", "max")(numbers) == 2.0
    assert exchanged(_solution, " / len(numbers)", "")(numbers) == 9.0
    assert exchanged(_solution, "sum", "max", "len(numbers)", "2")(numbers) == 3.0
    assert _solution(numbers) == 3.0


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        (("median", "max"), "expected 'median' once in the solution's body, found it 0 times"),
        (("numbers", "others"), "found it 2 times"),
        (("mean", "sum"), "found it 0 times"),  # the docstring is no code
        (("sum", "max", "sum", "min"), "found it 0 times"),  # exchanged by then
        (("sum",), "argument 2"),
    ],
)
def test_an_exchange_that_does_not_fit_the_solution_is_an_error(pieces, error):
    with pytest.raises(ValueError, match=error):
        exchanged(_solution, *pieces)
    with pytest.raises(SyntaxError):
        exchanged(_solution, "sum()", "sum((")


@pytest.mark.parametrize("day", [22, 25], ids=["a day that there is", "a new day"])
def test_the_skeleton_of_an_exercise_works(day, tmp_path, capsys):
    path = tmp_path / f"days/day{day}/code/exercises.py"
    if day == 22:
        path.parent.mkdir(parents=True)
        shutil.copy(REPO_ROOT / "days/day22/code/exercises.py", path)
    docstring = "Maps (C, H, W) -> how bright each is, (C,)."
    new.main(["exercise", str(day), "9.9", "brightness", docstring, "--minutes", "5", "--difficulty", "1"], tmp_path)
    cell = capsys.readouterr().out.strip()
    assert cell.startswith("# Exercise 9.9 · 5 min · ●○○\ndef brightness(maps):")
    assert docstring in cell
    for command in ("check", "format --check"):
        config = ["--config", str(REPO_ROOT / "pyproject.toml")]
        subprocess.run([sys.executable, "-m", "ruff", *command.split(), *config, path], check=True)

    written = SimpleNamespace(**new._exercises(path))
    namespace = {"exercises": written}
    exec(cell.partition("\nexercises.")[0], namespace)
    assert written.brightness.check(namespace["brightness"]).status == NOT_ATTEMPTED
    test_solution_is_correct(written.brightness)
    test_each_wrong_answer_is_rejected_with_its_own_word(written.brightness)
    for taken in (
        ["9.10", "brightness"],
        ["9.9", "darkness"],
        ["nine", "darkness"],
        ["9.10", "two words"],
        ["9.10", "class"],
    ):
        with pytest.raises(SystemExit):
            new.main(["exercise", str(day), *taken], tmp_path)


def test_cells_follow_the_docstrings_and_nothing_else_changes(tmp_path):
    shutil.copytree(
        REPO_ROOT / "days/day22", tmp_path / "days/day22", ignore=shutil.ignore_patterns("outputs", "__py*")
    )
    (notebook,) = tmp_path.glob("days/day22/*.ipynb")
    module, before = tmp_path / "days/day22/code/exercises.py", notebook.read_text(encoding="utf-8")
    assert new.update_cells(22, tmp_path) == []
    assert notebook.read_text(encoding="utf-8") == before
    text = module.read_text(encoding="utf-8")
    module.write_text(
        text.replace("-> its guided gradient for x, (n,).", "-> the guided gradient, (n,)."), encoding="utf-8"
    )
    assert new.update_cells(22, tmp_path) == ["guided_gradient"]
    expected = before.replace("-> its guided gradient for x, (n,).", "-> the guided gradient, (n,).")
    assert notebook.read_text(encoding="utf-8") == expected != before
