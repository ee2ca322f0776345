"""Everything that can be done with the course, on Windows, macOS and Linux: `python course.py help` lists it.

The first command makes an environment of its own, .venv, beside this file, and installs into it what the course needs.
This file uses the standard library alone. `make lab` and `python course.py lab` are the same thing.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST, NEWEST = (3, 11), (3, 14)
WORKERS = 2  # of `test` and `test-all`; ARGS="-n 4" asks for more

# NumPy's own threads wait at full speed for their next product, beside PyTorch's at work: one is faster. On Linux,
# memory of large arrays is kept for the next ones: to hand it back takes a fifth of a network's time.
FAST = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "4000000000"}

HELP = {
    "lab": "open your own copy of the course, my/, in JupyterLab (installs everything first)",
    "quick": "run the tests of one day in half a minute: quick 19; without a day, the quick tests of all",
    "test": "run the tests: code, exercises, four lessons, some figures, browser (about ten minutes)",
    "test-all": "run all tests: every lesson, every picture, every day in the browser, training anew (half an hour)",
    "book": "write the reading edition, all days as web pages, to _book/index.html",
    "figures": "rebuild the pictures in days/*/outputs/ and say what changed; figures 17 for one day",
    "notebooks": "run the notebooks and store their outputs; notebooks 17 for one day",
    "weights": "make the stored networks and measurements of Days 18 and 21 to 24 anew (over half an hour)",
    "lint": "check style and format of code and notebooks",
    "types": "check the types",
    "bench": "time the course's code against its floor and its peers",
    "clean": "remove the environment and all caches",
    "help": "show this list",
}

LESSON_FILES = ["requirements.txt", "pyproject.toml"]
TEST_FILES = [*LESSON_FILES, "requirements-test.txt"]
BENCH_FILES = [*TEST_FILES, "benchmarks/requirements.txt"]


class CannotError(Exception):
    """Something is missing; the message is one line that says what, and the way out."""


# ------------------------------------------------------------ the environment


def venv_python(environment, platform=sys.platform):
    """The interpreter of a virtual environment: Windows keeps it in another folder."""
    return Path(environment) / ("Scripts/python.exe" if platform == "win32" else "bin/python")


def version_problem(version, executable="python3"):
    """One line where this version of Python cannot run the course, None where it can.

    version : (major, minor, ...), as in sys.version_info
    """
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return None
    oldest, newest, have = (".".join(map(str, numbers)) for numbers in (OLDEST, NEWEST, version[:3]))
    return (
        f"Python {oldest} to {newest} is needed, and {executable} is {have}: install one (python.org), and start "
        "this with it: `python3.13 course.py lab`, on Windows `py -3.13 course.py lab`, or `make lab PYTHON=python3.13`"
    )


def make_environment(folder):
    """Make a virtual environment in `folder`, where none is that works."""
    python = venv_python(folder)
    if python.exists():
        return
    problem = version_problem(sys.version_info, sys.executable)
    if problem:
        raise CannotError(problem)
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        raise CannotError("this Python cannot make environments; on Debian and Ubuntu: sudo apt install python3-venv")
    print(f"Making an environment in {folder}", flush=True)
    if subprocess.call([sys.executable, "-m", "venv", "--clear", str(folder)]):
        raise CannotError(f"no environment could be made in {folder}: is the folder writable, and is there room?")


def fingerprint(names):
    """A short text that changes when one of these files of the course does."""
    contents = [(ROOT / name).read_bytes() for name in names]
    return hashlib.sha256(b"\0".join(contents)).hexdigest()


def install_problem(log, log_file):
    """One line that says why pip could not install; `log` is what it wrote."""
    if re.search(r"NewConnectionError|NameResolutionError|name resolution|unreachable|getaddrinfo|timed out", log):
        return "no network: the first start installs packages from the internet; connect, and start this again"
    if "No space left" in log:
        return "no room on the disk: the README says how much the course takes; make room, and start this again"
    errors = re.findall(r"^ERROR: (.+)", log, re.M)
    said = errors[-1] if errors else "pip ended without a word"
    return f"the packages could not be installed: {said} (all that pip said is in {log_file})"


def install(folder, stamp, names, *extra):
    """Install the requirements named in `names`, once; again when one of these files has changed.

    stamp : file in `folder` that notes what was installed
    extra : further arguments of pip, for one more call
    """
    make_environment(folder)
    note, wanted = folder / stamp, fingerprint(names)
    if note.is_file() and note.read_text() == wanted:
        return
    print("Installing packages, which takes some minutes the first time", flush=True)
    lists = [part for name in names if name.endswith(".txt") for part in ("--requirement", str(ROOT / name))]
    for arguments in (lists, *([list(extra)] if extra else [])):
        pip(folder, arguments)
    note.write_text(wanted)


def pip(folder, arguments):
    """Run `pip install`; what it says goes into a file, and into one line if it fails."""
    log_file = folder / "install.log"
    command = [str(venv_python(folder)), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    with open(log_file, "w", encoding="utf-8") as log:
        code = subprocess.call([*command, *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=str(ROOT))
    if code:
        raise CannotError(install_problem(log_file.read_text(encoding="utf-8", errors="replace"), log_file))


# ------------------------------------------------------------ running


def run(*arguments, folder=None, **environment):
    """Run the environment's Python at the course's root, and leave with its exit code if that is not 0."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    settings = {"PYTHONUTF8": "1", **FAST, **environment, **os.environ, "PYTHONPATH": path}
    process = subprocess.Popen(
        [str(venv_python(folder or ROOT / ".venv")), *map(str, arguments)], cwd=str(ROOT), env=settings
    )
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:  # the process has it, too, and ends in its own way
            continue
    if code:
        raise SystemExit(code)


