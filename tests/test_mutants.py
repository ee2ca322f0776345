"""Small changes of every solution are refused, with a reason that is true; right answers in any style are accepted."""

from __future__ import annotations

import functools
import importlib
import inspect
import re

import numpy as np
import pytest

from days.common import comparison
from days.common.exercises import CORRECT, NOT_QUITE, exercises_of
from days.common.mutants import _ignored, mutants
from days.common.paths import REPO_ROOT

MODULES = [f"days.{path.parts[-3]}.code.exercises" for path in sorted(REPO_ROOT.glob("days/day*/code/exercises.py"))]
EXERCISES = [
    pytest.param(task, id=f"{module.split('.')[1]}-{name}")
    for module in MODULES
    for name, task in exercises_of(importlib.import_module(module))
    if task.probe
]
every_exercise = pytest.mark.parametrize("task", EXERCISES)

ALWAYS_EQUIVALENT = {
    r"axis: axis=(1|-1) -> axis=(-1|2)$": "the same axis, counted from the other end",
    r"constant: .*\.reshape\(.*-1\) -> .*-2\)$": "any negative number lets reshape count",
    r"returned: .* -> .*\.T$": "one axis or none has nothing to transpose",
    r"operator: (\w+.*) - (\w+.*) -> \2 - \1$": "the absolute value or the square of it is taken",
    r"absolute: (\w+.*) - (\w+.*) -> np\.abs\(\1 - \2\)$": "the absolute value or the square of it is taken",
}
"""Mutants that change nothing, by a pattern of their description, with the reason."""

EQUIVALENT = {
    "first_convolution": {r"list\(network\.named_modules\(\)\)\[1:\]": "the network itself is no convolution"},
    "make_batch": {r"\[::-1\]$": "a batch of one image, turned round"},
    "changed_channels": {
        r"first -> second": "the change either way",
        r"np\.abs\(difference\) -> difference \*\* 2": "squares have the order of the absolute values",
    },
    "roughness": {r"photo -> dream": "the sign is lost in the absolute value"},
    "strongest_channels": {r"mean -> activations\.sum": "all channels have the same size"},
    "predict_and_count_dead": {
        r"-> round\(": "a whole number",
        r"activations\.max -> activations\.(mean|sum|std|var)": "after a ReLU all are 0 where one of these is",
        r"weights -> np\.maximum\(weights, 0\)": "which is taken anyway",
    },
    "quiet_channels": {r"np\.maximum\(activations, 0\)": "only those above 0 are counted"},
    "stuck_channels": {r"np\.maximum\(maps, 0\)": "only whether they are above 0 counts"},
    "drift": {r"absolute: history -> np\.abs\(history\)": "it is squared at once"},
    "trained_or_random": {
        r"\(0, 1\) -> \(1, 0\)": "a correlation is the same both ways",
        r"> 0\.1 -> correlation >= 0\.1": "no correlation of real weights is exactly 0.1",
    },
    "bad_run": {
        r"^(?!returned).*": "any measure by which one run stands out from two that agree is a right answer",
        r"\[::-1\]$|\[0\]$": "a name of one letter",
    },
    "logit_slope": {r"\[::-1\]$": "all rows are equal", r"scores -> 1$": "the gradient depends on their shape alone"},
    "painted": {r"columns\[None\] -> columns": "the same by broadcasting"},
    "step_up": {
        r"-> np\.clip\(0, picture": "the middle one of three numbers, in another order",
        r"absolute: gradient -> np\.abs\(gradient\)": "of which the absolute value is taken anyway",
    },
    "guided_gradient": {r"absolute: last -> np\.maximum\(last, 0\)": "which is taken anyway"},
    "falls": {r"np\.zeros -> np\.ones": "every number is written over"},
    "pointing_share": {
        r"maps -> masks|masks -> maps": "asked for their length alone, which is the same",
    },
    "shares_inside": {r"shape\[1\] -> .*shape\[2\]": "maps are enlarged by one factor along both sides"},
    "reach": {r"weights -> np\.maximum\(weights, 0\)": "which is taken anyway"},
    "clear_saliency": {r"scores -> 1$": "only their number counts"},
    "three_deaths": {
        r"np\.maximum\(largest, 0\)": "only whether it is above 0 counts",
        r"part\.max -> part\.(mean|sum|std|var)": "after a ReLU all are 0 where one of these is",
    },
    "most_suspicious": {
        r"\.mean -> .*\.sum|masks\)\.sum -> .*\.mean|positive\.sum -> positive\.mean": "one factor for all",
    },
    "twins": {r"\[::-1\]$": "the pairs may come in any order"},
    "balanced": {r"1000|labels -> backgrounds": "any code that gives every pair a number of its own"},
    "defended": {r"< 1e-05 -> .* <= 1e-05": "no change of scores is exactly 1e-5"},
}

