"""A notebook run once and read twice: its outputs are the stored ones, and then its solved exercises say correct.

nbval runs the cells and compares. When all have run, the solution of each exercise is put into its cell, and these
cells run once more in the same kernel, as items of their own.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path

import limits
import pytest
from nbformat.v4 import new_code_cell, new_output
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel, start_new_kernel
from nbval.plugin import IPyNbCell, IPyNbFile

from days.common.frameworks import keras_is_installed, why_no_keras
from days.common.progress import HEAD

CORRECT = "✓ correct"
FOR_KERAS = re.compile(r"\bKERAS\b|keras_is_installed\(\)|crossed\.items")
FIRST_OF_KERAS = re.compile(r"^(KERAS = |if keras_)", re.M)


def solved(source: str, day: str) -> tuple[str, str] | None:
    """Name of the exercise or task in a cell and the cell with its solution; None where the cell is neither.

    day : "day19", whose exercises.py knows the solution.
    """
    if not HEAD.match(source):
        return None
    ((check, name),) = re.findall(r"^(exercises\.(\w+)\.check\(\2\b.*\))$", source, re.M)
    module = importlib.import_module(f"days.{day}.code.exercises")
    return name, f"{getattr(module, name).solution().text}\n\n\n{check}"


@contextmanager
def environment(**values: str):
    """Variables of the environment for a while; a kernel that is started meanwhile keeps them."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


class PatientKernel(RunningKernel):
    """nbval's kernel, which waits for its first answers as long as `limits` says."""

    def __init__(self, cwd: str):
        self.km, self.kc = start_new_kernel(
            startup_timeout=limits.KERNEL, kernel_name=CURRENT_ENV_KERNEL_NAME, stderr=subprocess.DEVNULL, cwd=cwd
        )
        self._ensure_iopub_up()

    def await_reply(self, msg_id, timeout=None):
        super().await_reply(msg_id, timeout=max(timeout or 0, limits.KERNEL))


class Cell(IPyNbCell):
    """A cell that runs and is compared with what is stored."""

    def __init__(self, **parts):
        super().__init__(**parts)
        self.output_timeout = limits.OUTPUT


class WithoutKeras(Cell):
    """A cell for Keras where TensorFlow is not installed: it says so in one line, or says nothing."""

    def compare_outputs(self, test, ref, skip_compare=None):
        said = "".join(output.get("text", "a picture") for output in test)
        self.comparison_traceback = [f"expected nothing or a line that begins {why_no_keras()!r}, got {said!r}"]
        return not said or (said.startswith(why_no_keras()) and said.count("\n") == 1)


class NoKerasYet(Cell):
    """Just before the first cell of Keras: nothing has imported it, so a PyTorch learner has not waited for it."""

    source = "import sys\n\nprint('imported:', sorted({'tensorflow', 'keras'} & set(sys.modules)))"

    @classmethod
    def before(cls, item: IPyNbCell):
        """The item that runs before `item`."""
        stored = new_output("stream", name="stdout", text="imported: []\n")
        cell = new_code_cell(cls.source, execution_count=1, outputs=[stored])
        parts = {"cell_num": item.cell_num, "cell": cell, "options": item.options | {"check": True}}
        return cls.from_parent(item.parent, name="No Keras yet", **parts)


class SolvedCell(Cell):
    """An exercise's cell with its solution in it: its last output must be the verdict "correct"."""

    def compare_outputs(self, test, ref, skip_compare=None):
        verdicts = [output.get("data", {}).get("text/plain", "") for output in test]
        self.comparison_traceback = [f"expected {CORRECT!r} last, got {verdicts}"]
        return bool(verdicts) and verdicts[-1].startswith(CORRECT)

    def runtest(self):
        if self.parent.timed_out:
            pytest.fail("a cell before this one took too long, and its kernel was interrupted")
        super().runtest()


class ProgressItem(pytest.Item):
    """What the learner's file of progress says after all exercises were solved."""

    def runtest(self):
        noted = self.parent.progress.read_text(encoding="utf-8")
        assert noted.count("9.") == self.parent.exercises >= 5, noted

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}::{self.name}"


class Notebook(IPyNbFile):
    """A lesson or the start page: all its cells, then its exercises, solved."""

    exercises = 0

    def collect(self):
        cells = []
        for item in super().collect():
            if FIRST_OF_KERAS.search(item.cell.source) and not any(FIRST_OF_KERAS.search(c.cell.source) for c in cells):
                yield NoKerasYet.before(item)
            cells.append(item)
            parts = {"cell_num": item.cell_num, "cell": item.cell, "options": item.options}
            kind = WithoutKeras if FOR_KERAS.search(item.cell.source) and not keras_is_installed() else Cell
            yield kind.from_parent(self, name=item.name, **parts)
        for item in cells:
            answer = solved(item.cell.source, self.path.parent.name)
            if answer:
                self.exercises += 1
                cell = type(item.cell)(item.cell, source=answer[1], execution_count=1)
                parts = {"cell_num": item.cell_num, "cell": cell, "options": item.options | {"check": True}}
                yield SolvedCell.from_parent(self, name=f"Solved {answer[0]}", **parts)
        if self.exercises:
            yield ProgressItem.from_parent(self, name="Progress")

    def setup(self):
        """Start the kernel. It shows the stored figures, draws nothing, and notes progress in a file of its own."""
        folder = self.config._tmp_path_factory.mktemp("notebook")
        self.progress = Path(folder) / "progress.json"
        with environment(SEEING_CNNS_OUTPUTS="", SEEING_CNNS_PROGRESS=str(self.progress)):
            self.kernel = PatientKernel(str(self.path.parent))
        self.setup_sanitize_files()
