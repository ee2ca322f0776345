"""A notebook's cells as a reader wants them: no set-up, exercises with hints and solutions folded in below them."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import nbformat
from nbconvert.filters.highlight import Highlight2HTML

from book.text import Text
from book.windows import windows
from days.common.exercises import Assignment, assignments_of
from days.day17.code.feature_maps import feature_map
from days.day17.code.lesson import EDGE_KERNEL, toy_image

SET_UP, IMPORTS, REBUILD = (
    "def find_repo_root",
    "\nRUN_ANIMATIONS = False",
    "if RUN_ANIMATIONS:\n    viz.FIGURES.rebuild()",
)
EXERCISE = re.compile(r"^exercises\.(\w+)\.check\(.*", re.MULTILINE)
EXERCISE_NOTE = (
    "Each exercise is a function to write in place of the `...`. The notebook checks it on fresh random inputs and "
    "says what is wrong; here, hints and a solution unfold below it."
)


def for_reading(notebook: nbformat.NotebookNode, day: str) -> None:
    """Rewrite the cells of a day's notebook: what only serves to run it goes, what the exercises keep is added.

    A code cell's `metadata.after` is HTML that follows its outputs; `metadata.folded` names what it hides, if it does.
    """
    for cell in notebook.cells:
        cell.source = "" if SET_UP in cell.source else cell.source.removeprefix(REBUILD).strip()
    notebook.cells = [cell for cell in notebook.cells if cell.source]
    exercises = dict(assignments_of(import_module(f"days.{day}.code.exercises")))
    for cell in notebook.cells:
        asked = EXERCISE.search(cell.source)
        if cell.cell_type == "markdown":
            paragraphs = cell.source.split("\n\n")
            cell.source = "\n\n".join(EXERCISE_NOTE if ".hint()" in part else part for part in paragraphs)
        elif asked:
            cell.source = re.sub(r"\s*^# exercises\..*$", "", EXERCISE.sub("", cell.source), flags=re.MULTILINE).strip()
            cell.outputs, cell.metadata.after = [], help_with(exercises[asked[1]])
        elif IMPORTS in cell.source:
            cell.metadata.folded = "Imports"
        elif "windows = np.lib.stride_tricks" in cell.source:  # behind the prediction of what the map holds
            cell.metadata.after = windows(toy_image(), EDGE_KERNEL, feature_map(toy_image(), EDGE_KERNEL))


def fold(body: str, summary: str, kind: str = "fold") -> str:
    """HTML that unfolds at a click."""
    return f'<details class="{kind}"><summary>{summary}</summary>\n{body}</details>\n'


def help_with(exercise: Assignment) -> str:
    """The hints of an exercise or a task, each folded, and its solution."""
    count = len(exercise.hints)
    hints = [fold(Text().render(hint), f"Hint {place} of {count}") for place, hint in enumerate(exercise.hints, 1)]
    code: Any = Highlight2HTML(pygments_lexer="python")(exercise.solution().text)
    solution = fold(code.replace("<pre>", '<pre tabindex="0">'), "Solution")
    return f'<div class="help">{"".join(hints)}{solution}</div>'
