"""Small pieces of HTML that several tabs need; each tab's own templates lie in its folder."""

from __future__ import annotations

from markupsafe import Markup

from qwen_ui.markup import render


def paragraph(text: str, style: str) -> Markup:
    """One paragraph of plain text, of this class."""
    return render("page/paragraph.html", text=text, style=style)


def mount_point(style: str) -> Markup:
    """The shell of a component whose DOM a script owns: one element of this class."""
    return render("page/mount_point.html", style=style)


def style(text: str) -> Markup:
    """CSS of our own as it may stand in a style element, which it cannot end."""
    return Markup(text.replace("</style", r"<\/style"))


def script(text: str) -> Markup:
    """JavaScript as it may stand in a script element, which it cannot end."""
    return Markup(text.replace("</script", r"<\/script"))
