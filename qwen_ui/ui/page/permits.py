"""Permits: a person lets a program launch one thing once.

A permit is for a snapshot of settings, made by a click on the page. Its token is shown to the
person alone; this process keeps the token's hash, in memory, until it is used or too old. So a
token that is used, too old, changed, or of another dashboard (or of this one before a restart)
launches nothing, and neither does a right token with other settings.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from qwen_ui.errors import SettingsError

Kind = Literal["training", "comparison"]
LIFETIME_SECONDS = 600.0
# More than a person has in mind; the oldest gives way.
MOST_PERMITS = 32
# Of used and expired ones, to say which of both a token is.
MOST_REMEMBERED = 256
_PREFIX = "qwen-ui-once-"


@dataclass(frozen=True, slots=True)
class Permit:
    """What a person allowed.

    Attributes:
        kind: what may be launched.
        settings: exactly those that it is for.
        digest: of the settings.
        expires: by the clock of the permits.
    """

    kind: Kind
    settings: dict[str, Any]
    digest: bytes
    expires: float


class Permits:
    """The permits of one dashboard. Safe to call from threads.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._given: dict[bytes, Permit] = {}
        self._gone: deque[tuple[bytes, str]] = deque(maxlen=MOST_REMEMBERED)

    def give(self, kind: Kind, settings: dict[str, Any]) -> str:
        """A new token for these settings."""
        token = _PREFIX + secrets.token_urlsafe(32)
        permit = Permit(kind, settings, digest_of(settings), self._clock() + LIFETIME_SECONDS)
        with self._lock:
            while len(self._given) >= MOST_PERMITS:
                self._forget(next(iter(self._given)), "replaced by newer ones")
            self._given[_hash(token)] = permit
        return token

    def look_at(self, token: str) -> Permit:
        """What this token permits; it stays valid.

        Raises:
            SettingsError: it permits nothing (any more).
        """
        with self._lock:
            return self._found(token)[1]

    def use(self, token: str, kind: Kind, settings: dict[str, Any]) -> Permit:
        """Use this token up for these settings.

        Raises:
            SettingsError: it permits nothing (any more), or not this; then it is not used up.
        """
        with self._lock:
            key, permit = self._found(token)
            if permit.kind != kind:
                raise SettingsError(
                    f"This token permits a {permit.kind}, not a {kind}. Launch what it was made "
                    "for."
                )
            if not hmac.compare_digest(permit.digest, digest_of(settings)):
                raise SettingsError(
                    f"These are not the settings that the token permits. Launch the {kind} with "
                    "the settings that `permitted_settings` gives, unchanged, or ask for a new "
                    "token."
                )
            self._forget(key, "used")
            return permit

    def _found(self, token: str) -> tuple[bytes, Permit]:
        wanted = _hash(token)
        # Every one is compared, each in constant time: how long it takes tells nothing.
        found = [key for key in self._given if hmac.compare_digest(key, wanted)]
        gone = [why for key, why in self._gone if hmac.compare_digest(key, wanted)]
        if found:
            permit = self._given[found[0]]
            if self._clock() < permit.expires:
                return found[0], permit
            self._forget(found[0], "expired")
            gone = ["expired"]
        if gone:
            raise SettingsError(
                f"This token is {gone[0]}; each works once, within "
                f"{LIFETIME_SECONDS / 60:.0f} minutes. Ask for a new one on the page."
            )
        raise SettingsError(
            "This token was not made by this dashboard since it was started, or it is not complete."
            " Ask for one on the page: 'Allow a program to launch this once'."
        )

    def _forget(self, key: bytes, why: str) -> None:
        del self._given[key]
        self._gone.append((key, why))


def digest_of(settings: dict[str, Any]) -> bytes:
    """A hash of settings that does not depend on their order."""
    return hashlib.sha256(orjson.dumps(settings, option=orjson.OPT_SORT_KEYS)).digest()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
