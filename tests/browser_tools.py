"""JupyterLab in a real browser: a server of our own, and a page that has run a notebook."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import limits
import pytest

from days.common.paths import REPO_ROOT

TOKEN = "seeing"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
IDLE = "Python 3 (ipykernel) | Idle"


def find_chromium() -> str | None:
    """Path of an installed Chromium or Chrome; SEEING_CNNS_CHROMIUM names another."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("SEEING_CNNS_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@contextlib.contextmanager
def launched(*flags: str):
    """A browser, with further flags. Where none is installed the test is skipped, but for CI, where it fails."""
    chromium = find_chromium()
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("CI must run the browser tests, and no Chromium is installed")
        pytest.skip("no Chromium found (Debian: apt install chromium; or set SEEING_CNNS_CHROMIUM)")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=limits.WIDGET * 1000)
    with sync_playwright() as playwright:
        how = {"executable_path": chromium, "args": [*CHROMIUM_FLAGS, *flags], "timeout": limits.SERVER * 1000}
        browser = playwright.chromium.launch(**how)
        yield browser
        browser.close()


@contextlib.contextmanager
def jupyter_server(folder: Path, settings: Path, **more: str):
    """A JupyterLab that serves `folder`, touches no setting of the user and asks nobody for news; gives its address.

    more : further variables of its environment.
    """
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")
    environment = {**os.environ, **{name: str(settings / name.lower()) for name in names}}
    environment |= {"JUPYTERLAB_SETTINGS_DIR": str(settings / "user"), "PYTHONPATH": str(REPO_ROOT)}
    environment |= {"SEEING_CNNS_OUTPUTS": "", "SEEING_CNNS_PROGRESS": str(settings / "progress.json")}
    environment |= more
    news = settings / "user/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0", "--allow-root"]
    options += ["--ServerApp.contents_manager_class=days.common.contents.DescribingManager"]
    command = [sys.executable, "-m", "jupyterlab", *options, f"--IdentityProvider.token={TOKEN}"]
    with open(settings / "server.log", "w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(address, server, settings / "server.log")
        yield address
    finally:
        server.terminate()
        try:
            server.wait(limits.STOP)
        except subprocess.TimeoutExpired:
            server.kill()


def _wait_until_it_answers(address: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(limits.SERVER * 4):
        if server.poll() is not None:
            break
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=limits.REQUEST)
            return
        time.sleep(0.25)
    raise RuntimeError(f"JupyterLab did not start: {log.read_text()[-2000:]}")


def shut_down_kernels(address: str) -> None:
    """End all kernels: each holds two frameworks in memory."""
    with urllib.request.urlopen(f"{address}/api/kernels?token={TOKEN}", timeout=limits.REQUEST) as answer:
        running = json.load(answer)
    for one in running:
        request = urllib.request.Request(f"{address}/api/kernels/{one['id']}?token={TOKEN}", method="DELETE")
        urllib.request.urlopen(request, timeout=limits.REQUEST)


def new_page(browser, **options):
    """A new page, on which everything is waited for as long as `limits` says."""
    page = browser.new_page(**options)
    page.set_default_timeout(limits.WIDGET * 1000)
    return page


def open_notebook(page, address: str, path: str) -> None:
    """Open a notebook and wait until its kernel is there."""
    page.goto(f"{address}/lab/tree/{path}?reset&token={TOKEN}", timeout=limits.OPEN * 1000)
    page.locator("#jp-main-statusbar").get_by_text(IDLE).wait_for(timeout=limits.OPEN * 1000)


def run_all_cells(page, count: int) -> None:
    """Run > Run All Cells, and wait until the last of `count` code cells has its number; none must have one before."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(
        "last => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]"
        ".some(prompt => prompt.textContent.includes(last))",
        arg=f"[{count}]",
        timeout=limits.LESSON * 1000,
        polling=500,
    )
    page.locator("#jp-main-statusbar").get_by_text(IDLE).wait_for()


def save(page) -> None:
    """Save the notebook, and wait until it is saved."""
    page.keyboard.press("Control+s")
    page.wait_for_function("() => !document.querySelector('.lm-mod-current.jp-mod-dirty')")
