"""Answers that people would write to the exercises, wrong and right ones: tests/answers/dayNN.txt, read as functions.

== name of the exercise
- what is wrong | expression
- what is wrong
    lines of
    code that return
+ what is special about a right answer | expression
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy

from days.common.exercises import Exercise

FOLDER = Path(__file__).parent / "answers"


class Answer(NamedTuple):
    """A learner's answer to an exercise: the day's number, right or wrong, in words, and as a function."""

    day: int
    exercise: Exercise
    right: bool
    words: str
    function: Callable


def answers_of(day: int) -> Iterator[Answer]:
    """The answers to the exercises of a day, in the order of their file."""
    import torch

    module = importlib.import_module(f"days.day{day}.code.exercises")
    # Without __loader__ and the like, by which an error's line would be looked up in the module.
    known = {name: one for name, one in vars(module).items() if name[:2] != "__"}
    known |= {"np": np, "scipy": scipy, "torch": torch}
    if day == 18:
        known["feature_map"] = importlib.import_module("days.day17.code.feature_maps").feature_map
    for part in ("\n" + (FOLDER / f"day{day}.txt").read_text(encoding="utf-8")).split("\n== ")[1:]:
        name, *lines = part.splitlines()
        exercise, arguments = getattr(module, name), None
        arguments = ", ".join(inspect.signature(exercise.solve).parameters)
        heads = [place for place, line in enumerate(lines) if line[:2] in ("- ", "+ ")]
        for start, end in zip(heads, [*heads[1:], len(lines)], strict=True):
            words, _, expression = lines[start][2:].partition(" | ")
            body = f"return {expression}" if expression else textwrap.dedent("\n".join(lines[start + 1 : end]))
            space = dict(known)
            exec(compile(f"def {name}({arguments}):\n{textwrap.indent(body, '    ')}", words, "exec"), space)
            yield Answer(day, exercise, lines[start][0] == "+", words, space[name])
