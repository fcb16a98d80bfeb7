"""A person's regular expressions on parameter names, within limits of time, memory and length.

The semantics are those of Python's `re`, because the tools that plans are exported to use it. The
matching happens in a small process (`matcher_process`), which is started at the first question and
ends with this one, or when a pattern takes too long.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from qwen_ui.errors import PlanError

MAX_PATTERN = 2000  # characters
CPU_SECONDS = 1.0  # of processor time for all patterns of one question
# Of a clock, where the machine is so busy that the process gets no processor time.
PATIENCE_SECONDS = 30.0
_PROGRAM = Path(__file__).with_name("matcher_process.py")

Method = Literal["search", "match"]


def match_names(
    patterns: Sequence[str], names: Sequence[str], *, method: Method = "search"
) -> list[list[int]]:
    """Of each pattern, the indexes of the names that it matches.

    Args:
        method: of Python's `re`: anywhere in a name, or at its beginning.

    Raises:
        PlanError: a pattern is too long, is no regular expression, or takes too long.
    """
    for pattern in patterns:
        if len(pattern) > MAX_PATTERN:
            raise PlanError(
                f"The pattern '{pattern[:60]}...' has {len(pattern):,} characters; {MAX_PATTERN:,} "
                "are the limit. Use several shorter ones."
            )
    if not patterns:
        return []
    with _lock:
        return _process().ask(patterns, names, method)


def check_pattern(pattern: str) -> None:
    """Refuse what is no regular expression, or too long, or takes too long to compile.

    Raises:
        PlanError: it is one of these.
    """
    match_names([pattern], ())


class _Process:
    """A running matcher. One question at a time."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._names: tuple[str, ...] = ()
        # No shell; -I and -S: nothing of the environment or of installed packages is loaded.
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def is_running(self) -> bool:
        return self._child.poll() is None

    def ask(self, patterns: Sequence[str], names: Sequence[str], method: Method) -> list[list[int]]:
        question: dict[str, Any] = {
            "method": method,
            "patterns": list(patterns),
            "seconds": CPU_SECONDS,
        }
        known = tuple(names)
        if known != self._names:
            question["names"] = known
            self._names = known
        line = self._answer(json.dumps(question).encode() + b"\n")
        if line is None:
            self.stop()
            raise PlanError(
                f"{_shown(patterns)} took too long on these names. Repetitions within repetitions, "
                "such as (a+)+, are the usual reason: write each repetition once."
            )
        answer = json.loads(line)
        if "error" in answer:
            index, why = answer["error"]
            raise PlanError(
                f"{_shown([patterns[index]])} is not a valid regular expression ({why}). "
                r"Write for instance layers\.2[4-7]\..*\.bias."
            )
        found: list[list[int]] = answer["found"]
        return found

    def _answer(self, question: bytes) -> bytes | None:
        """The line that comes back; None where the process ended or was too slow."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write(question)
            self._child.stdin.flush()
        except BrokenPipeError:
            return None
        parts: list[bytes] = []
        end = time.monotonic() + PATIENCE_SECONDS
        while not (parts and parts[-1].endswith(b"\n")):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._child.stdout], [], [], left)[0]:
                return None
            part = os.read(self._child.stdout.fileno(), 1 << 20)
            if not part:
                return None
            parts.append(part)
        return b"".join(parts)

    def stop(self) -> None:
        self._child.kill()
        self._child.communicate()


_lock = threading.Lock()
_running: _Process | None = None


def _process() -> _Process:
    """The matcher of this process; after a fork the parent's is not ours."""
    global _running
    if _running is not None and _running.owner == os.getpid() and not _running.is_running:
        _running.stop()  # it was killed from outside: reap it
        _running = None
    if _running is None or _running.owner != os.getpid():
        _running = _Process()
    return _running


@atexit.register
def _stop() -> None:
    if _running is not None and _running.owner == os.getpid():
        _running.stop()


def _shown(patterns: Sequence[str]) -> str:
    first = patterns[0] if len(patterns[0]) <= 80 else f"{patterns[0][:80]}..."
    return f"'{first}'" + (f" and {len(patterns) - 1:,} more" if len(patterns) > 1 else "")
