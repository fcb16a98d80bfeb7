"""Options of the command line that are the settings of a run: `RunSpec` says what they mean."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer

from qwen_ui.runs import FORMER_SETTINGS, SETTING_PLACES, flag_of, setting_field, setting_help


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every setting of a run that it does not name itself.

    The command takes them as `**settings`; an option that is not given has the setting's default.
    """
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    hints = get_type_hints(command, include_extras=True)
    named = [p.replace(annotation=hints[p.name]) for p in own]
    options = [_option(name) for name in SETTING_PLACES if name not in signature.parameters]
    command.__signature__ = signature.replace(parameters=[*named, *options])  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in [*named, *options]}
    return command


def present_name(option: str) -> str:
    """The name of an option (without its dashes) that may be given by a former one."""
    name = option.replace("-", "_")
    return FORMER_SETTINGS[name].replace("_", "-") if name in FORMER_SETTINGS else option


def _option(name: str) -> inspect.Parameter:
    field = setting_field(name)
    repeated = field.default == ()
    # What a list may hold is checked by the spec: typer knows no list of choices.
    kind: Any = list[str] if repeated else field.annotation
    option = typer.Option(flag_of(name), help=setting_help(name))
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=[] if repeated else field.default,
        annotation=Annotated[kind, option],
    )
