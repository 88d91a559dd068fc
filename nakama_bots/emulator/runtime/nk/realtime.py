"""Streams, sessions, statuses, matches and parties: state that exists only during connections."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from nakama_bots.emulator.dispatch.realtime import RealtimeFault
from nakama_bots.emulator.formats import query
from nakama_bots.emulator.formats.envelopes import message_names
from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.formats.uuids import parse_uuid
from nakama_bots.emulator.handlers import matches as listing
from nakama_bots.emulator.handlers.match import match_stream
from nakama_bots.emulator.handlers.party import listed as listed_parties
from nakama_bots.emulator.handlers.stream import stream_wire
from nakama_bots.emulator.runtime.functions import RuntimeFunctionError
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    FunctionFamily,
    Table,
    fail,
    fields,
    flag,
    identifier,
    identifiers,
    items,
    kind,
    optional_integer,
    optional_table,
    optional_text,
    table,
    text,
)
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.core import DISCONNECTED
from nakama_bots.emulator.store.tracker import OnlineSession, Presence, PresenceStream

_LOG = logging.getLogger(__name__)


def _stream(number: int, value: Any, reported: int = 0) -> PresenceStream:
    """Return the stream of a table; ``reported``: the argument number in the server's errors, if different."""
    given = table(number, value)
    of = given if isinstance(given, Mapping) else {}
    mode = of.get("mode", 0)
    if kind(mode) != "number":
        raise ArgumentError(reported or number, "stream mode must be a number")
    for name in ("subject", "subcontext", "label"):
        one = of.get(name)
        if one is not None and not isinstance(one, str):
            raise ArgumentError(reported or number, f"stream {name} must be a string")
        if one is not None and name != "label" and parse_uuid(one) is None:
            raise ArgumentError(reported or number, f"stream {name} must be a valid identifier")
    ids = [parse_uuid(of.get(name) or "") or "" for name in ("subject", "subcontext")]
    subject, subcontext = ("" if one == SYSTEM_USER_ID else one for one in ids)
    return PresenceStream(int(mode) % 256, subject, subcontext, of.get("label") or "")


def _sessions(value: Any) -> list[str] | None:
    """Return the session ids of a list of presences; None: all."""
    found: list[str] = []
    for presence in items(optional_table(3, value) or []):
        if not isinstance(presence, Mapping):
            raise ArgumentError(3, "expects a valid set of presences")
        session_id = presence.get("session_id", SYSTEM_USER_ID)
        if not isinstance(session_id, str):
            raise ArgumentError(3, "presence session id must be a string")
        parsed = parse_uuid(session_id)
        if parsed is None:
            raise ArgumentError(3, "presence session id must be a valid identifier")
        found.append(parsed)
    return found or None


