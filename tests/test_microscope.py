"""The microscope: pictures that depend on nothing but what is asked, and numbers that a plain computation gives."""

from __future__ import annotations

import importlib.util
import os
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib.externals.loky import get_reusable_executor
from PIL import Image

from days.common.images import IMAGE_NAMES, load_image
from days.common.models import softmax
from days.common.paths import REPO_ROOT
from days.common.squeezenet import convolution_behind
from days.day17.code.ablation import logits_without
from days.day17.code.backends import capture, filters
from days.day20.code import evidence
from days.microscope import __main__, building, growing, looking, store, walls, wiring
from days.microscope.backends import microscope_backend
from days.microscope.building import Settings
from days.microscope.photos import gallery
from days.microscope.source import Source, model_from, network_key, subject_from

QUICK = {"cell": 64, "steps": 3}


def only(wall: walls.Wall, channels) -> walls.Wall:
    """A wall on which some channels are shown, of one on which all are."""
    return wall._replace(shown=tuple(channels), wanted=tuple(wall.wanted[index] for index in channels))


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    """Processes that grow pictures import `microscope_networks`."""
    paths = str(REPO_ROOT), str(REPO_ROOT / "tests"), os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


TINY, BRANCHING, KERAS, UNSEEDED = (
    Source(f"microscope_networks:{name}", mean=(0.5,), std=(0.5,))
    for name in ("tiny", "Branching", "keras_tiny", "unseeded")
)


@pytest.fixture
def folder(tmp_path):
    """Three photos."""
    place = tmp_path / "photos"
    place.mkdir()
    for name in IMAGE_NAMES[:3]:
        Image.fromarray((load_image(name, size=96) * 255).astype(np.uint8)).save(place / f"{name}.png")
    return place


def batches(source: Source = TINY, **how) -> list[growing.Batch]:
    subject = subject_from(source)
    return [
        batch
        for wall in walls.walls_of(subject)
        for batch in growing.batches_of(source, network_key(subject), wall, **QUICK | how)
    ]


def grown_in(folder: Path, wanted, **how) -> dict[str, bytes]:
    """{file: pixels} of what is grown, by any way of growing."""
    growing.grow_all(wanted, folder, progress=False, **how)
    return {batch.file(folder).name: growing.read_grown([batch], folder).cells.tobytes() for batch in wanted}


# ------------------------------------------------------------ growing


def test_stopped_and_resumed_it_grows_the_same_pixels(tmp_path, monkeypatch):
    wanted, usual, calls = batches(), growing.grow, []

    def stopped(batch):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(batch)
        return usual(batch)

    whole = grown_in(tmp_path / "whole", wanted)
    monkeypatch.setattr(growing, "grow", stopped)
    with pytest.raises(KeyboardInterrupt):
        grown_in(tmp_path / "stopped", wanted)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "stopped").iterdir()}
    assert len(kept) == 2 < len(wanted)
    monkeypatch.setattr(growing, "grow", usual)
    assert grown_in(tmp_path / "stopped", wanted) == whole
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())


@pytest.mark.skipif(not importlib.util.find_spec("distributed"), reason="Dask is not installed")
def test_a_dask_cluster_grows_the_same_pixels(tmp_path):
    from distributed import LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(**options) as cluster:
        found = grown_in(tmp_path / "dask", batches(), dask=cluster.scheduler_address)
    assert found == grown_in(tmp_path / "one", batches())


@pytest.fixture
def new_processes():
    """joblib keeps its processes for later calls; those of before do not know this test's environment."""
    get_reusable_executor().shutdown(wait=True)
    yield
    get_reusable_executor().shutdown(wait=True)


