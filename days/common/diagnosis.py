"""Why an answer is wrong, found by looking at it: every sentence here is true of each input of the check's run.

`reason(runs, ...)` asks, in this order: what the answers have to do with those that are wanted (a sign, a factor, an
axis ...), which argument they ignore, which change of the solution gives the same, on which inputs alone they are
wrong, and at last what can be said of the places where they differ.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from days.common.comparison import axes_of, brief, close, leaves, same
from days.common.mutants import mutants

Pairs = list[tuple[Any, Any]]
"""(what came, what is wanted), for each run."""


@dataclass
class Run:
    """One call of an answer: the inputs as they were, what was wanted, what came (as it is compared), and its edge.

    right : whether they agree. edge : what is special about these inputs, in words, or "".
    """

    inputs: tuple
    wanted: Any
    got: Any
    right: bool
    edge: str = ""


@dataclass
class Inquiry:
    """What a diagnosis may ask about an exercise: its solution, how to copy inputs, and how to answer and compare.

    answer : the learner's function, truth : the right one, both from inputs to what is compared; each works on copies.
    probe : whether calling them often is cheap.
    """

    solve: Callable
    answer: Callable
    truth: Callable
    as_answered: Callable
    tolerance: float
    probe: bool = True

    @property
    def names(self) -> list[str]:
        """The arguments' names."""
        return list(inspect.signature(self.solve).parameters)


def reason(runs: Sequence[Run], question: Inquiry) -> str:
    """A sentence or two on what is wrong with answers of which at least one is; "" where nothing can be said."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        parts = _parts(runs)
        finders = (
            lambda: _by_members(runs),
            lambda: parts and _by_part(parts, lambda pairs: _relation(pairs, runs, question)),
            lambda: _by_edge(runs),
            lambda: question.probe and _by_probing(runs, question),
            lambda: question.probe and _by_mutant(runs, question),
            lambda: parts and _by_part(parts, lambda pairs: _loose_relation(pairs, runs, question)),
            lambda: parts and _which_part(parts, question),
            lambda: _how_often(runs),
        )
        return next((said for finder in finders if isinstance(said := finder(), str) and said), "")


# ---------------------------------------------------------------- an answer of several parts


def _parts(runs: Sequence[Run]) -> dict[str, Pairs]:
    """{where: pairs} of the answers' parts; {} where they do not fit what is wanted, or not all in one way."""
    fitting = [leaves(run.got, run.wanted) for run in runs]
    found = [one for one in fitting if not isinstance(one, str)]
    if len(found) < len(fitting):
        return {}
    if len({tuple(leaf.where for leaf in one) for one in found}) > 1:  # names that differ from run to run
        several: Pairs = [(leaf.got, leaf.wanted) for one in found for leaf in one]
        return {"": several} if len({isinstance(wanted, str) for _, wanted in several}) == 1 else {}
    return {leaf.where: [(one[place].got, one[place].wanted) for one in found] for place, leaf in enumerate(found[0])}


def _by_part(parts: dict[str, Pairs], find: Callable) -> str:
    """The sentence that holds for every part that is wrong; or that of the first wrong part, with its place."""
    if len(parts) == 2 and (exchanged := _exchanged(list(parts.values()))):
        return exchanged
    wrong = {where: pairs for where, pairs in parts.items() if not all(same(*pair, 1e-5) for pair in pairs)}
    said = {where: find(pairs) for where, pairs in wrong.items()}
    if len(set(said.values())) == 1:
        return next(iter(said.values())) or ""
    where, sentence = next(((where, one) for where, one in said.items() if one), ("", ""))
    return f"{_place(where)}{sentence}"


def _place(where: str) -> str:
    return f"{where.strip()[0].upper()}{where.strip()[1:]}: " if where.strip() else ""


def _exchanged(parts: list[Pairs]) -> str:
    first, second = parts
    swapped = all(same(a[0], b[1], 1e-5) and same(b[0], a[1], 1e-5) for a, b in zip(first, second, strict=True))
    return "The two have changed places." if swapped else ""


