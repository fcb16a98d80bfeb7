"""Commands that take a run's result to other places: push, export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from qwen_ui import engine
from qwen_ui.cli.shared import AsJson, Run, app, say
from qwen_ui.errors import SettingsError
from qwen_ui.model import open_model


@app.command()
def push(
    run: Run,
    repo: Annotated[str, typer.Option(help="Repository on the Hugging Face hub, as OWNER/NAME.")],
    merged: Annotated[
        bool, typer.Option("--merged", help="Push the whole model, not what was trained alone.")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="Let anybody read a repository that is made for it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Push a run's delta, its adapters or the merged model to the hub, with a model card."""
    from qwen_ui.workers import push as push_run  # noqa: PLC0415  loads torch

    address = push_run(
        run, repo, merged=merged, public=public, tell=lambda said: print(said, file=sys.stderr)
    )
    say({"run": run, "repo": repo, "address": address}, as_json, f"Pushed to {address}.")


@app.command()
def export(
    run: Run,
    form: Annotated[
        Literal["adapter", "snippet"],
        typer.Option(
            "--as", help="adapter: a folder for peft (of a LoRA run); snippet: lines of PyTorch."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="New folder for the adapter.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a LoRA run as a peft adapter, or print the PyTorch lines that load a delta."""
    file = engine.delta_file(run)
    if form == "adapter":
        if output is None:
            raise SettingsError("Name the adapter's folder: -o FOLDER.")
        folder = engine.write_adapter(file, output)
        text = f"'{folder}' holds the adapter for PeftModel.from_pretrained."
        say({"run": run, "folder": str(folder)}, as_json, text)
        return
    delta = engine.read_delta(file)
    base = engine.loadable_name(open_model(str(delta.settings.get("model") or "")))
    text = engine.loading_snippet(base, str(file.resolve()), adapters=delta.adapters)
    say({"run": run, "snippet": text}, as_json, text)
