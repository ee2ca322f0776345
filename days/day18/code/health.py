"""What is wrong with a training, said in plain sentences, from its snapshots alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from days.day18.code.snapshots import LayerState, Snapshot

DEAD_SHARE = 0.4
DUPLICATE_SHARE = 0.25
FADED, EXPLODED = 1 / 100, 25
SATURATED_SHARE = 0.5
WORSE_THAN_GUESSING = 1.5
"""Where a warning begins: rules of thumb, well outside of what the day's honest trainings do."""


@dataclass(frozen=True)
class TrainingWarning:
    """One thing that is wrong: its kind, the layer ("" for the whole network), the step since which, and a sentence."""

    kind: str
    layer: str
    since: int
    sentence: str


def findings(snapshots: Sequence[Snapshot]) -> list[TrainingWarning]:
    """What is wrong at the last of `snapshots`, the network first, then layer by layer; [] where nothing is.

    A finding says where to look. That nothing was found proves no health: what was not watched is not known.
    """
    if not snapshots:
        return []
    now, found = snapshots[-1], []
    for kind, (is_wrong, say) in _NETWORK_RULES.items():
        if is_wrong(now):
            since = _since(snapshots, is_wrong)
            found.append(TrainingWarning(kind, "", since, f"{say(now)} (warning since step {since}). {_ADVICE[kind]}"))
            break
    for layer, state in now.layers.items():
        for kind, (is_wrong, say) in _LAYER_RULES.items():
            if is_wrong(state, now):
                since = _since(snapshots, lambda one, layer=layer, rule=is_wrong: rule(one.layers[layer], one))
                found.append(
                    TrainingWarning(
                        kind, layer, since, f"{layer}: {say(state, now)} (warning since step {since}). {_ADVICE[kind]}"
                    )
                )
                break
    return found


def _since(snapshots: Sequence[Snapshot], is_wrong: Callable[[Snapshot], bool]) -> int:
    """The step of the first snapshot of the unbroken row, up to the last one, in which a rule is broken."""
    since = snapshots[-1].step
    for one in reversed(snapshots):
        if not is_wrong(one):
            break
        since = one.step
    return since


def _chance(one: Snapshot) -> float:
    return math.log(one.categories)


_NETWORK_RULES: dict[str, tuple[Callable, Callable]] = {
    "not finite": (
        lambda one: not math.isfinite(one.loss),
        lambda one: f"The loss is {one.loss}",
    ),
    "worse than guessing": (
        lambda one: one.loss > WORSE_THAN_GUESSING * _chance(one),
        lambda one: (
            f"On the watched images the loss is {one.loss:.2f}, and blind guessing would cost "
            f"ln {one.categories} = {_chance(one):.2f}"
        ),
    ),
}

_LAYER_RULES: dict[str, tuple[Callable[[LayerState, Snapshot], bool], Callable[[LayerState, Snapshot], str]]] = {
    "not finite": (
        lambda state, one: not math.isfinite(state.spread + state.weights),
        lambda state, one: "its weights or activations are no longer finite",
    ),
    "dead": (
        lambda state, one: state.dead >= DEAD_SHARE * state.channels,
        lambda state, one: f"{state.dead} of {state.channels} channels are dead, silent on every watched image",
    ),
    "exploding": (
        lambda state, one: state.spread > EXPLODED * one.input_spread > 0,
        lambda state, one: f"activations spread {state.spread / one.input_spread:.0f} times as wide as the input",
    ),
    "vanishing": (
        lambda state, one: state.spread < FADED * one.input_spread,
        lambda state, one: f"activations have faded to {state.spread / one.input_spread:.1g} of the input's spread",
    ),
    "saturated": (
        lambda state, one: state.saturated > SATURATED_SHARE,
        lambda state, one: f"{state.saturated:.0%} of its units sit at the ends of their range, where nothing moves",
    ),
    "no gradient": (
        lambda state, one: state.gradient == 0,
        lambda state, one: "no gradient at all has reached it",
    ),
    "duplicates": (
        lambda state, one: state.duplicates >= DUPLICATE_SHARE * state.channels,
        lambda state, one: f"{state.duplicates} pairs of its {state.channels} filters point the same way",
    ),
}

_ADVICE = {
    "not finite": "Stop, go back to the last good weights, and lower the learning rate.",
    "worse than guessing": "It is confident and wrong: are the labels right, and are there enough images?",
    "dead": "No gradient reaches them: lower the learning rate, or start with other weights.",
    "exploding": "Lower the learning rate, or start with smaller weights.",
    "vanishing": "Start with larger weights (He's rule), or put a batch norm in between.",
    "saturated": "Start with smaller weights, scale the input, or use a ReLU.",
    "no gradient": "It cannot learn: look at the layers behind it, one of which lets nothing through.",
    "duplicates": "They do the same work twice: begin from random weights, not from equal ones.",
}
