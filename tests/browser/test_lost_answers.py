"""Requests that fail: views say so and go on, and no button does nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from qwen_ui.compare import make_comparison, parse_plans, write_comparison
from qwen_ui.ui.page.data_choice import KJV, data_files
from tests.browser.conftest import Dashboard
from tests.helpers.browser_runs import begin, finished, open_tab, reload, train_view

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NO_ANSWER = re.compile("does not answer")


@pytest.fixture(autouse=True)
def same_home(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_UI_HOME", str(dashboard.home))


@pytest.fixture
def running(same_home: None) -> Iterator[str]:
    folder, worker = begin("going-on")
    yield folder.name
    worker.kill()
    worker.wait()


@contextmanager
def failing(page: Page, function: str) -> Iterator[None]:
    """Requests for this server function do not arrive."""

    def answer(route: Route) -> None:
        asked = json.loads(route.request.post_data or "{}").get("fn_name")
        if asked == function:
            route.abort()
        else:
            route.continue_()

    page.route("**/component_server/", answer)
    yield
    page.unroute("**/component_server/", answer)


def grows(page: Page, plot: str) -> None:
    """The line in this plot has more points than now, sooner or later."""
    points = page.locator(plot).evaluate("p => p.data[0].x.at(-1)")
    page.wait_for_function(
        "([plot, last]) => document.querySelector(plot).data[0].x.at(-1) > last", arg=[plot, points]
    )


def wrong(view: Locator) -> Locator:
    return view.locator(".q-wrong", has_text=NO_ANSWER)


def test_the_view_of_a_run_goes_on(running: str, page: Page) -> None:
    view = train_view(page)
    with failing(page, "poll"):
        expect(wrong(view)).to_be_visible()
    expect(wrong(view)).to_have_count(0)
    grows(page, "#qt-run .qr-main .qr-plot")


@pytest.mark.long
def test_an_overlay_goes_on(running: str, page: Page) -> None:
    open_tab(page, "Runs")
    page.locator(f'[data-hold="tick {running}"]').check()
    overlay = page.locator(".qr-overlay")
    expect(overlay).to_have_attribute("data-runs", "1")
    with failing(page, "overlaid"):
        expect(wrong(overlay)).to_be_visible()
    expect(wrong(overlay)).to_have_count(0)
    grows(page, ".qr-overlay-plot")


def test_a_comparison_goes_on(running: str, page: Page) -> None:
    data, held_out = data_files(KJV, None)
    plans = parse_plans("attention,bitfit")
    made = make_comparison("nano", plans, data=data, eval_data=held_out, steps=2)
    runs = (running, finished("other", 0.02, "stopped").name)
    entries = tuple(replace(e, run=run) for e, run in zip(made.entries, runs, strict=True))
    write_comparison(replace(made, entries=entries))
    reload(page)
    open_tab(page, "Compare")
    view = page.locator("#qc-view")
    expect(view.locator(".qc-run").first).to_contain_text(" / 100000")
    with failing(page, "state"):
        expect(wrong(view)).to_be_visible()
    expect(wrong(view)).to_have_count(0)
    said = view.locator(".qc-run").first.inner_text()
    expect(view.locator(".qc-run").first).not_to_have_text(said)


def test_buttons_say_that_there_is_no_answer(same_home: None, page: Page) -> None:
    folder = finished("to-click", 0.02)
    open_tab(page, "Runs")
    page.locator(f'[data-hold="tick {folder.name}"]').check()
    page.locator(f'[data-hold="open {folder.name}"]').click()
    table, view = page.locator("#qr-table"), page.locator("#qr-opened")
    with failing(page, "exported"):
        table.get_by_role("button", name="HTML report").click()
        expect(wrong(table)).to_be_visible()
    for function, button in (("settings", "Retry"), ("csv", "CSV"), ("log", "Log")):
        with failing(page, function):
            view.locator(".qr-actions").get_by_role("button", name=button).click()
            expect(wrong(view)).to_be_visible()


def test_the_freeze_tab_says_that_there_is_no_answer(page: Page) -> None:
    with failing(page, "structure"):
        open_tab(page, "Freeze")
        expect(page.locator(".qs-said")).to_have_text(NO_ANSWER)
    expect(page.locator(".qs-body").first).to_be_visible()
    expect(page.locator(".qs-said")).to_have_text("")
    for function, button in (
        ("choose_preset", "BitFit"),
        ("plan_text", "Copy sentence"),
        ("plan_text", "Download plan"),
        ("save_plan", "Save"),
    ):
        with failing(page, function):
            page.get_by_role("button", name=button, exact=True).click()
            expect(page.locator(".qs-said")).to_have_text(NO_ANSWER)
    page.get_by_role("button", name="BitFit", exact=True).click()
    expect(page.locator(".qs-said")).to_have_text("")
    expect(page.locator(".qs-trainable")).to_have_text("8,192")
    with failing(page, "price_step"):
        page.locator(".qf-price").get_by_label("Batch size", exact=True).fill("8")
        expect(page.locator(".qf-sentence")).to_have_text(NO_ANSWER)
    with failing(page, "export_plan"):
        page.locator(".qf-format").select_option("axolotl")
        expect(page.get_by_label("The plan in this format").locator("code")).to_have_text(NO_ANSWER)


def test_the_inspect_tab_says_that_there_is_no_answer(page: Page) -> None:
    expect(page.locator(".qi-found")).to_contain_text("modules and tensors")
    picker = page.locator("#q-picker input")
    with failing(page, "tree"):
        picker.fill("nano")
        picker.press("Enter")
        expect(page.locator(".qi-found")).to_have_text(NO_ANSWER)
    expect(page.locator(".qi-inspector")).to_have_attribute("data-source", "nano")
    panel = page.get_by_role("region", name="Selected module")
    with failing(page, "detail"):
        page.get_by_role("searchbox", name="Search modules").fill("3 k_proj.weight")
        expect(panel.locator(".qi-detail")).to_have_text(NO_ANSWER)
    page.locator(".qi-row", has_text="weight").first.click()
    expect(panel).to_contain_text("Measure values")
    with failing(page, "values"):
        panel.get_by_role("button", name="Measure values").click()
        expect(panel.locator(".qi-values")).to_contain_text(NO_ANSWER)
    panel.get_by_role("button", name="Measure values").click()
    expect(panel.locator(".qi-values")).to_contain_text("standard deviation")
    with failing(page, "pattern"):
        page.get_by_role("button", name="Copy as regex").click()
        expect(page.locator(".qi-left")).to_contain_text(NO_ANSWER)
    with failing(page, "source_code"):
        panel.locator("summary", has_text="Source:").click()
        expect(panel.locator("pre")).to_contain_text(NO_ANSWER)
