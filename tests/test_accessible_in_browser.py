"""JupyterLab's notebook area under axe, light and dark: nothing serious but what JupyterLab itself breaks.

The widgets of Days 18 to 24 are looked at in test_browser, where they run.
"""

from __future__ import annotations

import shutil

import pytest
from accessible import assert_nothing_serious, assert_whole, serious, show_all_cells
from browser_tools import jupyter_server, launched, new_page, open_notebook, run_all_cells
from notebook_tools import NOTEBOOKS, code_cells, shortened, write_as_never_run

from days.common.paths import REPO_ROOT

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A browser and JupyterLab's address, with all cells of a notebook on the page, and the folder that it serves."""
    folder, settings = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("settings")
    shutil.copytree(REPO_ROOT / "days", folder / "days", ignore=shutil.ignore_patterns("__pycache__"))
    cells = shortened(NOTEBOOKS[0], ["channel_explorer(", '"17.1"', '"17.3"', "Exercise 9.6"])
    write_as_never_run(cells, folder / "days/day17/widget.ipynb")
    show_all_cells(settings)
    with launched() as browser, jupyter_server(folder, settings) as address:
        yield browser, address, folder


@pytest.fixture
def page(lab):
    """A page of the browser."""
    page = new_page(lab[0], viewport={"width": 1600, "height": 1000})
    yield page
    page.close()


LESSONS = [pytest.param(path, marks=pytest.mark.slow, id=path.parent.name) for path in NOTEBOOKS]


@pytest.mark.parametrize("path", [pytest.param(REPO_ROOT / "days/start_here.ipynb", id="start"), *LESSONS])
def test_a_stored_notebook_is_whole_and_axe_finds_nothing_serious(lab, page, path):
    """No error, no warning, no broken picture, and its last section is there."""
    open_notebook(page, lab[1], path.relative_to(REPO_ROOT).as_posix())
    assert_whole(page, last="10. Key takeaways" if path in NOTEBOOKS else "When you are stuck")
    assert_nothing_serious(page)


@pytest.mark.slow
def test_axe_finds_nothing_serious_in_the_widget_predictions_and_exercise_of_day_17(lab, page):
    _, address, folder = lab
    open_notebook(page, address, "days/day17/widget.ipynb")
    run_all_cells(page, len(code_cells(folder / "days/day17/widget.ipynb")))
    assert_nothing_serious(page)


def test_axe_is_heard(lab, page):
    """What the course must not do is found, on the same page and with the same exceptions."""
    open_notebook(page, lab[1], "days/start_here.ipynb")
    page.evaluate(
        """() => {
            const text = document.querySelector('.jp-MarkdownOutput p')
            text.innerHTML = '<img src="data:,"><select></select>'
            text.innerHTML += '<span style="color: #aaa; background: #bbb">faint</span>'
        }"""
    )
    assert {rule for rule, _ in serious(page)} == {"image-alt", "select-name", "contrast 1.2"}
