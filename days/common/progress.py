"""Which exercises a learner has solved: noted by the checks, in a file of the learner's own that git never sees.

The file is `~/.seeing-cnns/progress.json`; the environment variable SEEING_CNNS_PROGRESS names another. Delete it to
begin anew.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from days.common.paths import REPO_ROOT, write_bytes

_HEAD = re.compile(r"# Exercise (\d+\.\d+) ")


def progress_file() -> Path:
    """Where the progress is kept."""
    return Path(os.environ.get("SEEING_CNNS_PROGRESS") or "~/.seeing-cnns/progress.json").expanduser()


def solved() -> dict[str, list[str]]:
    """The exercises that have passed, {"day17": ["9.1", "9.3"], ...}; {} where there is no file.

    Raises ValueError, with the way out, for a file that cannot be read.
    """
    path = progress_file()
    if not path.exists():
        return {}
    try:
        return {str(day): [str(number) for number in numbers] for day, numbers in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ValueError(
            f"cannot read the progress in {path} ({error}): mend it, or delete it to begin anew"
        ) from error


def note_solved(day: str, number: str) -> None:
    """Note that an exercise has passed. Raises ValueError or OSError, with the way out, where it cannot."""
    known = solved()
    if number in known.get(day, []):
        return
    known[day] = sorted({*known.get(day, []), number}, key=_order)
    path = progress_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, (json.dumps(known, indent=1, sort_keys=True) + "\n").encode())
    except OSError as error:
        way_out = "let SEEING_CNNS_PROGRESS name a file that you can write"
        raise OSError(f"cannot write {path} ({error.strerror or error}): {way_out}") from error


@dataclass(frozen=True)
class Progress:
    """How far a learner is, {day: (solved, all its exercises)}; a table in a notebook."""

    days: dict[str, tuple[list[str], list[str]]]

    def __repr__(self) -> str:
        lines = [
            f"{day[3:]}  {_bar(done, every)}  {len(done)} of {len(every)}" for day, (done, every) in self.days.items()
        ]
        done, every = (sum(len(pair[place]) for pair in self.days.values()) for place in (0, 1))
        return "\n".join(["day", *lines, f"all {done} of {every}"])

    def _repr_html_(self) -> str:
        rows = []
        for day, (done, every) in self.days.items():
            marks = " ".join(f"{'✓' if number in done else '○'}&nbsp;{html.escape(number)}" for number in every)
            cells = f'<td>{len(done)} of {len(every)}</td><td style="text-align:left">{marks}</td>'
            rows.append(f'<tr><th scope="row">{day[3:]}</th>{cells}</tr>')
        head = '<tr><th scope="col">day</th><th scope="col">solved</th><th scope="col">exercises</th></tr>'
        return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def progress(notebooks: Iterable[Path] | None = None) -> Progress:
    """How far you are. Exercises are those that the notebooks hold; days/day*/*.ipynb, unless others are given."""
    known, days = solved(), {}
    for path in sorted(notebooks or (REPO_ROOT / "days").glob("day*/day*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        heads = (_HEAD.match("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code")
        every = sorted({head.group(1) for head in heads if head}, key=_order)
        day = path.parent.name
        days[day] = ([number for number in every if number in known.get(day, [])], every)
    return Progress(days)


def _order(number: str) -> list[int]:
    return [int(part) if part.isdecimal() else 0 for part in number.split(".")]


def _bar(done: list[str], every: list[str]) -> str:
    return "".join("✓" if number in done else "○" for number in every).ljust(9)
