"""Who a request is of: a cookie names the visitor of a public dashboard.

The cookie is random, out of reach of scripts, and kept by no one: what a visitor owns is marked
with a hash of it.
"""

from __future__ import annotations

import functools
import hashlib
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import LocalContext
from gradio.utils import get_upload_folder
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qwen_ui.visits import Limits, Visit, entered, restrict
from qwen_ui.workers import Housekeeper

COOKIE = "qwen_ui_visitor"
KEY = "qwen_ui.visit"
WEEK = 7 * 24 * 3600


class Visitors:
    """ASGI middleware that says of every request whose it is, and gives the page's visitor a name.

    Args:
        app: what answers.
        limits: what visitors may.
        framed: whether another site's page frames this one (a Space): its cookie has to say so.
    """

    def __init__(self, app: ASGIApp, limits: Limits, framed: bool) -> None:
        self._app, self._limits = app, limits
        self._where = "SameSite=None; Secure; Partitioned" if framed else "SameSite=Lax"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = visitor_token(Headers(scope=scope).get("cookie", ""))
        new = None
        if token is None and (scope["method"], scope["path"]) == ("GET", "/"):
            token = new = secrets.token_urlsafe(24)
        scope[KEY] = Visit(visitor_of(token) if token else "", self._limits)

        async def with_cookie(message: Message) -> None:
            if new is not None and message["type"] == "http.response.start":
                cookie = f"{COOKIE}={new}; Path=/; HttpOnly; Max-Age={WEEK}; {self._where}"
                MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, with_cookie)


def visitor_token(cookies: str) -> str | None:
    """The visitor's token among a request's cookies; None where there is none that we made."""
    try:
        found = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None and len(found.value) == 32 else None


def visitor_of(token: str) -> str:
    """What a visitor's things are marked with."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def open_to_visitors(limits: Limits) -> None:
    """From now on this process answers visitors: nothing is allowed to whom nobody names."""
    restrict(limits)
    Housekeeper(limits, Path(get_upload_folder())).start()


def as_asked() -> AbstractContextManager[None]:
    """Ask as the visitor of the request that gradio is answering in this thread."""
    request: Any = LocalContext.request.get(None)
    request = getattr(request, "request", request)  # gradio wraps the queue's in one of its own
    scope = getattr(request, "scope", None)
    if scope is None or KEY not in scope:
        return nullcontext()
    return entered(scope[KEY])


def enter_every_event(demo: gr.Blocks) -> None:
    """Let every handler of the page ask as the visitor of its request."""
    for event in demo.fns.values():
        if event.fn is not None:
            event.fn = _entering(event.fn)


def _entering(handler: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(handler)
    def as_visitor(*given: Any, **named: Any) -> Any:
        with as_asked():
            return handler(*given, **named)

    return as_visitor
