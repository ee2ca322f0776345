"""Every task of every day: reports without evidence are refused, and a report is measured.

That the worked solution passes is shown with the exercises', in test_exercises.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from test_exercises import ASSIGNMENTS

from days.common.exercises import CORRECT, NOT_ATTEMPTED, NOT_QUITE
from days.common.tasks import Point, ReportError, Task, asked, fields, task

TASKS = [parameter for parameter in ASSIGNMENTS if isinstance(parameter.values[0], Task)]
every_task = pytest.mark.parametrize("each", TASKS)


@every_task
def test_a_task_lists_three_wrong_reports(each):
    assert len(each.wrong) >= 3


# Two of each task in `make test`, which are measured in some seconds; all in `make test-all`.
@pytest.mark.parametrize(
    ("each", "words"),
    [
        pytest.param(*parameter.values, words, marks=[pytest.mark.slow] * (place > 1), id=f"{parameter.id}-{place}")
        for parameter in TASKS
        for place, words in enumerate(parameter.values[0].wrong)
    ],
)
def test_each_wrong_report_is_refused_with_what_was_measured(each, words):
    verdict = each.check(each.wrong[words])
    assert verdict.status == NOT_QUITE, words
    assert verdict.why or verdict.message, words


@every_task
def test_what_is_no_report_is_refused_in_one_line(each):
    for report in (7, "text", object(), [object()], {"channel": None}, float("nan")):
        verdict = each.check(lambda *given, report=report: report)
        assert verdict.status == NOT_QUITE, report
        assert "\n" not in verdict.message


def test_a_rubric_says_what_it_measured():
    def rubric(report, number):
        if not isinstance(report, dict):
            raise TypeError(f"expected a dict, got {report!r}")
        return [Point(report["sum"] == number + 1, f"the sum is {number + 1}"), Point(True, "it is a dict")]

    @task("9.9 · 20 min · ●●●", rubric=rubric, given=(3,), wrong=["one too few", (" + 1", "")], hints=["add"])
    def added(number):
        """A number -> {"sum": the number and 1}."""
        return {"sum": number + 1}

    assert added.check(added.solve).message == "the sum is 4; it is a dict."
    assert added.check(added.wrong["one too few"]).message == "1 of 2 points; the sum is 4."
    assert added.check(added.solve, 7).status == CORRECT
    assert added.check(lambda number: 7).message == "expected a dict, got 7"
    assert "KeyError" in added.check(lambda number: {}).message
    assert "leave out the brackets" in added.check({"sum": 4}).message
    check = "exercises.added.check(added, 3)\n# exercises.added.hint()  # or .solution()"
    assert added.cell.endswith(f"\n    ...\n\n\n{check}")
    namespace = {}
    exec(added.cell.partition("\nexercises.")[0], namespace)
    assert added.check(namespace["added"]).status == NOT_ATTEMPTED


def test_a_reports_fields_are_read_by_name_and_kind():
    report = {"look": len, "share": np.float32(0.5), "count": np.array(3), "word": "a"}
    wanted = {"count": int, "share": float, "look": Callable, "word": str}
    assert fields(report, **wanted) == [3, 0.5, len, "a"]
    for wrong, said in [
        (7, 'expected a dict {"count": a whole number, "share": a finite number, .*}, got 7'),
        ({**report, "share": float("nan")}, "'share' as a finite number, got nan"),
        ({**report, "count": True}, "'count' as a whole number, got True"),
        ({**report, "look": 3}, "'look' as a function, got 3"),
        ({**report, 4: 1}, "keys count, share, look, word, got .* .too many: 4."),
        ({}, "got .. .missing: 'count', 'look', 'share', 'word'."),
    ]:
        with pytest.raises(ReportError, match=said):
            fields(wrong, **wanted)


def test_a_function_in_a_report_that_raises_is_told_in_the_learners_words():
    with pytest.raises(ReportError, match=r"your statistic raised ZeroDivisionError: .*in line 1 of your function"):
        asked("statistic", lambda value: value / 0, 3)
