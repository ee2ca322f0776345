"""A Python of its own for what one process can do only once: imports, and their order."""

from __future__ import annotations

import os
import subprocess
import sys

from days.common.paths import REPO_ROOT


def run(script: str, folder=None) -> str:
    """What a fresh Python prints that finds the repository, and `folder` before everything else."""
    paths = os.pathsep.join(map(str, filter(None, [folder, REPO_ROOT])))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
