"""The learner's desk in a browser: own copies that work, one line for one mistake, a sign of life, and no news box."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import shutil

import limits
import nbformat
import pytest
from browser_tools import (
    jupyter_server,
    launched,
    new_page,
    open_notebook,
    run_all_cells,
    save,
    shut_down_kernels,
)
from nbformat.v4 import new_code_cell, new_notebook
from notebook_tools import code_cells, shortened, write_as_never_run
from test_browser import DAYS, Lab, answer_exercise, scroll_to

from days.common.notebook import PATIENCE
from days.common.paths import REPO_ROOT
from days.common.progress import course
from days.copies import update_copies

pytestmark = pytest.mark.browser

LESSON = DAYS["day17"].relative_to(REPO_ROOT / "days")
ERROR = '[data-mime-type="application/vnd.jupyter.stderr"]'  # as JupyterLab calls an error's output, too
OWN = [
    "import sys\nfrom pathlib import Path\n\nsys.path.insert(0, str(Path.cwd().parents[1]))",
    "import os\nimport time\n\nfrom days.common.images import load_image",
    "print('begun')\nwhile not Path('go').exists():\n    time.sleep(0.1)\n"
    "    if Path('die').exists():\n        os._exit(1)\nprint('ended')",
    "size = 224\nload_image('my_cat.jpg', size=size)",
    "print('not reached')",
    "undefined_name",
]


def lab_settings(folder):
    """What `make lab` gives JupyterLab for a course in this folder."""
    specification = importlib.util.spec_from_file_location("course_of_the_desk", REPO_ROOT / "course.py")
    course = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(course)
    course.ROOT = folder
    return course.lab_settings()


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """JupyterLab as `make lab` starts it, on a course with the learner's copies, a notebook and a photo.

    Day 17 is short and has not been run. That the tests want no news is taken back: `make lab` has to say so.
    """
    course = tmp_path_factory.mktemp("a course") / "Netze sehen – ü"
    shutil.copytree(REPO_ROOT / "days", course / "days", ignore=shutil.ignore_patterns("__pycache__"))
    lesson = shortened(DAYS["day17"], ["10_one_channel.png", "Exercise 9.6"])
    write_as_never_run(lesson, course / "days" / LESSON)
    update_copies(course)
    own = new_notebook(cells=[new_code_cell(cell) for cell in OWN], metadata=lesson.metadata)
    nbformat.write(own, course / "my/day17/own.ipynb")
    (course / "my/my_cat.jpg").touch()
    settings = tmp_path_factory.mktemp("settings")
    with launched() as browser, jupyter_server(course, settings, **lab_settings(course)) as address:
        shutil.rmtree(settings / "user")
        yield Lab(browser, address, course)


@pytest.fixture(scope="module")
def own(desk):
    """A page on which the learner's own notebook runs; its third cell waits for a file."""
    page = new_page(desk.browser, viewport={"width": 1400, "height": 1000})
    open_notebook(page, desk.address, "my/day17/own.ipynb")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.get_by_role("timer").wait_for()
    return page


def test_a_cell_that_takes_long_says_so_until_it_ends(desk, own):
    """The line stands below what the cell has printed, counts, goes, and is in no file."""
    clock, path = own.get_by_role("timer"), desk.course / "my/day17/own.ipynb"
    cell = own.locator(".jp-CodeCell").filter(has_text="print('begun')")
    assert cell.locator(".jp-OutputArea-output").all_inner_texts()[0].strip() == "begun"
    seconds = int(re.fullmatch(r"still computing: (\d+) s", clock.inner_text()).group(1))
    assert seconds >= PATIENCE
    own.wait_for_function(f"() => parseInt(document.querySelector('[role=timer]').innerText.slice(17)) > {seconds + 1}")
    save(own)
    assert "still computing" not in path.read_text(encoding="utf-8")
    (path.parent / "go").touch()
    cell.get_by_text("ended", exact=True).wait_for()
    own.locator(ERROR).wait_for()
    assert clock.count() == 0
    assert len(cell.locator(".jp-OutputArea-child:visible").all()) == 2
    save(own)
    outputs = json.loads(path.read_text(encoding="utf-8"))["cells"][2]["outputs"]
    assert "".join("".join(output["text"]) for output in outputs) == "begun\nended\n"


