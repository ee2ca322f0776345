"""Alt text in JupyterLab, which shows pictures without: on its page they are HTML, on the disk they are pictures.

Notebooks keep each picture once, with its description beside it, as all other programs know it. `days.common.contents`
is what exchanges the two forms.
"""

from __future__ import annotations

import html
import os
import re

from IPython.display import Image

SETTING = "SEEING_CNNS_PICTURES"
"""An environment variable: with "html" in it a kernel sends described pictures as HTML."""

PICTURE = re.compile(
    r'\s*<img alt="([^"]+)" src="data:(image/(?:png|jpeg|gif));base64,([^"]+)"(?: width="(\d+)")? style="[^"]*">'
)
CARD = "background: white; border-radius: 8px; padding: 8px; box-sizing: border-box"
"""A light card, so that a figure does not end abruptly on a dark page."""


def is_on_a_page() -> bool:
    """Whether what is shown goes to JupyterLab's page."""
    return os.environ.get(SETTING) == "html"


def to_html(outputs: list[dict]) -> None:
    """Turn the described pictures among a cell's outputs into HTML with an alt text, in place.

    Its first line is blank: where JupyterLab folds a cell's results, it shows the first line that holds a character.
    """
    for output in outputs:
        data = output.get("data", {})
        kinds = [kind for kind in data if kind in ("image/png", "image/jpeg", "image/gif")]
        known = output.get("metadata", {}).get(kinds[0], {}) if len(kinds) == 1 else {}
        if known.get("alt") and "text/html" not in data:
            code = "".join(data.pop(kinds[0]))  # texts may come as lists of lines
            source = f'alt="{html.escape(known["alt"])}" src="data:{kinds[0]};base64,{code}"'
            width = f' width="{known["width"]}"' if "width" in known else ""
            data["text/html"] = f' \n<img {source}{width} style="{CARD}">'


def to_pictures(outputs: list[dict]) -> None:
    """Turn what `to_html` has made back into what it was, in place; all else stays."""
    for output in outputs:
        data = output.get("data", {})
        found = PICTURE.fullmatch("".join(data.get("text/html", "")))
        if found:
            alt, kind, code, width = found.groups()
            del data["text/html"]
            data[kind] = code
            known = output.setdefault("metadata", {}).setdefault(kind, {})
            known |= {"alt": html.unescape(alt)} | ({"width": int(width)} if width else {})


class DescribedPicture(Image):
    """A picture for a notebook's screen that keeps its alt text in JupyterLab, too."""

    def __repr__(self) -> str:
        return "<IPython.core.display.Image object>"  # as notebooks store it

    def _repr_mimebundle_(self, include=None, exclude=None):
        data, metadata = super()._repr_mimebundle_(include, exclude)
        output = {"data": data, "metadata": metadata}
        if is_on_a_page():
            to_html([output])
        return data, metadata
