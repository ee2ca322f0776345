"""Lessons in JupyterLab in a real browser: their pages are whole, their widgets move, their exercises answer.

A notebook's run is read three ways. `notebook_run` runs it once, compares its outputs with the stored ones and solves
its exercises in the same kernel; so the stored outputs are what a run gives, and a page that shows them is enough here.
The start page is run on its page, Day 17 in `make test-all`, and of each day the cells that its widget needs.
"""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import limits
import pytest
from accessible import assert_nothing_serious, assert_whole, show_all_cells
from browser_tools import (
    TOKEN,
    jupyter_server,
    launched,
    new_page,
    open_notebook,
    run_all_cells,
    shut_down_kernels,
)
from notebook_tools import NOTEBOOKS, code_cells, read, shortened, write_as_never_run
from playwright.sync_api import expect

from days.common.paths import REPO_ROOT

pytestmark = pytest.mark.browser


DAYS = {path.parent.name: path for path in NOTEBOOKS}
WIDGETS = {  # the cells that a day's test of its widget looks at
    "day17": ["channel_explorer(", "Exercise 9.6"],
    "day18": ["Dashboard(watch", "dashboard(step)", "training_explorer("],
    "day19": ["ascent_explorer("],
    "day20": ["growing_explorer("],
    "day21": ["dream_explorer("],
    "day22": ["attribution_explorer("],
    "day23": ["silencing_explorer("],
    "day24": ["suspect_explorer(", "xray(model_04"],
}


class Lab(NamedTuple):
    """A browser, JupyterLab's address, and the folder that it serves."""

    browser: object
    address: str
    course: Path


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab and a browser, on a copy of the course in a folder with a difficult name."""
    course = tmp_path_factory.mktemp("a course") / "Netze sehen – ü"
    shutil.copytree(REPO_ROOT / "days", course / "days", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (course / "days/start_here.ipynb", course / DAYS["day17"].relative_to(REPO_ROOT)):
        write_as_never_run(read(path), path)
    for day, cells in WIDGETS.items():
        write_as_never_run(shortened(DAYS[day], cells), course / "days" / day / "widget.ipynb")
    settings = tmp_path_factory.mktemp("settings")
    show_all_cells(settings)
    with launched() as browser, jupyter_server(course, settings) as address:
        yield Lab(browser, address, course)


def opened(lab, path: str):
    """A page with a notebook, the only page that is open and has a kernel."""
    for context in lab.browser.contexts:
        context.close()
    shut_down_kernels(lab.address)
    page = new_page(lab.browser, viewport={"width": 1400, "height": 1000})
    open_notebook(page, lab.address, path)
    return page


def run_notebook(lab, path: str):
    """A page on which a notebook has just been run."""
    page = opened(lab, path)
    run_all_cells(page, len(code_cells(lab.course / path)))
    return page


@pytest.fixture(scope="module")
def page(lab):
    """Day 17's widget and an exercise, run once for several tests."""
    return run_notebook(lab, "days/day17/widget.ipynb")


@pytest.fixture(scope="module")
def start_page(lab):
    """The start page."""
    return run_notebook(lab, "days/start_here.ipynb")


def run_widget(lab, day: str):
    """A page on which the cells have run that a day's widget needs, and in which axe finds nothing serious."""
    page = run_notebook(lab, f"days/{day}/widget.ipynb")
    assert_nothing_serious(page)
    return page


def scroll_to(page, locator):
    """JupyterLab draws cells as they come near: walk down from the top, again and again, until it is there."""
    panel = page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer").first
    give_up = time.monotonic() + limits.WIDGET
    while time.monotonic() < give_up:
        panel.evaluate("panel => { panel.scrollTop = 0 }")
        at_the_end = False
        while not at_the_end:
            page.wait_for_timeout(60)
            if locator.count() and locator.first.is_visible():
                locator.first.scroll_into_view_if_needed()
                return
            # By script, because the wheel would turn whatever scrolls inside a cell that lies under the mouse.
            at_the_end = panel.evaluate(
                "panel => { const before = panel.scrollTop; panel.scrollTop += 700; return panel.scrollTop === before }"
            )
    raise AssertionError("scrolled to the end, again and again, and did not find it")


@pytest.mark.slow
def test_day_17_runs_without_errors_and_warnings(lab):
    page = run_notebook(lab, "days/day17/day17_feature_maps_and_filters.ipynb")
    assert_whole(page)
    scroll_to(page, page.get_by_text("1,235,496 weights"))


