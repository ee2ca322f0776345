"""Exercises that check themselves: not attempted, not quite (and why), or correct.

An exercise is written as its solution. The decorator turns that function into an `Exercise` with `check`, `hint` and
`solution`; what a learner writes is run on fresh random inputs and held against an independent truth. What has passed
is noted: see `days.common.progress`. Inputs are drawn with `days.common.cases`; `python -m days.new` writes a skeleton.
"""

from __future__ import annotations

import copy
import dis
import functools
import html
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from days.common.progress import note_solved

NOT_ATTEMPTED, NOT_QUITE, CORRECT = "not attempted yet", "not quite", "correct"
_COLORS = {NOT_ATTEMPTED: "#6b6b6b", NOT_QUITE: "#9a5b00", CORRECT: "#1b6e3c"}
_SIGNS = {NOT_ATTEMPTED: "○", NOT_QUITE: "✗", CORRECT: "✓"}


@dataclass(frozen=True)
class Verdict:
    """What a check found: `status` is one of the three words above, `message` says what is wrong or goes on."""

    status: str
    message: str = ""

    def __repr__(self) -> str:
        return f"{_SIGNS[self.status]} {self.status}" + (f": {self.message}" if self.message else "")

    def _repr_html_(self) -> str:
        color = _COLORS[self.status]
        return (
            f'<div role="status" style="border-left:4px solid {color};padding:.2em .8em"><b style="color:{color}">'
            f"{_SIGNS[self.status]} {self.status}</b> {html.escape(self.message)}</div>"
        )


