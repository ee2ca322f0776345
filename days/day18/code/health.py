"""What is wrong with a training, said in plain sentences, from its snapshots alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from days.day18.code.snapshots import Snapshot

DEAD_SHARE = 0.4
DUPLICATE_SHARE = 0.25
FADED, EXPLODED = 1 / 100, 25
SATURATED_SHARE = 0.5
OVERCONFIDENT = 1.5
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
    places = [("", _NETWORK_RULES), *((layer, _LAYER_RULES) for layer in snapshots[-1].layers)]
    return [found for layer, rules in places if (found := _first_broken(snapshots, layer, rules))]


def _first_broken(snapshots: Sequence[Snapshot], layer: str, rules: Rules) -> TrainingWarning | None:
    """The first rule that is broken at the last snapshot, and since when without a break; None where none is."""
    for kind, (is_wrong, say) in rules.items():
        since = None
        for snapshot in reversed(snapshots):
            if not is_wrong(snapshot.layers.get(layer), snapshot):
                break
            since = snapshot.step
        if since is not None:
            said = (f"{layer}: " if layer else "") + say(snapshots[-1].layers.get(layer), snapshots[-1])
            starved = kind == "dead" and _is_starved(layer, snapshots[-1])
            advice = _ADVICE["starved" if starved else kind]
            return TrainingWarning(kind, layer, since, f"{said} (warning since step {since}). {advice}")
    return None


def _is_starved(layer: str, snapshot: Snapshot) -> bool:
    """Whether the layer before is alive but has faded: then small weights silenced `layer`, and no large step did."""
    names = list(snapshot.layers)
    before = snapshot.layers[names[max(names.index(layer) - 1, 0)]]
    return next((kind for kind, (broken, _) in _LAYER_RULES.items() if broken(before, snapshot)), "") == "vanishing"


Rules = dict[str, tuple[Callable[[Any, Snapshot], bool], Callable[[Any, Snapshot], str]]]
"""{kind: (is it broken, what to say)}, each of a layer's state, None for the network's rules, and the snapshot."""

_NETWORK_RULES: Rules = {
    "not finite": (
        lambda _, one: not math.isfinite(one.loss),
        lambda _, one: f"The loss is {one.loss}",
    ),
    "overconfident": (
        lambda _, one: one.loss > OVERCONFIDENT * math.log(one.categories),
        lambda _, one: (
            f"{one.accuracy:.0%} of the watched images are right, and the loss is {one.loss:.2f}, far above that of "
            f"blind guessing, ln {one.categories} = {math.log(one.categories):.2f}"
        ),
    ),
}

_LAYER_RULES: Rules = {
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
        lambda state, one: "no gradient reaches it",
    ),
    "duplicates": (
        lambda state, one: state.duplicates >= DUPLICATE_SHARE * state.channels,
        lambda state, one: f"{state.duplicates} pairs of its {state.channels} filters point the same way",
    ),
}

_ADVICE = {
    "not finite": "Stop, go back to the last good weights, and lower the learning rate.",
    "overconfident": "Wrong answers get high probabilities: are the labels right, and are there enough images?",
    "dead": "No gradient reaches them: lower the learning rate, or start with other weights.",
    "starved": "The layer before gives it next to nothing: start with larger weights (the rule of He and others).",
    "exploding": "Lower the learning rate, or start with smaller weights.",
    "vanishing": "Start with larger weights (the rule of He and others), or put a batch norm in between.",
    "saturated": "Start with smaller weights, scale the input, or use a ReLU.",
    "no gradient": "It cannot learn: look at the layers after it, one of which lets nothing through.",
    "duplicates": "They do the same work twice: begin from random weights, not from equal ones.",
}
