"""course.py: the same commands as in the Makefile, on every system, and one clear line for whatever is missing."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import limits
import pytest

from days.common.paths import REPO_ROOT

SCRIPT = REPO_ROOT / "course.py"


@pytest.fixture
def course(tmp_path):
    """course.py as a module, of a course in an empty folder with a difficult name."""
    folder = tmp_path / "Netze sehen – ü"
    (folder / "benchmarks").mkdir(parents=True)
    for name in ("course.py", "pyproject.toml", "requirements.txt", "requirements-test.txt"):
        shutil.copy(REPO_ROOT / name, folder / name)
    shutil.copy(REPO_ROOT / "benchmarks/requirements.txt", folder / "benchmarks/requirements.txt")
    return module_of(folder / "course.py")


def module_of(script):
    """course.py of any folder as a module."""
    specification = importlib.util.spec_from_file_location("course_of_a_test", script)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def command(*arguments, script=SCRIPT, before="", cwd=None):
    """A finished process of course.py, as the command line starts it; `before` is run in it first."""
    start = f"import runpy, sys\n{before}\nsys.argv[:] = {[str(script), *arguments]!r}\n"
    code = start + f"runpy.run_path({str(script)!r}, run_name='__main__')"
    how = {"capture_output": True, "text": True, "encoding": "utf-8", "timeout": limits.COMMAND, "check": False}
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, env={**os.environ, "PYTHONUTF8": "1"}, **how)


def make(*words):
    """What make prints, started as from a terminal: not as a part of the make that may run the tests."""
    environment = {name: value for name, value in os.environ.items() if not re.fullmatch("M(AKE|)(FLAGS|LEVEL)", name)}
    return subprocess.run(
        ["make", *words], cwd=REPO_ROOT, env=environment, capture_output=True, encoding="utf-8", check=True
    ).stdout


def recorded(monkeypatch, course):
    """What the commands would run, in a list; nothing is installed and nothing runs."""
    calls = []
    monkeypatch.setattr(course, "install", lambda *_: None)
    monkeypatch.setattr(course, "run", lambda *arguments, **how: calls.append([*map(str, arguments)]))
    return calls


# ------------------------------------------------------------ the commands


def test_the_makefile_and_the_script_name_the_same_commands(course):
    makefile = (REPO_ROOT / "Makefile").read_text(encoding="utf-8")
    assert (
        re.search(r"^COMMANDS := (.+)$", makefile, re.M).group(1).split() == list(course.HELP) == list(course.COMMANDS)
    )


def test_help_lists_every_command_from_any_folder_and_is_what_comes_without_one(course, tmp_path):
    said = command("help", cwd=tmp_path)
    assert said.returncode == 0
    assert re.findall(r"^  ([a-z-]+) +[a-z]", said.stdout, re.M) == list(course.HELP)
    assert command(cwd=tmp_path).stdout == said.stdout
    if shutil.which("make"):
        assert make(f"PYTHON={sys.executable}") == said.stdout


def test_make_passes_the_day_and_what_else_there_is():
    if not shutil.which("make"):
        pytest.skip("there is no make here")
    said = make("--dry-run", "quick", "DAY=19", "ARGS=-x --lf", "PYTHON=/a folder/python3.12")
    assert said.strip() == '"/a folder/python3.12" course.py quick 19 -x --lf'


def test_an_unknown_command_and_an_unknown_day_are_one_line():
    for arguments, said in (
        (["labs"], "there is no command 'labs'; there are lab, quick"),
        (["quick", "16"], "no day 16"),
    ):
        run = command(*arguments)
        assert run.returncode == 1
        assert said in run.stderr
        assert run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (
            ["lab", "--port=9"],
            ["-m days.copies", "-m jupyter lab --LabApp.default_url=/lab/tree/my/start_here.ipynb --port=9"],
        ),
        (["book", "folder"], ["-m book.build folder"]),
        (["figures", "17", "19"], ["-m days.figures 17 19"]),
        (["types"], ["-m mypy"]),
        (["weights"], [f"-m days.day{name}" for name in ("18.code.runs", "23.code.network", "23.code.patients")]),
        (["bench", "-v"], ["-m benchmarks.run -v", "-m benchmarks.peers -v"]),
        (["lint"], ["-m ruff check .", "-m ruff format --check .", "-m ruff format --check --line-length 98 "]),
    ],
)
def test_each_command_runs_what_it_says(course, monkeypatch, words, wanted):
    calls = recorded(monkeypatch, course)
    assert course.main(words) == 0
    for call, start in zip(calls, wanted, strict=words[0] != "weights"):
        assert " ".join(call).startswith(start)


def test_lab_gives_jupyter_settings_that_are_there_and_that_it_can_read():
    settings = module_of(SCRIPT).lab_settings()
    assert settings["SEEING_CNNS_OUTPUTS"] == str(REPO_ROOT / "my")
    folder = Path(settings["JUPYTER_CONFIG_PATH"])
    assert Path(settings["PYTHONSTARTUP"]).is_file()
    page = json.loads((folder / "labconfig/page_config.json").read_text(encoding="utf-8"))
    assert page["disabledExtensions"] == {"@jupyterlab/apputils-extension:announcements": True}
    server = json.loads((folder / "jupyter_server_config.json").read_text(encoding="utf-8"))
    module, name = server["ContentsManager"]["pre_save_hook"].rsplit(".", 1)
    assert callable(getattr(importlib.import_module(module), name))


def test_notebooks_runs_the_notebooks_of_a_day(course, monkeypatch):
    calls = recorded(monkeypatch, course)
    monkeypatch.setattr(course, "ROOT", REPO_ROOT)
    assert course.main(["notebooks", "19"]) == 0
    assert [Path(call[-1]).name for call in calls] == ["day19_feature_visualization.ipynb"] * 2
    assert {"--execute", "--inplace"} <= set(calls[0])
    assert {"--coalesce-streams", "--inplace"} <= set(calls[1])  # only what has been run can be joined
    assert course.main(["notebooks"]) == 0
    assert len(calls) == 2 + 2 * len(list(REPO_ROOT.glob("days/day*/*.ipynb")))


def test_the_tests_run_in_two_processes_and_all_of_them_only_on_request(course, monkeypatch):
    calls = recorded(monkeypatch, course)
    course.main(["test", "-x"])
    course.main(["test-all", "-m", "slow"])
    assert [call[:5] for call in calls] == [["-m", "pytest", "-n", "2", "--dist"]] * 2
    assert calls[0][-3:] == ["-m", "not slow", "-x"]
    assert calls[1][-2:] == ["-m", "slow"]
    assert "not slow" not in calls[1]


@pytest.mark.slow
def test_quick_selects_a_days_tests_and_no_notebook_is_run():
    """Asked of pytest itself."""
    selection = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *quick_selection("19")],
        cwd=REPO_ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [line for line in selection.splitlines() if "::" in line]
    files = {line.split("::")[0] for line in lines}
    shared = {f"tests/test_{name}.py" for name in ("day19", "architecture", "exercises", "notebooks")}
    assert files - shared == {name for name in files if name.startswith("days/day19/code/")}
    assert shared <= files
    assert not [line for line in lines if re.search("test_(exercises|notebooks).py", line) and "day19" not in line]
    assert any("stored_executed" in line for line in lines)


def quick_selection(*days):
    return [str(part) for part in module_of(SCRIPT).quick_selection(days)]


def test_clean_removes_what_was_made_and_nothing_else(course):
    for name in (".venv/bin", ".venv-bench", "days/__pycache__", ".pytest_cache", "my/day17"):
        (course.ROOT / name).mkdir(parents=True)
    before = {"course.py", "pyproject.toml", "requirements.txt", "requirements-test.txt", "benchmarks", "days", "my"}
    assert course.main(["clean"]) == 0
    assert {path.name for path in course.ROOT.iterdir()} == before
    assert not list((course.ROOT / "days").iterdir())


# ------------------------------------------------------------ the environment


def test_windows_keeps_its_interpreter_in_another_folder(course):
    assert course.venv_python("here", "win32").as_posix() == "here/Scripts/python.exe"
    assert course.venv_python("here", "linux").as_posix() == "here/bin/python"
    assert course.venv_python("here", "darwin").as_posix() == "here/bin/python"


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 1), (3, 13, 5), (3, 14, 0)])
def test_these_versions_are_wanted(course, version):
    assert course.version_problem(version) is None


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 14), (3, 15, 0), (4, 0, 0)])
def test_another_version_is_one_line_with_what_is_needed_what_is_there_and_the_way_out(course, version):
    line = course.version_problem(version, "/usr/bin/python3")
    have = ".".join(map(str, version))
    assert line.startswith(f"Python 3.11 to 3.14 is needed, and /usr/bin/python3 is {have}: install one")
    for way_out in ("python3.13 course.py lab", "py -3.13 course.py lab", "make lab PYTHON=python3.13"):
        assert way_out in line
    assert "\n" not in line


def test_the_wanted_versions_are_those_that_pyproject_allows(course):
    import tomllib

    allowed = tomllib.loads((REPO_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    (oldest, first), (newest, last) = course.OLDEST, course.NEWEST
    assert oldest == newest == 3
    assert allowed in (f">=3.{first}", f">=3.{first},<3.{last + 1}")


@pytest.mark.parametrize("version", [(3, 9, 2), (3, 15, 0)])
def test_an_unwanted_interpreter_stops_before_it_makes_anything(course, version):
    script = course.ROOT / "course.py"
    run = command("lab", script=script, before=f"sys.version_info = {version!r}")
    assert run.returncode == 1
    assert run.stderr.startswith("Python 3.11 to 3.14 is needed")
    assert run.stderr.count("\n") == 1
    assert not (course.ROOT / ".venv").exists()


def test_an_old_interpreter_can_read_the_script_far_enough_to_say_so():
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_only_the_standard_library_is_imported():
    nodes = list(ast.walk(ast.parse(SCRIPT.read_text(encoding="utf-8"))))
    names = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module.split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    assert names <= set(sys.stdlib_module_names)


def test_debians_python_without_venv_names_the_package(course):
    hide = "import importlib.util as u\nreal = u.find_spec\n"
    hide += "u.find_spec = lambda name, *rest: None if name == 'ensurepip' else real(name, *rest)"
    run = command("lab", script=course.ROOT / "course.py", before=hide)
    assert run.returncode == 1
    assert "sudo apt install python3-venv" in run.stderr
    assert run.stderr.count("\n") == 1
    assert not (course.ROOT / ".venv").exists()


NO_NETWORK = """
WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError(...)'
ERROR: Could not find a version that satisfies the requirement numpy==2.4.6 (from versions: none)
ERROR: No matching distribution found for numpy==2.4.6
"""


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (NO_NETWORK, "no network"),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "no room on the disk",
        ),
        (
            "ERROR: No matching distribution found for tensorflow==2.21.0",
            "No matching distribution found for tensorflow",
        ),
        ("", "pip ended without a word"),
    ],
)
def test_what_pip_says_becomes_one_line(course, log, said):
    line = course.install_problem(log, "install.log")
    assert said in line
    assert "\n" not in line


def test_requirements_are_installed_once_and_again_when_they_change(course, monkeypatch):
    calls = []
    monkeypatch.setattr(course, "make_environment", lambda folder: folder.mkdir(exist_ok=True))
    monkeypatch.setattr(course, "pip", lambda folder, arguments: calls.append(arguments))
    for _ in range(2):
        course.install_tests()
    assert [Path(call[-1]).name for call in calls] == ["requirements.txt", "requirements-test.txt"]
    for name in ("requirements.txt", "pyproject.toml"):
        with open(course.ROOT / name, "a", encoding="utf-8") as file:
            file.write("\n# changed\n")
        calls.clear()
        course.install_lessons()
        course.install_lessons()
        assert len(calls) == 1


def test_an_installation_that_failed_is_tried_again(course, monkeypatch):
    monkeypatch.setattr(course, "make_environment", lambda folder: folder.mkdir(exist_ok=True))

    def fail(folder, arguments):
        raise course.CannotError("no network")

    monkeypatch.setattr(course, "pip", fail)
    for _ in range(2):
        with pytest.raises(course.CannotError):
            course.install_lessons()


def test_a_real_environment_in_a_folder_with_a_difficult_name(course):
    """It is made, pip's failure is one line, and what runs in it has the course on its path."""
    (course.ROOT / "requirements.txt").write_text("there-is-no-such-package @ file:///nowhere/at-all.whl\n")
    run = command("lab", script=course.ROOT / "course.py")
    assert run.returncode == 1
    assert run.stderr.startswith("the packages could not be installed: ")
    assert run.stderr.count("\n") == 1
    assert course.venv_python(course.ROOT / ".venv").exists()
    (course.ROOT / "days").mkdir()
    (course.ROOT / "days/__init__.py").touch()  # as the real one has it: a folder without would give way to that
    (course.ROOT / "days/figures.py").write_text("import sys; print(sys.argv[1:], sys.prefix); sys.exit(3)")
    (course.ROOT / "requirements.txt").write_text("")
    said = command("figures", "19", script=course.ROOT / "course.py", cwd=course.ROOT.parent)
    assert said.returncode == 3, said.stderr
    assert said.stdout.splitlines()[-1] == f"['19'] {course.ROOT / '.venv'}"
