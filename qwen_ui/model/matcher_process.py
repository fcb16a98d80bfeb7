"""The process that `matching` asks: a line of JSON in, a line of JSON out. Imports nothing of ours.

A pattern may hold Python's `re` for longer than anybody waits, and no thread and no signal handler
can interrupt it. So it is tried here, where the kernel ends the process when the time is up.

Asked: {"method": "search", "patterns": [...], "seconds": 1.0, "names": [...]}, without "names" for
those of the last question. Answered: {"found": [[index, ...], ...]}, or {"error": [index, why]}.
"""

import json
import re
import resource
import signal
import sys
from contextlib import suppress

MEMORY_BYTES = 512 * 1024 * 1024


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # macOS has no such limit; the time limit stands.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    names: list[str] = []
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        names = asked.get("names", names)
        # Counts this process's own processor time; its signal ends a process that has no handler.
        signal.setitimer(signal.ITIMER_PROF, asked["seconds"])
        answer = _answer(asked["method"], asked["patterns"], names)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()


def _answer(method: str, patterns: list[str], names: list[str]) -> dict[str, object]:
    found = []
    for number, pattern in enumerate(patterns):
        try:
            test = getattr(re.compile(pattern), method)
            found.append([index for index, name in enumerate(names) if test(name)])
        except (re.error, RecursionError, OverflowError, MemoryError) as error:
            return {"error": [number, str(error) or type(error).__name__]}
    return {"found": found}


if __name__ == "__main__":
    main()
