"""The reading edition: static HTML of all days from the stored notebooks; no cell is run, no network is asked.

python -m book.build [FOLDER]     writes FOLDER/index.html and all that it needs; FOLDER is _book without one.
"""

from __future__ import annotations

import argparse
import base64
import re
import sys
from html import escape
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from book.cells import fold, for_reading
from book.search import index, sections
from book.text import Text
from days.common.paths import REPO_ROOT
from days.microscope.page import page_files
from days.microscope.store import STORE

HERE = Path(__file__).parent
TWINS = {"day17.html", "day18.html", "day19.html"}  # their sections 6 and 7 say the same, each in its framework
PICTURES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}
WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_NOTE = '<p class="note">Here the notebook has a widget: run it in JupyterLab.</p>'
BOOK_NOTE = (
    "*This is the reading edition: it shows what the notebooks hold. `make lab` opens them, and there all of it runs.*"
)


def course_map(readme: str, tastes: str, credits: str) -> tuple[dict[str, str], str]:
    """The days' titles by page, and the first page's Markdown.

    readme : has the opening, and a row for each day with its title, question and time. tastes : a section for each day,
    with what is shown of it and a picture. credits : goes to the end.
    """
    rows = re.findall(r"^\| (?:\[(\d+)\]\(\S+\)|(\d+)) (.+?) \| (.+?) \| (.+?) \|$", readme, re.MULTILINE)
    shown = dict(re.findall(r"^## Day (\d+): .+?\n(.+?)(?=^## |\Z)", tastes, re.MULTILINE | re.DOTALL))
    titles, parts = {}, [readme.split("\n## ")[0], BOOK_NOTE]
    for linked, plain, title, question, time in rows:
        number = linked or plain
        name = f"day{number}.html"
        titles[name] = f"{number} {title}"
        parts += [f'## <a href="{name}">Day {number}: {title}</a>', f"**{question}** {time}", shown.get(number, "")]
    return titles, "\n\n".join([*parts, f"#{credits}"])


def take_out_pictures(path: Path, notebook: nbformat.NotebookNode) -> dict[str, bytes]:
    """Turn a notebook's pictures into files beside the page, and its widgets into a sentence; returns the files.

    Raises ValueError for a picture without a description, and for an error or a warning among the outputs.
    """
    files: dict[str, bytes] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            where = f"{path.name}, cell {cell.execution_count}"
            if output.output_type == "error" or output.get("name") == "stderr":
                raise ValueError(f"{where}: expected neither error nor warning, got one; mend it, run `make notebooks`")
            data = output.get("data", {})
            if WIDGET in data:
                output.data = {"text/html": data.get("text/html", WIDGET_NOTE)}
            for kind in PICTURES.keys() & data.keys():
                alt = output.metadata.get(kind, {}).get("alt", "")
                if not alt:
                    raise ValueError(f"{where}: expected a picture with a description, got none; draw it with `show`")
                name = f"{path.parent.name}/{len(files) + 1:02d}.{PICTURES[kind]}"
                files[name] = base64.b64decode(data[kind])
                image = f'<img src="{name}" alt="{escape(alt)}">'
                output.data = {"text/html": f'<figure><a href="{name}">{image}</a></figure>'}
    return files


def page(notebook: nbformat.NotebookNode, name: str, titles: dict[str, str], source: str = "") -> bytes:
    """A notebook as an HTML page with the course's navigation.

    titles : the days' titles by page, in order. source : the notebook's file in the book, if the page is to link it.
    """
    text = Text(twins=name in TWINS)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = text.render(cell.source)
    days = [("index.html", "The course"), *titles.items()]
    place = [day for day, _ in days].index(name)
    about = {"name": name, "title": days[place][1], "days": days, "contents": text.contents, "notebook": source}
    about |= {"previous": days[:place][-1:], "next": days[place + 1 :][:1]}
    exporter = HTMLExporter(template_name="template", extra_template_basedirs=[str(HERE)])
    exporter.register_filter("fold", fold)
    return exporter.from_notebook_node(notebook, resources={"page": about})[0].encode()


def without_outputs(path: Path) -> bytes:
    """A notebook as it is before it is run."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return (nbformat.writes(notebook) + "\n").encode()


def style() -> bytes:
    """The style sheet, with colors of code that have enough contrast on light and on dark."""
    light, dark = (HtmlFormatter(style=name).get_style_defs(".highlight") for name in ("xcode", "github-dark"))
    sheet = (HERE / "style.css").read_text(encoding="utf-8")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{sheet}".encode()


def book() -> dict[str, bytes]:
    """All files of the book by name.

    Raises ValueError for a notebook that the README does not name, that is not ready, or has a formula that is broken.
    """
    sources = ("README.md", "docs/DAYS.md", "docs/CREDITS.md")
    titles, first = course_map(*((REPO_ROOT / name).read_text(encoding="utf-8") for name in sources))
    outputs = re.compile(r"\((?:\.\./)?days/(day\d+)/outputs/(\S+?)\)")
    files = {"style.css": style(), "book.js": (HERE / "book.js").read_bytes()}
    for day, name in outputs.findall(first):
        files[f"{day}/{name}"] = (REPO_ROOT / "days" / day / "outputs" / name).read_bytes()
    cell = nbformat.v4.new_markdown_cell(outputs.sub(r"(\1/\2)", first))
    files["index.html"] = page(nbformat.v4.new_notebook(cells=[cell]), "index.html", titles)
    entries = sections("index.html", "The course", [cell])
    for path in sorted((REPO_ROOT / "days").glob("day*/*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        files |= take_out_pictures(path, notebook)
        name = f"{path.parent.name}.html"
        if name not in titles:
            raise ValueError(f"expected {path.parent.name} in the README's table of days, got {', '.join(titles)}")
        for_reading(notebook, path.parent.name)
        source = f"{path.parent.name}/{path.name}"
        files |= {name: page(notebook, name, titles, source), source: without_outputs(path)}
        entries += sections(name, titles[name], notebook.cells)
    files["search.js"] = index(entries)
    return files | page_files(STORE, home="index.html")


def main(folder: Path) -> None:
    """Build the whole book first, then write it to `folder`: a notebook that is refused leaves the old book alone."""
    for name, data in book().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    print(folder / "index.html")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the reading edition of all days.")
    parser.add_argument("folder", nargs="?", type=Path, default="_book")
    try:
        main(parser.parse_args().folder)
    except (OSError, ValueError) as error:
        sys.exit(f"no book: {error}")
