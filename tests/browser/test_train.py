"""The Train tab in Chromium: a run watched, reloaded, stopped, resumed, explained."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from qwen_ui.files import write_json
from qwen_ui.freeze import preset
from qwen_ui.runs import RunWriter, create_run, make_spec, read_spec, run_folder, run_names
from qwen_ui.runs.failure import SENTENCES
from qwen_ui.workers.memory_advice import ADVICE
from tests.browser.conftest import Dashboard
from tests.helpers.browser_runs import (
    PLOT,
    SOME,
    begin,
    open_tab,
    reload,
    train_view,
    wait_for_updates,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]
Begun = tuple[Path, "subprocess.Popen[bytes]"]


@pytest.fixture(autouse=True)
def same_home(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_UI_HOME", str(dashboard.home))


@pytest.fixture
def going_on(same_home: None) -> Iterator[Begun]:
    """Before the page in every test, so that the page finds it when it opens."""
    folder, worker = begin("going-on")
    yield folder, worker
    worker.kill()
    worker.wait()


@pytest.mark.long
def test_zoom_and_hidden_lines_are_kept_over_ten_updates(going_on: Begun, page: Page) -> None:
    view = train_view(page)
    wait_for_updates(view, 3)
    plot = view.locator(PLOT)
    box = plot.locator(".nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.8, steps=4)
    page.mouse.up()
    page.wait_for_function(
        f"document.querySelector('#qt-run {PLOT}').layout.xaxis.autorange === false"
    )
    label = view.locator('.qr-label[data-key="loss"]')
    label.click()
    expect(label).to_have_attribute("aria-pressed", "false")
    look = "p => [p.layout.xaxis.range, p.layout.xaxis.autorange, p.data.map(t => t.visible)]"
    before, points = plot.evaluate(look), plot.evaluate("p => p.data[0].x.length")
    assert before[1] is False
    assert before[2][0] == "legendonly"
    wait_for_updates(view, 10)
    assert plot.evaluate(look) == before
    assert plot.evaluate("p => p.data[0].x.length") > points
    # The scale is the chart's own: it stays too.
    view.locator(".qr-main").get_by_role("button", name="log").click()
    wait_for_updates(view, 2)
    assert plot.evaluate("p => p._fullLayout.yaxis.type") == "log"
    # One copy of plotly.js, ours, and in no global place where another could stand.
    assert page.evaluate("window.Plotly === undefined")
    assert plot.evaluate("p => p._ev.listenerCount('plotly_afterplot')") > 0


def test_a_reload_finds_the_run_again(going_on: Begun, page: Page) -> None:
    for _ in range(3):
        view = train_view(page)
        expect(view.locator(".qr-run")).to_have_text(going_on[0].name)
        expect(view.locator(".qr-badge")).to_have_text("Training")
        reload(page)
    shown = train_view(page).locator(PLOT).evaluate("p => p.data[0].x")
    assert shown == sorted(set(shown))
    assert shown[0] == 1


def test_a_killed_worker_is_told_with_its_reason_and_its_log(going_on: Begun, page: Page) -> None:
    folder, _ = going_on
    view = train_view(page)
    psutil.Process(json.loads((folder / "status.json").read_text())["pid"]).kill()
    expect(view.locator(".qr-badge")).to_have_text("Interrupted")
    expect(view.locator(".qr-reason")).to_contain_text("killed")
    expect(view.get_by_role("button", name="Resume")).to_be_visible()
    view.get_by_role("button", name="Show the log").click()
    expect(view.locator(".qr-log")).to_contain_text("written nothing")


def test_a_run_that_waits_says_for_what_and_is_cancelled(going_on: Begun, page: Page) -> None:
    waiting = create_run({"model": "nano", "steps": 5, "pause": 0}, {"name": "waits"})
    open_tab(page, "Runs")
    page.locator(f'[data-hold="open {waiting.name}"]').click()
    view = page.locator("#qr-opened .qr-view")
    expect(view.locator(".qr-badge")).to_have_text("Queued")
    expect(view.locator(".qr-reason")).to_contain_text("going-on · nano is using the device")
    view.get_by_role("button", name="Cancel").click()
    expect(view.locator(".qr-reason")).to_contain_text("Stopped before it began")


@pytest.mark.long
def test_a_page_whose_dashboard_is_killed_goes_on_with_the_next_one(
    going_on: Begun, page: Page, dashboard: Dashboard
) -> None:
    view = train_view(page)
    dashboard.stop(kill=True)
    expect(view.locator(".q-wrong").first).to_contain_text("does not answer")
    dashboard.start()
    reload(page)
    view = train_view(page)
    expect(view.locator(".qr-run")).to_have_text(going_on[0].name)
    wait_for_updates(view, 2)


def test_curves_are_downloaded_as_pictures_and_csv(going_on: Begun, page: Page) -> None:
    main = train_view(page).locator(".qr-main")
    for name, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg"), ("CSV", b"step,epoch")):
        with page.expect_download() as download:
            main.get_by_role("button", name=name, exact=True).click()
        assert download.value.path().read_bytes().startswith(start)
    # plotly offers to send the data to its cloud; nothing here leaves the machine.
    expect(page.locator(".modebar-btn").first).to_be_attached()
    expect(page.locator('.modebar-btn[data-title*="hare"]')).to_have_count(0)


def test_a_run_out_of_memory_is_retried_with_what_fits(page: Page) -> None:
    plan = preset("bitfit").to_dict()
    given = make_spec(model="nano", plan=plan, data="none.txt", batch_size=64, steps=2)
    folder = create_run(given.to_dict(), plan)
    with RunWriter(folder) as run:
        run.status("failed", f"{SENTENCES['memory'].split('. ')[0]}. Batch 32 fits.")
    write_json(folder / ADVICE, {"text": "Batch 32 fits.", "changes": {"batch_size": 32}})
    open_tab(page, "Runs")
    page.locator(f'[data-hold="open {folder.name}"]').click()
    view = page.locator("#qr-opened .qr-view")
    view.get_by_role("button", name="Retry with batch size 32").click()
    expect(view.locator(".qr-changed")).to_have_count(1)
    view.get_by_label("Learning rate").fill("-1")
    view.get_by_role("button", name="Start it").click()
    expect(view.locator(".qr-form .q-wrong")).to_contain_text("learning_rate")
    view.get_by_label("Learning rate").fill("")
    view.get_by_role("button", name="Start it").click()
    expect(view.locator(".qr-run")).not_to_have_text(folder.name)
    # The new run fails, for its data is not there; that is a reason too.
    expect(view.locator(".qr-badge")).to_have_text("Failed")
    expect(view.locator(".qr-reason")).to_contain_text("There is no file 'none.txt'")
    newest = read_spec(run_folder(run_names()[0])).optimization
    assert (newest.batch_size, newest.learning_rate) == (32, None)


def test_a_gain_within_its_noise_offers_a_rate_that_short_runs_find(page: Page) -> None:
    plan = preset("bitfit").to_dict()
    given = make_spec(model="nano", plan=plan, data="none.txt", steps=2, learning_rate=1e-6)
    note = "The learning rate is likely too low."
    measured = {"eval_loss_before": 5.0, "eval_loss_after": 4.999, "gain_error": 0.1}
    plain, finder = (create_run(spec.to_dict(), plan) for spec in (given, given.finder()))
    with RunWriter(plain) as run:
        run.event("log", level="warning", message=note)
        run.event("end", status="completed", **measured)
        run.status("completed")
    with RunWriter(finder) as run:
        for rate, loss in ((0.01, 4.9), (0.03, 4.5), (0.1, None)):
            run.event("trial", rate=rate, loss=loss, steps=2, elapsed=1.0)
        run.event("end", status="completed", learning_rate=0.02)
        run.status("completed")
    open_tab(page, "Runs")
    view = page.locator("#qr-opened .qr-view")
    page.locator(f'[data-hold="open {finder.name}"]').click()
    curve = view.locator("section", has_text="by learning rate")
    expect(curve.locator(".scatterlayer .trace")).to_have_count(2)
    expect(view.locator(".qr-notes")).to_be_hidden()
    page.locator(f'[data-hold="open {plain.name}"]').click()
    expect(view.locator(".qr-notes li")).to_have_text(note)
    view.get_by_role("button", name="Find a rate and train again").click()
    expect(view.locator(".qr-run")).not_to_have_text(plain.name)
    settings = read_spec(run_folder(view.locator(".qr-run").inner_text())).optimization
    assert settings.learning_rate is None
    assert settings.learning_rate_run in run_names()


@pytest.mark.timeout(900)
def test_launch_stop_and_resume_on_the_nano_twin(page: Page) -> None:
    page.locator("#q-picker input").fill("nano")
    page.locator("#q-picker input").press("Enter")
    open_tab(page, "Train")
    launch = page.locator("#qt-launch")
    expect(launch).to_contain_text("Launch on the")
    expect(launch).to_be_enabled()
    for label, value in (("Steps", "150"), ("Batch size", "1"), ("Sequence length", "32")):
        page.locator("#qt-form").get_by_label(label).first.fill(value)
    launch.click()
    view = page.locator("#qt-run .qr-view")
    expect(view.locator(".qr-badge")).to_have_text("Training", timeout=120_000)
    expect(view).to_have_attribute("data-points", SOME, timeout=300_000)
    view.get_by_role("button", name="Stop").click()
    expect(view.locator(".qr-badge")).to_have_text("Stopped", timeout=300_000)
    view.get_by_role("button", name="Resume").click()
    expect(view.locator(".qr-badge")).to_have_text("Completed", timeout=300_000)
    expect(view.locator(".qr-facts")).to_contain_text("150 of 150")
    expect(view.locator(".qr-fall")).to_contain_text("nats per token")
    expect(page.locator("#qt-form").get_by_label("Text to keep")).to_have_value(
        "Jane Austen, plain text"
    )
    expect(view.locator(".qr-kept")).to_contain_text("KL from the base")
    expect(view.get_by_text("Loss on the text to keep")).to_be_visible()
    expect(view.locator("table.qr-samples th").nth(1)).to_have_text("before")
    steps = view.locator(PLOT).evaluate("p => p.data[0].x")
    assert steps == list(range(1, 151))