class StreamFunctions(FunctionFamily):
    """Streams: a stream is a table with ``mode``, and any of ``subject``, ``subcontext`` and ``label``."""

    def __session(self, user_id: Any, session_id: Any, *, must: bool = True) -> OnlineSession | None:
        # The server does not check whose session it is.
        identifier(1, user_id, "expects valid user id", "expects user id")
        wanted = identifier(2, session_id, "expects valid session id", "expects session id")
        one = self.core.sessions.get(wanted)
        if one is None and must:
            raise fail("stream user join failed: node not found")
        return one

    def stream_user_list(
        self,
        stream: Table,
        include_hidden: bool | None = None,
        include_not_hidden: bool | None = None,
    ) -> list[JsonObject]:
        """Return the presences of a stream."""
        place = _stream(1, stream)
        hidden, shown = flag(2, include_hidden, True), flag(3, include_not_hidden, True)  # noqa: FBT003
        return [
            {
                "user_id": one.session.user_id,
                "session_id": one.session.id,
                "node": self.core.options.node,
                "hidden": one.hidden,
                "persistence": one.persistence,
                "username": one.session.username,
                "status": one.status or "",
            }
            for one in self.core.tracker.presences(place, hidden=True)
            if (hidden if one.hidden else shown)
        ]

    def stream_user_get(self, user_id: str, session_id: str, stream: Table) -> Any:
        """Return the presence of a session in a stream, or nil."""
        session = self.__session(user_id, session_id, must=False)
        place = _stream(3, stream)
        found = self.core.tracker.get(place, session) if session is not None else None
        if found is None:
            return (None,)
        return {
            "hidden": found.hidden,
            "persistence": found.persistence,
            "username": found.session.username,
            "status": found.status or "",
        }

    def stream_user_join(
        self,
        user_id: str,
        session_id: str,
        stream: Table,
        hidden: bool | None = None,
        persistence: bool | None = None,
        status: str | None = None,
    ) -> bool:
        """Add a session to a stream; False if it was already present."""
        presence = self.__presence(user_id, session_id, hidden, persistence, status)
        return self.core.tracker.track(_stream(3, stream), presence)

    def __presence(self, user_id: Any, session_id: Any, hidden: Any, persistence: Any, status: Any) -> Presence:
        session = self.__session(user_id, session_id)
        assert session is not None
        given = optional_text(6, status)
        return Presence(session, flag(4, hidden), flag(5, persistence, True), given or None)  # noqa: FBT003

    def stream_user_update(
        self,
        user_id: str,
        session_id: str,
        stream: Table,
        hidden: bool | None = None,
        persistence: bool | None = None,
        status: str | None = None,
    ) -> None:
        """Change the presence of a session in a stream."""
        presence = self.__presence(user_id, session_id, hidden, persistence, status)
        self.core.tracker.update(_stream(3, stream), presence)

    def stream_user_leave(self, user_id: str, session_id: str, stream: Table) -> None:
        """Remove a session from a stream."""
        session = self.__session(user_id, session_id, must=False)
        if session is not None:
            self.core.tracker.untrack(_stream(3, stream), session)

    def stream_user_kick(self, presence: Table, stream: Table) -> None:
        """Remove a presence from a stream."""
        given = optional_table(1, presence)
        if given is None:
            raise ArgumentError(1, "expects a valid presence")
        of = given if isinstance(given, Mapping) else {}
        for name in ("user_id", "session_id"):
            if parse_uuid(str(of.get(name))) is None:
                raise ArgumentError(1, f"expects each presence to have a valid {name}")
        self.stream_user_leave(of["user_id"], of["session_id"], stream)

    def stream_count(self, stream: Table) -> int:
        """Return the number of sessions in a stream."""
        return self.core.tracker.count(_stream(1, stream, reported=3))

    def stream_close(self, stream: Table) -> None:
        """Empty a stream, without events."""
        self.core.tracker.drop(_stream(1, stream, reported=3))

    def stream_send(
        self,
        stream: Table,
        data: str,
        presences: Table | None = None,
        reliable: bool | None = None,
    ) -> None:
        """Send a text to all sessions in a stream, or to those of ``presences``."""
        place = _stream(1, stream, reported=3)
        body: JsonObject = {"stream": stream_wire(place)}
        if text(2, data):
            body["data"] = data
        chosen = _sessions(presences)
        if flag(4, reliable, True):  # noqa: FBT003 - the server's default
            body["reliable"] = True
        self.__send(place, {"stream_data": body}, chosen)

    def stream_send_raw(
        self,
        stream: Table,
        envelope: Table,
        presences: Table | None = None,
        reliable: bool | None = None,
    ) -> None:
        """Send an envelope, such as ``{match_data = {..}}``, as ``stream_send``."""
        place, body, chosen = _stream(1, stream, reported=3), fields(2, envelope), _sessions(presences)
        flag(4, reliable)
        if wrong := next((name for name in body if name not in message_names()), None):
            reason = f'not a valid envelope: proto: (line 1:2): unknown field "{wrong}"'
            raise ArgumentError(2, reason)
        self.__send(place, body, chosen)

    def __send(self, stream: PresenceStream, envelope: JsonObject, chosen: list[str] | None) -> None:
        if chosen is None:
            self.core.tracker.send(stream, envelope)
            return
        found = [self.core.sessions[one] for one in chosen if one in self.core.sessions]
        self.core.tracker.send_to(found, envelope)


class SessionFunctions(FunctionFamily):
    """Sessions, and the statuses that they follow."""

    def session_disconnect(self, session_id: str, reason: int | None = None) -> None:
        """Close a session's socket. ``reason``: what matches see as its reason to leave, 1 to 4 (4)."""
        wanted = identifier(1, session_id, "expects valid session id", "expects session id")
        given = optional_integer(2, reason)
        if not 0 <= given <= 4:
            raise ArgumentError(2, "invalid disconnect reason, must be a value 0-4")
        session = self.core.sessions.get(wanted)
        if session is not None:
            self.core.end_reasons[wanted] = given or 4
            session.disconnect(1000, DISCONNECTED)

    def session_logout(self, user_id: str, token: str | None = None, refresh_token: str | None = None) -> None:
        """Invalidate the given tokens, or all of a user issued in an earlier second."""
        user = identifier(1, user_id, "expects valid user id", "expects user id")
        tokens = optional_text(2, token), optional_text(3, refresh_token)
        if not any(tokens):
            self.core.session_cache.revoke_before(user, self.core.seconds())
            return
        read = (self.core.session_claims, self.core.refresh_claims)
        claims = [verify(one) if one else None for verify, one in zip(read, tokens, strict=True)]
        for given, found, name in zip(tokens, claims, ("session", "refresh"), strict=True):
            if given and (found is None or found.user_id != user):
                raise fail(f"failed to logout: {name} token invalid")
        if claims[0] is not None:
            self.core.session_cache.revoke_session(claims[0])
        if claims[1] is not None:
            self.core.session_cache.revoke_refresh(claims[1])

    def status_follow(self, session_id: str, user_ids: Table) -> None:
        """Let a session follow the statuses of users."""
        session, ids = self.__following(session_id, user_ids)
        for user_id in ids:
            if session is not None:
                self.core.follow(session, user_id)

    def status_unfollow(self, session_id: str, user_ids: Table) -> None:
        """Stop a session from following the statuses of users."""
        session, ids = self.__following(session_id, user_ids)
        for user_id in ids:
            if session is not None:
                self.core.unfollow(session, user_id)

    def __following(self, session_id: str, user_ids: Table) -> tuple[OnlineSession | None, list[str]]:
        wanted = identifier(1, session_id, "expects a valid session id")
        ids = identifiers(
            2,
            user_ids,
            "invalid user ids list",
            "each user id must be a string",
            "each user id must be a valid id",
        )
        return self.core.sessions.get(wanted), ids


