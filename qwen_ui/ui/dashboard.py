"""Start the dashboard: what `qwen-ui` does without a command, and what `python app.py` does.

Only `start` imports gradio: the options below are read for every command and for `--help`.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from qwen_ui import __version__, model, runs, workers
from qwen_ui.errors import SettingsError
from qwen_ui.ui import page

ENVIRONMENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    # By the environment, because `queue()` would make the application a second time: 0.1 s.
    "GRADIO_DEFAULT_CONCURRENCY_LIMIT": "8",
    # After every event gradio counts all former ones again in a table of pandas, for no one to see.
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000",
    # Whether there is a GPU is asked of its driver: CUDA would give this process a hold on it.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}
QUEUE_LOOK_SECONDS = 0.04
PROGRESS_LOOK_SECONDS = 0.2


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"qwen-ui {__version__}")
        raise typer.Exit


def dashboard(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on (default: 7860, or the next free one)."),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the dashboard in a browser.")
    ] = False,
    host: Annotated[
        str | None,
        typer.Option(
            help="Address to listen on (default: this machine alone); any other needs "
            "QWEN_UI_AUTH=USER:PASSWORD in the environment."
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Host name to answer to as well, such as a proxy's; may be repeated.",
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Address of the page behind a proxy that rewrites the Host header; may be "
            "repeated.",
        ),
    ] = None,
    public: Annotated[
        bool,
        typer.Option(
            "--public",
            help="Let anybody in, within limits: bundled models, short runs of nano, own runs "
            "alone. A Hugging Face Space without a login is public by itself.",
        ),
    ] = False,
    mcp: Annotated[
        bool,
        typer.Option(
            "--mcp", help="Answer MCP clients on this machine as well, at /gradio_api/mcp/."
        ),
    ] = False,
    trust_remote_code: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="Run the code that comes with this model (a hub id or a folder), in the dashboard "
            "or in the command that follows; may be repeated.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Start the dashboard, unless a command is named: `qwen-ui COMMAND --help` explains one."""
    if trust_remote_code and public:
        raise SettingsError("--public and --trust-remote-code exclude each other. Leave one out.")
    if trust_remote_code:
        model.trust_remote_code_of(*trust_remote_code)
    if context.invoked_subcommand is None:
        start(port, open_page, host, allow_host or [], allow_origin or [], mcp=mcp, public=public)
        return
    given = {name for name, value in context.params.items() if value} - {"trust_remote_code"}
    if given:
        option = min(p.opts[0] for p in context.command.params if p.name in given)
        raise SettingsError(
            f"{option} is for the dashboard, which starts without a command. Leave it out before "
            f"`{context.invoked_subcommand}`."
        )


def start(
    port: int | None,
    open_page: bool,
    host: str | None,
    allowed_hosts: list[str],
    allowed_origins: list[str],
    *,
    mcp: bool = False,
    public: bool = False,
) -> None:
    """Serve the dashboard until it is interrupted.

    Raises:
        SettingsError: it would be open to anybody, or its port is taken.
    """
    set_environment()
    serving = page.serving_from(
        host,
        allowed_hosts=allowed_hosts,
        allowed_origins=allowed_origins,
        mcp=mcp,
        public=public,
        environment=os.environ,
    )
    demo = page.build_app(page.Session(serving.limits))
    if serving.limits is not None:
        page.open_to_visitors(serving.limits)
    # gradio looks into its empty queue a thousand times a second, and a hundred times for progress,
    # which no handler here tells: 10 % of a core for nothing.
    demo._queue.sleep_when_free = QUEUE_LOOK_SECONDS
    demo._queue.progress_update_sleep_when_free = PROGRESS_LOOK_SECONDS
    workers.Supervisor().start()
    # Quiet, because gradio's own words invite to a public link.
    how = {"quiet": True, "prevent_thread_lock": True, **page.launch_options(serving)}
    try:
        demo.launch(server_port=port, inbrowser=open_page, **how)
    except OSError as error:
        raise SettingsError(runs.reason_for(error)) from error
    print(f"Qwen UI is at {demo.local_url} (Ctrl+C ends it).", flush=True)
    demo.block_thread()


def set_environment() -> None:
    """What gradio and torch read when they are imported; a person's own values stay."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
