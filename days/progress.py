"""What a learner has solved and predicted, for a teacher.

python -m days.progress                      what you have solved and predicted, and what is next
python -m days.progress export --name NAME   writes progress_NAME.json for the teacher, or the FILE that is named
python -m days.progress class FOLDER         a table of all files in FOLDER; --csv FILE writes it for a spreadsheet, too
"""

from __future__ import annotations

import argparse
import csv
import datetime
import io
import json
import re
import sys
from dataclasses import asdict
from pathlib import Path

from days.common.paths import write_bytes
from days.common.progress import Noted, Progress, course, progress


def export(name: str, path: Path | None = None) -> Path:
    """Write what was solved and predicted, with a name and dates, to one JSON file; returns its path.

    Raises ValueError for a name without a letter or digit, or a file of progress that cannot be read, and OSError.
    """
    slug = "_".join(re.findall(r"\w+", name))
    if not slug:
        raise ValueError(f"expected a name with letters or digits, got {name!r}: --name 'Ada Lovelace'")
    noted = asdict(progress().noted)
    about = {"name": name, "exported": datetime.date.today().isoformat(), "predictions": noted["predictions"]}
    text = json.dumps(about | noted["solved"], indent=1, ensure_ascii=False)
    return write_bytes(path or Path(f"progress_{slug}.json"), (text + "\n").encode())


def row(path: Path, days: dict) -> dict[str, str | int]:
    """One learner's row of the table, by the names of its columns.

    Raises ValueError for a file that `export` did not write.
    """
    noted = Noted.read(path.read_text(encoding="utf-8"))
    name = json.loads(path.read_text(encoding="utf-8")).get("name")
    if not isinstance(name, str):
        raise ValueError("expected a learner's name in it: let the learner run `python -m days.progress export`")
    learner = Progress(days, noted)
    counts = {f"{day[3:]} (of {len(asks.exercises)})": len(learner.solved(day)) for day, asks in days.items()}
    right, measured = (sum(pair[place] for pair in learner.rates().values()) for place in (0, 1))
    dates = [date for numbers in noted.solved.values() for date in numbers.values()]
    dates += [one.get("date", "") for one in noted.predictions.values()]
    guesses = {"predicted": len(noted.predictions), "measured": measured, "right": right}
    return {"name": name} | counts | {"solved": sum(counts.values())} | guesses | {"last": max(dates, default="")}


def class_table(folder: Path) -> tuple[list[dict], list[str]]:
    """The rows of all *.json files in a folder, by name, and a line for each file that is none of `export`'s.

    Raises ValueError for a folder without such a file.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise ValueError(
            f"expected a folder with files of `python -m days.progress export`, found no *.json in {folder}"
        )
    days, rows, problems = course(), [], []
    for path in paths:
        try:
            rows.append(row(path, days))
        except (OSError, ValueError) as error:
            problems.append(f"{path.name} left out: {error}")
    return sorted(rows, key=lambda one: one["name"].casefold()), problems


def as_text(rows: list[dict]) -> str:
    """The table with aligned columns."""
    lines = [list(rows[0]), *([str(value) for value in one.values()] for one in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def as_csv(rows: list[dict]) -> str:
    """The table as comma-separated values."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns an exit code, and says in one line what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m days.progress", description="What was solved and predicted.")
    commands = parser.add_subparsers(dest="command")
    exporting = commands.add_parser("export", help="write one file for a teacher")
    exporting.add_argument("--name", required=True, help="the learner's name")
    exporting.add_argument("file", nargs="?", type=Path, help="the file to write; progress_NAME.json without it")
    listing = commands.add_parser("class", help="make a table of the files of a class")
    listing.add_argument("folder", type=Path)
    listing.add_argument("--csv", type=Path, help="write the table to this file, too")
    asked = parser.parse_args(arguments)
    try:
        if asked.command == "export":
            print(export(asked.name, asked.file))
        elif asked.command == "class":
            rows, problems = class_table(asked.folder)
            print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
            if not rows:
                raise ValueError(f"no file in {asked.folder} can be read")
            print(as_text(rows))
            if asked.csv:
                write_bytes(asked.csv, as_csv(rows).encode("utf-8-sig"))  # the mark lets Excel read names with accents
        else:
            print(progress())
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