def test_an_error_of_the_course_is_one_line_and_the_cells_line_and_the_trace_is_folded(desk, own):
    (desk.course / "my/day17/go").touch()
    error, trace = own.locator(ERROR).first, own.locator("details").filter(has_text="The whole trace")
    trace.wait_for()
    said, where = error.inner_text().strip().split("\n")
    assert said.startswith("FileNotFoundError: no picture 'my_cat.jpg': neither one of chelsea,")
    assert f"Looked in {desk.course / 'my/day17'}, which holds no picture. Did you mean '../my_cat.jpg'?" in said
    assert where == "Your cell In[4], line 2: load_image('my_cat.jpg', size=size)"
    assert error.bounding_box()["height"] + trace.bounding_box()["height"] < 150
    assert not trace.get_by_text("_not_found").is_visible()
    trace.locator("summary").click()
    assert trace.get_by_text("_not_found").is_visible()
    assert own.get_by_text("not reached", exact=True).count() == 0


def test_a_learners_own_mistake_keeps_its_trace(desk, own):
    (desk.course / "my/day17/go").touch()
    own.locator(ERROR).first.wait_for()
    cell = own.locator(".jp-CodeCell").filter(has_text="undefined_name")
    cell.locator(".cm-content").click()
    own.keyboard.press("Control+Enter")
    cell.locator(ERROR).wait_for()
    assert "----> 1 undefined_name" in cell.locator(ERROR).inner_text()
    assert cell.locator("details").count() == 0


def test_the_line_of_a_kernel_that_has_died_hides(desk, own):
    go = desk.course / "my/day17/go"
    go.touch()
    own.locator(ERROR).first.wait_for()
    go.unlink()
    own.locator(".jp-CodeCell").filter(has_text="print('begun')").locator(".cm-content").click()
    own.keyboard.press("Control+Enter")
    own.get_by_role("timer").wait_for()
    (go.parent / "die").touch()
    own.locator("[role=timer]").wait_for(state="hidden")
    assert own.locator("[role=timer]").count() == 1


def test_the_learners_start_page_has_its_pictures_and_leads_to_the_learners_lessons(desk):
    page = new_page(desk.browser, viewport={"width": 1400, "height": 1000})
    open_notebook(page, desk.address, "my/start_here.ipynb")
    page.locator(".jp-MarkdownOutput img").first.wait_for()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-MarkdownOutput img')].every(image => image.naturalWidth > 50)"
    )
    link = page.locator(".jp-MarkdownOutput a[href*=day17_]").first
    scroll_to(page, link)
    link.click()
    page.get_by_role("tab", name=LESSON.name).wait_for()
    page.wait_for_function(f"() => decodeURI(location.pathname).endsWith('my/{LESSON.as_posix()}')")


def test_a_lesson_leads_on_and_back_and_its_set_up_is_folded(desk):
    page = new_page(desk.browser, viewport={"width": 1400, "height": 1000})
    open_notebook(page, desk.address, f"my/{LESSON.as_posix()}")
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    panel.get_by_role("heading", name="10. Key takeaways").wait_for(state="attached")
    assert panel.locator(".jp-CodeCell").first.locator(".jp-InputPlaceholder").is_visible()
    for place, name, day in (("last", "Next: Day 18", "day18"), ("first", "Previous: Day 17", "day17")):
        getattr(panel.get_by_role("link", name=name), place).click()
        page.get_by_role("tab", name=DAYS[day].name, selected=True).wait_for()
    panel.get_by_role("link", name="Start page").first.click()
    page.get_by_role("tab", name="start_here.ipynb", selected=True).wait_for()


