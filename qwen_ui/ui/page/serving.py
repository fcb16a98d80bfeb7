"""How the dashboard is served: on which address, to whom; refused where that is not safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from qwen_ui.errors import SettingsError
from qwen_ui.model import NANO, preset_models
from qwen_ui.ui.page.access import AccessPolicy, host_name, is_loopback
from qwen_ui.visits import Limits

LOOPBACK_ADDRESS = "127.0.0.1"
ALL_ADDRESSES = frozenset({"0.0.0.0", "::", "[::]"})
AUTH_VARIABLE = "QWEN_UI_AUTH"
SPACE_FRAMES = ("https://huggingface.co",)


@dataclass(frozen=True, slots=True)
class Serving:
    """Where the dashboard listens, and what it answers to.

    Attributes:
        address: name or address to listen on.
        policy: which requests pass.
        login: user and password that a visitor has to give; None for nobody to be asked.
        limits: what visitors may do, of a public dashboard; None for everything.
    """

    address: str = LOOPBACK_ADDRESS
    policy: AccessPolicy = field(default_factory=AccessPolicy)
    login: tuple[str, str] | None = None
    limits: Limits | None = None


def serving_from(
    host: str | None,
    *,
    allowed_hosts: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
    mcp: bool = False,
    public: bool = False,
    environment: Mapping[str, str],
) -> Serving:
    """How to serve, from what was given at start.

    Args:
        host: `--host`; None for the one in the environment, or loopback.
        allowed_hosts: `--allow-host`, names under which a proxy or a network reaches it.
        allowed_origins: `--allow-origin`, addresses of the page behind a proxy that rewrites Host.
        mcp: `--mcp`, whether MCP clients on this machine are answered.
        public: `--public`, for anybody, within `Limits`; a Hugging Face Space without a login is.
        environment: of the process; `QWEN_UI_AUTH` is `user:password`. It is no option, because
            every user of a machine can read the options of every process.

    Raises:
        SettingsError: anybody could use it, or a name or address cannot be one.
    """
    address = host or environment.get("GRADIO_SERVER_NAME") or LOOPBACK_ADDRESS
    login = _login(environment.get(AUTH_VARIABLE))
    space = environment.get("SPACE_HOST")
    public = public or (login is None and bool(space or environment.get("SPACE_ID")))
    if not is_loopback(address) and login is None and not public:
        raise SettingsError(
            f"'{address}' can be reached from other machines, and whoever reaches the dashboard "
            "can read this user's models and data and start runs. Set "
            f"{AUTH_VARIABLE}=USER:PASSWORD, give --public to let anybody in within limits, "
            "or leave out --host and reach it through an SSH tunnel: "
            "`ssh -L 7860:127.0.0.1:7860 THIS_MACHINE`."
        )
    if mcp:
        _check_mcp(address, login, public)
    names = {_name(one) for one in allowed_hosts}
    if address not in ALL_ADDRESSES:
        # An IPv6 address stands in brackets in a Host header.
        names.add(_name(f"[{address}]" if ":" in address and address[0] != "[" else address))
    frames: tuple[str, ...] = ()
    if space:
        # A Hugging Face Space is reached under its own name, inside a frame of the hub's page.
        names.add(_name(space))
        frames = SPACE_FRAMES
    policy = AccessPolicy(frozenset(names), frozenset(map(_origin, allowed_origins)), frames, mcp)
    limits = public_limits() if public else None
    return Serving(address, policy, login, limits)


def public_limits() -> Limits:
    """What visitors of a public dashboard may do."""
    return Limits(opens=frozenset(preset_models()), trains=frozenset({NANO}))


def _check_mcp(address: str, login: tuple[str, str] | None, public: bool) -> None:
    """Refuse MCP where it cannot be had, or where gradio's route would let anybody past the login.

    Raises:
        SettingsError: the library is missing or of another version, or others could reach it.
    """
    if not is_loopback(address) or login is not None or public:
        raise SettingsError(
            "--mcp is for programs on this machine: gradio's MCP route asks for no login. Leave "
            f"out --host, --public and {AUTH_VARIABLE}."
        )
    try:
        found = version("mcp")
    except PackageNotFoundError:
        found = "0"
    if found.partition(".")[0] != "1":
        raise SettingsError("--mcp needs version 1 of the library mcp: pip install 'mcp>=1.21,<2'.")


def _login(given: str | None) -> tuple[str, str] | None:
    if not given:
        return None
    user, _, password = given.partition(":")
    if not user or not password:
        raise SettingsError(f"{AUTH_VARIABLE} must be USER:PASSWORD, both of them not empty.")
    return user, password


def _name(given: str) -> str:
    name = host_name(given)
    if name is None:
        raise SettingsError(f"'{given}' is not a host name. Give one such as gpu-box.example.org.")
    return name


def _origin(given: str) -> str:
    parts = urlsplit(given)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path not in {"", "/"}:
        raise SettingsError(f"'{given}' is not an origin. Give one such as https://example.org.")
    return f"{parts.scheme}://{parts.netloc}".lower()
