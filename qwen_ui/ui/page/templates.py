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

_ROOMS = Path(__file__).resolve().parent.parent


def render(name: str, /, **values: Any) -> Markup:
    """The text of this template with these values."""
    return Markup(environment().get_template(name).render(values))


def paragraph(text: str, style: str) -> Markup:
    """One paragraph of plain text, of this class."""
    return render("page/paragraph.html", text=text, style=style)


def mount_point(style: str, *, plotly: bool = False) -> Markup:
    """The shell of a component whose DOM a script owns: one element of this class.

    Args:
        plotly: whether the script is told where plotly.js lies (the component's `plotly`).
    """
    return render("page/mount_point.html", style=style, plotly=plotly)


def script(text: str) -> Markup:
    """JavaScript as it may stand in a script element, which it cannot end."""
    return Markup(text.replace("</script", r"<\/script"))


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
        "percent": formats.percent,
        "short_bytes": formats.short_bytes,
        "short_count": formats.short_count,
    }
    return made


def _source(name: str) -> str | None:
    room, _, file = name.partition("/")
    path = _ROOMS / room / "templates" / file
    return path.read_text(encoding="utf-8") if path.is_file() else None
