"""What a learner has solved and predicted: noted by the lessons, in a file of the learner's own that git never sees.

The file is `~/.seeing-cnns/progress.json`; the environment variable SEEING_CNNS_PROGRESS names another. Delete it to
begin anew. It holds {"day17": {"9.1": date}, "predictions": {"17.3": {"said": ..., "sure": 70, ...}}}; files of earlier
versions, {"day17": ["9.1"]}, are read as well. `python -m days.progress` collects such files.
"""

from __future__ import annotations

import datetime
import html
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from days.common.paths import REPO_ROOT, write_bytes

SURE = (50, 70, 90)
HEAD = re.compile(r"# (?:Exercise|Task) (\d+\.\d+) ")
"""How the cell of an exercise or a task begins."""
_ASKED = re.compile(r'^predict\(\s*"(\d+\.\d+)"', re.MULTILINE)


def progress_file() -> Path:
    """Where the progress is kept."""
    return Path(os.environ.get("SEEING_CNNS_PROGRESS") or "~/.seeing-cnns/progress.json").expanduser()


@dataclass
class Noted:
    """What a file of progress holds.

    solved : {"day17": {"9.1": date}}, the date as "2026-11-25", "" where it is not known.
    predictions : {"17.3": {"said": text, "sure": 50, 70 or 90, "date": text}}, and once the lesson has measured,
        "measured" (text) and "right" (bool).
    """

    solved: dict[str, dict[str, str]] = field(default_factory=dict)
    predictions: dict[str, dict] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Noted:
        """From a file's text. Raises ValueError for what is no file of progress."""
        noted = json.loads(text)
        try:
            days = {day: kept for day, kept in noted.items() if re.fullmatch(r"day\d+", day)}
            # A list of numbers, without dates, is how they were kept at first.
            solved = {
                day: {str(number): str(kept[number]) if isinstance(kept, dict) else "" for number in kept}
                for day, kept in days.items()
            }
            predictions = noted.get("predictions", {})
            for name, one in predictions.items():
                if (
                    one["sure"] not in SURE
                    or not isinstance(one["said"], str)
                    or ("measured" in one) != ("right" in one)
                ):
                    raise ValueError(f"expected what was said and how sure, {SURE}, got {one} as prediction {name}")
        except (AttributeError, TypeError, KeyError) as error:
            raise ValueError("expected {'day17': {'9.1': date}, ..., 'predictions': {...}}") from error
        return cls(solved, predictions)


def _read() -> Noted:
    path = progress_file()
    if not path.exists():
        return Noted()
    try:
        return Noted.read(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"cannot read the progress in {path} ({error}): mend it, or delete it to begin anew"
        ) from error


def _write(noted: Noted) -> None:
    path = progress_file()
    text = json.dumps(noted.solved | {"predictions": noted.predictions}, indent=1, sort_keys=True, ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, (text + "\n").encode())
    except OSError as error:
        way_out = "let SEEING_CNNS_PROGRESS name a file that you can write"
        raise OSError(f"cannot write {path} ({error.strerror or error}): {way_out}") from error


def solved() -> dict[str, list[str]]:
    """The exercises that have passed, {"day17": ["9.1", "9.3"], ...}; {} where there is no file.

    Raises ValueError, with the way out, for a file that cannot be read.
    """
    return {day: sorted(numbers, key=_order) for day, numbers in _read().solved.items()}


def predictions() -> dict[str, dict]:
    """What was predicted, as in `Noted`. Raises ValueError, with the way out, for a file that cannot be read."""
    return _read().predictions


def note_solved(day: str, number: str) -> None:
    """Note that an exercise has passed. Raises ValueError or OSError, with the way out, where it cannot."""
    noted = _read()
    if number not in noted.solved.get(day, {}):
        noted.solved.setdefault(day, {})[number] = _today()
        _write(noted)


def note_prediction(name: str, **what) -> None:
    """Add what is known of a prediction, see `Noted`. Raises ValueError or OSError, with the way out."""
    noted = _read()
    noted.predictions[name] = {"date": _today()} | noted.predictions.get(name, {}) | what
    _write(noted)


@dataclass(frozen=True)
class Day:
    """What a day's notebook asks.

    exercises : {"9.1": (title, the id of the cell with its text, or else its own)}; predictions : their names; link :
    from the start page.
    """

    link: str
    exercises: dict[str, tuple[str, str]]
    predictions: list[str]

    @classmethod
    def read(cls, path: Path) -> Day:
        """From a notebook, as it is stored."""
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts = ["".join(cell["source"]) for cell in cells]
        exercises = {}
        for cell, text in zip(cells, texts, strict=True):
            if cell["cell_type"] == "code" and (head := HEAD.match(text)):
                at = _text_of(head[1], texts)
                asks = cell if at is None else cells[at]
                exercises[head[1]] = (_title(head[1], text, "" if at is None else texts[at]), asks.get("id", ""))
        asked = [found[1] for text in texts if (found := _ASKED.search(text))]
        return cls(f"{path.parent.name}/{path.name}", dict(sorted(exercises.items(), key=_by_number)), asked)


def course(notebooks: Iterable[Path] | None = None) -> dict[str, Day]:
    """What the course asks, {"day17": Day}; of days/day*/*.ipynb, unless others are given."""
    paths = sorted(notebooks or (REPO_ROOT / "days").glob("day*/day*.ipynb"))
    return {path.parent.name: Day.read(path) for path in paths}


