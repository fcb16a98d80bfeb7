"""The Train tab's form in Chromium: what the model will see, the price, the launch files."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENCE = 60_000


def test_the_form_shows_the_tokens_the_price_and_the_launch_files(page: Page) -> None:
    page.locator("#q-picker input").fill("nano")
    page.locator("#q-picker input").press("Enter")
    page.get_by_role("tab", name="Train", exact=True).click()
    expect(page.locator("#qt-price")).to_contain_text("are free", timeout=PATIENCE)
    page.get_by_role("button", name="What the model will see").click()
    tokens = page.locator("#qt-preview .qt-tokens")
    expect(tokens.locator(".qt-carries").first).to_be_visible(timeout=PATIENCE)
    first = tokens.inner_text()
    page.get_by_label("King James Bible, as chats").check()
    expect(tokens).to_contain_text("<|im_start|>", timeout=PATIENCE)
    silent = tokens.locator(".qt-token:not(.qt-carries)").first
    expect(silent).to_be_visible()
    assert tokens.inner_text() != first
    page.get_by_role("button", name="On several machines").click()
    page.get_by_role("button", name="Write the launch files").click()
    machines = page.locator("#qt-machines")
    expect(machines).to_contain_text("Nothing was started here", timeout=PATIENCE)
    script = machines.locator("textarea").first
    expect(script).to_have_value(re.compile("#SBATCH --nodes=2"), timeout=PATIENCE)
