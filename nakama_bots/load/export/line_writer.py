"""Writes the time line to a file or a descriptor during the run, from a thread that may have to wait."""

from __future__ import annotations

import logging
import os
import select
from collections import deque
from contextlib import suppress
from typing import Final

import gevent
import gevent.monkey
import orjson
from gevent.event import Event
from gevent.threadpool import ThreadPool

from nakama_bots.load.export.exports import RunExport
from nakama_bots.load.figures.intervals import Totals
from nakama_bots.results.record.timeline import Interval, header
from nakama_bots.settings.exports import Sink

log = logging.getLogger(__name__)

MOST_BYTES: Final = 16 * 1024 * 1024
"""Bytes that wait for a slow reader; further lines are dropped and counted."""
STOP_TIMEOUT: Final = 5.0
"""Seconds that the end of a run waits for the reader."""

_AT_ONCE: Final = 256 * 1024

# Never the patched one, which would start a hub in the thread.
_poll = gevent.monkey.get_original("select", "poll")


class RunLines(RunExport):
    """Writes the time line of each run to ``sink``: its header, then its rows."""

    def __init__(self, sink: Sink, totals: Totals) -> None:
        super().__init__(totals)
        self._sink = sink
        self._runs = 0
        self._writer: LineWriter | None = None

    def restart(self) -> None:
        """Open the file; a second run is appended."""
        self._writer = LineWriter(self._sink, append=self._runs > 0)
        self._runs += 1
        self._writer.add(_line(header(self._totals.timeline.started)))

    def add(self, row: Interval) -> None:
        if self._writer is not None:
            self._writer.add(_line(row))

    def end(self, verdict: str) -> None:  # noqa: ARG002 - as in ``RunExport``
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


class LineWriter:
    """Writes to ``sink``, with ``append`` behind what the file holds. A failure is logged, and ends it."""

    def __init__(self, sink: Sink, *, append: bool = False) -> None:
        self._sink = sink
        self._flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if append else os.O_TRUNC)
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._dropped = 0
        self._batch = _Batch(b"")
        self._failed = False
        self._news = Event()
        self._done = Event()
        self._closing = False
        # Not the hub's: a pipe that nobody reads would keep a thread that the resolver needs.
        self._pool = ThreadPool(1)
        gevent.spawn(self._run)

    def add(self, line: bytes) -> None:
        """Queue ``line``, which ends in a newline; never waits."""
        if self._failed:
            return
        if self._size + len(line) > MOST_BYTES:
            if not self._dropped:
                log.error("--nakama-timeline: %s is not read fast enough: lines are dropped", self._sink.name)
            self._dropped += 1
            return
        self._waiting.append(line)
        self._size += len(line)
        self._news.set()

    def close(self) -> None:
        """Write what is queued, for ``STOP_TIMEOUT`` seconds at most. Idempotent."""
        if self._closing:
            return
        self._closing = True
        self._news.set()
        if not self._done.wait(STOP_TIMEOUT):
            log.error("--nakama-timeline: %s has not been read for %g s", self._sink.name, STOP_TIMEOUT)
            self._dropped += len(self._waiting) + self._batch.give_up()
            self._waiting.clear()
        if self._dropped:
            log.error("--nakama-timeline: %d lines of %s were dropped", self._dropped, self._sink.name)

    def _run(self) -> None:
        """Write until ``close``. Every step that may wait is the thread's, also the end of the file.

        The thread of a write that never ends stays, and ends with the write or the process.
        """
        # The thread returns its errors: gevent would print the traceback of one that it raises.
        descriptor = self._pool.apply(_open, (self._sink, self._flags))
        try:
            if isinstance(descriptor, OSError):
                self._fail(descriptor)
                return
            while not (self._closing and not self._waiting):
                self._news.wait()
                self._news.clear()
                while self._waiting:
                    self._batch = self._next()
                    error = self._pool.apply(self._batch.write, (descriptor,))
                    if error is not None:
                        self._fail(error)
                        return
        finally:
            if self._sink.path is not None and not isinstance(descriptor, OSError):
                self._pool.apply(_close, (descriptor,))
            self._pool.kill()
            self._done.set()

    def _fail(self, error: OSError) -> None:
        self._failed = True
        self._waiting.clear()
        log.error(
            "--nakama-timeline: %s cannot be written (%s): the run continues without it",
            self._sink.name,
            error.strerror,
        )

    def _next(self) -> _Batch:
        """Take some of the lines that wait."""
        taken, size = [], 0
        while self._waiting and size < _AT_ONCE:
            line = self._waiting.popleft()
            taken.append(line)
            size += len(line)
        self._size -= size
        return _Batch(b"".join(taken))


class _Batch:
    """Lines that the thread writes. In pieces that a pipe takes whole, so that it is known what is written."""

    def __init__(self, lines: bytes) -> None:
        self._rest = memoryview(lines)
        self._given_up = False

    def write(self, descriptor: int) -> OSError | None:
        try:
            while self._rest and not self._given_up:
                try:
                    self._rest = self._rest[os.write(descriptor, self._rest[: select.PIPE_BUF]) :]
                except BlockingIOError:
                    # Another process made the descriptor non-blocking; this is a thread, which may wait.
                    _wait_writable(descriptor)
        except OSError as error:
            return error
        return None

    def give_up(self) -> int:
        """Write no further piece; return the number of lines whose end is not written."""
        self._given_up = True
        return bytes(self._rest).count(b"\n")


def _open(sink: Sink, flags: int) -> int | OSError:
    if sink.path is None:
        return sink.descriptor
    try:
        return os.open(sink.path, flags, 0o644)
    except OSError as error:
        return error


def _close(descriptor: int) -> None:
    # A file system may report a failed write here; the lines are lost either way.
    with suppress(OSError):
        os.close(descriptor)


def _wait_writable(descriptor: int) -> None:
    poll = _poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll()


def _line(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