def _which_part(parts: dict[str, Pairs], question: Inquiry) -> str:
    wrong = [where for where, pairs in parts.items() if not all(same(*pair, question.tolerance) for pair in pairs)]
    if not 0 < len(wrong) < len(parts):
        return ""
    return f"Wrong is only what you return {' and '.join(where.strip() for where in wrong)}; the rest is right."


def _by_members(runs: Sequence[Run]) -> str:
    """What is said of the names in dicts and lists, as sets, where it is true of all runs."""
    kinds = [(type(run.got), type(run.wanted)) for run in runs]
    if not all((wanted is dict and got is dict) or (wanted is tuple and got in (tuple, list)) for got, wanted in kinds):
        return ""
    members = [(list(run.got), list(run.wanted)) for run in runs]
    if not all(isinstance(one, (str, int, np.integer)) for pair in members for side in pair for one in side):
        return ""
    sets = [(set(got), set(wanted)) for got, wanted in members]
    what = "keys" if isinstance(runs[0].wanted, dict) else "values"
    if all(got == wanted for got, wanted in sets):
        if what == "keys":
            return ""
        if all(got == wanted[::-1] for got, wanted in members):
            return "The order is turned round."
        doubled = all(len(got) > len(wanted) for got, wanted in members)
        return "Some stand there more than once." if doubled else "The right ones, in another order."
    if not any(got & wanted for got, wanted in sets):
        return f"None of the right {what} is among them."
    if all(got <= wanted for got, wanted in sets):
        return f"All of these {what} belong there, but some are missing."
    return f"None of the {what} is missing, but some do not belong there." if all(a >= b for a, b in sets) else ""


# ---------------------------------------------------------------- what the answers have to do with the wanted ones

OF_THE_WANTED = {
    "The sign is turned round.": np.negative,
    "The sign is lost: what should be below 0 is above it.": np.abs,
    "What should be below 0 was cut off.": lambda wanted: np.maximum(wanted, 0),
    "Cut off at 0 and 1; that was not wanted.": lambda wanted: np.clip(wanted, 0, 1),
    "That is 1 minus what is wanted.": lambda wanted: 1 - wanted,
    "That is 1 divided by what is wanted.": lambda wanted: 1 / wanted,
    "That is the square of what is wanted: a root is missing, or something is squared that should not be.": np.square,
    "That is the root of what is wanted: take the number itself.": np.sqrt,
    "That is the logarithm of what is wanted.": np.log,
    "That is e to the power of what is wanted.": np.exp,
    "It is rounded; wanted are the numbers as they are.": np.round,
    "It is rounded down: what stands behind the point is lost.": np.floor,
    "It is rounded up.": np.ceil,
    "True and False are exchanged.": lambda wanted: ~wanted if wanted.dtype == bool else None,
}
"""Sentence: what makes the answer out of what is wanted."""

OF_THE_ANSWER = {
    "The absolute value is missing.": np.abs,
    "What is below 0 is still in it.": lambda got: np.maximum(got, 0),
    "What is above 0 is still in it.": lambda got: np.minimum(got, 0),
    "It is not cut off at 0 and 1.": lambda got: np.clip(got, 0, 1),
    "What is above 1 is still in it.": lambda got: np.minimum(got, 1),
    "It is not rounded.": np.round,
    "That is a mask of True and False; wanted are the indices where it is True.": (
        lambda got: np.flatnonzero(got) if got.dtype == bool else None
    ),
    "These are the numbers themselves; wanted are the indices that sort them.": np.argsort,
    "These are not sorted.": np.sort,
}
"""Sentence: what makes what is wanted out of the answer."""


def _relation(pairs: Pairs, runs: Sequence[Run], question: Inquiry) -> str:
    if isinstance(pairs[0][1], str):
        return ""
    if len(pairs) > 1 and _constant([got for got, _ in pairs]) and not _constant([wanted for _, wanted in pairs]):
        return f"Your function returns the same, {brief(pairs[0][0])}, whatever it is given."
    finders = (_input_itself, _simple, _factor, _offset, _reordered, _reduced, _one_more_term, _indices)
    return next(filter(None, (find(pairs, runs, question) for find in finders)), "")


def _constant(values: list) -> bool:
    return all(same(value, values[0], 1e-9) for value in values)


