"""The page's own scripts and styles: ES modules served as they are, and one sheet of style.

Each tab's `static/` folder holds its modules, `page/static/` those that several share. They are
imported by the names `qwen/<room>/<file>` (an import map in the page's head says where they lie),
under a path that holds one hash of all of them: a browser may keep them for ever, and relative
imports within a room inherit the path.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from qwen_ui.markup import render
from qwen_ui.ui.page.templates import script, style

ROOMS = ("page", "inspect", "freeze", "train", "runs", "compare")
# No modules: they run before gradio's scripts.
FIRST = ("page/first_language.js", "page/theme_choice.js", "page/idle_clock.js")
FIRST_STYLES = ("page/colours.css", "page/first_view.css")  # in the page's head
OPENED = "inspect/inspector.js"  # mounted on the tab that a page opens with
PLOTLY = "plotly.min.js"
LANGUAGE = "page/language.js"  # starts by itself, before gradio's scripts
_UI = Path(__file__).resolve().parent.parent
_TYPES = {".js": "text/javascript", ".json": "application/json"}
_HEADERS = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
}
_IMPORT = re.compile(r'^(?:import|export)\b[^;]*?\bfrom "([^"]+)";', re.MULTILINE)
_NOT_LOADED = "This part of the page could not be loaded. Reload the page."


@dataclass(frozen=True)
class Additions:
    """What the page gets beside gradio's own, as HTML.

    Attributes:
        head: for the start of its head, before gradio's scripts.
        head_end: for the end of its head: asks for the modules of the tab that is opened, after
            gradio's own script has run, which is needed first.
        first_view: what is seen until gradio has drawn the page.
    """

    head: str
    head_end: str
    first_view: str


@dataclass(frozen=True)
class Modules:
    """All scripts and dictionaries, by `room/file`, as they were when the dashboard started."""

    texts: dict[str, str]

    @cached_property
    def version(self) -> str:
        """A hash of all of them."""
        return hashlib.sha256(json.dumps(self.texts).encode()).hexdigest()[:16]

    @property
    def additions(self) -> Additions:
        """What the page gets beside gradio's own."""
        base = f"./modules/{self.version}/"
        early = {LANGUAGE, *self.needed_by(LANGUAGE)}
        late = {OPENED, *self.needed_by(OPENED)} - early
        sheets = _static("css")
        return Additions(
            head=render(
                "page/head.html",
                style=style("\n".join(sheets[name] for name in FIRST_STYLES)),
                first=script("\n".join(self.texts[name] for name in FIRST)),
                languages=self.languages(base),
                base=base,
                language=LANGUAGE,
                # Fetched side by side, not one after the other as each is found to be imported.
                preloaded=sorted(early),
            ),
            head_end=render("page/head_end.html", links=[base + name for name in sorted(late)]),
            first_view=render("page/first_view.html"),
        )

    def languages(self, base: str) -> dict[str, dict[str, str]]:
        """The languages that there is a dictionary for: each one's own name, and its file."""
        return {
            PurePath(name).stem: {"name": json.loads(text)["language"], "file": base + name}
            for name, text in self.texts.items()
            if name.endswith(".json")
        }

    def imports_of(self, name: str) -> list[str]:
        """What a module imports, as `room/file.js`."""
        room = name.partition("/")[0]
        return [
            found.removeprefix("qwen/") if found.startswith("qwen/") else f"{room}/{found[2:]}"
            for found in _IMPORT.findall(self.texts[name])
        ]

    def needed_by(self, name: str) -> set[str]:
        """All that a module imports, by way of others too."""
        needed: set[str] = set()
        new = {name}
        while new := {one for name in new for one in self.imports_of(name)} - needed:
            needed |= new
        return needed

    @property
    def route(self) -> Route:
        """Answers for each file by its exact name; 404 for all else, another version too."""
        return Route("/modules/{version}/{name:path}", self._file)

    def _file(self, request: Request) -> Response:
        text = self.texts.get(request.path_params["name"])
        if text is None or request.path_params["version"] != self.version:
            return PlainTextResponse("not found", 404)
        media_type = _TYPES[PurePath(request.path_params["name"]).suffix]
        return Response(text, media_type=media_type, headers=_HEADERS)


def read_modules() -> Modules:
    """The modules of all rooms, and the page's dictionaries."""
    return Modules({**_static("js"), **_static("json")})


def plotly_script() -> Path:
    """The page's own build of plotly.js (`scripts/plotly`), an ES module that imports nothing."""
    return _UI / "page" / "static" / PLOTLY


def styles() -> str:
    """The styles of all rooms, in the rooms' order: what comes later has the last word. Those of
    `FIRST_STYLES` are in the page's head."""
    sheets = _static("css")
    return "\n".join(text for name, text in sheets.items() if name not in FIRST_STYLES)


def mounted_by(module: str, *, fires_input: bool = False, fires_drawn: bool = False) -> str:
    """The `js_on_load` of a component whose DOM a module owns: it calls the module's `mount`.

    Args:
        module: `room/file.js`.
        fires_input: whether `mount` is also given `tell(value)`, which sets the component's value
            and fires its `input` event. gradio offers the events that it finds quoted in here.
        fires_drawn: whether `mount` is also given `drawn()`, which fires the event `drawn`. (gradio
            fires every component's `load` itself when the page opens.)
    """
    tell = ", tell: (value) => { props.value = value; trigger('input'); }" if fires_input else ""
    drawn = ", drawn: () => trigger('drawn')" if fires_drawn else ""
    return f"""
element.inert = true; // no click is lost on what does not answer yet
import("qwen/{module}")
  .then(({{ mount }}) => mount({{ element, props, server, watch{tell}{drawn} }}))
  .catch((error) => {{
    element.textContent = "{_NOT_LOADED}";
    reportError(error);
  }})
  .finally(() => {{ element.inert = false; }});
"""


def _static(extension: str) -> dict[str, str]:
    return {
        f"{room}/{file.name}": file.read_text(encoding="utf-8")
        for room in ROOMS
        for file in sorted((_UI / room / "static").glob(f"*.{extension}"))
    }
