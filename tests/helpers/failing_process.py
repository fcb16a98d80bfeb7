"""A worker of two processes, in one of which something fails: `run_failing(folder, where)`.

`proof`: the second one finds that its tokens see later ones. `disk`: it may write no file of more
than some kilobytes. `chosen`: nothing fails, and both choose to read the frozen blocks one by one.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

REPOSITORY = Path(__file__).resolve().parents[2]
FILE_BYTES = 8192


def main(folder: Path, where: str) -> int:
    import torch  # noqa: PLC0415

    from qwen_ui.engine.prefix_choice import PrefixChoice  # noqa: PLC0415
    from qwen_ui.workers import worker  # noqa: PLC0415

    def sees_all(_trainee: Any, batch: Any, _states: slice) -> torch.Tensor:
        return torch.ones_like(batch.tokens_BT, dtype=torch.bool)

    if where == "chosen":
        chosen = PrefixChoice("stream", "")
        mock.patch("qwen_ui.engine.setup.choose_prefix", return_value=chosen).start()
    elif os.environ["RANK"] == "1" and where == "proof":
        mock.patch("qwen_ui.engine.causal_proof.influence", sees_all).start()
    elif os.environ["RANK"] == "1":
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    return worker.main(folder)


def run_failing(folder: Path, where: str) -> int:
    """How the two processes end; what hangs is ended after some minutes, and is an error."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    paths = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [*run, "-m", __name__, str(folder), where],
        env={**os.environ, **paths},
        check=False,
        capture_output=True,
        timeout=300,
    )
    return done.returncode


if __name__ == "__main__":
    from qwen_ui.workers.worker import leave

    leave(main(Path(sys.argv[1]), sys.argv[2]))