def _all(pairs: Pairs, change: Callable, tolerance: float, *, of_the_answer: bool = False) -> bool:
    """Whether a change of the wanted answer gives the answer in each run, or the other way round."""
    for got, wanted in pairs:
        try:
            one, other = (change(got), wanted) if of_the_answer else (change(wanted), got)
            if one is None or not same(one, other, max(tolerance, 1e-9)):
                return False
        except (TypeError, ValueError, IndexError):
            return False
    return any(np.size(wanted) for _, wanted in pairs)


def _simple(pairs, runs, question):
    for table, of_the_answer in ((OF_THE_WANTED, False), (OF_THE_ANSWER, True)):
        for sentence, change in table.items():
            if _all(pairs, change, question.tolerance, of_the_answer=of_the_answer):
                return sentence
    return ""


def _ratios(pairs: Pairs, tolerance: float) -> list[float] | None:
    """The factor by which each run's answer is off, if it is one factor for all its numbers; None if it is not."""
    found = []
    for got, wanted in pairs:
        if np.shape(got) != np.shape(wanted) or not np.any(wanted) or not np.all(np.isfinite(got)):
            return None
        got, wanted = np.asarray(got, float), np.asarray(wanted, float)
        factor = float((got * wanted).sum() / (wanted**2).sum())
        if not factor or not same(got, factor * wanted, max(tolerance, 1e-7)):
            return None
        found.append(factor)
    return found


