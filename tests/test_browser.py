"""A whole lesson in JupyterLab in a real browser: it runs, its widget moves, its exercises answer."""

from __future__ import annotations

import os
import re
import shutil

import pytest
from browser_tools import (
    CHROMIUM_FLAGS,
    TOKEN,
    find_chromium,
    jupyter_server,
    open_notebook,
    run_all_cells,
    shut_down_kernels,
)

from days.common.paths import REPO_ROOT

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A browser and JupyterLab's address, on a copy of the course in a folder with a difficult name."""
    chromium = find_chromium()
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("CI must run the browser tests, and no Chromium is installed")
        pytest.skip("no Chromium found (Debian: apt install chromium; or set SEEING_CNNS_CHROMIUM)")
    from playwright.sync_api import sync_playwright

    course = tmp_path_factory.mktemp("a course") / "Netze sehen – ü"
    shutil.copytree(REPO_ROOT / "days", course / "days", ignore=shutil.ignore_patterns("__pycache__"))
    with jupyter_server(course, tmp_path_factory.mktemp("settings")) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser, address
        browser.close()


def run_lesson(lab, path: str, *, quick: bool = False):
    """A page on which a whole notebook has just been run."""
    browser, address = lab
    shut_down_kernels(address)
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    open_notebook(page, address, path)
    run_all_cells(page, quick=quick)
    return page


def page_of(path: str, **how):
    """A fixture: the page on which a notebook has been run, once for all tests."""

    @pytest.fixture(scope="module")
    def run(lab):
        return run_lesson(lab, path, **how)

    return run


page = page_of("days/day17/day17_feature_maps_and_filters.ipynb")
start_page = page_of("days/start_here.ipynb", quick=True)
page18 = page_of("days/day18/day18_watching_a_cnn_learn.ipynb")
page19 = page_of("days/day19/day19_feature_visualization.ipynb")
page20 = page_of("days/day20/day20_activation_maximization.ipynb")
page21 = page_of("days/day21/day21_deepdream.ipynb")
page22 = page_of("days/day22/day22_where_did_it_look.ipynb")
page23 = page_of("days/day23/day23_filter_clinic.ipynb")
page24 = page_of("days/day24/day24_model_xray.ipynb")


def scroll_to(page, locator, on_the_way=lambda: None):
    """JupyterLab draws cells as they come near: walk down from the top, twice if need be, until it is there."""
    panel = page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer").first
    for _ in range(2):
        panel.evaluate("panel => { panel.scrollTop = 0 }")
        at_the_end = False
        while not at_the_end:
            page.wait_for_timeout(60)
            on_the_way()
            if locator.count() and locator.first.is_visible():
                locator.first.scroll_into_view_if_needed()
                return
            # By script, because the wheel would turn whatever scrolls inside a cell that lies under the mouse.
            at_the_end = panel.evaluate(
                "panel => { const before = panel.scrollTop; panel.scrollTop += 700; return panel.scrollTop === before }"
            )
    raise AssertionError("scrolled to the end, twice, and did not find it")


def assert_no_error_and_no_warning(page):
    """Walk from the top to the last section, and meet neither an error nor a warning."""
    alarms = page.locator(
        '[data-mime-type="application/vnd.jupyter.error"], [data-mime-type="application/vnd.jupyter.stderr"]'
    )

    def no_alarm():
        assert alarms.count() == 0, alarms.first.inner_text()

    scroll_to(page, page.get_by_role("heading", name="10. Key takeaways"), no_alarm)


def test_day_17_runs_without_errors_and_warnings(page):
    assert_no_error_and_no_warning(page)
    scroll_to(page, page.get_by_text("1,235,496 weights"))


