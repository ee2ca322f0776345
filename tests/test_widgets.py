"""Widgets without a browser: controls move the picture, errors are seen, own photos come and go."""

from __future__ import annotations

import asyncio
import io

import ipywidgets
import numpy as np
import pytest
from PIL import Image
from widget_tools import pixels, upload

from days.common import widgets
from days.common.figures import ColorScale
from days.common.images import IMAGE_NAMES
from days.common.live import curves, live_picture, panel
from days.common.widgets import Explorer, Frame, GrowingPicture, PhotoChoice


def gray(number, top=100):
    """A live picture of one gray."""
    return live_picture("gray", [panel("", np.full((4, 4, 3), number / top))], f"number {number}")


# ------------------------------------------------------------ explorers


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_the_channel_explorer_follows_its_controls(framework, request):
    from days.day17.code.explorer import channel_explorer

    explorer = channel_explorer(request.getfixturevalue("squeezenet" if framework == "torch" else "keras_squeezenet"))
    photo, layer, channel = explorer.controls.values()
    picture, caption = explorer.picture, explorer.caption
    assert "chelsea, fire9, channel 426: mean 57.6, place 1 of 512" in caption.value
    assert picture.tooltip in caption.value  # the picture's title, by which a screen reader knows it
    before = picture.value
    layer.value = "conv1_activation"
    assert channel.max == 63
    assert channel.value <= 63
    channel.value = 47
    assert "channel 47: mean 81.4, place 1 of 64" in caption.value
    assert picture.value != before
    before = picture.value
    photo.value = "coffee"
    assert "coffee, conv1_activation, channel 47" in caption.value
    assert picture.value != before
    layer.value = "fire4"
    assert channel.max == 255


def test_an_error_is_shown_and_the_last_picture_stays():
    def draw(number):
        if number > 1:
            raise ValueError("<no> such number")
        return gray(number)

    slider = ipywidgets.IntSlider(1, 0, 3)
    explorer = Explorer({"number": slider}, draw)
    before = explorer.picture.value
    slider.value = 2
    assert "ValueError: &lt;no&gt; such number" in explorer.caption.value
    assert explorer.picture.value == before
    slider.value = 0
    assert "number 0" in explorer.caption.value


def test_in_a_kernel_only_the_newest_wish_is_drawn():
    drawn = []
    slider = ipywidgets.IntSlider(0, 0, 99, description="number")

    async def turn():
        explorer = Explorer({"number": slider}, lambda number: drawn.append(number) or gray(number))
        for number in range(1, 20):
            slider.value = number
        await asyncio.sleep(0.1)
        slider.value = 50
        await asyncio.sleep(0.1)
        return explorer

    assert "number 50" in asyncio.run(turn()).caption.value
    assert drawn == [0, 19, 50]


def test_a_number_box_and_its_slider_are_one():
    slider = ipywidgets.IntSlider(400, 0, 511, description="channel")
    row = Frame({"channel": slider}).children[0].children[1]
    number, shown = row.children
    assert shown is slider
    assert (number.description, number.value, number.max) == ("channel", 400, 511)
    number.value = 401
    assert slider.value == 401
    slider.value = 402
    assert number.value == 402
    slider.max = 63
    assert (number.max, number.value, slider.value) == (63, 63, 63)


def test_a_widget_that_has_not_run_reads_as_a_sentence_and_shows_no_broken_picture():
    frame = Frame({"layer": ipywidgets.Dropdown(options=["conv1"])})
    stored = frame._repr_mimebundle_()["text/plain"]
    assert stored == "Run this cell to use the widget: layer, a picture that follows."
    assert frame.picture.layout.display == "none"
    frame.show(gray(1))
    assert frame.picture.layout.display is None


# ------------------------------------------------------------ pictures that grow


@pytest.mark.parametrize(
    ("seconds", "drawn"),
    [(0.01, [0, 7, 15, 23, 30, 38, 46, 53, 61, 69, 76, 84, 92]), (0.5, range(100))],
)
def test_a_growing_picture_is_drawn_thirteen_times_a_second_where_its_steps_allow_it(monkeypatch, seconds, drawn):
    clock, seen = iter(np.arange(1, 1000) * seconds), []
    monkeypatch.setattr(widgets, "monotonic", lambda: next(clock))

    def make_steps():
        for step in range(100):
            yield lambda step=step: seen.append(step) or gray(step)

    grower = GrowingPicture({}, make_steps, 100)
    assert grower.picture.layout.display == "none"
    asyncio.run(grower.run())
    assert seen == sorted({*drawn, 99})
    assert grower.bar.value == 99
    assert "number 99" in grower.caption.value


def test_what_was_reached_is_shown_when_it_is_stopped():
    def make_steps():
        for step in range(1000):
            if step == 5:
                grower.stop.click()
            yield lambda step=step: gray(step, 1000)

    grower = GrowingPicture({}, make_steps, 1000)
    asyncio.run(grower.run())
    assert grower.bar.value == 5
    assert "number 5" in grower.caption.value


# ------------------------------------------------------------ own photos


