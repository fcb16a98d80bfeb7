"""Seconds from `python app.py` to the tree on screen, in a real Chromium on this machine.

    python -m benchmarks.bench_page [--starts N]

The browser runs already, as a person's does; the dashboard's folder is empty and nothing is cached
in the browser. Aim: 5 s.
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
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 120


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--starts", type=int, default=5)
    starts = parser.parse_args().starts
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        found = [measure(browser) for _ in range(starts)]
        browser.close()
    served, tree = (statistics.median(column) for column in zip(*found, strict=True))
    slowest = max(seconds for _, seconds in found)
    print(
        f"served after {served:.1f} s, tree on screen after {tree:.1f} s in the median of {starts} "
        f"starts (slowest {slowest:.1f} s); load average {os.getloadavg()[0]:.1f}"
    )


def measure(browser: Browser) -> tuple[float, float]:
    """Seconds from the start of the process to (the port open, the tree's first row visible)."""
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "QWEN_UI_HOME": home, "HF_HUB_OFFLINE": "1"}
        begun = time.perf_counter()
        command = [sys.executable, "app.py", "--port", str(port)]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_for(port)
            served = time.perf_counter() - begun
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            page.get_by_role("treeitem").first.wait_for(timeout=PATIENCE_SECONDS * 1000)
            tree = time.perf_counter() - begun
            page.context.close()
        finally:
            process.kill()
            process.wait()
    return served, tree


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
