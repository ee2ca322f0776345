"""The X-ray as one HTML file: no scripts, nothing from elsewhere, every text from labels and file names escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape

import numpy as np

from days.common.models import softmax
from days.day24.code.anatomy import Layer
from days.day24.code.findings import Facts, Finding, listed
from days.day24.code.pictures import Picture

UNFOLDED = 30
EVIDENCE_SHOWN = 4
SEVERITIES = {3: "serious", 2: "worth a look", 1: "note"}

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>X-ray of {name}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>X-ray of {name}</h1>
{body}
</main>
</body>
</html>
"""

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --soft: #545c66; --paper: #ffffff; --card: #f4f6f8; --line: #c9d0d8;
  --serious: #a1241c; --look: #855000; --note: #2a5d9f; --fine: #22683a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaee; --soft: #b3bcc7; --paper: #15181c; --card: #20252b;
  --line: #48525e; --serious: #ff9d94; --look: #f5bf6b; --note: #96c1ff; --fine: #86d7a0; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem 1.2rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 1rem 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; margin: 2.6rem 0 .5rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.08rem; margin: 1.4rem 0 .3rem; overflow-wrap: anywhere; }
p { max-width: 46rem; margin: .4rem 0; }
.soft, figcaption, dt { color: var(--soft); }
ol.findings { list-style: none; padding: 0; margin: 1rem 0; }
ol.findings > li { background: var(--card); border-left: .35rem solid var(--tone); border-radius: .3rem;
  padding: .7rem 1rem; margin: 0 0 1rem; }
ol.findings h3 { margin: 0; }
.tone3 { --tone: var(--serious); } .tone2 { --tone: var(--look); } .tone1 { --tone: var(--note); }
.tag { color: var(--tone); font-size: .85rem; font-weight: 600; text-transform: uppercase; letter-spacing: .04em; }
.clean { background: var(--card); border-left: .35rem solid var(--fine); border-radius: .3rem; padding: .7rem 1rem; }
dl { display: grid; grid-template-columns: 8rem 1fr; gap: .2rem 1rem; margin: .6rem 0 0; }
dd { margin: 0; overflow-wrap: anywhere; } dd ul { margin: 0; padding-left: 1.1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; }
tbody th { font-weight: 500; } caption { text-align: left; color: var(--soft); }
figure { margin: .6rem 0; } figure img { max-width: 100%; height: auto; border-radius: .3rem; background: #fff; }
figcaption { font-size: .85rem; overflow-wrap: anywhere; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: .4rem 1.2rem; }
summary { cursor: pointer; padding: .3rem 0; }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
  .grid { gap: .2rem; } }
