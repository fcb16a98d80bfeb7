"""Two visitors of a public dashboard: neither sees, stops or opens what is the other's."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS, Dashboard

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("public")
    server = Dashboard(folder / "home", folder / "dashboard.log", "--public")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def visitors(browser: Browser, dashboard: Dashboard) -> Iterator[tuple[Page, Page]]:
    contexts = [browser.new_context(viewport={"width": 1440, "height": 900}) for _ in range(2)]
    pages = []
    for context in contexts:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(dashboard.url)
        page.wait_for_selector(".q-facts")
        pages.append(page)
    yield pages[0], pages[1]
    for context in contexts:
        context.close()


def launch(page: Page, steps: int) -> str:
    """The name of a run that this visitor launched."""
    page.get_by_role("tab", name="Train").click()
    page.get_by_label("Steps").locator("visible=true").first.fill(str(steps))
    expect(page.locator("#qt-launch")).to_be_enabled()
    with page.expect_request(lambda request: '"poll"' in (request.post_data or "")) as asked:
        page.locator("#qt-launch").click()
    body: dict[str, Any] = json.loads(asked.value.post_data or "{}")
    return str(body["data"]["run"])


def call(page: Page, run: str, action: str) -> str:
    """What this visitor's browser is answered when it asks to do something with a run."""
    return str(
        page.evaluate(
            """async ([run, action]) => {
                const found = window.gradio_config.components
                    .find((component) => component.props.elem_id === "qt-run");
                const answer = await fetch("gradio_api/component_server", {
                    method: "POST",
                    headers: { "content-type": "application/json" },
                    body: JSON.stringify({
                        session_hash: "x", component_id: found.id, fn_name: "act",
                        data: { run, action },
                    }),
                });
                return answer.text();
            }""",
            [run, action],
        )
    )


def test_two_visitors(visitors: tuple[Page, Page], dashboard: Dashboard) -> None:
    alice, bob = visitors
    expect(alice.locator("#q-public")).to_contain_text("seen and stopped by you alone")
    run = launch(alice, 200)
    alice.get_by_role("tab", name="Runs").click()
    expect(alice.locator("#qr-table")).to_contain_text(run[16:])

    # The other sees no run, neither in the list nor on the Train tab, and stops none.
    bob.get_by_role("tab", name="Runs").click()
    expect(bob.locator("#qr-table")).to_contain_text("No runs yet")
    expect(bob.locator("#qr-table")).not_to_contain_text(run[16:])
    for action in ("stop", "kill", "delete", "resume", "retry"):
        assert "There is no run" in call(bob, run, action), action

    # What is off is said, and a link does not get past it.
    bob.get_by_role("tab", name="Train").click()
    bob.locator("#qt-machines button").first.click()
    expect(bob.locator("#qt-machines")).to_contain_text("Off on this public dashboard")
    expect(bob.locator("#qt-permit")).to_be_hidden()
    bob.goto(f"{dashboard.url}?model=/etc")
    expect(bob.get_by_text("cannot be opened on this public dashboard")).to_be_visible()

    # Who comes without a cookie is nobody.
    assert "There is no run" in _without_cookie(dashboard, alice, run)

    # Reloaded, the owner finds the run again and stops it.
    alice.reload()
    alice.wait_for_selector(".q-facts")
    assert call(alice, run, "stop") == "{}"
    alice.get_by_role("tab", name="Runs").click()
    expect(alice.locator("#qr-table")).to_contain_text("stopped")


def _without_cookie(dashboard: Dashboard, page: Page, run: str) -> str:
    found = page.evaluate(
        'window.gradio_config.components.find((c) => c.props.elem_id === "qt-run").id'
    )
    body = f'{{"session_hash": "x", "component_id": {found}, "fn_name": "poll", '
    body += f'"data": {{"run": "{run}"}}}}'
    request = urllib.request.Request(
        f"{dashboard.url}gradio_api/component_server",
        body.encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.read().decode())


def test_a_setting_beyond_the_limits_says_so(visitors: tuple[Page, Page]) -> None:
    page, _ = visitors
    page.get_by_role("tab", name="Train").click()
    page.get_by_label("Steps").locator("visible=true").first.fill("5000")
    expect(page.locator("#qt-launch")).to_be_enabled()
    page.locator("#qt-launch").click()
    expect(page.get_by_text("steps is 200 at most, not 5,000")).to_be_visible()
