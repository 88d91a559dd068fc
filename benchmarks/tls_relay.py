"""A TLS relay in front of a server, in a separate process: ``python -m benchmarks.tls_relay PORT CERT KEY``.

It forwards every byte unchanged. It prints the port that it listens on, then one line for each connection:
the port of its client and its own port towards the server. It speaks TLS 1.2 with AES-GCM only: there the
records of the application are marked, and longer than their content by a fixed number of bytes.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import suppress


class Towards(asyncio.Protocol):
    """One end of a relayed connection; ``other`` is the transport of the other one."""

    def __init__(self, other: asyncio.WriteTransport | None = None) -> None:
        self.other = other
        self.early = b""

    def data_received(self, data: bytes) -> None:
        """Forward ``data``."""
        if self.other is None:
            self.early += data
        else:
            self.other.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the other end."""
        del exc
        if self.other is not None:
            self.other.close()


class Accepted(Towards):
    """The end of a client."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect to the server."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._opening = asyncio.ensure_future(self._open(transport))

    async def _open(self, client: asyncio.WriteTransport) -> None:
        loop = asyncio.get_running_loop()
        try:
            server, _ = await loop.create_connection(lambda: Towards(client), "127.0.0.1", self._port)
        except OSError:
            client.close()
            return
        ports = client.get_extra_info("peername")[1], server.get_extra_info("sockname")[1]
        print(*ports, flush=True)
        server.write(self.early)
        self.other = server


async def serve(port: int, certificate: str, key: str) -> None:
    """Relay until standard input ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM")
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Accepted(port), "127.0.0.1", 0, ssl=context, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1]), *sys.argv[2:4]))
