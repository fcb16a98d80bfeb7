"""The Train and Runs tabs in Chromium: a run watched, reloaded, stopped, resumed, compared."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from qwen_ui.train.folders import create_run
from qwen_ui.train.runs import RunWriter
from tests.browser.conftest import REPOSITORY, Dashboard

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# plotly.js is 4.8 MB to fetch and compile, on a machine that may be busy.
expect.set_options(timeout=60_000)
PLOT = ".qr-main .qr-plot"
SOME = re.compile(r"^[1-9]\d*$")


@pytest.fixture(autouse=True)
def same_home(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_UI_HOME", str(dashboard.home))


@pytest.fixture
def going_on(same_home: None) -> Iterator[Path]:
    """A run whose worker is a real process that records twenty steps a second."""
    spec = {"model": "nano", "steps": 100_000, "pause": 0.05}
    folder = create_run(spec, {"name": "going-on"})
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.train.step_worker", str(folder)],
        cwd=REPOSITORY,
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
    )
    yield folder
    worker.kill()
    worker.wait()


def finished(name: str, fall: float) -> Path:
    folder = create_run({"model": "nano", "steps": 40, "learning_rate": fall}, {"name": name})
    with RunWriter(folder) as run:
        run.event("start", step=0, steps=40)
        run.event("eval", step=0, loss=6.0)
        for step in range(1, 41):
            run.event("step", step=step, loss=6 - fall * step, elapsed=0.1 * step, seconds=0.1)
        run.event("eval", step=40, loss=6 - fall * 40)
        run.event("end", status="completed")
        run.status("completed", step=40)
    return folder


def train_view(page: Page) -> Locator:
    page.reload()
    page.wait_for_selector(".q-facts")
    page.get_by_role("tab", name="Train", exact=True).click()
    view = page.locator("#qt-run .qr-view")
    expect(view).to_have_attribute("data-points", SOME)
    return view


def updates(view: Locator) -> int:
    return int(view.get_attribute("data-updates") or 0)


def wait_for_updates(view: Locator, more: int) -> None:
    goal, deadline = updates(view) + more, time.monotonic() + 90
    while updates(view) < goal:
        assert time.monotonic() < deadline, "the view is not updated"
        time.sleep(0.1)


def test_zoom_and_hidden_lines_are_kept_over_ten_updates(page: Page, going_on: Path) -> None:
    view = train_view(page)
    wait_for_updates(view, 3)
    plot = view.locator(PLOT)
    box = plot.locator(".nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.8, steps=4)
    page.mouse.up()
    plot.locator(".legendtoggle").first.click()
    page.wait_for_timeout(600)
    look = "p => [p.layout.xaxis.range, p.layout.xaxis.autorange, p.data.map(t => t.visible)]"
    before, points = plot.evaluate(look), plot.evaluate("p => p.data[0].x.length")
    assert before[1] is False
    assert before[2][0] == "legendonly"
    wait_for_updates(view, 10)
    assert plot.evaluate(look) == before
    assert plot.evaluate("p => p.data[0].x.length") > points


def test_a_reload_finds_the_run_again(page: Page, going_on: Path) -> None:
    for _ in range(3):
        view = train_view(page)
        expect(view.locator(".qr-run")).to_have_text(going_on.name)
        expect(view.locator(".qr-badge")).to_have_text("Training")
    shown = view.locator(PLOT).evaluate("p => p.data[0].x")
    assert shown == sorted(set(shown))
    assert shown[0] == 1


def test_a_killed_worker_is_told_within_five_seconds(page: Page, going_on: Path) -> None:
    view = train_view(page)
    psutil.Process(json.loads((going_on / "status.json").read_text())["pid"]).kill()
    expect(view.locator(".qr-badge")).to_have_text("Interrupted", timeout=5_000)
    expect(view.locator(".qr-reason")).to_contain_text("killed")
    expect(view.get_by_role("button", name="Resume")).to_be_visible()


def test_two_runs_are_overlaid_and_reported(page: Page, dashboard: Dashboard) -> None:
    slow, fast = finished("slow-fall", 0.01), finished("fast-fall", 0.05)
    page.get_by_role("tab", name="Runs", exact=True).click()
    page.get_by_label("Filter runs").fill("-fall")
    expect(page.locator(".qr-runs tbody tr")).to_have_count(2)
    for folder in (slow, fast):
        page.get_by_label(f"Overlay {folder.name}").check()
    overlay = page.locator(".qr-overlay")
    expect(overlay).to_have_attribute("data-runs", "2")
    drawn = overlay.locator(".qr-overlay-plot").evaluate("p => p.data.map(t => t.x.length)")
    assert sorted(drawn) == [2, 2, 40, 40]
    expect(overlay.locator(".qr-differences")).to_contain_text("learning_rate")
    expect(page.locator(".qr-best")).to_contain_text("4 best")
    with page.expect_download() as download:
        page.get_by_role("button", name="HTML report").click()
    report = dashboard.home / "report.html"
    download.value.save_as(report)
    dashboard.stop()
    try:
        page.goto(report.as_uri())
        expect(page.locator("#training .main-svg").first).to_be_visible()
        assert page.locator("#training").evaluate("p => p.data.map(t => t.x.length)") == [40, 40]
        expect(page.locator("body")).to_contain_text("4.0000 (best)")
    finally:
        dashboard.start()


def test_runs_are_sorted_renamed_and_deleted(page: Page) -> None:
    folder = finished("to-rename", 0.02)
    page.get_by_role("tab", name="Runs", exact=True).click()
    page.get_by_label("Filter runs").fill("to-rename")
    row = page.locator(".qr-runs tbody tr")
    expect(row).to_have_count(1)
    row.hover()
    row.get_by_role("button", name="Edit").click()
    page.get_by_label("Name", exact=True).fill("<b>mine</b>")
    page.get_by_label("Tags, by comma").fill("good, shown")
    page.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("<b>mine</b>")
    expect(row.locator(".qr-tag")).to_have_text(["good", "shown"])
    page.on("dialog", lambda dialog: dialog.accept())
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    assert not folder.exists()


def test_curves_are_downloaded_as_pictures_and_csv(page: Page, going_on: Path) -> None:
    view = train_view(page)
    for name, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg"), ("CSV", b"step,epoch")):
        with page.expect_download() as download:
            view.get_by_role("button", name=name, exact=False).first.click()
        assert download.value.path().read_bytes().startswith(start)


@pytest.mark.timeout(900)
def test_launch_stop_and_resume_on_the_nano_twin(page: Page) -> None:
    page.locator("#q-picker input").fill("nano")
    page.locator("#q-picker input").press("Enter")
    page.get_by_role("tab", name="Train", exact=True).click()
    launch = page.locator("#qt-launch")
    expect(launch).to_contain_text("Launch on the")
    expect(launch).to_be_enabled()
    for label, value in (("Steps", "40"), ("Batch size", "2"), ("Sequence length", "32")):
        page.get_by_label(label).first.fill(value)
    launch.click()
    view = page.locator("#qt-run .qr-view")
    expect(view.locator(".qr-badge")).to_have_text("Training", timeout=120_000)
    expect(view).to_have_attribute("data-points", SOME, timeout=300_000)
    view.get_by_role("button", name="Stop").click()
    expect(view.locator(".qr-badge")).to_have_text("Stopped", timeout=120_000)
    view.get_by_role("button", name="Resume").click()
    expect(view.locator(".qr-badge")).to_have_text("Completed", timeout=300_000)
    expect(view.locator(".qr-facts")).to_contain_text("40 of 40")
    expect(view.locator(".qr-fall")).to_contain_text("nats a token")
    expect(view.locator(".qr-samples tbody tr").first).to_be_visible()
    steps = view.locator(PLOT).evaluate("p => p.data[0].x")
    assert steps == list(range(1, 41))
