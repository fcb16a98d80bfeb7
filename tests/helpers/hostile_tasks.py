"""What a task may do to the process that it runs in."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from typing import Any

from qwen_ui.errors import DataError


def add(a: int, b: int) -> int:
    return a + b


def where() -> list[Any]:
    return [os.getcwd(), os.environ.get("QWEN_UI_TEST"), os.getpid()]


def refuse() -> None:
    raise DataError("The file is empty. Give another.")


def fail() -> None:
    raise ZeroDivisionError("a fault of ours")


def count() -> None:
    while True:
        pass


def hold_the_interpreter() -> None:
    sum(range(10**12))


def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "done"


def fill_memory() -> int:
    return len("x" * (8 << 30))


def abort() -> None:
    os.abort()


def crash() -> None:
    ctypes.string_at(0)


def leave() -> None:
    sys.exit(3)


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def say_too_much() -> str:
    return "x" * (80 << 20)


def not_json() -> object:
    return object()


def print_and_warn() -> str:
    print("noise")
    print("noise", file=sys.stderr)
    return "\udc80 and \n lines"
