"""The reading edition: whole, without a network, without a picture that nobody describes."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag
from xml.etree import ElementTree

import nbformat
import numpy as np
import pytest
import scipy
from browser_tools import launched, new_page
from bs4 import BeautifulSoup
from latex2mathml.converter import convert
from notebook_tools import NOTEBOOKS, headings, read
from PIL import Image

from book import build
from book.text import Text, mathml, page_of
from book.windows import windows
from days import thumbnails
from days.day17.code.lesson import EDGE_KERNEL, toy_image
from days.microscope.store import STORE, read_layer

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


def test_every_day_has_a_page_and_so_has_the_microscope(book):
    assert sorted(name for name in book if name.endswith(".html")) == sorted([*PAGES, "microscope.html"])


@pytest.fixture(scope="module")
def edition(tmp_path_factory) -> Path:
    """A folder with the reading edition."""
    folder = tmp_path_factory.mktemp("an edition") / "a new/folder"
    build.main(folder)
    return folder


def test_is_written_as_it_was_built_and_the_same_notebooks_give_the_same_bytes(book, edition):
    written = {path.relative_to(edition).as_posix(): path for path in edition.rglob("*") if path.is_file()}
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
            if target == "microscope.html" and anchor:
                layer, channel = anchor.split("/")
                assert int(channel) < len(read_layer(STORE, layer)["crops"]), link
                continue
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
def test_nothing_comes_from_outside(book, pages, name):
    assert not pages[name].select("object, embed, video, audio, [onclick]")
    assert [script["src"] for script in pages[name].select("script")] == ["book.js"]
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
    page = pages[f"{path.parent.name}.html"]
    assert len(page.select("nav > details > ol > li > ol > li > a")) == len(headings(path, 2)) >= 9
    assert len(page.select("nav ol ol ol a")) == len(headings(path, 3))
    assert [link["href"][1:] for link in page.select("nav ol ol a")] == [
        heading["id"] for heading in page.select("main :is(h2, h3)")
    ]


@every_day
def test_every_formula_is_mathml_with_its_latex(pages, path):
    page = pages[f"{path.parent.name}.html"]
    source = "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    assert [math["alttext"] for math in page.select("math")] == [a.strip() or b for a, b in FORMULA.findall(source)]
    assert "$" not in page.main.get_text()


@every_day
def test_all_outputs_are_there_but_the_verdicts_on_exercises_that_nobody_has_tried(book, pages, path):
    page = pages[f"{path.parent.name}.html"]
    cells = [cell for cell in read(path).cells if ".check(" not in cell.source]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    kinds = [set(output.get("data", {})) for output in outputs]
    pictures = [output.data[kind] for output in outputs for kind in build.PICTURES if kind in output.get("data", {})]
    assert [book[image["src"]] for image in page.select("img")] == [base64.b64decode(data) for data in pictures]
    assert len(page.select(".output .note")) == sum(build.WIDGET in kind and "text/html" not in kind for kind in kinds)
    assert len(page.select("div.output")) == sum("text/plain" in kind and kind != {"text/plain"} for kind in kinds)
    text = page.main.get_text()
    assert all(output.text.strip() in text for output in outputs if output.output_type == "stream")
    assert not re.search(r"VBox\(|<Figure|not attempted yet", text)


@every_day
def test_what_only_serves_to_run_a_notebook_is_left_out(book, pages, path):
    page = pages[f"{path.parent.name}.html"]
    text = page.main.get_text()
    assert "find_repo_root" not in text
    assert "FIGURES.rebuild()" not in text
    assert not re.search(r"run the cell|\.hint\(\)|\.check\(", text, re.IGNORECASE)
    imports = page.select_one(".input details")
    assert imports.summary.text == "Imports"
    assert "import numpy as np" in imports.get_text()


@every_day
def test_every_page_has_its_notebook_to_be_run(book, pages, path):
    (link,) = pages[f"{path.parent.name}.html"].select("a[download]")
    notebook = nbformat.reads(book[link["href"]].decode(), as_version=4)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in read(path).cells]
    assert not any(cell.get("outputs") for cell in notebook.cells)


@every_day
def test_every_exercise_has_its_hints_and_its_solution_folded_in(pages, path):
    module = __import__(f"days.{path.parent.name}.code.exercises", fromlist=["exercises"])
    asked = re.findall(r"exercises\.(\w+)\.check\(", "\n".join(cell.source for cell in read(path).cells))
    helps = pages[f"{path.parent.name}.html"].select(".help")
    assert len(helps) == len(asked) >= 5
    for name, folded in zip(asked, helps, strict=True):
        exercise, parts = getattr(module, name), folded.select("details")
        assert [part.summary.text for part in parts[:-1]] == [
            f"Hint {place + 1} of {len(exercise.hints)}" for place in range(len(exercise.hints))
        ]
        assert parts[-1].pre.get_text().strip() == exercise.solution().text
        assert not folded.select("details[open]")
        assert f"def {name}(" in folded.find_previous("pre").get_text()


@every_page
def test_no_raw_markdown_is_seen(pages, name):
    main = BeautifulSoup(str(pages[name].main), "html.parser")
    for element in main.select("pre, code, math, iframe"):
        element.decompose()
    assert not re.search(r"\*\*\S|\S\*\*|`|\]\(|^#+ ", main.get_text(), re.MULTILINE)


@pytest.mark.parametrize("path", [*NOTEBOOKS, build.REPO_ROOT / "days/start_here.ipynb"], ids=lambda path: path.stem)
def test_markdown_goes_on_behind_a_folded_part(path):
    for cell in read(path).cells:
        assert not re.search(r"</details>(?!\n\n|\s*\Z)", cell.source), cell.source


def test_a_cell_whose_outputs_the_notebook_hides_has_them_folded():
    cells = [nbformat.v4.new_markdown_cell("# Day"), one_output(output_type="stream", text="forty-two").cells[0]]
    cells[1].metadata["jupyter"] = {"outputs_hidden": True}
    html = build.page(nbformat.v4.new_notebook(cells=cells), "day17.html", {"day17.html": "17"})
    (folded,) = BeautifulSoup(html, "html.parser").select("main details")
    assert "forty-two" in folded.get_text()
    assert not folded.has_attr("open")


def test_a_widget_with_words_of_its_own_shows_these():
    data = {build.WIDGET: {}, "text/html": "<ul><li>edges</li></ul>"}
    notebook = one_output(output_type="display_data", data=data)
    build.take_out_pictures(NOTEBOOKS[0], notebook)
    assert notebook.cells[0].outputs[0].data == {"text/html": data["text/html"]}


@pytest.mark.parametrize("name", sorted(build.TWINS))
def test_twin_sections_are_marked_and_both_are_read_without_a_script(pages, name):
    sections = pages[name].select("main > section[data-framework]")
    assert [section["data-framework"] for section in sections] == ["PyTorch", "Keras"]
    assert [section.h2.text[:2] for section in sections] == ["6.", "7."]
    assert not pages[name].select("main [hidden]")


def test_the_search_knows_every_section_and_what_it_says(book, pages):
    entries = json.loads(book["search.js"].decode().removeprefix("const SECTIONS = ").removesuffix(";\n"))
    wanted = [(name, heading["id"]) for name in PAGES for heading in pages[name].select("main :is(h1, h2, h3)[id]")]
    assert [(name, anchor) for name, anchor, *_ in entries] == wanted
    text = {(name, anchor): words for name, anchor, _, _, words in entries}
    assert "mathematicians call this cross-correlation" in text["day17.html", "2-python-one-feature-map-by-hand"]
    assert "register_forward_hook" in text["day17.html", "6-pytorch"]
    assert not any("<" in words and "</" in words for words in text.values())


def numbers(page) -> list[np.ndarray]:
    """The arrays of the windows' tables."""
    return [
        np.array([[float(cell.text) for cell in row.select("td")] for row in table.select("tr")])
        for table in page.select(".windows table")
    ]


