"""The process that holds one base and writes with it.

Forked, or `python -m qwen_ui.workers.playground_worker FOLDER`. It connects to the socket that the
folder's `start.json` names, and speaks JSON, an object a line:

    asked     {"ask": number, "sides": [{"run", "strength", "messages"}], "sampling": {...}}
              {"stop": number}
    answers   {"ready": {"model", "device", "dtype", "template", "seconds"}}
              {"text": number, "side": 0, "written": {"text", "tokens", "seconds", "ended"}}
              {"done": number}, {"failed": number or null, "said": sentence}, {"over": sentence}

When the connection ends, for whatever reason, this process does too.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qwen_ui.errors import ModelError, RunError, UserError
from qwen_ui.files import read_json
from qwen_ui.formats import short_bytes
from qwen_ui.freeze.cost import OVERHEAD_BYTES
from qwen_ui.runs import DELTA_NAME, OF_MEMORY, free_memory, reason_for, run_folder

START = "start.json"
OUT_OF_MEMORY = (
    "The memory ran out while it wrote. Ask for fewer tokens, shorten the conversation, or close "
    "what else uses the device."
)
IDLE = "Nobody has talked for a while, so the model was unloaded. The next message loads it again."
INTERNAL = "Internal error. Details are in the playground's log."


def main(folder: Path) -> int:
    """Serve the process that wrote this folder's `start.json`, until it goes or falls silent."""
    start = read_json(folder / START)
    # Where the machine runs out of memory, this process goes first.
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(str(start["socket"]))
        return _Worker(link, start).serve()


class _Worker:
    def __init__(self, link: socket.socket, start: dict[str, Any]) -> None:
        self._link, self._start = link, start
        self._asked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._stopped: set[int] = set()
        self._sending = threading.Lock()
        self._ready: dict[tuple[str, float], Any] = {}

    def serve(self) -> int:
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self._load()
        except BaseException as error:
            self._tell({"failed": None, "said": _said(error)})
            return 1
        while True:
            try:
                asked = self._asked.get(timeout=float(self._start["idle"]))
            except queue.Empty:
                self._tell({"over": IDLE})
                return 0
            self._answer(asked)

    def _listen(self) -> None:
        with self._link.makefile("r", encoding="utf-8") as lines, suppress(OSError):
            for line in lines:
                asked = json.loads(line)
                if "stop" in asked:
                    self._stopped.add(int(asked["stop"]))
                else:
                    self._asked.put(asked)
        # Whoever asked is gone: no answer is wanted any more, half written or not.
        os._exit(0)

    def _tell(self, record: dict[str, Any]) -> None:
        with self._sending, suppress(OSError):
            self._link.sendall(json.dumps(record).encode() + b"\n")

    def _load(self) -> None:
        import torch  # noqa: PLC0415  slow, and not needed to say that a file is missing

        from qwen_ui.engine import Exchange, Talk  # noqa: PLC0415
        from qwen_ui.model import open_model  # noqa: PLC0415
        from qwen_ui.model.weights import (  # noqa: PLC0415
            folder_fingerprint,
            load_model,
            load_tokenizer,
            training_dtype,
            weights_folder,
        )

        begun = time.monotonic()
        anatomy = open_model(str(self._start["model"]))
        folder = weights_folder(anatomy)
        device = torch.device(str(self._start["device"]))
        dtype = training_dtype("auto", anatomy, device)
        _refuse_too_large(anatomy.total_parameters * dtype.itemsize, device.type)
        model = load_model(folder, anatomy, dtype, device).eval()
        self._exchange = Exchange(model)
        self._talk = Talk(model, anatomy, load_tokenizer(folder), self._exchange)
        self._fingerprint = folder_fingerprint(folder)
        ready = {
            "model": anatomy.source,
            "device": device.type,
            "dtype": str(dtype).removeprefix("torch."),
            "template": self._talk.has_template,
            "seconds": round(time.monotonic() - begun, 2),
        }
        self._tell({"ready": ready})

    def _answer(self, asked: dict[str, Any]) -> None:
        from qwen_ui.engine import Sampling, Side, Written  # noqa: PLC0415

        number = int(asked["ask"])

        def on_text(side: int, written: Written) -> None:
            self._tell({"text": number, "side": side, "written": asdict(written)})

        try:
            values = self._values([(s["run"], float(s["strength"])) for s in asked["sides"]])
            sides = [
                Side(value, tuple(side["messages"]))
                for value, side in zip(values, asked["sides"], strict=True)
            ]
            sampling = Sampling(**asked["sampling"])
            self._talk.write(sides, sampling, on_text, lambda: number in self._stopped)
        except BaseException as error:
            self._tell({"failed": number, "said": _said(error)})
            return
        self._tell({"done": number})

    def _values(self, sides: list[tuple[str, float]]) -> list[Any]:
        """What each side makes of the base; what the last question used is kept for the next."""
        kept = {side: self._ready[side] for side in sides if side in self._ready}
        self._ready = {}
        self._exchange.keep_only(kept.values())
        for side in sides:
            if side not in kept:
                kept[side] = self._made(*side)
        self._ready = kept
        return [kept[side] for side in sides]

    def _made(self, run: str, strength: float) -> Any:
        from qwen_ui.engine import BASE, read_delta  # noqa: PLC0415

        if not run:
            return BASE
        delta = read_delta(run_folder(run) / DELTA_NAME)
        if delta.base != self._fingerprint:
            raise RunError(
                f"The run {run} was trained on other weights than those of "
                f"'{self._start['model']}'. Choose runs of one base."
            )
        return self._exchange.values(delta, strength)


def _refuse_too_large(weights: float, device: str) -> None:
    """Say before loading that the memory is too small.

    Raises:
        ModelError: it is.
    """
    import torch  # noqa: PLC0415

    free = float(torch.cuda.mem_get_info()[0] if device == "cuda" else free_memory())
    if weights + OVERHEAD_BYTES > free:
        raise ModelError(
            f"The model needs about {short_bytes(weights + OVERHEAD_BYTES)} of memory, and "
            f"{short_bytes(free)} is free. Close what else uses the device, or talk to a smaller "
            "model."
        )


def _said(error: BaseException) -> str:
    """The sentence for a person; what no person can mend goes to the log."""
    if isinstance(error, UserError):
        return str(error)
    traceback.print_exc()
    return OUT_OF_MEMORY if reason_for(error).startswith(OF_MEMORY) else INTERNAL


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
