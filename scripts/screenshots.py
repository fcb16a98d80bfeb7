"""Pictures of every tab, for the README and for whoever changes the page.

    python -m scripts.screenshots           # every state, by width, theme and language
    python -m scripts.screenshots --only 'compare|runs' --theme light --width 390 --language zh-CN
    make images                             # those that the documents show, in docs/images/

Starts a dashboard of its own on an empty folder and lets it compare the two plans, so that there
is something to see, and a public one. The states are those of `picture_states.py`; pictures lie in
screenshots/ as STATE-LANGUAGE-THEME-WIDTH.png. They show the whole page with every chart drawn, and
bars that stick to the window's foot at their place in it. A page that is wider than its window and
what is too small to be pressed are told, and are an exit code of 1.
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
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from scripts.film_strip import FRAME, first_visit
from scripts.picture_states import SETTLE_MS, STATES, show
from tests.helpers.small_targets import small_targets

ROOT = Path(__file__).resolve().parent.parent
THEMES = ("light", "dark")
LANGUAGES = ("en", "zh-CN")
HEIGHTS = {390: 844, 1024: 768, 1440: 900}
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# A loaded machine is slow; the comparison makes several runs.
PATIENCE_MS, RUNS_MS, DRAWING_MS = 60_000, 900_000, 15_000
STILL = ".q-bar, #q-header { position: static !important; }"
# No picture that is in sight waits for its library or for the server.
PLOTS = ".qr-plot, .qc-plot, .q-plot, .qi-picture"
DRAWN = f"""() => [...document.querySelectorAll("{PLOTS}")].every(
  (plot) => !plot.checkVisibility() || plot.querySelector("svg"))"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=Path, default=ROOT / "screenshots")
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--only", default="", help="States whose name has this pattern.")
    parser.add_argument("--theme", choices=THEMES, nargs="*", default=THEMES)
    parser.add_argument("--width", type=int, choices=list(HEIGHTS), nargs="*", default=HEIGHTS)
    parser.add_argument("--language", choices=LANGUAGES, nargs="*", default=LANGUAGES)
    parser.add_argument("--home", type=Path, help="Keeps the runs, for the next call to show.")
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        if asked.readme:
            with dashboard() as url:
                readme_pictures(browser, url, asked.output)
            return 0
        looks = list(product(asked.language, asked.theme, asked.width))
        found = [
            line
            for where in ("empty", "full", "public")
            for line in pictures_of(browser, where, looks, asked)
        ]
        browser.close()
    print(*found, sep="\n", end="")
    return 1 if found else 0


def pictures_of(
    browser: Browser, where: str, looks: list[tuple[str, str, int]], asked: argparse.Namespace
) -> Iterator[str]:
    """Take what one kind of dashboard shows; gives a line for each fault that is found."""
    states = {
        name: state
        for name, state in STATES.items()
        if state.where == where and re.search(asked.only, name)
    }
    if not states:
        return
    home = asked.home if where == "full" else None
    with dashboard(*(["--public"] if where == "public" else []), home=home) as url:
        if where == "full" and not (home and (home / "comparisons").exists()):
            compare(browser, url)
        for (language, theme, width), (name, state) in product(looks, states.items()):
            page = opened(browser, url, theme, width, HEIGHTS[width], language)
            show(page, state.tab)
            state.bring(page)
            draw_all(page, width)
            file = f"{name}-{language}-{theme}-{width}.png"
            page.screenshot(
                path=asked.output / file, full_page=not page.locator("dialog[open]").count()
            )
            over = page.evaluate("document.documentElement.scrollWidth") - width
            if over > 0:
                yield f"{file}: {over} px wider than the window"
            yield from (f"{file}: too small to be pressed: {one}" for one in small_targets(page))
            page.context.close()


def draw_all(page: Page, width: int) -> None:
    """Charts are drawn when they come into view: all of the page is, for a moment."""
    page.wait_for_timeout(SETTLE_MS)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(SETTLE_MS)
    # What is as high as the window has grown with it, and moved what comes below out of it.
    for plot in page.query_selector_all(PLOTS):
        plot.evaluate("plot => plot.scrollIntoView({ block: 'center', behavior: 'instant' })")
        page.wait_for_timeout(50)
    with suppress(PlaywrightTimeout):  # a chart without data is never drawn
        page.wait_for_function(DRAWN, timeout=DRAWING_MS)
    page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
    page.add_style_tag(content=STILL)
    # What sticks to the window while it scrolls is at its own place again.
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
    page.wait_for_timeout(SETTLE_MS // 3)


def compare(browser: Browser, url: str) -> None:
    """Let the dashboard compare the two plans, on one seed."""
    page = opened(browser, url, "light", 1440, 900)
    show(page, "compare")
    form = page.locator("#qc-form")
    form.get_by_label("Seeds").fill("1")
    form.get_by_label("Seeds").press("Tab")
    page.locator("#qc-classic").click()
    verdict = page.locator("#qc-view").get_by_role("status")
    expect(verdict).to_contain_text("this is no verdict", timeout=RUNS_MS)
    page.context.close()


def readme_pictures(browser: Browser, url: str, output: Path) -> None:
    page = opened(browser, url, "light", *FRAME)
    first_visit(page, output / "first-visit.png")
    page.context.close()
    page = opened(browser, url, "light", 1280, 860)
    show(page, "inspect")
    expect(page.locator(".qi-picture svg")).to_be_attached()
    page.screenshot(path=output / "inspect.png")
    show(page, "compare")
    expect(page.locator(".qc-plot .scatterlayer").first).to_be_attached()
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=output / "compare.png")
    show(page, "freeze")
    expect(page.locator(".qs-trainable")).to_have_text(re.compile(r"\d"))
    expect(page.locator(".qf-ways tbody tr").first).to_be_visible()
    expect(page.locator(".qf-fit-full")).to_have_text(re.compile(r"\d"))
    page.add_style_tag(content=STILL)
    page.screenshot(path=output / "freeze.png", full_page=True)


def opened(
    browser: Browser, url: str, theme: str, width: int, height: int, language: str = "en"
) -> Page:
    size = {"width": width, "height": height}
    page = browser.new_context(viewport=size, locale=language).new_page()  # type: ignore[arg-type]
    page.goto(f"{url}?__theme={theme}")
    page.get_by_role("treeitem").first.wait_for(timeout=PATIENCE_MS)
    return page


@contextmanager
def dashboard(*options: str, home: Path | None = None) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as own:
        environment = {**os.environ, "QWEN_UI_HOME": str(home or own), "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "app.py", "--port", str(port), *options]
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
    sys.exit(main())
