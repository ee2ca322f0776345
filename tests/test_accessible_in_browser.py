"""What axe finds in JupyterLab, light and dark: nothing serious but what JupyterLab itself breaks."""

from __future__ import annotations

import json
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser_tools import jupyter_server, launched, new_page, open_notebook, run_all_cells, shut_down_kernels
from notebook_tools import code_cells, shortened, write_as_never_run
from test_browser import DAYS, WIDGETS

from days.common.paths import REPO_ROOT

pytestmark = pytest.mark.browser

# Found in a notebook of a plain heading, code and results, too, where nothing is the course's. Only a slider's handle
# is ipywidgets': the number box beside each has its name.
JUPYTERLABS = (
    ("aria-allowed-attr", "jp-ToolbarButtonComponent"),
    ("aria-input-field-name", "cm-content"),
    ("aria-input-field-name", "noUi-handle"),
    ("aria-required-children", "jp-WindowedPanel-viewport"),
    ("button-name", "jp-collapseHeadingButton"),
    ("scrollable-region-focusable", "cm-scroller"),
)
SLOW = pytest.mark.slow
# axe leaves contrast out here: it takes no text of a notebook's cells for visible.
FAINT = """() => {
    const parse = color => (color.match(/[\\d.]+/g) || []).map(Number)
    const light = color => {
        const [r, g, b] = color.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const behind = element => {
        const color = parse(getComputedStyle(element).backgroundColor)
        return color.length === 3 || color[3] > 0.5 ? color : behind(element.parentElement)
    }
    const words = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())
    const written = '.jp-RenderedHTMLCommon *, .jp-RenderedText *, .jupyter-widgets *'
    return [...document.querySelectorAll(written)].filter(it => words(it) && it.checkVisibility()).map(it => {
        const [a, b] = [parse(getComputedStyle(it).color), behind(it)].map(light).sort((a, b) => b - a)
        return [((a + 0.05) / (b + 0.05)).toFixed(1), it.outerHTML.slice(0, 300)]
    }).filter(([ratio]) => ratio < 4.5)
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A browser and JupyterLab's address, with all cells of a notebook on the page, and the folder that it serves."""
    folder, settings = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("settings")
    shutil.copytree(REPO_ROOT / "days", folder / "days", ignore=shutil.ignore_patterns("__pycache__"))
    for day, cells in (WIDGETS | {"day17": ["channel_explorer(", '"17.1"', '"17.3"', "Exercise 9.6"]}).items():
        write_as_never_run(shortened(DAYS[day], cells), folder / "days" / day / "widget.ipynb")
    for name, value in {
        "user/@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
        "jupyter_config_dir/jupyter_server_config.json": {"LabApp": {"expose_app_in_browser": True}},
    }.items():
        (settings / name).parent.mkdir(parents=True)
        (settings / name).write_text(json.dumps(value))
    with launched() as browser, jupyter_server(folder, settings) as address:
        yield browser, address, folder


def serious(page) -> list[tuple[str, str]]:
    """The rules that the course breaks in the notebook area, and where; texts of too little contrast among them."""
    context, options = {"include": [[".jp-NotebookPanel"]]}, {"resultTypes": ["violations"]}
    found = Axe().run(page, context, options).response["violations"]
    return [
        (rule["id"], node["html"][:300])
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
        if not any(rule["id"] == known and mark in node["html"] for known, mark in JUPYTERLABS)
    ] + [(f"contrast {ratio}", where) for ratio, where in page.evaluate(FAINT)]


@pytest.mark.parametrize(
    "path",
    [
        "days/start_here.ipynb",
        *(pytest.param(f"days/{day}/widget.ipynb", marks=SLOW) for day in DAYS),
        *(pytest.param(path.relative_to(REPO_ROOT).as_posix(), marks=SLOW) for path in DAYS.values()),
    ],
)
def test_axe_finds_nothing_serious_in_the_notebook_area(lab, path):
    browser, address, folder = lab
    shut_down_kernels(address)
    page = new_page(browser, viewport={"width": 1600, "height": 1000})
    open_notebook(page, address, path)
    page.evaluate("jupyterapp.shell.collapseLeft()")
    if "widget" in path:
        run_all_cells(page, len(code_cells(folder / path)))
    for theme, width in (("Light", 1000), ("Dark", 700), ("Dark", 1600)):
        page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", f"JupyterLab {theme}")
        page.locator(f'body[data-jp-theme-name="JupyterLab {theme}"]').wait_for(state="attached")
        page.set_viewport_size({"width": width, "height": 1000})
        assert serious(page) == [], (theme, width)
    page.close()


def test_axe_is_heard(lab):
    """What the course must not do is found, on the same page and with the same exceptions."""
    browser, address, _ = lab
    page = new_page(browser)
    open_notebook(page, address, "days/start_here.ipynb")
    page.evaluate(
        """() => {
            const text = document.querySelector('.jp-MarkdownOutput p')
            text.innerHTML = '<img src="data:,"><select></select>'
            text.innerHTML += '<span style="color: #aaa; background: #bbb">faint</span>'
        }"""
    )
    assert {rule for rule, _ in serious(page)} == {"image-alt", "select-name", "contrast 1.2"}
    page.close()
