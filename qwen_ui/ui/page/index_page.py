"""The page itself: our elements at the start of its head, and a nonce on every script in it.

gradio's own `head` option comes after its scripts, and it sets no content security policy.
"""

from __future__ import annotations

import secrets
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qwen_ui.ui.page.access import AccessPolicy, security_headers

_HEAD, _SCRIPT = b"<head>", b"<script"


class IndexPage:
    """ASGI middleware that completes the page gradio serves at `/`.

    Args:
        app: what answers.
        head: elements for the start of its head, as HTML.
        policy: for the page's security headers.
    """

    def __init__(self, app: ASGIApp, head: str, policy: AccessPolicy) -> None:
        self._app, self._policy = app, policy
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
            if message["type"] != "http.response.body":
                await send(message)
                return
            page += message.get("body", b"")
            if message.get("more_body"):
                return
            nonce = secrets.token_urlsafe(16)
            body = self._with_nonce(page.replace(_HEAD, self._head, 1), nonce)
            headers = MutableHeaders(raw=begin["headers"])
            headers["content-length"] = str(len(body))
            headers["cache-control"] = "no-store"  # a nonce is for one answer
            for name, value in security_headers(self._policy, nonce).items():
                headers[name] = value
            await send(begin)
            await send({"type": "http.response.body", "body": body})

        await self._app(scope, receive, hold)

    @staticmethod
    def _with_nonce(page: bytes, nonce: str) -> bytes:
        """A nonce on every script tag. gradio escapes `<` in all values that it writes there."""
        return page.replace(_SCRIPT, b'%b nonce="%b"' % (_SCRIPT, nonce.encode()))
