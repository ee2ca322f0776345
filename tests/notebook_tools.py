"""Notebooks as the tests see them."""

from __future__ import annotations

import ast
import builtins
from pathlib import Path

import nbformat

from days.common.paths import REPO_ROOT

NOTEBOOKS = sorted((REPO_ROOT / "days").glob("day*/*.ipynb"))


def read(path: Path):
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list:
    return [cell for cell in read(path).cells if cell.cell_type == "code" and cell.source.strip()]


def headings(path: Path, level: int) -> list[str]:
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    return [line[level + 1 :] for line in text.splitlines() if line.startswith("#" * level + " ")]


class Names(ast.NodeVisitor):
    """Which names a cell binds, and which it reads before it has bound them, so that another cell must have."""

    def __init__(self, source: str):
        self.bound: set[str] = set(dir(builtins))
        self.read: set[str] = set()
        self.visit(ast.parse(source))
        self.bound -= set(dir(builtins))

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Load):
            self.read |= {node.id} - self.bound
        else:
            self.bound.add(node.id)

    def visit_alias(self, node):
        self.bound.add(node.asname or node.name.split(".")[0])

    def visit_Assign(self, node):
        for part in (node.value, *node.targets):
            self.visit(part)

    def visit_For(self, node):
        for part in (node.iter, node.target, *node.body, *node.orelse):
            self.visit(part)

    def visit_FunctionDef(self, node):
        self._inner_scope(node, [*node.body])
        self.bound.add(node.name)

    def visit_Lambda(self, node):
        self._inner_scope(node, [node.body])

    def _inner_scope(self, node, body):
        before = set(self.bound)
        self.bound |= {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        for part in body:
            self.visit(part)
        self.bound = before

    def _comprehension(self, node):
        before = set(self.bound)
        for loop in node.generators:
            for part in (loop.iter, loop.target, *loop.ifs):
                self.visit(part)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.visit(part)
        self.bound = before

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension


def shortened(path: Path, wanted: list[str]) -> nbformat.NotebookNode:
    """The notebook without the code cells that nothing in the wanted cells depends on; its first cell stays.

    wanted : texts; every code cell with one of them in it is wanted, and so are all cells, further up, that bind a name
        which a kept cell reads. What a cell changes in a thing that another has made is not followed.
    """
    notebook = read(path)
    missing = [text for text in wanted if not any(text in cell.source for cell in code_cells(path))]
    if missing:
        raise ValueError(f"no cell of {path.name} holds {missing[0]!r}")
    kept: list[str] = []
    read_below: set[str] = set()
    for place, cell in reversed(list(enumerate(notebook.cells))):
        if cell.cell_type == "code":
            names = Names(cell.source)
            first = not any(other.cell_type == "code" for other in notebook.cells[:place])
            if not (first or names.bound & read_below or any(text in cell.source for text in wanted)):
                continue
            read_below = (read_below - names.bound) | names.read
        kept.insert(0, cell)
    notebook.cells = kept
    return notebook


def write_as_never_run(notebook, path):
    """Write a notebook without outputs: whatever a page shows has then been made on that page."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, path)
