"""The index that the book's search looks through: the text of every section, as a script, since pages may be files."""

from __future__ import annotations

import json
import re
from itertools import pairwise

from bs4 import BeautifulSoup


def index(pages: dict[str, bytes]) -> bytes:
    """JavaScript that sets SECTIONS to [page, anchor, day, title, text] of every section of the pages, in order.

    pages : the pages' HTML by name. Outputs, formulas, hints and solutions are left out.
    """
    sections = []
    for name, html in pages.items():
        soup = BeautifulSoup(html, "html.parser")
        for part in soup.select("main :is(.output, .prompt, .help, .windows, math)"):
            part.decompose()
        whole = str(soup.main)
        starts = [match.start() for match in re.finditer("<h[123] ", whole)]
        for start, end in pairwise([*starts, len(whole)]):
            part = BeautifulSoup(whole[start:end], "html.parser")
            heading = part.find(id=True).extract()
            text = " ".join(part.get_text(" ").split())
            sections.append([name, heading["id"], soup.title.string.split(" - ")[0], heading.get_text(), text])
    return f"const SECTIONS = {json.dumps(sections, ensure_ascii=False, separators=(',', ':'))};\n".encode()
