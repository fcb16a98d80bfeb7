"""Elements in the page's own head, before gradio's scripts: its `head` option comes after them."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEAD = b"<head>"


class HeadScript:
    """ASGI middleware that puts elements at the start of the page's head.

    Args:
        app: what answers.
        head: the elements, as HTML.
    """

    def __init__(self, app: ASGIApp, head: str) -> None:
        self._app = app
        self._head = _HEAD + head.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("GET", "/"):
            await self._app(scope, receive, send)
            return
        begin: dict[str, Any] = {}
        page = b""

        async def hold(message: Message) -> None:
            nonlocal page
            if message["type"] == "http.response.start":
                begin.update(message)
                return
            page += message.get("body", b"")
            if message.get("more_body"):
                return
            page = page.replace(_HEAD, self._head, 1)
            MutableHeaders(raw=begin["headers"])["content-length"] = str(len(page))
            await send(begin)
            await send({"type": "http.response.body", "body": page})

        await self._app(scope, receive, hold)
