"""The X-ray as one HTML file: no scripts, nothing from elsewhere; `report.html.j2` escapes whatever it is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jinja2
import numpy as np

from days.common.frameworks import framework_of
from days.day23.code.finding import Finding
from days.xray.anatomy import Layer
from days.xray.examination import Examination
from days.xray.facts import Facts
from days.xray.findings import NOTE, SERIOUS, WORTH_A_LOOK, listed
from days.xray.illustration import Illustration

UNFOLDED = 30
"""Tables of more rows are folded."""
EVIDENCE_SHOWN = 4
SEVERITIES = {SERIOUS: "serious", WORTH_A_LOOK: "worth a look", NOTE: "note"}
FRAMEWORKS = {"torch": "PyTorch", "keras": "Keras"}

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Table:
    """A table's caption, column heads and rows of text; the first cell of a row is its head."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    @cached_property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers alone, and stand at the right."""
        return [
            all(cell[:1].isdigit() and len(cell.split()) == 1 for cell in column)
            for column in zip(*self.rows, strict=True)
        ]


def render(seen: Examination, findings: Sequence[Finding], illustration: Illustration) -> str:
    """The whole page."""
    return _TEMPLATES.get_template("report.html.j2").render(
        seen=seen,
        trial=seen.trials[0],
        findings=findings,
        illustration=illustration,
        framework=FRAMEWORKS[framework_of(seen.subject.network)],
        parameters=seen.subject.backend.parameter_count(seen.subject.network),
        out_of_sight=seen.subject.backend.out_of_sight(seen.subject.network),
        nats=np.log(len(seen.photos.names)),
        feeding=_feeding(seen),
        predictions=_predictions(seen),
        mistakes=_mistakes(seen),
        layers=_layers(seen),
        skipped=Table("Skipped files", ["file", "reason"], seen.photos.skipped),
        severities=SEVERITIES,
        unfolded=UNFOLDED,
        evidence_shown=EVIDENCE_SHOWN,
    )


def _feeding(seen: Examination) -> Table:
    """What each preprocessing gave; a column that says nothing of any is left out."""
    rows = []
    for place, trial in enumerate(seen.trials):
        right = "" if seen.truth is None else str(trial.right(seen.truth).sum())
        norm = "" if trial.norm is None else f"{trial.norm.distance:.3g}"
        name = trial.name if place else f"as given: {trial.name}"
        rows.append([name, right, f"{trial.confidence:.2f}", f"{trial.information:.2f}", norm])
    heads = ["preprocessing", "photos right", "mean confidence", "information (nats)", "first batch norm: distance"]
    keep = [index for index in range(len(heads)) if any(row[index] for row in rows)]
    return Table("Ways of feeding", [heads[index] for index in keep], [[row[index] for index in keep] for row in rows])


def _predictions(seen: Examination) -> Table:
    trial, subject, truth = seen.trials[0], seen.subject, seen.truth
    said, sure = trial.scores.argmax(axis=1), trial.probabilities.max(axis=1)
    rows = []
    for index, name in enumerate(seen.photos.names):
        row = [name, subject.called(int(said[index])), f"{sure[index]:.2f}"]
        if truth is not None:
            row += [subject.called(int(truth[index])), "right" if said[index] == truth[index] else "wrong"]
        rows.append(row)
    heads = ["photo", "prediction", "probability", "truth", "verdict"]
    return Table("Predictions", heads[: len(rows[0])], rows)


def _mistakes(seen: Examination) -> Table | None:
    """Categories and how often they are told right, the worst first, and mistakes; None without truth."""
    if seen.truth is None:
        return None
    said, called, rows = seen.trials[0].scores.argmax(axis=1), seen.subject.called, []
    for category in np.unique(seen.truth):
        answers = said[seen.truth == category]
        right = f"{(answers == category).sum()} of {len(answers)}"
        wrong = Counter(answers[answers != category].tolist()).most_common(3)
        taken = ", ".join(f"{called(other)} ({count})" for other, count in wrong)
        rows.append((np.mean(answers == category), [called(int(category)), _unbroken(right), taken]))
    rows.sort(key=lambda row: row[0])
    return Table("Categories, the worst first", ["truth", "right", "taken for"], [row for _, row in rows])


def _layers(seen: Examination) -> Table:
    rows = [_layer_row(layer, fact) for layer, fact in zip(seen.layers, seen.facts, strict=True)]
    heads = ["layer", "filters", "map", "units active", "silent", "dead", "copies", "opposites", "noise", "strongest"]
    return Table("Convolutions in forward order", heads, rows)


def _layer_row(layer: Layer, fact: Facts) -> list[str]:
    count, inputs, height, width = layer.shape
    return [
        layer.name,
        _unbroken(f"{count} of {inputs} x {height} x {width}"),
        _unbroken("{} x {}".format(*layer.summary.size)),
        f"{np.mean(layer.summary.active):.0%}",
        *(str(len(part)) for part in (fact.silent, fact.dead, fact.copies, fact.opposites, fact.noise)),
        _unbroken(listed(layer.summary.strongest(3))),
    ]


def _unbroken(text: str) -> str:
    return text.replace(" ", "\u00a0")