@dataclass(frozen=True)
class Note:
    """A text for the notebook's screen: a hint, or a solution's code."""

    text: str
    code: bool = False

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.text}\n```" if self.code else self.text


@dataclass
class Exercise:
    """One exercise.

    Parameters
    ----------
    head : number, time and difficulty, as they stand above the notebook's stub: "9.2 · 10 min · ●●○".
    solve : the solution. Its signature and docstring are the notebook's stub.
    cases : draws the inputs of every run from a generator: a list of argument tuples.
    truth : the right answer from the same inputs, computed another way than the solution does.
    mistakes : message, wrong answer, message, wrong answer ...: at least three that learners really give. A wrong
        answer is the solution with pieces exchanged, ("axis=(1, 2)", "axis=(0, 1)"), see `exchanged`; where no
        exchange can express it, a function. Kept as {message: function}.
    hints : the first says where to begin, the last nearly all.
    look : `look(answer, *inputs)` turns an answer into what is compared with the truth: arrays, numbers, text, or
        tuples and dicts of these. It sees the inputs that the answer was given, and what was left behind in them.
    tolerance : largest difference allowed, as a share of the wanted answer's largest value.
    """

    head: str
    solve: Callable
    cases: Callable[[np.random.Generator], Sequence[tuple]]
    truth: Callable
    mistakes: Any
    hints: Sequence[str]
    look: Callable[..., Any] = lambda answer, *inputs: answer
    tolerance: float = 1e-5
    hints_given: int = field(default=0, init=False, repr=False)

    def __post_init__(self):
        self.mistakes = {
            message: wrong if callable(wrong) else exchanged(self.solve, *wrong)
            for message, wrong in zip(self.mistakes[::2], self.mistakes[1::2], strict=True)
        }

    @property
    def number(self) -> str:
        """As in the notebook, "9.2"."""
        return self.head.split()[0]

    @property
    def cell(self) -> str:
        """The notebook's cell: the head, the solution without its body, and the check."""
        name, (signature, document, _) = self.solve.__name__, _parts(self.solve)
        return f"# Exercise {self.head}\n{signature}{document}\n    ...\n\n\nexercises.{name}.check({name})"

    def check(self, answer: Callable, seed: int | None = None) -> Verdict:
        """Run `answer` on fresh random inputs and say how it does; never raises.

        answer : the learner's function. seed : draws the same inputs again; fresh ones without it.
        """
        if not callable(answer):
            return Verdict(NOT_QUITE, f"expected your function itself, got {_brief(answer)}: leave out the brackets")
        for inputs in self.cases(np.random.default_rng(seed)):
            wanted, given = self.truth(*_fresh(inputs)), _fresh(inputs)
            try:
                returned = answer(*given)
            except (Exception, SystemExit) as error:
                return Verdict(NOT_QUITE, f"your function raised {type(error).__name__}: {_brief(error)}")
            if returned is None or returned is Ellipsis:
                if _is_stub(answer):
                    return Verdict(NOT_ATTEMPTED)
                return Verdict(NOT_QUITE, f"you returned {returned}, wanted {_brief(wanted)}. Is there a `return`?")
            try:
                verdict = self._compare(returned, wanted, given, inputs)
            except Exception:
                # An answer can be any object, and one that cannot even be compared is a wrong one.
                verdict = f"you returned {_brief(returned)}, wanted {_brief(wanted)}."
            if verdict:
                return Verdict(NOT_QUITE, verdict)
        return Verdict(CORRECT, self._noted())

    def _noted(self) -> str:
        """Note that the exercise has passed; what the learner should know if that fails."""
        day = re.search(r"day\d+", self.solve.__module__)
        try:
            if day:
                note_solved(day.group(), self.number)
        except (OSError, ValueError) as error:
            return f"But your progress was not noted: {error}"
        return ""

    def _compare(self, returned, wanted, given: tuple, inputs: tuple) -> str:
        got = self.look(returned, *given)
        difference = _difference(got, wanted, self.tolerance)
        return " ".join(filter(None, [difference, difference and self._advice(got, inputs)]))

    def hint(self) -> Note:
        """One more hint each time."""
        if self.hints_given == len(self.hints):
            return Note(f"No more hints for {self.number}; `solution()` shows one way to write it.")
        self.hints_given += 1
        return Note(f"Hint {self.hints_given} of {len(self.hints)}: {self.hints[self.hints_given - 1]}")

    def solution(self) -> Note:
        """One way to write it, as code."""
        return Note("".join(_parts(self.solve)), code=True)

    def _advice(self, got, inputs: tuple) -> str:
        for message, wrong in self.mistakes.items():
            given = _fresh(inputs)
            if not _difference(got, self.look(wrong(*given), *given), self.tolerance):
                return message
        return ""


def exercise(head: str, **fields) -> Callable[[Callable], Exercise]:
    """Turn a solution into an `Exercise`: `@exercise("9.2 · 10 min · ●●○", cases=..., truth=..., ...)`."""
    return functools.partial(Exercise, head, **fields)


def exchanged(solve: Callable, *pieces: str) -> Callable:
    """A wrong answer: `solve` with pieces of its body exchanged, so that it always is the solution but for these.

    pieces : old, new, and so on in pairs. Each old piece must occur exactly once (after the exchanges before it).
    Raises ValueError if it does not, and SyntaxError if the result is no code.
    """
    signature, _, body = _parts(solve)
    for old, new in zip(pieces[::2], pieces[1::2], strict=True):
        if body.count(old) != 1:
            raise ValueError(
                f"{solve.__name__}: expected {old!r} once in the solution's body, found it {body.count(old)} times: "
                "take a piece that occurs once, or write the wrong answer as a function"
            )
        body = body.replace(old, new)
    code = compile(signature + body, f"<{solve.__name__} with {pieces}>", "exec")

    def wrong(*inputs):
        namespace = {**solve.__globals__}
        exec(code, namespace)
        return namespace[solve.__name__](*inputs)

    return wrong


def _parts(solve: Callable) -> tuple[str, str, str]:
    """A solution's source, without decorator: up to its docstring, the docstring with its quotes, and the body."""
    source = textwrap.dedent(inspect.getsource(solve))
    source = source[f"\n{source}".index("\ndef ") :].rstrip()
    signature, document, body = source.split('"""', 2)
    return signature, f'"""{document}"""', body


def exercises_of(module) -> Iterator[tuple[str, Exercise]]:
    """The exercises of a day's module, by name."""
    return ((name, value) for name, value in vars(module).items() if isinstance(value, Exercise))


def _is_stub(function: Callable) -> bool:
    """Whether a function's body is `...` alone: it does nothing but return a constant."""
    nothing = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}
    return inspect.isfunction(function) and all(step.opname in nothing for step in dis.get_instructions(function))


def _fresh(inputs: tuple) -> tuple:
    """Copies, so that a function that changes its input cannot change the truth's."""
    return tuple(copy.deepcopy(value) for value in inputs)


def _difference(got, wanted, tolerance: float) -> str:
    """What sets `got` apart from `wanted`, in words; "" where nothing does."""
    if isinstance(wanted, dict):
        if not isinstance(got, dict) or got.keys() != wanted.keys():
            keys = list(got) if isinstance(got, dict) else type(got).__name__
            return f"you returned {_brief(keys)}, wanted a dict with the keys {list(wanted)}."
        parts = ((f"at {key!r} ", got[key], wanted[key]) for key in wanted)
    elif isinstance(wanted, tuple):
        got = tuple(got) if isinstance(got, np.ndarray) and got.ndim == 1 else got
        if not isinstance(got, (tuple, list)) or len(got) != len(wanted):
            return f"you returned {_brief(got)}, wanted {_brief(wanted)}."
        parts = ((f"in place {place} ", one, other) for place, (one, other) in enumerate(zip(got, wanted, strict=True)))
    elif isinstance(wanted, str):
        return "" if isinstance(got, str) and got == wanted else f"you returned {_brief(got)}, wanted {wanted!r}."
    else:
        return _array_difference(got, np.asarray(wanted), tolerance)
    return next((where + said for where, one, other in parts if (said := _difference(one, other, tolerance))), "")


def _array_difference(got, wanted: np.ndarray, tolerance: float) -> str:
    try:
        got = np.asarray(got)
    except (TypeError, ValueError, RuntimeError) as error:
        return f"you returned {type(got).__name__}, which is no array ({_brief(error)}); wanted {_brief(wanted)}."
    if got.dtype.kind not in "biuf":
        return f"you returned {_brief(got)} of type {got.dtype}, wanted numbers: {_brief(wanted)}."
    if got.shape != wanted.shape:
        if 0 in (got.ndim, wanted.ndim):
            return f"you returned {_brief(got)}, wanted {_brief(wanted)}."
        return f"you returned an array of shape {got.shape}, wanted {wanted.shape}."
    allowed = tolerance * max(1e-12, float(np.nanmax(np.abs(wanted), initial=0)))
    wrong = ~np.isclose(got, wanted, rtol=0, atol=allowed, equal_nan=True)
    if not wrong.any():
        return ""
    if wanted.size <= 6:
        return f"you returned {_brief(got)}, wanted {_brief(wanted)}."
    first = tuple(int(place) for place in np.argwhere(wrong)[0])
    share = f"{wrong.mean():.0%} of the values differ"
    return f"you returned {got[first]:.4g} at {list(first)}, wanted {wanted[first]:.4g}; {share}."


def _brief(value, length: int = 160) -> str:
    """A value in a few words; never raises."""
    try:
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc":
            value = np.asarray(value)
            shown = value if value.size <= 6 else value.ravel()[:4]
            text = np.array2string(shown, precision=4, separator=", ")
            text += f" ... of shape {value.shape}" if value.size > 6 else ""
        else:
            text = str(value) if isinstance(value, BaseException) else repr(value)
    except Exception:
        text = f"a {type(value).__name__} that cannot be shown"
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 3] + "..."
