"""Jinja2 templates, in the `templates/` folder of each room.

`render("train/price.html", ...)` finds `ui/train/templates/price.html`, and
`render("markup/chart.svg", ...)` finds `markup/templates/chart.svg`. Every value is escaped; what a
template gives is `Markup`, which another template takes as it is. A name that a template uses and
is not given is an error.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from qwen_ui import formats

_PACKAGE = Path(__file__).resolve().parent.parent


def render(name: str, /, **values: Any) -> Markup:
    """The text of this template with these values."""
    return Markup(environment().get_template(name).render(values))


@cache
def environment() -> Environment:
    """Where all templates come from."""
    made = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    # Drawn, not emoji: not every machine has an emoji font, and these take the page's colours.
    for sign in ("flame", "snowflake"):
        made.globals[sign.upper()] = Markup(made.get_template(f"page/{sign}.svg").render())
    made.filters |= {
        "exact": "{:,}".format,
        "percent": lambda share: formats.unbroken(formats.percent(share)),
        "short_bytes": lambda count: formats.unbroken(formats.short_bytes(count)),
        "short_count": lambda count: formats.unbroken(formats.short_count(count)),
        "unbroken": _unbroken,
    }
    return made


def _unbroken(value: object) -> str:
    whole = formats.unbroken(str(value))
    return Markup(whole) if isinstance(value, Markup) else whole


def _source(name: str) -> str | None:
    room, _, file = name.partition("/")
    for home in (_PACKAGE / "ui" / room, _PACKAGE / room):
        path = home / "templates" / file
        if path.is_file():
            return path.read_text(encoding="utf-8")
    return None
