"""The microscope's page in Chromium, from a file, without a network: python -m benchmarks.microscope

How large it is, how soon the first wall is there, and what a look, a photo of one's own and a step of growing take.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from days.common.images import load_image
from days.common.paths import REPO_ROOT, write_bytes
from days.microscope.page import write_page
from days.microscope.store import STORE

TIMES = 5
ALT = (
    "The microscope's page: the cat's photo with its top five, a wall of grown pictures of fire9, and the panel of "
    "channel 426, which fires at the cat's eyes."
)
WALL = "document.querySelectorAll('#wall a').length && performance.getEntriesByType('paint').length"


def sizes(folder: Path) -> dict[str, float]:
    """Megabytes of the whole page, and without the sheets."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    sheets = [path for path in files if path.parent.name == "layers" and path.suffix != ".js"]
    whole = sum(path.stat().st_size for path in files)
    return {"MB": whole / 1e6, "MB without sheets": (whole - sum(path.stat().st_size for path in sheets)) / 1e6}


def measured(view, path: Path, photo: Path) -> dict[str, float]:
    """Milliseconds of one visit, on a new page."""
    view.context.set_offline(True)
    begun = time.perf_counter()
    view.goto(path.as_uri(), wait_until="commit")
    view.wait_for_function(WALL)
    found = {"wall on screen": 1000 * (time.perf_counter() - begun)}
    view.wait_for_load_state("load")
    found["page loaded"] = 1000 * (time.perf_counter() - begun)
    view.locator("#said").filter(has_text="One look took").wait_for()
    found["first top five"] = 1000 * (time.perf_counter() - begun)
    begun = time.perf_counter()
    view.locator("#file").set_input_files(photo)
    view.locator("#said").filter(has_text=photo.name).wait_for()
    found["own photo to top five"] = 1000 * (time.perf_counter() - begun)
    found["one look"] = view.evaluate("live.seen.took")
    grow = "live.ask('grow', {layer: 'fire9', channel: 0, size: 128, steps: 10}, () => 0)"
    found["step of growing"] = view.evaluate(
        f"(async () => {{ const t = performance.now(); await {grow}; return (performance.now() - t) / 10; }})()"
    )
    view.close()
    return found


def picture(view, path: Path) -> bytes:
    """The README's picture of the page, as JPEG."""
    view.goto(path.as_uri() + "#fire9/426")
    view.locator("#on-photo canvas").wait_for()
    view.wait_for_load_state("networkidle")
    with Image.open(io.BytesIO(view.screenshot())) as screen:
        file = io.BytesIO()
        screen.convert("RGB").save(file, "JPEG", quality=76, comment=ALT.encode())
    return file.getvalue()


def main(arguments: argparse.Namespace) -> None:
    """Print Markdown rows, medians of several visits; or take the README's picture."""
    sys.path.insert(0, str(REPO_ROOT / "tests"))
    from browser_tools import launched, new_page

    with tempfile.TemporaryDirectory() as name, launched() as browser:
        folder = Path(name)
        path, photo = write_page(arguments.store, folder / "page", home="index.html"), folder / "mine.jpg"
        if arguments.picture:
            write_bytes(arguments.picture, picture(new_page(browser, viewport={"width": 1200, "height": 860}), path))
            return
        Image.fromarray((load_image("astronaut", size=(3000, 4000)) * 255).astype(np.uint8)).save(photo)
        rows = [measured(new_page(browser), path, photo) for _ in range(TIMES)]
        print("| microscope | |\n| --- | --- |")
        for what, value in sizes(folder / "page").items():
            print(f"| {what} | {value:.1f} |")
        for what in rows[0]:
            print(f"| {what}, ms | {statistics.median(row[what] for row in rows):.0f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", nargs="?", type=Path, default=STORE)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="take the README's picture instead")
    main(parser.parse_args())
