"""Stored pictures: within their budgets, described, and what today's code draws."""

from __future__ import annotations

import importlib
import os
import re
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from days import figures as rebuilt
from days.common import figures, paths
from days.common.figures import (
    ColorScale,
    color_scale,
    columns_for,
    describe,
    draw_panels,
    new_figure,
    picture_bytes,
    save_figure,
    tile,
)
from days.common.paths import REPO_ROOT

KIB = 1024
BUDGETS = {".png": 150 * KIB, ".jpg": 400 * KIB, ".webp": 400 * KIB, ".gif": 1024 * KIB}
OUTPUTS = sorted(REPO_ROOT.glob("days/day*/outputs/*"))
DAYS = sorted(path.parts[-3] for path in REPO_ROOT.glob("days/day*/code/visualizations.py"))


@pytest.mark.parametrize("path", OUTPUTS, ids=lambda path: f"{path.parts[-3]}-{path.name}")
def test_is_within_its_budget_and_described(path):
    assert path.stat().st_size <= BUDGETS[path.suffix]
    assert len(figures.stored_alt(path)) > 40
    with Image.open(path) as picture:
        assert max(picture.size) <= 1200


@pytest.mark.parametrize("day", DAYS)
def test_a_day_is_within_its_budget(day):
    stored = [path for path in OUTPUTS if path.parts[-3] == day]
    assert stored
    assert sum(path.stat().st_size for path in stored) <= 4 * KIB * KIB


def frames(path: Path) -> np.ndarray:
    """A picture, or an animation, at twelve moments; equal neighbors are stored as one frame that lasts longer."""
    with Image.open(path) as picture:
        shown, lasts = [], []
        for index in range(getattr(picture, "n_frames", 1)):
            picture.seek(index)
            shown.append(np.asarray(picture.convert("RGB").resize((96, 96)), np.float32))
            lasts.append(picture.info.get("duration", 1))
    ends = np.cumsum(lasts)
    return np.stack(shown)[np.searchsorted(ends, (np.arange(12) + 0.5) / 12 * ends[-1])]


# Quick to draw, from every day: `make test` draws these, `make test-all` every picture.
SAMPLE = {
    "day17": ("00_toy.png", "03_strongest_channels.png", "10_one_channel.png"),
    "day18": ("00_shapes.png", "07_six_trainings.png", "11_trained_or_random.png"),
    "day19": ("00_feature_maps.png", "03_gradient_by_hand.png"),
    "day20": ("02_spectrum.png",),
    "day21": ("02_octaves.jpg",),
    "day22": ("01_layers.jpg", "04_pointing.png", "11_explorer.jpg"),
    "day23": ("00_filters.png", "01_three_deaths.png", "03_noise.png"),
    "day24": ("05_explorer.png",),
}


def test_the_sample_holds_pictures_of_every_day():
    assert list(SAMPLE) == DAYS
    assert {(day, name) for day in DAYS for name in SAMPLE[day]} <= {(path.parts[-3], path.name) for path in OUTPUTS}
    assert all(SAMPLE.values())


@lru_cache(maxsize=1)
def thrice(day):
    """What rebuilds each picture of a day, by name, three times over: each from a lesson of its own, computed once."""
    pictures = importlib.import_module(f"days.{day}.code.visualizations").FIGURES
    return pictures.jobs(), pictures.jobs(), pictures.jobs()


