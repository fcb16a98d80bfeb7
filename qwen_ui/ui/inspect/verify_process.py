"""Verifications that the page asked for: each is the command `verify`, in a process of its own.

It reads gigabytes, and adapters and configurations that others made: the dashboard goes on
meanwhile, and a process can be ended at any time.
"""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_ui.errors import ModelError, SettingsError
from qwen_ui.files import parse_json
from qwen_ui.workers import child_environment

KEPT = 4
_PERCENT = re.compile(r"^verify: (\d{1,3}) %", re.MULTILINE)
_TOLD_BYTES = 8192  # of what the process says, from the end


@dataclass(frozen=True, slots=True)
class _Verification:
    """A process that works or is done, and the folder of what it writes."""

    process: subprocess.Popen[bytes]
    folder: Path
    base: str
    tuned: str

    @property
    def told(self) -> str:
        """The end of what it said on standard error."""
        data = (self.folder / "told").read_bytes()[-_TOLD_BYTES:]
        return data.decode("utf-8", errors="replace")

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Verifications:
    """One works at a time; the last few are kept until the program ends.

    Safe to call from threads.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[str, _Verification] = OrderedDict()
        self._lock = threading.Lock()
        weakref.finalize(self, _end_all, self._held)

    def latest(self, base: str) -> dict[str, str]:
        """{"key", "tuned"} of the last one of this base, whatever became of it; {} for none."""
        with self._lock:
            for key, held in reversed(self._held.items()):
                if held.base == base:
                    return {"key": key, "tuned": held.tuned}
        return {}

    def begin(self, base: str, tuned: str, plan: str = "") -> str:
        """Start one; the key to ask for it by.

        Args:
            plan: JSON of the plan to hold it against; "" for none.

        Raises:
            SettingsError: another one works.
        """
        with self._lock:
            if any(held.process.poll() is None for held in self._held.values()):
                raise SettingsError(
                    "Another verification is under way on this dashboard. Stop it, or wait for it."
                )
            key = secrets.token_hex(8)
            self._held[key] = _started(base, tuned, plan)
            while len(self._held) > KEPT:
                _, oldest = self._held.popitem(last=False)
                shutil.rmtree(oldest.folder, ignore_errors=True)
            return key

    def state(self, key: str) -> dict[str, Any]:
        """{"percent"} while it works, {"stopped"} where it was ended, else {"record"}.

        Raises:
            ModelError: there is no such verification, or it could not be done.
        """
        held = self._find(key)
        code = held.process.poll()
        if code is None:
            found = _PERCENT.findall(held.told)
            return {"percent": int(found[-1]) if found else 0}
        if code < 0:
            return {"stopped": True}
        if code == 2:
            said = held.told.strip().splitlines()
            raise ModelError(said[-1].removeprefix("Error: ") if said else "It was refused.")
        record = (held.folder / "record").read_bytes()
        if not record:
            raise RuntimeError(f"verify ended with code {code}: {held.told}")
        return {"record": parse_json(record)}

    def report(self, key: str) -> str:
        """The report of one that is done, as Markdown.

        Raises:
            ModelError: there is none.
        """
        file = self._find(key).folder / "report.md"
        if not file.is_file():
            raise ModelError("There is no report of this verification yet.")
        return file.read_text(encoding="utf-8")

    def stop(self, key: str) -> None:
        """End one that works.

        Raises:
            ModelError: there is no such verification.
        """
        self._find(key).end()

    def _find(self, key: str) -> _Verification:
        with self._lock:
            if key not in self._held:
                raise ModelError("This verification is gone. Start it again.")
            return self._held[key]


def _started(base: str, tuned: str, plan: str) -> _Verification:
    folder = Path(tempfile.mkdtemp(prefix="qwen-ui-verify-"))
    options = ["--json", "--output", str(folder / "report.md")]
    if plan:
        (folder / "plan.json").write_text(plan, encoding="utf-8")
        options += ["--plan", str(folder / "plan.json")]
    with (folder / "record").open("wb") as record, (folder / "told").open("wb") as told:
        process = subprocess.Popen(
            # What a person wrote is never read as an option.
            [sys.executable, "-m", "qwen_ui", "verify", *options, "--", base, tuned],
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=record,
            stderr=told,
        )
    return _Verification(process, folder, base, tuned)


def _end_all(held: OrderedDict[str, _Verification]) -> None:
    for verification in held.values():
        verification.end()
        shutil.rmtree(verification.folder, ignore_errors=True)
