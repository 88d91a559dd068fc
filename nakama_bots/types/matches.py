"""Listings of running matches, of open parties, and the matchmaker's state."""

from __future__ import annotations

from typing import TypedDict

from nakama_bots.types.common import Timestamp


class ApiMatch(TypedDict, total=False):
    """A running match. Only an authoritative one has ``label``, ``tick_rate`` (a second), ``handler_name``."""

    match_id: str
    authoritative: bool
    label: str
    size: int
    tick_rate: int
    handler_name: str


class MatchList(TypedDict, total=False):
    """No ``matches`` key: none fits. The listing lags up to a second behind the matches."""

    matches: list[ApiMatch]


class ApiParty(TypedDict, total=False):
    """A running party as the listing gives it; hidden ones are not listed."""

    party_id: str
    open: bool
    hidden: bool
    max_size: int
    label: str


class PartyList(TypedDict, total=False):
    """A page of parties; the listing lags up to a second behind them."""

    parties: list[ApiParty]
    cursor: str


class MatchmakerCompletionStats(TypedDict, total=False):
    """When a ticket that was matched came and went."""

    create_time: Timestamp
    complete_time: Timestamp


class MatchmakerStats(TypedDict, total=False):
    """Tickets that wait now, and the latest that were matched."""

    ticket_count: int
    oldest_ticket_create_time: Timestamp
    completions: list[MatchmakerCompletionStats]
