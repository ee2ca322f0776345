"""Pictures keep their description on the way to JupyterLab's page and back to the disk."""

from __future__ import annotations

import asyncio
import base64
import copy
import io

import nbformat
import PIL.Image
import pytest
from notebook_tools import NOTEBOOKS, read

from days.common.alt_text import PICTURE, SETTING, to_html, to_pictures
from days.common.figures import describe, new_figure, show


def test_a_picture_of_a_page_that_was_open_before_its_first_line_was_blank_comes_back():
    outputs = [{"data": {"text/plain": "", "image/png": "iVBO"}, "metadata": {"image/png": {"alt": "a cat"}}}]
    before = copy.deepcopy(outputs)
    to_html(outputs)
    outputs[0]["data"]["text/html"] = outputs[0]["data"]["text/html"].lstrip()
    to_pictures(outputs)
    assert outputs == before


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_picture_of_a_notebook_comes_back_as_it_was(path):
    seen = 0
    for cell in read(path).cells:
        outputs = cell.get("outputs", [])
        before = copy.deepcopy(outputs)
        to_html(outputs)
        pictures = [output for output in before if any(kind.startswith("image/") for kind in output.get("data", {}))]
        tagged = [output for output in outputs if "<img alt=" in output.get("data", {}).get("text/html", "")]
        assert len(tagged) == len(pictures)
        seen += len(tagged)
        to_pictures(outputs)
        assert outputs == before
    assert seen > 3


@pytest.mark.parametrize(
    "data",
    [
        {"text/html": "<b>9</b>"},
        {"text/html": ["<b>", "9</b>"]},
        {"text/plain": "9"},
        {"text/html": '<img alt="" src="data:image/png;base64,iVBO">'},
    ],
)
def test_all_else_stays(data):
    outputs = [{"output_type": "stream", "text": "a"}, {"data": dict(data), "metadata": {}}]
    before = copy.deepcopy(outputs)
    to_html(outputs)
    to_pictures(outputs)
    assert outputs == before


def test_a_kernel_sends_html_where_it_is_asked_to(monkeypatch):
    picture = show(describe(new_figure(1, 1), 'a "square" < b'))
    monkeypatch.delenv(SETTING, raising=False)
    plain, metadata = picture._repr_mimebundle_()
    monkeypatch.setenv(SETTING, "html")
    data, _ = picture._repr_mimebundle_()
    assert "image/png" not in data
    first, second = data["text/html"].split("\n")
    assert first == " "  # what JupyterLab shows where the picture is folded
    assert second.startswith('<img alt="a &quot;square&quot; &lt; b" src="data:image/png;base64,iVBOR')
    outputs = [{"data": data, "metadata": {}}]
    to_pictures(outputs)
    assert outputs == [{"data": plain, "metadata": metadata}]


def test_a_figure_drawn_on_the_page_has_two_pixels_for_each_and_keeps_its_width(monkeypatch):
    monkeypatch.setenv(SETTING, "html")
    data, _ = show(describe(new_figure(3, 1), "a figure"))._repr_mimebundle_()
    shown = data["text/html"]
    assert ' width="300" ' in shown
    assert PIL.Image.open(io.BytesIO(base64.b64decode(PICTURE.fullmatch(shown)[3]))).size == (600, 200)
    outputs = [{"data": data, "metadata": {}}]
    to_pictures(outputs)
    assert outputs[0]["metadata"]["image/png"] == {"alt": "a figure", "width": 300}
    to_html(outputs)
    assert outputs[0]["data"]["text/html"] == shown


def test_the_manager_hands_out_html_and_stores_the_same_file_again(tmp_path, monkeypatch):
    from days.common.contents import DescribingManager

    monkeypatch.setenv(SETTING, "")
    path = next(path for path in NOTEBOOKS if path.parent.name == "day23")
    stored = nbformat.writes(read(path))
    (tmp_path / "copy.ipynb").write_text(stored, encoding="utf-8")
    manager = DescribingManager(root_dir=str(tmp_path))
    model = asyncio.run(manager.get("copy.ipynb"))
    outputs = [output for cell in model["content"].cells for output in cell.get("outputs", [])]
    assert sum("<img alt=" in output.get("data", {}).get("text/html", "") for output in outputs) > 3
    asyncio.run(manager.save(model, "copy.ipynb"))
    again = nbformat.reads((tmp_path / "copy.ipynb").read_text(encoding="utf-8"), 4)
    assert [cell.get("outputs") for cell in again.cells] == [cell.get("outputs") for cell in read(path).cells]
    assert "<img alt=" not in (tmp_path / "copy.ipynb").read_text(encoding="utf-8")
