"""The transports by name, and what a caller needs to give or write one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from nakama_bots.rest.transports.gevent_transport import GeventTransport
from nakama_bots.rest.transports.requests_transport import RequestsTransport
from nakama_bots.rest.transports.seam import DIRECT, IDEMPOTENT, Response, Transport

__all__ = [
    "DIRECT",
    "IDEMPOTENT",
    "TRANSPORTS",
    "GeventTransport",
    "RequestsTransport",
    "Response",
    "Transport",
]

# By the name that the setting ``rest_transport`` has.
TRANSPORTS: Final[Mapping[str, Callable[..., Transport]]] = {
    "geventhttpclient": GeventTransport,
    "requests": RequestsTransport,
}
