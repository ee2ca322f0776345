"""Building a store: grow what is missing, look at photos, write pictures and numbers."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from days.common.categories import imagenet_categories
from days.common.checks import check_integer
from days.common.frameworks import framework_of
from days.common.paths import write_bytes
from days.day20.code.parameterization import STANDARD
from days.microscope import growing, looking, store, wiring
from days.microscope.growing import Batch
from days.microscope.photos import PROBES, Gallery, gallery
from days.microscope.source import Source, network_key, subject_from
from days.microscope.store import KEPT_QUALITY, QUALITY
from days.microscope.walls import GROWN_SIDE, Wall, is_squeezenet, walls_of
from days.xray.examination import tracked
from days.xray.subject import Subject

CELL, STEPS = 64, 64
SAYS = (
    "A grown picture shows what raises the mean of a channel's map before its ReLU, in one ascent from faint noise. "
    "Another ascent may show something else that excites the channel. The first layer is linear in the pixels, so that "
    "its mean tells little but the mean color: there, the mean after the ReLU and a tenth of that before it is raised.",
    "The crops are the best of these photos only. Their responses are the same means as that of the grown picture.",
    "The inputs are read off the weights alone: they do not say how often such an input is active.",
    "A vote says how much a category's score rises with the mean of the channel's map, not how large that mean is.",
    "A channel is switched off by setting its map to 0 everywhere, on these few photos. This does not show what a "
    "network would do that was trained without the channel.",
)
LOOK = 1
"""Goes up when channels are looked at otherwise, so that older numbers are not taken for today's."""


class Settings(NamedTuple):
    """What is built. images : a folder of photos, or None for those that ship. layers : all without. every : each so
    many channels. cell : pixels a side of a picture as it is shown. steps : of ascent."""

    images: str | None = None
    layers: tuple[str, ...] | None = None
    every: int = 1
    cell: int = CELL
    steps: int = STEPS


class Pictures(NamedTuple):
    """A wall's pictures: the sheet's bytes, the channels' responses to them, and the channels that never moved."""

    sheet: bytes
    responses: list[float]
    dead: list[int]


@dataclass(frozen=True)
class Build:
    """All that is known before any work is done.

    crop_side : crops have as many pixels a side as the largest pictures that are grown for the network.
    """

    source: Source
    subject: Subject
    walls: list[Wall]
    photos: Gallery
    batches: dict[str, list[Batch]]
    settings: Settings
    crop_side: int

    @cached_property
    def looked(self) -> str:
        """A text that is the same where channels were looked at on the same photos in the same way."""
        told = LOOK, self.photos.key, PROBES, self.crop_side, network_key(self.subject)
        return _short(told)

    def grown(self, wall: Wall) -> str:
        """A text that is the same where a wall's pictures are the same."""
        return _short([batch.key for batch in self.batches[wall.name]])

    @property
    def key(self) -> str:
        """A text that is the same where all is the same."""
        return _short(([self.grown(wall) for wall in self.walls], self.looked))


def _short(told: object) -> str:
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def plan(source: Source, settings: Settings) -> Build:
    """Make the network, read the photos, and say what there is to do. Raises ValueError for what cannot be built."""
    check_integer(settings.steps, 1, "steps")
    subject = subject_from(source)
    walls = walls_of(subject, settings.layers, every=settings.every, least=settings.cell)
    how: dict[str, Any] = {"cell": settings.cell, "steps": settings.steps}
    key = network_key(subject)
    batches = {wall.name: growing.batches_of(source, key, wall, **how) for wall in walls}
    crop_side = subject.bound or max(GROWN_SIDE, settings.cell, *(wall.side for wall in walls))
    return Build(source, subject, walls, gallery(settings.images, crop_side), batches, settings, crop_side)


def build(
    planned: Build, folder: Path, *, jobs: int = 1, dask: str | None = None, progress: bool = True
) -> dict[str, list[str]]:
    """Bring the store in `folder` up to date; what the course's own store holds already is taken from there.

    Pictures that are grown are kept beside it, in work/, until the store is whole: the same call goes on where it was
    stopped. Returns {what was done: names of layers}. Raises as `grow_all`, and OSError where nothing can be written.
    """
    if _is_whole(planned, folder):
        return {}
    work, track = folder.parent / "work", tracked(shown=progress)
    folder.mkdir(parents=True, exist_ok=True)
    ready = {wall.name: found for wall in planned.walls if (found := _known(planned, wall, folder))}
    missing = [wall for wall in planned.walls if wall.name not in ready]
    batches = [batch for wall in missing for batch in planned.batches[wall.name]]
    growing.grow_all(batches, work, jobs=jobs, dask=dask, progress=progress and bool(batches))
    for wall in missing:
        ready[wall.name] = {}, _pictures(planned, wall, work, KEPT_QUALITY if folder == store.STORE else QUALITY)
    unseen = [wall for wall in planned.walls if ready[wall.name][0].get("seen") != planned.looked]
    seen = _looked_at(planned, unseen, track) if unseen else {}
    for wall in planned.walls:
        known, pictures = ready[wall.name]
        _write_wall(planned, wall, folder, pictures, seen.get(wall.name, known))
    _write_about(planned, folder)
    for batch in batches:
        batch.file(work).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # it may hold what another run has grown
        work.rmdir()
    return {"grown": [wall.name for wall in missing], "looked at": [wall.name for wall in unseen]}