@pytest.mark.usefixtures("new_processes")
def test_two_processes_of_which_one_is_killed_grow_the_same_pixels_as_one(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROSCOPE_MARK", str(tmp_path / "mark"))
    monkeypatch.setenv("MICROSCOPE_PID", str(os.getpid()))
    found = grown_in(tmp_path / "killed", batches(TINY._replace(factory="microscope_networks:deadly")), jobs=2)
    assert (tmp_path / "mark").exists()
    assert found == grown_in(tmp_path / "whole", batches())


def test_processes_that_die_without_end_are_given_up(tmp_path, monkeypatch):
    calls = []

    def dies(waiting):
        calls.append(waiting)
        if len(calls) == 1:
            yield waiting[0], growing.grow(waiting[0])
        raise BrokenProcessPool

    monkeypatch.setattr(growing, "_side_by_side", dies)
    with pytest.raises(RuntimeError, match="killed again and again"):
        grown_in(tmp_path / "killed", batches())
    assert [len(waiting) for waiting in calls] == [4, 3, 3]


def test_a_factory_that_gives_another_network_each_time_is_refused():
    (batch, *_) = batches(UNSEEDED)
    with pytest.raises(ValueError, match="gives another network each time"):
        growing.grow(batch._replace(network="that of another process"))


def test_pictures_excite_their_channels_and_flat_ones_are_dead():
    (first, *_) = batches(steps=40)
    grown, start = growing.grow(first), growing.grow(first._replace(steps=1))
    assert len(grown.cells) == 6
    assert (grown.responses > start.responses + 0.1 * np.abs(start.responses)).all()
    assert grown.moved.all()
    zero = 0.0 * first.wanted[0]
    dead = growing.grow(first._replace(wanted=(zero, first.wanted[1])))
    assert dead.moved.tolist() == [False, True]
    assert (dead.cells[0] == 128).all()
    assert np.ptp(dead.cells[1]) > 0


def test_a_sheet_reads_back(tmp_path):
    cells = np.random.default_rng(0).integers(0, 256, (37, 1, 1, 3)).repeat(8, 1).repeat(8, 2).astype(np.uint8)
    (tmp_path / "a.webp").write_bytes(store.sheet(cells))
    found = store.read_sheet(tmp_path / "a.webp", 8, 37)
    assert found.shape == cells.shape
    middle = (slice(None), slice(2, 6), slice(2, 6))
    assert np.abs(found[middle].astype(int) - cells[middle]).mean() < 12


# ------------------------------------------------------------ what the numbers say


@pytest.fixture(scope="module")
def course():
    """The course's SqueezeNet, its walls, and the bundled photos."""
    subject = subject_from(Source())
    return subject, {wall.name: wall for wall in walls.walls_of(subject)}, gallery(None, 96)


def test_squeezenet_has_nine_walls_of_2624_channels(course):
    _, found, _ = course
    assert list(found) == ["conv1", *(f"fire{number}" for number in range(2, 10))]
    assert sum(len(wall.wanted) for wall in found.values()) == 2624
    for wall in list(found.values())[1:]:
        for index in (0, 63, len(wall.wanted) - 1):
            (term,) = wall.wanted[index].terms
            assert (term.layer, term.channel) == convolution_behind(wall.name, index)
    assert found["fire9"].reads == "fire8"
    assert [wall.side for wall in found.values()] == sorted(wall.side for wall in found.values())


@pytest.mark.parametrize(("layer", "channels"), [("conv1", (3, 40)), ("fire5", (7, 200)), ("fire9", (426, 64))])
def test_a_silenced_channel_is_the_full_run_without_it(course, squeezenet, layer, channels):
    """The truth is Day 17's, which runs the whole network."""
    subject, found, photos = course
    probes = looking.probes_of(subject, photos)
    images = [load_image(name, size=224) for name in IMAGE_NAMES]
    before = logits_without(squeezenet, layer, [], images)
    maps, rest = microscope_backend(subject.network).behind(subject.network, layer, probes.batch)
    np.testing.assert_allclose(rest(maps), before, rtol=1e-4, atol=1e-4)
    for channel, told in zip(channels, looking.silenced(subject, only(found[layer], channels), probes), strict=True):
        after = logits_without(squeezenet, layer, channel, images)
        for place, row in enumerate(told):
            said = before[place].argmax()
            wanted = [softmax(after[place])[said], (after - before)[place, said]]
            wanted += [after[place].argmax() if after[place].argmax() != said else -1]
            row = row or [softmax(before[place])[said], 0, -1]
            np.testing.assert_allclose(row, wanted, atol=2e-3)


def test_nothing_changes_where_a_channel_is_silent(course):
    subject, found, photos = course
    probes = looking.probes_of(subject, photos)
    maps = capture(subject.network, "fire9", probes.batch)["fire9"]
    dark = np.argwhere(~maps.any(axis=(2, 3)))
    photo, channel = dark[len(dark) // 2].tolist()
    assert looking.silenced(subject, only(found["fire9"], [channel]), probes)[0][photo] == 0


@pytest.mark.parametrize("channel", [64, 426])
def test_the_votes_of_fire9_are_exact_before_conv10s_relu(course, channel):
    """What a channel adds to the mean of a category's map, by running the network with and without it."""
    subject, found, photos = course
    probes = looking.probes_of(subject, photos)
    ((liked, disliked),) = wiring.votes(subject, only(found["fire9"], [channel]), probes)
    network, last = subject.network, subject.network.conv10
    maps = torch.from_numpy(capture(network, "fire9", probes.batch)["fire9"])
    without = maps.clone()
    without[:, channel] = 0
    with torch.no_grad():
        change = (last(maps) - last(without)).mean(dim=(2, 3)).numpy()
    mean = maps[:, channel].mean(dim=(1, 2)).numpy()
    for category, weight in liked + disliked:
        np.testing.assert_allclose(change[:, category], weight * mean, rtol=6e-3, atol=1e-4)
    weights = filters(network, "conv10")[:, channel, 0, 0]
    assert [category for category, _ in liked] == np.argsort(-weights)[:5].tolist()
    assert [category for category, _ in disliked] == np.argsort(weights)[:5].tolist()


def test_votes_elsewhere_are_measured_and_none_where_they_are_not_exact():
    subject = subject_from(TINY)
    photos = gallery(None, 96)
    probes = looking.probes_of(subject, photos)
    *early, last = walls.walls_of(subject)
    weights = subject.network[-1].weight.detach().numpy()
    np.testing.assert_allclose(wiring.linear_votes(subject, last, probes), weights.T, rtol=1e-3, atol=1e-4)
    assert [wiring.votes(subject, wall, probes) for wall in early] == [None, None]


def test_inputs_are_the_product_of_expand_and_squeeze(course):
    """Held against the two convolutions run one behind the other, without a ReLU between them."""
    subject, found, _ = course
    (row,) = wiring.strongest_inputs(subject, only(found["fire5"], [200]))
    module, single = subject.network.fire5, torch.zeros(256, 256, 5, 5)
    single[range(256), range(256), 2, 2] = 1
    with torch.no_grad():
        squeezed = torch.nn.functional.conv2d(single, module.squeeze.weight)
        answers = torch.nn.functional.conv2d(squeezed, module.expand3x3.weight, padding=1)[:, 200 - 128].numpy()
    strength = np.sqrt((answers**2).sum(axis=(1, 2)))
    assert [channel for _, channel, _ in row] == np.argsort(-strength)[:6].tolist()
    for layer, channel, weight in row:
        assert layer == "fire4"
        np.testing.assert_allclose(weight, np.copysign(strength[channel], answers[channel].sum()), rtol=6e-3)


def test_filters_of_the_first_layer_are_in_the_colors_of_the_screen(course):
    """A picture's answer, computed from the filter alone, is the network's: preprocessing and color order are in it."""
    subject, found, _ = course
    shown = wiring.color_filters(subject, found["conv1"])
    image, flat = load_image("coffee", size=224)[:3, :3], np.zeros((3, 3, 3), np.float32)
    answers = [
        capture(subject.network, "conv1", subject.batch(one[None]))["conv1"][0, :, 0, 0] for one in (image, flat)
    ]
    np.testing.assert_allclose(np.einsum("nhwc,hwc->n", shown, image), answers[0] - answers[1], rtol=1e-3, atol=1e-2)


def test_crops_are_the_best_and_where_they_are_said_to_be(course):
    subject, found, photos = course
    few = type(photos)({name: photos.images[name] for name in ("coffee", "rocket")}, ("coffee",), (), "few", True)
    wall = only(found["fire7"], [40])
    seen = looking.responses_to_crops(subject, [wall], few, 96)
    (rows,) = looking.best_crops(seen, wall, list(few.images))
    assert rows[0][5] == store.significant(seen.responses["fire7"].max())
    assert [row[5] for row in rows] == sorted((row[5] for row in rows), reverse=True)
    again = answer_to(subject, wall, few.images[("coffee", "rocket")[rows[0][0]]], rows[0])
    np.testing.assert_allclose(again, rows[0][5], rtol=0.1)


def answer_to(subject, wall: walls.Wall, photo: np.ndarray, row: list) -> float:
    """What a wall's first channel answers to a crop that is cut out of the photo where `row` says."""
    _, left, top, width, height, _ = row
    rows, columns = photo.shape[:2]
    box = [round(share) for share in (top * rows, (top + height) * rows, left * columns, (left + width) * columns)]
    part = load_image(photo[box[0] : box[1], box[2] : box[3]], size=96)
    return float(evidence.responses(model_from(subject), wall.wanted[:1], [part])[0, 0])


# ------------------------------------------------------------ other networks, folders, and what cannot be done


def is_gray(cell: np.ndarray) -> bool:
    """Whether a stored picture is flat gray, but for what WebP lets into it from its neighbors."""
    return bool(np.abs(cell[4:-4, 4:-4].astype(int) - 128).max() < 12)


def build(source: Source, folder: Path, **how) -> Path:
    building.build(building.plan(source, Settings(steps=2, **how)), folder / "store", progress=False)
    return folder / "store"


@pytest.mark.parametrize("source", [TINY, BRANCHING, KERAS], ids=["torch", "branching", "keras"])
def test_any_network_gets_its_store(source, folder, tmp_path):
    if source is KERAS:
        pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    made = build(source, tmp_path / "out", images=str(folder))
    about = store.read_about(made)
    assert not about["live"]
    assert about["photos"][0] == {"name": "chelsea.png", "file": "photos/00.jpg"}
    assert store.photo(made, 0).shape == (384, 384, 3)
    subject = subject_from(source)
    for layer in about["layers"]:
        data = store.read_layer(made, layer["name"])
        lists = [data[key] for key in ("response", "crops", "silenced")] + [data.get("inputs") or data["filter"]]
        assert {len(one) for one in lists} == {layer["channels"]}
        cells = store.read_sheet(made / layer["sheet"], layer["cell"], layer["channels"])
        assert len(cells) == layer["channels"]
        assert all(is_gray(cells[channel]) for channel in data["dead"])
    (last,) = store.read_layer(made, about["layers"][-1]["name"])["votes"][:1]
    assert len(last) == 2
    assert len(subject.network.layers if source is KERAS else list(subject.network.modules())) > 4
    assert not (tmp_path / "out/work").exists()


def test_a_branching_network_is_silenced_by_running_all_of_it():
    subject = subject_from(BRANCHING)
    wall = next(wall for wall in walls.walls_of(subject) if wall.name == "parts.3")
    probes = looking.probes_of(subject, gallery(None, 96))
    maps, rest = microscope_backend(subject.network).behind(subject.network, wall.watch, probes.batch)
    without = maps.copy()
    without[:, 7] = 0
    with torch.no_grad():
        first = subject.network.parts[:3](probes.batch)
        kept = torch.from_numpy(without) + subject.network.around(first)
        wanted = subject.network.parts[5:](kept.relu()).numpy()
    np.testing.assert_allclose(rest(without), wanted, rtol=1e-4, atol=1e-5)


def test_what_is_there_is_not_done_again(folder, tmp_path, monkeypatch):
    made = build(TINY, tmp_path, images=str(folder))
    before = {path: path.read_bytes() for path in made.iterdir() if path.is_file()}
    monkeypatch.setattr(growing, "grow", None)
    build(TINY, tmp_path, images=str(folder))
    assert {path: path.read_bytes() for path in made.iterdir() if path.is_file()} == before
    (folder / "coffee.png").unlink()
    build(TINY, tmp_path, images=str(folder))
    after = {path: path.read_bytes() for path in made.iterdir() if path.is_file()}
    changed = {path.suffix for path in after if after[path] != before[path]}
    assert changed == {".json"}


def test_every_eighth_channel_is_shown_by_its_own_number(folder, tmp_path):
    made = build(TINY, tmp_path, every=8, images=str(folder))
    about, data = store.read_about(made), store.read_layer(made, "3")
    assert about["every"] == 8
    assert len(data["crops"]) == 3
    whole = build(TINY, tmp_path / "whole", images=str(folder))
    for part in ("crops", "silenced", "inputs"):
        assert data[part] == store.read_layer(whole, "3")[part][::8]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--images", "nowhere"], "no folder 'nowhere'"),
        (["--network", "nowhere:factory"], "cannot import 'nowhere'"),
        (["--network", "microscope_networks"], "expected package.module:callable"),
        (["--network", "microscope_networks:tiny", "--weights", "none.pt"], "none.pt"),
        (["--layers", "fire99"], "no layer 'fire99'"),
        (["--every", "0"], "expected every as a whole number of at least 1, got 0"),
        (["--steps", "0"], "expected steps as a whole number of at least 1, got 0"),
        (["--jobs", "0", "--layers", "conv1", "--quick"], "expected jobs as a whole number of at least 1, got 0"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, words, tmp_path, capsys):
    assert __main__.main([*arguments, "--output", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_an_interrupted_run_says_that_it_goes_on(tmp_path, capsys, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(growing, "grow_all", interrupted)
    assert __main__.main(["--layers", "conv1", "--every", "2", "--output", str(tmp_path)]) == 130
    assert "the same command goes on there" in capsys.readouterr().err


# ------------------------------------------------------------ the course's own store


def test_the_stored_walls_are_whole_and_small():
    files = [path for path in store.STORE.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 4 * 2**20
    about = store.read_about(store.STORE)
    assert about["live"]
    assert sum(layer["channels"] for layer in about["layers"]) == 2624
    for layer in about["layers"]:
        data = store.read_layer(store.STORE, layer["name"])
        assert len(data["response"]) == len(data["crops"]) == len(data["silenced"]) == layer["channels"]
        cells = store.read_sheet(store.STORE / layer["sheet"], layer["cell"], layer["channels"])
        assert {index for index, cell in enumerate(cells) if is_gray(cell)} == set(data["dead"])


def test_the_stored_walls_are_those_that_todays_code_would_make():
    planned = building.plan(Source(), Settings())
    assert store.read_about(store.STORE)["key"] == planned.key


@pytest.mark.parametrize("layer", ["conv1", "fire3", "fire6", "fire9"])
def test_stored_numbers_are_those_of_a_plain_computation(course, layer):
    """For some channels of a wall, anew: crops, inputs or filters, votes, and what silencing does."""
    subject, found, photos = course
    data = store.read_layer(store.STORE, layer)
    some = [5, 41, len(data["crops"]) - 1]
    wall = only(found[layer], some)
    probes = looking.probes_of(subject, photos)
    again = {"silenced": looking.silenced(subject, wall, probes), "votes": wiring.votes(subject, wall, probes)}
    again |= building._wiring(subject, wall)
    for name, values in again.items():
        stored = data[name] and ([data[name][index] for index in some] if name != "filter_shape" else data[name])
        close(stored, values)
    names = [photo["name"] for photo in store.read_about(store.STORE)["photos"]]
    for index in some:
        row = data["crops"][index][0]
        again = answer_to(subject, only(found[layer], [index]), photos.images[names[row[0]]], row)
        np.testing.assert_allclose(again, row[5], rtol=0.15, atol=2)


def close(stored, again) -> None:
    """Nested lists of numbers are alike, to what rounding and another processor change."""
    if isinstance(stored, list):
        assert len(stored) == len(again)
        for one, other in zip(stored, again, strict=True):
            close(one, other)
    elif isinstance(stored, (int, float)) and not isinstance(again, list):
        assert abs(stored - again) <= 2e-3 + 1e-2 * abs(stored)
    else:
        assert stored == again


def test_with_photos_of_ones_own_the_pictures_stay(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(growing, "grow", None)
    planned = building.plan(Source(), Settings(str(folder), ("conv1",)))
    done = building.build(planned, tmp_path / "store", progress=False)
    assert done == {"grown": [], "looked at": ["conv1"]}
    assert (tmp_path / "store/conv1.webp").read_bytes() == (store.STORE / "conv1.webp").read_bytes()
    photos = {row[0] for rows in store.read_layer(tmp_path / "store", "conv1")["crops"] for row in rows}
    assert photos <= {0, 1, 2}