@pytest.mark.parametrize("day", DAYS)
def test_every_stored_picture_can_be_rebuilt_and_no_other(day):
    assert sorted(thrice(day)[0]) == sorted(path.name for path in OUTPUTS if path.parts[-3] == day)


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param(
            path,
            id=f"{path.parts[-3]}-{path.name}",
            marks=[] if path.name in SAMPLE.get(path.parts[-3], ()) else [pytest.mark.slow],
        )
        for path in OUTPUTS
    ],
)
def test_a_rebuilt_picture_is_the_stored_one(stored, tmp_path, monkeypatch):
    """From nothing: no visible change against what is stored, and twice the same bytes on one machine.

    What equals the stored picture byte for byte has been built twice; of the sample, and of what has changed, all else
    is built a second time. Hundreds of steps of an ascent enlarge the last digits, which differ between processors. So
    what is far from the stored picture is drawn a third time with other convolution code: the stored picture may be no
    farther away than that one.
    """
    first, second, third = thrice(stored.parts[-3])
    monkeypatch.setenv("SEEING_CNNS_OUTPUTS", str(tmp_path / "first"))
    built = first[stored.name]()
    if built.read_bytes() == stored.read_bytes():
        return
    now, then = frames(built), frames(stored)
    apart = np.abs(now - then).mean()
    if apart >= 4 or stored.name in SAMPLE[stored.parts[-3]]:
        monkeypatch.setenv("SEEING_CNNS_OUTPUTS", str(tmp_path / "second"))
        assert built.read_bytes() == second[stored.name]().read_bytes(), "differs between two runs"
    if apart >= 4:
        monkeypatch.setenv("SEEING_CNNS_OUTPUTS", str(tmp_path / "third"))
        with torch.backends.mkldnn.flags(enabled=False):
            rounded = np.abs(now - frames(third[stored.name]())).mean()
        assert apart < 1.5 * rounded, f"has changed by {apart:.1f}, by rounding {rounded:.1f}: make figures, and look"
    assert figures.stored_alt(built) == figures.stored_alt(stored)


def test_a_day_is_rebuilt_from_one_lesson_in_the_order_of_names(tmp_path, monkeypatch):
    monkeypatch.setenv("SEEING_CNNS_OUTPUTS", str(tmp_path))
    lessons = []

    def draw(lesson):
        lessons.append(lesson)
        return describe(new_figure(1, 1), "An empty square, for this test alone.")

    def store(lesson):
        return save_figure(draw(lesson), paths.outputs_dir(19) / "b.png")

    built = figures.Figures(19, object, {"c.png": draw, "a.png": draw}, {"b.png": store}).rebuild()
    assert [path.name for path in built] == ["a.png", "b.png", "c.png"]
    assert all(path.is_file() for path in built)
    assert len(lessons) == 3
    assert len(set(map(id, lessons))) == 1


def test_color_scales_are_honest():
    assert color_scale([0, 1, 2], clip=100) == ColorScale("viridis", 0, 2)
    assert color_scale([-3, 1], clip=100) == ColorScale("RdBu_r", -3, 3)
    assert color_scale(np.zeros(4)) == ColorScale("viridis", 0, 1)  # dead maps are dark, not noise
    spike = np.zeros(10_000)
    spike[:3] = 5
    assert color_scale(spike).high == 5  # a map with few bright units is not clipped away


