"""Opening models, their tree on screen, search, and reading weights by header.

    python -m benchmarks.bench_inspect [--types]

Prints what `docs/inspect.md` quotes, each figure beside its aim. With `--types`, all causal
language models that transformers names are opened too. Needs Chromium; downloads nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.bench_page import FLAGS, ROOT, free_port, wait_for
from benchmarks.sparse import write_sharded
from qwen_ui.model import open_model
from qwen_ui.model.catalog import configuration_from_dict
from qwen_ui.model.families import model_types, open_family
from qwen_ui.model.opening import build_anatomy
from qwen_ui.model.weights import check_weights, read_weights

QWEN = "qwen2.5-1.5b-instruct"
LARGEST = "glm_moe_dsa"  # 1,945 modules, the most of all types
DRAWN_MS = 4000
KEYSTROKES = "self_attn.kv_a_proj role:attention 42"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--types", action="store_true", help="open all types, minutes")
    if parser.parse_args().types:
        print_types()
    print_opening()
    print_weights()
    print_page()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def timed(call: Callable[[], Any], times: int = 5) -> str:
    """Median seconds of a call, after one that is not counted, and its own processor time.

    On a machine that others use, the second is what it would take alone: the work is one thread's.
    """
    call()
    wall, own = [], []
    for _ in range(times):
        begun, used = time.perf_counter(), time.thread_time()
        call()
        wall.append(time.perf_counter() - begun)
        own.append(time.thread_time() - used)
    return f"{statistics.median(wall):.3f} s ({statistics.median(own):.3f} s of processor time)"


def print_opening() -> None:
    print(f"open {QWEN}, after imports (aim 0.3 s):")
    print(f"  kept {timed(lambda: open_model(QWEN))}")
    print(f"  built {timed(lambda: build_anatomy(QWEN))}")
    anatomy = open_largest()
    print(f"open {LARGEST} (aim 1.5 s): {timed(open_largest, times=3)}")
    print(f"  {len(anatomy.modules):,} modules, {anatomy.total_parameters:,} parameters")


def open_largest() -> Any:
    return open_model(configuration_from_dict({"model_type": LARGEST}, where=LARGEST))


def print_weights() -> None:
    """A sparse sharded checkpoint of the 1.5B's names and shapes, and the bytes read of it."""
    anatomy = open_model(QWEN)
    with tempfile.TemporaryDirectory() as folder:
        index = write_sharded(Path(folder), {p.name: p.shape for p in anatomy.parameters})
        read_weights(index)
        before, begun = bytes_read(), time.perf_counter()
        weights = read_weights(index)
        seconds, read = time.perf_counter() - begun, bytes_read() - before
        size = sum(file.stat().st_size for file in weights.files)
        fits = check_weights(anatomy, weights).fits
    print(
        f"headers of {size:,} bytes in {len(weights.files)} files: {read:,} bytes read by the "
        f"process (aim 1,000,000), {weights.bytes_read:,} counted by the reader, {seconds:.3f} s; "
        f"fits: {fits}"
    )


def bytes_read() -> int:
    """Bytes that this process has asked the kernel to read so far (Linux)."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("rchar")))


def print_page() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        config = configuration_from_dict({"model_type": LARGEST}, where=LARGEST)
        (Path(folder) / "config.json").write_text(config.to_json_string(use_diff=False))
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, "QWEN_UI_HOME": folder, "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            wait_for(port)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"http://127.0.0.1:{port}/")
            page.get_by_role("treeitem").first.wait_for(timeout=120_000)
            measure_page(page, folder)
        finally:
            browser.close()
            process.kill()
            process.wait()


def measure_page(page: Page, folder: str) -> None:
    first = pick(page, folder)
    trees = []
    for _ in range(5):
        pick(page, "nano")
        trees.append(pick(page, folder))
    print(
        f"{LARGEST} picked in the page: {first:.2f} s to its tree the first time (imports and "
        f"opening included), {statistics.median(trees):.2f} s once it is open (longest "
        f"{max(trees):.2f} s; aim 1 s)"
    )
    page.get_by_role("button", name="Expand all").click()
    page.wait_for_timeout(DRAWN_MS)  # the pictures of the new model are drawn on the same thread
    strokes = page.evaluate(SEARCH, KEYSTROKES)
    print(
        f"search in {page.evaluate(ROWS):,} rows, all open: {statistics.median(strokes):.0f} ms a "
        f"keystroke to the laid out tree, longest {max(strokes):.0f} ms of {len(strokes)} (aim 100)"
    )


def pick(page: Page, model: str) -> float:
    """Seconds from Enter in the picker to the tree of this model on screen."""
    box = page.locator("#q-picker input")
    box.fill(model)
    begun = time.perf_counter()
    box.press("Enter")
    page.wait_for_selector(f".qi-inspector[data-source={json.dumps(model)}]", timeout=120_000)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(done))")
    return time.perf_counter() - begun


SEARCH = """async (text) => {
  const box = document.querySelector(".qi-query"), tree = document.querySelector(".qi-tree");
  const took = [];
  for (let end = 1; end <= text.length; end++) {
    const begun = performance.now();
    box.value = text.slice(0, end);
    box.dispatchEvent(new Event("input", { bubbles: true }));
    tree.getBoundingClientRect();
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    took.push(performance.now() - begun);
  }
  return took;
}"""
ROWS = "() => parseInt(document.querySelector('.qi-tree').dataset.rows)"


def print_types() -> None:
    begun = time.perf_counter()
    seconds = {}
    for name in model_types():
        start = time.perf_counter()
        if open_family(name).anatomy is not None:
            seconds[name] = time.perf_counter() - start
    slowest = max(seconds, key=lambda name: seconds[name])
    total = time.perf_counter() - begun
    print(
        f"{len(seconds)} of {len(model_types())} types opened in {total:.0f} s; the slowest, "
        f"{slowest}, took {seconds[slowest]:.2f} s"
    )


if __name__ == "__main__":
    main()
