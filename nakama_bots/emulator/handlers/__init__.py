"""All handler families: the tables of routes and messages that the server dispatches by."""

from __future__ import annotations

from typing import Final

from nakama_bots.emulator.dispatch.realtime import MessageRow
from nakama_bots.emulator.dispatch.rest import Endpoint
from nakama_bots.emulator.handlers import (
    account,
    authentication,
    channel,
    events,
    friends,
    general,
    groups,
    leaderboards,
    link,
    match,
    matches,
    matchmaker,
    notifications,
    party,
    providers,
    purchases,
    rpc,
    session,
    status,
    storage,
    stream,
    tournaments,
)
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.tracker import EventRule, Mode, Presence, PresenceStream

ROUTES: Final[tuple[Endpoint, ...]] = (
    *general.ROUTES,
    *authentication.ROUTES,
    *session.ROUTES,
    *account.ROUTES,
    *link.ROUTES,
    *providers.ROUTES,
    *friends.ROUTES,
    *groups.ROUTES,
    *notifications.ROUTES,
    *storage.ROUTES,
    *leaderboards.ROUTES,
    *tournaments.ROUTES,
    *events.ROUTES,
    *purchases.ROUTES,
    *matches.ROUTES,
    *matchmaker.ROUTES,
    *party.ROUTES,
    *channel.ROUTES,
    *rpc.ROUTES,
)

MESSAGES: Final[tuple[MessageRow, ...]] = (
    *general.MESSAGES,
    *channel.MESSAGES,
    *match.MESSAGES,
    *matchmaker.MESSAGES,
    *party.MESSAGES,
    *status.MESSAGES,
    *rpc.MESSAGES,
)


def _left(core: Core, stream: PresenceStream, leaves: Presence | None) -> None:
    if leaves is not None:
        core.matches.left(stream, leaves.session, core.leave_reason(leaves.session))


def install(core: Core) -> None:
    """Register with the tracker how each family announces joins and leaves."""
    for mode in (Mode.CHANNEL, Mode.GROUP, Mode.DM):
        core.tracker.rules[mode] = EventRule(channel.presence_event)
    core.tracker.rules[Mode.MATCH_RELAYED] = EventRule(match.presence_event)
    core.tracker.rules[Mode.MATCH_AUTHORITATIVE] = EventRule(
        match.presence_event,
        after=lambda stream, _, leaves: _left(core, stream, leaves),
    )
    core.tracker.rules[Mode.PARTY] = EventRule(
        party.presence_event, before=lambda stream, joins, leaves: party.changed(core, stream, joins, leaves)
    )
    core.tracker.other = EventRule(stream.presence_event)
    core.tracker.rules[Mode.STATUS] = EventRule(
        status.presence_event, lambda stream: core.followers.get(stream.subject, {}).values()
    )