def test_the_window_times_its_kernel_is_that_of_the_lesson(pages):
    image, kernel, _, answer = numbers(pages["day17.html"])
    np.testing.assert_array_equal(image, toy_image())
    np.testing.assert_array_equal(kernel, EDGE_KERNEL)
    np.testing.assert_array_equal(answer, scipy.signal.correlate2d(image, kernel, "valid"))


def test_the_windows_show_a_place_where_the_map_is_largest():
    image, kernel = np.array([[1.0, 2, 0], [0, -3, 5]]), np.array([[2.0, -1]])
    page = BeautifulSoup(windows(image, kernel, scipy.signal.correlate2d(image, kernel, "valid")), "html.parser")
    assert [table.tolist() for table in numbers(page)[2:]] == [[[4, 0]], [[0, 4], [3, -11]]]
    assert [cell.text for cell in page.select(".on")] == ["2", "0", "4"]
    assert page.p.text == "row 1, column 2: 4 + 0 = 4"


def test_animations_move(book):
    animations = [Image.open(io.BytesIO(data)) for name, data in book.items() if name.endswith(".gif")]
    assert len(animations) >= 6
    assert all(animation.n_frames > 5 and animation.info["loop"] == 0 for animation in animations)


def test_the_first_page_has_every_day_with_its_picture(pages):
    page = pages["index.html"]
    days = page.select('h2 a[href^="day"]')
    assert [day["href"] for day in days] == PAGES[1:]
    assert [day.find_next("img")["src"][:5] for day in days] == [name[:5] for name in PAGES[1:]]
    assert len(page.select("img")) == len(days) + 1
    assert page.find(string=re.compile("CC BY 2.0"))