def follow_link(page, day: str, number: str, within: int) -> None:
    """Click the start page's link to an exercise, and wait until its text is near the top of its day's page.

    within : how many pixels below the top it may be.
    """
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    panel.locator(f'a[href*="{course([DAYS[day]])[day].exercises[number][1]}"]').first.click()
    page.get_by_role("tab", name=DAYS[day].name, selected=True).wait_for()
    text = panel.locator(".jp-MarkdownOutput strong").filter(has_text=f"{number} ").first
    page.wait_for_function(
        """([text, within]) => {
            const page = text.closest('.jp-WindowedPanel-outer')
            const below = text.getBoundingClientRect().top - page.getBoundingClientRect().top
            return below > -60 && below < within
        }""",
        arg=[text.element_handle(), within],
    )


def test_a_link_to_an_exercise_of_an_open_day_shows_its_text(desk):
    page = new_page(desk.browser, viewport={"width": 1000, "height": 800})
    open_notebook(page, desk.address, "my/start_here.ipynb")
    page.locator("a[href*=day19_]").first.click()
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    panel.get_by_role("heading", name="10. Key takeaways").wait_for(state="attached")  # all cells are there
    for number in ("9.2", "9.6"):
        page.get_by_role("tab", name="start_here.ipynb").click()
        follow_link(page, "day19", number, within=60)


def test_a_link_to_an_exercise_opens_its_day_and_shows_its_text(desk):
    """It is on the screen, if not at its top: JupyterLab jumps as soon as all cells are there, and lays them out then.

    Day 17 is short here, since JupyterLab does not jump if that takes more than ten seconds.
    """
    for context in desk.browser.contexts:
        context.close()
    page = new_page(desk.browser, viewport={"width": 1000, "height": 800})
    open_notebook(page, desk.address, "my/start_here.ipynb")
    follow_link(page, "day17", "9.6", within=600)


@pytest.mark.slow
def test_a_lesson_runs_as_a_copy_and_its_answer_moves_into_a_newer_one(desk):
    mine, lesson = (desk.course / top / LESSON for top in ("my", "days"))
    page = new_page(desk.browser, viewport={"width": 1400, "height": 1000})
    open_notebook(page, desk.address, f"my/{LESSON.as_posix()}")
    run_all_cells(page, len(code_cells(mine)))
    picture = page.locator(".jp-OutputArea-output img").first
    scroll_to(page, picture)
    assert picture.evaluate("image => image.naturalWidth") > 300
    assert "correct" in answer_exercise(page, "kernel.transpose(3, 2, 0, 1)", "correct")
    save(page)
    page.close()
    notebook = nbformat.read(lesson, as_version=4)
    exercise = next(cell for cell in notebook.cells if "Exercise 9.6" in cell.source)
    exercise.source = exercise.source.replace('"""', '"""A newer text. ', 1)
    notebook.cells[0].source += "\n\nThis lesson is newer."
    nbformat.write(notebook, lesson)
    [said] = update_copies(desk.course)
    assert "has what you wrote, which was in 1 cell;" in said
    shut_down_kernels(desk.address)
    page = new_page(desk.browser, viewport={"width": 1400, "height": 1000})
    open_notebook(page, desk.address, f"my/{LESSON.as_posix()}")
    page.get_by_text("This lesson is newer.").wait_for()
    run_all_cells(page, len(code_cells(mine)))
    cell = page.locator(".jp-CodeCell").filter(has_text="kernel.transpose(3, 2, 0, 1)")
    scroll_to(page, cell.locator('[role="status"]').filter(has_text="correct"))


def news_boxes(lab):
    """The boxes that JupyterLab lays over a page within a while."""
    page = new_page(lab.browser, viewport={"width": 1400, "height": 1000})
    open_notebook(page, lab.address, "my/start_here.ipynb")
    with contextlib.suppress(Exception):
        page.locator(".Toastify__toast").first.wait_for(timeout=limits.NEWS * 1000)
    return page.locator(".Toastify__toast").all_inner_texts()


@pytest.mark.slow
def test_no_box_asks_about_news(desk):
    assert news_boxes(desk) == []


@pytest.mark.slow
def test_without_the_courses_settings_it_would(desk, tmp_path):
    with jupyter_server(desk.course, tmp_path) as address:
        shutil.rmtree(tmp_path / "user")
        assert "news" in news_boxes(desk._replace(address=address))[0]
