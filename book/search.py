"""What the book's search looks through: prose and code of every section, as a script, since pages may be files."""

from __future__ import annotations

import json
import re
from html import unescape

import nbformat

HEADING = re.compile(r'<h[123] id="(.+?)">(.*?)</h[123]>')


def sections(name: str, day: str, cells: list[nbformat.NotebookNode]) -> list[list[str]]:
    """[page, anchor, day, title, text] of each section of a page, whose Markdown cells are HTML already."""
    found: list[list[str]] = []
    for cell in cells:
        if cell.cell_type == "code":
            found[-1][-1] += f" {cell.source}"
            continue
        before, *parts = HEADING.split(cell.source)
        if found:
            found[-1][-1] += f" {words(before)}"
        for anchor, title, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            found.append([name, anchor, day, words(title), words(text)])
    return [[*entry[:-1], " ".join(entry[-1].split())] for entry in found]


def words(html: str) -> str:
    """The text of a piece of HTML, without its formulas."""
    html = re.sub("<math.*?</math>|</(?:t[dh]|p|li|summary)>", " ", html, flags=re.DOTALL)
    return unescape(re.sub("<[^>]+>", "", html))


def index(entries: list[list[str]]) -> bytes:
    """JavaScript that sets SECTIONS to the sections of all pages."""
    return f"const SECTIONS = {json.dumps(entries, ensure_ascii=False, separators=(',', ':'))};\n".encode()