def _quantities(run: Run, names: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Numbers that a run's inputs are of: their values, counts and sizes, with the code that gives them."""
    for name, value in zip(names, run.inputs, strict=False):
        if isinstance(value, np.ndarray):
            yield f"{name}.size", value.size
            yield from ((f"{name}.shape[{axis}]", side) for axis, side in enumerate(value.shape))
            if value.ndim > 1:
                yield f"{name}[0].size", value[0].size
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, value


def _named(numbers: list[float], runs: Sequence[Run], names: Sequence[str]) -> str:
    """Code that gives these numbers, one for each run, from the runs' inputs; "" where none is known."""
    for position, (code, _) in enumerate(_quantities(runs[0], names)):
        values = [list(_quantities(run, names))[position][1] for run in runs]
        for power, text in ((1, "{}"), (-1, "1 / {}"), (0.5, "np.sqrt({})"), (-0.5, "1 / np.sqrt({})"), (2, "{}**2")):
            with np.errstate(all="ignore"):
                if np.allclose(np.power(np.asarray(values, float), power), numbers, rtol=1e-6) and np.all(numbers):
                    return text.format(code)
    return ""


def _factor(pairs, runs, question):
    factors = _ratios(pairs, question.tolerance)
    if not factors or np.allclose(factors, 1, rtol=question.tolerance):
        return ""
    if len(factors) > 1 and not np.allclose(factors, factors[0], rtol=1e-5):
        code = _named(factors, runs, question.names)
        return code and f"All of it is off by the factor `{code}`."
    factor = factors[0]
    size = f"{factor:.6g} times too large" if abs(factor) > 1 else f"only {factor:.6g} times as large as wanted"
    return f"It is {size}, each time." if len(factors) > 1 else ""


def _offset(pairs, runs, question):
    if not all(np.shape(got) == np.shape(wanted) for got, wanted in pairs) or len(pairs) < 2:
        return ""
    steps = [np.asarray(got, float) - np.asarray(wanted, float) for got, wanted in pairs if np.size(wanted)]
    first = steps[0].flat[0] if steps else 0
    if not first or not all(np.allclose(step, first, rtol=1e-5, atol=question.tolerance) for step in steps):
        return ""
    by = f"{abs(first):.6g} too {'large' if first > 0 else 'small'}"
    return f"Each number is {by}." + (" Off by one?" if np.isclose(abs(first), 1) else "")


def _input_itself(pairs, runs, question):
    for place, name in enumerate(question.names):
        if all(
            isinstance(run.inputs[place], (np.ndarray, float, int)) and same(got, run.inputs[place], 1e-9)
            for run, (got, _) in zip(runs, pairs, strict=False)
        ) and len(runs) == len(pairs):
            return f"You return `{name}` as you were given it."
    return ""


def _reordered(pairs, runs, question):
    dimensions = {(np.ndim(got), np.ndim(wanted)) for got, wanted in pairs}
    if len(dimensions) != 1 or 0 in next(iter(dimensions)):
        return ""
    ((have, want),) = dimensions
    tolerance = question.tolerance
    for axes in itertools.permutations(range(want)) if have == want > 1 else ():
        if axes != tuple(range(want)) and _all(pairs, lambda wanted, axes=axes: wanted.transpose(axes), tolerance):
            return f"The axes are in another order: what you return is what is wanted, transposed by {axes}."
    for axes in axes_of(pairs[0][1]) if have == want else ():
        if _all(pairs, lambda wanted, axes=axes: np.flip(wanted, axes), tolerance):
            return "The order is turned round." if want == 1 else f"It is turned round along axis {_listed(axes)}."
    for axis, by in itertools.product(range(want if have == want else 0), (1, -1)):
        if _all(pairs, lambda wanted, axis=axis, by=by: np.roll(wanted, by, axis), tolerance):
            return f"Everything is shifted by one along axis {axis}."
    if _all(pairs, lambda wanted: np.squeeze(wanted), tolerance) or _all(
        pairs, lambda got: np.squeeze(got), tolerance, of_the_answer=True
    ):
        return f"The numbers are right; an axis of length 1 is {'missing' if have < want else 'too many'}."
    if all(np.shape(got) != np.shape(wanted) for got, wanted in pairs) and all(
        np.size(got) == np.size(wanted) and same(np.ravel(got), np.ravel(wanted), tolerance) for got, wanted in pairs
    ):
        return "The numbers are right and in the right order; their shape is not."
    return ""


def _listed(axes: Sequence[int]) -> str:
    return " and ".join(map(str, axes))


REDUCTIONS = {"mean": np.mean, "sum": np.sum, "largest": np.max, "smallest": np.min}


def _reduced(pairs, runs, question):
    dimensions = {(np.ndim(got), np.ndim(wanted)) for got, wanted in pairs}
    if len(dimensions) != 1:
        return ""
    ((have, want),) = dimensions
    tolerance, sample = question.tolerance, max(pairs[0], key=np.ndim)
    for axes, (word, reduce) in itertools.product(axes_of(np.asarray(sample), 4), REDUCTIONS.items()):
        where = "everything" if len(axes) == np.ndim(sample) else f"axis {_listed(axes)}"
        for kept in (False, True):
            change = functools.partial(reduce, axis=axes, keepdims=kept)
            if have > want and _all(pairs, change, tolerance, of_the_answer=True):
                return f"One step is missing: the {word} over {where} of what you return is what is wanted."
            if have < want and _all(pairs, change, tolerance):
                return f"One step too many: that is the {word} over {where} of what is wanted."
    for axis, index in itertools.product(range(max(have, want)), (0, -1)):
        change = functools.partial(np.take, indices=index, axis=axis)
        word = "first" if index == 0 else "last"
        if have < want and _all(pairs, change, tolerance):
            return f"That is only the {word} of what is wanted, along axis {axis}."
        if have > want and _all(pairs, change, tolerance, of_the_answer=True):
            return f"More than wanted: the {word} along axis {axis} is right."
    return _length(pairs, tolerance)


def _length(pairs: Pairs, tolerance: float) -> str:
    """Answers that go on for too long along their first axis, or stop too soon, or begin too late."""
    if any(np.ndim(got) != np.ndim(wanted) or not np.ndim(got) or not len(got) for got, wanted in pairs):
        return ""
    less = [len(wanted) - len(got) for got, wanted in pairs]
    if all(same(got, wanted[: len(got)], tolerance) for got, wanted in pairs) and min(less) >= 0 < max(less):
        return f"It stops too soon: the last {_span(less)} missing."
    if all(same(got, wanted[len(wanted) - len(got) :], tolerance) for got, wanted in pairs) and min(less) >= 0 < max(
        less
    ):
        return f"It begins too late: the first {_span(less)} missing."
    if all(same(got[: len(wanted)], wanted, tolerance) for got, wanted in pairs) and max(less) <= 0 > min(less):
        return f"It goes on for too long: {-min(less)} too many at the end."
    return ""


def _span(counts: list[int]) -> str:
    return "is" if set(counts) <= {0, 1} else f"{max(counts)} are"


def _one_more_term(pairs, runs, question):
    """Answers that one of the inputs was added to, or taken from, or multiplied or divided by, once too often."""
    if len(pairs) != len(runs):
        return ""
    for place, name in enumerate(question.names):
        values = [run.inputs[place] for run in runs]
        if not all(isinstance(value, (np.ndarray, float, int)) for value in values):
            continue
        for sentence, undo in _UNDONE.items():
            with contextlib.suppress(TypeError, ValueError):
                undone = [
                    (undo(got, np.asarray(value)), wanted) for (got, wanted), value in zip(pairs, values, strict=True)
                ]
                if all(same(one, wanted, max(question.tolerance, 1e-7)) for one, wanted in undone):
                    return sentence.format(name=name)
    return ""


_UNDONE = {
    "`{name}` is missing: what you return, plus `{name}`, is what is wanted.": lambda got, value: got + value,
    "`{name}` is in it once too often: what you return, minus `{name}`, is what is wanted.": (
        lambda got, value: got - value
    ),
    "A factor is missing: what you return, times `{name}`, is what is wanted.": lambda got, value: got * value,
    "A factor too many: what you return, divided by `{name}`, is what is wanted.": lambda got, value: got / value,
}


def _indices(pairs, runs, question):
    """What is said of lists of indices as sets, where the same can be said of all runs."""
    if not all(_is_list(got) and _is_list(wanted) for got, wanted in pairs):
        return ""
    sets = [(set(got.tolist()), set(wanted.tolist())) for got, wanted in pairs]
    if all(got == wanted for got, wanted in sets):
        doubled = any(len(got) > len(wanted) for got, wanted in pairs)
        return "Some stand there more than once." if doubled else "The right ones, in another order."
    counts = [side for run in runs for value in run.inputs if isinstance(value, np.ndarray) for side in value.shape]
    if all(any(set(range(n)) - wanted == got for n in counts) for got, wanted in sets):
        return "Those are exactly the ones that do not belong there."
    if not any(got & wanted for got, wanted in sets) and any(wanted for _, wanted in sets):
        return "None of the right ones is among them."
    if all(got <= wanted for got, wanted in sets):
        return "All of them belong there, but some are missing."
    if all(got >= wanted for got, wanted in sets):
        return "None is missing, but some do not belong there."
    return ""


def _is_list(values) -> bool:
    return isinstance(values, np.ndarray) and values.ndim == 1 and (values.dtype.kind in "iu" or not values.size)


# ---------------------------------------------------------------- looser relations: what can be said at last


def _loose_relation(pairs, runs, question):
    if isinstance(pairs[0][1], str):
        return ""
    tolerance = question.tolerance
    if any(np.shape(got) != np.shape(wanted) for got, wanted in pairs):
        have, want = ({np.ndim(pair[place]) for pair in pairs} for place in (0, 1))
        if len(have) == len(want) == 1 and have != want:
            return f"It has {_axes(have.pop())}, wanted are {want.pop() or 'none'}."
        return _lengths(pairs)
    factors = _ratios(pairs, tolerance)
    if factors and max(np.size(wanted) for _, wanted in pairs) > 1:
        return (
            f"All numbers of an answer are off by one factor, here {factors[0]:.4g}, another for each input: what it "
            "is divided or multiplied by is not what is wanted."
        )
    finders = (_rows_off_by_factors, _wrong_places, _signs_only, _same_numbers, _whole, _one_way)
    return next(filter(None, (find(pairs, runs, question) for find in finders)), "")


def _axes(count: int) -> str:
    return {0: "no axis", 1: "one axis"}.get(count, f"{count} axes")


def _lengths(pairs: Pairs) -> str:
    if any(np.ndim(got) != 1 for got, _ in pairs):
        return ""
    more = [len(got) - len(wanted) for got, wanted in pairs]
    words = {"Too many each time.": min(more) > 0, "Too few each time.": max(more) < 0}
    return next((said for said, true in words.items() if true), "")


def _rows_off_by_factors(pairs, runs, question):
    dimensions = {np.ndim(wanted) for _, wanted in pairs}
    for axis in range(max(dimensions) if len(dimensions) == 1 and max(dimensions) > 1 else 0):
        if any(np.shape(wanted)[axis] < 2 or np.size(wanted) <= np.shape(wanted)[axis] for _, wanted in pairs):
            continue
        rows = [
            (g, w)
            for got, wanted in pairs
            for g, w in zip(np.moveaxis(got, axis, 0), np.moveaxis(wanted, axis, 0), strict=True)
        ]
        if _ratios([row for row in rows if np.any(row[1]) or np.any(row[0])], question.tolerance):
            return f"Each part along axis {axis} is off by a factor of its own: something is divided by the wrong size."
    return ""


_CONDITIONS = {
    "below 0": lambda values: values < 0,
    "exactly 0": lambda values: values == 0,
    "above 0": lambda values: values > 0,
    "above 1": lambda values: values > 1,
    "exactly 1": lambda values: values == 1,
}


def _wrong_places(pairs, runs, question):
    """Answers that are right but where what is wanted, or an input of the same shape, is of some kind; or at an end."""
    wrong = [~np.asarray(close(got, wanted, question.tolerance)) for got, wanted in pairs]
    if sum(map(np.sum, wrong)) == sum(map(np.size, wrong)):
        return ""
    fields = {"wanted is a number": [wanted for _, wanted in pairs]}
    for place, name in enumerate(question.names):
        values = [run.inputs[place] for run in runs] if len(runs) == len(pairs) else []
        if values and all(np.shape(value) == np.shape(one) for value, one in zip(values, wrong, strict=True)):
            fields[f"`{name}` is"] = values
    for (field, values), (word, holds) in itertools.product(fields.items(), _CONDITIONS.items()):
        marked = [holds(np.asarray(value)) for value in values]
        if all(np.all(mark[one]) for mark, one in zip(marked, wrong, strict=True)):
            return f"It is wrong only where {field} {word}."
    for axis, index in itertools.product(range(min(np.ndim(one) for one in wrong)), (0, -1)):
        if all(not np.any(np.delete(one, index, axis)) for one in wrong if one.size):
            return f"It is wrong only at the {'end' if index else 'start'}, along axis {axis}."
    return ""


def _signs_only(pairs, runs, question):
    signed = any(np.any(np.asarray(wanted) < 0) or np.any(np.asarray(got) < 0) for got, wanted in pairs)
    sizes = all(same(np.abs(got), np.abs(wanted), question.tolerance) for got, wanted in pairs)
    return "The sizes are right, some signs are not." if signed and sizes else ""


def _same_numbers(pairs, runs, question):
    several = any(np.size(wanted) > 1 for _, wanted in pairs)
    if several and all(same(np.sort(got, None), np.sort(wanted, None), question.tolerance) for got, wanted in pairs):
        return "The right numbers, at other places."
    return ""


def _whole(pairs, runs, question):
    """Whole numbers that are at most 1 off."""
    whole = all(np.asarray(wanted).dtype.kind in "iu" and np.size(wanted) for _, wanted in pairs)
    if not whole or any(np.max(np.abs(np.asarray(got, float) - wanted)) > 1 for got, wanted in pairs):
        return ""
    return "No number is off by more than 1: look at how it is rounded, and where counting begins and ends."


def _one_way(pairs, runs, question):
    for word, beyond in (("small", np.greater), ("large", np.less)):
        if not any(np.any(beyond(got, wanted) & ~close(got, wanted, question.tolerance)) for got, wanted in pairs):
            numbers = max(np.size(wanted) for _, wanted in pairs)
            return f"{'What differs' if numbers > 1 else 'It'} is too {word}, in every input of the check."
    return ""


def _how_often(runs: Sequence[Run]) -> str:
    """Of answers that are now and then right, how often."""
    right = sum(run.right for run in runs)
    return f"It is right on {right} of {len(runs)} inputs." if right else ""


# ---------------------------------------------------------------- by its inputs


def _by_edge(runs: Sequence[Run]) -> str:
    """Answers that are right but on inputs with something special about them."""
    edges = {run.edge for run in runs if not run.right}
    if len(edges) == 1 and all(edges) and any(run.right for run in runs):
        right, all_runs = sum(run.right for run in runs), len(runs)
        return f"It is right on {right} of {all_runs} inputs, and wrong only where {edges.pop()}."
    return ""


def _by_probing(runs: Sequence[Run], question: Inquiry) -> str:
    """An argument that the answer ignores, or of which it sees a part only: shown by changing it."""
    for place, name in enumerate(question.names):
        if callable(runs[0].inputs[place]):
            if not _is_called(runs, question, place):
                return f"`{name}` is never called, and it has to be."
            continue
        if _ignores(runs, question, place, _another):
            return f"`{name}` makes no difference to your answer: with another value it stays the same."
        for axis, index in itertools.product(
            range(min((np.ndim(run.inputs[place]) for run in runs), default=0)), (0, -1)
        ):
            change = functools.partial(_all_but, axis=axis, index=index)
            if _ignores(runs, question, place, change):
                word = "last" if index else "first"
                return f"Only the {word} of `{name}` is looked at (along axis {axis}): the others make no difference."
    return ""


def _ignores(runs: Sequence[Run], question: Inquiry, place: int, change: Callable) -> bool:
    """Whether changing an input changes what is wanted, and the answer never."""
    counted = 0
    for run, salt in itertools.product(runs, range(3)):
        value = change(run.inputs[place], salt)
        if value is None:
            continue
        inputs = (*run.inputs[:place], value, *run.inputs[place + 1 :])
        wanted = question.truth(inputs)
        if wanted is None or _equal(wanted, run.wanted, question.tolerance):
            continue
        got = question.answer(inputs)
        if got is None or not _equal(got, run.got, 1e-9):
            return False
        counted += 1
    return counted >= max(1, len(runs) // 2)


def _equal(one, other, tolerance: float) -> bool:
    parts = leaves(one, other)
    return not isinstance(parts, str) and all(same(leaf.got, leaf.wanted, tolerance) for leaf in parts)


def _another(value, salt: int):
    """Another value of the same kind; None where none can be made up."""
    generator = np.random.default_rng(salt)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, np.integer)):
        return value + (1, -1, 2)[salt] if value + (1, -1, 2)[salt] >= 0 else None
    if isinstance(value, float):
        return value * (0.5, 0.8, 1.5)[salt]
    if isinstance(value, np.ndarray) and value.size > 1 and value.dtype.kind in "biuf":
        other = generator.permutation(value.ravel()).reshape(value.shape)
        return other * generator.uniform(0.5, 1.5, value.shape) if value.dtype.kind == "f" else other
    if isinstance(value, dict):
        others = {name: _another(one, salt) for name, one in value.items()}
        return None if any(one is None for one in others.values()) else others
    return None


