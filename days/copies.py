"""The learner's own copies of the lessons, in `my/`, which git does not see: `make lab` makes them and opens them.

    python -m days.copies    make the copies, and bring those up to date whose lesson has changed since

A copy notes what it was made from: the lesson's fingerprint, and one of each of its cells. So a cell that differs is
the learner's. When the lesson changes, a fresh copy takes those cells over, and the old copy stays beside it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

from days.common.paths import REPO_ROOT, write_bytes
from days.common.progress import HEAD

NOTE = "seeing_cnns"  # the key of the note in a copy's metadata
_CHECK = re.compile(r"^(?:# ?)?exercises\.", re.MULTILINE)
_LINKED = re.compile(r"""(?:\]\(|\b(?:src|href)=")([^)"#:\s]+)[)"#]""")  # relative: no colon, and so no address


def update_copies(root: Path = REPO_ROOT) -> list[str]:
    """Make what is missing in `my/`, bring up to date what is older than its lesson; returns a line for each change.

    root : the folder of the course, with `days/` in it. Nothing that the learner wrote is ever lost.
    """
    said, new = [], False
    for lesson in sorted([*root.glob("days/*.ipynb"), *root.glob("days/day*/*.ipynb")]):
        mine = root / "my" / lesson.relative_to(root / "days")
        if mine.exists():
            what = _renewed(lesson, mine)
            said += [f"{mine.relative_to(root).as_posix()} {what}"] if what else []
        else:
            write_bytes(_with_folder(mine), _as_bytes(_fresh(lesson)))
            new = True
        _copy_pictures(lesson, mine)
    return ["my/ has your own copies of the lessons: what you write there stays yours"] * new + said


def _copy_pictures(lesson: Path, mine: Path) -> None:
    """Copy the stored figures and what else a lesson shows, where the course has a newer one."""
    text = "".join(_source(cell) for cell in json.loads(lesson.read_bytes())["cells"])
    linked = {lesson.parent / link for link in _LINKED.findall(text)}
    for path in [*lesson.parent.glob("outputs/*"), *linked]:
        copied = mine.parent / path.relative_to(lesson.parent) if path.is_relative_to(lesson.parent) else None
        if copied and path.is_file() and path.suffix != ".ipynb" and _is_newer(path, copied):
            shutil.copy2(path, _with_folder(copied))


def _is_newer(path: Path, copied: Path) -> bool:
    return not copied.exists() or path.stat().st_mtime > copied.stat().st_mtime


def _with_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _as_bytes(notebook: dict) -> bytes:
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def _source(cell: dict) -> str:
    return "".join(cell["source"])


def _print(text: str | bytes) -> str:
    """A short fingerprint."""
    return hashlib.sha256(text if isinstance(text, bytes) else text.encode()).hexdigest()[:12]


def _fresh(lesson: Path) -> dict:
    """The lesson's notebook with a note of what it was made from."""
    data = lesson.read_bytes()
    notebook = json.loads(data)
    cells = {cell["id"]: _print(_source(cell)) for cell in notebook["cells"]}
    notebook["metadata"][NOTE] = {"lesson": _print(data), "cells": cells}
    return notebook


def _renewed(lesson: Path, mine: Path) -> str:
    """Bring a copy up to date, if its lesson has changed; returns what has become of it."""
    fresh = _fresh(lesson)
    try:
        old = json.loads(mine.read_bytes())
        if old["metadata"][NOTE]["lesson"] == fresh["metadata"][NOTE]["lesson"]:
            return ""
        notebook, count = carried_over(fresh, old)
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        return f"stays as it is, since it cannot be read as a copy ({reason}): rename it, and a new one is made"
    backup = f", which was in {count} cell{'s' * (count > 1)}; the old copy is {_backup(mine).name}" if count else ""
    write_bytes(mine, _as_bytes(notebook))
    return f"is up to date and has what you wrote{backup}" if count else "is up to date; you had written nothing in it"


def _backup(mine: Path) -> Path:
    """Copy a file to the first free name beside it, and return that."""
    names = (mine.with_name(f"{mine.stem}_old{number}{mine.suffix}") for number in range(1, 1000))
    backup = next(path for path in names if not path.exists())
    shutil.copy2(mine, backup)
    return backup


def carried_over(fresh: dict, old: dict) -> tuple[dict, int]:
    """A fresh copy with the learner's cells from an old one, and how many these are.

    An answer goes into its exercise's cell. A cell that the learner changed and the course did not is taken as it is.
    What the learner added stays behind the cell that it followed; and so does, as text that does not run, a changed
    cell that the course has changed, too.
    """
    known, cells, count, place = old["metadata"][NOTE]["cells"], copy.deepcopy(fresh["cells"]), 0, -1
    for cell in old["cells"]:
        place = next((at for at, other in enumerate(cells) if _is_same(cell, other)), place)
        before = known.get(cell["id"])
        if before == _print(_source(cell)):
            continue
        count += 1
        if before and place >= 0 and (carried := _carried(cells[place], cell, before)):
            cells[place] = carried
        else:
            place += 1
            cells.insert(place, _as_text(cell) if before else cell)
    return {**fresh, "cells": cells}, count


def _is_same(cell: dict, other: dict) -> bool:
    """Whether a cell is the other one, perhaps changed: an exercise goes by its number, any other cell by its id."""
    mine, theirs = HEAD.match(_source(cell)), HEAD.match(_source(other))
    return bool(theirs and mine.group() == theirs.group()) if mine else cell["id"] == other["id"]


def _carried(fresh: dict, cell: dict, before: str) -> dict:
    """The fresh cell with what the learner wrote in the old one; {} where it has to stand apart.

    before : the fingerprint that the learner's cell had when it was copied.
    """
    if not _is_same(cell, fresh):
        return {}
    if _print(_source(fresh)) == before:
        return {**cell, "id": fresh["id"]}
    source = _with_answer(_source(fresh), _source(cell)) if HEAD.match(_source(fresh)) else ""
    results = {name: cell[name] for name in ("outputs", "execution_count") if name in cell}
    return {**fresh, **results, "source": source} if source else {}


def _with_answer(source: str, answered: str) -> str:
    """An exercise's cell with the learner's function in it; "" where the function is called otherwise now."""
    name, check = re.search(r"^def \w+", source, re.MULTILINE), _CHECK.search(source)
    if not (name and check and re.search(rf"^{name.group()}\b", answered, re.MULTILINE)):
        return ""
    lines = answered.splitlines()[bool(HEAD.match(answered)) :]
    end = next((at for at, line in enumerate(lines) if _CHECK.match(line)), len(lines))
    tried = [line for line in lines[end:] if not _CHECK.match(line)]
    answer = "\n".join(lines[:end]).strip()
    return "\n".join([source.partition("\n")[0], answer, "", "", *tried, source[check.start() :]])


def _as_text(cell: dict) -> dict:
    """A learner's cell as Markdown, below a line that says what it is."""
    source = _source(cell)
    text = f"```python\n{source}\n```" if cell["cell_type"] == "code" else source
    identity = _print(f"{cell.get('id')} {source}")
    source = f"**From your earlier copy; the lesson has changed here:**\n\n{text}"
    return {"cell_type": "markdown", "id": identity, "metadata": {}, "source": source}


if __name__ == "__main__":
    try:
        for line in update_copies():
            print(line)
    except OSError as error:
        sys.exit(f"no own copies of the lessons: {error}")