NEVER_NEGATIVE = {
    "make_batch": "image",
    "mosaic": "columns",
    "strongest_channels": "count",
    "changed_channels": "count",
    "keep_filters": "every",
    "predict_and_count_dead": "activations",
    "first_filters": "count",
    "roughness": "photo",
    "quiet_channels": "share",
    "favorite": "steps rate",
    "logit_slope": "category",
    "painted": "size",
    "step_up": "picture step_size",
    "octave_sizes": "height width octaves scale",
    "next_octave": "photo",
    "tile_rows": "length tile margin",
    "falls": "image size",
    "pointing_share": "masks",
    "shares_inside": "masks",
    "clear_saliency": "category",
    "added_up": "image baseline steps",
    "three_deaths": "activations batch",
    "twins": "threshold",
    "cut_out": "kept copy scale",
    "on_new_background": "image other mask",
    "share_fooled": "named labels backgrounds",
    "most_suspicious": "masks",
    "difference": "shares honest",
    "balanced": "labels backgrounds",
    "defended": "channels",
}
"""Arguments that are never below 0, by what the exercise says they are: their absolute value is the same."""


def _equivalent(task, mutant) -> bool:
    name, said = task.solve.__name__, str(mutant)
    positive = NEVER_NEGATIVE.get(name, "").split()
    if mutant.kind == "absolute" and (mutant.old in positive or mutant.old.split(" - ")[0] in positive):
        return True
    return any(re.search(pattern, said) for pattern in {**ALWAYS_EQUIVALENT, **EQUIVALENT.get(name, {})})


@pytest.fixture
def same_questions(monkeypatch):
    """Draw an exercise's questions once for all of its mutants."""

    def once(task, seed):
        questions = task.questions(seed)
        monkeypatch.setattr(task, "questions", lambda seed=None: questions)
        return questions

    return once


def _mutants_of(task, questions):
    names = list(inspect.signature(task.solve).parameters)
    for mutant in mutants(task.solve):
        if mutant.kind == "argument":
            values = [inputs[names.index(mutant.old)] for inputs, _ in questions]
            if all(_ignored(value) is value for value in values):
                continue  # a function or a network cannot be ignored in this way
        yield mutant


@every_exercise
def test_every_mutant_is_refused_or_equivalent(task, same_questions, monkeypatch):
    questions = same_questions(task, 17)
    monkeypatch.setattr(task, "_why", lambda *_: "")
    every = list(_mutants_of(task, questions))
    accepted = [mutant for mutant in every if task.check(mutant.function).status == CORRECT]
    assert len(every) >= 14
    assert not [str(mutant) for mutant in accepted if not _equivalent(task, mutant)]


DIAGNOSES = ("diagnose_01", "diagnose_02", "diagnose_05")
"""Exercises on one stored patient each. `my_network` has no mutants: other networks are right answers, too."""

SAME_REPORT = {
    r"returned: .*(\[::-1\]|2 \* .*)$": "claims in another order, or each of them twice",
    r"argument: patient -> 1": "a patient cannot be ignored in this way",
    r"the whole loop|LAYERS -> |moved: ": "there is nothing to be found in the other layers",
    r"pair\.second, pair\.first|pair\.second\]\], 0, 1|\(0, 1\) -> \(1, 0\)": "a pair is the same both ways",
    r"reshape\(2, -1\) -> .*-2\)": "any negative number lets reshape count",
    r"\* how\.batch_norm_training": "it is in training mode",
}
"""Mutants that report the same of this patient, by a pattern of their description, with the reason."""


@pytest.mark.parametrize("name", DIAGNOSES)
def test_mutants_of_a_diagnosis_are_refused_or_report_the_same(name, monkeypatch):
    from days.day23.code import exercises, network

    @functools.cache
    def once(key):
        return network_run(*asked.pop())

    def run(weights, images, **how):
        if how:
            return network_run(weights, images, **how)
        asked.append((weights, images))
        return once((images.tobytes()[:999], *(part.tobytes() for pair in weights.values() for part in pair)))

    asked, network_run, task = [], network.run, getattr(exercises, name)
    monkeypatch.setattr(network, "run", run)
    monkeypatch.setattr(task, "_why", lambda *_: "")
    every = [
        one for one in mutants(task.solve) if "reshape(-1, 2)" not in one.new
    ]  # whose correlations fill the memory
    accepted = [str(one) for one in every[::5] if task.check(one.function).status == CORRECT]
    assert len(every) > 40
    assert not [said for said in accepted if not any(re.search(pattern, said) for pattern in SAME_REPORT)]


