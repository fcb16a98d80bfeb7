"""A real dashboard process and a real Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.helpers.waiting import until

REPOSITORY = Path(__file__).resolve().parent.parent.parent
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 60_000
# A loaded machine is slow, not wrong.
expect.set_options(timeout=PATIENCE_MS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Dashboard:
    """`python app.py` as a process of its own, with a home folder of its own."""

    def __init__(self, home: Path, log: Path, *options: str) -> None:
        self.home, self.log, self._options = home, log, options
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "app.py", "--port", str(self.port), *self._options],
                cwd=REPOSITORY,
                env={**os.environ, "QWEN_UI_HOME": str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(self._answers, 120, self.log.read_text)

    def _answers(self) -> bool:
        assert self._process is not None
        try:
            urllib.request.urlopen(self.url, timeout=2).close()
        except OSError:
            assert self._process.poll() is None, self.log.read_text()
            return False
        return True

    def stop(self, *, kill: bool = False) -> None:
        if self._process is not None:
            (self._process.kill if kill else self._process.terminate)()
            self._process.wait(timeout=30)
            self._process = None


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("dashboard")
    server = Dashboard(folder / "home", folder / "dashboard.log")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    assert executable, "Install Chromium: make chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, dashboard: Dashboard) -> Iterator[Page]:
    """The dashboard, its first model opened. An error of the page's own scripts fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(dashboard.url)
    page.wait_for_selector(".q-facts")
    yield page
    context.close()
    assert errors == []


def clipboard(page: Page, begins: str = "") -> str:
    """What was copied, once it begins so: pages copy after the click that asks for it."""

    def held() -> str:
        return str(page.evaluate("navigator.clipboard.readText()"))

    def copied() -> str | None:
        text = held()
        return text if text.startswith(begins) else None

    return until(copied, PATIENCE_MS / 1000, lambda: f"the clipboard holds {held()!r}")


def type_to(page: Page, text: str, reached: Callable[[], bool]) -> None:
    """Type until it has led there: on a stalled machine the letters of one text come as two."""
    for _ in range(5):
        page.keyboard.press("Home")  # any other key ends a text
        page.keyboard.type(text)
        if reached():
            return
    raise AssertionError(f"typing {text!r} led nowhere")
