"""From key press to new picture: the widgets timed in JupyterLab in a real browser, on a quiet machine.

python -m benchmarks.widgets
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from days.common.paths import REPO_ROOT

sys.path.insert(0, str(REPO_ROOT / "tests"))
from browser_tools import jupyter_server, launched, new_page, open_notebook, run_all_cells

SOURCES = [
    "from days.common.models import load_model\n\nmodel = load_model('squeezenet')",
    "from days.day17.code.explorer import channel_explorer\n\nchannel_explorer(model)",
    "from days.day22.code.explorer import attribution_explorer\n\nattribution_explorer(model)",
    "from days.day19.code.explorer import ascent_explorer\n\nascent_explorer(model, steps=600).box",
    "from days.day20.code.explorer import growing_explorer\n\ngrowing_explorer(model, steps=600).box",
    "from days.day21.code.explorer import dream_explorer\n\ndream_explorer(model.network, steps=100).box",
]
WIDGET = ".jp-OutputArea-output > .jupyter-widgets"
PRESS = """([widget, key]) => new Promise(done => {
    const start = performance.now(), image = widget.querySelector('img.explorer-picture')
    image.addEventListener('load', () => done(performance.now() - start), {once: true})
    widget.querySelector('.noUi-handle').dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}))
})"""
COUNT = """([widget, seconds]) => new Promise(done => {
    let pictures = 0
    const image = widget.querySelector('img.growing-picture'), count = () => { pictures += 1 }
    image.addEventListener('load', count)
    setTimeout(() => { image.removeEventListener('load', count); done(pictures / seconds) }, 1000 * seconds)
})"""


def key_to_picture(widget, presses: int = 20) -> list[float]:
    """Milliseconds from a key on the first slider until its picture has been loaded; the first press warms up."""
    keys = ["ArrowLeft", "ArrowRight"] * presses
    return [widget.page.evaluate(PRESS, [widget.element_handle(), key]) for key in keys][1:]


def pictures_a_second(widget, seconds: float = 5) -> float:
    """How often a picture that grows is loaded."""
    widget.get_by_role("button", name="Start").click()
    rate = widget.page.evaluate(COUNT, [widget.element_handle(), seconds])
    widget.get_by_role("button", name="Stop").click()
    return rate


def measured(page) -> None:
    """Print a line for each widget."""
    for place, name in enumerate(("day 17, channel", "day 22, strength", "day 19", "day 20", "day 21")):
        widget = page.locator(WIDGET).nth(place)
        widget.scroll_into_view_if_needed()
        if place < 2:
            times = key_to_picture(widget)
            print(f"{name}: key to picture {statistics.median(times):.0f} ms (median), {max(times):.0f} ms (most)")
        else:
            print(f"{name}: {pictures_a_second(widget):.1f} pictures a second")


def main() -> None:
    """Run the widgets of the days in a notebook made for this, and time them."""
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    cells = [new_code_cell(source) for source in SOURCES]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "course/widgets.ipynb")
        path.parent.mkdir()
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
        with jupyter_server(path.parent, Path(folder, "settings")) as address, launched() as browser:
            page = new_page(browser, viewport={"width": 1400, "height": 4000})
            open_notebook(page, address, path.name)
            run_all_cells(page, len(cells))
            page.locator(WIDGET).nth(4).wait_for()
            measured(page)


if __name__ == "__main__":
    main()
