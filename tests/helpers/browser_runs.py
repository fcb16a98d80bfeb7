"""Runs for browser tests: one that goes on in a real process, one that is finished."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from qwen_ui.files import locked
from qwen_ui.runs import RunWriter, create_run, queue_lock
from qwen_ui.runs.status import note_launch
from tests.browser.conftest import REPOSITORY
from tests.helpers.waiting import until

PLOT = ".qr-main .qr-plot"
SOME = re.compile(r"^[1-9]\d*$")


def begin(name: str, **spec: Any) -> tuple[Path, subprocess.Popen[bytes]]:
    """A run whose worker is a real process that records twenty steps a second."""
    given = {"model": "nano", "steps": 100_000, "pause": 0.05, **spec}
    with queue_held():
        folder = create_run(given, {"name": name})
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.step_worker", str(folder)],
            cwd=REPOSITORY,
            env=dict(os.environ),
            stdin=subprocess.DEVNULL,
        )
        note_launch(folder, worker.pid)
    return folder, worker


def queue_held() -> AbstractContextManager[bool]:
    """As the launcher does: a dashboard would start a run that it sees waiting."""
    return locked(queue_lock())


def finished(name: str, fall: float, status: str = "completed") -> Path:
    """A run of 40 steps whose loss falls by `fall` a step."""
    given = {"model": "nano", "steps": 40, "learning_rate": fall}
    with queue_held(), RunWriter(folder := create_run(given, {"name": name})) as run:
        run.event("start", step=0, steps=40)
        run.event("eval", step=0, loss=6.0)
        for step in range(1, 41):
            run.event("step", step=step, loss=6 - fall * step, elapsed=0.1 * step, seconds=0.1)
        run.event("eval", step=40, loss=6 - fall * 40)
        run.event("end", status=status)
        run.status(status, step=40)
    return folder


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def train_view(page: Page) -> Locator:
    """The Train tab's view, its curve drawn."""
    open_tab(page, "Train")
    view = page.locator("#qt-run .qr-view")
    expect(view).to_have_attribute("data-points", SOME)
    return view


def reload(page: Page) -> None:
    page.reload()
    page.wait_for_selector(".q-facts")


def wait_for_updates(view: Locator, more: int) -> None:
    goal = updates(view) + more
    until(lambda: updates(view) >= goal, 90, lambda: "the view is not updated")


def updates(view: Locator) -> int:
    return int(view.get_attribute("data-updates") or 0)
