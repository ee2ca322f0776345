"""Answers that learners would give, tests/answers/dayNN.txt: wrong ones are refused, with a reason; right ones pass."""

from __future__ import annotations

import pytest
from learners import answers_of
from test_mutants import TRUE_OF, is_true

from days.common.exercises import CORRECT, NOT_QUITE, Exercise, exercises_of
from days.common.paths import REPO_ROOT

DAYS = sorted(int(path.stem[3:]) for path in (REPO_ROOT / "tests/answers").glob("day*.txt"))
every_day = pytest.mark.parametrize("day", DAYS, ids=[f"day{day}" for day in DAYS])


@every_day
def test_every_exercise_has_answers(day):
    answers = list(answers_of(day))
    for exercise in {id(one.exercise): one.exercise for one in answers}.values():
        of_it = [one for one in answers if one.exercise is exercise]
        assert len({(one.words, one.right) for one in of_it}) == len(of_it)
        if exercise.probe:
            assert sum(not one.right for one in of_it) >= 10
            assert sum(one.right for one in of_it) >= 3
    module = __import__(f"days.day{day}.code.exercises", fromlist=["exercises"])
    assert {name for name, _ in exercises_of(module)} == {one.exercise.solve.__name__ for one in answers}


@every_day
def test_wrong_answers_are_refused_and_right_ones_accepted(day, monkeypatch):
    monkeypatch.setattr(Exercise, "_why", lambda *_: "")
    _ask_once(monkeypatch)
    for one in answers_of(day):
        verdict = one.exercise.check(one.function, 1)
        said = f"{one.exercise.solve.__name__}, {one.words}: {verdict.message}"
        assert verdict.status == (CORRECT if one.right else NOT_QUITE), said


def _ask_once(monkeypatch):
    """Draw an exercise's questions once for all of its answers."""
    draw, drawn = Exercise.questions, {}

    def questions(exercise, seed):
        if (id(exercise), seed) not in drawn:
            drawn[id(exercise), seed] = draw(exercise, seed)
        return drawn[id(exercise), seed]

    monkeypatch.setattr(Exercise, "questions", questions)


def _check_reasons(answers, seed: int, least: float = 0.75):
    verdicts = [(one, one.exercise.check(one.function, seed)) for one in answers if not one.right]
    told = [one for one, verdict in verdicts if verdict.why or "raised" in verdict.message]
    assert len(told) >= least * len(verdicts), [one.words for one, _ in verdicts if one not in told]
    for one, verdict in verdicts:
        if any(verdict.why.startswith(words) for words in TRUE_OF):
            for inputs, wanted in one.exercise.questions(seed):
                assert is_true(verdict.why, one.exercise, one.function, inputs, wanted), (one.words, verdict.why)


@every_day
def test_most_wrong_answers_get_a_reason_that_is_true(day, monkeypatch):
    _ask_once(monkeypatch)
    _check_reasons(
        list(answers_of(day))[::4], seed=2, least=0.65
    )  # of a day's 30 or 40: the share of all is asked below


@pytest.mark.slow
@every_day
def test_all_wrong_answers_get_a_reason_that_is_true(day, monkeypatch):
    _ask_once(monkeypatch)
    _check_reasons(list(answers_of(day)), seed=3)
