"""The kernel's stamps of what arrives, for tests that need them."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

import pytest

from nakama_bots.net.arrival import CONTROL_SIZE, ArrivalClock

_ERROR = 0.0005
"""Seconds by which two readings of the same clock may differ."""


@pytest.fixture
def stamps() -> Iterator[None]:
    """The kernel stamps: it begins a moment after it was first asked to.

    Skips where the stamps are not of the wall clock's time, as on a virtual machine that is being moved.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
        with one, other:
            assert ArrivalClock().enable(one)
            control: list[tuple[int, int, bytes]] = []
            while not control:
                before = time.time()
                other.send(b"x")
                _, control, _, _ = one.recvmsg(10, CONTROL_SIZE)
            seconds, nanoseconds = struct.unpack("@qq", control[0][2])
            if not before - _ERROR < seconds + nanoseconds / 1e9 < time.time() + _ERROR:
                pytest.skip("the kernel's stamps differ from the wall clock")
            yield