def test_the_slider_moves_and_the_picture_follows(page):
    picture = page.locator("img.explorer-picture")
    scroll_to(page, picture)
    page.get_by_text("chelsea, fire9, channel 426", exact=False).wait_for(timeout=15_000)
    before = picture.evaluate("image => fetch(image.src).then(r => r.blob()).then(b => b.size)")
    page.locator(".widget-slider .noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("chelsea, fire9, channel 427", exact=False).wait_for(timeout=15_000)
    after = picture.evaluate("image => fetch(image.src).then(r => r.blob()).then(b => b.size)")
    assert before != after


def answer_exercise(page, body: str) -> str:
    """Type a body into the cell of exercise 9.6, run it, and read the verdict."""
    cell = page.locator(".jp-CodeCell").filter(has_text="Exercise 9.6")
    scroll_to(page, cell)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(
        f"def to_oihw(kernel):\n    return {body}\n\n\nexercises.to_oihw.check(to_oihw)  # Exercise 9.6"
    )
    page.keyboard.press("Control+Enter")
    verdict = cell.locator('[role="status"]')
    verdict.filter(has_not_text="not attempted").first.wait_for(timeout=15_000)
    page.wait_for_timeout(500)
    return verdict.inner_text()


def test_a_wrong_and_a_right_answer_get_their_verdicts(page):
    wrong = answer_exercise(page, "kernel.transpose(3, 2, 1, 0)")
    assert "not quite" in wrong
    assert "every filter lies on its side" in wrong
    right = answer_exercise(page, "kernel.transpose(3, 2, 0, 1)")
    assert "correct" in right


def test_the_start_page_shows_the_days_and_what_was_just_solved(start_page):
    scroll_to(start_page, start_page.get_by_role("row").filter(has_text="✓ 9.6"))
    assert start_page.locator(".jp-mod-error, [data-mime-type$=error]").count() == 0
    scroll_to(start_page, start_page.get_by_role("heading", name="Seeing CNNs: start here"))
    pictures = start_page.locator(".jp-MarkdownOutput img")
    assert pictures.count() == 8
    start_page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-MarkdownOutput img')].every(i => i.naturalWidth > 100 && i.alt)"
    )


def test_day_18_runs_and_its_dashboard_follows_the_training(page18):
    assert_no_error_and_no_warning(page18)
    picture = page18.locator("img.dashboard-picture")
    scroll_to(page18, picture)
    page18.wait_for_function("() => document.querySelector('img.dashboard-picture')?.naturalWidth > 500")
    warnings = page18.locator("li").filter(has_text="channels are dead, silent on every watched image")
    warnings.first.wait_for(timeout=15_000)
    scroll_to(page18, page18.get_by_role("button", name="Start", exact=True))
    page18.get_by_role("button", name="Start", exact=True).click()
    caption = page18.get_by_text("too fast, step", exact=False)
    caption.filter(has_text="channels are dead").first.wait_for(timeout=30_000)
    page18.get_by_role("button", name="Stop", exact=True).click()
    page18.wait_for_function(
        "() => [...document.querySelectorAll('button')].some(b => b.innerText === 'Stop' && b.disabled)"
    )


def grow_and_stop(page, moment) -> None:
    """Press Start, wait for a caption with `moment` in it, press Stop, and see that the widget is free again."""
    start, stop = (page.get_by_role("button", name=name, exact=True) for name in ("Start", "Stop"))
    scroll_to(page, start)
    start.click()
    page.locator(".widget-html").filter(has_text=moment).first.wait_for(timeout=60_000)
    stop.click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('button')].some(b => b.innerText === 'Stop' && b.disabled)"
    )
    assert page.locator("img.growing-picture").evaluate("image => image.naturalWidth") > 500
    assert not start.is_disabled()


def test_day_19_runs_and_its_picture_grows_and_stops(page19):
    assert_no_error_and_no_warning(page19)
    grow_and_stop(page19, re.compile("fire6, channel 341: photo, map.*rose"))


