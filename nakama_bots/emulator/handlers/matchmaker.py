"""Matchmaker tickets, and the notification of matched players."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from nakama_bots.emulator.dispatch.realtime import BAD_INPUT, RUNTIME_EXCEPTION, Call, MessageRow, RealtimeFault
from nakama_bots.emulator.dispatch.rest import Endpoint, Request, session
from nakama_bots.emulator.formats import query
from nakama_bots.emulator.formats.protojson import (
    Fields,
    JsonObject,
    Parser,
    Schema,
    double,
    int32,
    mapping,
    text,
)
from nakama_bots.emulator.formats.tokens import sign
from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.hooks import run
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.matchmaker import Entry, FoundMatch, QueuedTicket, TooManyTickets

# Seconds in which the match token must be used (``server/matchmaker.go``).
_MATCH_TOKEN_EXPIRY: Final = 30
_LOG = logging.getLogger(__name__)


def counts(fields: Fields) -> tuple[int, int, int]:
    """Return the requested minimum, maximum and multiple."""
    low, high, multiple = (
        fields.integer("min_count"),
        fields.integer("max_count"),
        fields.integer("count_multiple", 1),
    )
    rules = (
        (low >= 2, "Invalid minimum count, must be >= 2"),
        (high >= low, "Invalid maximum count, must be >= minimum count"),
        (multiple >= 1, "Invalid count multiple, must be >= 1"),
        (multiple >= 1 and low % multiple == 0, "Invalid count multiple for minimum count, must divide"),
        (multiple >= 1 and high % multiple == 0, "Invalid count multiple for maximum count, must divide"),
    )
    for holds, message in rules:
        if not holds:
            raise RealtimeFault(BAD_INPUT, message)
    return low, high, multiple


def _add(call: Call) -> None:
    fields, core = call.fields, call.core
    low, high, multiple = counts(fields)
    entry = Entry(call.session, fields.text_map("string_properties"), fields.number_map("numeric_properties"))
    try:
        wanted = query.parse(fields.text("query") or "*")
        ticket = QueuedTicket(core.new_id(), (entry,), wanted, low, high, multiple, core.now())
        core.matchmaker.add(ticket)
    except (query.QuerySyntaxError, TooManyTickets):
        raise RealtimeFault(RUNTIME_EXCEPTION, "Error adding to matchmaker") from None
    call.reply("matchmaker_ticket", {"ticket": ticket.id})


def _remove(call: Call) -> None:
    ticket = call.fields.text("ticket")
    if not ticket:
        raise RealtimeFault(BAD_INPUT, "Invalid matchmaker ticket")
    if not call.core.matchmaker.remove(ticket, call.session):
        raise RealtimeFault(BAD_INPUT, "Matchmaker ticket not found")
    call.reply()


def run_interval(core: Core) -> None:
    """Run the matchmaker once, and notify all matched players."""
    for found in _chosen(core, core.matchmaker.run()):
        _tell(core, found)


def _chosen(core: Core, candidates: list[FoundMatch]) -> list[FoundMatch]:
    """Return the matches that a hook accepts; the tickets of the others continue to search."""
    override = core.hooks.matchmaker_override
    if override is None or not candidates:
        return candidates
    entries = [found.entries for found in candidates]
    wanted = run("matchmaker_override", override, RpcContext(mode="matchmaker_override"), entries)
    if wanted is None:
        return candidates
    kept = {frozenset(entry.session.id for entry in match) for match in wanted}
    chosen: list[FoundMatch] = []
    for found in candidates:
        if frozenset(entry.session.id for entry in found.entries) in kept:
            chosen.append(found)
            continue
        for ticket in found.tickets:
            core.matchmaker.add(ticket)
    return chosen


def _tell(core: Core, found: FoundMatch) -> None:
    match_id = _hooked(core, found)
    if match_id:
        place = {"match_id": match_id}
    else:
        claims: JsonObject = {"exp": core.seconds() + _MATCH_TOKEN_EXPIRY, "mid": f"{core.new_id()}."}
        place = {"token": sign(claims, core.options.encryption_key)}
    users = [entry.wire() for entry in found.entries]
    for ticket in found.tickets:
        for entry in ticket.entries:
            matched: JsonObject = {"ticket": ticket.id, **place, "users": users, "self": entry.wire()}
            core.tracker.send_to([entry.session], {"matchmaker_matched": matched})


def _hooked(core: Core, found: FoundMatch) -> str:
    """Return the match that a hook created for these players, "" without one."""
    if core.hooks.matchmaker_matched is None:
        return ""
    try:
        return core.hooks.matchmaker_matched(RpcContext(mode="matchmaker"), found.entries) or ""
    except RuntimeFunctionError as error:  # the server then sends a token
        _LOG.error("matchmaker_matched: %s", error.message)
    except Exception:  # noqa: BLE001 - a module may raise anything
        _LOG.exception("matchmaker_matched")
    return ""


def _stats(core: Core, _: Request) -> JsonObject:
    return core.matchmaker.stats()


ROUTES: Final = (Endpoint("GET", "/v2/matchmaker/stats", session, _stats),)

SEARCH: Final[Mapping[str, Parser]] = {
    "min_count": int32,
    "max_count": int32,
    "query": text,
    "count_multiple": int32,
    "string_properties": mapping(text),
    "numeric_properties": mapping(double),
}

MESSAGES: Final = (
    MessageRow("matchmaker_add", Schema(SEARCH, strict=True), _add),
    MessageRow("matchmaker_remove", Schema({"ticket": text}, strict=True), _remove),
)
