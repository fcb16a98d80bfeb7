"""The page itself: our elements at the start of its head, and a nonce on every script in it.

gradio's own `head` option comes after its scripts, and it sets no content security policy.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qwen_ui.ui.page.access import AccessPolicy, security_headers
from qwen_ui.ui.page.modules import Additions

_HEAD, _HEAD_END, _APP, _SCRIPT = b"<head>", b"</head>", b"<gradio-app", b"<script"
_GRADIO_SCRIPT = re.compile(rb'<script type="module" crossorigin src="([^"]+)"')


class IndexPage:
    """ASGI middleware that completes the page gradio serves at `/`.

    Args:
        app: what answers.
        additions: what it gets beside gradio's own.
        policy: for the page's security headers.
    """

    def __init__(self, app: ASGIApp, additions: Additions, policy: AccessPolicy) -> None:
        self._app, self._policy = app, policy
        self._additions = additions

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
            body = self._with_nonce(self._completed(page), nonce)
            headers = MutableHeaders(raw=begin["headers"])
            headers["content-length"] = str(len(body))
            headers["cache-control"] = "no-store"  # a nonce is for one answer
            for name, value in security_headers(self._policy, nonce).items():
                headers[name] = value
            await send(begin)
            await send({"type": "http.response.body", "body": body})

        await self._app(scope, receive, hold)

    def _completed(self, page: bytes) -> bytes:
        added = self._additions
        script = _GRADIO_SCRIPT.search(page)
        # It stands behind all that the page's components are told; asked for at once, it is there
        # when that has been read.
        early = b'<link rel="modulepreload" crossorigin href="%b">' % script[1] if script else b""
        for place, completed in (
            (_HEAD, _HEAD + early + added.head.encode()),
            (_HEAD_END, added.head_end.encode() + _HEAD_END),
            (_APP, added.first_view.encode() + _APP),
        ):
            page = page.replace(place, completed, 1)
        return page

    @staticmethod
    def _with_nonce(page: bytes, nonce: str) -> bytes:
        """A nonce on every script tag. gradio escapes `<` in all values that it writes there."""
        return page.replace(_SCRIPT, b'%b nonce="%b"' % (_SCRIPT, nonce.encode()))
