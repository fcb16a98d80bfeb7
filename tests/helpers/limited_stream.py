"""A run whose address space is limited: python -m tests.helpers.limited_stream.

Arguments: model, data, folder of the run, prefix, bytes. The limit is on all that the process maps
beyond what it has once it has trained nano (`RLIMIT_AS`, see setrlimit(2)): a file that it maps
counts whole. It prints the losses.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import psutil
import torch

from tests.helpers.recorded_run import record_run
from tests.helpers.streamed import last

NANO = Path("assets/nano").resolve()


def limit_addresses(more: int) -> None:
    """Let this process map so many bytes more, and no more."""
    mapped = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (mapped + more, mapped + more))


if __name__ == "__main__":
    model, data, out, prefix, more = sys.argv[1:]
    torch.set_num_threads(1)
    # Imports what a run needs, and starts the threads that read.
    record_run(NANO, Path(data), last(2), Path(out) / "first", steps=1, prefix=prefix)
    limit_addresses(int(more))
    recorder, _ = record_run(
        Path(model), Path(data), last(1), Path(out) / "run", steps=2, prefix=prefix
    )
    print(json.dumps([step["loss"] for step in recorder.steps]))
