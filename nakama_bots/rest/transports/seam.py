"""The seam between the client and the libraries that send HTTP.

Neither transport follows redirects, keeps cookies, or reads ``.netrc`` from the environment (an entry would
replace the session's token). A proxy is used only when the ``Network`` says so. What a server may send is
limited by ``Network.limits``: more is an ``AnswerTooLarge``, and ends the connection.

Keep-alive and load: a transport sends nothing twice (``retry`` is the client's), with one exception. A request
sent on a *reused* connection that the server closed without a single byte of an answer is sent once more on a
new connection, within the same deadline, when its method is idempotent: RFC 9112 section 9.3.1 and RFC 9110
section 9.2.2 foresee it, and a keep-alive connection ending while idle is no failure of the server.
``Response.resent`` reports it for the counts. POST is never sent twice; an idle connection
that is readable (closed) or older than ``IDLE_LIMIT`` is not reused at all, which leaves a window of one
network delay.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple, Protocol

from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Target, Timeouts

DIRECT: Final = Network()
"""No proxy, the system's CAs, the default limits."""

IDLE_LIMIT: Final = 45.0
"""Seconds. Nakama closes a connection that was idle for 60 s (socket.idle_timeout_ms), as common load balancers
do; reusing one shortly before would lose a POST to the race.
"""

# RFC 9110 section 9.2.2.
IDEMPOTENT: Final = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS"))


class Response(NamedTuple):
    """A whole answer: ``headers`` with names in lower case, ``body`` decompressed.

    ``resent``: the first try met a keep-alive connection that the server had closed. ``arrived`` is when the
    kernel received the last byte (``time.perf_counter``), ``waited`` the seconds until it was read; both are
    None if that is not known.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    resent: bool = False
    arrived: float | None = None
    waited: float | None = None


class Transport(Protocol):
    """What sends requests. One may serve any number of players and targets."""

    def send(
        self,
        target: Target,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts,
    ) -> Response:
        """Send one request and read its answer, whatever its status, within ``timeouts.request`` seconds.

        ``timeouts.connect`` limits connecting, ``timeouts.read`` the time from the request written to its
        answer read whole.

        A ``CallError`` says how it failed; neither its text nor that of its causes holds headers or bodies.
        """

    def lock(self) -> AbstractContextManager[Any]:
        """A lock that waits the way this transport does: the greenlet or the thread."""

    def pause(self, seconds: float) -> None:
        """Wait the way this transport does, before a retry."""

    def close(self) -> None:
        """Close idle connections; the transport may be used again."""