def test_the_readme_says_what_the_start_takes_on_its_first_screen_and_is_short():
    readme = (build.REPO_ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.split()) <= 900
    first, days = readme.split("## The days")
    for said in ("git clone", "`make lab`", "`py course.py lab`", "minutes", "GB of disk"):
        assert said in first
    assert first.count("![") == 1
    assert re.findall(r"^## (.+)", days, re.MULTILINE) == [
        "How a lesson works",
        "Your own network",
        "To get a new version",
        "More",
    ]


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{name}.md" for name in ("DAYS", "SYSTEMS", "CREDITS"))])
def test_links_of_the_readme_and_its_pages_lead_to_files(name):
    path = build.REPO_ROOT / name
    links = re.findall(r"""\]\(([^)#]+)\)|(?:src|href)="([^"]+)\"""", path.read_text(encoding="utf-8"))
    for link in filter(lambda link: not link.startswith("http"), map("".join, links)):
        assert (path.parent / link).is_file(), link


def test_the_readme_shows_the_small_picture_of_each_day():
    readme = (build.REPO_ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f'src="days/outputs/day{day}.jpg"' in readme for day in thumbnails.PIECES)


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
    monkeypatch.setattr(build, "course_map", lambda *texts: ({"day17.html": "17"}, "# Course"))
    with pytest.raises(ValueError, match=r"expected day18 in the README's table of days, got day17.html"):
        build.main(tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir() if path.is_file()] == ["old"]


@pytest.mark.parametrize("latex", [r"f(x = 1) = a + b, \qquad y \approx -3", r"\frac{a + b}{c}", "x"])
def test_a_formula_that_is_broken_into_parts_says_the_same(latex):
    broken, whole = ElementTree.fromstring(mathml(latex, "block")), ElementTree.fromstring(convert(latex))
    assert list(broken.itertext()) == list(whole.itertext())
    first = "".join(broken[0][0].itertext())
    assert first == ("f(x=1)" if latex.startswith("f") else "".join(whole.itertext()))


@pytest.mark.parametrize("latex", [r"\nosuchcommand{x}", r"x^"])
def test_a_formula_that_cannot_be_set_is_refused_by_name(latex):
    with pytest.raises(ValueError, match=re.escape(repr(latex))):
        mathml(latex)


@pytest.mark.parametrize(
    ("link", "page"),
    [
        ("../day19/day19_feature_visualization.ipynb", "day19.html"),
        ("days/day17/day17_x.ipynb", "day17.html"),
        ("../start_here.ipynb", "index.html"),
        ("microscope.html#fire9/426", "microscope.html#fire9/426"),
        ("../common/figures.py", ""),
        ("https://example.org/day19", ""),
    ],
)
def test_links_to_notebooks_and_channels_become_links_to_pages(link, page):
    assert page_of(link) == page


def test_the_name_of_a_file_that_the_book_lacks_is_text():
    assert Text().render("see [the code](../common/figures.py)") == "<p>see the code</p>\n"
    assert 'href="https://example.org"' in Text().render("see [there](https://example.org)")


