"""A page of another site, and one whose name was rebound to this machine, in a real Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import FLAGS, Dashboard

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAMES = ("evil.test", "rebound.test")
# What a page can try without being asked: read, call, join the queue, upload, frame, send a form.
ATTEMPT = """async (base) => {
  const read = [], sent = [];
  const ask = async (name, path, options) => {
    try {
      const answer = await fetch(base + path, options);
      if (answer.type !== "opaque" && answer.ok) read.push(name);
      sent.push([name, answer.status]);
    } catch (error) { sent.push([name, "no answer"]); }
  };
  const call = JSON.stringify({data: {}, fn_name: "list_saved", component_id: 1,
                               session_hash: "x"});
  const form = new FormData();
  form.append("files", new Blob(["x"]), "planted.txt");
  for (const mode of ["cors", "no-cors"]) {
    await ask("page", "/", {mode});
    await ask("config", "/config", {mode});
    await ask("info", "/gradio_api/info", {mode});
    await ask("json", "/gradio_api/component_server",
              {mode, method: "POST", body: call, headers: {"content-type": "application/json"}});
    await ask("text", "/gradio_api/component_server", {mode, method: "POST", body: call});
    await ask("join", "/gradio_api/queue/join", {mode, method: "POST", body: call});
    await ask("upload", "/gradio_api/upload", {mode, method: "POST", body: form});
  }
  return {read, sent};
}"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of another site's server on loopback."""
    folder = tmp_path_factory.mktemp("evil")
    (folder / "index.html").write_text("<!doctype html><title>evil</title><p>hello")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def resolving_browser(browser: Browser) -> Iterator[Browser]:
    """A Chromium for which the names of other sites are names of this machine."""
    rules = ",".join(f"MAP {name} 127.0.0.1" for name in NAMES)
    executable = shutil.which("chromium")
    assert executable
    arguments = [*FLAGS, f"--host-resolver-rules={rules}"]
    other = browser.browser_type.launch(executable_path=executable, args=arguments)
    yield other
    other.close()


@pytest.fixture
def evil(resolving_browser: Browser, elsewhere: int) -> Iterator[Page]:
    page = resolving_browser.new_page()
    page.goto(f"http://evil.test:{elsewhere}/")
    yield page
    page.close()


def uploads(dashboard: Dashboard) -> list[Path]:
    return [p for p in dashboard.home.rglob("*") if "planted" in p.name]


@pytest.mark.parametrize("name", ["127.0.0.1", "rebound.test"])
def test_another_site_reads_and_does_nothing(evil: Page, dashboard: Dashboard, name: str) -> None:
    answer: dict[str, Any] = evil.evaluate(ATTEMPT, f"http://{name}:{dashboard.port}")
    assert answer["read"] == []
    assert len(answer["sent"]) == 14
    assert not uploads(dashboard)


def test_a_rebound_page_reads_and_does_nothing(
    resolving_browser: Browser, dashboard: Dashboard
) -> None:
    """The page of the attacker now comes from the dashboard's own port: the same origin."""
    page = resolving_browser.new_page()
    answer = page.goto(f"http://rebound.test:{dashboard.port}/")
    assert answer is not None
    assert answer.status == 421
    tried = page.evaluate(ATTEMPT, f"http://rebound.test:{dashboard.port}")
    assert tried["read"] == []
    assert {status for _, status in tried["sent"]} <= {421, "no answer"}
    assert not uploads(dashboard)
    page.close()


def test_no_page_may_frame_it(evil: Page, dashboard: Dashboard) -> None:
    said: list[str] = []
    evil.on("console", lambda message: said.append(message.text))
    evil.evaluate(
        """(url) => new Promise((resolve) => {
          const frame = document.createElement("iframe");
          frame.onload = resolve;
          frame.src = url;
          document.body.append(frame);
        })""",
        dashboard.url,
    )
    assert not evil.frames[1].query_selector(".q-facts")
    assert any("frame-ancestors" in text for text in said)


def test_the_page_lives_with_its_policy(page: Page) -> None:
    """All five tabs opened; the fixture fails on errors of scripts, this on refused resources."""
    refused: list[str] = []
    page.on("console", lambda m: refused.append(m.text) if "Content Security" in m.text else None)
    page.reload()
    page.wait_for_selector(".q-facts")
    for name in ("Freeze", "Train", "Runs", "Compare", "Inspect"):
        page.get_by_role("tab", name=name, exact=True).click()
        page.wait_for_timeout(300)
    assert refused == []
