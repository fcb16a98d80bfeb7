"""The Runs tab in Chromium: a table, several runs over each other, one report for all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from qwen_ui.runs import MOST_POINTS, RunWriter, create_run
from tests.browser.conftest import Dashboard
from tests.helpers.browser_runs import (
    SOME,
    begin,
    finished,
    open_tab,
    queue_held,
    reload,
    train_view,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ROWS = ".qr-runs tbody tr"


@pytest.fixture(autouse=True)
def same_home(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_UI_HOME", str(dashboard.home))


def test_two_runs_are_overlaid_and_reported(page: Page, dashboard: Dashboard) -> None:
    slow, fast = finished("slow-fall", 0.01), finished("fast-fall", 0.05)
    open_tab(page, "Runs")
    page.get_by_label("Filter runs").fill("fall")
    expect(page.locator(ROWS)).to_have_count(2)
    for folder in (slow, fast):
        page.locator(f'[data-hold="tick {folder.name}"]').check()
    overlay = page.locator(".qr-overlay")
    expect(overlay).to_have_attribute("data-runs", "2")
    plot = overlay.locator(".qr-overlay-plot")
    assert sorted(plot.evaluate("p => p.data.map(t => t.x.length)")) == [2, 2, 40, 40]
    expect(overlay.locator(".qr-label")).to_have_count(2)
    # Names say what sets the runs apart, and whole steps have the ticks.
    expect(overlay.locator(".qr-labels")).to_contain_text("fast-fall")
    ticks = overlay.locator(".xtick text").all_text_contents()
    assert ticks
    assert all(tick.isdecimal() for tick in ticks), ticks
    expect(overlay.locator(".qr-differences")).to_contain_text("Learning rate")
    expect(page.locator(".qr-best")).to_contain_text("best 4")
    # The better one becomes the baseline; the other is told beside it.
    page.locator(f'[data-hold="pin {fast.name}"]').click()
    expect(page.locator(".qr-pinned")).to_contain_text("baseline")
    expect(page.locator(".qr-beside")).to_have_text(["+1.600"])
    page.locator(f'[data-hold="pin {fast.name}"]').click()
    expect(page.locator(".qr-beside")).to_have_count(0)
    overlay.locator(".qr-label").first.click()
    expect(overlay.locator(".qr-label").first).to_have_attribute("aria-pressed", "false")
    overlay.get_by_label("X axis").select_option("elapsed")
    page.wait_for_function(
        "document.querySelector('.qr-overlay-plot').layout.xaxis.title.text === 'seconds'"
    )
    with page.expect_download() as download:
        page.get_by_role("button", name="HTML report").click()
    report = dashboard.home / "report.html"
    download.value.save_as(report)
    # From disk, with no network at all.
    page.context.set_offline(True)
    page.goto(report.as_uri())
    expect(page.locator("#training .main-svg").first).to_be_visible()
    assert page.locator("#training").evaluate("p => p.data.map(t => t.x.length)") == [40, 40]
    expect(page.locator(".modebar-btn").first).to_be_attached()
    expect(page.locator('.modebar-btn[data-title*="hare"]')).to_have_count(0)
    expect(page.locator("body")).to_contain_text("4.0000 (best)")


def test_a_reload_keeps_what_was_ticked_and_opened(page: Page) -> None:
    folder = finished("kept-open", 0.02)
    open_tab(page, "Runs")
    page.locator(f'[data-hold="tick {folder.name}"]').check()
    page.locator(f'[data-hold="open {folder.name}"]').click()
    expect(page.locator("#qr-opened .qr-run")).to_have_text(folder.name)
    reload(page)
    open_tab(page, "Runs")
    expect(page.locator(f'[data-hold="tick {folder.name}"]')).to_be_checked()
    expect(page.locator("#qr-opened .qr-run")).to_have_text(folder.name)


def test_runs_are_named_tagged_sorted_and_deleted(page: Page) -> None:
    folder = finished("to-rename", 0.02)
    finished("to-rename-too", 0.03)
    open_tab(page, "Runs")
    page.get_by_label("Filter runs").fill("to-rename")
    rows = page.locator(ROWS)
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="eval after").click()
    expect(rows.first).to_contain_text("4.8")
    page.get_by_role("button", name="eval after").click()
    expect(rows.first).to_contain_text("5.2")
    page.locator(f'[data-hold="open {folder.name}"]').click()
    view = page.locator("#qr-opened .qr-view")
    view.get_by_role("button", name="Edit").click()
    view.get_by_label("Name").fill("<b>mine</b>")
    view.get_by_label("Tags").fill("good, shown")
    view.get_by_label("Note").fill("why it matters")
    view.get_by_role("button", name="Save").click()
    expect(view.locator(".qr-title")).to_have_text("<b>mine</b>")
    row = page.locator(".qr-current")
    expect(row).to_contain_text("<b>mine</b>")
    expect(row.locator(".qr-tag")).to_have_text(["good", "shown"])
    expect(row).to_contain_text("why it matters")
    page.on("dialog", lambda dialog: dialog.accept())
    view.get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(1)
    assert not folder.exists()
    rows.get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(0)


def test_a_filter_that_finds_nothing_says_so_and_columns_can_be_hidden(page: Page) -> None:
    finished("sought", 0.02)
    open_tab(page, "Runs")
    page.get_by_label("Filter runs").fill("sought status:failed")
    expect(page.locator(".qr-missed")).to_contain_text("No run is found")
    page.get_by_role("button", name="Clear the filter").click()
    expect(page.locator(ROWS).first).to_be_visible()
    expect(page.get_by_label("Filter runs")).to_be_focused()
    page.locator(".qr-columns summary").click()
    page.get_by_label("started", exact=True).uncheck()
    expect(page.locator("th.qr-col-created")).to_have_count(0)
    reload(page)
    open_tab(page, "Runs")
    expect(page.locator(ROWS).first).to_be_visible()
    expect(page.locator("th.qr-col-created")).to_have_count(0)


def test_on_a_phone_the_runs_are_cards_within_the_page(page: Page) -> None:
    folder = finished("on-a-phone", 0.02)
    open_tab(page, "Runs")
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator(f'[data-hold="tick {folder.name}"]').check()
    expect(page.locator(".qr-overlay .qr-label").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    scroll = "e => [e.scrollWidth, e.clientWidth]"
    wide, shown = page.locator(".qr-runs-scroll").evaluate(scroll)
    assert wide == shown


def test_a_zoom_of_one_chart_is_a_zoom_of_all_and_shows_what_was_thinned(page: Page) -> None:
    folder = long_run(5_000)
    open_tab(page, "Runs")
    page.locator(f'[data-hold="open {folder.name}"]').click()
    view = page.locator("#qr-opened .qr-view")
    plot = view.locator(".qr-main .qr-plot")
    expect(view).to_have_attribute("data-points", SOME)
    assert plot.evaluate("p => p.data[0].x.length") <= MOST_POINTS
    small = view.locator(".qr-chart:not(.qr-main):not([hidden]) .main-svg").first
    small.scroll_into_view_if_needed()
    expect(small).to_be_visible()
    box = plot.locator(".nsewdrag").first
    box.scroll_into_view_if_needed()
    area = box.bounding_box()
    assert area is not None
    middle = area["y"] + area["height"] / 2
    page.mouse.move(area["x"] + area["width"] * 0.50, middle)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.52, middle, steps=4)
    page.mouse.up()
    page.wait_for_function(
        "document.querySelector('#qr-opened .qr-main .qr-plot').data[0].x.length < 400"
    )
    x = plot.evaluate("p => p.data[0].x")
    assert x == list(range(x[0], x[-1] + 1)), "every step of the part"
    low, high = plot.evaluate("p => p.layout.xaxis.range")
    ranges = view.locator(".qr-chart:not([hidden]) .js-plotly-plot").evaluate_all(
        "all => all.map(p => p.layout.xaxis.range)"
    )
    assert len(ranges) > 1
    assert ranges == [[low, high]] * len(ranges)
    page.mouse.dblclick(area["x"] + area["width"] / 2, middle)
    page.wait_for_function(
        "document.querySelector('#qr-opened .qr-main .qr-plot').data[0].x.at(-1) === 5000"
    )


def long_run(steps: int) -> Path:
    """A finished run of so many steps, with a gradient norm for a second chart."""
    folder = create_run({"model": "nano", "steps": steps}, {"name": "long"})
    with queue_held(), RunWriter(folder) as run:
        run.status("completed", step=steps)
    events = [{"event": "start", "step": 0, "steps": steps}]
    for step in range(1, steps + 1):
        told = {"loss": 5 - step / steps, "gradient_norm": 1.0 + step % 7, "elapsed": 0.1 * step}
        events.append({"event": "step", "step": step, **told})
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (folder / "events.jsonl").write_text(lines)
    return folder


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_fifty_reloads_and_absences_during_a_run(page: Page) -> None:
    """No step is lost to the page, and the run does not notice."""
    folder, worker = begin("reloaded")
    try:
        reload(page)
        last = 0
        for turn in range(50):
            view = train_view(page)
            expect(view.locator(".qr-run")).to_have_text(folder.name)
            shown = view.locator(".qr-main .qr-plot").evaluate("p => p.data[0].x")
            # Every step, until there are so many that they are thinned; then from end to end.
            if shown[-1] <= MOST_POINTS:
                assert shown == list(range(1, len(shown) + 1))
            assert shown[0] == 1
            assert shown == sorted(set(shown))
            assert shown[-1] >= last
            last = shown[-1]
            if turn % 10 == 9:
                # A browser that goes away and returns.
                page.goto("about:blank")
                page.go_back()
                page.wait_for_selector(".q-facts")
            else:
                reload(page)
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()