@pytest.mark.slow
def test_is_a_command_that_says_in_a_line_what_went_wrong(tmp_path):
    (tmp_path / "file").touch()
    command = [sys.executable, "-m", "book.build", str(tmp_path / "file")]
    run = subprocess.run(command, cwd=build.REPO_ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert re.fullmatch(r"no book: .*file.*\n", run.stderr)


# ---- In a browser, from files


@pytest.fixture(scope="module")
def browser():
    """A Chromium."""
    with launched() as browser:
        yield browser


@pytest.fixture
def read_page(browser, edition):
    """A function that opens a page of the book; afterwards no page may have logged or asked for anything outside."""
    messages, requests = [], []

    def opened(address: str, **options):
        page = new_page(browser, **{"viewport": {"width": 1200, "height": 900}} | options)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{edition.as_uri()}/{address}")
        return page

    yield opened
    assert not messages
    assert not [url for url in requests if not url.startswith((edition.as_uri(), "data:"))]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (390, "dark"),
        pytest.param(1000, "dark", marks=pytest.mark.slow),
        pytest.param(1600, "light", marks=pytest.mark.slow),
    ],
)
def test_pages_are_whole_accessible_and_fit_the_window(read_page, width, scheme):
    """No missing picture, nothing wider than the window, no formula wider than its box."""
    from axe_playwright_python.sync_playwright import Axe

    for name in PAGES:
        page = read_page(name, viewport={"width": width, "height": 900}, color_scheme=scheme)
        for frame in page.frames:
            assert frame.evaluate("document.images.length") > 2, name
            assert frame.evaluate("[...document.images].every(image => image.naturalWidth > 20)"), name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        wide = "[...document.querySelectorAll('.formula')].filter(box => box.scrollWidth > box.clientWidth + 1).length"
        assert page.evaluate(wide) == 0, name
        assert page.locator("nav details a").first.is_visible() == (width > 1024)
        if width != 1000:  # which has the parts of 390
            # Without `preload` axe fetches the style sheet once more, which a browser refuses for files.
            rules = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
            assert not {rule["id"] for rule in rules if rule["impact"] in ("serious", "critical")}, name
        page.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1200])
def test_the_search_finds_a_section_of_another_day_by_keys_alone(read_page, width):
    page = read_page("day24.html", viewport={"width": width, "height": 900})
    box, found = page.get_by_role("searchbox"), page.locator("search li")
    page.keyboard.press("/")
    page.keyboard.type("cross-CORRELATION flipped")
    page.get_by_text("found", exact=False).first.wait_for()
    assert box.input_value() == "cross-CORRELATION flipped"
    assert "2. Python — one feature map by hand" in found.first.inner_text()
    assert found.first.locator("mark").count() >= 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.keyboard.press("ArrowDown")
    assert found.first.locator("a").evaluate("link => link === document.activeElement")
    page.keyboard.press("Enter")
    page.wait_for_url("**/day17.html#2-python-one-feature-map-by-hand")
    page.get_by_role("heading", name="one feature map by hand").wait_for()


@pytest.mark.browser
def test_the_search_says_how_much_it_found_and_closes(read_page):
    page = read_page("index.html")
    page.keyboard.press("/")
    for typed, said in (("tyrannosaurus", "^0 sections found"), ("Laplacian pyramid", "^[1-9].* found")):
        page.get_by_role("searchbox").fill(typed)
        page.locator("search [role=status]").filter(has_text=re.compile(said)).wait_for()
    assert page.locator("search li").count() > 0
    page.keyboard.press("Escape")
    assert page.locator("search li").count() == 0
    assert page.get_by_role("searchbox").input_value() == ""


@pytest.mark.browser
@pytest.mark.parametrize("refused", [False, True])
def test_a_button_copies_the_code(read_page, edition, refused):
    page = read_page("day17.html")
    if refused:  # a browser that gives files no clipboard
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    block = page.locator(".highlight").filter(has_text="windows = np.lib")
    block.hover()
    block.get_by_role("button", name="Copy").click()
    block.get_by_role("button", name="Copied").wait_for()
    page.evaluate("document.body.prepend(document.createElement('textarea'))")
    page.locator("textarea").focus()
    page.keyboard.press("Control+v")
    (cell,) = [cell for cell in read(NOTEBOOKS[0]).cells if cell.source.startswith("windows = np.lib")]
    assert page.locator("textarea").input_value() == cell.source + "\n"


