"""What answers have to do with those that are wanted: a sign, a factor, an axis, an order, a set of names or indices.

`relation` finds what explains them fully, `loose_relation` what can be said at last. Each sentence is true of every
run.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from days.common.comparison import axes_of, brief, close, quietly, same

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


def are_names(values) -> bool:
    """Whether these are texts, and at least one of them."""
    return len(values) > 0 and all(isinstance(one, str) for one in values)


# ---------------------------------------------------------------- names and indices, as sets


def by_names(runs: Sequence[Run], say: Callable) -> str:
    """What can be said of the keys of dicts, or of lists of names."""
    if all(isinstance(value, dict) for run in runs for value in (run.got, run.wanted)):
        how = {"what": "keys", "ordered": False}
    elif all(isinstance(run.got, (tuple, list)) and are_names(run.got) and are_names(run.wanted) for run in runs):
        how = {"what": "names", "ordered": True}
    else:
        return ""
    return say([(list(run.got), list(run.wanted)) for run in runs], **how)


def exactly(lists: list[tuple[list, list]], what: str, *, ordered: bool = True) -> str:
    """What is said of lists of names or indices that hold the right ones, or exactly the others."""
    if any(set(got) != set(wanted) for got, wanted in lists) or not ordered:
        return ""
    if any(len(got) > len(wanted) for got, wanted in lists):
        return "Some stand there more than once."
    if all(got == wanted for got, wanted in lists):
        return ""
    turned = all(got == wanted[::-1] for got, wanted in lists)
    return "The order is turned round." if turned else f"The right {what}, in another order."


def roughly(lists: list[tuple[list, list]], what: str, *, ordered: bool = True) -> str:
    """What is said of lists of names or indices of which some are missing, or some do not belong there."""
    sets = [(set(got), set(wanted)) for got, wanted in lists]
    asked = sum(len(wanted) for _, wanted in sets)
    right = sum(len(got & wanted) for got, wanted in sets)
    answered = sum(len(got) for got, _ in sets)
    if asked and not answered:
        return "It is empty, each time."
    if asked and not right:
        return f"None of the right {what} is among them."
    if right == answered < asked:
        return "All of them belong there, but some are missing."
    if right == asked < answered:
        return "None is missing, but some do not belong there."
    if 0.6 <= right / max(1, asked) < 1 and all(len(got) == len(wanted) for got, wanted in lists):
        return f"{right / asked:.0%} of them are right: what they are chosen by comes near to what is wanted."
    return ""


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
    "Cut down to whole numbers: what stands behind the point is lost.": np.trunc,
    "It is rounded up.": np.ceil,
    "It is rounded to two digits; wanted are the numbers as they are.": lambda wanted: np.round(wanted, 2),
    "Divided by its own largest value; that was not wanted.": lambda wanted: wanted / np.max(wanted),
    "Divided by its own sum; that was not wanted.": lambda wanted: wanted / np.sum(wanted),
    "Divided by its own length; that was not wanted.": lambda wanted: wanted / np.linalg.norm(wanted),
    "Stretched so that it runs from 0 to 1; that was not wanted.": (
        lambda wanted: (wanted - np.min(wanted)) / np.ptp(wanted)
    ),
    "Its mean was taken off; that was not wanted.": lambda wanted: wanted - np.mean(wanted),
    "That is a sigmoid of what is wanted.": lambda wanted: 1 / (1 + np.exp(-wanted)),
    "True and False are exchanged.": lambda wanted: ~wanted if wanted.dtype == bool else None,
    "That is the shape of what is wanted.": lambda wanted: np.shape(wanted) or None,
    "That is how many there are, not which.": lambda wanted: len(wanted) if wanted.dtype.kind in "iu" else None,
}
"""Sentence: what makes the answer out of what is wanted; None where it does not apply."""


OF_SEVERAL_VALUES = ("It is rounded", "Cut down", "Divided by", "Stretched", "Its mean", "That is a sigmoid")
"""Sentences that hold by chance where an answer's numbers are but one or two, such as 0 and 1."""

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
    "These are not sorted.": lambda got: np.sort(got) if np.ndim(got) == 1 else None,
}
"""Sentence: what makes what is wanted out of the answer."""


