"""Whether the model hub can be reached, without the half minute that a download takes to fail."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

from huggingface_hub import constants

CONNECT_SECONDS = 5.0


def is_offline() -> bool:
    """Whether `HF_HUB_OFFLINE` is set, which rules out every request."""
    return bool(constants.HF_HUB_OFFLINE)


def hub_answers() -> bool:
    """Whether something listens at the hub's address.

    Behind a proxy it is the proxy that connects, and nothing can be known in advance: True.
    """
    if getproxies():
        return True
    parts = urlsplit(constants.ENDPOINT)
    port = parts.port or {"http": 80}.get(parts.scheme, 443)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
