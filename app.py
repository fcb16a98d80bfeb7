"""Start the dashboard: `python app.py [--port 7860]`. Also the entry of a Hugging Face Space."""

from __future__ import annotations

import argparse
import os
import sys

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
# By the environment, because `queue()` would make the application a second time: 0.1 s.
os.environ.setdefault("GRADIO_DEFAULT_CONCURRENCY_LIMIT", "8")
# After every event gradio counts all former ones again, in a table of pandas, for no one to see.
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000000")
QUEUE_LOOK_SECONDS = 0.04
PROGRESS_LOOK_SECONDS = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description="Qwen UI: what do I train, and what does it cost?")
    parser.add_argument(
        "--port", type=int, default=None, help="default: 7860, or the next free one"
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="run code that comes with a model"
    )
    arguments = parser.parse_args()

    from qwen_ui.model import allow_remote_code
    from qwen_ui.runs import reason_for
    from qwen_ui.ui.page import Session, build_app, launch_options
    from qwen_ui.workers import Supervisor

    if arguments.trust_remote_code:
        allow_remote_code()
    demo = build_app(Session())
    # gradio looks into its empty queue a thousand times a second, and a hundred times for progress,
    # which no handler here tells: 10 % of a core for nothing.
    demo._queue.sleep_when_free = QUEUE_LOOK_SECONDS
    demo._queue.progress_update_sleep_when_free = PROGRESS_LOOK_SECONDS
    Supervisor().start()
    try:
        demo.launch(server_port=arguments.port, inbrowser=arguments.open, **launch_options())
    except OSError as error:
        print(reason_for(error), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
