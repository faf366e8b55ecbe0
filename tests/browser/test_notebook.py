"""The dashboard notebook in JupyterLab, as a person sees it: the chart and the numbers move while other cells run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_demo import CHROMIUM, browser
from tests.notebook.kernels import NOTEBOOKS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["browser"]  # the fixture

NAME = "4_live_dashboard.ipynb"
TOKEN = "for-the-test"

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="there is no Chromium on this machine"),
]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def jupyter_lab(directory: Path) -> Iterator[str]:
    """Start JupyterLab with nobody's settings, and give the address of the notebook."""
    port = free_port()
    options = {
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "IdentityProvider.token": TOKEN,
        "ServerApp.root_dir": directory,
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *(f"--{k}={v}" for k, v in options.items())]
    settings = {name: str(directory / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "IPYTHONDIR")}
    environment = {**os.environ, **settings, "JUPYTERLAB_WORKSPACES_DIR": str(directory / "workspaces")}
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=directory) as server,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/api?token={TOKEN}", directory / "log")
            yield f"http://127.0.0.1:{port}/lab/tree/{NAME}?token={TOKEN}"
        finally:
            server.terminate()
            server.wait(20)


def wait_for(url: str, log: Path) -> None:
    deadline = monotonic() + 60
    while monotonic() < deadline:
        try:
            with urlopen(url, timeout=5):
                return
        except URLError:
            sleep(0.2)
    raise AssertionError(log.read_text())


def run_all_cells(page: Page) -> None:
    # What is sent to a kernel before it is there gets lost.
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def changes(page: Page, expression: str, count: int) -> None:
    """Wait until what an expression gives has been so many different things."""
    page.wait_for_function(
        f"""() => {{
            const seen = (window.seen ??= new Map());
            const key = {expression!r};
            const found = seen.get(key) ?? seen.set(key, new Set()).get(key);
            const now = {expression};
            if (now) found.add(now);
            return found.size >= {count};
        }}""",
        timeout=60_000,
        polling=50,
    )


def test_the_chart_and_the_numbers_are_seen_moving(browser: Browser, tmp_path: Path) -> None:
    shutil.copy(NOTEBOOKS / NAME, tmp_path)
    with jupyter_lab(tmp_path) as url:
        page = browser.new_page(viewport={"width": 1100, "height": 1400})
        page.goto(url)
        run_all_cells(page)
        changes(page, "document.querySelector('svg.flowsock-chart polyline')?.getAttribute('points')", 5)
        # The cell of the numbers has ended; they go on.
        cells = "[...document.querySelectorAll('.jp-RenderedHTMLCommon td')]"
        changes(page, f"{cells}.find(cell => cell.textContent === 'load')?.closest('table').textContent", 4)
        expect(page.locator(".jp-OutputPrompt", has_text="[6]:")).to_be_attached(timeout=60_000)
        expect(page.locator("[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)
        page.close()
