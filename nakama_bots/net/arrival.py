"""When data arrived, by the kernel's own stamp and not by when this process read it.

A socket's data waits in the kernel while the event loop is busy with other work. That wait belongs to the load
generator, not to the server. Linux stamps each segment that a TCP socket receives (``SO_TIMESTAMPNS``), and
``recvmsg`` returns the stamp of the newest segment that it read. If one read returns several frames, all
of them have that stamp: an earlier frame looks at most as late as the reader was.

The stamps are of the wall clock. They are converted to ``time.perf_counter`` with an offset that each read
checks, because the wall clock may be set at any time.
"""

from __future__ import annotations

import atexit
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from time import perf_counter, time
from typing import Any, Final, NamedTuple

CONTROL_SIZE: Final = socket.CMSG_SPACE(16) if hasattr(socket, "CMSG_SPACE") else 0
"""Bytes of control data that a stamp needs."""

# Linux, asm-generic/socket.h; the socket module has no name for it before Python 3.14.
_SO_TIMESTAMPNS: Final = 35
_unpack: Final = struct.Struct("@qq").unpack  # a timespec
_64_BIT: Final = struct.calcsize("P") == 8
"""A 32-bit kernel has a timespec of half the size."""

# struct tcp_info of linux/tcp.h: the smoothed round trip in microseconds and all retransmitted segments.
_TCP_INFO_SIZE: Final = 104
_RTT_AND_RETRANSMITS: Final = struct.Struct("@68xI28xI")

_STEP: Final = 0.0005
"""Seconds by which the two clocks may seem to move against each other before they are compared closely."""
_STEPPED: Final = 0.00005
"""Seconds by which they must really have moved to be a step of the wall clock."""
_ATTEMPTS: Final = 5

Control = Sequence[tuple[int, int, bytes]]
"""Control data as ``socket.recvmsg`` returns it."""

Received = tuple[bytes, Control, int, Any]
"""What ``socket.recvmsg`` returns."""

Sizes = Callable[[bytes], list[int]]
"""Returns the sizes of the whole messages at the beginning of some bytes."""

MOST_APART: Final = 16
"""Messages that are read apart. More are read at once: each read costs a microsecond."""


def time_since(started: float, arrived: float, waited: float | None) -> tuple[float, float | None]:
    """Return the seconds from ``started`` to the arrival, and ``waited``.

    A stamp from before the start is wrong. The time is then that until the read, and ``waited`` is None.
    """
    elapsed = arrived - started
    if elapsed >= 0.0:
        return elapsed, waited
    if waited is not None:
        CLOCK.too_early()
    return max(0.0, elapsed + (waited or 0.0)), None


class TcpPath(NamedTuple):
    """What TCP knows of a connection: its smoothed round trip in seconds, and its retransmitted segments."""

    rtt: float
    retransmits: int


