"""Options of the command line that are the fields of `RunSpec`: one place says what they mean."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from qwen_ui.runs import RunSpec


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every field of `RunSpec` that it does not name itself.

    The command takes them as `**settings`; what a person leaves out has the field's default.
    """
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    hints = get_type_hints(command, include_extras=True)
    named = [p.replace(annotation=hints[p.name]) for p in own]
    options = [
        _option(name)
        for name in RunSpec.model_fields
        if name not in signature.parameters and name != "plan"
    ]
    command.__signature__ = signature.replace(parameters=[*named, *options])  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in [*named, *options]}
    return command


def _option(name: str) -> inspect.Parameter:
    field = RunSpec.model_fields[name]
    repeated = field.default == ()
    # What a list may hold is checked by the spec: typer knows no list of choices.
    kind: Any = list[str] if repeated else field.annotation
    flag = "--" + {"sample_prompts": "sample-prompt", "trackers": "tracker"}.get(
        name, name.replace("_", "-")
    )
    option = typer.Option(flag, help=field.description)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=[] if repeated else field.default,
        annotation=Annotated[kind, option],
    )
