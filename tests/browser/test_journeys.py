"""What a person comes for, counted: clicks and keys may become fewer, never more.

`pytest -s tests/browser/test_journeys.py` prints the seconds, which depend on the machine.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import clipboard
from tests.helpers.hand import Hand

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MEASURED_MS = 240_000  # in a process of its own, on a machine that may be loaded


def test_the_name_of_a_bias_is_copied(page: Page) -> None:
    page.wait_for_selector(".qi-row")
    hand = Hand(page)
    hand.click(page.get_by_role("searchbox", name="Search modules and tensors"))
    hand.type("24.k_proj.bias")
    expect(page.locator(".qi-found")).to_contain_text("1 found, 1 of them tensors")
    hand.click(page.get_by_role("button", name="Copy names"))
    assert clipboard(page, "model") == "model.layers.24.self_attn.k_proj.bias"
    print(hand.told("k_proj's bias name copied"))
    assert hand.clicks <= 2
    assert hand.keys <= 14


def test_attention_on_the_last_four_as_pytorch(page: Page) -> None:
    hand = Hand(page)
    hand.click(page.get_by_role("tab", name="Freeze"))
    expect(page.get_by_label("The plan in this format")).to_contain_text(
        "for block in range(24, 28)"
    )
    hand.click(page.locator(".qf-export").get_by_role("button", name="Copy"))
    assert "requires_grad" in clipboard(page, "from transformers")
    print(hand.told("attention on the last 4 as PyTorch"))
    assert hand.clicks <= 2
    assert hand.keys <= 0


def test_bitfit_is_8192(page: Page) -> None:
    hand = Hand(page)
    hand.click(page.get_by_role("tab", name="Freeze"))
    hand.click(page.get_by_role("button", name="BitFit", exact=True))
    expect(page.locator(".qs-trainable")).to_have_text("8,192")
    print(hand.told("BitFit's 8,192"))
    assert hand.clicks <= 2
    assert hand.keys <= 0


def test_blocks_are_ranked_and_taken(page: Page) -> None:
    page.goto(f"{page.url}?model=nano")
    hand = Hand(page)
    hand.click(page.get_by_role("tab", name="Freeze"))
    expect(page.locator(".qs")).to_have_attribute("data-source", "nano")
    heat = page.get_by_label("Heat of the cells")
    expect(heat.locator("optgroup")).to_have_count(2)
    hand.choose(heat, "rank:activation")
    take = page.get_by_role("button", name="Take the top")
    expect(take).to_be_visible(timeout=MEASURED_MS)
    hand.click(take)
    expect(page.locator("#q-summary")).not_to_contain_text("blocks 24-27")
    expect(page.locator(".qs-touched")).to_have_text("4 of 28")
    print(hand.told("ranked by activations, and taken"))
    assert hand.clicks <= 4
    assert hand.keys <= 0


def test_a_run_is_launched_by_seven_keys(page: Page) -> None:
    launch = page.locator("#qt-launch")
    page.wait_for_selector("#q-tabs [role=tab][tabindex='-1']")
    hand = Hand(page)
    while page.evaluate("document.activeElement.getAttribute('role')") != "tab":
        hand.press("Tab")
    hand.press("ArrowRight", "ArrowRight")
    expect(launch).to_be_enabled()
    hand.press("Control+Enter")
    expect(page.locator("#qt-run .qr-run")).not_to_be_empty()
    print(hand.told("a run launched by keys"))
    assert hand.clicks == 0
    assert hand.keys <= 12
    page.locator("#qt-run").get_by_role("button", name="Stop").click()
