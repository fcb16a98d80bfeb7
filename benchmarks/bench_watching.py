"""Runs watched in a real Chromium: from the worker's step to the screen, and what watching costs.

`python -m benchmarks.bench_watching [screen] [truth] [long] [idle] [slower]`; all unless named.
Prints what `docs/runs.md` quotes. Everything is made in a folder of its own and removed.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from benchmarks.bench_runs import step_event, write_run
from qwen_ui import workers
from qwen_ui.freeze import preset
from qwen_ui.paths import ASSETS
from qwen_ui.runs import make_spec, read_events, run_folder
from qwen_ui.runs.events import FILE_NAME, encode
from qwen_ui.runs.folded import FILE_NAME as FOLD_NAME
from qwen_ui.workers import processes
from tests.browser.conftest import FLAGS, Dashboard

WINDOW_SECONDS, PAIRS = 4.0, 20
WARM_UP_SECONDS = 25.0
OPENINGS = 7
LOOK = """
() => {
  const plot = document.querySelector('#qt-run .qr-main .qr-plot');
  window.seenAt = [];
  plot.on('plotly_afterplot', () => requestAnimationFrame(() => {
    const x = plot.data[0].x;
    window.seenAt.push([x[x.length - 1], Date.now() / 1000]);
  }));
}
"""


def fake_run(pause: float) -> Path:
    """A run whose worker records steps without a model."""
    processes.WORKER = "tests.helpers.step_worker"
    return run_folder(workers.start({"model": "nano", "steps": 10**6, "pause": pause}))


def nano_run() -> Path:
    """A run that trains the nano twin on one thread."""
    processes.WORKER = "qwen_ui.workers.worker"
    data = str(ASSETS / "data" / "kjv-train.txt")
    spec = make_spec(
        model="nano",
        plan=preset("attention", "last:4").to_dict(),
        data=data,
        steps=10**6,
        batch_size=4,
        sequence_length=64,
        threads=1,
        warmup_steps=10,
    )
    return run_folder(workers.start(spec))


def steps_of(folder: Path) -> list[dict[str, Any]]:
    return [event for event in read_events(folder)[0] if event["event"] == "step"]


def until(what: Callable[[], Any], patience: float = 240.0) -> None:
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


@contextmanager
def watching(browser: Browser, url: str) -> Iterator[Page]:
    """A tab that watches the newest run."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector(".q-facts")
    page.get_by_role("tab", name="Train", exact=True).click()
    page.wait_for_selector("#qt-run .qr-view[data-points]")
    yield page
    context.close()


def screen(browser: Browser, dashboard: Dashboard) -> None:
    """From the moment that a step is recorded to the frame that shows its point."""
    folder = fake_run(pause=0.1)
    with watching(browser, dashboard.url) as page:
        page.evaluate(LOOK)
        time.sleep(20)
        seen: list[list[float]] = page.evaluate("window.seenAt")
    workers.kill(folder.name)
    waits, first = [], seen[0][0]
    for event in steps_of(folder):
        shown = next((at for step, at in seen if step >= event["step"]), None)
        if event["step"] > first and shown is not None:
            waits.append(shown - event["time"])
    print(f"step to screen: median {statistics.median(waits):.2f} s, ", end="")
    print(f"95 % {statistics.quantiles(waits, n=20)[-1]:.2f} s of {len(waits)} steps")


def truth(browser: Browser, dashboard: Dashboard) -> None:
    """From the end of a worker that is killed to the page that says so."""
    waits = []
    for _ in range(5):
        folder = fake_run(pause=0.1)
        until(lambda folder=folder: steps_of(folder))
        with watching(browser, dashboard.url) as page:
            pid = workers.worker_pid(folder)
            assert pid is not None
            psutil.Process(pid).kill()
            began = time.monotonic()
            page.wait_for_selector("#qt-run .qr-view[data-status=interrupted]")
            waits.append(time.monotonic() - began)
    print(f"killed to told: median {statistics.median(waits):.2f} s, at most {max(waits):.2f} s")


def main_thread(session: CDPSession) -> float:
    """Seconds of work that the page's main thread has done since the session began."""
    found = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    return found["TaskDuration"]


def long(browser: Browser, dashboard: Dashboard) -> None:
    """Opening and updating a chart of 100,000 steps, beside one of 1,000."""
    write_run(10)
    with watching(browser, dashboard.url):
        time.sleep(WARM_UP_SECONDS)  # the dashboard imports torch once a page was opened
    for steps in (1_000, 100_000):
        folder = write_run(steps)
        with watching(browser, dashboard.url) as page:
            opened = [open_again(page, folder.name) for _ in range(OPENINGS)]
            kept = folder / FOLD_NAME
            first = []
            for _ in range(OPENINGS):
                kept.unlink(missing_ok=True)
                first.append(open_again(page, folder.name))
            print(
                f"{steps:>7,} steps opened in {told(opened)}, the first time {told(first)}", end=""
            )
            print(f", an update takes {update_cost(page, folder, steps):.1f} ms of the main thread")


