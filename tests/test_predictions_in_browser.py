"""Predictions in JupyterLab in a real browser: a stored answer is folded; what is chosen is kept and counted."""

from __future__ import annotations

import re
import shutil

import pytest
from browser_tools import (
    IDLE,
    jupyter_server,
    launched,
    new_page,
    open_notebook,
    run_all_cells,
)
from notebook_tools import NOTEBOOKS, code_cells, read, shortened, write_as_never_run
from playwright.sync_api import expect

from days.common.paths import REPO_ROOT

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A browser and JupyterLab's address, on a copy of the course; "predict.ipynb" has what two predictions need."""
    course = tmp_path_factory.mktemp("course")
    shutil.copytree(REPO_ROOT / "days", course / "days", ignore=shutil.ignore_patterns("__pycache__"))
    for name, notebook in {
        "start_here": read(REPO_ROOT / "days/start_here.ipynb"),
        "day17/predict": shortened(NOTEBOOKS[0], ['"17.1"', '"17.3"']),
    }.items():
        write_as_never_run(notebook, course / "days" / f"{name}.ipynb")
    with launched() as browser, jupyter_server(course, tmp_path_factory.mktemp("settings")) as address:
        yield browser, address, course


def cell_with(page, text: str):
    """The first code cell with a text in its code or its results."""
    return page.locator(".jp-CodeCell").filter(has_text=text).first


def test_a_stored_answer_is_folded_below_its_question(lab):
    browser, address, _ = lab
    page = new_page(browser, viewport={"width": 1400, "height": 1000})
    open_notebook(page, address, NOTEBOOKS[0].relative_to(REPO_ROOT).as_posix())
    question, answer = cell_with(page, "Predict 17.2"), cell_with(page, 'reveal("17.2"')
    question.scroll_into_view_if_needed()
    box = question.locator(".jp-OutputArea")
    box.get_by_text("Predict 17.2").wait_for()
    box.get_by_role("listitem").filter(has_text="fire9").scroll_into_view_if_needed()
    assert box.get_by_role("listitem").all_inner_texts()[:4] == ["conv1_activation", "fire2", "fire3", "fire9"]
    answer.scroll_into_view_if_needed()
    assert answer.locator(".jp-OutputPlaceholder").inner_text().split() == ["Prediction", "17.2"]
    assert not answer.get_by_text("Measured: fire9").is_visible()
    answer.locator(".jp-OutputPlaceholder").click()
    answer.get_by_text("Measured: fire9").wait_for()
    picture = cell_with(page, "# drawn on one scale").locator(".jp-OutputPlaceholder")
    picture.scroll_into_view_if_needed()
    assert picture.inner_text().strip() == ""  # and not the HTML that it is
    page.close()


def choose(question, said: str, sure: str) -> None:
    """Say it in a question's box, and how sure, and keep it."""
    if question.get_by_placeholder("a number").count():
        question.get_by_placeholder("a number").fill(said)
    else:
        question.get_by_text(said, exact=True).last.click()
    question.get_by_text(sure, exact=True).last.click()
    question.get_by_role("button", name="Keep my prediction").click()


@pytest.mark.slow
def test_a_prediction_is_chosen_opened_and_counted_on_the_start_page(lab):
    browser, address, course = lab
    page = new_page(browser, viewport={"width": 1400, "height": 1000})
    open_notebook(page, address, "days/day17/predict.ipynb")
    menu = page.get_by_role("menuitem", name="Run", exact=True)

    def run(item):
        menu.click()
        page.get_by_role("menuitem", name=item, exact=True).click()

    # 17.1 is answered first and measured then, 17.3 the other way round.
    cell_with(page, 'reveal("17.1"').locator(".cm-content").click()
    run("Run All Above Selected Cell")
    question = cell_with(page, "Predict 17.1")
    question.get_by_role("button", name="Keep my prediction").wait_for()
    choose(question, "4", "90 %")
    question.get_by_role("status").filter(has_text="You said 4, 90 % sure. Run on").wait_for()
    run("Run Selected Cell and All Below")
    question.get_by_role("status").filter(has_text="You said 4, 90 % sure; measured: 4. ✓ Right.").wait_for()
    question = cell_with(page, "Predict 17.3")
    measured = cell_with(page, 'reveal("17.3"').get_by_text("Measured: untrained")
    measured.wait_for(state="attached")
    assert not measured.is_visible()
    assert question.get_by_role("status").inner_text() == ""
    choose(question, "trained", "70 %")
    measured.wait_for()
    question.get_by_role("status").filter(has_text="measured: untrained. ✗ Not so.").wait_for()
    expect(question.get_by_role("button", name="Keep my prediction")).to_be_hidden()
    page.close()

    page = new_page(browser, viewport={"width": 1400, "height": 1000})
    open_notebook(page, address, "days/start_here.ipynb")
    run_all_cells(page, len(code_cells(course / "days/start_here.ipynb")))
    page.locator("#jp-main-statusbar").get_by_text(IDLE).wait_for()
    page.get_by_text("Predictions: 1 of 2 right (50%).").wait_for()
    page.get_by_role("row").filter(has_text=re.compile(r"2 of \d made, 1 right")).wait_for()
    page.get_by_role("link", name="9.4 ").first.click()
    heading = page.get_by_role("heading", name="Day 17 — Feature maps and filters")
    heading.wait_for(state="attached")
    page.get_by_text("Exercise 9.4").first.wait_for()