def relation(pairs: Pairs, runs: Sequence[Run], question: Inquiry) -> str:
    """A sentence that explains every answer fully from what was wanted, from the inputs, or both; "" for none."""
    if isinstance(pairs[0][1], str):
        return ""
    finders = (_input_itself, _mask, _factor, _simple, _offset, _reordered, _reduced, _length, _one_more_term, _indices)
    return next(filter(None, (find(pairs, runs, question) for find in finders)), "")


def _mask(pairs, runs, question):
    """True and False where numbers are wanted."""
    if not all(np.asarray(got).dtype == bool and np.asarray(wanted).dtype.kind == "f" for got, wanted in pairs):
        return ""
    return "That is True and False; wanted are numbers." if max(np.size(got) for got, _ in pairs) > 1 else ""


def _all(pairs: Pairs, change: Callable, tolerance: float, of_the_answer: bool = False) -> bool:
    """Whether a change of the wanted answer gives the answer in each run, or the other way round."""
    for got, wanted in pairs:
        try:
            one, other = (change(got), wanted) if of_the_answer else (change(wanted), got)
            if one is None or not same(one, other, tolerance):
                return False
        except (TypeError, ValueError, IndexError):
            return False
    return any(np.size(wanted) for _, wanted in pairs)


def _explained(pairs: Pairs, question: Inquiry, changes: Iterable, of_the_answer: bool = False) -> str:
    """The sentence of the first of (sentence, change) that holds in each run; "" for none."""
    held = (said for said, change in changes if _all(pairs, change, question.tolerance, of_the_answer))
    return next(held, "")


def _simple(pairs, runs, question):
    few = _values(pairs) < 3
    changes = [one for one in OF_THE_WANTED.items() if not (few and one[0].startswith(OF_SEVERAL_VALUES))]
    return _explained(pairs, question, changes) or _explained(pairs, question, OF_THE_ANSWER.items(), True)


def _values(pairs: Pairs) -> int:
    """Of how many values all numbers of the answers are."""
    return len(np.unique(np.concatenate([np.ravel(got) for got, _ in pairs])))


def _ratios(pairs: Pairs, tolerance: float) -> list[float] | None:
    """The factor by which each run's answer is off, if it is one factor for all its numbers; None if it is not."""
    found = []
    for got, wanted in pairs:
        if np.shape(got) != np.shape(wanted) or not np.any(wanted) or not np.all(np.isfinite(got)):
            return None
        got, wanted = np.asarray(got, float), np.asarray(wanted, float)
        factor = float((got * wanted).sum() / (wanted**2).sum())
        if not factor or not same(got, factor * wanted, tolerance):
            return None
        found.append(factor)
    return found


