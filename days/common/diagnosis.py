"""Why an answer is wrong, found by looking at it: every sentence here is true of each input of the check's run.

`reason(runs, ...)` asks, in this order: what the answers have to do with those that are wanted (a sign, a factor, an
axis ...), which argument they ignore, which change of the solution gives the same, on which inputs alone they are
wrong, and at last what can be said of the places where they differ. What is true by chance, or of nearly any answer, is
no reason: numbers must be of several values, and places where an answer is right must be more than a few.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from days.common.comparison import PLACES, leaves, same
from days.common.mutants import mutants
from days.common.relations import (
    Inquiry,
    Pairs,
    Run,
    are_names,
    by_names,
    exactly,
    how_often,
    loose_relation,
    relation,
    roughly,
)


def reason(runs: Sequence[Run], question: Inquiry) -> str:
    """A sentence or two on what is wrong with answers of which at least one is; "" where nothing can be said."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        parts = _parts(runs)
        finders = (
            lambda: _by_places(runs, question),
            lambda: _by_kind(runs),
            lambda: by_names(runs, exactly),
            lambda: parts and _by_part(parts, lambda pairs: relation(pairs, runs, question)),
            lambda: _by_edge(runs),
            lambda: question.probe and _by_probing(runs, question),
            lambda: question.probe and _by_mutant(runs, question),
            lambda: by_names(runs, roughly),
            lambda: parts and _by_part(parts, lambda pairs: loose_relation(pairs, runs, question)),
            lambda: parts and _which_part(parts, question),
            lambda: how_often(runs),
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
    """The sentence that holds for all parts, if each is wrong; or that of the first wrong part, with its place."""
    wrong = {where: pairs for where, pairs in parts.items() if not all(same(*pair, 1e-5) for pair in pairs)}
    said = {where: find(pairs) for where, pairs in wrong.items()}
    if len(set(said.values())) == 1 and len(said) == len(parts):
        return next(iter(said.values())) or ""
    where, sentence = next(((where, one) for where, one in said.items() if one), ("", ""))
    return f"{_place(where)}{sentence}"


def _place(where: str) -> str:
    return f"{where.strip()[0].upper()}{where.strip()[1:]}: " if where.strip() else ""


def _which_part(parts: dict[str, Pairs], question: Inquiry) -> str:
    wrong = [where for where, pairs in parts.items() if not all(same(*pair, question.tolerance) for pair in pairs)]
    if not 0 < len(wrong) < len(parts):
        return ""
    return f"Wrong is only what you return {' and '.join(where.strip() for where in wrong)}; the rest is right."


def _by_kind(runs: Sequence[Run]) -> str:
    """Answers of another kind than what is wanted: a text, a dict, several in place of one."""
    got, wanted = runs[0].got, runs[0].wanted
    if not all(type(run.got) is type(got) for run in runs):
        return ""
    if isinstance(wanted, str):
        if isinstance(got, str) and all(run.got.lower() == run.wanted.lower() for run in runs):
            return "Only capital and small letters differ."
        return _kind_for_a_name(got)
    is_text, is_dict = isinstance(got, str), isinstance(got, dict)
    items = list(got) if isinstance(got, (list, tuple)) or (isinstance(got, np.ndarray) and got.ndim) else []
    if isinstance(wanted, dict):
        kind = "a text" if is_text else "a list without names" if items else ""
        return f"That is {kind}; wanted is a dict." if kind else ""
    if is_text or is_dict:
        if not isinstance(wanted, tuple):
            return f"That is {'a text' if is_text else 'a dict'}; wanted are the numbers themselves."
        what = "names" if are_names(wanted) else "values"
        if is_text:
            return f"That is one text; wanted are several {what}."
        return f"That is a dict; wanted are the {what} alone."
    if isinstance(wanted, tuple):
        if items and are_names(wanted) and not any(isinstance(one, str) for one in items):
            return "These are no names; wanted are the names alone."
        return f"That is one number; wanted are {len(wanted)} values." if np.isscalar(got) else ""
    if items and all(isinstance(one, str) for one in items):
        return "These are texts: numbers stand without quotes."
    if items and all(isinstance(one, dict) for one in items):
        return "These are dicts; wanted are numbers."
    return "The numbers are complex; wanted are real ones." if np.iscomplexobj(got) else ""


def _kind_for_a_name(got) -> str:
    if isinstance(got, (list, tuple)) and len(got) > 1:
        return "Several are returned; wanted is one alone."
    return "That is a number; wanted is a name, a text." if isinstance(got, (int, float, np.number, np.ndarray)) else ""


def _by_places(runs: Sequence[Run], question: Inquiry) -> str:
    """Answers that hold the parts of a wanted tuple in another order, or only one of them, or more than these."""
    count = len(runs[0].wanted) if isinstance(runs[0].wanted, tuple) else 0
    if not 2 <= count <= 4 or any(len(run.wanted) != count for run in runs) or are_names(runs[0].wanted):
        return ""
    word = "two" if count == 2 else f"{count}"
    for place in range(count):
        if all(_equal(run.got, run.wanted[place], question.tolerance) for run in runs):
            return f"That is only the {PLACES[place]} of the {word} that are wanted."
    lists = [list(run.got) if isinstance(run.got, (tuple, list, np.ndarray)) else [] for run in runs]
    if len({len(got) for got in lists}) != 1 or not count <= len(lists[0]) <= 6:
        return ""
    for order in itertools.permutations(range(len(lists[0])), count):
        chosen = [tuple(got[place] for place in order) for got in lists]
        if order != tuple(range(len(lists[0]))) and all(
            _equal(got, run.wanted, question.tolerance) for got, run in zip(chosen, runs, strict=True)
        ):
            if len(lists[0]) > count:
                return "What is wanted is among it, and more."
            return "The two have changed places." if count == 2 else "The right ones, in another order."
    return ""


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
            if _is_called(runs, question, place, question.truth) and not _is_called(
                runs, question, place, question.answer
            ):
                return f"`{name}` is never called, and it has to be."
            continue
        if _ignores(runs, question, place):
            return f"`{name}` makes no difference to your answer: with another value it stays the same."
        for axis, index in itertools.product(
            range(min((np.ndim(run.inputs[place]) for run in runs), default=0)), (0, -1)
        ):
            if _sees_only(runs, question, place, axis, index):
                word = "last" if index else "first"
                return f"Only the {word} of `{name}` is looked at (along axis {axis}): the others make no difference."
    return ""


def _ignores(runs: Sequence[Run], question: Inquiry, place: int) -> bool:
    """Whether changing an input changes what is wanted, and the answer never."""
    counted = 0
    for run, salt in itertools.product(runs, range(4)):
        value = _another(run.inputs[place], salt)
        if value is None:
            continue
        inputs = (*run.inputs[:place], value, *run.inputs[place + 1 :])
        wanted = question.truth(inputs)
        if wanted is None or _equal(wanted, run.wanted, question.tolerance):
            continue
        got = question.answer(inputs)
        if got is None or not _unchanged(got, run.got):
            return False
        counted += 1
    return counted >= max(1, len(runs) // 2) and not _matters(runs, question, place, _another)


def _matters(runs: Sequence[Run], question: Inquiry, place: int, change: Callable) -> bool:
    """Whether an input makes a difference after all, where the other arrays are changed at random."""
    for run, salt in itertools.product(runs[:4], range(2)):
        inputs, value = _elsewhere(run.inputs, salt, place), change(run.inputs[place], salt)
        if inputs is None or value is None:
            continue
        first, second = map(question.answer, (inputs, (*inputs[:place], value, *inputs[place + 1 :])))
        if first is not None and second is not None and not _unchanged(first, second):
            return True
    return False


def _elsewhere(inputs: tuple, salt: int, but: int = -1) -> tuple | None:
    """Inputs of which all arrays and dicts but one are changed at random; None where that cannot be."""
    changed = tuple(
        _another(one, salt) if place != but and isinstance(one, (np.ndarray, dict)) else one
        for place, one in enumerate(inputs)
    )
    return changed if all(one is not None or was is None for one, was in zip(changed, inputs, strict=True)) else None


def _equal(one, other, tolerance: float) -> bool:
    parts = leaves(one, other)
    return not isinstance(parts, str) and all(same(leaf.got, leaf.wanted, tolerance) for leaf in parts)


def _unchanged(one, other) -> bool:
    """Whether two answers are the same number by number, the smallest ones, too."""
    parts = leaves(one, other)
    return not isinstance(parts, str) and all(
        leaf.got == leaf.wanted
        if isinstance(leaf.wanted, str)
        else np.shape(leaf.got) == np.shape(leaf.wanted)
        and np.allclose(leaf.got, leaf.wanted, rtol=1e-9, atol=0, equal_nan=True)
        for leaf in parts
    )


def _another(value, salt: int):
    """Another value of the same kind; None where none can be made up."""
    generator = np.random.default_rng(salt)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, np.integer)):
        return value + (1, -1, 2, 3)[salt] if value + (1, -1, 2, 3)[salt] >= 0 else None
    if isinstance(value, float):
        return value * (0.5, 0.8, 1.5, 3.0)[salt]
    if isinstance(value, np.ndarray) and value.size > 1 and value.dtype.kind in "biuf":
        other = generator.permutation(value.ravel()).reshape(value.shape)
        if salt > 1:  # what a condition on each value may hang on: all at 0, or all above it
            return np.zeros_like(value) if salt == 2 else np.abs(other) + np.ones_like(value)
        return other * generator.uniform(0.5, 1.5, value.shape) if value.dtype.kind == "f" else other
    if isinstance(value, dict):
        others = {name: _another(one, salt) for name, one in value.items()}
        if any(one is None for one in others.values()):
            return None
        names = list(others)  # and each value under another name
        turned = names[salt % 2 + 1 :] + names[: salt % 2 + 1]
        return dict(zip(names, map(others.get, turned), strict=True))
    return None