def _is_whole(planned: Build, folder: Path) -> bool:
    """Whether the store in `folder` holds all that is wanted."""
    with contextlib.suppress(OSError, ValueError):
        about = store.read_about(folder)
        files = [folder / layer[part] for layer in about["layers"] for part in ("sheet", "data")]
        return about.get("key") == planned.key and all(file.is_file() for file in files)
    return False


def _known(planned: Build, wall: Wall, folder: Path) -> tuple[dict, Pictures] | None:
    """What is stored of a wall, here or in the course's own store, if its pictures are those that are wanted."""
    for place in (folder, store.STORE):
        with contextlib.suppress(OSError, ValueError):
            data = store.read_layer(place, wall.name)
            sheet = (place / f"{store.stem(wall.name)}.webp").read_bytes()
            if data.get("grown") == planned.grown(wall):
                return data, Pictures(sheet, data["response"], data["dead"])
    return None


def _pictures(planned: Build, wall: Wall, work: Path, quality: int) -> Pictures:
    grown = growing.read_grown(planned.batches[wall.name], work)
    dead = [index for index, moved in zip(wall.shown, grown.moved, strict=True) if not moved]
    return Pictures(store.sheet(grown.cells, quality), [store.significant(value) for value in grown.responses], dead)


def _looked_at(planned: Build, walls: Sequence[Wall], track) -> dict[str, dict]:
    """{wall: what its channels do on photos and what their weights say}."""
    subject, photos = planned.subject, planned.photos
    found = looking.responses_to_crops(subject, walls, photos, planned.crop_side, track)
    probes, seen = looking.probes_of(subject, photos), {}
    for wall in track(walls, "looking"):
        seen[wall.name] = {
            "crops": looking.best_crops(found, wall, list(photos.images)),
            **_wiring(subject, wall),
            "votes": wiring.votes(subject, wall, probes),
            "silenced": looking.silenced(subject, wall, probes),
        }
    return seen


def _wiring(subject: Subject, wall: Wall) -> dict:
    if not wall.first:
        return {"inputs": wiring.strongest_inputs(subject, wall)}
    filters = wiring.color_filters(subject, wall)
    numbers = [[store.significant(value, 3) for value in row] for row in filters.reshape(len(filters), -1)]
    return {"filter": numbers, "filter_shape": list(filters.shape[1:])}


def _write_wall(planned: Build, wall: Wall, folder: Path, pictures: Pictures, seen: dict) -> None:
    name = store.stem(wall.name)
    write_bytes(folder / f"{name}.webp", pictures.sheet)
    own = {"response": pictures.responses, "dead": pictures.dead}
    keys = {"grown": planned.grown(wall), "seen": planned.looked}
    store.write_json(folder / f"{name}.json", {**seen, **own, **keys})


def _write_about(planned: Build, folder: Path) -> None:
    """The store's first page; a learner's photos go beside it."""
    subject, photos, names = planned.subject, planned.photos, list(planned.photos.images)
    probes = looking.probes_of(subject, photos)
    known = subject.categories == imagenet_categories()
    about = {
        "network": "SqueezeNet 1.1" if is_squeezenet(subject) else subject.name,
        "framework": framework_of(subject.network),
        "live": planned.source == Source(),
        "input_size": subject.size,
        "every": planned.settings.every,
        "layers": [_about_wall(planned, wall) for wall in planned.walls],
        "categories": None if known else [subject.called(index) for index in range(probes.scores.shape[1])],
        "photos": [{"name": name, "file": _photo_file(planned, folder, name)} for name in names],
        "probes": [
            {"photo": names.index(name), "category": int(category), "before": store.significant(sure)}
            for name, category, sure in zip(probes.names, probes.said, probes.sure, strict=True)
        ],
        "grown": {
            "sizes": {wall.name: wall.side for wall in planned.walls},
            "steps": planned.settings.steps,
            "parameterization": "fourier, decorrelated colors",
            "transforms": ", ".join(map(repr, STANDARD)),
            "learning_rate": growing.LEARNING_RATE,
            "seed": growing.SEED,
        },
        "says": [*SAYS, *photos.says],
        "key": planned.key,
    }
    store.write_json(folder / "about.json", about)


def _photo_file(planned: Build, folder: Path, name: str) -> str | None:
    """Where a learner's photo is kept in the store; None for one that ships with a package."""
    if planned.photos.bundled:
        return None
    file = f"photos/{list(planned.photos.images).index(name):02d}.jpg"
    (folder / "photos").mkdir(exist_ok=True)
    store.write_photo(folder / file, planned.photos.images[name])
    return file


def _about_wall(planned: Build, wall: Wall) -> dict:
    name, (cell, every) = store.stem(wall.name), (planned.settings.cell, planned.settings.every)
    some = "" if every == 1 else f"; one channel in {every}"
    return {
        "name": wall.name,
        "channels": wall.channels,
        "cell": cell,
        "columns": store.COLUMNS,
        "sheet": f"{name}.webp",
        "data": f"{name}.json",
        "caption": f"grown with {wall.side} pixels a side, shown with {cell}{some}",
    }
