"""Reads the machine of the server: its process where it runs on this one, a node exporter, its database.

psutil and the database driver block, psutil for milliseconds; so a real thread finds the server's process, and
the driver is written in Python, whose sockets gevent makes cooperative.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from time import perf_counter
from typing import Any, Final, Protocol

import gevent
import psutil

from nakama_bots.net.tls import ssl_context
from nakama_bots.rest.transports.gevent_transport import GeventTransport
from nakama_bots.results.server.machine import ACTIVITY, DATABASE, NodePages, read_database
from nakama_bots.results.server.metrics import LIMIT
from nakama_bots.results.server.page import ServerReading
from nakama_bots.settings.database import Database
from nakama_bots.settings.network import Limits, Network, Tls
from nakama_bots.settings.target import Target, Timeouts

_FORWARDERS: Final = ("docker-proxy", "rootlessport", "kubectl", "ssh")
"""Processes that listen for a server that runs elsewhere."""
_TIMEOUT: Final = 5
_TIMEOUTS: Final = Timeouts(connect=_TIMEOUT, request=_TIMEOUT)
_AT_LEAST: Final = 0.5
"""Seconds of CPU that are worth a figure."""


class ServerProbe(Protocol):
    """Something that is read at each scrape beside the server's metrics; ``what`` names it in messages."""

    what: str

    def read(self) -> ServerReading:
        """Read once. Any exception is a failed read."""

    def close(self) -> None:
        """Release what it holds."""


class HostProbe:
    """Reads this machine, and the process on it that listens on ``port`` if it is known."""

    what = "the server's process"

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: psutil.Process | None = None
        self._looked = False
        self._since = perf_counter()
        psutil.cpu_percent()

    def read(self) -> ServerReading:
        """Read both."""
        if not self._looked:
            self._looked = True
            self._process = gevent.get_hub().threadpool.apply(process_on, (self._port,))
        network = psutil.net_io_counters()
        found = ServerReading(
            {"host_memory": psutil.virtual_memory().percent / 100},
            {"host_sent_bytes": float(network.bytes_sent), "host_received_bytes": float(network.bytes_recv)},
        )
        now = perf_counter()
        if now - self._since > _AT_LEAST:
            self._since = now
            found.levels["host_cpu"] = psutil.cpu_percent() / 100
        with suppress(psutil.Error):
            self._read_process(found)
        return found

    def close(self) -> None:
        """Nothing to release."""

    def _read_process(self, found: ServerReading) -> None:
        process = self._process
        if process is None:
            return
        with process.oneshot():
            found.levels["memory"] = float(process.memory_info().rss)
            found.levels["threads"] = float(process.num_threads())
            with suppress(psutil.Error, AttributeError):
                found.levels["open_files"] = float(process.num_fds())
                found.levels["open_files_max"] = float(process.rlimit(psutil.RLIMIT_NOFILE)[0])


def process_on(port: int) -> psutil.Process | None:
    """Return the process that listens on ``port`` here; None if it is not known, or only forwards."""
    with suppress(psutil.Error, OSError):
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr[1:2] == (port,) and found.pid:
                process = psutil.Process(found.pid)
                return None if process.name().startswith(_FORWARDERS) else process
    return None


def is_here(host: str) -> bool:
    """Whether ``host`` is an address of this machine."""
    try:
        addresses = {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    own = {address.address.partition("%")[0] for nic in psutil.net_if_addrs().values() for address in nic}
    return bool(addresses) and addresses <= own


class PageReader:
    """Reads one URL again and again, over connections of its own."""

    def __init__(self, target: Target, tls: Tls) -> None:
        self._target = target
        # No proxy: the endpoint is internal, and often reachable only from this host.
        self._transport = GeventTransport(Network(tls, Limits(body=LIMIT)))

    def fetch(self) -> str:
        """Return the page; ``CallError`` or ``ValueError`` if there is none."""
        target = self._target
        answer = self._transport.send(
            target, "GET", target.path or "/", {"Accept": "text/plain"}, None, _TIMEOUTS
        )
        if answer.status != 200:
            raise ValueError(f"HTTP {answer.status}")
        return answer.body.decode("utf-8")

    def close(self) -> None:
        self._transport.close()


class NodeProbe:
    """A Prometheus node exporter on the server's machine."""

    what = "the node exporter"

    def __init__(self, reader: PageReader) -> None:
        self._reader = reader
        self._pages = NodePages()

    def read(self) -> ServerReading:
        return self._pages.read(self._reader.fetch())

    def close(self) -> None:
        self._reader.close()


class DatabaseProbe:
    """The server's PostgreSQL, read by a connection that may not write."""

    what = "the database"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Any = None

    def read(self) -> ServerReading:
        """Run both queries; connect first. A failure has no text of the driver, which may name users."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            return read_database(self._connection.run(ACTIVITY), self._connection.run(DATABASE))
        except Exception as error:  # noqa: BLE001 - the driver raises many kinds
            self.close()
            raise ValueError(_reason(error)) from None
        except gevent.GreenletExit:
            self.close()  # an answer may be half read
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _connect(self) -> Any:
        from pg8000.native import Connection  # noqa: PLC0415 - an extra

        given = self._database
        return Connection(
            given.user, given.host, given.name, given.port, given.password or None, timeout=_TIMEOUT,
            ssl_context=ssl_context(ssl.SSLContext, Tls()) if given.tls else None,
            application_name="nakama_bots",
            startup_params={"default_transaction_read_only": "on", "statement_timeout": f"{_TIMEOUT}s"},
        )  # fmt: skip


_REASONS: Final = {
    "28P01": "the password is refused",
    "28000": "the user is refused",
    "3D000": "no such database",
    "42501": "the user may not read its statistics",
}
"""By PostgreSQL's code, https://www.postgresql.org/docs/current/errcodes-appendix.html."""


def _reason(error: Exception) -> str:
    """Return why the database could not be read, without a text of the driver."""
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT} s"
    if type(error).__name__ == "InterfaceError":
        return "it cannot be reached"
    said = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    code = str(said.get("C", ""))
    return _REASONS.get(code) or (f"PostgreSQL's error {code}" if code else type(error).__name__)
