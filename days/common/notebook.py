"""What a kernel does for a learner: one line for one mistake, and a sign of life from a cell that takes long.

`attach()` does nothing outside a Jupyter kernel. It runs when `days` is imported, so no notebook has to ask for it.
"""

from __future__ import annotations

import contextvars
import html
import linecache
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

UNDEFINED = (
    "No cell that ran defines it: check the spelling, or run the cells above (Run > Run All Above Selected Cell)"
)
PATIENCE = 2  # seconds before a running cell says that it is at work
_MARK = "seeing_cnns_clock"
_COLORS = re.compile(r"\x1b\[[\d;]*m")


def attach() -> None:
    """Shorten the course's errors in this kernel and, where JupyterLab started it, show when a cell takes long."""
    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not hasattr(shell, "kernel") or hasattr(shell, "seeing_cnns"):
        return
    shell.seeing_cnns = True  # `%autoreload` runs this once more
    _shorten_errors(shell)
    # Jupyter's server names the session; nbconvert and nbval start kernels without it, and what they store stays clean.
    if os.environ.get("JPY_SESSION_NAME"):
        clock = Clock()
        shell.events.register("pre_run_cell", lambda _: clock.start())
        shell.events.register("post_run_cell", lambda _: clock.stop())
        clock.start()  # the cell that imports the frameworks is running already


def where_in_cell(error: BaseException, cell_of: Callable[[str], str | None]) -> str:
    """The learner's line that called the course and got this error, "In[4], line 3: ..."; "" for any other error.

    cell_of : names the cell that a file name stands for, "In[4]"; None where it is no cell's. What a learner's own
        function raises is the learner's error, from wherever it was called.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    cells = [cell_of(frame.f_code.co_filename) for frame, _ in frames]
    last = max((place for place, cell in enumerate(cells) if cell), default=len(frames))
    if last + 1 >= len(frames) or not frames[last + 1][0].f_globals.get("__name__", "").startswith("days."):
        return ""
    frame, line = frames[last]
    return f"{cells[last]}, line {line}: {linecache.getline(frame.f_code.co_filename, line).strip()}"


def _shorten_errors(shell) -> None:
    """Where a cell's call of the course fails, show one line and the cell's line, and fold the trace below them."""
    show = shell._showtraceback  # what IPython gives subclasses to put a trace in another place

    def cell_of(file: str) -> str | None:
        return (shell.compile.format_code_name(file) or (None, None))[1]

    def show_short(kind, error, trace):
        where = where_in_cell(error, cell_of)
        if not where:
            return show(kind, error, [*trace, UNDEFINED] if _undefined(error, cell_of) else trace)
        show(kind, error, [f"\x1b[31m{kind.__name__}\x1b[0m: {error}", f"Your cell {where}"])
        plain = _COLORS.sub("", "\n".join(trace))
        folded = f"<details><summary>The whole trace</summary><pre>{html.escape(plain)}</pre></details>"
        shell.display_pub.publish({"text/html": folded, "text/plain": plain})

    shell._showtraceback = show_short


def _undefined(error: BaseException, cell_of: Callable[[str], str | None]) -> bool:
    """Whether a line of a cell uses a name that does not exist."""
    if type(error) is not NameError:
        return False
    *_, (last, _) = traceback.walk_tb(error.__traceback__)
    return cell_of(last.f_code.co_filename) is not None


class Clock:
    """A line below a cell that has been running for `PATIENCE` seconds; it counts on, and goes when the cell ends."""

    def __init__(self):
        self.done = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to count for the cell that starts now."""
        self.stop()
        self.done = threading.Event()
        # A thread of its own, with the cell's context: its messages then go to the cell.
        run = contextvars.copy_context().run
        self.thread = threading.Thread(target=run, args=(self._count, self.done), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Take the line away, before the cell is said to have ended."""
        self.done.set()
        if self.thread:
            self.thread.join()

    def _count(self, done: threading.Event) -> None:
        from IPython.display import display

        begin = time.monotonic()
        if done.wait(PATIENCE):
            return
        how = {"raw": True, "metadata": {_MARK: True}}
        line = display(_clock_line(begin), display_id=True, **how)
        while not done.wait(1):
            line.update(_clock_line(begin), **how)
        line.update({}, **how)


def _clock_line(begin: float) -> dict[str, str]:
    text = f"still computing: {time.monotonic() - begin:.0f} s"
    # Each update begins the animation anew. A kernel that has died sends none, and the line hides by itself.
    style = "<style>@keyframes seeing-gone { to { visibility: hidden } }</style>"
    line = f'<small role="timer" style="animation: seeing-gone 0s 8s forwards">{text}</small>'
    return {"text/html": style + line, "text/plain": text}


def leave_out_clock(model: dict, **_) -> None:
    """Take the clocks' lines out of what JupyterLab is about to save: its hook `ContentsManager.pre_save_hook`.

    model : as the server has it, {"type": "notebook", "content": {...}, ...}; changed in place.
    """
    if model["type"] == "notebook":
        for cell in model["content"]["cells"]:
            if "outputs" in cell:
                cell["outputs"] = [output for output in cell["outputs"] if _MARK not in output.get("metadata", {})]
