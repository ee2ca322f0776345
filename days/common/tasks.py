"""Tasks: questions to decide with evidence. A learner's function returns a report as data, and a rubric measures it.

    @task("9.8 · 30 min · ●●●", rubric=measured, wrong=["an empty report", lambda: {}], hints=["Begin with ..."])
    def take_away():
        \"\"\"-> {"channel": ..., "falls": ...}, ...\"\"\"
        ...the worked solution...

An exercise has one right answer; a task has as many as the evidence allows. So nothing is compared with a key: the
rubric computes from what the report claims, and says what it measured.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from days.common.checks import is_number
from days.common.comparison import brief
from days.common.exercises import CORRECT, NOT_QUITE, Assignment, Verdict, raised, wrong_answers
from days.common.shown import shows

KINDS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    str: ("a text", lambda value: isinstance(value, str)),
    int: ("a whole number", lambda value: isinstance(value, Integral) and not isinstance(value, bool)),
    float: ("a finite number", is_number),
    bool: ("True or False", lambda value: isinstance(value, bool)),
    list: ("a list", lambda value: isinstance(value, (list, tuple, np.ndarray))),
    dict: ("a dict", lambda value: isinstance(value, dict)),
    Callable: ("a function", callable),
}
"""What a field of a report can be: its name in words, and what it is known by."""


class ReportError(ValueError):
    """What cannot be measured as a report: one line that says what was wanted, what came, and the way out."""


class Point(NamedTuple):
    """One line of a rubric. met : whether the report earns it. said : what was measured beside what was claimed."""

    met: bool
    said: str


def fields(report: Any, **wanted: Any) -> list:
    """A report's values in the order of `wanted`; numbers of NumPy and tensors as Python's.

        layer, falls, elsewhere = fields(report, layer=str, falls=float, elsewhere=int)

    wanted : {name: one of `KINDS`, or another kind's name in words and what it is known by}.

    Raises ReportError for what is no dict with exactly these keys, and for a value of another kind.
    """
    kinds = {name: KINDS.get(kind, kind) for name, kind in wanted.items()}
    if not isinstance(report, dict):
        listed = ", ".join(f'"{name}": {words}' for name, (words, _) in kinds.items())
        raise ReportError(f"expected a dict {{{listed}}}, got {brief(report)}")
    odd = {"missing": [name for name in wanted if name not in report], "too many": [*report.keys() - wanted.keys()]}
    if any(odd.values()):
        said = "; ".join(f"{what}: {', '.join(sorted(map(brief, names)))}" for what, names in odd.items() if names)
        raise ReportError(f"expected a dict with the keys {', '.join(wanted)}, got {brief(list(report))} ({said})")
    values = {name: value.item() if getattr(value, "shape", None) == () else value for name, value in report.items()}
    for name, (words, fits) in kinds.items():
        if not fits(values[name]):
            raise ReportError(f"expected {name!r} as {words}, got {brief(values[name])}")
    return [values[name] for name in wanted]


def asked(name: str, function: Callable, *inputs):
    """What a learner's function in a report returns. Raises ReportError where it raises, by its name in the report."""
    try:
        return function(*inputs)
    except (Exception, SystemExit) as error:
        raise ReportError(raised(function, error, name)) from error


@dataclass(kw_only=True)
class Task(Assignment):
    """A question that a report answers.

    Parameters
    ----------
    head, solve, hints, given : see `Assignment`.
    rubric : the report and what the function was called with -> points. It measures the claims itself, on data that the
        report cannot have been fitted to where that matters. It reads the report with `fields`, calls a function in it
        with `asked`, and raises ReportError (or another ValueError or TypeError), in one line, for what is no report.
    wrong : words, wrong report, words, wrong report ...: reports that must not pass, each as exchanges in the solution
        or as a function. Kept as {words: function}; the tests put each through.
    """

    kind = "Task"

    rubric: Callable[..., Sequence[Point]]
    wrong: Any

    def __post_init__(self):
        self.wrong = wrong_answers(self.solve, self.wrong)

    @shows
    def check(self, answer: Callable, *given) -> Verdict:
        """Ask the learner's function for its report and measure what it claims; never raises.

        given : what the function is called with; without it, what the task names.
        """
        given = given or self.given
        report = self._returned(answer, given)
        if isinstance(report, Verdict):
            return report
        try:
            points = list(self.rubric(report, *given))
        except (TypeError, ValueError) as error:
            return self._not_quite(str(error))
        except Exception as error:  # a report can be anything, and one that cannot be read is a wrong one
            return self._not_quite(f"the report {brief(report)} could not be read: {type(error).__name__}: {error}")
        missed = [point.said for point in points if not point.met]
        if missed:
            earned = f"{len(points) - len(missed)} of {len(points)} points"
            return Verdict(NOT_QUITE, f"{earned}; {'; '.join(missed)}.", self._help(), " ".join(missed))
        problem, step = self._noted()
        return Verdict(CORRECT, problem or "; ".join(point.said for point in points) + ".", step)


def task(head: str, **fields) -> Callable[[Callable], Task]:
    """Turn a worked solution into a `Task`: `@task("9.8 · 30 min · ●●●", rubric=..., wrong=[...], hints=[...])`."""
    return functools.partial(Task, head, **fields)