@dataclass(frozen=True)
class Progress:
    """How far a learner is in the days of the course; in a notebook a line about what is next, and two tables."""

    days: dict[str, Day]
    noted: Noted

    def solved(self, day: str) -> list[str]:
        """Which of a day's exercises are solved."""
        return [number for number in self.days[day].exercises if number in self.noted.solved.get(day, {})]

    @property
    def next_exercise(self) -> tuple[str, str] | None:
        """Day and number: the first that is open of a day that was begun, else of any; None if all are solved."""
        open_ones = [
            (not self.solved(day), day, number)
            for day, asks in self.days.items()
            for number in asks.exercises
            if number not in self.solved(day)
        ]
        return min(open_ones, key=lambda one: one[:2])[1:] if open_ones else None

    def rates(self) -> dict[int, tuple[int, int]]:
        """{how sure in %: (right, all)} of the predictions that were measured."""
        measured = [one for one in self.noted.predictions.values() if "measured" in one]
        said = {sure: [one["right"] for one in measured if one["sure"] == sure] for sure in SURE}
        return {sure: (sum(right), len(right)) for sure, right in said.items()}

    def __repr__(self) -> str:
        lines = [
            f"{day[3:]}  {''.join(_mark(number in self.solved(day)) for number in asks.exercises):9} "
            f"{len(self.solved(day))} of {len(asks.exercises)}"
            for day, asks in self.days.items()
        ]
        return "\n".join(["day", *lines, f"all {self._count()}", self._next(), *self._rates()])

    def _repr_html_(self) -> str:
        rows = []
        for day, asks in self.days.items():
            links = (self._link(day, number, self.solved(day)) for number in asks.exercises)
            cells = f"<td>{len(self.solved(day))}&nbsp;of&nbsp;{len(asks.exercises)}</td>"
            cells += f'<td style="text-align:left">{" · ".join(links)}</td><td>{self._guesses(asks)}</td>'
            day_link = f'<a href="{asks.link}">{day[3:]}</a>'
            rows.append(f'<tr><th scope="row">{day_link}</th>{cells}</tr>')
        names = ("day", "solved", "exercises", "predictions")
        head = "".join(f'<th scope="col" style="text-align:left">{name}</th>' for name in names)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        rates = "".join(f"<li>{html.escape(line)}</li>" for line in self._rates())
        return f"<p><b>{self._count()} exercises solved.</b> {self._next(linked=True)}</p>{table}<ul>{rates}</ul>"

    def _count(self) -> str:
        every = sum(len(asks.exercises) for asks in self.days.values())
        return f"{sum(len(self.solved(day)) for day in self.days)} of {every}"

    def _link(self, day: str, number: str, done: list[str]) -> str:
        title, cell = self.days[day].exercises[number]
        name = f"{_mark(number in done)}&nbsp;{number} {html.escape(title)}"
        return f'<a href="{self.days[day].link}#cell-id={cell}">{name}</a>'

    def _next(self, linked: bool = False) -> str:
        if self.next_exercise is None:
            return "All are solved."
        day, number = self.next_exercise
        if linked:
            return f"Next: Day {day[3:]}, {self._link(day, number, [])}"
        return f"Next: Day {day[3:]}, {number} {self.days[day].exercises[number][0]}"

    def _guesses(self, asks: Day) -> str:
        made = [self.noted.predictions[name] for name in asks.predictions if name in self.noted.predictions]
        right = sum(one.get("right", False) for one in made)
        return f"{len(made)} of {len(asks.predictions)} made" + (f", {right} right" if made else "")

    def _rates(self) -> list[str]:
        """Hit rate and calibration, in lines."""
        rates = self.rates()
        right, every = (sum(pair[place] for pair in rates.values()) for place in (0, 1))
        if not every:
            return ["No prediction has been measured yet."]
        told = [
            f"Of {count} made {sure} % sure, {hits} right: {hits / count:.0%}."
            for sure, (hits, count) in rates.items()
            if count
        ]
        return [f"Predictions: {right} of {every} right ({right / every:.0%}).", *told]


def progress(notebooks: Iterable[Path] | None = None) -> Progress:
    """How far you are. Exercises and predictions are those that the notebooks hold, see `course`."""
    return Progress(course(notebooks), _read())


def _text_of(number: str, texts: list[str]) -> int | None:
    """Which of a notebook's cells says what an exercise asks, "**9.1 Name.**"; None where there is no such cell."""
    return next((place for place, text in enumerate(texts) if f"**{number} " in text), None)


def _title(number: str, source: str, text: str) -> str:
    """An exercise's title: what its text calls it, or else its function's name."""
    called = re.search(rf"\*\*{re.escape(number)} (.+?)\*\*", text)
    function = re.search(r"^def (\w+)", source, re.MULTILINE)
    title = called[1] if called else function[1].replace("_", " ") if function else ""
    return title.rstrip(".").replace("`", "")


def _today() -> str:
    return datetime.date.today().isoformat()


def _by_number(item: tuple) -> list[int]:
    return _order(item[0])


def _order(number: str) -> list[int]:
    return [int(part) if part.isdecimal() else 0 for part in number.split(".")]


def _mark(done: bool) -> str:
    return "✓" if done else "○"