def _quantities(run: Run, names: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Numbers that a run's inputs are of: their values, counts and sizes, with the code that gives them."""
    for name, value in zip(names, run.inputs, strict=False):
        if isinstance(value, np.ndarray):
            yield f"{name}.size", value.size
            for axis, side in enumerate(value.shape):
                yield f"{name}.shape[{axis}]", side
                yield f"({name}.shape[{axis}] - 1) / {name}.shape[{axis}]", (side - 1) / max(side, 1)
            if value.ndim > 1:
                yield f"{name}[0].size", value[0].size
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, value
            yield f"{name} / ({name} + 1)", value / (value + 1) if value + 1 else 0


_POWERS = {"{}": 1, "1 / {}": -1, "np.sqrt({})": 0.5, "1 / np.sqrt({})": -0.5, "{}**2": 2}


def _named(numbers: list[float], runs: Sequence[Run], names: Sequence[str]) -> str:
    """Code that gives these numbers, one for each run, from the runs' inputs; "" where none is known."""
    tables = [dict(_quantities(run, names)) for run in runs]
    for code, (text, power) in itertools.product(tables[0], _POWERS.items()):
        values = np.array([table.get(code, 0) for table in tables], float)
        if np.all(numbers) and np.allclose(values**power, numbers, rtol=1e-6):
            return text.format(f"({code})" if " " in code and text in ("1 / {}", "{}**2") else code)
    return ""


def _factor(pairs, runs, question):
    factors = _ratios(pairs, question.tolerance)
    if not factors or np.allclose(factors, 1, rtol=question.tolerance):
        return ""
    if len(factors) > 1 and not np.allclose(factors, factors[0], rtol=1e-5):
        code = _named(factors, runs, question.names)
        return code and f"All of it is off by the factor `{code}`."
    factor = factors[0]
    size = f"{factor:.6g} times too large" if factor > 1 else f"only {factor:.6g} times as large as wanted"
    varied = len({float(np.max(np.abs(wanted))) for _, wanted in pairs}) > 1
    return f"It is {size}, each time." if varied and factor > 0 else ""


def _offset(pairs, runs, question):
    if not all(np.shape(got) == np.shape(wanted) for got, wanted in pairs) or len(pairs) < 2:
        return ""
    steps = [np.asarray(got, float) - np.asarray(wanted, float) for got, wanted in pairs if np.size(wanted)]
    first = steps[0].flat[0] if steps else 0
    if not first or not all(np.allclose(step, first, rtol=1e-5, atol=question.tolerance) for step in steps):
        return ""
    by = f"{abs(first):.6g} too {'large' if first > 0 else 'small'}"
    if max(np.size(wanted) for _, wanted in pairs) == 1:
        return f"It is {by}, each time." if len({float(wanted) for _, wanted in pairs}) > 2 else ""
    return f"Each number is {by}." + (" Off by one?" if np.isclose(abs(first), 1) else "")


def _input_itself(pairs, runs, question):
    for place, name in enumerate(question.names):
        if all(
            isinstance(run.inputs[place], (np.ndarray, float, int)) and same(got, run.inputs[place], 1e-9)
            for run, (got, _) in zip(runs, pairs, strict=False)
        ) and len(runs) == len(pairs):
            return f"You return `{name}` as you were given it."
    return ""


def _side_by_side(pairs: Pairs) -> tuple[int, int] | None:
    """How many axes the answers and the wanted ones have; None where that differs from run to run."""
    found = {(np.ndim(got), np.ndim(wanted)) for got, wanted in pairs}
    return found.pop() if len(found) == 1 else None


def _reordered(pairs, runs, question):
    have, want = _side_by_side(pairs) or (0, 0)
    if not have or not want:
        return ""
    if have == want and (said := _explained(pairs, question, _moves(pairs[0][1]))):
        return said
    if any(_all(pairs, np.squeeze, question.tolerance, side) for side in (False, True)):
        return f"The numbers are right; an axis of length 1 is {'missing' if have < want else 'too many'}."
    other_shape = all(np.shape(got) != np.shape(wanted) for got, wanted in pairs)
    if other_shape and all(same(np.ravel(got), np.ravel(wanted), question.tolerance) for got, wanted in pairs):
        return "The numbers are right and in the right order; their shape is not."
    return ""


def _moves(sample: np.ndarray) -> Iterator[tuple[str, Callable]]:
    """What brings numbers to other places, each with its sentence."""
    count = sample.ndim
    for axes in itertools.islice(itertools.permutations(range(count)), 1, None):
        said = f"The axes are in another order: what you return is what is wanted, transposed by {axes}."
        yield said, functools.partial(np.transpose, axes=axes)
    for axes in axes_of(sample):
        said = "The order is turned round." if count == 1 else f"It is turned round along axis {_listed(axes)}."
        yield said, functools.partial(np.flip, axis=axes)
    for axis, by in itertools.product(range(count), (1, -1)):
        yield f"Everything is shifted by one along axis {axis}.", functools.partial(np.roll, shift=by, axis=axis)


def _listed(axes: Sequence[int]) -> str:
    *first, last = map(str, axes)
    return f"{', '.join(first)} and {last}" if first else last


def _reduced(pairs, runs, question):
    """Answers of which a part, a mean or so is what is wanted, or which are that of what is wanted."""
    have, want = _side_by_side(pairs) or (0, 0)
    if have == want:
        return ""
    sample, more = max(pairs[0], key=np.ndim), have > want
    places = np.ndindex(sample.shape) if more and want == 0 and sample.size < 50 else ()
    changes = itertools.chain(
        _taken(sample, more),
        _folded(sample, more, {"mean": np.mean, "sum": np.sum}),
        ((f"More than wanted: what stands at {[*place]} is right.", operator.itemgetter(place)) for place in places),
        _folded(sample, more, {"largest": np.max, "smallest": np.min}),
    )
    return _explained(pairs, question, changes, more)


def _taken(sample: np.ndarray, more: bool) -> Iterator[tuple[str, Callable]]:
    for axis, (word, index) in itertools.product(range(sample.ndim), (("first", 0), ("last", -1))):
        only = f"That is only the {word} of what is wanted, along axis {axis}."
        said = f"More than wanted: the {word} along axis {axis} is right." if more else only
        yield said, functools.partial(np.take, indices=index, axis=axis)


def _folded(sample: np.ndarray, more: bool, folds: dict[str, Callable]) -> Iterator[tuple[str, Callable]]:
    for axes, (word, fold) in itertools.product(axes_of(sample, 4), folds.items()):
        what = f"the {word} over {'everything' if len(axes) == sample.ndim else f'axis {_listed(axes)}'} of what"
        many = f"One step too many: that is {what} is wanted."
        said = f"One step is missing: {what} you return is what is wanted." if more else many
        yield said, functools.partial(fold, axis=axes)
        yield said, functools.partial(fold, axis=axes, keepdims=True)


def _length(pairs, runs, question):
    """Answers that go on for too long along their first axis, or stop too soon, or begin too late."""
    if any(np.ndim(got) != np.ndim(wanted) or not np.ndim(got) or not len(got) for got, wanted in pairs):
        return ""
    less = [len(wanted) - len(got) for got, wanted in pairs]
    begins_alike = all(same(got[: len(wanted)], wanted[: len(got)], question.tolerance) for got, wanted in pairs)
    if begins_alike and min(less) >= 0 < max(less):
        return f"It stops too soon: the last {_span(less)} missing."
    if begins_alike and max(less) <= 0 > min(less):
        return f"It goes on for too long: {_up_to([-one for one in less])} too many at the end."
    if min(less) >= 0 < max(less) and all(
        same(got, wanted[len(wanted) - len(got) :], question.tolerance) for got, wanted in pairs
    ):
        return f"It begins too late: the first {_span(less)} missing."
    return ""


def _span(counts: list[int]) -> str:
    return "is" if set(counts) <= {0, 1} else f"{_up_to(counts)} are"


def _up_to(counts: list[int]) -> str:
    return f"{max(counts)}" if len({count for count in counts if count}) == 1 else f"up to {max(counts)}"


def _one_more_term(pairs, runs, question):
    """Answers that one of the inputs was added to, or taken from, or multiplied or divided by, once too often."""
    for place, name in enumerate(question.names if len(pairs) == len(runs) else ()):
        if all(isinstance(run.inputs[place], (np.ndarray, float, int)) for run in runs):
            values = [np.asarray(run.inputs[place]) for run in runs]
            terms = [((got, value), wanted) for (got, wanted), value in zip(pairs, values, strict=True)]
            undone = ((said, lambda term, undo=undo: undo(*term)) for said, undo in _UNDONE.items())
            if said := _explained(terms, question, undone, True):
                return said.format(name=name)
    return ""


_UNDONE = {
    "`{name}` is missing: what you return, plus `{name}`, is what is wanted.": operator.add,
    "`{name}` is in it once too often: what you return, minus `{name}`, is what is wanted.": operator.sub,
    "It is `{name}` minus what is wanted.": lambda got, value: value - got,
    "A factor is missing: what you return, times `{name}`, is what is wanted.": operator.mul,
    "A factor too many: what you return, divided by `{name}`, is what is wanted.": operator.truediv,
}


def _indices(pairs, runs, question):
    """What is said of lists of indices that hold the right ones, or exactly the others."""
    if not _are_lists(pairs):
        return ""
    sides = [side for run in runs for value in run.inputs if isinstance(value, np.ndarray) for side in value.shape]
    if all(any(set(range(side)) - set(wanted) == set(got) for side in sides) for got, wanted in pairs):
        return "Those are exactly the ones that do not belong there."
    return exactly([(got.tolist(), wanted.tolist()) for got, wanted in pairs], "ones")


def _are_lists(pairs: Pairs) -> bool:
    """Whether all are lists of whole numbers, and what is wanted has none twice, as a shape may."""
    every = [values for pair in pairs for values in pair]
    whole = all(values.ndim == 1 and (values.dtype.kind in "iu" or not values.size) for values in every)
    return whole and all(len(np.unique(wanted)) == len(wanted) for _, wanted in pairs)


# ---------------------------------------------------------------- looser relations: what can be said at last


def loose_relation(pairs, runs, question):
    """A sentence that is true of every answer, though it does not explain it fully; "" for none."""
    if isinstance(pairs[0][1], str):
        return ""
    if len(pairs) > 1 and _constant([got for got, _ in pairs]) and not _constant([wanted for _, wanted in pairs]):
        return f"It is the same, {brief(pairs[0][0])}, for every input of the check."
    if _are_lists(pairs):
        return roughly([(got.tolist(), wanted.tolist()) for got, wanted in pairs], "ones")
    if any(np.shape(got) != np.shape(wanted) for got, wanted in pairs):
        have, want = ({np.ndim(pair[place]) for pair in pairs} for place in (0, 1))
        if len(have) == len(want) == 1 and have != want:
            axes = want.pop()
            return f"It has {_axes(have.pop())}, wanted {'is' if axes == 1 else 'are'} {axes or 'none'}."
        return _lengths(pairs)
    finders = (
        _one_factor,
        _change_of_an_input,
        _scaled_and_shifted,
        _rows_off,
        _wrong_places,
        _wrong_along_an_axis,
        _alike_but_for,
        _of_a_call,
        _whole,
        _not_finite,
        _one_way,
    )
    return next(filter(None, (find(pairs, runs, question) for find in finders)), "")


def _constant(values: list) -> bool:
    return all(same(value, values[0], 1e-9) for value in values)


def _one_factor(pairs, runs, question):
    factors = _ratios(pairs, question.tolerance)
    if not factors or max(np.size(wanted) for _, wanted in pairs) < 2:
        return ""
    shown = max(factors, key=lambda factor: abs(np.log(abs(factor))))
    return (
        f"All numbers of an answer are off by one factor, such as {shown:.4g}, another for each input: what it is "
        "divided or multiplied by is not what is wanted."
    )


def _change_of_an_input(pairs, runs, question):
    """Answers that are an input and something more, of which that something is off by a factor."""
    # Where either is cut off at an end, nothing can be told.
    inside = [_between(got) & _between(wanted) if np.size(got) else False for got, wanted in pairs]
    if len(pairs) != len(runs) or min(map(np.sum, inside)) < 3:
        return ""
    for place, name in enumerate(question.names):
        values = [run.inputs[place] for run in runs]
        if _are_fields(values, inside):
            each = zip(pairs, values, inside, strict=True)
            changes = [((got - value)[one], (wanted - value)[one]) for (got, wanted), value, one in each]
            factors = _ratios(changes, question.tolerance)
            if factors and not np.isclose(factors, 1, rtol=1e-3).any():
                if not np.allclose(factors, factors[0], rtol=1e-4):
                    return f"What is added to `{name}` is off by one factor, another for each input."
                return f"What is added to `{name}` is {factors[0]:.4g} times what is wanted."
    return ""


def _are_fields(values: Sequence, fields: Sequence) -> bool:
    shapes = [value.shape for value in values if isinstance(value, np.ndarray) and value.dtype.kind == "f"]
    return shapes == [np.shape(field) for field in fields]


def _between(values: np.ndarray) -> np.ndarray:
    return (values != np.min(values)) & (values != np.max(values))


def _axes(count: int) -> str:
    return {0: "no axis", 1: "one axis"}.get(count, f"{count} axes")


def _lengths(pairs: Pairs) -> str:
    """Answers of another shape, along which axes they are too long or too short."""
    if len({np.ndim(one) for pair in pairs for one in pair}) != 1:
        return ""
    sides = np.array([np.subtract(np.shape(got), np.shape(wanted)) for got, wanted in pairs])
    if sides.shape[1] == 1:
        words = {"Too many each time.": sides.min() > 0, "Too few each time.": sides.max() < 0}
        return next((said for said, true in words.items() if true), "")
    said = []
    for axis, more in enumerate(sides.T):
        if more.min() >= 0 < more.max():
            said.append(f"too long along axis {axis}")
        elif more.max() <= 0 > more.min():
            said.append(f"too short along axis {axis}")
        elif more.any():
            return ""
    return f"It is {' and '.join(said)}." if 0 < len(said) < 3 else ""


def _scaled_and_shifted(pairs, runs, question):
    """Answers that are what is wanted, times one number and plus another."""
    shown, slopes = "", []
    for got, wanted in pairs:
        got, wanted = np.ravel(got).astype(float), np.ravel(wanted).astype(float)
        if len(np.unique(wanted)) < 4 or not np.isfinite(got).all():
            return ""
        slope, shift = np.polyfit(wanted, got, 1)
        if abs(slope) < 1e-6 or not same(slope * wanted + shift, got, max(question.tolerance, 1e-6)):
            return ""
        slopes.append(slope)
        shown = shown or f"times {slope:.4g} and {'plus' if shift > 0 else 'minus'} {abs(shift):.4g}"
    if np.allclose(slopes, 1, atol=1e-6):
        return "Each number is off by the same amount, but for each input by another: something is added or taken off."
    return f"The numbers are what is wanted, scaled and shifted: {shown}, say, and otherwise for each input."


def _rows_off(pairs, runs, question):
    """Answers of which each part along an axis is off by a factor, or an amount, of its own."""
    dimensions = {np.ndim(wanted) for _, wanted in pairs}
    for axis in range(max(dimensions) if len(dimensions) == 1 and max(dimensions) > 1 else 0):
        if any(np.shape(wanted)[axis] < 2 or np.size(wanted) < 3 * np.shape(wanted)[axis] for _, wanted in pairs):
            continue
        rows = [
            (np.asarray(g, float), np.asarray(w, float))
            for got, wanted in pairs
            for g, w in zip(np.moveaxis(got, axis, 0), np.moveaxis(wanted, axis, 0), strict=True)
        ]
        factors = _ratios([row for row in rows if np.any(row[1]) or np.any(row[0])], question.tolerance)
        if factors and not np.isclose(factors, 1).any():
            return f"Each part along axis {axis} is off by a factor of its own: something is divided by the wrong size."
        scale = max(float(np.max(np.abs(wanted))) for _, wanted in pairs)
        if all(np.ptp(g - w) <= 1e-6 * scale < abs(np.mean(g - w)) for g, w in rows):
            return f"Each part along axis {axis} is off by an amount of its own: something else is added or taken off."
    return ""


def _of_a_call(pairs, runs, question):
    """Answers that are what a function returns for an input as it is, perhaps at other places."""
    names = question.names
    for (place, name), (at, asked) in itertools.product(enumerate(names), enumerate(names)):
        if len(pairs) != len(runs) or not callable(runs[0].inputs[place]) or callable(runs[0].inputs[at]):
            continue
        values = [quietly(run.inputs[place], run.inputs[at]) for run in runs]
        if all(np.shape(value) == np.shape(got) for value, (got, _) in zip(values, pairs, strict=True)) and all(
            same(np.sort(got, None), np.sort(value, None), 1e-9) for value, (got, _) in zip(values, pairs, strict=True)
        ):
            return f"These are the numbers of `{name}({asked})`, which was asked for `{asked}` as it is."
    return ""


def _not_finite(pairs, runs, question):
    bad = any(np.any(~np.isfinite(got) & np.isfinite(wanted)) for got, wanted in pairs)
    return "Some numbers are not finite, inf or nan: look for a division by 0." if bad else ""


_CONDITIONS = {
    "below 0": lambda values: values < 0,
    "exactly 0": lambda values: values == 0,
    "above 0": lambda values: values > 0,
    "above 1": lambda values: values > 1,
    "exactly 1": lambda values: values == 1,
}


def _wrong_places(pairs, runs, question):
    """Answers that are right but where what is wanted, or an input of the same shape, is of some kind."""
    wrong = _wrong(pairs, question)
    fields = {"what is wanted is": [wanted for _, wanted in pairs]}
    for place, name in enumerate(question.names):
        values = [run.inputs[place] for run in runs] if len(runs) == len(pairs) else []
        numbers = all(isinstance(value, (int, float, np.ndarray)) for value in values)
        if values and numbers and all(np.shape(value) == one.shape for value, one in zip(values, wrong, strict=True)):
            fields[f"`{name}` is"] = values
    for (field, values), (word, holds) in itertools.product(fields.items(), _CONDITIONS.items()):
        marked = [holds(np.asarray(value)) for value in values]
        others = sum(np.sum(~mark) for mark in marked) / sum(map(np.size, marked))
        if others < 0.2 or (word == "above 0" and not any(np.any(np.asarray(value) < 0) for value in values)):
            continue
        if all(np.all(mark[one]) for mark, one in zip(marked, wrong, strict=True)) and _no_accident(marked, wrong):
            return f"It is wrong only where {field} {word}."
    return ""


def _no_accident(marked: list[np.ndarray], wrong: list[np.ndarray]) -> bool:
    """Whether so many wrong values would hardly (1 in 200) all lie where it is marked if they lay anywhere."""
    everywhere, places = sum(map(np.size, marked)), sum(map(np.sum, marked))
    drawn = np.arange(sum(map(np.sum, wrong)))
    return bool(np.prod((places - drawn) / (everywhere - drawn)) <= 0.005)


def _wrong(pairs: Pairs, question: Inquiry) -> list[np.ndarray]:
    return [~np.asarray(close(got, wanted, question.tolerance)) for got, wanted in pairs]


def _wrong_along_an_axis(pairs, runs, question):
    """Answers that are wrong at some places along an axis and right at all others; and what is wrong with these."""
    wrong = _wrong(pairs, question)
    if len({one.ndim for one in wrong}) != 1 or not wrong[0].ndim:
        return ""
    for axis in range(wrong[0].ndim):
        rest = tuple(other for other in range(wrong[0].ndim) if other != axis)
        lines = [one.any(axis=rest) for one in wrong]
        if max(map(len, lines)) < 2:
            continue
        if min(map(len, lines)) > 2 and all(line.sum() == 1 for line in lines):
            places = [int(line.argmax()) for line in lines]
            if len(set(places)) > 1:
                return f"Along axis {axis} it is wrong at a single place, another each time, such as {places[0]}."
        if len(set(map(len, lines))) == 1 and len(lines[0]) <= 6 and _is_told(lines):
            at = np.flatnonzero(np.any(lines, axis=0))
            cut = [(np.take(got, at, axis), np.take(wanted, at, axis)) for got, wanted in pairs]
            found = (_factor, _simple, _offset, _reordered)
            said = next(filter(None, (find(cut, runs, question) for find in found)), "")
            return f"Along axis {axis} it is wrong only at {_listed(at)}. {said}".strip()
        for word, index in (("first", 0), ("last", -1)):
            if all(not line[index] and line.sum() == len(line) - 1 for line in lines):
                return f"Along axis {axis} only the {word} is right."
    return ""


def _is_told(lines: list[np.ndarray]) -> bool:
    """Whether the places that are wrong are the same each time, or few."""
    every = np.any(lines, axis=0)
    alike = all(np.array_equal(line, lines[0]) for line in lines)
    return not every.all() and (alike or 2 * every.sum() <= len(every))


def _alike_but_for(pairs, runs, question):
    """Answers of which the signs alone, or the places alone, are wrong."""
    several = any(np.size(wanted) > 1 for _, wanted in pairs)
    alike = {
        "The sizes are right, some signs are not.": np.abs,
        "The right numbers, at other places.": functools.partial(np.sort, axis=None),
    }
    held = (said for said, part in alike.items() if all(same(part(g), part(w), question.tolerance) for g, w in pairs))
    return next(held, "") if several else ""


def _whole(pairs, runs, question):
    """Whole numbers that are at most 1 off."""
    whole = all(np.asarray(wanted).dtype.kind in "iu" and np.size(wanted) for _, wanted in pairs)
    if not whole or any(np.max(np.abs(np.asarray(got, float) - wanted)) > 1 for got, wanted in pairs):
        return ""
    return "No number is off by more than 1: look at how it is rounded, and where counting begins and ends."


def _one_way(pairs, runs, question):
    wrong = _wrong(pairs, question)
    alone = max(map(np.size, wrong)) == 1 and all(map(np.any, wrong))
    numbers = [np.array(pair, float)[:, where] for pair, where in zip(pairs, wrong, strict=True)]
    got, wanted = np.concatenate(numbers, axis=1)
    beside = np.sign(got) == np.sign(wanted)
    ways = {
        "too small": got <= wanted,
        "too large": got >= wanted,
        "too near to 0": beside & (np.abs(got) <= np.abs(wanted)),
        "too far from 0": beside & (np.abs(got) >= np.abs(wanted)),
    }
    way = next((word for word, holds in ways.items() if holds.all()), "")
    return way and f"{'It' if alone else 'What differs'} is {way}, in every input of the check."


def how_often(runs: Sequence[Run]) -> str:
    """Of answers that are now and then right, how often."""
    right = sum(run.right for run in runs)
    return f"It is right on {right} of {len(runs)} inputs." if right else ""
