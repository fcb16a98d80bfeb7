"""`apply` in a process whose memory is limited: python -m tests.helpers.limited_apply.

Arguments: delta, base, output, strength, bytes. The limit is on what the process may have for
itself beyond what it has once libraries are imported (`RLIMIT_DATA`, see setrlimit(2)): pages of
files that it reads are not in it.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import psutil
import torch

from qwen_ui.engine import apply_delta, parse_strengths
from qwen_ui.model import open_model
from qwen_ui.model.weights import read_weights, rehearse


def limit_data(more: int) -> None:
    """Let this process have so many bytes more, and no more."""
    held = psutil.Process().memory_info().data
    resource.setrlimit(resource.RLIMIT_DATA, (held + more, held + more))


if __name__ == "__main__":
    delta, base, output, strength, more = sys.argv[1:]
    torch.set_num_threads(1)
    anatomy = open_model(base)
    rehearse(anatomy.configuration, read_weights(Path(base)))  # imports what transformers needs
    limit_data(int(more))
    apply_delta(Path(delta), base, Path(output), parse_strengths(strength))
