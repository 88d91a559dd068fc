"""The kernel's stamps of what arrives, for tests that need them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from nakama_bots.net.arrival import CONTROL_SIZE, ArrivalClock


@pytest.fixture(scope="session")
def stamps() -> Iterator[None]:
    """The kernel stamps: it begins a moment after it was first asked to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
        with one, other:
            assert ArrivalClock().enable(one)
            control: object = None
            while not control:
                other.send(b"x")
                _, control, _, _ = one.recvmsg(10, CONTROL_SIZE)
            yield
