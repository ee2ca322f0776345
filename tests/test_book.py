"""The reading edition: whole, without a network, without a picture that nobody describes."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from urllib.parse import unquote, urldefrag

import nbformat
import pytest
from bs4 import BeautifulSoup
from notebook_tools import NOTEBOOKS, headings, read
from PIL import Image

from book import build
from book.text import Text, mathml, page_of

PAGES = ["index.html", *(f"{path.parent.name}.html" for path in NOTEBOOKS)]
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<!\$)\$([^$]+)\$", re.DOTALL)
every_page = pytest.mark.parametrize("name", PAGES)
every_day = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.parent.name)


@pytest.fixture(scope="module")
def book():
    return build.book()


@pytest.fixture(scope="module")
def pages(book):
    return {name: BeautifulSoup(book[name], "html.parser") for name in PAGES}


def test_every_day_has_a_page_and_nothing_else_has(book):
    assert sorted(name for name in book if name.endswith(".html")) == sorted(PAGES)


def test_is_written_as_it_was_built_and_the_same_notebooks_give_the_same_bytes(book, tmp_path):
    folder = tmp_path / "a new/folder"
    build.main(folder)
    written = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert set(written) == set(book)
    for name, path in written.items():
        data = book[name] if isinstance(book[name], bytes) else book[name].encode()
        assert path.read_bytes() == data, name


@every_page
def test_links_and_anchors_lead_somewhere(book, pages, name):
    for link in pages[name].select("[href]:not([rel=icon])"):
        target, anchor = urldefrag(link["href"])
        if not target.startswith("https:"):
            assert not target or unquote(target) in book, link
            assert not anchor or pages[target or name].find(id=anchor), link


@every_page
def test_anchors_are_unique(pages, name):
    anchors = [element["id"] for element in pages[name].select("[id]")]
    assert len(set(anchors)) == len(anchors)


@every_page
def test_pictures_are_there_and_described(book, pages, name):
    pictures = pages[name].select("img")
    assert len(pictures) > 4
    for picture in pictures:
        assert len(picture["alt"]) > 20
        Image.open(io.BytesIO(book[picture["src"]])).verify()


@every_page
def test_nothing_comes_from_outside_and_nothing_runs(book, pages, name):
    assert not pages[name].select("script, object, embed, video, audio")
    for element in pages[name].select("link, img, iframe[src]"):
        assert "//" not in (element.get("src") or element["href"])
    assert b"url(" not in book["style.css"]
    assert b"@import" not in book["style.css"]


@every_page
def test_has_one_title_and_every_landmark(pages, name):
    page = pages[name]
    assert page.html["lang"] == "en"
    assert [len(page.select(kind)) for kind in ("h1", "main", "header", "title")] == [1, 1, 1, 1]
    assert page.select_one(f'nav a[aria-current="page"][href="{name}"]')
    assert page.body.a["href"] == "#" + page.main["id"]


@every_page
def test_pages_follow_each_other(pages, name):
    place = PAGES.index(name)
    for rel, wanted in (("prev", PAGES[place - 1 : place]), ("next", PAGES[place + 1 : place + 2])):
        assert [link["href"] for link in pages[name].select(f"[rel={rel}]")] == wanted


@every_day
def test_all_sections_are_in_the_contents(pages, path):
    contents = pages[f"{path.parent.name}.html"].select("nav ol ol a")
    assert len(contents) == len(headings(path, 2)) >= 9


@every_day
def test_every_formula_is_mathml_with_its_latex(pages, path):
    page = pages[f"{path.parent.name}.html"]
    source = "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    assert [math["alttext"] for math in page.select("math")] == [a.strip() or b for a, b in FORMULA.findall(source)]
    assert "$" not in page.main.get_text()


@every_day
def test_all_outputs_are_there(book, pages, path):
    page, outputs = pages[f"{path.parent.name}.html"], [o for c in read(path).cells for o in c.get("outputs", [])]
    kinds = [set(output.get("data", {})) for output in outputs]
    pictures = [output.data[kind] for output in outputs for kind in build.PICTURES if kind in output.get("data", {})]
    assert [book[image["src"]] for image in page.select("img")] == [base64.b64decode(data) for data in pictures]
    assert len(page.select(".note")) == sum(build.WIDGET in kind for kind in kinds)
    assert len(page.select("[role=status], iframe[srcdoc]")) == sum("text/html" in kind for kind in kinds)
    text = page.main.get_text()
    assert all(output.text.strip() in text for output in outputs if output.output_type == "stream")
    assert not re.search(r"VBox\(|<Figure", text)


def test_animations_move(book):
    animations = [Image.open(io.BytesIO(data)) for name, data in book.items() if name.endswith(".gif")]
    assert len(animations) >= 6
    assert all(animation.n_frames > 5 and animation.info["loop"] == 0 for animation in animations)


def test_the_first_page_has_every_day_and_every_picture_of_the_readme(pages):
    readme = (build.REPO_ROOT / "README.md").read_text(encoding="utf-8")
    assert len(pages["index.html"].select('h2 a[href^="day"]')) == len(NOTEBOOKS)
    assert len(pages["index.html"].select("img")) == readme.count("](days/day") - readme.count(".ipynb)")
    assert pages["index.html"].find(string=re.compile("CC BY 2.0"))


def one_output(**parts) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell("show(figure)", execution_count=3)
    cell.outputs = [nbformat.v4.new_output(**parts)]
    return nbformat.v4.new_notebook(cells=[cell])


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"output_type": "display_data", "data": {"image/png": "iVBORw0="}}, "a picture with a description"),
        ({"output_type": "stream", "name": "stderr", "text": "careful"}, "neither error nor warning"),
        ({"output_type": "error", "ename": "KeyError", "evalue": "", "traceback": []}, "neither error nor warning"),
    ],
)
def test_a_notebook_that_is_not_ready_is_refused(parts, said):
    with pytest.raises(ValueError, match=rf"{NOTEBOOKS[0].name}, cell 3: expected {said}"):
        build.take_out_pictures(NOTEBOOKS[0], one_output(**parts))


def test_a_refused_notebook_leaves_the_old_book_alone(tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("old")
    monkeypatch.setattr(build, "course_map", lambda readme: ({"day17.html": "17"}, "# Course"))
    with pytest.raises(ValueError, match=r"expected day18 in the README's table of days, got day17.html"):
        build.main(tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir() if path.is_file()] == ["old"]


@pytest.mark.parametrize("latex", [r"\nosuchcommand{x}", r"x^"])
def test_a_formula_that_cannot_be_set_is_refused_by_name(latex):
    with pytest.raises(ValueError, match=re.escape(repr(latex))):
        mathml(latex)


@pytest.mark.parametrize(
    ("link", "page"),
    [
        ("../day19/day19_feature_visualization.ipynb", "day19.html"),
        ("days/day17/day17_x.ipynb", "day17.html"),
        ("../common/figures.py", ""),
        ("https://example.org/day19", ""),
    ],
)
def test_links_to_notebooks_become_links_to_pages(link, page):
    assert page_of(link) == page


def test_the_name_of_a_file_that_the_book_lacks_is_text():
    assert Text().render("see [the code](../common/figures.py)") == "<p>see the code</p>\n"
    assert 'href="https://example.org"' in Text().render("see [there](https://example.org)")


def test_is_a_command_that_says_in_a_line_what_went_wrong(tmp_path):
    (tmp_path / "file").touch()
    command = [sys.executable, "-m", "book.build", str(tmp_path / "file")]
    run = subprocess.run(command, cwd=build.REPO_ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert re.fullmatch(r"no book: .*file.*\n", run.stderr)
