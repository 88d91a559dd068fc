"""A proxied connection's bytes, kept while it lasts and read when the recording ends.

Nothing is parsed while traffic passes: the proxy only keeps what it has forwarded, with its time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from nakama_bots.realtime.frames import FrameReader
from nakama_bots.record.capture.http import HttpMessage, HttpReader, UnreadableHttp
from nakama_bots.record.capture.scribe import Scribe, SocketScribe
from nakama_bots.record.capture.tape import Tape

MOST_KEPT: Final = 256 * 1024 * 1024
"""Bytes that a recording keeps in memory."""
MOST_MESSAGE: Final = 64 * 1024 * 1024


class WireSide(Enum):
    """Who sent a piece of the wire."""

    CLIENT = "client"
    SERVER = "server"
    END = "end"


@dataclass(slots=True)
class Wire:
    """One connection: the pieces of both directions in the order in which they passed."""

    pieces: list[tuple[WireSide, float, bytes]] = field(default_factory=list)
    cut: bool = False
    """True once a piece is left out: pieces after it could not be read."""


@dataclass(slots=True)
class Kept:
    """All connections of a recording, and how much of them is kept."""

    wires: list[Wire] = field(default_factory=list)
    limit: int = MOST_KEPT
    size: int = 0
    left_out: int = 0
    """Bytes that were forwarded after the memory for recording was full."""
    problems: list[str] = field(default_factory=list)

    def open(self) -> Wire:
        wire = Wire()
        self.wires.append(wire)
        return wire

    def keep(self, wire: Wire, side: WireSide, at: float, data: bytes) -> None:
        """Keep a piece, if there is room for it."""
        if data and (wire.cut or self.size + len(data) > self.limit):
            wire.cut = True
            self.left_out += len(data)
            return
        self.size += len(data)
        wire.pieces.append((side, at, data))

    def tape(self) -> Tape:
        scribe = Scribe()
        for problem in self.problems:
            scribe.tape.note(problem)
        for wire in self.wires:
            _Reading(scribe).read(wire)
        if self.left_out:
            scribe.tape.note(
                f"the recording was full: {self.left_out:,} bytes after the first {self.limit:,} are left out"
            )
        scribe.tape.sort()
        return scribe.tape


class _Reading:
    """Reads one connection."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._requests = HttpReader(answers=False)
        self._answers = HttpReader(answers=True)
        self._open: deque[HttpMessage] = deque()
        self._socket: SocketScribe | None = None
        self._from_client = FrameReader(MOST_MESSAGE, from_client=True)
        self._from_server = FrameReader(MOST_MESSAGE)

    def read(self, wire: Wire) -> None:
        ended = 0.0
        try:
            for side, at, data in wire.pieces:
                ended = at
                if side is WireSide.CLIENT:
                    self._sent(data, at)
                elif side is WireSide.SERVER:
                    self._received(data, at)
        except UnreadableHttp as error:
            self._scribe.tape.note(f"a connection has {error}: what follows on it is left out")
        self._end(ended)

    def _sent(self, data: bytes, at: float) -> None:
        if self._socket is not None:
            self._frames(self._from_client, data, at)
            return
        self._requests.feed(data, at)
        while not (self._open and self._open[-1].upgrades):
            message = self._requests.next(at)
            if message is None:
                return
            self._open.append(message)

    def _received(self, data: bytes, at: float) -> None:
        if self._socket is not None:
            self._frames(self._from_server, data, at)
            return
        self._answers.feed(data, at)
        while True:
            self._answers.bodiless = bool(self._open) and self._open[0].words[0] == "HEAD"
            answer = self._answers.next(at)
            if answer is None:
                return
            if answer.status == 101 and self._open:
                self._upgraded(self._open.popleft(), answer, at)
                return
            if answer.status >= 200:
                self._answered(answer)

    def _upgraded(self, request: HttpMessage, answer: HttpMessage, at: float) -> None:
        if answer.headers.get("sec-websocket-extensions"):
            raise UnreadableHttp("a compressed websocket")
        self._socket = self._scribe.socket(request.words[1], request.headers, request.at)
        for reader, rest in (
            (self._from_server, self._answers.rest()),
            (self._from_client, self._requests.rest()),
        ):
            if rest:
                self._frames(reader, rest, at)

    def _answered(self, answer: HttpMessage | None, at: float = 0.0) -> None:
        if not self._open:
            return
        request = self._open.popleft()
        method, target, _ = request.words
        given = None if answer is None else (answer.status, answer.content)
        ended = at if answer is None else answer.ended
        self._scribe.rest(method, target, request.headers, request.content, given, request.at, ended)

    def _frames(self, reader: FrameReader, data: bytes, at: float) -> None:
        assert self._socket is not None
        from_client = reader is self._from_client
        for opcode, payload in reader.feed(data):
            if from_client:
                self._socket.outgoing(opcode, payload, at)
            else:
                self._socket.incoming(opcode, payload, at)
        if reader.error is not None:
            self._scribe.tape.note(f"a websocket is left out from here on: {reader.error}")

    def _end(self, at: float) -> None:
        if self._socket is not None:
            self._socket.closed(at)
            return
        try:
            last = self._answers.end(at)
            if last is not None:
                self._answered(last)
            while self._open:
                self._answered(None, at)
        except UnreadableHttp as error:
            self._scribe.tape.note(f"a connection has {error}: what follows on it is left out")
        if self._requests.halfway:
            self._scribe.tape.note("a request that did not end is left out")