def told(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


def open_again(page: Page, run: str) -> float:
    """Seconds from choosing the run to its points on the screen, plotly.js being there."""
    return page.evaluate(
        """async (run) => {
          const view = document.querySelector('#qt-run .qr-view').view;
          view.show('');
          const began = performance.now();
          view.root.dataset.points = '';
          view.show(run);
          while (!Number(view.root.dataset.points)) await new Promise(requestAnimationFrame);
          return (performance.now() - began) / 1000;
        }""",
        run,
    )


def update_cost(page: Page, folder: Path, steps: int, times: int = 10) -> float:
    """Milliseconds of the main thread that an update with seven new steps costs."""
    costs = []
    session = page.context.new_cdp_session(page)
    # CPU time of the thread: other programs on the machine do not count.
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    for fresh in (False, True):
        before, count = main_thread(session), page_updates(page)
        for number in range(times):
            if fresh:
                with (folder / FILE_NAME).open("a") as file:
                    for more in range(7):
                        file.write(encode(step_event(steps + 7 * number + more)) + "\\n")
            now = page_updates(page)
            page.evaluate("document.querySelector('#qt-run .qr-view').view.poller.now()")
            until(lambda now=now: page_updates(page) > now, 30)
        made = page_updates(page) - count
        costs.append(1000 * (main_thread(session) - before) / made)
    print(f"        an idle update takes {costs[0]:.1f} ms of the main thread")
    return costs[1]


def page_updates(page: Page) -> int:
    return int(page.evaluate("document.querySelector('#qt-run .qr-view').dataset.updates || 0"))


def share_of_a_core(process: psutil.Process, seconds: float) -> float:
    def spent() -> float:
        times = process.cpu_times()
        return times.user + times.system

    before, began = spent(), time.monotonic()
    time.sleep(seconds)
    return (spent() - before) / (time.monotonic() - began)


def idle(browser: Browser, dashboard: Dashboard) -> None:
    """What the dashboard takes beside a run."""
    assert dashboard._process is not None
    process = psutil.Process(dashboard._process.pid)
    folder = fake_run(pause=0.1)
    until(lambda: steps_of(folder))
    with watching(browser, dashboard.url):
        time.sleep(WARM_UP_SECONDS)  # imports of its first page are not what is asked for
        watched = share_of_a_core(process, 12)
    time.sleep(3)
    alone = share_of_a_core(process, 20)
    workers.kill(folder.name)
    print(f"dashboard beside a run: {alone:.1%} of a core, {watched:.1%} with one tab watching")


def slower(browser: Browser, dashboard: Dashboard) -> None:
    """A run's step with five tabs watching and with the same five in the background, in turns.

    A machine's speed may change by half within a minute: closing and opening tabs takes so long
    that the two would not be of one moment. What the tabs take in the background is printed too.
    """
    folder = nano_run()
    until(lambda: len(steps_of(folder)) > 30)
    tabs = [watching(browser, dashboard.url) for _ in range(5)]
    pages = [tab.__enter__() for tab in tabs]
    time.sleep(WARM_UP_SECONDS)
    for page in pages:
        page.evaluate(
            "Object.defineProperty(document, 'hidden', { get: () => Boolean(window.away) })"
        )
    seconds: dict[bool, list[float]] = {True: [], False: []}
    taken: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * PAIRS):
        away = turn % 4 in {1, 2}  # there, away, away, there: what drifts meets both alike
        for page in pages:
            page.evaluate(
                "(away) => { window.away = away; "
                "document.dispatchEvent(new Event('visibilitychange')); }",
                away,
            )
        time.sleep(1.5)
        step, share = window(folder)
        seconds[away].append(step)
        taken[away].append(share)
    for tab in tabs:
        tab.__exit__(None, None, None)
    workers.kill(folder.name)
    ratios = [a / b - 1 for a, b in zip(seconds[False], seconds[True], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    error = 1.25 * statistics.stdev(ratios) / len(ratios) ** 0.5
    for name, away in (("watching", False), ("in the background", True)):
        print(
            f"five tabs {name}: a step {statistics.median(seconds[away]) * 1000:.1f} ms, browser "
            f"and dashboard take {statistics.median(taken[away]):.0%} of a core"
        )
    print(
        f"slower by {middle:+.1%} in the median of {len(ratios)} pairs (standard error "
        f"{error:.1%}, quartiles {low:+.1%} and {high:+.1%})"
    )


def window(folder: Path) -> tuple[float, float]:
    """Median seconds of the steps of the next moments, and what all but the run takes of a core."""
    begun, busy, at = len(steps_of(folder)), others(folder), time.monotonic()
    time.sleep(WINDOW_SECONDS)
    share = (others(folder) - busy) / (time.monotonic() - at)
    return statistics.median(event["seconds"] for event in steps_of(folder)[begun:]), share


def others(folder: Path) -> float:
    """Seconds that this benchmark's browser and dashboard have taken so far."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        if process.pid != workers.worker_pid(folder):
            times = process.cpu_times()
            total += times.user + times.system
    return total


PARTS = {"screen": screen, "truth": truth, "long": long, "idle": idle, "slower": slower}


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder) / "home"
        os.environ |= {"QWEN_UI_HOME": str(home), "HF_HUB_OFFLINE": "1"}
        dashboard = Dashboard(home, Path(folder) / "dashboard.log")
        dashboard.start()
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            for name in names or PARTS:
                PARTS[name](browser, dashboard)
        finally:
            browser.close()
            dashboard.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
