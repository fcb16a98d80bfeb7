"""A dashboard without a page: a process that starts a run and stays, to be killed.

`python -m tests.helpers.dashboard SPEC_JSON`: starts the run and prints its name. Without a spec it
starts what is queued, at the moment that its input ends.
"""

from __future__ import annotations

import json
import sys
import time

from qwen_ui.workers import launch

launch.WORKER = "tests.helpers.step_worker"

if len(sys.argv) > 1:
    print(launch.start(json.loads(sys.argv[1])), flush=True)
    time.sleep(600)
else:
    print("ready", flush=True)
    sys.stdin.read()
    print(*launch.dispatch(), flush=True)
