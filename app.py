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
# Whether there is a GPU is asked of its driver: CUDA would give this process a hold on it.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
QUEUE_LOOK_SECONDS = 0.04
PROGRESS_LOOK_SECONDS = 0.2


def main() -> None:
    arguments = _parser().parse_args()

    from qwen_ui.errors import UserError
    from qwen_ui.model import trust_remote_code_of
    from qwen_ui.runs import reason_for
    from qwen_ui.ui.page import Session, build_app, launch_options, serving_from
    from qwen_ui.workers import Supervisor

    try:
        serving = serving_from(
            arguments.host,
            allowed_hosts=arguments.allow_host,
            allowed_origins=arguments.allow_origin,
            environment=os.environ,
        )
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    if arguments.trust_remote_code:
        trust_remote_code_of(*arguments.trust_remote_code)
    demo = build_app(Session())
    # gradio looks into its empty queue a thousand times a second, and a hundred times for progress,
    # which no handler here tells: 10 % of a core for nothing.
    demo._queue.sleep_when_free = QUEUE_LOOK_SECONDS
    demo._queue.progress_update_sleep_when_free = PROGRESS_LOOK_SECONDS
    Supervisor().start()
    try:
        demo.launch(server_port=arguments.port, inbrowser=arguments.open, **launch_options(serving))
    except OSError as error:
        print(reason_for(error), file=sys.stderr)
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Qwen UI: what do I train, and what does it cost?")
    parser.add_argument("--port", type=int, help="default: 7860, or the next free one")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument(
        "--host",
        help="address to listen on (default: this machine alone); any other needs "
        "QWEN_UI_AUTH=USER:PASSWORD in the environment",
    )
    parser.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="host name to answer to as well, such as a proxy's; may be repeated",
    )
    parser.add_argument(
        "--allow-origin",
        metavar="URL",
        action="append",
        default=[],
        help="address of the page behind a proxy that rewrites the Host header; may be repeated",
    )
    parser.add_argument(
        "--trust-remote-code",
        metavar="MODEL",
        action="append",
        default=[],
        help="run the code that comes with this model (hub id or folder); may be repeated",
    )
    return parser


if __name__ == "__main__":
    main()