@pytest.mark.browser
def test_the_choice_of_a_framework_holds_on_other_pages_and_links_and_print_show_what_is_hidden(read_page, edition):
    page = read_page("day17.html")
    torch, keras = (page.locator(f"section[data-framework={name}]") for name in ("PyTorch", "Keras"))
    tabs = page.get_by_role("tab")
    assert (torch.is_visible(), keras.get_by_role("heading").is_visible()) == (True, False)
    tabs.filter(has_text="PyTorch").focus()
    page.keyboard.press("ArrowRight")
    assert tabs.filter(has_text="Keras").get_attribute("aria-selected") == "true"
    assert keras.get_by_role("heading").is_visible()
    page.goto(f"{edition.as_uri()}/day19.html")
    assert keras.get_by_role("heading").is_visible()
    assert not torch.get_by_role("heading").is_visible()
    page.get_by_role("link", name="6. PyTorch").click()
    torch.get_by_role("heading").wait_for()
    assert not keras.get_by_role("heading").is_visible()
    hint = page.locator(".help details").first.locator("p")
    assert not hint.is_visible()
    page.emulate_media(media="print")
    assert hint.is_visible()
    assert torch.get_by_role("heading").is_visible()
    assert keras.get_by_role("heading").is_visible()


@pytest.mark.browser
def test_pointing_at_a_place_of_the_map_shows_its_window_times_the_kernel(read_page):
    page = read_page("day17.html")
    figure = page.locator(".windows")
    image, kernel = toy_image(), EDGE_KERNEL
    for row, column in np.ndindex(4, 4):
        figure.locator("table").last.locator("td").nth(4 * row + column).hover()
        products = image[row : row + 3, column : column + 3] * kernel
        shown = figure.locator("table").nth(2).locator("td").all_inner_texts()
        assert [float(text) for text in shown] == products.ravel().tolist()
        said = figure.locator("p").inner_text()
        assert said.startswith(f"row {row + 1}, column {column + 1}: ")
        assert eval(said.split(": ")[1].replace("=", "==")), said
        marked = (
            figure.locator("table")
            .first.locator("td")
            .evaluate_all(
                "cells => cells.map((cell, place) => cell.classList.contains('on') ? place : -1).filter(at => at >= 0)"
            )
        )
        assert marked == [6 * (row + y) + column + x for y in range(3) for x in range(3)]


@pytest.mark.browser
def test_the_map_can_be_walked_through_by_keys(read_page):
    page = read_page("day17.html")
    page.get_by_role("button", name="row 1, column 1: 0").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    assert page.locator(".windows p").inner_text().startswith("row 3, column 1: ")


@pytest.mark.browser
def test_an_answer_opens_below_its_prediction_and_a_figure_in_its_own_size(read_page):
    page = read_page("day17.html")
    question = page.get_by_text("Predict 17.2")
    question.scroll_into_view_if_needed()
    assert question.is_visible()
    answer = page.locator("details").filter(has_text="Measured: fire9").first
    assert not answer.get_by_text("Measured: fire9").is_visible()
    answer.locator("summary").first.click()
    assert answer.get_by_text("Measured: fire9").is_visible()
    image = page.locator("figure img").first
    width, name = image.evaluate("image => [image.naturalWidth, image.src]")
    image.click()
    page.wait_for_url(name)
    assert page.locator("img").evaluate("image => image.naturalWidth") == width


@pytest.mark.browser
def test_the_contents_say_where_the_reader_is(read_page):
    page = read_page("day17.html")
    here = page.locator("nav [aria-current=location]")
    for heading in ("3.4 Inside a block", "10. Key takeaways", "1. Core intuition"):
        page.get_by_role("heading", name=heading, exact=True).evaluate("it => it.scrollIntoView()")
        here.filter(has_text=heading).wait_for()
        assert here.count() == 1


@pytest.mark.browser
def test_all_is_read_without_a_script(read_page):
    page = read_page("day17.html", java_script_enabled=False)
    for text in ("6. PyTorch", "7. Keras"):
        assert page.get_by_role("heading", name=text).is_visible()
    assert page.locator(".windows p").is_visible()
    assert page.locator("main button").count() == 0
    assert not page.locator("search").is_visible()
    assert not page.locator(".script").is_visible()
    page.get_by_text("Hint 1 of").first.click()
    assert page.locator(".help details").first.locator("p").is_visible()