class MatchFunctions(FunctionFamily):
    """Matches and parties."""

    def match_create(self, module: str, params: Table | None = None) -> str:
        """Start an authoritative match with the handler registered as ``module``; returns its id."""
        name = text(1, module, "expects module name")
        if isinstance(params, list) and params:
            raise ArgumentError(2, "expects params to be nil or a table of key-value pairs")
        given = dict(params) if isinstance(params, Mapping) else {}
        try:
            return self.core.matches.create(self.core.new_id(), name, given).id
        except RuntimeFunctionError:
            raise
        except Exception as error:
            _LOG.exception("match_init of %s", name)
            raise fail(f"error creating match: error creating match: {error}") from error

    def match_signal(self, match_id: str, data: str | None = None) -> str:
        """Return the answer of a match's ``match_signal``."""
        wanted, given = text(1, match_id), optional_text(2, data)
        try:
            stream = match_stream(wanted)
        except RealtimeFault:
            raise fail("failed to signal match: match id invalid") from None
        match = self.core.matches.get(stream)
        if match is None:
            raise fail("failed to signal match: match not found")
        return match.signal(given)

    def match_get(self, match_id: str) -> Any:
        """Return a match as in a list, or nil."""
        wanted = text(1, match_id)
        try:
            stream = match_stream(wanted)
        except RealtimeFault:
            raise fail("failed to get match: match id invalid") from None
        match = self.core.matches.get(stream)
        if match is not None:
            return {
                "match_id": match.id,
                "authoritative": True,
                "label": match.label,
                "size": len(match.members),
                "tick_rate": match.rate,
                "handler_name": match.handler_name,
            }
        size = self.core.tracker.count(stream)
        return {"match_id": wanted, "authoritative": False, "size": size} if size else (None,)

    def match_list(
        self,
        limit: int | None = None,
        authoritative: bool | None = None,
        label: str | None = None,
        min_size: int | None = None,
        max_size: int | None = None,
        query_text: str | None = None,
    ) -> list[JsonObject]:
        """Return matches: ``match_id``, ``authoritative``, ``label``, ``size``, ``tick_rate``, handler name."""
        wanted = listing.Wanted(
            optional_integer(1, limit, 1),
            self.__given(2, authoritative, "boolean", "authoritative true/false"),
            self.__given(3, label, "string", "label string"),
            self.__given(6, query_text, "string", "query string"),
            int(self.__given(4, min_size, "number", "minimum size number") or 0),
            int(2**31 if max_size is None else self.__given(5, max_size, "number", "maximum size number")),
        )
        try:
            found = listing.find(self.core, wanted)
        except (query.QuerySyntaxError, query.QuerySearchError):
            raise fail("failed to list matches: error parsing query string: syntax error") from None
        return [{"authoritative": False, "size": 0, **one} for one in found]

    @staticmethod
    def __given(number: int, value: Any, wanted: str, what: str) -> Any:
        if value is not None and kind(value) != wanted:
            raise ArgumentError(number, f"expects {what} or nil")
        return value

    def party_list(
        self,
        limit: int | None = None,
        open: bool | None = None,  # noqa: A002 - the server's name and order
        show_hidden: bool = False,
        query_text: str | None = None,
        cursor: str | None = None,
    ) -> tuple[list[JsonObject], str | None]:
        """Return parties, with their id as ``match_id``, ``open``, ``maxSize`` and ``label``; and a cursor."""
        number = optional_integer(1, limit, 10)
        if not 1 <= number <= 100:
            raise ArgumentError(1, "expects limit to be 1-100")
        wanted = self.__given(2, open, "boolean", "open true/false")
        asked, place = optional_text(4, query_text), optional_text(5, cursor)
        try:
            found, following = listed_parties(
                self.core, number, wanted, asked, place, hidden=flag(3, show_hidden)
            )
        except (query.QuerySyntaxError, query.QuerySearchError, ValueError) as error:
            raise fail(f"failed to list parties: {error}") from None
        shown: list[JsonObject] = [
            {
                "match_id": one["party_id"],
                "open": one["open"],
                "maxSize": one["max_size"],
                "label": one["label"],
            }
            for one in found
        ]
        return shown, following or None
