"""Seconds until the page is there, in a real Chromium on this machine.

    python -m benchmarks.bench_page [--starts N]
    python -m benchmarks.bench_page --visits N [--beside CHECKOUT]

Without `--visits`: from `python app.py` to the tree on screen, with an empty folder and nothing
cached in the browser. Aim: 5 s. With it: from a link's click to the first paint and to the tree, of
a dashboard that runs, by a browser that was there before. Aims: 0.4 s and 1.5 s. `--beside` visits
the dashboard of another checkout in turns, because machines are noisy.

The browser runs already, as a person's does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WINDOW = {"width": 1440, "height": 900}
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 120
WARM_UP_SECONDS = 25  # torch is imported while the first page is read
REST_MS = 700
NOTE_TREE = """
  new MutationObserver((_, observer) => {
    if (!document.querySelector('[role=treeitem]')) return;
    window.treeAt = performance.now();
    observer.disconnect();
  }).observe(document, { childList: true, subtree: true });
"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--visits", type=int)
    parser.add_argument("--beside", type=Path)
    asked = parser.parse_args()
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        if asked.visits:
            tell_visits(browser, asked.visits, [ROOT, *([asked.beside] if asked.beside else [])])
        else:
            tell_starts(browser, asked.starts)
        browser.close()


def tell_starts(browser: Browser, starts: int) -> None:
    found = [started(browser) for _ in range(starts)]
    served, tree = (statistics.median(column) for column in zip(*found, strict=True))
    slowest = max(seconds for _, seconds in found)
    print(
        f"served after {served:.1f} s, tree on screen after {tree:.1f} s in the median of {starts} "
        f"starts (slowest {slowest:.1f} s); load average {os.getloadavg()[0]:.1f}"
    )


def tell_visits(browser: Browser, visits: int, checkouts: list[Path]) -> None:
    """Visit each checkout's dashboard in turns; the first visit of each fills the cache."""
    with ExitStack() as stack:
        ports = [stack.enter_context(dashboard(checkout)) for checkout in checkouts]
        contexts = [browser.new_context(viewport=WINDOW) for _ in checkouts]
        time.sleep(WARM_UP_SECONDS)
        found: list[list[tuple[float, float]]] = [[] for _ in checkouts]
        for _ in range(visits + 1):
            for context, port, times in zip(contexts, ports, found, strict=True):
                times.append(visited(context, port))
    for checkout, times in zip(checkouts, found, strict=True):
        paints, trees = (sorted(column) for column in zip(*times[1:], strict=True))
        print(
            f"{checkout.name}: first paint after {statistics.median(paints):.2f} s "
            f"({paints[0]:.2f} to {paints[-1]:.2f}), tree after {statistics.median(trees):.2f} s "
            f"({trees[0]:.2f} to {trees[-1]:.2f}), {visits} visits"
        )
    print(f"load average {os.getloadavg()[0]:.1f}")


def started(browser: Browser) -> tuple[float, float]:
    """Seconds from the start of the process to (the port open, the tree's first row visible)."""
    begun = time.perf_counter()
    with dashboard(ROOT) as port:
        served = time.perf_counter() - begun
        page = browser.new_context(viewport=WINDOW).new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.get_by_role("treeitem").first.wait_for(timeout=PATIENCE_SECONDS * 1000)
        tree = time.perf_counter() - begun
        page.context.close()
    return served, tree


def visited(context: BrowserContext, port: int) -> tuple[float, float]:
    """Seconds from the visit's begin to (the first paint, the tree's first row)."""
    page = context.new_page()
    page.add_init_script(NOTE_TREE)
    page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
    page.wait_for_function("window.treeAt", timeout=PATIENCE_SECONDS * 1000)
    page.wait_for_timeout(REST_MS)
    paint, tree = page.evaluate(f"[{PAINT}, window.treeAt]")
    page.close()
    return paint / 1000, tree / 1000


@contextmanager
def dashboard(checkout: Path) -> Iterator[int]:
    """A dashboard of this checkout, in a folder of its own; yields its port when it is open."""
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "QWEN_UI_HOME": home, "HF_HUB_OFFLINE": "1"}
        environment["PYTHONPATH"] = str(checkout)
        command = [sys.executable, "app.py", "--port", str(port)]
        process = subprocess.Popen(
            command,
            cwd=checkout,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(port)
            yield port
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(int(PATIENCE_SECONDS / POLL_SECONDS)):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(POLL_SECONDS)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")


if __name__ == "__main__":
    main()
