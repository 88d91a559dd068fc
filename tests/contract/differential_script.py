"""The scripted session: every family, three users, in one order."""

from __future__ import annotations

from collections.abc import Callable

from . import differential_corners as corners
from . import differential_http as http
from . import differential_ids as ids
from . import differential_live as live
from . import differential_rest as rest
from . import differential_values as values
from .differential import Run
from .transcript import Step

FAMILIES: tuple[Callable[[Run], None], ...] = (
    rest.authentication, rest.general, rest.account, rest.link, rest.users, live.connecting, live.status,
    rest.friends, rest.groups, live.chat, live.direct, live.group_chat, rest.notifications, live.relayed,
    live.authoritative, live.socket_functions, live.matchmaker, live.party, rest.storage, rest.boards,
    rest.board_errors, rest.functions, rest.events, rest.purchases,
    corners.rare_rest, corners.rare_live, corners.corners,
    values.account_values, values.passwords, values.scores, values.objects, values.people,
    values.order_of_checks, http.bodies, http.paths, http.queries, http.handshakes, http.browsers,
    values.direct_to_oneself, ids.identifiers, live.closing,
    rest.sessions,
)  # fmt: skip


def play(
    url: str, server_key: str = "defaultkey", http_key: str = "defaulthttpkey"
) -> tuple[list[Step], list[str]]:
    """Return the whole session's transcript, and the unexpected pushes."""
    run = Run(url, server_key, http_key)
    try:
        for family in FAMILIES:
            run.family = family.__name__
            family(run)
    finally:
        run.close()
    return run.steps, run.unexpected
