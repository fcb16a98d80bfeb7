"""The page by keyboard alone: tabs by arrows, whole rings, no stop at a chart's buttons."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.helpers.browser_runs import open_tab
from tests.helpers.finished_comparison import finished_comparison

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TABS = ("Inspect", "Freeze", "Train", "Runs", "Compare")
MOST_STOPS = 90
READY = {
    "Inspect": ".qi-picture svg",
    "Freeze": ".qf-price tbody tr",
    "Train": "#qt-run .qr-run",
    "Runs": ".qr-open",
    "Compare": ".qc-plot .scatterlayer",
}
# What has the focus, whether that can be seen, and what cuts its ring off.
STOP = """() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const style = getComputedStyle(node);
  const width = style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
  const reach = width ? width + parseFloat(style.outlineOffset) : 0;
  const box = node.getBoundingClientRect();
  const cut = [];
  for (let up = node.parentElement; reach > 0 && up !== document.body; up = up.parentElement) {
    const { overflowX, overflowY } = getComputedStyle(up);
    const clip = up.getBoundingClientRect();
    const over = (gap) => gap >= 0 && gap < reach - 0.5;
    const sides = overflowX !== "visible" && [box.left - clip.left, clip.right - box.right];
    const ends = overflowY !== "visible" && [box.top - clip.top, clip.bottom - box.bottom];
    if ([...(sides || []), ...(ends || [])].some(over)) cut.push(up.className || up.id);
  }
  const around = node.closest("label, .wrap, .container, fieldset") ?? node;
  const { boxShadow, outlineStyle } = getComputedStyle(around);
  const active = node.hasAttribute("aria-activedescendant"); // a row or cell has the ring
  const seen = active || width > 0 || [style.boxShadow, boxShadow, outlineStyle].some(
    (value) => value !== "none");
  const name = node.getAttribute("aria-label") || node.textContent.trim() || node.id;
  return {name: name.slice(0, 40), classes: String(node.className), seen, cut};
}"""


@pytest.fixture(autouse=True)
def with_runs(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two finished runs, before the page: their charts have buttons."""
    monkeypatch.setenv("QWEN_UI_HOME", str(dashboard.home))
    if not (dashboard.home / "comparisons").exists():
        finished_comparison(4.0, 5.0)


def stops(page: Page) -> list[dict[str, Any]]:
    """What Tab comes by from the tabs to the page's end."""
    found: list[dict[str, Any]] = []
    while len(found) < MOST_STOPS:
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None:
            return found
        found.append(stop)
    raise AssertionError(f"more than {MOST_STOPS} stops: {found[-3:]}")


def faulty(stop: dict[str, Any]) -> bool:
    return stop["cut"] or not stop["seen"] or "modebar" in stop["classes"]


def test_the_tabs_are_one_stop_and_know_the_arrows(page: Page) -> None:
    tabs = page.locator("#q-tabs > .tab-wrapper").get_by_role("tab")
    tabs.first.focus()
    for key, name in (("ArrowRight", "Freeze"), ("End", "Compare"), ("ArrowRight", "Inspect")):
        page.keyboard.press(key)
        tab = page.get_by_role("tab", name=name, exact=True)
        expect(tab).to_be_focused()
        expect(tab).to_have_attribute("aria-selected", "true")
    assert [tab.get_attribute("tabindex") for tab in tabs.all()] == ["0", *["-1"] * 4]
    below = page.locator("#qi-more > .tab-wrapper").get_by_role("tab")
    below.first.focus()
    page.keyboard.press("ArrowRight")
    expect(below.nth(1)).to_have_attribute("aria-selected", "true")


@pytest.mark.parametrize("tab", TABS)
def test_every_stop_is_seen_whole_and_none_is_a_charts(page: Page, tab: str) -> None:
    page.wait_for_selector(".qi-row")
    open_tab(page, tab)
    expect(page.locator(READY[tab]).first).to_be_attached()
    page.get_by_role("tab", name=tab, exact=True).focus()
    found = stops(page)
    print(f"{tab}: {len(found)} stops")
    assert found
    poor = [f"{one['name']} ({one['classes']}): {one['cut']}" for one in found if faulty(one)]
    assert not poor, "\n".join(poor)
