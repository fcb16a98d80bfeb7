"""The Compare tab in a real Chromium: the one button, the curves, the verdict, and a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
MINUTES_MS = 270_000


def test_one_click_gives_a_verdict_that_a_reload_finds_again(page: Page) -> None:
    page.get_by_role("tab", name="Compare").click()
    form = page.locator("#qc-form")
    form.get_by_label("Steps").fill("4")
    form.get_by_label("Seeds").fill("1")
    form.get_by_label("Seeds").press("Tab")
    page.get_by_role("button", name="Attention-only vs BitFit").click()
    view = page.locator("#qc-view")
    expect(view.locator(".qc-run")).to_have_count(2, timeout=60_000)
    verdict = view.get_by_role("status")
    expect(verdict).to_contain_text("One seed each", timeout=MINUTES_MS)
    expect(view.locator(".qc-table tbody tr")).to_have_count(2)
    expect(view.locator(".qc-plot .scatterlayer").first).to_be_attached()
    expect(view.locator(".qc-samples section")).to_have_count(2)
    said = verdict.inner_text()
    page.reload()
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#qc-view").get_by_role("status")).to_have_text(said, timeout=60_000)
