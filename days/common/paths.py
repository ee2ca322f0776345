"""Where things are, and how a file is written without ever harming the one that stands there."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[2]


def outputs_dir(day: int) -> Path:
    """Folder of a day's stored figures, created if need be.

    The environment variable SEEING_CNNS_OUTPUTS names another root in place of `days/`; the tests use it,
    and so can a learner whose checkout is read-only.
    """
    root = Path(os.environ.get("SEEING_CNNS_OUTPUTS") or REPO_ROOT / "days").expanduser()
    folder = root / f"day{day:02d}" / "outputs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return folder


def packaged(package: str, inside: str, what: str) -> Path:
    """The path of a file inside an installed package, or FileNotFoundError that begins with `what` it holds."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        name = package.replace("_", "-")
        raise FileNotFoundError(f"{what} in {name}: pip install -r requirements.txt brings it")
    return Path(found.origin).parent / inside


def write_bytes(path: Path | str, data: bytes) -> Path:
    """Write `data` to `path` whole or not at all: a file that was there survives any failure, even Ctrl-C.

    Raises OSError with one line that names the file, the reason and the way out.
    """
    path = Path(path)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
    return path


def _cannot_write(path: Path, error: OSError) -> OSError:
    return OSError(
        error.errno,
        f"cannot write {path} ({error.strerror or error}); what was there is untouched. Let the folder exist and be "
        "writable, or set SEEING_CNNS_OUTPUTS to a folder of your own",
    )
