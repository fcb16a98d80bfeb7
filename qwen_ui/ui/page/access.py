"""Which requests reach the dashboard: by host name, by origin, by type of content, by route.

A browser runs pages of other sites beside this one, and lets them send requests to loopback. So:

- `Host` must be a name that this dashboard was started under. A page whose own name has been
  rebound to 127.0.0.1 (DNS rebinding) still sends its own name.
- What changes, computes or belongs to a session must come from this page (`Origin`,
  `Sec-Fetch-Site`), and a body must be JSON, which no HTML form of another site can send. Uploads
  and the login are forms, and are held to the origin alone.
- Only the routes that the page and its clients use are open. gradio has others: one fetches
  addresses on the server's side, some are for its own development.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
API = "/gradio_api"
# Of MCP's transports the streamable one alone: a single address, JSON in its requests.
MCP = f"{API}/mcp"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORM = "multipart/form-data"
BODY_TYPES = {
    f"{API}/upload": (FORM,),
    "/login": (FORM, "application/x-www-form-urlencoded"),
}
JSON = ("application/json",)
# A single slash after "=": a path on this machine, not an address that the server would fetch.
_OPEN = re.compile(
    rf"/(?:(?:config|login|logout|favicon\.ico|theme\.css|robots\.txt|manifest\.json)/?"
    rf"|(?:assets|static|modules|guides)/.+)?"
    rf"|{API}/(?:(?:user|login_check|app_id|info|startup-events|theme\.css|queue/(?:join|data|status)"
    rf"|cancel|reset|component_server|upload|upload_progress)/?"
    rf"|heartbeat/[^/]+|call/.+|file=/(?!/).*)",
    re.DOTALL,
)
# Reads of which another page could learn, or hold a session open, by loading them as a resource.
_OF_A_SESSION = re.compile(rf"{API}/(?:queue|heartbeat|call|upload_progress|info|user|mcp)|/config")
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered: an HTTP status and one sentence."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """What a dashboard was started to answer to.

    Attributes:
        hosts: names it answers to beside those of loopback, without a port, in lower case.
        origins: origins of the page beside its own host, such as `https://demo.example.org`, where
            a proxy rewrites `Host`.
        framed_by: origins whose pages may show this one in a frame.
        mcp: whether the route of MCP clients is open.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    framed_by: tuple[str, ...] = ()
    mcp: bool = False

    def refusal(self, method: str, path: str, headers: Headers) -> Refusal | None:
        """Why this request is refused; None where it may pass.

        Args:
            path: decoded, without the part under which an application is mounted.
        """
        hosts = headers.getlist("host")
        name = host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None or name not in LOOPBACK | self.hosts:
            return Refusal(
                421,
                "This dashboard does not answer to that host name. Start it with "
                "`--allow-host NAME` if the name is yours.",
            )
        if not _OPEN.fullmatch(path) and not (self.mcp and path.rstrip("/") == MCP):
            return Refusal(404, "Not found.")
        if method in SAFE_METHODS and not _OF_A_SESSION.match(path):
            return None
        if not self._is_own_page(headers, hosts[0]):
            return Refusal(403, "This was asked for by a page of another site.")
        if method in SAFE_METHODS or _has_no_body(headers):
            return None
        given = headers.get("content-type", "").partition(";")[0].strip().lower()
        accepted = BODY_TYPES.get(path.rstrip("/"), JSON)
        if given not in accepted:
            return Refusal(415, f"The content type must be {' or '.join(accepted)}.")
        return None

    def _is_own_page(self, headers: Headers, host: str) -> bool:
        """Programs send neither header; every browser sends at least one where it matters."""
        if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
            return False
        origin = headers.get("origin")
        if origin is None or origin.lower() in self.origins:
            return True
        # The scheme is not compared: behind a proxy that ends TLS it differs.
        parts = urlsplit(origin)
        return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()


def host_name(authority: str) -> str | None:
    """`Name:8000` -> `name`, `[::1]:80` -> `[::1]`; None for what is no authority."""
    found = _AUTHORITY.fullmatch(authority.lower())
    return found[1] if found else None


def is_loopback(host: str) -> bool:
    """Whether a server bound to this name or address is reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def security_headers(policy: AccessPolicy, nonce: str | None = None) -> Mapping[str, str]:
    """Headers of every answer.

    Args:
        nonce: of the scripts that stand in the page itself; None where the answer is no page.
    """
    scripts = f"'self' 'nonce-{nonce}' 'unsafe-eval'" if nonce else "'self'"
    rules = {
        "default-src": "'self'",
        # gradio's HTML component makes its functions from text: 'unsafe-eval'.
        "script-src": scripts,
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": " ".join(policy.framed_by) or "'none'",
    }
    headers = {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in rules.items()),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
    }
    if not policy.framed_by:
        headers |= {"x-frame-options": "DENY", "cross-origin-opener-policy": "same-origin"}
    return headers


class AccessControl:
    """ASGI middleware that answers only what the policy lets pass.

    Args:
        app: what answers.
        policy: what may pass.
    """

    def __init__(self, app: ASGIApp, policy: AccessPolicy) -> None:
        self._app, self._policy = app, policy
        self._headers = security_headers(policy)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # the page opens no web socket
            await send({"type": "websocket.close", "code": 1008})
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        refusal = self._policy.refusal(scope["method"], path, Headers(scope=scope))
        if refusal is not None:
            answer = PlainTextResponse(refusal.message, refusal.status, headers=self._headers)
            await answer(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


def _has_no_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