def test_the_slider_moves_and_the_picture_follows(page):
    picture = page.locator("img.explorer-picture")
    scroll_to(page, picture)
    page.get_by_text("chelsea, fire9, channel 426", exact=False).wait_for()
    before = picture.evaluate("image => fetch(image.src).then(r => r.blob()).then(b => b.size)")
    page.locator(".widget-slider .noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("chelsea, fire9, channel 427", exact=False).wait_for()
    after = picture.evaluate("image => fetch(image.src).then(r => r.blob()).then(b => b.size)")
    assert before != after


def answer_exercise(page, body: str, wanted: str, below: str = "") -> str:
    """Type a body into the cell of exercise 9.6, run it, wait for a verdict with `wanted` in it, and read that.

    below : further lines, below the check.
    """
    cell = page.locator(".jp-CodeCell").filter(has_text="Exercise 9.6")
    scroll_to(page, cell)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(
        f"def to_oihw(kernel):\n    return {body}\n\n\nexercises.to_oihw.check(to_oihw)  # Exercise 9.6\n{below}"
    )
    page.keyboard.press("Control+Enter")
    verdict = cell.locator('[role="status"]').filter(has_text=wanted)
    verdict.first.wait_for()
    return verdict.inner_text()


def test_a_wrong_and_a_right_answer_get_their_verdicts(page):
    """Each with the next step; an answer that raises with the learner's line."""
    wrong = answer_exercise(page, "kernel.transpose(3, 2, 1, 0)", "not quite")
    assert "every filter lies on its side" in wrong
    assert "exercises.to_oihw.hint() gives a hint" in wrong
    raised = answer_exercise(page, "kernel.turned()", "raised")
    assert "raised AttributeError: " in raised
    assert "(in line 2 of your function: return kernel.turned())" in raised
    right = answer_exercise(page, "kernel.transpose(3, 2, 0, 1)", "correct")
    assert "not quite" not in right
    assert re.search(r"1 of \d solved on this day; next: 9.7, ", right)


def test_a_hint_below_a_check_leaves_the_verdict_on_the_page(page):
    said = answer_exercise(page, "kernel.transpose(3, 2, 1, 0)", "not quite", below="exercises.to_oihw.hint()")
    assert "every filter lies on its side" in said
    outputs = page.locator(".jp-CodeCell").filter(has_text="Exercise 9.6").locator(".jp-OutputArea-output")
    outputs.filter(has_text="Hint 1 of").wait_for()
    verdict, hint = outputs.all()
    assert verdict.bounding_box()["y"] < hint.bounding_box()["y"]


def test_the_start_page_shows_the_days_and_what_was_just_solved(start_page):
    scroll_to(start_page, start_page.get_by_role("row").filter(has_text="✓ 9.6"))
    assert start_page.locator(".jp-mod-error, [data-mime-type$=error]").count() == 0
    scroll_to(start_page, start_page.get_by_role("heading", name="Seeing CNNs: start here"))
    heads = start_page.locator(".jp-NotebookPanel").get_by_role("heading").all_inner_texts()
    assert [head.strip("¶ ") for head in heads[:3]] == ["Seeing CNNs: start here", "How far you are", "The days"]
    expect(start_page.locator(".jp-MarkdownOutput img")).to_have_count(8)
    start_page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-MarkdownOutput img')].every(i => i.naturalWidth > 100 && i.alt)"
    )


@pytest.mark.slow
def test_the_dashboard_of_day_18_follows_the_training(lab):
    page = run_widget(lab, "day18")
    picture = page.locator("img.dashboard-picture")
    scroll_to(page, picture)
    page.wait_for_function("() => document.querySelector('img.dashboard-picture')?.naturalWidth > 500")
    warnings = page.locator("li").filter(has_text="channels are dead, silent on every watched image")
    warnings.first.wait_for()
    scroll_to(page, page.get_by_role("button", name="Start", exact=True))
    page.get_by_role("button", name="Start", exact=True).click()
    caption = page.get_by_text("too fast, step", exact=False)
    caption.filter(has_text="channels are dead").first.wait_for()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('button')].some(b => b.innerText === 'Stop' && b.disabled)"
    )


