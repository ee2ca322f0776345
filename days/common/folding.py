"""What a cell gives, held back and then shown folded: JupyterLab unfolds the results of every cell that it runs."""

from __future__ import annotations

import html
import io
import re
import sys
from typing import Any

_COLORS = re.compile(r"\x1b\[[\d;]*m")
WIDGET = "application/vnd.jupyter.widget-view+json"


def is_folded_cell(shell) -> bool:
    """Whether JupyterLab runs the cell, and the notebook says that its stored results are folded."""
    metadata = getattr(shell, "parent_header", {}).get("metadata", {})
    return bool(metadata.get("jupyter", {}).get("outputs_hidden"))


class Folded:
    """Holds back what the running cell prints and shows, from now on until `release`, and then shows it folded.

    title : the first line, which is seen. summary : what unfolds the rest at a click. Widgets, and what a later update
    changes, are shown at once; so are warnings and errors.
    """

    def __init__(self, shell, title: str, summary: str):
        self.title, self.summary = title, summary
        self._parts: list[dict] = []
        self._publishers = (shell.display_pub, shell.displayhook)
        for publisher in self._publishers:
            publisher.register_hook(self._hold)
        self._stdout, self._text = sys.stdout, io.StringIO()
        sys.stdout = self._text
        self._shown: Any = None

    def release(self, unfolded: bool = False) -> None:
        """Show what the cell has given."""
        from IPython.display import display

        self._take_text()
        sys.stdout = self._stdout
        for publisher in self._publishers:
            publisher.unregister_hook(self._hold)
        if self._parts:
            self._shown = display(self._data(unfolded), raw=True, display_id=True)

    def unfold(self) -> None:
        """Open what was released."""
        if self._shown:
            self._shown.update(self._data(unfolded=True), raw=True)

    def _take_text(self) -> None:
        if text := self._text.getvalue():
            self._parts.append({"text/plain": text})
        self._text.seek(0)
        self._text.truncate()

    def _hold(self, message: dict) -> dict | None:
        """Keep a message that shows something, in place of sending it."""
        content = message["content"]
        data = content.get("data", {})
        kind = message["header"]["msg_type"]
        if kind not in ("display_data", "execute_result") or WIDGET in data or content.get("transient"):
            return message
        self._take_text()
        self._parts.append(data)
        return None

    def _data(self, unfolded: bool) -> dict[str, str]:
        """All of it, for Jupyter to display. The first line is what JupyterLab shows where it folds the results."""
        held = "".join(map(_as_html, self._parts))
        fold = f"<details{' open' * unfolded}><summary>{html.escape(self.summary)}</summary>{held}</details>"
        plain = [part.get("text/plain", "").strip("\n") for part in self._parts]
        return {"text/html": f"{html.escape(self.title)}\n{fold}", "text/plain": "\n".join([self.title, *plain])}


def _as_html(data: dict) -> str:
    if "text/html" in data:
        return data["text/html"]
    for kind in ("image/png", "image/jpeg", "image/gif"):
        if kind in data:
            return f'<img alt="" src="data:{kind};base64,{data[kind]}">'
    return f"<pre>{html.escape(_COLORS.sub('', data.get('text/plain', '')))}</pre>"
