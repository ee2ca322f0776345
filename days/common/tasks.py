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
from typing import Any, NamedTuple

from days.common.comparison import brief
from days.common.exercises import CORRECT, NOT_QUITE, Assignment, Verdict, wrong_answers


class Point(NamedTuple):
    """One line of a rubric. met : whether the report earns it. said : what was measured beside what was claimed."""

    met: bool
    said: str


@dataclass(kw_only=True)
class Task(Assignment):
    """A question that a report answers.

    Parameters
    ----------
    head, solve, hints, given : see `Assignment`.
    rubric : the report and what the function was called with -> points. It measures the claims itself, on data that the
        report cannot have been fitted to where that matters. It raises ValueError or TypeError, with one line that
        quotes what was wanted and what came, for what is no report.
    wrong : words, wrong report, words, wrong report ...: reports that must not pass, each as exchanges in the solution
        or as a function. Kept as {words: function}; the tests put each through.
    """

    kind = "Task"

    rubric: Callable[..., Sequence[Point]]
    wrong: Any

    def __post_init__(self):
        self.wrong = wrong_answers(self.solve, self.wrong)

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
