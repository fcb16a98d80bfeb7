"""The page as a whole: what loads, from where, and what a mistake in the header does."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from qwen_ui.freeze import preset
from tests.browser.conftest import PATIENCE_MS, Dashboard
from tests.helpers.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def pick(page: Page, model: str) -> None:
    box = page.locator("#q-picker input")
    box.fill(model)
    box.press("Enter")


def test_the_page_opens_on_the_default_model(page: Page) -> None:
    expect(page.locator(".q-facts")).to_contain_text("1.54 B")
    expect(page.locator(".q-fact").first).to_have_attribute("title", "1,543,714,304 in 338 tensors")
    expect(page.locator("#q-summary")).to_contain_text("22,028,288 of 1,543,714,304")


def test_nothing_is_loaded_from_outside(browser: Browser, dashboard: Dashboard) -> None:
    page = browser.new_page()
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or ""))
    page.goto(dashboard.url)
    page.wait_for_selector(".q-facts")
    page.close()
    assert hosts <= {"127.0.0.1", ""}


def test_a_mistake_in_the_picker_is_a_sentence_and_loses_nothing(page: Page) -> None:
    pick(page, "no-such-model")
    expect(page.get_by_text("There is no model 'no-such-model'")).to_be_visible()
    expect(page.locator(".q-facts")).to_contain_text("1.54 B")
    pick(page, "nano")
    expect(page.locator(".q-facts")).to_contain_text("6.04 M")


def test_a_link_restores_model_and_plan(browser: Browser, dashboard: Dashboard) -> None:
    page = browser.new_page()
    plan = quote(preset("bitfit").to_json())
    page.goto(f"{dashboard.url}?model=nano&plan={plan}")
    expect(page.locator("#q-summary")).to_contain_text("1,024 of 6,043,776", timeout=60_000)
    page.close()


def test_a_page_at_rest_asks_for_no_frames(browser: Browser, dashboard: Dashboard) -> None:
    page = browser.new_page()
    page.add_init_script(
        """window.frames_asked = 0;
        const request = window.requestAnimationFrame.bind(window);
        window.next_frame = () => new Promise(request);
        window.requestAnimationFrame = (callback) => {
          window.frames_asked++;
          return request(callback);
        };"""
    )
    page.goto(dashboard.url)
    page.wait_for_selector(".q-facts")
    # Counted over frames, not over time: a page that is busy has few of them.
    count = """async () => {
      const before = window.frames_asked;
      for (let frame = 0; frame < 30; frame++) await window.next_frame();
      return window.frames_asked - before;
    }"""
    until(lambda: page.evaluate(count) <= 5, PATIENCE_MS / 1000, lambda: "it goes on asking")
    page.close()


def test_what_is_seen_first_makes_way_for_the_page(page: Page) -> None:
    expect(page.locator("#q-header")).to_be_visible()
    expect(page.locator("#q-first")).to_be_hidden()


def test_gradio_s_own_script_is_asked_for_first(page: Page) -> None:
    first = "document.head.querySelector('link[rel=modulepreload]').href"
    own = "document.head.querySelector('script[src*=assets]').src"
    assert page.evaluate(f"{first} === {own}")


def test_a_page_s_start_is_few_events(browser: Browser, dashboard: Dashboard) -> None:
    """Each costs the browser some milliseconds of work, and the tree waits for them."""
    page = browser.new_page()
    joins: list[str] = []
    page.on("request", lambda sent: joins.append(sent.url) if "/queue/join" in sent.url else None)
    page.goto(dashboard.url)
    page.get_by_role("treeitem").first.wait_for()
    page.wait_for_timeout(3000)
    page.close()
    assert 0 < len(joins) <= 12