def png(gray_value: int, size=(40, 60)) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((*size, 3), gray_value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def photos():
    return PhotoChoice("coffee", size=64, whole=lambda image: image[:10])


def test_an_own_photo_is_one_more_in_the_list_and_can_be_left_again(photos):
    chosen = []
    photos.observe(lambda change: chosen.append(change.new), "value")
    upload(photos, "mine.png", png(51))
    assert (photos.value, photos.list.value, photos.upload.value) == ("mine.png", "mine.png", ())
    np.testing.assert_allclose(photos.image("mine.png"), np.full((10, 60, 3), 0.2), atol=1e-6)
    photos.list.value = "rocket"
    assert photos.image(photos.value).shape == (64, 64, 3)
    upload(photos, "mine.png", png(102))  # another picture of that name is another entry
    assert photos.value == "mine.png (2)"
    assert photos.image("mine.png (2)").max() == pytest.approx(0.4)
    photos.list.value = "mine.png"
    assert photos.image(photos.value).max() == pytest.approx(0.2)
    assert chosen == ["mine.png", "rocket", "mine.png (2)", "mine.png"]
    assert photos.list.options == (*IMAGE_NAMES, "mine.png", "mine.png (2)")


@pytest.mark.parametrize("content", [b"", b"no picture", png(0)[:60]], ids=["empty", "text", "cut short"])
def test_a_refused_file_is_forgotten_with_one_line(photos, content):
    upload(photos, "<a>.heic", content)
    assert "&lt;a&gt;.heic is not a readable picture" in photos.note.value
    assert photos.note.value.endswith(": it is left out</b>")
    assert (photos.value, photos.upload.value, photos.list.options) == ("coffee", (), IMAGE_NAMES)
    photos.list.value = "china"
    assert photos.value == "china"
    assert not photos.note.value


def test_a_new_photo_asks_for_the_networks_own_answer_and_prints_three(squeezenet):
    from days.day22.code.explorer import attribution_explorer

    explorer = attribution_explorer(squeezenet)
    photos, category = explorer.controls["photo"], explorer.controls["category"]
    photos.list.value = "coffee"
    best = squeezenet.predict(photos.image("coffee"), top=3)
    assert category.value == best[0][0] == "espresso"
    assert ", ".join(f"{name} {share:.0%}" for name, share in best) in explorer.caption.value
    category.value = "cup"
    upload(photos, "gray.png", png(90))
    best = squeezenet.predict(photos.image("gray.png"), top=3)
    assert category.value == best[0][0] != "cup"
    assert f"gray.png, {best[0][0]}, fire9" in explorer.caption.value
    before = explorer.picture.value
    upload(photos, "broken.png", b"")
    assert explorer.picture.value == before
    category.value = "tubby"
    assert "near it: tabby" in explorer.caption.value


# ------------------------------------------------------------ live pictures


def test_a_panel_shows_its_values_on_the_stated_scale():
    values = np.array([[0.0, 1.0], [2.0, np.nan]])
    live = live_picture("", [panel("", values, ColorScale("viridis", 0, 2))], "four cells")
    picture = ipywidgets.Image(value=live.jpeg)
    shown = pixels(picture)
    width = shown.shape[1]
    assert width == 2 * live.width
    below = 44 + 44  # two lines of words
    cells = [shown[below + width // 4, width // 4], shown[below + width // 4, 3 * width // 4]]
    cells += [shown[below + 3 * width // 4, width // 4], shown[below + 3 * width // 4, 3 * width // 4]]
    for found, wanted in zip(cells, [(68, 1, 84), (33, 145, 140), (253, 231, 37), (255, 255, 255)], strict=True):
        np.testing.assert_allclose(found, wanted, atol=6)
    assert b"four cells" in live.jpeg


def test_curves_end_where_their_last_value_lies():
    live = live_picture("", [curves("", {"a": [0, 5, 10]}, end=4)], "half way")
    shown = pixels(ipywidgets.Image(value=live.jpeg))
    blue = (shown[..., 2] - shown[..., 0]) > 80
    across, down = np.flatnonzero(blue.any(axis=0)), np.flatnonzero(blue.any(axis=1))
    left, right = int(0.2 * (shown.shape[1] - 16)), shown.shape[1] - 44
    assert abs(across[0] - left - 8) < 12
    assert abs(across[-1] - (left + right) / 2) < 20
    assert len(down) > 0.8 * shown.shape[0] - 200


@pytest.mark.parametrize(
    "lines", [{"": []}, {"": [3.0]}, {"": [2.0, 2.0]}, {"a": [1, 2, 3], "b": []}, {"": [float(10**9), -1.0]}], ids=str
)
def test_any_curve_can_be_drawn(lines):
    assert live_picture("many words " * 40, [curves("t", lines, log=False)], "a curve").jpeg


def test_a_dead_map_looks_dead_and_one_without_numbers_is_white():
    for values, wanted in ((np.zeros((3, 3)), (68, 1, 84)), (np.full((3, 3), np.nan), (255, 255, 255))):
        live = live_picture("", [panel("", values, ColorScale("viridis", 0, 1))], "dead")
        shown = pixels(ipywidgets.Image(value=live.jpeg))
        np.testing.assert_allclose(shown[300:700, 300:1500], np.broadcast_to(wanted, (400, 1200, 3)), atol=6)
