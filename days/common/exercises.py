"""Exercises that check themselves: not attempted, not quite (and why), or correct.

An exercise is written as its solution. The decorator turns that function into an `Exercise` with `check`, `hint` and
`solution`; what a learner writes is run on fresh random inputs and held against an independent truth. Why an answer is
wrong is found by `days.common.diagnosis`, or known from the exercise's listed mistakes. What has passed is noted: see
`days.common.progress`. Inputs are drawn with `days.common.cases`; `python -m days.new` writes a skeleton.
"""

from __future__ import annotations

import copy
import dis
import functools
import html
import inspect
import linecache
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar

import numpy as np

from days.common.comparison import Words, brief, changed, difference, plain, quietly, state
from days.common.diagnosis import answers_alike, reason
from days.common.mutants import source_of
from days.common.progress import note_solved, solved
from days.common.relations import Inquiry, Run
from days.common.shown import is_shown, shows

NOT_ATTEMPTED, NOT_QUITE, CORRECT = "not attempted yet", "not quite", "correct"
_COLORS = {NOT_ATTEMPTED: "#808080", NOT_QUITE: "#c77700", CORRECT: "#2e9b57"}
_SIGNS = {NOT_ATTEMPTED: "○", NOT_QUITE: "✗", CORRECT: "✓"}


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    status : one of the three words above. message : what came and what was wanted. why : what is wrong with it, if
    that could be told. step : what to do next.
    """

    status: str
    message: str = ""
    step: str = ""
    why: str = ""

    def __repr__(self) -> str:
        is_shown(self)
        said = f"{_SIGNS[self.status]} {self.status}" + (f": {self.message}" if self.message else "")
        return said + (f"\n  {self.step}" if self.step else "")

    def _repr_html_(self) -> str:
        is_shown(self)
        # The page's own text color, which can be read in a light and in a dark theme; the status is the border's.
        step = f'<br><small style="color:inherit">{_marked(self.step)}</small>' if self.step else ""
        said = f": {_marked(self.message)}" if self.message else " "
        return (
            f'<div role="status" style="color:inherit;border-left:4px solid {_COLORS[self.status]};'
            f'padding:.2em .8em"><b>{_SIGNS[self.status]} {self.status}</b>{said}{step}</div>'
        )


def _marked(text: str) -> str:
    """Text as HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


@dataclass(frozen=True)
class Note:
    """A text for the notebook's screen: a hint, or a solution's code."""

    text: str
    code: bool = False

    def __repr__(self) -> str:
        is_shown(self)
        return self.text

    def _repr_markdown_(self) -> str:
        is_shown(self)
        return f"```python\n{self.text}\n```" if self.code else self.text


