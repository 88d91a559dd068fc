"""Realtime messages without the socket: reads envelopes and maps message keys to handlers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from nakama_bots.emulator.dispatch import log
from nakama_bots.emulator.formats.protojson import Fields, JsonObject, Malformed, Schema, camel, loads
from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.hooks import plain, run
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.limits import Full
from nakama_bots.emulator.store.tracker import OnlineSession

RUNTIME_EXCEPTION: Final = 0
BAD_INPUT: Final = 3
MATCH_NOT_FOUND: Final = 4
MATCH_JOIN_REJECTED: Final = 5
RUNTIME_FUNCTION_NOT_FOUND: Final = 6
RUNTIME_FUNCTION_EXCEPTION: Final = 7

# Messages that only a server sends: known to the parser, so not malformed, but without a handler.
SERVER_MESSAGES: Final = (
    "channel", "channel_message", "channel_message_ack", "channel_presence_event", "error", "match",
    "match_data", "match_presence_event", "matchmaker_matched", "matchmaker_ticket", "notifications",
    "party", "party_data", "party_join_request", "party_leader", "party_matchmaker_ticket",
    "party_presence_event", "status", "status_presence_event", "stream_data", "stream_presence_event",
)  # fmt: skip


_LOG = logging.getLogger(__name__)


class RealtimeFault(Exception):
    """Raised to answer a message with an ``error`` envelope."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NoMessage(ValueError):
    """The envelope contains no message that a client may send."""


@dataclass(slots=True)
class Call:
    """A message of a session, with all that its handler needs."""

    core: Core
    session: OnlineSession
    cid: str
    fields: Fields
    # The answer, for a hook.
    answer: JsonObject = field(default_factory=dict)

    def reply(self, key: str = "", body: JsonObject | None = None) -> None:
        """Answer with a message, or with the empty acknowledgement."""
        envelope: JsonObject = {"cid": self.cid} if self.cid else {}
        if key:
            envelope[key] = body or {}
        self.answer = envelope
        self.session.reply(envelope)

    def fail(self, code: int, message: str) -> None:
        """Answer with an error; code 0 is omitted, like every default."""
        self.reply("error", {"code": code, "message": message} if code else {"message": message})


def _context(call: Call, mode: str) -> RpcContext:
    session = call.session
    return RpcContext(
        session.user_id, session.username, session.id, session.lang, session.vars, mode=mode, cid=call.cid
    )


# Returns None, or an awaitable that must end before the session's next message is read.
Handler = Callable[[Call], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message that a client may send. ``silent``: it gets no answer, and errors lack its cid."""

    key: str
    schema: Schema
    handler: Handler
    silent: bool = False


# Messages that add a presence.
_JOINS: Final = frozenset(
    ("channel_join", "match_create", "match_join", "party_create", "party_join", "status_update")
)


class MessageDispatcher:
    """Parses a text frame and calls the handler of its message."""

    def __init__(self, core: Core, rows: tuple[MessageRow, ...]) -> None:
        self._core = core
        self._rows = {alias: row for row in rows for alias in (row.key, camel(row.key))}
        self._server = {alias for key in SERVER_MESSAGES for alias in (key, camel(key))}

    def dispatch(self, session: OnlineSession, content: bytes) -> Awaitable[None] | None:
        """Handle one message. ``Malformed`` and ``NoMessage`` end the connection."""
        call, row = self._read(session, content)
        self._core.tracker.begin()
        pending = self._handle(call, row)
        if self._core.options.log_requests:
            if pending is not None:
                return self._logged(call, row, pending)
            self._log(call, row)
        return pending

    @staticmethod
    def _log(call: Call, row: MessageRow) -> None:
        error: Any = call.answer.get("error", {})
        log.message(row.key, call.cid, call.session.user_id, error.get("message", ""))

    async def _logged(self, call: Call, row: MessageRow, pending: Awaitable[None]) -> None:
        await pending
        self._log(call, row)

    def _handle(self, call: Call, row: MessageRow) -> Awaitable[None] | None:
        hooks = self._core.hooks
        try:
            if row.key in _JOINS:
                self._check_room()
            if row.key in hooks.rt_before:
                self._before(call, row)
            pending = row.handler(call)
        except RealtimeFault as fault:
            call.fail(fault.code, fault.message)
            return None
        except Full as full:
            _LOG.warning("%s", full)
            call.fail(RUNTIME_EXCEPTION, str(full))
            return None
        if pending is not None:
            return self._finish(call, pending)
        if row.key in hooks.rt_after:
            self._after(call, row)
        return None

    def _check_room(self) -> None:
        # Before any answer, so not where a presence is added.
        most = self._core.options.limits.presences
        if self._core.tracker.total >= most:
            raise Full("presences", most)

    @staticmethod
    async def _finish(call: Call, pending: Awaitable[None]) -> None:
        """Wait for a function of a module, the only message that takes long; it has no hooks."""
        try:
            await pending
        except RealtimeFault as fault:
            call.fail(fault.code, fault.message)

    def _before(self, call: Call, row: MessageRow) -> None:
        """Let the hook see and change the message; ``NoMessage`` when it disables it."""
        try:
            body = self._core.hooks.rt_before[row.key](_context(call, "before"), plain(call.fields))
        except RuntimeFunctionError as error:
            raise RealtimeFault(RUNTIME_FUNCTION_EXCEPTION, error.message) from None
        except Exception as error:  # noqa: BLE001 - a module may raise anything
            _LOG.exception("hook before %s", row.key)
            raise RealtimeFault(RUNTIME_FUNCTION_EXCEPTION, str(error)) from None
        if body is None:
            raise NoMessage
        try:
            call.fields = row.schema(body)
        except Malformed:
            message = "Could not complete runtime Before function."
            raise RealtimeFault(RUNTIME_FUNCTION_EXCEPTION, message) from None

    def _after(self, call: Call, row: MessageRow) -> None:
        hook = self._core.hooks.rt_after[row.key]
        run(f"after {row.key}", hook, _context(call, "after"), call.answer, plain(call.fields))

    def _read(self, session: OnlineSession, content: bytes) -> tuple[Call, MessageRow]:
        envelope = loads(content)
        if type(envelope) is not dict:
            msg = "not an object"
            raise Malformed(msg)
        cid = ""
        row: MessageRow | None = None
        body: object = None
        others = 0
        for key, value in envelope.items():
            if key == "cid":
                if type(value) is not str and value is not None:
                    msg = "cid is not a string"
                    raise Malformed(msg)
                cid = value or ""
            elif key in self._rows:
                if value is not None:
                    row, body, others = self._rows[key], value, others + 1
            elif key in self._server:
                others += value is not None
            else:
                msg = "unknown field"
                raise Malformed(msg)
        if others > 1:
            msg = "two messages in one envelope"
            raise Malformed(msg)
        if row is None:
            raise NoMessage
        fields = row.schema(body)
        return Call(self._core, session, "" if row.silent else cid, fields), row
