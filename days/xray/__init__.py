"""The X-ray of a CNN of your own: what is inside, what is wrong with it and how sure that is, as one HTML file.

    python -m days.xray days.xray.examples:squeezenet --images photos -o report.html

In a notebook: `from days.xray import xray`, then `xray(network, "photos")`. Data flows one way, and each step is a
function of what came before, which it never changes: subject -> examination -> findings -> illustration -> report.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from days.common.checks import check_integer
from days.common.comparison import brief
from days.common.paths import write_bytes
from days.day23.code.finding import Finding
from days.xray.examination import examination_of, tracked
from days.xray.findings import findings_of
from days.xray.illustration import NOTHING, illustration_of
from days.xray.loading import read_photos
from days.xray.report import render
from days.xray.subject import subject_of

__all__ = ["Report", "xray"]


@dataclass(frozen=True)
class Report:
    """What an X-ray found: `findings`, worst first, and the whole report as `html`."""

    findings: list[Finding]
    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        look = "width:100%;height:48rem;border:1px solid #888"
        return f'<iframe title="X-ray report" sandbox srcdoc="{escape(self.html)}" style="{look}"></iframe>'


def xray(
    network,
    images,
    output: Path | str | None = None,
    *,
    size: int | None = None,
    mean=None,
    std=None,
    order: str | None = None,
    labels: Sequence[str] | None = None,
    limit: int = 60,
    pictures: bool = True,
    progress: bool = True,
) -> Report:
    """X-ray a CNN on some photos; the report is shown in a notebook, and written to `output` if that is named.

    Parameters
    ----------
    network : a torch module, a functional or sequential Keras model, or a `Model` of the course, whose preprocessing
        and categories are then used. It comes back as it was.
    images : a folder, or a list or dictionary of whatever `load_image` takes. Names of folders inside are the truth.
    size : of the squares that photos are cropped to; what the network is bound to, or 224. mean, std, order : see
        `pixels_from`; ImageNet's unless given. labels : the categories' names, by number.
    limit : of more photos than this, as many are looked at, evenly spread. pictures : without them it is quick.

    Nothing is written but `output`, whole or not at all. Raises ValueError, in one line, for a network or photos
    that it cannot take, and OSError where `output` cannot be written.
    """
    output = _checked_output(output)
    subject = subject_of(network, size=size, mean=mean, std=std, order=order, labels=labels)
    photos = read_photos(images, subject.size, check_integer(limit, 1, "limit"))
    track = tracked("X-ray: ", shown=progress)
    with warnings.catch_warnings():
        # What is not finite or empty is a finding here, not a warning.
        warnings.simplefilter("ignore", RuntimeWarning)
        examination = examination_of(subject, photos, track)
        findings = findings_of(examination)
        illustration = illustration_of(examination, track) if pictures else NOTHING
    html = render(examination, findings, illustration)
    if output:
        write_bytes(output, html.encode())
    return Report(list(findings), html)


def _checked_output(output: Path | str | None) -> Path | None:
    """The file to write, or ValueError before any work is done where it could not be written."""
    if output is None:
        return None
    if not isinstance(output, (str, Path)):
        raise ValueError(f"expected the name of a file as output, got {brief(output)}")
    path = Path(output).expanduser()
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"cannot write {str(path)!r}: expected the name of a file in a folder that exists")
    return path
