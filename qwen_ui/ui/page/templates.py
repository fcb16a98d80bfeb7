"""All HTML and SVG that Python makes: Jinja2 templates, in the `templates/` folder of each room.

`render("train/price.html", ...)` finds `ui/train/templates/price.html`. Every value is escaped;
what a template gives is `Markup`, which another template takes as it is. A name that a template
uses and is not given is an error.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from qwen_ui import formats
from qwen_ui.ui.page.signs import FLAME, SNOWFLAKE

_ROOMS = Path(__file__).resolve().parent.parent


def render(name: str, /, **values: Any) -> Markup:
    """The text of this template with these values."""
    return Markup(_environment().get_template(name).render(values))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals |= {"FLAME": Markup(FLAME), "SNOWFLAKE": Markup(SNOWFLAKE)}
    environment.filters |= {
        "exact": "{:,}".format,
        "percent": formats.percent,
        "short_bytes": formats.short_bytes,
        "short_count": formats.short_count,
    }
    return environment


def _source(name: str) -> str | None:
    room, _, file = name.partition("/")
    path = _ROOMS / room / "templates" / file
    return path.read_text(encoding="utf-8") if path.is_file() else None
