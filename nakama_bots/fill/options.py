"""The options of ``nakama-bots fill``. Imports no gevent: the command line is parsed with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nakama_bots.settings import locales


@dataclass(frozen=True, slots=True)
class FillOptions:
    """The options of ``nakama-bots fill`` with their defaults; times in seconds.

    Exactly one of ``listing``, ``matchmaker``, ``match_id``, ``match_name``, ``party`` and ``rpc`` is set.
    """

    listing: bool = False
    matchmaker: bool = False
    match_id: Sequence[str] = ()
    match_name: Sequence[str] = ()
    party: bool = False
    rpc: str = ""
    query: str | None = None
    authoritative: str | None = None
    min_size: int | None = None
    max_size: int | None = None
    capacity: int | None = None
    capacity_field: str | None = None
    lobbies: int = 1
    payload: str = ""
    min_count: int = 2
    max_count: int = 4
    property: Sequence[str] = ()
    wait_at_most: float | None = None
    create_parties: int = 0
    party_label: str = ""
    invitable: int = 0
    invitation_code: int | None = None
    invitation_subject: str | None = None
    seats: int | None = None
    share: float | None = None
    per_lobby: int | None = None
    total: int = 100
    wait: float = 0.0
    only_with_humans: bool = False
    ramp: float = 50.0
    hours: str = ""
    every: float = 0.5
    stall: float = 5.0
    drain: float = 10.0
    roster: str = "nakama-bots.roster"
    lease: str = ""
    locales: str = locales.DEFAULT_TEXT
    script: Sequence[str] = ()
    bot_prefix: Sequence[str] = ()
    metrics_port: int | None = None
    seconds: float | None = None
    json_lines: bool = False
