"""Verdicts, hints and solutions are shown by the cell that asks for them, whatever stands below the call.

A notebook shows a cell's last value alone: with a hint asked for below the check, the verdict would be lost.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

_waiting: list[Any] = []  # returned to the cell that runs, and not shown yet


def shows(method: Callable) -> Callable:
    """A method whose result is shown by a notebook's cell, at the next such call or at the cell's end.

    The result calls `is_shown` wherever it is turned into text, and so is not shown twice.
    """

    @functools.wraps(method)
    def asked(*given, **named):
        shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
        if shell is None:
            return method(*given, **named)
        _show_waiting()
        shell.events.register("post_run_cell", _show_waiting)  # IPython keeps a function once
        _waiting.append(method(*given, **named))
        return _waiting[-1]

    return asked


def is_shown(result: Any) -> None:
    """Say that a result has become text."""
    _waiting[:] = [other for other in _waiting if other is not result]


def _show_waiting(_: Any = None) -> None:
    from IPython.display import display

    while _waiting:
        display(_waiting.pop(0))
