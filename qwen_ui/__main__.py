"""`python -m qwen_ui COMMAND`."""

import os

# Before torch is imported; see `qwen_ui.workers.processes.child_environment`.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from qwen_ui.cli.main import main

if __name__ == "__main__":
    main()
