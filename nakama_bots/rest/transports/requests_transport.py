"""REST over requests; the only importer of it."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

import requests.adapters
import requests.structures
import urllib3
import urllib3.exceptions

from nakama_bots.clock import Deadline
from nakama_bots.errors import ConnectionClosed, ConnectionFailed, ProtocolError, RequestTimeout, TlsError
from nakama_bots.net.failures import CONNECT_ERRORS, ErrorTable, mapped, wrapped
from nakama_bots.net.tls import ssl_context
from nakama_bots.rest.transports.body import Body
from nakama_bots.rest.transports.seam import DIRECT, IDEMPOTENT, Response
from nakama_bots.rest.transports.urllib3_pools import READ_SIZE, StaleConnection, pool_classes
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Target, Timeouts


def _closed(text: str) -> Callable[[str], ConnectionClosed]:
    return lambda _: ConnectionClosed(1006, text)


def _malformed(text: str) -> ProtocolError:
    """With the limits of urllib3's own by their names; its other texts may quote the answer."""
    return ProtocolError(f"malformed HTTP answer{': ' + text if 'exceeded maximum' in text else ''}")


_ERRORS: Final[ErrorTable] = (
    *CONNECT_ERRORS,
    (urllib3.exceptions.SSLError, TlsError),
    (TimeoutError, lambda _: RequestTimeout("no answer before the deadline")),
    # A subclass of urllib3's TimeoutError in some versions, for whatever reason it failed.
    (urllib3.exceptions.NewConnectionError, lambda _: ConnectionFailed("no address accepts a connection")),
    (urllib3.exceptions.TimeoutError, lambda _: RequestTimeout("no answer before the deadline")),
    (http.client.RemoteDisconnected, _closed("closed without an answer")),
    (urllib3.exceptions.InvalidChunkLength, lambda _: ProtocolError("malformed HTTP chunk")),
    (http.client.IncompleteRead, _closed("closed inside the answer")),
    (http.client.HTTPException, lambda _: ProtocolError("malformed HTTP answer")),
    (urllib3.exceptions.InvalidHeader, lambda _: ProtocolError("malformed HTTP header")),
    (OSError, _closed("the connection broke")),
    (urllib3.exceptions.HTTPError, _malformed),
)


class _Adapter(requests.adapters.HTTPAdapter):
    """requests' own sender below its ``Session``: no redirects, cookies, hooks or environment up here."""

    def __init__(self, network: Network, size: int) -> None:
        self._network = network
        self._context = ssl_context(ssl.SSLContext, network.tls)
        super().__init__(pool_connections=16, pool_maxsize=size)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **options)
        self.poolmanager.pool_classes_by_scheme = pool_classes(self._network)

    def cert_verify(self, *args: Any) -> None:
        """The context knows; requests would add certifi's CAs for every connection."""

    def build_connection_pool_key_attributes(self, request: Any, *args: Any) -> Any:
        host, _ = super().build_connection_pool_key_attributes(request, *args)
        return host, {"ssl_context": self._context}


class RequestsTransport:
    """Sends with requests: blocks its thread, or its greenlet once gevent has patched the standard library.

    ``size`` connections a target are kept alive; more requests at once open more, which are then closed. The
    deadline does not cover the resolver of the operating system, which has timeouts of its own. An interim
    answer other than 100 counts as the answer, as http.client has it.
    """

    def __init__(self, network: Network = DIRECT, *, size: int = 1) -> None:
        if network.tls.insecure:
            # urllib3 would warn for every connection of what the user has asked for.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._limits = network.limits
        self._adapter = _Adapter(network, size)

    def send(
        self,
        target: Target,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts,
    ) -> Response:
        """See ``Transport.send``."""
        request = requests.PreparedRequest()
        request.method = method
        request.url = target.http_url + path
        request.body = body or None
        request.headers = requests.structures.CaseInsensitiveDict(headers)
        if body:
            request.headers["Content-Length"] = str(len(body))
        started = time.monotonic()
        try:
            return self._once(request, timeouts, timeouts.request, resent=False)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            stale = any(isinstance(cause, StaleConnection) for cause in wrapped(error))
            if not stale or method not in IDEMPOTENT:
                raise mapped(_ERRORS, error) from error
        try:
            left = Deadline.after(started, timeouts.request).left(time.monotonic()) or 1e-6
            return self._once(request, timeouts, left, resent=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise mapped(_ERRORS, error) from error

    def _once(
        self, request: requests.PreparedRequest, timeouts: Timeouts, seconds: float, *, resent: bool
    ) -> Response:
        limit = urllib3.Timeout(total=seconds, connect=timeouts.connect, read=timeouts.read)
        # requests takes urllib3's Timeout, which alone knows a total; its stubs do not say so.
        with self._adapter.send(request, stream=True, timeout=limit) as answer:  # type: ignore[arg-type]
            names = {name.lower(): value for name, value in answer.headers.items()}
            body = Body(self._limits.body, names.get("content-encoding"), names.get("content-length"))
            for piece in answer.raw.stream(READ_SIZE, decode_content=False):
                body.add(piece)
            return Response(answer.status_code, names, body.finish(), resent)

    def lock(self) -> AbstractContextManager[Any]:
        """See ``Transport.lock``."""
        return threading.Lock()

    def pause(self, seconds: float) -> None:
        """See ``Transport.pause``."""
        time.sleep(seconds)

    def close(self) -> None:
        """Close idle connections."""
        self._adapter.close()
