"""Whether the model hub can be asked, told at once.

A download without a network tries for half a minute.
"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

CONNECT_SECONDS = 5.0


def is_offline() -> bool:
    """Whether `HF_HUB_OFFLINE` is set: nothing is asked for then."""
    from huggingface_hub import constants  # noqa: PLC0415  slow

    return bool(constants.HF_HUB_OFFLINE)


def hub_answers() -> bool:
    """Whether something listens where the hub is.

    Behind a proxy it is the proxy that connects, so that nothing can be told: True.
    """
    from huggingface_hub import constants  # noqa: PLC0415  slow

    if getproxies():
        return True
    parts = urlsplit(constants.ENDPOINT)
    port = parts.port or {"http": 80}.get(parts.scheme, 443)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
