"""Writes lines to a file or a descriptor while the run goes on, from a thread that may have to wait."""

from __future__ import annotations

import logging
import os
import select
from collections import deque
from typing import Final

import gevent
import gevent.monkey
from gevent.event import Event
from gevent.threadpool import ThreadPool

from nakama_bots.settings.exports import Sink

log = logging.getLogger(__name__)

MOST_BYTES: Final = 16 * 1024 * 1024
"""Bytes that wait for a reader that is slow; what comes on top is left out and counted."""
STOP_TIMEOUT: Final = 5.0
"""Seconds that the end of a run waits for the reader."""

_AT_ONCE: Final = 256 * 1024

# Never the patched one, which would start a hub in the thread.
_poll = gevent.monkey.get_original("select", "poll")


class LineWriter:
    """Appends to ``sink``. What cannot be written is logged in one line, and nothing is written after it."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._left_out = 0
        self._failed = False
        self._news = Event()
        self._done = Event()
        self._closing = False
        # Of its own: a pipe that nobody reads would keep a thread that the resolver needs.
        self._pool = ThreadPool(1)
        self._writer = gevent.spawn(self._run)

    def add(self, line: bytes) -> None:
        """Have ``line`` written, which has its line end; never waits."""
        if self._failed:
            return
        if self._size + len(line) > MOST_BYTES:
            if not self._left_out:
                log.error("--nakama-timeline: %s is not read fast enough: lines are left out", self._sink.name)
            self._left_out += 1
            return
        self._waiting.append(line)
        self._size += len(line)
        self._news.set()

    def close(self) -> None:
        """Write what is there, for ``STOP_TIMEOUT`` seconds at most. Idempotent."""
        if self._closing:
            return
        self._closing = True
        self._news.set()
        if not self._done.wait(STOP_TIMEOUT):
            self._left_out += len(self._waiting)
            self._writer.kill(block=False)
            log.error("--nakama-timeline: %s has not been read for %g s", self._sink.name, STOP_TIMEOUT)
        if self._left_out:
            log.error("--nakama-timeline: %d lines of %s were left out", self._left_out, self._sink.name)

    def _run(self) -> None:
        descriptor = -1
        try:
            # A thread gives its error as a value: gevent would print the traceback of one that it raises.
            opened = self._pool.apply(_open, (self._sink,))
            if isinstance(opened, OSError):
                self._fail(opened)
                return
            descriptor = opened
            while not (self._closing and not self._waiting):
                self._news.wait()
                self._news.clear()
                while self._waiting:
                    error = self._pool.apply(_write_all, (descriptor, self._next()))
                    if error is not None:
                        self._fail(error)
                        return
        finally:
            if self._sink.path is not None and descriptor >= 0:
                os.close(descriptor)
            self._done.set()

    def _fail(self, error: OSError) -> None:
        self._failed = True
        self._waiting.clear()
        reason = error.strerror
        log.error(
            "--nakama-timeline: %s cannot be written (%s): the run goes on without it", self._sink.name, reason
        )

    def _next(self) -> bytes:
        """Some of the lines that wait; they count as waiting no more."""
        taken, size = [], 0
        while self._waiting and size < _AT_ONCE:
            line = self._waiting.popleft()
            taken.append(line)
            size += len(line)
        self._size -= size
        return b"".join(taken)


def _open(sink: Sink) -> int | OSError:
    if sink.path is None:
        return sink.descriptor
    try:
        return os.open(sink.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    except OSError as error:
        return error


def _write_all(descriptor: int, data: bytes) -> OSError | None:
    view = memoryview(data)
    try:
        while view:
            try:
                view = view[os.write(descriptor, view) :]
            except BlockingIOError:
                # Somebody made the descriptor non-blocking; this is a thread, which may wait.
                _wait_writable(descriptor)
    except OSError as error:
        return error
    return None


def _wait_writable(descriptor: int) -> None:
    poll = _poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll()
