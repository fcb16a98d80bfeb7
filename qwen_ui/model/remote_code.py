"""Whether code that comes with a model may be run: never, unless who started the process says so.

The switch belongs to the process (`--trust-remote-code`, or the variable in its environment), so
that no request and no file can turn it on. It is asked only for model types that transformers does
not know itself; for all others the installed class is used and a file's `auto_map` is ignored.
"""

from __future__ import annotations

import os

VARIABLE = "QWEN_UI_TRUST_REMOTE_CODE"


def allow_remote_code() -> None:
    """Allow it in this process and in those that it starts."""
    os.environ[VARIABLE] = "1"


def remote_code_is_trusted() -> bool:
    """Whether code that comes with a model may be run in this process."""
    return os.environ.get(VARIABLE) == "1"
