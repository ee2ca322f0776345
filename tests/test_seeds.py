"""Verdicts do not depend on the seed: every listed mistake and every mutant of every exercise, with 200 seeds."""

from __future__ import annotations

import pytest
from test_mutants import _equivalent, _mutants_of, every_exercise

from days.common import comparison, exercises
from days.common.exercises import CORRECT, NOT_QUITE

SEEDS = 200


@pytest.mark.slow
@every_exercise
def test_verdicts_do_not_depend_on_the_seed(task, monkeypatch):
    """A mistake is refused with every seed; so is a mutant, unless it is listed and accepted with every seed."""
    draw, asked, last = task.questions, [], {}
    monkeypatch.setattr(task, "questions", lambda seed=None: asked)
    for where, words in ((exercises, "brief"), (comparison, "_said"), (task, "_why")):
        monkeypatch.setattr(where, words, lambda *_: "differs")  # what is said takes longer than the verdict
    monkeypatch.setattr(task, "_noted", lambda: ("", ""))

    def is_refused(name, answer):
        """Whether one question at least refuses an answer; the one that did so before comes first."""
        first = last.get(name, 0)
        for place in (first, *(place for place in range(len(questions)) if place != first)):
            asked[:] = [questions[place]]
            if task.check(answer).status == NOT_QUITE:
                last[name] = place
                return True
        return False

    mutants = {f"{mutant} ({place})": mutant for place, mutant in enumerate(_mutants_of(task, draw(0)))}
    refused = dict.fromkeys([*task.mistakes, *mutants], 0)
    for seed in range(SEEDS):
        questions = asked[:] = draw(seed)
        assert task.check(task.solve).status == CORRECT
        for name, wrong in task.mistakes.items():
            refused[name] += is_refused(name, wrong)
        for name, mutant in mutants.items():
            refused[name] += is_refused(name, mutant.function)
    assert not {name: count for name, count in refused.items() if 0 < count < SEEDS}
    never = [name for name, count in refused.items() if not count]
    assert not [name for name in never if name not in mutants or not _equivalent(task, mutants[name])]
