"""Pictures of every tab, for the README and for whoever changes the page.

    python -m scripts.screenshots           # every tab, empty and full, by width and theme
    make images                             # those that the documents show, in docs/images/

Starts a dashboard of its own on an empty folder and lets it compare the two plans, so that there
is something to see; without `--readme`, the pictures of empty tabs are taken before that. They lie
in screenshots/ as TAB-CONTENT-THEME-WIDTH.png.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
TABS = ("Inspect", "Freeze", "Train", "Runs", "Compare")
THEMES = ("light", "dark")
SIZES = ((390, 844), (1024, 768), (1440, 900))
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SETTLE_MS = 1500
# A loaded machine is slow; the comparison makes several runs.
PATIENCE_MS, RUNS_MS = 60_000, 900_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=ROOT / "screenshots")
    parser.add_argument("--readme", action="store_true")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE_MS)
    with dashboard() as url, sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        if arguments.readme:
            readme_pictures(browser, url, arguments.output)
        else:
            all_pictures(browser, url, arguments.output)
        browser.close()


def all_pictures(browser: Browser, url: str, output: Path) -> None:
    """Every tab, empty and then full, at every width, in both themes."""
    for content in ("empty", "full"):
        if content == "full":
            compare(browser, url)
        for theme, (width, height) in product(THEMES, SIZES):
            page = opened(browser, url, theme, width, height)
            for tab in TABS:
                show(page, tab)
                if content == "full":
                    fill(page, tab)
                name = f"{tab}-{content}-{theme}-{width}.png".lower()
                page.screenshot(path=output / name, full_page=True)
            page.context.close()


def compare(browser: Browser, url: str) -> None:
    """Let the dashboard compare the two plans, on one seed."""
    page = opened(browser, url, "light", 1440, 900)
    show(page, "Compare")
    form = page.locator("#qc-form")
    form.get_by_label("Seeds").fill("1")
    form.get_by_label("Seeds").press("Tab")
    page.locator("#qc-classic").click()
    verdict = page.locator("#qc-view").get_by_role("status")
    expect(verdict).to_contain_text("this is no verdict", timeout=RUNS_MS)
    page.context.close()


def fill(page: Page, tab: str) -> None:
    """What a person who works on a tab has there."""
    if tab == "Inspect":
        page.get_by_role("searchbox", name="Search modules and tensors").fill("24 k_proj")
    elif tab == "Freeze":
        page.locator("[data-preset=bitfit]").click()
        page.get_by_label("Heat of the cells").select_option("count")
    elif tab == "Runs":
        page.locator(".qr-open").first.click()
        for box in page.locator(".qr-runs tbody input").all()[:2]:
            box.check()
    page.wait_for_timeout(SETTLE_MS)


def readme_pictures(browser: Browser, url: str, output: Path) -> None:
    page = opened(browser, url, "light", 1280, 860)
    show(page, "Inspect")
    expect(page.get_by_text("Drawing")).to_have_count(0)
    page.screenshot(path=output / "inspect.png")
    show(page, "Freeze")
    expect(page.locator(".qs-trainable")).to_have_text(re.compile(r"\d"))
    expect(page.locator(".qf-table tbody tr").first).to_be_visible()
    page.screenshot(path=output / "freeze.png", full_page=True)
    show(page, "Compare")
    page.locator("#qc-classic").click()
    verdict = page.locator("#qc-view").get_by_role("status")
    expect(verdict).to_contain_text("shared seeds", timeout=RUNS_MS)
    expect(page.locator(".qc-plot .scatterlayer").first).to_be_attached()
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=output / "compare.png")


def opened(browser: Browser, url: str, theme: str, width: int, height: int) -> Page:
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.goto(f"{url}?__theme={theme}")
    page.get_by_role("treeitem").first.wait_for()
    return page


def show(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()
    page.wait_for_timeout(SETTLE_MS)


@contextmanager
def dashboard() -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "QWEN_UI_HOME": home, "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "app.py", "--port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert time.monotonic() < deadline, "the dashboard does not answer"
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