@dataclass
class Assignment:
    """What an exercise and a task share.

    head : number, time and difficulty, as they stand above the notebook's stub: "9.2 · 10 min · ●●○".
    solve : the solution. Its signature and docstring are the notebook's stub.
    hints : the first says where to begin, the last nearly all.
    given : what the notebook's cell calls the function with; () for an exercise, whose inputs are drawn.
    """

    kind: ClassVar[str]

    head: str
    solve: Callable
    _: KW_ONLY
    hints: Sequence[str]
    given: tuple = ()
    hints_given: int = field(default=0, init=False, repr=False)

    @property
    def number(self) -> str:
        """As in the notebook, "9.2"."""
        return self.head.split()[0]

    @property
    def cell(self) -> str:
        """The notebook's cell: the head, the solution without its body, the check, and a hint in a comment."""
        name, (signature, document, _) = self.solve.__name__, _parts(self.solve)
        asked = ", ".join([name, *map(repr, self.given)])
        check = f"exercises.{name}.check({asked})\n# exercises.{name}.hint()  # or .solution()"
        return f"# {self.kind} {self.head}\n{signature}{document}\n    ...\n\n\n{check}"

    def _returned(self, answer: Callable, given: tuple, wanted: str = "", edge: str = ""):
        """What the learner's function returns, or the verdict if it does not get that far.

        wanted : what the verdict adds where nothing is returned. edge : in words, what is special about these inputs.
        """
        if not callable(answer):
            return self._not_quite(f"expected your function itself, got {brief(answer)}: leave out the brackets")
        try:
            returned = plain(answer(*given))
        except (Exception, SystemExit) as error:
            return self._not_quite(raised(answer, error) + (edge and f", where {edge}"))
        if returned is not None and returned is not Ellipsis:
            return returned
        if _is_stub(answer):
            return Verdict(NOT_ATTEMPTED, step=self._help())
        return self._not_quite(f"you returned {returned}{wanted}. Is there a `return`?")

    def _not_quite(self, message: str, why: str = "") -> Verdict:
        return Verdict(NOT_QUITE, " ".join(filter(None, [message, why])), self._help(), why)

    def _help(self) -> str:
        """The next step for somebody who is stuck."""
        if self.hints_given < len(self.hints):
            return f"`exercises.{self.solve.__name__}.hint()` gives a hint."
        return f"`exercises.{self.solve.__name__}.solution()` shows one way to write it."

    def _noted(self) -> tuple[str, str]:
        """Note that the exercise has passed: what the learner should know if that fails, and what to do next."""
        day, module = re.search(r"day\d+", self.solve.__module__), sys.modules.get(self.solve.__module__)
        every = list(assignments_of(module)) if module else []
        if not day or self not in [task for _, task in every]:
            return "", ""
        try:
            note_solved(day.group(), self.number)
        except (OSError, ValueError) as error:
            return f"But your progress was not noted: {error}", ""
        done = solved().get(day.group(), [])
        left = [(name, task) for name, task in every if task.number not in done]
        after = [pair for pair in left if every.index(pair) > [task for _, task in every].index(self)]
        said = f"{len(every) - len(left)} of {len(every)} solved on this day"
        following = next((f"; next: {task.number}, `{name}`." for name, task in after or left), ": all of them.")
        return "", said + following

    @shows
    def hint(self) -> Note:
        """One more hint each time."""
        if self.hints_given == len(self.hints):
            return Note(f"No more hints for {self.number}; `solution()` shows one way to write it.")
        self.hints_given += 1
        return Note(f"Hint {self.hints_given} of {len(self.hints)}: {self.hints[self.hints_given - 1]}")

    @shows
    def solution(self) -> Note:
        """One way to write it, as code."""
        return Note("".join(_parts(self.solve)), code=True)


@dataclass(kw_only=True)
class Exercise(Assignment):
    """A function with one right answer for each input, held against the truth on fresh random inputs.

    Parameters
    ----------
    head, solve, hints : see `Assignment`.
    cases : draws inputs from a generator: a list of argument tuples, some made by `days.common.cases.edge`.
    truth : the right answer from the same inputs, computed another way than the solution does.
    mistakes : message, wrong answer, message, wrong answer ...: those that learners really make, and that need words
        of their own. A message is shown where an answer agrees with its wrong one on every input. A wrong answer is
        the solution with pieces exchanged, ("axis=(1, 2)", "axis=(0, 1)"), see `exchanged`; where no exchange can
        express it, a function. Kept as {message: function}.
    look : `look(answer, *inputs)` turns an answer into what is compared with the truth: arrays, numbers, text, or
        tuples and dicts of these, or `Words` on what is wrong. It sees the inputs that the answer was given, and what
        was left behind in them.
    tolerance : largest difference allowed, as a share of the wanted answer's largest value.
    rounds : how often a check draws all cases. probe : whether calling an answer some hundred times is cheap, so that
        a diagnosis may do it.
    """

    kind = "Exercise"

    cases: Callable[[np.random.Generator], Sequence[tuple]]
    truth: Callable
    mistakes: Any
    look: Callable[..., Any] = lambda answer, *inputs: answer
    tolerance: float = 1e-5
    rounds: int = 3
    probe: bool = True

    def __post_init__(self):
        self.mistakes = wrong_answers(self.solve, self.mistakes)

    @shows
    def check(self, answer: Callable, seed: int | None = None) -> Verdict:
        """Run `answer` on fresh random inputs and say how it does; never raises.

        answer : the learner's function. seed : draws the same inputs again; fresh ones without it.
        """
        runs, said, left_behind = [], "", ""
        for inputs, wanted in self.questions(seed):
            given = _fresh(inputs)
            before = [state(value) for value in given]
            returned = self._returned(answer, given, f", wanted {brief(wanted)}", "".join(_edge(inputs)))
            if isinstance(returned, Verdict):
                return returned
            changes = map(changed, before, map(state, given), inspect.signature(self.solve).parameters)
            left_behind = left_behind or next(filter(None, changes), "")
            got, differs = self._looked(returned, given, wanted)
            runs.append(Run(inputs, wanted, got, not differs, "".join(_edge(inputs))))
            said = said or differs
        if said or left_behind:
            told = f"{said}." if isinstance(said, Words) else ""
            why = [told, said and self._why(runs, answer), left_behind]
            return self._not_quite("" if told else said, " ".join(filter(None, why)))
        return Verdict(CORRECT, *self._noted())

    def questions(self, seed: int | None) -> list[tuple[tuple, Any]]:
        """A run's inputs, each with what is wanted."""
        generator = np.random.default_rng(seed)
        every = [inputs for _ in range(self.rounds) for inputs in self.cases(generator)]
        return [(inputs, self.truth(*_fresh(inputs))) for inputs in every]

    def _looked(self, returned, given: tuple, wanted) -> tuple[Any, str]:
        """An answer as it is compared, and what sets it apart from the wanted one."""
        try:
            got = plain(self.look(returned, *given))
            return got, difference(got, wanted, self.tolerance)
        except Exception:
            # An answer can be any object, and one that cannot even be compared is a wrong one.
            return None, f"you returned {brief(returned)}, wanted {brief(wanted)}."

    def _why(self, runs: list[Run], answer: Callable) -> str:
        """What is wrong: a listed mistake that gives the same on every input, or else what a diagnosis finds."""
        if any(run.got is None for run in runs):
            return ""
        question = Inquiry(
            self.solve,
            lambda inputs: self._answered(answer, inputs),
            lambda inputs: self._answered(self.solve, inputs),
            self._answered,
            self.tolerance,
            self.probe,
        )
        try:
            for message, wrong in self.mistakes.items():
                if answers_alike(wrong, runs, question):
                    return message
            return reason(runs, question)
        except Exception:  # a diagnosis that fails is none, and must not hide the verdict
            return ""

    def _answered(self, function: Callable, inputs: tuple):
        given = _fresh(inputs)
        returned = quietly(function, *given)
        return None if returned is None else quietly(self.look, returned, *given)


