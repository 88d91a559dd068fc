"""Answers Prometheus, from a greenlet of the event loop that the run itself uses."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import gevent
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from nakama_bots.results.export.prometheus import CONTENT_TYPE
from nakama_bots.settings.exports import Listen

log = logging.getLogger(__name__)

PATHS: Final = ("/metrics", "/")
CONNECTIONS: Final = 8
"""Connections at a time; a further one waits."""


class MetricsServer:
    """Serves ``page``, whose parts are written one by one with the hub in between."""

    def __init__(self, page: Callable[[], Iterable[bytes]]) -> None:
        self._page = page
        self._server: WSGIServer | None = None

    def start(self, listen: Listen) -> None:
        """Begin. An address that cannot be had is logged: the run goes on without."""
        server = WSGIServer(
            (listen.host, listen.port), self._answer, log=None, error_log=None, spawn=Pool(CONNECTIONS)
        )
        try:
            server.start()
        except OSError as error:
            code = error.errno or 0
            # gevent puts the address in front of the text of some errors.
            reason = os.strerror(code) if code in errno.errorcode else str(error)
            log.error(
                "--nakama-prometheus: %s:%d cannot be listened on (%s): the run goes on without it",
                listen.host,
                listen.port,
                reason,
            )
            return
        self._server = server
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        log.info("metrics for Prometheus at http://%s:%d/metrics", host, server.server_port)

    def stop(self) -> None:
        """End it, without waiting for a reader. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.stop(timeout=0)

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in PATHS:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"the metrics are at /metrics\n"]
        if environ["REQUEST_METHOD"] != "GET":
            start_response("405 Method Not Allowed", [("Content-Type", "text/plain"), ("Allow", "GET")])
            return [b"GET only\n"]
        start_response("200 OK", [("Content-Type", CONTENT_TYPE)])
        return self._parts()

    def _parts(self) -> Iterator[bytes]:
        for part in self._page():
            yield part
            gevent.sleep(0)