def install_lessons():
    """What the lessons need."""
    install(ROOT / ".venv", "installed", LESSON_FILES)


def install_tests():
    """What the lessons need, and what the tests do."""
    install_lessons()
    install(ROOT / ".venv", "installed-test", TEST_FILES)


def days_and_rest(arguments):
    """Split ["19", "-x"] into the days in front and whatever follows."""
    count = next((place for place, word in enumerate(arguments) if not word.isdigit()), len(arguments))
    return arguments[:count], arguments[count:]


def notebooks_of(days=()):
    """The notebooks of these days, or of all."""
    found = {path.parent.name[3:]: path for path in sorted(ROOT.glob("days/day*/*.ipynb"))}
    check_days(days, found)
    return [path for day, path in found.items() if not days or day in days]


def check_days(days, known):
    """Raise where a day is asked for that the course does not have."""
    unknown = [day for day in days if day not in known]
    if unknown:
        raise CannotError(f"there is no day {unknown[0]}; there are {', '.join(sorted(known))}")


# ------------------------------------------------------------ the commands


def lab(arguments):
    """Open the learner's own start page in JupyterLab, or the notebook that `arguments` name."""
    install_lessons()
    run("-m", "days.copies")
    run("-m", "jupyter", "lab", "--LabApp.default_url=/lab/tree/my/start_here.ipynb", *arguments, **lab_settings())


def lab_settings():
    """JupyterLab without its box about news, kernels with short errors; rebuilt figures are the learner's, too."""
    ours = ROOT / "days/common/jupyter"
    kernels = {"PYTHONSTARTUP": str(ours / "kernel.py"), "SEEING_CNNS_OUTPUTS": str(ROOT / "my")}
    return {"JUPYTER_CONFIG_PATH": str(ours), **kernels}


def quick(arguments):
    """Run a day's tests, its exercises' and its notebook's stored state, and the shape of the house."""
    days, rest = days_and_rest(arguments)
    notebooks_of(days)
    install_tests()
    run("-m", "pytest", *quick_selection(days), *rest)


def quick_selection(days):
    """Which tests are quick: arguments of pytest."""
    marks = ["-m", "not browser and not slow"]
    if not days:
        return [*marks, "--ignore-glob=*.ipynb", "tests", "days"]
    own = [path for day in days for path in (*sorted(ROOT.glob(f"tests/test_day{day}*.py")), f"days/day{day}/code")]
    shared = ["tests/test_architecture.py", "tests/test_exercises.py", "tests/test_notebooks.py"]
    wanted = " or ".join(["test_architecture", *(f"day{day}" for day in days)])
    return [*marks, "-k", wanted, *own, *shared]