"""


def render(found) -> str:
    """The whole page for an `Examination`."""
    parts = [_summary, _findings, _feeding, _predictions, _layers, _pictures, _favorites, _photos, _reading]
    body = "\n".join(filter(None, (part(found) for part in parts)))
    return _PAGE.format(name=escape(found.subject.name), style=_STYLE, body=body)


def _summary(found) -> str:
    subject, trial = found.subject, found.trials[0]
    count = subject.backend.parameter_count(subject.network)
    framework = "PyTorch" if subject.backend.__name__.endswith("torch_backend") else "Keras"
    words = (
        f"{framework}, {len(found.layers)} convolutions with {sum(one.channels for one in found.layers):,} channels, "
        f"{count:,} parameters, {trial.scores.shape[1]:,} categories. Looked at with {len(found.photos.names)} photos "
        f"of {subject.size} x {subject.size} pixels, fed with {subject.pixels.name}."
    )
    if found.truth is not None:
        words += f" It is right on {trial.right(found.truth).sum()} of {len(found.truth)}."
    return f'<p class="soft">{escape(words)}</p>'


# ---------------------------------------------------------------- findings


def _findings(found) -> str:
    head = f"<h2>Findings ({len(found.findings)})</h2>"
    if not found.findings:
        words = (
            "Nothing was found that healthy networks do not show as well. That proves no health: only what is looked "
            "for can be found, and only these photos were shown."
        )
        return f'{head}<p class="clean">{words}</p>'
    return f'{head}<ol class="findings">{"".join(map(_finding, found.findings))}</ol>'


def _finding(one: Finding) -> str:
    rows = (
        ("Evidence", _lines(one.evidence)),
        ("How sure", escape(one.sure)),
        ("What to try", escape(one.advice)),
    )
    facts = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    tag = f'<span class="tag">{SEVERITIES[one.severity]}</span>'
    return (
        f'<li class="tone{one.severity}">{tag}<h3>{escape(one.title)}</h3>'
        f"<p>{escape(one.words)}</p><dl>{facts}</dl></li>"
    )


def _lines(lines: Sequence[str]) -> str:
    if len(lines) == 1:
        return escape(lines[0])
    shown, folded = _items(lines[:EVIDENCE_SHOWN]), _items(lines[EVIDENCE_SHOWN:])
    return f"<ul>{shown}</ul>" + (
        _folded(f"{len(lines) - EVIDENCE_SHOWN} more", f"<ul>{folded}</ul>") if folded else ""
    )


def _items(lines: Iterable[str]) -> str:
    return "".join(f"<li>{escape(one)}</li>" for one in lines)


# ---------------------------------------------------------------- how it is fed, what it says


def _feeding(found) -> str:
    if len(found.trials) < 2:
        return "<h2>Preprocessing</h2><p>Other ways were not tried: that takes at least 3 photos.</p>"
    rows = []
    for place, trial in enumerate(found.trials):
        right = "" if found.truth is None else str(trial.right(found.truth).sum())
        norm = "" if trial.norm is None else f"{trial.norm.distance:.3g}"
        name = f"as it was fed: {trial.name}" if place == 0 else trial.name
        rows.append([name, right, f"{trial.confidence:.2f}", f"{trial.information:.2f}", norm])
    heads = ["preprocessing", "photos right", "mean confidence", "information (nats)", "first batch norm: distance"]
    keep = [index for index in range(5) if any(row[index] for row in rows)]
    words = (
        "The photos were also fed in the usual other ways. A wrong way makes answers less often right, makes them say "
        "less about which photo was shown, and gives the first batch norm other values than it has stored. Red and "
        "blue exchanged often changes little: where neither the truth nor a batch norm tells, it cannot be told. "
        f"(Answers that name every photo for sure would carry {np.log(len(found.photos.names)):.2f} nats.)"
    )
    table = _table(
        "Ways of feeding", [heads[index] for index in keep], [[row[index] for index in keep] for row in rows]
    )
    return f"<h2>Preprocessing</h2><p>{words}</p>{table}"


def _predictions(found) -> str:
    trial, subject, truth = found.trials[0], found.subject, found.truth
    said, sure = trial.scores.argmax(axis=1), softmax(np.nan_to_num(trial.scores)).max(axis=1)
    rows = []
    for index, name in enumerate(found.photos.names):
        row = [name, subject.called(int(said[index])), f"{sure[index]:.2f}"]
        if truth is not None:
            verdict = "right" if said[index] == truth[index] else "wrong"
            row += [subject.called(int(truth[index])), verdict]
        rows.append(row)
    heads = ["photo", "prediction", "probability", *(["truth", ""] if truth is None else ["truth", "verdict"])]
    table = _table("Predictions", heads[: len(rows[0])], rows)
    table = table if len(rows) <= UNFOLDED else _folded(f"All {len(rows)} predictions", table)
    cams = (
        "<h3>Where it looked</h3><p>Left the photo, right the same with Grad-CAM: bright is what speaks for the "
        "prediction.</p>" + _grid(found.cams)
        if found.cams
        else ""
    )
    return f"<h2>Predictions</h2><p>{escape(found.truth_words)}</p>{cams}{table}"


# ---------------------------------------------------------------- layers


def _layers(found) -> str:
    rows = [_layer_row(layer, fact) for layer, fact in zip(found.layers, found.facts, strict=True)]
    heads = ["layer", "filters", "map", "units active", "silent", "dead", "copies", "opposites", "noise", "strongest"]
    table = _table("Convolutions in forward order", heads, rows)
    table = table if len(rows) <= UNFOLDED else _folded(f"All {len(rows)} convolutions", table)
    words = (
        "Silent: channels that answer on none of the photos. Dead: for no input whatever. Copies and opposites: pairs "
        "of filters of the same or the opposite direction. Noise: filters that look random. Some silent channels and "
        "opposite pairs are usual in healthy networks; what is not usual stands among the findings."
    )
    return f"<h2>Layers</h2><p>{words}</p>{table}"


def _layer_row(layer: Layer, fact: Facts) -> list[str]:
    count, inputs, height, width = layer.weights.filters.shape
    strongest = np.argsort(-np.nan_to_num(layer.summary.mean.mean(axis=0)), kind="stable")[:3]
    return [
        layer.name,
        _unbroken(f"{count} of {inputs} x {height} x {width}"),
        _unbroken("{} x {}".format(*layer.summary.size)),
        f"{np.mean(layer.summary.active):.0%}",
        *(str(len(one)) for one in (fact.silent, fact.dead, fact.copies, fact.opposites, fact.noise)),
        _unbroken(listed(strongest)),
    ]


def _unbroken(text: str) -> str:
    return text.replace(" ", "\u00a0")


def _pictures(found) -> str:
    parts = []
    for layer, shown in found.shown.items():
        parts.append(f"<h3>{escape(layer)}</h3>{''.join(map(_figure, shown))}")
    words = f"{len(found.shown)} of {len(found.layers)} layers, spread over the depth, with their strongest channels."
    return f"<h2>Filters and maps</h2><p>{words}</p>{''.join(parts)}"


def _favorites(found) -> str:
    parts = [f"<h3>{escape(layer)}</h3>{_grid(shown)}" for layer, shown in found.favorites.items()]
    words = (
        "The strongest channels of some layers: left a picture that was grown to excite the channel, where one could "
        "be grown, and right the photo that excites it most, lit where it answers."
    )
    return f"<h2>What channels love</h2><p>{words}</p>{''.join(parts)}"


def _grid(shown: Sequence[Picture]) -> str:
    return f'<div class="grid">{"".join(map(_figure, shown))}</div>'


# ---------------------------------------------------------------- photos, and how to read it


def _photos(found) -> str:
    photos, parts = found.photos, []
    if photos.left_out:
        parts.append(f"<p>{photos.left_out} more photos were not looked at (see --limit).</p>")
    if photos.skipped:
        parts.append(f"<p>Files that were skipped: {len(photos.skipped)}.</p>")
        rows = [[name, why] for name, why in photos.skipped]
        table = _table("Skipped files", ["file", "reason"], rows)
        parts.append(table if len(rows) <= UNFOLDED else _folded(f"All {len(rows)} skipped files", table))
    words = f"{len(photos.names)} photos were looked at, and no file was skipped."
    return "<h2>Photos</h2>" + ("".join(parts) or f"<p>{words}</p>")


def _reading(found) -> str:
    remarks = f"<ul>{_items(found.remarks)}</ul>" if found.remarks else ""
    words = (
        "Findings told from the weights alone hold for any photo; those told from answers are said of these photos. "
        "A channel's answer is read before its ReLU, and its strength is the mean of what the ReLU lets through."
    )
    return f"<h2>How to read this</h2><p>{words}</p>{remarks}"


# ---------------------------------------------------------------- pieces


def _figure(one: Picture) -> str:
    picture = f'<img src="{one.source}" alt="{escape(one.alt)}">'
    return f"<figure>{picture}<figcaption>{escape(one.caption)}</figcaption></figure>"


def _folded(summary: str, inside: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>"


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls by itself where it is too wide; the first cell of a row is its head."""
    look = _looks(rows)
    head = "".join(f'<th scope="col"{look(index)}>{escape(one)}</th>' for index, one in enumerate(heads))
    lines = []
    for name, *cells in rows:
        inside = "".join(f"<td{look(index)}>{escape(one)}</td>" for index, one in enumerate(cells, 1))
        lines.append(f'<tr><th scope="row">{escape(name)}</th>{inside}</tr>')
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(title)}"><table><caption>{escape(title)}'
        f"</caption><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _looks(rows: Sequence[Sequence[str]]) -> Callable[[int], str]:
    """Columns of numbers stand at the right."""
    columns = [
        all(cell[:1].isdigit() and len(cell.split()) == 1 for cell in column) for column in zip(*rows, strict=True)
    ]
    return lambda index: ' class="number"' if columns[index] else ""
