"""All stored pictures, rebuilt: `python -m days.figures` for every day, `python -m days.figures 19 22` for some.

One progress bar runs over all of them, and a table at the end says what has changed against what was stored.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from days.common.figures import rebuild
from days.common.paths import REPO_ROOT, outputs_dir


def days_with_figures() -> list[int]:
    """The days that have pictures, in order."""
    return sorted(int(path.parts[-3][3:]) for path in REPO_ROOT.glob("days/day*/code/visualizations.py"))


def jobs_of(days: Sequence[int], changes: dict[str, str]) -> dict[str, Callable[[], Path]]:
    """What rebuilds each picture of these days, by "day19/name"; each job notes in `changes` what has become of it."""

    def noted(name: str, day: int, job: Callable[[], Path]) -> Callable[[], Path]:
        def run() -> Path:
            path = outputs_dir(day) / name
            before = path.read_bytes() if path.is_file() else None
            job()
            changes[f"day{day}/{name}"] = _change(before, path.read_bytes()) if before else "new"
            return path

        return run

    return {
        f"day{day}/{name}": noted(name, day, job)
        for day in days
        for name, job in importlib.import_module(f"days.day{day}.code.visualizations").FIGURES.jobs().items()
    }


def _change(before: bytes, after: bytes) -> str:
    if before == after:
        return "the same, byte for byte"
    then, now = _frames(before), _frames(after)
    if now.shape != then.shape:
        return f"another size: {_size(then)}, now {_size(now)}"
    apart = np.abs(now.astype(np.float32) - then)
    return f"mean difference {apart.mean():.2f} of 255, largest {apart.max():.0f}" if apart.any() else "the same pixels"


def _size(frames: np.ndarray) -> str:
    return " x ".join(map(str, frames.shape[:3]))


def _frames(stored: bytes) -> np.ndarray:
    """All frames of a picture, (n, height, width, 3)."""
    with Image.open(io.BytesIO(stored)) as picture:
        return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture)])


def table(changes: dict[str, str]) -> str:
    """What has changed, a line for each picture, and the count of those that have not."""
    same = [name for name, change in changes.items() if change.startswith("the same")]
    lines = [f"{name:40s} {change}" for name, change in changes.items() if name not in same]
    return "\n".join([*lines, f"{len(same)} of {len(changes)} pictures are the same."])


def main(arguments: Sequence[str] | None = None) -> int:
    """Rebuild, print the table, and return 0; 2 for a day without pictures."""
    known = days_with_figures()
    parser = argparse.ArgumentParser(prog="python -m days.figures", description=__doc__.splitlines()[0])
    parser.add_argument("days", nargs="*", type=int, metavar="DAY", help=f"one of {', '.join(map(str, known))}")
    days = parser.parse_args(arguments).days or known
    if unknown := sorted(set(days) - set(known)):
        parser.error(f"no pictures of day {', '.join(map(str, unknown))}; there are {', '.join(map(str, known))}")
    changes: dict[str, str] = {}
    rebuild(jobs_of(sorted(set(days)), changes), "figures")
    print(table(changes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