def test(arguments):
    """Run the tests but for the slow ones, in worker processes."""
    run_tests(["-m", "not slow", *arguments])


def test_all(arguments):
    """Run all tests; `-m slow` runs what `test` leaves out."""
    run_tests(arguments)


def run_tests(arguments):
    """Run pytest in worker processes, each with its share of the processor's cores."""
    install_tests()
    threads = str(max(1, (os.cpu_count() or 1) // WORKERS))
    names = ("OMP", "MKL", "OPENBLAS", "TF_NUM_INTRAOP", "TF_NUM_INTEROP")
    shares = {f"{name}_THREADS" if name.startswith("TF") else f"{name}_NUM_THREADS": threads for name in names}
    workers = ["-n", str(WORKERS), "--dist", "loadscope", "--no-loadscope-reorder"]
    run("-m", "pytest", *workers, *arguments, **shares)


def book(arguments):
    """Write the reading edition."""
    install_lessons()
    run("-m", "book.build", *arguments)


def figures(arguments):
    """Rebuild pictures."""
    install_lessons()
    run("-m", "days.figures", *arguments)


def notebooks(arguments):
    """Run notebooks and store their outputs."""
    days, rest = days_and_rest(arguments)
    paths = notebooks_of(days)
    install_lessons()
    settings = ["timeout=600", "record_timing=False", "store_widget_state=False"]
    options = [f"--ExecutePreprocessor.{setting}" for setting in settings]
    for path in paths:
        command = ["-m", "jupyter", "nbconvert", "--to", "notebook", "--inplace"]
        run(*command, "--execute", *options, *rest, path)
        run(*command, "--coalesce-streams", path)  # nbconvert would join them before it runs the cells


def weights(arguments):
    """Make what is stored of trainings anew."""
    install_lessons()
    modules = ["day18.code.runs", "day23.code.network", "day23.code.patients", "day23.code.pruning"]
    modules += ["day21.code.control", "day22.code.deeper", "day22.code.pointing"]
    modules += [f"day24.code.{name}" for name in ("bias_lab", "trainings", "unknown")]
    for module in modules:
        run("-m", f"days.{module}", *arguments)


def lint(arguments):
    """Check style and format; notebooks have shorter lines, as JupyterLab shows them."""
    install_tests()
    run("-m", "ruff", "check", ".", *arguments)
    run("-m", "ruff", "format", "--check", ".")
    paths = [ROOT / "days/start_here.ipynb", *notebooks_of()]
    run("-m", "ruff", "format", "--check", "--line-length", "98", *paths)


def types(arguments):
    """Check the types of what pyproject.toml names."""
    install_tests()
    run("-m", "mypy", *arguments)


def bench(arguments):
    """Time the course's code, and then its peers, which live in an environment of their own."""
    peers = ROOT / ".venv-bench"
    install_tests()
    install(peers, "installed", BENCH_FILES, "--no-deps", "torch-lucent==0.1.8")
    run("-m", "benchmarks.run", *arguments)
    run("-m", "benchmarks.peers", *arguments, folder=peers)


def clean(arguments):
    """Remove the environments and all caches."""
    for name in (".venv", ".venv-bench", ".pytest_cache", ".ruff_cache", ".mypy_cache"):
        path = ROOT / name
        path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)
    for path in list(ROOT.rglob("__pycache__")):
        shutil.rmtree(path, ignore_errors=True)


def show_help(arguments):
    """List the commands."""
    print("Usage: python course.py COMMAND, or make COMMAND (DAY=19 and ARGS=... pass a day and further arguments)\n")
    for name, what in HELP.items():
        print(f"  {name:10s} {what}")


COMMANDS = {name: globals()[name.replace("-", "_")] for name in HELP if name != "help"} | {"help": show_help}


def main(arguments):
    """Run one command; returns an exit code, and says in one line what is missing."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a path may hold what this console cannot show
    name, *rest = arguments or ["help"]
    if name in ("-h", "--help"):
        name = "help"
    try:
        if name not in COMMANDS:
            raise CannotError(f"there is no command {name!r}; there are {', '.join(HELP)}")
        COMMANDS[name](rest)
    except CannotError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
