"""What axe finds on a page of JupyterLab, but for what JupyterLab itself breaks."""

from __future__ import annotations

import json
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe

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
# On a phone JupyterLab makes a box that scrolls of each text and result with a word or table that is too wide for it.
NARROW = tuple(("scrollable-region-focusable", mark) for mark in ("jp-MarkdownOutput", "jp-OutputArea-output"))
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


INSIDE = """widget => {
    const room = widget.closest('.jp-OutputArea-output').getBoundingClientRect()
    const controls = [...widget.querySelectorAll('select, input, button, .noUi-base, img, .progress')]
    return controls.filter(control => control.offsetWidth || control.offsetHeight).map(control => {
        const box = control.getBoundingClientRect()
        return [control.className, Math.round(box.left - room.left), Math.round(room.right - box.right)]
    })
}"""
"""Of a widget: its controls, and how many pixels each is from the left and from the right end of its cell's output."""


def show_all_cells(settings: Path) -> None:
    """Have a JupyterLab with these settings put all cells of a notebook on the page, and listen to `jupyterapp`."""
    for name, value in {
        "user/@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
        "jupyter_config_dir/jupyter_server_config.json": {"LabApp": {"expose_app_in_browser": True}},
    }.items():
        (settings / name).parent.mkdir(parents=True)
        (settings / name).write_text(json.dumps(value))


def assert_whole(page, last: str = "10. Key takeaways") -> None:
    """The last section is there, no output is an error or a warning, no picture is broken, nothing scrolls sideways."""
    page.get_by_role("heading", name=last).wait_for()
    alarms = page.locator('[data-mime-type$="jupyter.error"], [data-mime-type$="jupyter.stderr"]')
    assert alarms.count() == 0, alarms.first.inner_text()
    page.wait_for_function("[...document.images].every(image => !image.src || image.naturalWidth)")
    notebook = page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer").first
    assert notebook.evaluate("notebook => notebook.scrollWidth - notebook.clientWidth") <= 0


def serious(page, known=JUPYTERLABS) -> list[tuple[str, str]]:
    """The rules that the course breaks in the notebook area, and where; texts of too little contrast among them.

    known : rules, and marks of what JupyterLab breaks itself.
    """
    context, options = {"include": [[".jp-NotebookPanel"]]}, {"resultTypes": ["violations"]}
    found = Axe().run(page, context, options).response["violations"]
    return [
        (rule["id"], node["html"][:300])
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
        if not any(rule["id"] == name and mark in node["html"] for name, mark in known)
    ] + [(f"contrast {ratio}", where) for ratio, where in page.evaluate(FAINT)]


def assert_nothing_serious(page) -> None:
    """Light and dark, narrow and wide; and from 700 pixels on no control of a widget lies outside of its cell."""
    page.evaluate("jupyterapp.shell.collapseLeft()")
    for theme, width in (("Light", 390), ("Light", 1600), ("Dark", 700)):
        page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", f"JupyterLab {theme}")
        page.locator(f'body[data-jp-theme-name="JupyterLab {theme}"]').wait_for(state="attached")
        page.set_viewport_size({"width": width, "height": 1000})
        found = serious(page, (*JUPYTERLABS, *NARROW) if width < 700 else JUPYTERLABS)
        assert found == [], (theme, width, found)
        for widget in page.locator(".jp-OutputArea-output > .jupyter-widgets").all():
            found = widget.evaluate(INSIDE)
            assert width < 700 or all(left >= 0 and right >= 0 for _, left, right in found), (width, found)