def tcp_path(sock: Any) -> TcpPath | None:
    """The ``TcpPath`` of an open socket; None if the kernel has none."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
        rtt, retransmits = _RTT_AND_RETRANSMITS.unpack(info)
    except (OSError, AttributeError, struct.error):
        return None
    return TcpPath(rtt / 1e6, retransmits)


class ArrivalCounts(NamedTuple):
    """What was read since the last ``take``: messages, their wait in seconds, and steps of the wall clock.

    ``early``: how often a stamp was from before the cause, and was not believed.
    """

    stamped: int
    unstamped: int
    waited: float
    longest: float
    steps: int
    early: int = 0


class ArrivalClock:
    """Converts the stamps of this process's sockets, and counts how long their messages waited.

    ``wall`` and ``now`` are ``time.time`` and ``time.perf_counter``, or what a test has in their place.
    """

    __slots__ = (
        "_early", "_keeper", "_longest", "_now", "_offset", "_since", "_stamped", "_steps", "_unstamped",
        "_waited", "_wall", "last",
    )  # fmt: skip

    def __init__(self, wall: Callable[[], float] = time, now: Callable[[], float] = perf_counter) -> None:
        self._wall = wall
        self._now = now
        self._offset = self._compare()
        # Stamps of before a step cannot be converted.
        self._since = float("-inf")
        self._keeper: socket.socket | None = None
        self._stamped = self._unstamped = self._steps = self._early = 0
        self._waited = self._longest = 0.0
        # Seconds that the messages of the last read waited: how late this process is.
        self.last = 0.0

    def enable(self, sock: Any) -> bool:
        """Make the kernel stamp what ``sock`` receives. Return False if it does not, or in another format."""
        if sys.platform != "linux" or not hasattr(sock, "recvmsg") or not _64_BIT:
            return False
        try:
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        except OSError:
            return False
        return True

    def prepare(self) -> None:
        """Make the kernel start to stamp. It starts a moment after the first socket of the machine asks for it.

        Without this, the first messages of the first player would have no stamps.
        """
        if self._keeper is None:
            self._keeper = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.enable(self._keeper)
            atexit.register(self._keeper.close)

    def waited(self, control: Control, now: float) -> float | None:
        """Seconds that data read at ``now`` has waited; None without a stamp that can be trusted.

        ``control`` must not be empty.
        """
        offset = self._offset
        if not -_STEP < self._wall() - now - offset < _STEP:
            offset = self._check(now)
        _, kind, data = control[0]
        if kind != _SO_TIMESTAMPNS:  # no other control data was asked for
            return None
        seconds, nanoseconds = _unpack(data)
        waited: float = now - (seconds - offset) - nanoseconds * 1e-9
        if waited < 0.0:
            return 0.0 if waited > -_STEP else None  # within the error of the conversion, or of the future
        return waited if waited < now - self._since else None

    def note(self, messages: int, waited: float | None) -> None:
        """Count ``messages`` that one read returned."""
        if waited is None:
            self._unstamped += messages
            return
        self._stamped += messages
        self.last = waited
        self._waited += waited * messages
        if waited > self._longest and messages:
            self._longest = waited

    def too_early(self) -> None:
        """Count a stamp from before the cause."""
        self._early += 1

    def take(self) -> ArrivalCounts:
        """Return the counts since the last call."""
        counts = ArrivalCounts(
            self._stamped, self._unstamped, self._waited, self._longest, self._steps, self._early
        )
        self._stamped = self._unstamped = self._steps = self._early = 0
        self._waited = self._longest = 0.0
        return counts

    def _check(self, now: float) -> float:
        """Compare the clocks closely: this process may only have been held up between reading the two."""
        offset = self._compare()
        if abs(offset - self._offset) > _STEPPED:
            self._steps += 1
            self._offset = offset
            self._since = now
        return self._offset

    def _compare(self) -> float:
        """The wall clock minus ``perf_counter``, from the quickest of some readings."""
        found: list[tuple[float, float]] = []
        for _ in range(_ATTEMPTS):
            before = self._now()
            wall = self._wall()
            after = self._now()
            found.append((after - before, wall - (before + after) / 2))
        return min(found)[1]


CLOCK: Final = ArrivalClock()
"""Of this process."""


def read_apart(sock: Any, size: int, sizes: Sizes) -> Sequence[Received]:
    """Read up to ``size`` bytes in a read for each message, so that each has the stamp of its own arrival.

    One read returns the stamp of the newest segment in it. Where the kernel has kept the segments apart, reads
    that end with them return a stamp each; it may also have merged them, and then keeps the newest stamp.
    Reads with one stamp are joined again. Raises what ``recvmsg`` raises.
    """
    parts = sizes(sock.recv(size, socket.MSG_PEEK))
    if not 1 < len(parts) <= MOST_APART:
        return (sock.recvmsg(size, CONTROL_SIZE),)
    reads: list[Received] = []
    for part in parts:
        read = sock.recvmsg(part, CONTROL_SIZE)
        if reads and reads[-1][1] == read[1]:
            read = (reads.pop()[0] + read[0], *read[1:])
        reads.append(read)
    return reads