def test_day_20_runs_and_its_picture_grows_stops_and_is_saved(page20, lab):
    assert_no_error_and_no_warning(page20)
    grow_and_stop(page20, re.compile(r"fire7, channel 40, \+ colors after [1-9]\d* steps"))
    page20.get_by_role("button", name="Save", exact=True).click()
    page20.get_by_text("saved as fire7_40.png").wait_for(timeout=15_000)
    assert page20.request.get(f"{lab[1]}/files/days/day20/fire7_40.png?token={TOKEN}").body().startswith(b"\x89PNG")


def test_day_21_runs_and_its_dream_grows_and_stops(page21):
    assert_no_error_and_no_warning(page21)
    grow_and_stop(page21, re.compile("octave [12]"))


def test_day_22_runs_and_its_map_follows_the_method(page22):
    assert_no_error_and_no_warning(page22)
    picture = page22.locator("img.explorer-picture")
    scroll_to(page22, picture)
    caption = page22.locator(".widget-html")
    caption.filter(has_text="Egyptian cat, fire9: Grad-CAM, strongest").first.wait_for(timeout=15_000)
    before = picture.evaluate("image => fetch(image.src).then(r => r.blob()).then(b => b.size)")
    page22.locator(".widget-dropdown").filter(has_text="method").locator("select").select_option("saliency")
    caption.filter(has_text="Egyptian cat: saliency, strongest").first.wait_for(timeout=15_000)
    assert before != picture.evaluate("image => fetch(image.src).then(r => r.blob()).then(b => b.size)")
    page22.locator(".widget-text").filter(has_text="category").locator("input").fill("tubby")
    page22.keyboard.press("Enter")
    caption.filter(has_text="near it: tabby").first.wait_for(timeout=15_000)


def test_day_23_runs(page23):
    assert_no_error_and_no_warning(page23)
    scroll_to(page23, page23.get_by_text("false findings in 20 healthy: 0"))


def test_day_24_runs_and_its_map_follows_the_suspect(page24):
    assert_no_error_and_no_warning(page24)
    picture = page24.locator("img.explorer-picture")
    scroll_to(page24, picture)
    caption = page24.locator(".widget-html")
    caption.filter(has_text="A calls the").first.wait_for(timeout=15_000)
    before = picture.evaluate("image => fetch(image.src).then(r => r.blob()).then(b => b.size)")
    page24.locator(".widget-dropdown").filter(has_text="suspect").locator("select").select_option("C")
    caption.filter(has_text="C calls the").first.wait_for(timeout=15_000)
    assert before != picture.evaluate("image => fetch(image.src).then(r => r.blob()).then(b => b.size)")
    scroll_to(page24, page24.locator("iframe[title='X-ray report']"))
    page24.frame_locator("iframe[title='X-ray report']").get_by_text("filter far too large").first.wait_for(
        timeout=15_000
    )


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
    page = lab[0].new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    page.goto((tmp_path / "report.html").as_uri())
    for summary in page.locator("summary").all():
        summary.click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 20)")
    assert page.locator("ol.findings > li").count() >= 2


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
def test_the_reading_edition_is_whole_accessible_and_fits_a_phone(lab, tmp_path, width, scheme):
    """No message in the console, no request to the outside, no missing picture, nothing wider than the window."""
    from axe_playwright_python.sync_playwright import Axe

    from book.build import main

    main(tmp_path)
    page = lab[0].new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    messages, requests = [], []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    for path in sorted(tmp_path.glob("*.html")):
        page.goto(path.as_uri())
        for frame in page.frames:
            assert frame.evaluate("document.images.length") > 2, path.name
            assert frame.evaluate("[...document.images].every(image => image.naturalWidth > 20)"), path.name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
        assert page.locator("nav details a").first.is_visible() == (width > 1000)
        # Without `preload` axe fetches the style sheet once more, which a browser refuses for files.
        rules = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
        assert not {rule["id"] for rule in rules if rule["impact"] in ("serious", "critical")}, path.name
    assert not messages
    assert not [address for address in requests if not address.startswith((tmp_path.as_uri(), "data:"))]