def grow_and_stop(page, moment) -> None:
    """Press Start, wait for a caption with `moment` in it, press Stop, and see that the widget is free again."""
    start, stop = (page.get_by_role("button", name=name, exact=True) for name in ("Start", "Stop"))
    scroll_to(page, start)
    start.click()
    page.locator(".widget-html").filter(has_text=moment).first.wait_for()
    stop.click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('button')].some(b => b.innerText === 'Stop' && b.disabled)"
    )
    assert page.locator("img.growing-picture").evaluate("image => image.naturalWidth") > 500
    assert not start.is_disabled()


def test_the_picture_of_day_19_grows_and_stops(lab):
    page = run_widget(lab, "day19")
    grow_and_stop(page, re.compile("fire6, channel 341: photo, map.*rose"))


@pytest.mark.slow
def test_the_picture_of_day_20_grows_stops_and_is_saved(lab):
    page = run_widget(lab, "day20")
    grow_and_stop(page, re.compile(r"fire7, channel 40, \+ colors after [1-9]\d* steps"))
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("saved as fire7_40.png").wait_for()
    assert page.request.get(f"{lab.address}/files/days/day20/fire7_40.png?token={TOKEN}").body().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_dream_of_day_21_grows_and_stops(lab):
    page = run_widget(lab, "day21")
    grow_and_stop(page, re.compile("octave [12]"))


def picture_follows(page, control: str, choice: str, captions: tuple[str, str]):
    """Choose something in a widget's control: its caption says so, and its picture is another."""
    picture, caption = page.locator("img.explorer-picture"), page.locator(".widget-html")
    scroll_to(page, picture)
    caption.filter(has_text=captions[0]).first.wait_for()
    size = "image => fetch(image.src).then(r => r.blob()).then(b => b.size)"
    before = picture.evaluate(size)
    page.locator(".widget-dropdown").filter(has_text=control).locator("select").select_option(choice)
    caption.filter(has_text=captions[1]).first.wait_for()
    assert before != picture.evaluate(size)


@pytest.mark.slow
def test_the_map_of_day_22_follows_the_method(lab):
    page = run_widget(lab, "day22")
    captions = ("Egyptian cat, fire9: Grad-CAM, strongest", "Egyptian cat: saliency, strongest")
    picture_follows(page, "method", "saliency", captions)
    page.locator(".widget-dropdown").filter(has_text="photo").locator("select").select_option("coffee")
    page.locator(".widget-html").filter(
        has_text=re.compile(r"The network's answers: espresso \d+%, .+%, .+%")
    ).wait_for()
    category = page.locator(".widget-text").filter(has_text="category").locator("input")
    expect(category).to_have_value("espresso")
    category.fill("tubby")
    page.keyboard.press("Enter")
    page.locator(".widget-html").filter(has_text="near it: tabby").first.wait_for()


@pytest.mark.slow
def test_the_map_of_day_23_follows_the_network(lab):
    page = run_widget(lab, "day23")
    picture_follows(page, "network", "patient 008", ("Day 18's, conv1 0: ", "patient 008, conv1 0: "))


@pytest.mark.slow
def test_the_map_of_day_24_follows_the_suspect(lab):
    page = run_widget(lab, "day24")
    picture_follows(page, "suspect", "C", ("A calls the", "C calls the"))
    scroll_to(page, page.locator("iframe[title='X-ray report']"))
    page.frame_locator("iframe[title='X-ray report']").get_by_text("filter far too large").first.wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_xray_is_accessible_and_fits_a_phone(lab, tmp_path, scheme):
    from axe_playwright_python.sync_playwright import Axe

    from days.common.datasets import SHAPE_NAMES
    from days.day23.code import network, patients, torch_backend
    from days.xray import xray

    patient, _ = patients.admit(2, "dead")
    model = torch_backend.clinic_model(patient.weights, patient.statistics)
    images = {f"photo {index}": image for index, image in enumerate(network.ward_images().images[:32])}
    images["torn"] = tmp_path / "torn.png"
    how = {"size": 32, "labels": SHAPE_NAMES, "mean": 0.5, "std": 0.5, "progress": False}
    xray(model.network.train(), images, tmp_path / "report.html", **how)
    page = new_page(lab.browser, viewport={"width": 390, "height": 800}, color_scheme=scheme)
    page.goto((tmp_path / "report.html").as_uri())
    for summary in page.locator("summary").all():
        summary.click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 20)")
    assert page.locator("ol.findings > li").count() >= 2