def _sees_only(runs: Sequence[Run], question: Inquiry, place: int, axis: int, index: int) -> bool:
    """Whether one part of an input along an axis is all that the answer hangs on, whatever stands in that part."""
    counted = 0
    for run, salt in itertools.product(runs, range(4)):
        value = run.inputs[place]
        if not isinstance(value, np.ndarray) or value.shape[axis] < 2 or value.dtype.kind not in "biuf":
            return False
        part = (slice(None),) * axis + (index,)
        for held in (value, np.zeros_like(value), np.abs(value) + np.ones_like(value)):
            before, after = value.copy(), _another(value, salt)
            before[part] = after[part] = held[part]
            given = [(*run.inputs[:place], one, *run.inputs[place + 1 :]) for one in (before, after)]
            first, second = map(question.answer, given)
            if first is None or second is None or not _unchanged(first, second):
                return False
            wanted = [question.truth(inputs) for inputs in given]
            counted += wanted[0] is not None and not _equal(wanted[1], wanted[0], question.tolerance)

    def others(value, salt):
        changed = _another(value, salt)
        changed[part] = value[part]
        return changed

    return counted >= len(runs) and not _matters(runs, question, place, others)


def _is_called(runs: Sequence[Run], question: Inquiry, place: int, answer: Callable) -> bool:
    called = []
    for run in runs:
        function = run.inputs[place]

        def counted(*arguments, function=function):
            called.append(1)
            return function(*arguments)

        vars(counted).update(vars(function) if hasattr(function, "__dict__") else {})
        answer((*run.inputs[:place], counted, *run.inputs[place + 1 :]))
    return bool(called)


