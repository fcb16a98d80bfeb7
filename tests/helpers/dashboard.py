"""A dashboard without a page: a process that starts runs, supervises them, and waits to be killed.

`python -m tests.helpers.dashboard [--preload] SPEC_JSON ...` prints the name of each run. Without a
spec it starts what is queued, at the moment that its input ends.
"""

from __future__ import annotations

import json
import signal
import sys

from qwen_ui import workers
from qwen_ui.workers import processes

processes.WORKER = "tests.helpers.step_worker"

specs = [argument for argument in sys.argv[1:] if argument != "--preload"]
if "--preload" in sys.argv:
    workers.preload(wait=True)
if specs:
    workers.Supervisor().start()
    for spec in specs:
        print(workers.start(json.loads(spec)), flush=True)
    signal.pause()
else:
    print("ready", flush=True)
    sys.stdin.read()
    print(*workers.dispatch(), flush=True)
