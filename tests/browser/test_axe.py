"""axe-core on every tab, in both themes, empty and full, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS, Dashboard
from tests.helpers.axe import grave, violations
from tests.helpers.browser_runs import open_tab
from tests.helpers.finished_comparison import finished_comparison

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WIDE, NARROW = (1440, 900), (390, 844)


@pytest.fixture(autouse=True)
def same_home(dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_UI_HOME", str(dashboard.home))


@pytest.fixture
def opened(browser: Browser, dashboard: Dashboard) -> Iterator[Callable[..., Page]]:
    """Opens the dashboard in a theme and a window; what it opened is closed in the end."""
    pages: list[Page] = []

    def opening(theme: str, width: int, height: int) -> Page:
        page = browser.new_page(viewport={"width": width, "height": height})
        pages.append(page)
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{dashboard.url}?__theme={theme}")
        page.wait_for_selector(".qi-row")
        return page

    yield opening
    for page in pages:
        page.close()


def inspect(page: Page) -> None:
    expect(page.locator(".qi-picture svg")).to_be_attached()


def freeze(page: Page) -> None:
    expect(page.locator(".qf-price .qf-table tbody tr").first).to_be_visible()
    expect(page.locator(".qf-waits")).to_have_count(0)


def train(page: Page) -> None:
    expect(page.locator("#qt-launch")).to_be_enabled()


def runs(page: Page) -> None:
    expect(page.locator(".qr-list")).to_be_visible()


def compare(page: Page) -> None:
    expect(page.locator("#qc-view")).to_be_visible()


def filled_inspect(page: Page) -> None:
    page.get_by_role("searchbox", name="Search modules and tensors").fill("24 k_proj.bias")
    expect(page.locator(".qi-picture .lit")).to_be_attached()


def filled_freeze(page: Page) -> None:
    page.get_by_label("Heat of the cells").select_option("count")
    # Some are within others, which have to be opened first.
    for summary in page.locator("#qs-main summary").all():
        if summary.is_visible():
            summary.click()
    page.get_by_role("button", name="More options").click()
    page.get_by_role("radio", name="Tree").click()
    expect(page.locator(".qs-tree .qs-node").first).to_be_visible()
    freeze(page)


def filled_train(page: Page) -> None:
    expect(page.locator("#qt-run").get_by_text("What it writes")).to_be_visible()


def filled_runs(page: Page) -> None:
    boxes = page.locator(".qr-runs tbody input")
    expect(boxes).to_have_count(2)
    for box in boxes.all():
        box.check()
    page.locator(".qr-open").first.click()
    expect(page.locator("#qr-opened .qr-run")).to_be_visible()
    expect(page.locator(".qr-overlay")).to_have_attribute("data-runs", "2")


def filled_compare(page: Page) -> None:
    expect(page.locator("#qc-view .qc-table tbody tr")).to_have_count(2)


Tabs = dict[str, Callable[[Page], None]]
EMPTY: Tabs = {
    "Inspect": inspect,
    "Freeze": freeze,
    "Train": train,
    "Runs": runs,
    "Compare": compare,
}
FULL: Tabs = {
    "Inspect": filled_inspect,
    "Freeze": filled_freeze,
    "Train": filled_train,
    "Runs": filled_runs,
    "Compare": filled_compare,
}


def found_on(page: Page, tabs: Tabs) -> list[str]:
    """What is grave on each tab, as text; how many rules and places, all told, are printed."""
    found = []
    for tab, ready in tabs.items():
        open_tab(page, tab)
        ready(page)
        broken = violations(page)
        places = {one.rule: len(one.places) for one in broken}
        print(f"{tab}: {sum(places.values())} {places}")
        found += [f"{tab}: {one}" for one in grave(broken)]
    return found


@pytest.mark.parametrize(("theme", "window"), [("light", WIDE), ("dark", NARROW)])
def test_an_empty_dashboard_keeps_nobody_out(
    opened: Callable[..., Page], theme: str, window: tuple[int, int]
) -> None:
    assert found_on(opened(theme, *window), EMPTY) == []


@pytest.mark.parametrize(("theme", "window"), [("light", NARROW), ("dark", WIDE)])
def test_a_dashboard_with_runs_keeps_nobody_out(
    opened: Callable[..., Page], dashboard: Dashboard, theme: str, window: tuple[int, int]
) -> None:
    if not (dashboard.home / "comparisons").exists():
        finished_comparison(4.0, 5.0)  # before the page, so that it finds its two runs
    assert found_on(opened(theme, *window), FULL) == []
