"""The page on a phone, on a small laptop and at twice its size: nothing lies outside or touches."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.helpers.browser_runs import open_tab
from tests.helpers.finished_comparison import finished_comparison
from tests.helpers.small_targets import small_targets
from tests.helpers.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TABS = ("Inspect", "Freeze", "Train", "Runs", "Compare")
PHONE, SMALL, ZOOMED = (390, 844), (1024, 768), (720, 450)  # 1440 x 900 at 200 %
TALLEST_HEADER = 64
# What stands side by side at 1024 px, and the room that must be between.
SIDE_BY_SIDE = {
    "Inspect": (".qi-left", ".qi-panel"),
    "Freeze": (".qs-left", ".qs-side"),
    "Train": ("#qt-form", "#qt-side"),
    "Compare": ("#qc-form", "#qc-side"),
}
LEAST_GAP = 16
WITHOUT_ARROW = """() => [...document.querySelectorAll("select:not(#q-language *)")]
  .filter((node) => node.checkVisibility())
  .filter((node) => getComputedStyle(node).appearance === "none"
    && getComputedStyle(node).backgroundImage === "none")
  .map((node) => node.className || node.getAttribute("aria-label"))"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(autouse=True)
def with_runs(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two finished runs, before the page."""
    monkeypatch.setenv("QWEN_UI_HOME", str(dashboard.home))
    if not (dashboard.home / "comparisons").exists():
        finished_comparison(4.0, 5.0)


def opened(page: Page, tab: str) -> None:
    open_tab(page, tab)
    if tab == "Freeze":
        expect(page.locator(".qf-price .qf-table tbody tr").first).to_be_attached()
    if tab == "Runs":
        expect(page.locator(".qr-open")).to_have_count(2)


def test_no_tab_scrolls_sideways_and_the_header_is_low(page: Page) -> None:
    page.wait_for_selector(".qi-row")
    for width, height in (PHONE, ZOOMED, SMALL):
        page.set_viewport_size({"width": width, "height": height})
        for tab in TABS:
            opened(page, tab)
            # Charts fit themselves into a new width a moment after it is there.
            until(
                lambda: page.evaluate(SIDEWAYS) == 0,
                10.0,
                lambda tab=tab, width=width: f"{tab} at {width} px",  # type: ignore[misc]
            )
            box = page.locator("#q-header").bounding_box()
            assert box
            assert box["height"] <= TALLEST_HEADER, f"the header of {tab} at {width} px"


def test_panels_do_not_touch_at_1024_px(page: Page) -> None:
    page.set_viewport_size({"width": SMALL[0], "height": SMALL[1]})
    for tab, (left, right) in SIDE_BY_SIDE.items():
        opened(page, tab)
        boxes = [page.locator(part).bounding_box() for part in (left, right)]
        assert boxes[0]
        assert boxes[1]
        beside = boxes[1]["x"] - boxes[0]["x"] - boxes[0]["width"]
        below = boxes[1]["y"] - boxes[0]["y"] - boxes[0]["height"]
        assert max(beside, below) >= LEAST_GAP, tab


def test_what_is_pressed_is_24_px_high_and_what_is_chosen_from_has_an_arrow(page: Page) -> None:
    for tab in TABS:
        opened(page, tab)
        if tab == "Runs":
            page.locator(".qr-open").first.click()
            expect(page.locator(".qr-tool:visible").first).to_be_visible()
            # What stands below an opened run comes by itself, each part by its own answer.
            expect(page.locator("#qr-about .qr-actions")).to_be_visible()
            expect(page.locator("#qr-talk")).to_contain_text("left no trained tensors")
        assert small_targets(page) == [], tab
        assert page.evaluate(WITHOUT_ARROW) == [], tab


def test_a_theme_is_chosen_on_the_page_and_kept(page: Page) -> None:
    theme = page.get_by_role("button", name="Dark theme")
    expect(theme).to_have_attribute("aria-pressed", "false")
    theme.click()
    expect(page.locator("body.dark")).to_be_attached()
    page.reload()
    expect(page.locator("body.dark")).to_be_attached()
    expect(theme).to_have_attribute("aria-pressed", "true")
    theme.click()
    expect(page.locator("body.dark")).to_have_count(0)
    # Chosen is what the system has: the page follows the system again.
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body.dark")).to_be_attached()


def test_who_wants_no_motion_gets_none(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    longest = """() => Math.max(...[...document.querySelectorAll("*")].map((node) => {
      const { transitionDuration, animationDuration } = getComputedStyle(node);
      return Math.max(...`${transitionDuration}, ${animationDuration}`.split(", ").map(parseFloat));
    }))"""
    assert page.evaluate(longest) < 0.01