@every_exercise
def test_inputs_that_are_changed_are_refused(task, same_questions):
    same_questions(task, 3)
    for place, name in enumerate(inspect.signature(task.solve).parameters):

        def spoils(*inputs, place=place):
            answer = comparison.plain(task.solve(*inputs))
            inputs[place].flat[0] += 1
            return answer

        if all(isinstance(inputs[place], np.ndarray) and inputs[place].dtype != bool for inputs, _ in task.questions()):
            verdict = task.check(spoils)
            assert verdict.status == NOT_QUITE
            assert f"changed its input `{name}`" in verdict.message


def _as_torch(value):
    """Arrays of numbers as tensors that autograd follows, in tuples and dicts, too."""
    import torch

    if isinstance(value, dict):
        return {key: _as_torch(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_as_torch, value))
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        tensor = torch.from_numpy(np.ascontiguousarray(value))
        return tensor.requires_grad_() if tensor.is_floating_point() else tensor
    return value


def _as_tensorflow(value):
    tensorflow = pytest.importorskip("tensorflow")
    return tensorflow.constant(value) if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" else value


def _as_lists(value):
    if isinstance(value, dict):
        return {key: _as_lists(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_as_lists(one) for one in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _in(kind):
    def cast(value):
        if isinstance(value, tuple):
            return tuple(map(cast, value))
        return value.astype(kind) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value

    return cast


STYLES = {
    "torch with a gradient": _as_torch,
    "tensorflow": _as_tensorflow,
    "lists": _as_lists,
    "float32": _in(np.float32),
    "float16": _in(np.float16),
    "as np.where gives it": lambda value: (value,) if getattr(value, "ndim", 0) == 1 else value,
    "a generator": lambda value: (one for one in value) if isinstance(value, list) else value,
}


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@every_exercise
def test_right_answers_in_any_style_are_accepted(task, style, same_questions):
    same_questions(task, 5)
    verdict = task.check(lambda *inputs: style(task.solve(*inputs)))
    assert verdict.status == CORRECT, verdict.message


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_functions_that_are_handed_in_take_tensors_and_say_what_they_want(kind):
    import torch

    from days.day20.code import exercises

    def in_torch(picture, slope, down, right):
        moved = torch.roll(torch.from_numpy(picture.astype(kind)), (down, right), (0, 1)).requires_grad_()
        return torch.roll(slope(moved), (-down, -right), (0, 1))

    assert exercises.jittered_slope.check(in_torch).status == CORRECT
    verdict = exercises.jittered_slope.check(lambda picture, slope, down, right: slope(picture[1:]))
    assert "slope takes one array (6, 7) of numbers, got (5, 7)" in verdict.message
    assert "line 1 of your function" in verdict.message


# ---------------------------------------------------------------- reasons


@every_exercise
def test_most_mutants_get_a_reason_and_it_does_not_hang_on_the_seed(task, monkeypatch):
    """A reason that agreed with one draw by chance would be another one for the next."""
    every = [mutant for mutant in _mutants_of(task, task.questions(1)) if mutant.kind != "returned"][::8]
    said = []
    for seed in (1, 2):
        monkeypatch.setattr(task, "questions", functools.cache(functools.partial(type(task).questions, task)))
        verdicts = [task.check(mutant.function, seed) for mutant in every]
        wrong = [one for one in verdicts if one.status == NOT_QUITE and "raised" not in one.message]
        assert len(wrong) < 4 or sum(bool(one.why) for one in wrong) >= 0.75 * len(wrong)
        said.append([_without_numbers(one.why) for one in verdicts])
    same = sum(one == other for one, other in zip(*said, strict=True))
    assert same >= 0.8 * len(every)


def _without_numbers(text: str) -> str:
    return re.sub(r"-?\d[\d.e-]*", "#", text)


@every_exercise
def test_a_mutant_that_is_named_as_the_reason_agrees_on_other_inputs_too(task, same_questions):
    """ "What you return is what comes out with ..." is held against inputs that the check has never seen."""
    questions = same_questions(task, 8)
    others = [inputs for inputs, _ in type(task).questions(task, 99)]
    for mutant in list(_mutants_of(task, questions))[::8]:
        why = task.check(mutant.function).why
        named = [
            one
            for one in mutants(task.solve)
            if f"with `{one.new}` where `{one.old}` is wanted" in why
            or f"with another number in `{one.old}`, such as `{one.new}`" in why
        ]
        answers = [task._answered(mutant.function, inputs) for inputs in others]
        assert not named or any(
            all(_alike(task._answered(one.function, inputs), got) for inputs, got in zip(others, answers, strict=True))
            for one in named
        )


def _alike(one, other) -> bool:
    return one is other or (one is not None and not comparison.difference(one, other, 1e-4))


TRUE_OF = {
    "The sign is turned round": lambda got, wanted: np.allclose(got, -wanted),
    "The order is turned round": lambda got, wanted: np.array_equal(got, wanted[::-1]),
    "1 minus what is wanted": lambda got, wanted: np.allclose(got, 1 - wanted),
    "What is below 0 is still in it": lambda got, wanted: np.allclose(np.maximum(got, 0), wanted),
    "It is not cut off at 0 and 1": lambda got, wanted: np.allclose(np.clip(got, 0, 1), wanted),
    "It is 2 times too large": lambda got, wanted: np.allclose(got, 2 * wanted),
    "Each number is 1 too large": lambda got, wanted: np.allclose(got, wanted + 1),
    "All of them belong there, but some are missing": lambda got, wanted: (
        set(got) < set(wanted) or set(got) == set(wanted)
    ),
    "None is missing, but some do not": lambda got, wanted: set(got) >= set(wanted),
    "The right ones, in another order": lambda got, wanted: sorted(got) == sorted(wanted),
    "Those are exactly the ones that do not": lambda got, wanted: not set(got) & set(wanted),
    "The axes are in another order": lambda got, wanted: np.allclose(
        np.sort(got, None), np.sort(wanted, None), 1e-3, 1e-3
    ),
    "It is too small, in every": lambda got, wanted: np.all(np.asarray(got) <= wanted),
    "It is too large, in every": lambda got, wanted: np.all(np.asarray(got) >= wanted),
}
"""What a reason says, computed the plain way."""


@every_exercise
def test_reasons_are_true_of_every_input(task, same_questions):
    questions = same_questions(task, 21)
    for mutant in list(_mutants_of(task, questions))[::4]:
        verdict = task.check(mutant.function)
        listed = next((wrong for message, wrong in task.mistakes.items() if verdict.why == message), None)
        for inputs, wanted in questions if verdict.status == NOT_QUITE else ():
            if listed:
                got = task._answered(mutant.function, inputs)
                assert comparison.difference(got, task._answered(listed, inputs), task.tolerance) == ""
            assert is_true(verdict.why, task, mutant.function, inputs, wanted), (str(mutant), verdict.why)


def is_true(why: str, task, answer, inputs, wanted) -> bool:
    """Whether a reason of those in TRUE_OF is true of an answer to some inputs; any other counts as true."""
    holds = next((holds for words, holds in TRUE_OF.items() if why.startswith(words)), None)
    if holds is None or isinstance(wanted, (tuple, dict)):
        return True
    return bool(holds(np.asarray(comparison.plain(task._answered(answer, inputs))), np.asarray(wanted)))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda values, factor: [-factor * one for one in values], "The sign is turned round."),
        (lambda values, factor: 3 * factor * values, "It is 3 times too large, each time."),
        (lambda values, factor: 1 + factor * values, "Each number is 1 too large. Off by one?"),
        (lambda values, factor: np.abs(factor * values), "The sign is lost: what should be below 0 is above it."),
        (lambda values, factor: (factor * values)[::-1], "The order is turned round."),
        (lambda values, factor: factor * values[0], "That is only the first of what is wanted, along axis 0."),
        (lambda values, factor: (factor * values)[:-1], "It stops too soon: the last is missing."),
        (lambda values, factor: (factor * values)[None], "The numbers are right; an axis of length 1 is too many."),
        (lambda values, factor: (factor * values).sum(), "One step too many: that is the sum over everything"),
        (lambda values, factor: 2.5 * values, "`factor` makes no difference to your answer"),
        (lambda values, factor: values, "You return `values` as you were given it."),
        (lambda values, factor: np.where(values < 0, 0.1, factor * values), "It is wrong only where"),
        (lambda values, factor: np.round(factor * values), "It is rounded"),
        (lambda values, factor: np.zeros(4), "`values` makes no difference to your answer"),
        (lambda values, factor: factor * values * len(values), "It is 4 times too large"),
        (
            lambda values, factor: np.where(values == 0, 7, factor * values),
            "and wrong only where a value is exactly 0.",
        ),
    ],
)
def test_what_a_diagnosis_says(answer, why):
    from days.common import cases
    from days.common.exercises import exercise

    @exercise(
        "1.1 · 5 min · ●○○",
        cases=lambda generator: [
            (generator.normal(size=4), float(generator.uniform(0.5, 2))),
            cases.edge("a value is exactly 0", np.array([0, *generator.normal(size=3)]), 1.5),
        ],
        truth=lambda values, factor: np.array([factor * one for one in values]),
        mistakes=[],
        hints=["multiply"],
    )
    def scaled(values, factor):
        """Values (n,) times a factor."""
        return factor * values

    assert scaled.check(scaled.solve).status == CORRECT
    for seed in range(20):
        assert why in scaled.check(answer, seed).message