def _all_but(value, salt: int, axis: int, index: int):
    """`value` with all but one part along an axis exchanged for something else."""
    if (
        not isinstance(value, np.ndarray)
        or value.ndim <= axis
        or value.shape[axis] < 2
        or value.dtype.kind not in "biuf"
    ):
        return None
    other = _another(value, salt)
    kept: list[slice | int] = [slice(None)] * value.ndim
    kept[axis] = index
    other[tuple(kept)] = value[tuple(kept)]
    return other


def _is_called(runs: Sequence[Run], question: Inquiry, place: int) -> bool:
    called = []
    for run in runs:
        function = run.inputs[place]

        def counted(*arguments, function=function):
            called.append(1)
            return function(*arguments)

        vars(counted).update(vars(function) if hasattr(function, "__dict__") else {})
        question.answer((*run.inputs[:place], counted, *run.inputs[place + 1 :]))
    return bool(called)


def _by_mutant(runs: Sequence[Run], question: Inquiry) -> str:
    """The change of the solution that gives the same as the answer, on every input."""
    for mutant in mutants(question.solve):
        if all(_gives(mutant.function, run, question) for run in runs):
            return f"What you return is what comes out with `{mutant.new}` where `{mutant.old}` is wanted."
    return ""


def _gives(function: Callable, run: Run, question: Inquiry) -> bool:
    got = question.as_answered(function, run.inputs)
    return got is not None and _equal(got, run.got, question.tolerance)