SENTENCES = {
    "exchanged": "What you return is what comes out where `{old}` and `{new}` have changed places.",
    "moved": "What you return is what comes out where `{old}` is done once, behind the loop: do it in each round.",
    "constant": "What you return is what comes out with another number in `{old}`, such as `{new}`.",
}
"""What is said of a mutant, by its kind; of all others, what stands where something else is wanted."""


def _by_mutant(runs: Sequence[Run], question: Inquiry) -> str:
    """The change of the solution that gives the same as the answer, on every input."""
    if len(runs) > 1 and all(_equal(run.got, runs[0].got, 1e-9) for run in runs):
        return ""  # which many a change comes to
    for mutant in mutants(question.solve):
        if answers_alike(mutant.function, runs, question):
            usual = "What you return is what comes out with `{new}` where `{old}` is wanted."
            return SENTENCES.get(mutant.kind, usual).format(old=mutant.old, new=mutant.new)
    return ""


def answers_alike(function: Callable, runs: Sequence[Run], question: Inquiry) -> bool:
    """Whether a function answers as the learner's does: to every input of the check, and to some changed at random.

    The check's inputs are made with care, and so two mistakes may come to the same on all of them.
    """
    for run in runs:
        got = question.as_answered(function, run.inputs)
        if got is None or not _equal(got, run.got, question.tolerance):
            return False
    for run, salt in itertools.product(runs[:4] if question.probe else (), range(2)):
        inputs = _elsewhere(run.inputs, salt)
        if inputs is None:
            continue
        got, other = question.answer(inputs), question.as_answered(function, inputs)
        if (got is None) != (other is None) or (got is not None and not _equal(other, got, question.tolerance)):
            return False
    return True
