"""Write an exercise's skeleton, and keep the notebook's cells as the exercises' docstrings say.

    python -m days.new exercise 22 9.8 name    append the skeleton to Day 22's exercises, and print the notebook's cell
    python -m days.new cells 22                bring the exercise cells of Day 22's notebook up to date

The skeleton is an exercise that works. Replace its docstring, solution, cases, truth, mistakes and hints by your own.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
from collections.abc import Sequence
from pathlib import Path

from days.common.exercises import assignments_of
from days.common.paths import REPO_ROOT

HEADER = '''\
"""The exercises of Day {day}. Each function is a solution; the decorator makes it an exercise that checks itself."""

from __future__ import annotations

import numpy as np

from days.common import cases
from days.common.exercises import exercise
'''

SKELETON = '''

@exercise(
    "{number} · {minutes} min · {dots}",
    cases=cases.drawn(cases.maps, (4, 5, 6), (3, 2, 7)),
    truth=lambda maps: np.array([sum(values.ravel()) / values.size for values in maps]),
    mistakes=[
        "The mean ran over the channels: axis 0 counts them, so average over axes 1 and 2.",
        ("axis=(1, 2)", "axis=(0, 1)"),
        "That is the sum; wanted is the mean.",
        (".mean(", ".sum("),
        "Negative values lost their sign: take the mean of the values as they are.",
        ("maps.mean", "np.abs(maps).mean"),
    ],
    hints=[
        "Where to begin: one number for each channel.",
        "Nearly all: maps.mean(axis=...) over rows and columns.",
    ],
)
def {name}(maps):
    """{docstring}"""
    return maps.mean(axis=(1, 2))
'''


def write_exercise(
    day: int, number: str, name: str, docstring: str, *, minutes: int = 10, difficulty: int = 2, root: Path = REPO_ROOT
) -> str:
    """Append an exercise's skeleton to a day's exercises.py, made if there is none; return the notebook's cell.

    number : "9.8". name : of the function, in lower case. docstring : what the learner reads in the notebook.
    difficulty : 1 to 3. root : the repository.
    Raises ValueError for a name or number that cannot be one or is taken, SyntaxError for a docstring that is no code.
    """
    path = root / f"days/day{day}/code/exercises.py"
    text = path.read_text(encoding="utf-8") if path.exists() else HEADER.format(day=day)
    if not re.fullmatch(r"[a-z]\w*", name) or not re.fullmatch(r"\d+\.\d+", number) or difficulty not in (1, 2, 3):
        raise ValueError(
            f"expected a number such as 9.8, a name such as mean_map and 1 to 3, got {number}, {name}, {difficulty}"
        )
    if f"def {name}(" in text or f'"{number} · ' in text:
        raise ValueError(f"Day {day} has an exercise {number} or {name} already: take another number and name")
    dots = "●" * difficulty + "○" * (3 - difficulty)
    text += SKELETON.format(number=number, minutes=minutes, dots=dots, name=name, docstring=docstring)
    compile(text, path, "exec")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return _exercises(path)[name].cell


def update_cells(day: int, root: Path = REPO_ROOT) -> list[str]:
    """Make the exercise cells of a day's notebook what the exercises say, outputs untouched; the names that changed.

    Raises FileNotFoundError where the day has no notebook, KeyError where a cell's exercise is not in the module.
    """
    path = next((root / f"days/day{day}").glob("*.ipynb"), None)
    if path is None:
        raise FileNotFoundError(f"Day {day} has no notebook in {root / 'days'}")
    exercises, changed = _exercises(path.parent / "code/exercises.py"), []
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        found = re.search(r"^exercises\.(\w+)\.check\(", source, re.MULTILINE)
        if source.startswith(("# Exercise", "# Task")) and found and source != exercises[found[1]].cell:
            cell["source"] = exercises[found[1]].cell.splitlines(keepends=True)
            changed.append(found[1])
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return changed


def _exercises(path: Path) -> dict:
    """The exercises in a file, wherever it lies, by name."""
    spec = importlib.util.spec_from_file_location(f"days.{path.parts[-3]}.code.exercises", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(assignments_of(module))


def main(arguments: Sequence[str] | None = None, root: Path = REPO_ROOT) -> None:
    """The command line; see above."""
    parser = argparse.ArgumentParser(
        prog="python -m days.new", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    exercise = commands.add_parser("exercise", help="append a skeleton, print the notebook's cell")
    cells = commands.add_parser("cells", help="bring a notebook's exercise cells up to date")
    for command in (exercise, cells):
        command.add_argument("day", type=int)
    exercise.add_argument("number", help="such as 9.8")
    exercise.add_argument("name", help="of the function")
    exercise.add_argument("docstring", nargs="?", default="Maps (C, H, W) -> the mean of each, (C,).")
    exercise.add_argument("--minutes", type=int, default=10)
    exercise.add_argument("--difficulty", type=int, default=2, help="1 to 3")
    given = vars(parser.parse_args(arguments))
    try:
        if given.pop("command") == "exercise":
            print(write_exercise(**given, root=root))
        else:
            print("changed:", ", ".join(update_cells(**given, root=root)) or "nothing")
    except (ValueError, OSError, SyntaxError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
