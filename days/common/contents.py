"""How JupyterLab reads and writes the course's notebooks, so that pictures keep their alt text on the page.

python -m jupyter lab --ServerApp.contents_manager_class=days.common.contents.DescribingManager
"""

from __future__ import annotations

import copy
import os

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from days.common.alt_text import SETTING, to_html, to_pictures


class DescribingManager(AsyncLargeFileManager):
    """Jupyter's own way to files, but for the pictures in notebooks, which it hands to the page as HTML."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        os.environ[SETTING] = "html"  # kernels that this server starts inherit it

    async def _read_notebook(self, *arguments, **settings):
        found = await super()._read_notebook(*arguments, **settings)
        notebook = found[0] if isinstance(found, tuple) else found
        for cell in notebook.cells:
            to_html(cell.get("outputs", []))
        return found

    async def _save_notebook(self, os_path, nb, *arguments, **settings):
        stored = copy.deepcopy(nb)  # the original has been signed as it stands, and is asked for so when it is read
        for cell in stored.cells:
            to_pictures(cell.get("outputs", []))
        await super()._save_notebook(os_path, stored, *arguments, **settings)
