"""The shape of the house: imports run one way, heavy things come late, compute modules do not draw."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from days.common.paths import REPO_ROOT

MODULES = sorted(path.relative_to(REPO_ROOT) for top in ("book", "days") for path in (REPO_ROOT / top).rglob("*.py"))
HEAVY = {"torch", "torchvision", "timm", "tensorflow", "keras"}
MAY_IMPORT_HEAVY = ("_backend.py", "_models.py", "_fast.py")


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse((REPO_ROOT / path).read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert [alias.name for alias in node.names] != ["*"], f"{path}: star import"
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def days_in(names: set[str]) -> set[int]:
    return {
        int(part[3:]) for name in names for part in name.split(".") if part.startswith("day") and part[3:].isdigit()
    }


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_run_one_way(path):
    names = imports(path)
    used, room = days_in(names), path.parts[1]
    assert path.parts[0] == "book" or not {name for name in names if name.split(".")[0] == "book"}
    if room == "common":
        assert not used, f"{path} belongs to no day and imports one"
    else:
        own = days_in({room})
        assert all(day <= max(own, default=99) for day in used), f"{path} imports a later day"
    # The X-ray builds on the days and on common; the microscope builds on it, and of the days only Day 24, whose lesson
    # ends with it, imports it. The microscope is imported by no day.
    asks_xray = any(name == "days.xray" or name.startswith("days.xray.") for name in names)
    assert not asks_xray or room in ("xray", "microscope", "day24"), f"{path} imports the X-ray"
    asks_microscope = any(name.startswith("days.microscope") for name in names)
    assert not asks_microscope or room == "microscope" or path.parts[0] == "book", f"{path} imports the microscope"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_frameworks_are_imported_in_backends_only(path):
    heavy = {name.split(".")[0] for name in imports(path, top_level_only=True)} & HEAVY
    if not path.name.endswith(MAY_IMPORT_HEAVY):
        assert not heavy, f"{path} imports {heavy} as soon as it is imported"
    if path.name.startswith("torch_"):
        assert not heavy & {"tensorflow", "keras"}


DRAWING = {"visualizations", "explorer", "figures", "widgets", "illustration", "pictures"}
PUT_TOGETHER = {"days/xray/__init__.py", "days/xray/report.py"}  # what was computed and what was drawn


@pytest.mark.parametrize("path", [path for path in MODULES if {"code", "xray"} & {*path.parts}], ids=str)
def test_compute_modules_do_not_draw(path):
    """They import neither matplotlib nor a module that draws."""
    if path.stem not in DRAWING and str(path) not in PUT_TOGETHER:
        assert not {name for name in imports(path) if {"matplotlib", *DRAWING} & {*name.split(".")}}


@pytest.mark.parametrize("path", [path for path in MODULES if path.stem == "visualizations"], ids=str)
def test_drawing_draws(path):
    """A day's `Lesson` computes, in lesson.py; visualizations.py asks no framework."""
    tree = ast.parse((REPO_ROOT / path).read_text(encoding="utf-8"))
    assert "Lesson" not in {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    assert not {name for name in imports(path) if name.endswith("_backend")}


def test_no_class_name_means_two_things():
    """The two backends of one day answer by the same names, and so count as one place."""
    places: dict[str, set[str]] = {}
    for path in MODULES:
        for node in ast.walk(ast.parse((REPO_ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and (node.name, path.name) != ("Lesson", "lesson.py"):
                places.setdefault(node.name, set()).add(re.sub("(torch|keras)_backend", "backend", str(path)))
    assert not {name: paths for name, paths in places.items() if len(paths) > 1}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_parameter_says_what_it_is(path):
    """No public function takes a `one`: it is a heatmap, an image or a layer."""
    for node in ast.walk(ast.parse((REPO_ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            assert "one" not in {parameter.arg for parameter in parameters}, f"{path}: {node.name} takes a `one`"


def test_a_days_code_does_not_shadow_the_standard_librarys():
    """Python started in a day's folder finds that folder first, and `import pdb` needs the real module `code`.

    A folder without `__init__.py` gives way to the standard library; days and their parents are plain packages.
    """
    for path in (REPO_ROOT / "days").glob("day*"):
        assert (path / "__init__.py").is_file()
        assert not (path / "code/__init__.py").exists()
        command = [sys.executable, "-c", "import code, pdb; code.InteractiveConsole; import days"]
        environment = {**os.environ, "PYTHONPATH": str(REPO_ROOT)}
        subprocess.run(command, cwd=path, env=environment, check=True)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_functions_are_small_and_public_ones_documented(path):
    for node in ast.walk(ast.parse((REPO_ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            document = ast.get_docstring(node)
            lines = node.end_lineno - node.lineno + 1 - (len(document.splitlines()) if document else 0)
            assert lines <= 35, f"{path}: {node.name} has {lines} lines"
            if not node.name.startswith("_") and node.col_offset == 0 and path.name != "exercises.py":
                assert document, f"{path}: {node.name} has no docstring"
