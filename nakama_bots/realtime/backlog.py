"""Reads messages that wait in one socket apart, so that each has the kernel's stamp of its own arrival.

A read returns one stamp, that of the newest segment in it. Where the kernel has kept the segments apart, reads
that end with them return a stamp each. It may also have merged them, and then keeps the newest stamp.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from nakama_bots.net.arrival import CONTROL_SIZE, Received

Sizes = Callable[[bytes], list[int]]
"""Returns the sizes of the whole messages at the beginning of some bytes."""

MOST: Final = 16
"""Messages that are read apart. More are read at once: each read costs a microsecond."""


def read_apart(sock: Any, size: int, sizes: Sizes) -> Sequence[Received]:
    """Read up to ``size`` bytes in a read for each message; those with one stamp are joined again.

    Raises what ``recvmsg`` raises.
    """
    parts = sizes(sock.recv(size, socket.MSG_PEEK))
    if not 1 < len(parts) <= MOST:
        return (sock.recvmsg(size, CONTROL_SIZE),)
    reads: list[Received] = []
    for part in parts:
        read = sock.recvmsg(part, CONTROL_SIZE)
        if reads and reads[-1][1] == read[1]:
            read = (reads.pop()[0] + read[0], *read[1:])
        reads.append(read)
    return reads
