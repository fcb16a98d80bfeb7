"""The check of a run as a task of a process with limits (`qwen_ui.limited`)."""

from __future__ import annotations

from typing import Any

from qwen_ui.engine.request import check_named_spec
from qwen_ui.runs import parse_spec


def checked(record: dict[str, Any]) -> None:
    """`check_spec` of a spec's record."""
    check_named_spec(parse_spec(record))