def exercise(head: str, **fields) -> Callable[[Callable], Exercise]:
    """Turn a solution into an `Exercise`: `@exercise("9.2 · 10 min · ●●○", cases=..., truth=..., ...)`."""
    return functools.partial(Exercise, head, **fields)


def wrong_answers(solve: Callable, pairs: Sequence) -> dict[str, Callable]:
    """[message, wrong answer, message, wrong answer ...] as {message: function}; see `Exercise`."""
    return {
        message: wrong if callable(wrong) else exchanged(solve, *wrong)
        for message, wrong in zip(pairs[::2], pairs[1::2], strict=True)
    }


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
    signature, document, body = source_of(solve).rstrip().split('"""', 2)
    return signature, f'"""{document}"""', body


def assignments_of(module) -> Iterator[tuple[str, Assignment]]:
    """The exercises and tasks of a day's module, by name."""
    return ((name, value) for name, value in vars(module).items() if isinstance(value, Assignment))


def exercises_of(module) -> Iterator[tuple[str, Exercise]]:
    """The exercises of a day's module, by name."""
    return ((name, value) for name, value in assignments_of(module) if isinstance(value, Exercise))


def _is_stub(function: Callable) -> bool:
    """Whether a function's body is `...` alone: it does nothing but return a constant."""
    nothing = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}
    return inspect.isfunction(function) and all(step.opname in nothing for step in dis.get_instructions(function))


def _fresh(inputs: tuple) -> tuple:
    """Copies, so that a function that changes its input cannot change the truth's."""
    return tuple(copy.deepcopy(value) for value in inputs)


def _edge(inputs: tuple) -> list[str]:
    return [inputs.edge] if hasattr(inputs, "edge") else []


def raised(answer: Callable, error: BaseException, name: str = "function") -> str:
    """What a learner's function raised, in words, and in which of its lines."""
    return f"your {name} raised {type(error).__name__}: {brief(error)}{_line(answer, error)}"


def _line(answer: Callable, error: BaseException) -> str:
    """The line of the learner's function that raised an error: its number, counted from `def`, and its text."""
    code = getattr(answer, "__code__", None)
    if code is None:
        return ""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == code.co_filename]
    if not frames:
        return ""
    at = frames[-1].lineno or code.co_firstlineno
    text = (frames[-1].line or linecache.getline(code.co_filename, at)).strip()
    number = at - code.co_firstlineno + 1
    inside = f"line {number} of your function" if frames[-1].name == code.co_name else f"your `{frames[-1].name}`"
    return f" (in {inside}: `{text}`)" if text else f" (in {inside})"
