"""Twenty people at one dashboard: ticking, pricing, previewing, watching and listing by HTTP.

`python -m benchmarks.bench_load [SECONDS] [CLIENTS]` (300 and 20). A real server on loopback, asked
in the way that the page asks. Prints what `docs/decisions/pages.md` quotes; everything is made in a
folder of its own and removed.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.bench_runs import write_run
from tests.browser.conftest import Dashboard

MODEL = "qwen2.5-1.5b-instruct"
PRESETS = ("attention", "bitfit", "norms", "mlp")
THINKING_SECONDS = (0.5, 1.5)
# What a person does, and how often of twenty times.
DEEDS = ["tick"] * 7 + ["watch"] * 5 + ["look"] * 3 + ["price"] * 3 + ["preview"] * 2


class Client:
    """A page's requests: server functions, and events by the queue."""

    def __init__(self, url: str, config: dict[str, Any], seed: int) -> None:
        self._http = httpx.Client(base_url=url, timeout=120.0)
        self._session = uuid.uuid4().hex[:11]
        self._random = random.Random(seed)
        self._ids = {
            component["props"].get("elem_id"): component["id"] for component in config["components"]
        }
        self._dependencies = config["dependencies"]
        self._preview = first_inside(config["layout"], self._ids["qt-preview"])
        self._ranges = ""
        self._seen = ""
        self._watched: dict[str, Any] = {}

    def open(self, run: str) -> None:
        """As a page does when it is loaded."""
        load = next(
            d for d in self._dependencies if not d["inputs"] and d["targets"][0][1] == "load"
        )
        self._event(load, [])
        self._watched = {"run": run}
        self.tick()

    def tick(self) -> None:
        blocks = sorted(self._random.sample(range(28), 2))
        layers = f"{blocks[0]}-{blocks[1]}"
        asked = {"source": MODEL, "name": self._random.choice(PRESETS), "layers": layers}
        self._ranges = self._call("qs-main", "choose_preset", asked)["ranges"]
        self._call("qs-main", "plan_text", {"source": MODEL, "ranges": self._ranges, "name": ""})

    def price(self) -> None:
        asked = {
            "batch_size": str(self._random.choice([1, 2, 4, 8])),
            "sequence_length": str(self._random.choice([128, 256, 512, 1024])),
            "optimizer": "adamw",
        }
        self._call(
            "qs-main", "price_step", {"source": MODEL, "ranges": self._ranges, "asked": asked}
        )

    def preview(self) -> None:
        event = next(d for d in self._dependencies if d["outputs"] == [self._preview])
        texts = ["King James Bible, plain text", "King James Bible, as chats"]
        length = self._random.choice([64, 128, 256])
        self._event(event, [None, self._random.choice(texts), None, length, False, ""])

    def watch(self) -> None:
        found = self._call("qt-run", "poll", self._watched)
        self._watched |= {"offset": found["offset"], "carry": found["carry"]}

    def look(self) -> None:
        self._seen = self._call("qr-table", "listing", {"seen": self._seen})["seen"]

    def _call(self, component: str, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        answer = self._http.post(
            "/gradio_api/component_server",
            json={
                "component_id": self._ids[component],
                "fn_name": name,
                "session_hash": self._session,
                "data": asked,
            },
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        if "error" in found:
            raise RuntimeError(f"{name}: {found['error']}")
        return found

    def _event(self, dependency: dict[str, Any], data: list[Any]) -> None:
        body = {"data": data, "fn_index": dependency["id"], "session_hash": self._session}
        self._http.post("/gradio_api/queue/join", json=body).raise_for_status()
        url = f"/gradio_api/queue/data?session_hash={self._session}"
        with self._http.stream("GET", url) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line else {}
                if message.get("msg") == "process_completed":
                    if not message["success"]:
                        raise RuntimeError(str(message["output"]))
                    return
        raise RuntimeError("the stream ended without an answer")


def first_inside(layout: dict[str, Any], block: int) -> int:
    """The first component inside a block of gradio's layout."""
    for child in layout.get("children") or []:
        if layout.get("id") == block:
            return int(child["id"])
        if (found := first_inside(child, block)) >= 0:
            return found
    return -1


def watch_memory(server: psutil.Process, levels: list[int], over: threading.Event) -> None:
    while not over.wait(5.0):
        levels.append(server.memory_info().rss)


def live(client: Client, seconds: float, taken: dict[str, list[float]], failed: list[str]) -> None:
    generator, end = random.Random(id(client)), time.monotonic() + seconds
    while time.monotonic() < end:
        deed = generator.choice(DEEDS)
        did: Callable[[], None] = getattr(client, deed)
        began = time.perf_counter()
        try:
            did()
        except (httpx.HTTPError, RuntimeError) as error:
            failed.append(f"{deed}: {type(error).__name__}: {str(error)[:200]}")
        taken[deed].append(time.perf_counter() - began)
        time.sleep(generator.uniform(*THINKING_SECONDS))


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 300.0
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QWEN_UI_HOME"] = f"{folder}/home"
        run = write_run(2000).name
        dashboard = Dashboard(Path(folder) / "home", Path(folder) / "log")
        dashboard.start()
        try:
            measure(dashboard, run, seconds, count)
        finally:
            dashboard.stop()


def measure(dashboard: Dashboard, run: str, seconds: float, count: int) -> None:
    config = httpx.get(f"{dashboard.url}config", timeout=60.0).json()
    clients = [Client(dashboard.url, config, seed) for seed in range(count)]
    for client in clients:
        client.open(run)
    assert dashboard._process is not None
    levels: list[int] = []
    over = threading.Event()
    server = psutil.Process(dashboard._process.pid)
    watcher = threading.Thread(target=watch_memory, args=(server, levels, over))
    watcher.start()
    taken: dict[str, list[float]] = defaultdict(list)
    failed: list[str] = []
    before = server.cpu_times()
    threads = [
        threading.Thread(target=live, args=(client, seconds, taken, failed)) for client in clients
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    watcher.join()
    after = server.cpu_times()
    answers = sum(map(len, taken.values()))
    print(f"{count} clients, {seconds:.0f} s: {answers:,} answers, {len(failed)} errors")
    for error in sorted(set(failed))[:5]:
        print(f"  {error}")
    for deed, values in sorted(taken.items()):
        high = sorted(values)[int(0.95 * (len(values) - 1))]
        print(
            f"{deed:8} {len(values):6,}   median {statistics.median(values):6.3f} s   95 % "
            f"{high:6.3f} s   most {max(values):6.3f} s"
        )
    quarters = [levels[len(levels) * n // 4] >> 20 for n in range(4)] + [levels[-1] >> 20]
    print(f"memory of the dashboard's process by quarters: {quarters} MiB")
    print(f"its processor time: {after.user + after.system - before.user - before.system:.0f} s")


if __name__ == "__main__":
    main()
