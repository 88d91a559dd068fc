"""Answers Prometheus, from a greenlet of the event loop that the run itself uses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final, cast

import gevent
from gevent import socket
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from nakama_bots.load.export.exports import RunExport
from nakama_bots.load.figures.intervals import Totals, let_others_run
from nakama_bots.net.failures import DIAL_ERRORS, mapped
from nakama_bots.results.export.figures import Durations, Figures
from nakama_bots.results.export.prometheus import CONTENT_TYPE, pages
from nakama_bots.results.export.series import RunState
from nakama_bots.results.record.timeline import Interval
from nakama_bots.results.summary import RunInfo
from nakama_bots.settings.exports import Listen

log = logging.getLogger(__name__)

PATHS: Final = ("/metrics", "/")
CONNECTIONS: Final = 8
"""Connections at a time; a further one waits."""
PATIENCE: Final = 30.0
"""Seconds after which a connection is closed that has sent no request, or has not read its answer."""


class RunMetrics(RunExport):
    """Counts the figures of each run for Prometheus, and serves them."""

    def __init__(self, listen: Listen, totals: Totals, outlook: Callable[[], str]) -> None:
        super().__init__(totals)
        self._outlook = outlook
        self._figures = Figures(Durations)
        self._info: RunInfo | None = None
        self._verdict = ""
        self._server = MetricsServer(self._page)
        self._server.start(listen)

    def restart(self) -> None:
        self._figures = Figures(Durations)

    def add(self, row: Interval) -> None:
        self._figures.add(row, pause=let_others_run)

    def begin(self, info: RunInfo) -> None:
        self._info, self._verdict = info, ""

    def end(self, verdict: str) -> None:
        """Serve the last figures and this verdict from now on."""
        self._verdict = verdict

    def stop(self) -> None:
        self._server.stop()

    def _page(self) -> Iterable[bytes]:
        state = RunState()
        if self._info is not None:
            verdict = self._verdict or self._outlook()
            state = RunState(self._info, active=not self._verdict, verdict=verdict)
        return pages(self._figures, state)


class MetricsServer:
    """Serves ``page``, whose parts are written one by one with the hub in between.

    ``patience`` as ``PATIENCE``.
    """

    def __init__(self, page: Callable[[], Iterable[bytes]], *, patience: float = PATIENCE) -> None:
        self._page = page
        self._patience = patience
        self._server: WSGIServer | None = None

    @property
    def port(self) -> int:
        """The port that it listens on; 0 while it does not."""
        return 0 if self._server is None else self._server.server_port or 0

    def start(self, listen: Listen) -> None:
        """Listen. An address that cannot be used is logged, and there is no server then."""
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        try:
            listener = _listener(listen)
        except (OSError, UnicodeError) as error:
            log.error(
                "--nakama-prometheus: cannot listen on %s:%d (%s): the run continues without it",
                host,
                listen.port,
                mapped(DIAL_ERRORS, error),
            )
            return
        self._server = WSGIServer(
            listener, self._answer, log=None, error_log=None, spawn=Pool(CONNECTIONS),
            handler_class=cast("type[WSGIHandler]", partial(_Handler, self._patience)),
        )  # fmt: skip
        self._server.start()
        log.info("metrics for Prometheus at http://%s:%d/metrics", host, self.port)

    def stop(self) -> None:
        """Stop listening, without waiting for a reader. Idempotent."""
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


def _listener(listen: Listen) -> socket.socket:
    """Return a socket that listens. gevent's own function leaves it open when that fails."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


class _Handler(WSGIHandler):
    """Ends the connection when a request, or the reading of its answer, takes longer than ``patience``."""

    def __init__(self, patience: float, *given: Any) -> None:
        self._patience = patience
        super().__init__(*given)

    def handle(self) -> None:
        self._limit = self._new_limit()
        try:
            super().handle()
        finally:
            self._limit.close()

    def handle_one_response(self) -> None:
        self._restart()
        super().handle_one_response()
        self._restart()

    def _restart(self) -> None:
        self._limit.close()
        self._limit = self._new_limit()

    def _new_limit(self) -> gevent.Timeout:
        # The end of a greenlet: gevent logs every other exception.
        return gevent.Timeout.start_new(self._patience, gevent.GreenletExit)
