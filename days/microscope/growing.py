"""Growing the pictures: in batches that any process may take, each kept as soon as it is done.

A batch's pictures depend on what it holds and on nothing else: not on how many processes there are, on which machine,
or on how often the work was stopped. Day 20's `Ascent` grows them.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from days.common.checks import check_integer
from days.common.paths import write_bytes
from days.day20.code import evidence
from days.day20.code.ascent import Ascent
from days.day20.code.objectives import Objective
from days.day20.code.parameterization import STANDARD
from days.microscope.backends import microscope_backend
from days.microscope.source import Source, model_from, network_key, subject_from
from days.microscope.walls import Wall

TOGETHER = 16
"""So many pictures grow in one batch."""
SEED, LEARNING_RATE = 0, 0.1
"""Twice Day 20's rate: 64 steps then reach about what 96 do at that rate."""
FORMAT = 1
"""Goes up when pictures are grown otherwise, so that older ones are not taken for today's."""


class Grown(NamedTuple):
    """Pictures as they are shown, (n, cell, cell, 3) in 0 to 255, and for each the mean that its channel answers to the
    picture as it was grown, (n,), and whether it moved at all, (n,)."""

    cells: np.ndarray
    responses: np.ndarray
    moved: np.ndarray


class Batch(NamedTuple):
    """One job: all that a process needs to know. network : the `network_key` that the source must give there, too."""

    source: Source
    network: str
    layer: str
    wanted: tuple[Objective, ...]
    side: int
    cell: int
    steps: int

    @property
    def key(self) -> str:
        """A text that is the same for two batches whose pictures are the same."""
        told = FORMAT, SEED, LEARNING_RATE, STANDARD, self.network, self.wanted, self.side, self.cell, self.steps
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def file(self, folder: Path) -> Path:
        """Where its pictures are kept."""
        return folder / f"{self.key}.npz"


def batches_of(source: Source, network: str, wall: Wall, *, cell: int, steps: int) -> list[Batch]:
    """A wall's pictures as jobs of `TOGETHER` each."""
    parts = [wall.wanted[start : start + TOGETHER] for start in range(0, len(wall.wanted), TOGETHER)]
    return [Batch(source, network, wall.name, part, wall.side, cell, steps) for part in parts]


def grow(batch: Batch) -> Grown:
    """Grow a batch's pictures. Raises ValueError where the source gives another network than it gave at first."""
    subject = subject_from(batch.source)
    if network_key(subject) != batch.network:
        raise ValueError(
            f"{batch.source.factory} gives another network each time: let it set a seed, or name a file of weights"
        )
    model = model_from(subject)
    with microscope_backend(subject.network).one_thread():
        how: dict[str, Any] = {"seed": SEED, "learning_rate": LEARNING_RATE, "preprocess": model.preprocess}
        ascent = Ascent(model.network, batch.wanted, size=batch.side, **how)
        first = ascent.images()
        for _ in range(batch.steps):
            if ascent.step() is None:
                break
        images = ascent.images()
        answers = evidence.responses(model, batch.wanted, images)
    moved = np.abs(images - first).max(axis=(1, 2, 3)) > 0
    return Grown(_cells(images, moved, batch.cell), np.diag(answers).astype(np.float32), moved)


def _cells(images: np.ndarray, moved: np.ndarray, cell: int) -> np.ndarray:
    """Pictures (n, side, side, 3) as they are shown; what never moved is flat gray, as it is no picture of anything."""
    pixels = (np.where(moved[:, None, None, None], images, 0.5).clip(0, 1) * 255).round().astype(np.uint8)
    shown = [Image.fromarray(one).resize((cell, cell), Image.Resampling.LANCZOS) for one in pixels]
    return np.stack([np.asarray(one) for one in shown])


def grow_all(
    batches: Sequence[Batch], folder: Path, *, jobs: int = 1, dask: str | None = None, progress: bool = True
) -> None:
    """Grow what `folder` does not hold yet, and keep each batch in it at once, whole or not at all.

    jobs : processes on this machine. dask : the address of a scheduler whose workers do it in their place. When a
    process is killed, what was growing is grown again. Raises RuntimeError where that happens twice in a row without a
    single batch done.
    """
    check_integer(jobs, 1, "jobs")
    folder.mkdir(parents=True, exist_ok=True)
    missing, failures = _missing(batches, folder), 0
    total, waiting = sum(len(batch.wanted) for batch in batches), sum(len(batch.wanted) for batch in missing)
    with tqdm(total=total, initial=total - waiting, desc="growing", unit="picture", disable=not progress) as bar:
        while missing:
            with contextlib.suppress(BrokenProcessPool), _workers(jobs, dask):
                for batch, grown in _side_by_side(missing):
                    write_bytes(batch.file(folder), _packed(grown))
                    bar.update(len(batch.wanted))
            left = _missing(batches, folder)
            failures = failures + 1 if len(left) == len(missing) else 0
            if failures == 2:
                raise RuntimeError(
                    "the processes that grow pictures are killed again and again: is there memory for --jobs of them?"
                )
            missing = left


def _missing(batches: Sequence[Batch], folder: Path) -> list[Batch]:
    """What is still to be grown, some of every layer in turn, so that the time left can be told from the beginning."""
    counts = {layer: sum(batch.layer == layer for batch in batches) for layer in {batch.layer for batch in batches}}
    places = {layer: iter(range(count)) for layer, count in counts.items()}
    order = sorted(batches, key=lambda batch: (next(places[batch.layer]) + 0.5) / counts[batch.layer])
    return [batch for batch in order if not batch.file(folder).is_file()]


def _side_by_side(batches: Sequence[Batch]) -> Iterator[tuple[Batch, Grown]]:
    """Batches and what is grown for them, as they are done."""
    parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
    return parallel(joblib.delayed(_kept)(batch) for batch in batches)


def _kept(batch: Batch) -> tuple[Batch, Grown]:
    return batch, grow(batch)


@contextlib.contextmanager
def _workers(jobs: int, address: str | None) -> Iterator[None]:
    """Inside the `with`, joblib gives work to `jobs` processes, or to those of a Dask cluster."""
    if address is None:
        with joblib.parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):
            yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError("--dask needs Dask: pip install distributed brings it") from error
    with Client(address, timeout="15s", set_as_default=False) as client:
        how: dict[str, Any] = {"client": client}
        with joblib.parallel_config("dask", **how):
            yield


def _packed(grown: Grown) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **grown._asdict())
    return buffer.getvalue()


def read_grown(batches: Sequence[Batch], folder: Path) -> Grown:
    """What `grow_all` has kept of these batches, one behind the other."""
    parts = []
    for batch in batches:
        with np.load(batch.file(folder)) as kept:
            parts.append([kept[name] for name in Grown._fields])
    return Grown(*(np.concatenate(column) for column in zip(*parts, strict=True)))
