"""Widgets in JupyterLab in a real browser: nothing outside its cell, nothing nameless, nothing broken."""

from __future__ import annotations

import re

import ipywidgets
import nbformat
import pytest
from accessible import INSIDE
from axe_playwright_python.sync_playwright import Axe
from browser_tools import TOKEN, jupyter_server, launched, new_page, open_notebook, run_all_cells, save
from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import expect
from test_widgets import png

from days.common.figures import describe, new_figure, show
from days.common.widgets import Frame

pytestmark = pytest.mark.browser

SOURCES = [
    """
import ipywidgets, numpy as np
from days.common.live import curves, live_picture, panel
from days.common.widgets import Explorer, GrowingPicture, PhotoChoice

photos = PhotoChoice("coffee", size=64, whole=lambda image: image)
controls = {
    "photo": photos,
    "category": ipywidgets.Combobox(value="cat", options=["cat", "dog"], description="category"),
    "method": ipywidgets.Dropdown(options=["plain", "fancy"], description="method"),
    "layer": ipywidgets.Dropdown(options=["fire8", "fire9"], description="layer"),
    "strength": ipywidgets.FloatSlider(0.8, min=0, max=1, step=0.1, description="strength"),
    "channel": ipywidgets.IntSlider(426, 0, 511, description="channel"),
}

def draw(photo, strength, channel, **rest):
    parts = [panel(photo, photos.image(photo)), curves("a line", {"": [0, channel]})]
    return live_picture("all kinds of controls", parts, f"{photo} at {strength:.1f}, channel {channel}")

Explorer(controls, draw)
""",
    """
def make_steps(channel):
    for step in range(100000):
        yield lambda: live_picture("", [curves("a line", {"": range(step % 100)})], f"step {step}")

GrowingPicture({"channel": ipywidgets.BoundedIntText(1, description="channel")}, make_steps, 100000)
""",
]
UNNAMED = ".noUi-handle"  # ipywidgets gives its sliders no name; the number box beside each has one


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A page on which a notebook with both kinds of widgets has run."""
    folder = tmp_path_factory.mktemp("widgets")
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    cells = [new_code_cell(source.strip()) for source in SOURCES]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, folder / "widgets.ipynb")
    stored = Frame({"channel": ipywidgets.IntSlider()})._repr_mimebundle_()
    cells[0].outputs = [new_output("execute_result", stored, execution_count=1)]
    data, metadata = show(describe(new_figure(3, 1), '2 < 3 & "so on"'))._repr_mimebundle_()
    code = "from days.common.figures import *\n\nshow(describe(new_figure(2, 1), 'drawn on this page'))"
    cells[1] = new_code_cell(code, outputs=[new_output("execute_result", data, metadata=metadata, execution_count=2)])
    nbformat.write(notebook, folder / "stored.ipynb")
    with jupyter_server(folder, tmp_path_factory.mktemp("settings")) as address, launched() as browser:
        page = new_page(browser, viewport={"width": 1400, "height": 1000})
        open_notebook(page, address, "widgets.ipynb")
        run_all_cells(page, len(SOURCES))
        page.get_by_text("coffee at 0.8, channel 426").wait_for()
        yield page


def bring(page, width: int, index: int):
    """The widget of a cell, in a window of that width."""
    page.set_viewport_size({"width": width, "height": 1000})
    widget = page.locator(".jp-OutputArea-output > .jupyter-widgets").nth(index)
    widget.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    return widget


@pytest.mark.parametrize("width", [700, 800, 1067, 1200, 1600])  # 150 % of 1050, 1200 and 1600 pixels among them
def test_every_control_lies_inside_its_cell_and_a_slider_has_a_track(lab, width):
    for index in range(2):
        widget = bring(lab, width, index)
        found = widget.evaluate(INSIDE)
        assert len(found) >= (10, 4)[index], found
        assert all(left >= 0 and right >= 0 for _, left, right in found), found
        for track in widget.locator(".noUi-base").all():
            assert track.bounding_box()["width"] >= 150
        assert widget.evaluate("widget => widget.scrollWidth <= widget.clientWidth")
    words = [button.inner_text() for button in lab.locator(".jupyter-button:visible").all()]
    assert any("own photo" in text for text in words)


def test_a_slider_reaches_each_of_512_channels(lab):
    widget = bring(lab, 1200, 0)
    handle = widget.locator(".noUi-handle").nth(1)
    handle.focus()
    lab.keyboard.press("ArrowRight")
    widget.get_by_text("channel 427").wait_for()
    number = widget.get_by_label("channel", exact=True)
    lab.wait_for_function("() => [...document.querySelectorAll('input[type=number]')].some(box => box.value === '427')")
    number.fill("0")
    number.press("Enter")
    widget.get_by_text("channel 0").wait_for()
    number.press("ArrowUp")
    widget.get_by_text("channel 1").wait_for()
    expect(handle).to_have_attribute("aria-valuenow", "1.0")
    assert widget.locator(".noUi-base").nth(1).bounding_box()["width"] > 512


def test_no_picture_is_broken_and_each_has_words(lab):
    explored, growing = lab.locator("img.explorer-picture"), lab.locator("img.growing-picture")
    expect(explored).to_have_attribute("title", re.compile("^coffee at 0.8"))
    expect(explored).to_have_js_property("naturalWidth", 1920)
    expect(growing).to_be_hidden()
    bring(lab, 1200, 1).get_by_role("button", name="Start").click()
    lab.wait_for_function("() => document.querySelector('img.growing-picture')?.naturalWidth > 500")
    expect(growing).to_be_visible()  # the picture's bytes and its place on the page arrive in two messages
    lab.get_by_role("button", name="Stop").click()
    lab.get_by_role("button", name="Stop", disabled=True).wait_for()


def choose_file(page, widget, path):
    with page.expect_file_chooser() as chooser:
        widget.get_by_role("button", name="own photo").click()
    chooser.value.set_files(path)


def test_an_own_photo_comes_and_goes(lab, tmp_path):
    widget, shown = bring(lab, 1200, 0), lab.locator("img.explorer-picture")
    for name, content in (("mine.png", png(90)), ("broken.png", b"no picture")):
        (tmp_path / name).write_bytes(content)
    choose_file(lab, widget, tmp_path / "mine.png")
    widget.get_by_text("mine.png at").wait_for()
    before = shown.get_attribute("src")
    choose_file(lab, widget, tmp_path / "broken.png")
    widget.get_by_role("alert").filter(has_text="broken.png is not a readable picture").wait_for()
    assert shown.get_attribute("src") == before
    photo = widget.get_by_label("photo", exact=True)
    expect(photo).to_have_value("mine.png")
    photo.select_option("rocket")
    widget.get_by_text("rocket at").wait_for()
    expect(widget.get_by_role("alert")).to_have_count(0)
    photo.select_option("mine.png")
    widget.get_by_text("mine.png at").wait_for()


def test_axe_finds_nothing_serious_in_the_widgets(lab):
    for index in range(2):
        bring(lab, 1200, index)
        found = Axe().run(lab, {"include": [[".jp-OutputArea-output > .jupyter-widgets"]], "exclude": [[UNNAMED]]})
        serious = [rule for rule in found.response["violations"] if rule["impact"] in ("serious", "critical")]
        assert not serious, found.generate_report()


def test_a_widget_that_has_not_run_reads_as_a_sentence(lab):
    open_notebook(lab, lab.url.split("/lab/")[0], "stored.ipynb")
    lab.get_by_text("Run this cell to use the widget: channel, a picture that follows.").wait_for()
    assert lab.locator(".jp-OutputArea-output .jupyter-widgets").count() == 0


def test_a_figure_has_its_alt_text_on_the_page_and_is_stored_as_a_picture(lab):
    address = lab.url.split("/lab/")[0]
    open_notebook(lab, address, "stored.ipynb")  # as cloned: Jupyter does not trust it yet
    expect(lab.get_by_role("img", name='2 < 3 & "so on"')).to_have_js_property("naturalWidth", 300)
    run_all_cells(lab, 2)
    fresh = lab.get_by_role("img", name="drawn on this page")
    expect(fresh).to_have_js_property("naturalWidth", 400)
    expect(fresh).to_have_js_property("offsetWidth", 200)
    assert fresh.evaluate("image => getComputedStyle(image).borderTopLeftRadius") == "8px"
    save(lab)
    text = lab.evaluate("async address => (await fetch(address)).text()", f"{address}/files/stored.ipynb?token={TOKEN}")
    cells = nbformat.reads(text, 4).cells
    assert [sorted(output.data) for output in cells[1].outputs] == [["image/png", "text/plain"]]
    assert cells[1].outputs[0].metadata["image/png"]["alt"] == "drawn on this page"