def test_a_dead_map_looks_dead():
    maps = np.random.default_rng(0).random((4, 8, 8))
    maps[2] = 0
    picture = figures._render(draw_panels(maps, title="four", labels=[""] * 4, columns=4, alarm=[2]))
    pixels = np.asarray(picture)
    row = pixels[pixels.shape[0] // 3]
    third = row[int(0.55 * len(row)) : int(0.70 * len(row))]
    assert (np.abs(third.astype(int) - [68, 1, 84]).max(axis=1) < 12).mean() > 0.8  # viridis at zero


@pytest.mark.parametrize("count", [1, 2, 3, 7, 32, 64, 100, 512, 1000])
def test_grids_fit_any_number_of_channels(count):
    columns = columns_for(count)
    assert 1 <= columns <= count
    sheet = tile(np.ones((count, 2, 3)), columns, gap=1)
    assert np.nansum(sheet) == count * 6
    if count <= 100:
        assert picture_bytes(draw_panels(np.ones((count, 2, 3)), title=f"{count} panels"))


def test_gaps_are_empty_between_values_and_white_between_colors():
    values, colors = tile(np.zeros((3, 2, 2)), 2), tile(np.full((3, 2, 2, 3), [0, np.nan, 0]), 2)
    for sheet, gap in ((values, np.nan), (colors, 1)):
        assert sheet.shape[:2] == (5, 5)
        for place in (sheet[2], sheet[:, 2], sheet[3:, 3:]):
            np.testing.assert_array_equal(place, np.full(place.shape, gap))
    assert not values[:2, :2].any()
    assert (colors[:2, :2] == [0, 1, 0]).all()


def test_two_bars_stand_side_by_side_over_each_name():
    _, axes = figures.subplots(3, 2)
    figures.paired_bars(
        axes, ["a", "b"], [[1, 2], [3, 4]], [["one", "two"], [3, 4]], ("left", "right"), ("red", "blue")
    )
    assert [bar.get_height() for bar in axes.patches] == [1, 2, 3, 4]
    assert [round(bar.get_x() + bar.get_width() / 2, 6) for bar in axes.patches] == [-0.2, 0.8, 0.2, 1.2]
    assert [text.get_text() for text in axes.texts] == ["one", "two", "3", "4"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["a", "b"]
    assert figures.signed(2) == ColorScale("RdBu_r", -2, 2)


def test_a_figure_must_be_described():
    figure = figures.new_figure(2, 1)
    with pytest.raises(ValueError, match="description"):
        picture_bytes(figure)
    assert "what is seen" in picture_bytes(describe(figure, "what is seen")).decode("latin1")


def test_pictures_carry_their_description(tmp_path):
    for name in ("a.png", "a.jpg"):
        path = figures.save_figure(describe(figures.new_figure(2, 1), "two circles – ü"), tmp_path / name)
        assert figures.stored_alt(path) == "two circles – ü"


def test_an_unwritable_folder_is_one_clear_error_and_loses_nothing(tmp_path, monkeypatch):
    figure = describe(figures.new_figure(2, 1), "anything at all")
    path = tmp_path / "old.png"
    path.write_bytes(b"the old picture")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as context:
        context.setattr(os, "replace", refuse)
        with pytest.raises(
            OSError, match=r"cannot write .*old\.png \(Permission denied\); what was there is untouched"
        ):
            figures.save_figure(figure, path)
    assert path.read_bytes() == b"the old picture"
    assert list(tmp_path.iterdir()) == [path]  # and no litter
    below_a_file = tmp_path / "old.png" / "new.png"
    with pytest.raises(OSError, match="SEEING_CNNS_OUTPUTS"):
        figures.save_figure(figure, below_a_file)
    monkeypatch.setenv("SEEING_CNNS_OUTPUTS", str(path))
    with pytest.raises(OSError, match="SEEING_CNNS_OUTPUTS"):
        paths.outputs_dir(17)


def test_a_missing_stored_figure_names_the_way_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="make figures"):
        figures.show_stored(tmp_path / "none.png")


def test_odd_requests_for_pictures(tmp_path):
    figure = describe(figures.new_figure(2, 1), "anything at all")
    for name in ("a.gif", "a.svg", "a"):
        with pytest.raises(ValueError, match=r"\.png"):
            figures.save_figure(figure, tmp_path / name)
    for frames_, alt in (([], "x"), ([figure], ""), ([figure, figures.new_figure(3, 1)], "x")):
        with pytest.raises(ValueError, match="one size"):
            figures.save_gif(frames_, tmp_path / "a.gif", alt)
    with pytest.raises(ValueError, match="expected panels"):
        draw_panels(np.zeros((0, 3, 3)), title="none")
    assert color_scale([1, np.nan, np.inf], clip=100).high == 1
    (tmp_path / "cut.png").write_bytes(b"\x89PNG")
    with pytest.raises(ValueError, match="make figures"):
        figures.show_stored(tmp_path / "cut.png")


def test_an_interrupted_write_leaves_no_litter(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        paths.write_bytes(tmp_path / "file", b"data")
    assert not list(tmp_path.iterdir())


def test_the_table_of_changes_names_what_has_changed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEEING_CNNS_OUTPUTS", str(tmp_path))
    pictures = iter([0.0, 0.0, 1.0])

    def draw():
        figure = describe(new_figure(1, 1), "A square of one gray, for this test alone.")
        figure.add_subplot().imshow(np.full((2, 2), next(pictures)), vmin=0, vmax=1)
        return save_figure(figure, paths.outputs_dir(19) / "square.png")

    module = importlib.import_module("days.day19.code.visualizations")
    monkeypatch.setattr(module, "FIGURES", SimpleNamespace(jobs=lambda: {"square.png": draw}))
    said = []
    for _ in range(3):
        assert rebuilt.main(["19"]) == 0
        said.append(capsys.readouterr().out)
    assert re.search(r"day19/square.png +new\n0 of 1", said[0])
    assert said[1] == "1 of 1 pictures are the same.\n"
    assert re.search(r"day19/square.png +mean difference \d", said[2])
    with pytest.raises(SystemExit):
        rebuilt.main(["16"])
    assert "no pictures of day 16; there are 17, 18" in capsys.readouterr().err
