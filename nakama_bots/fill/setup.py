"""Builds a filler from the options of the user, and checks that they go together."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from nakama_bots.errors import ConfigError
from nakama_bots.fill import strategies
from nakama_bots.fill.fleet import SCOUT, Fleet
from nakama_bots.fill.lobby import Hours, Policy
from nakama_bots.fill.options import FillOptions
from nakama_bots.fill.parties import MOST_MEMBERS, Invitation, PartyStrategy
from nakama_bots.fill.problems import Problems
from nakama_bots.fill.promise import Promise
from nakama_bots.fill.roster import Roster, SlotLease
from nakama_bots.fill.strategies import Strategy
from nakama_bots.observer import NullObserver
from nakama_bots.players.acts.matchmaking import Ticket
from nakama_bots.players.behaviours import scripts
from nakama_bots.players.identity import Identity
from nakama_bots.players.player import World
from nakama_bots.rest.client import Client
from nakama_bots.settings import guard, locales
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Target

_MARK: Final = "nakama_bots"
_SEATS: Final = 8
_SCRIPT: Final = "nakama_bots.players.behaviours.bundled:Wanderer"


def policy_of(options: FillOptions) -> Policy:
    """Return how full to keep lobbies."""
    capacity, seats = options.capacity, options.seats or _SEATS
    if capacity is not None and options.share is None and seats > capacity:
        raise ConfigError("--seats", seats, f"at most --capacity {capacity}")
    if options.share is not None and capacity is None and options.capacity_field is None:
        raise ConfigError("--share", options.share, "together with --capacity or --capacity-field")
    if options.min_count > options.max_count:
        raise ConfigError("--min-count", options.min_count, f"at most --max-count {options.max_count}")
    hours = Hours.parse(options.hours) if options.hours else Hours()
    return Policy(
        seats, options.share, options.per_lobby, options.total, options.wait, options.only_with_humans,
        options.ramp, hours,
    )  # fmt: skip


def strategy_of(options: FillOptions, log: Callable[[str], None]) -> Strategy:
    """Return where lobbies come from; ``log`` is called if they or a promise cannot be had."""
    if options.listing:
        kind = None if options.authoritative is None else options.authoritative == "yes"
        return strategies.Listing(
            options.query, kind, options.min_size, options.max_size, options.capacity, options.capacity_field
        )
    if options.matchmaker:
        return _matchmaker(options, log)
    if options.party:
        return _parties(options)
    if options.rpc:
        payload = _json("--payload", options.payload, "a JSON text") if options.payload else None
        return strategies.LobbyRpc(options.rpc, payload, options.lobbies, options.capacity, log)
    if options.match_name:
        return strategies.NamedMatchStrategy(options.match_name, options.capacity)
    return strategies.MatchStrategy(options.match_id, options.capacity)


def bots_ticket(query: str, min_count: int, max_count: int, properties: Sequence[str] = ()) -> Ticket:
    """Return a ticket for a bot of a filler, with ``properties`` as ``NAME=VALUE``.

    Such tickets are never matched with each other alone: bots carry a mark that their query excludes, so a
    match needs a human.
    """
    texts: dict[str, str] = {}
    numbers: dict[str, float] = {}
    for one in properties:
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise ConfigError("--property", one, "NAME=VALUE, such as mode=duel or rank=12")
        try:
            numbers[name] = float(value)
        except ValueError:
            texts[name] = value
    texts[_MARK] = "yes"
    return Ticket(f"{query} -properties.{_MARK}:yes".strip(), min_count, max_count, texts, numbers or None)


def _matchmaker(options: FillOptions, log: Callable[[str], None]) -> Strategy:
    ticket = bots_ticket(options.query or "", options.min_count, options.max_count, options.property)
    if options.wait_at_most is None:
        return strategies.MatchmakerStrategy(ticket)
    if options.total < options.max_count - 1:
        accepted = f"at least {options.max_count - 1} with --wait-at-most"
        raise ConfigError("--total", options.total, accepted)
    promise = Promise(options.wait_at_most, ticket, options.seats or 0, log)
    return strategies.MatchmakerStrategy(ticket, promise=promise)


def _parties(options: FillOptions) -> Strategy:
    # One seat more than is kept taken, for a human.
    size = options.capacity or (options.seats or _SEATS) + 1
    if options.create_parties:
        if size > MOST_MEMBERS:
            raise ConfigError("--capacity", size, f"at most {MOST_MEMBERS}, the members of a party")
        if options.only_with_humans:
            raise ConfigError("--create-parties", options.create_parties, "not with --only-with-humans")
    accepted = "the text of a JSON object"
    if options.party_label and not isinstance(_json("--party-label", options.party_label, accepted), dict):
        raise ConfigError("--party-label", options.party_label, accepted)
    return PartyStrategy(
        options.query, options.create_parties, options.party_label, size, options.invitable,
        Invitation(options.invitation_code, options.invitation_subject),
    )  # fmt: skip


def _json(flag: str, text: str, accepted: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError:
        raise ConfigError(flag, text, accepted) from None
    return value


def fleet_of(
    options: FillOptions, settings: Settings, target: Target, log: Callable[[str], None]
) -> tuple[Fleet, SlotLease | None]:
    """Return the fleet that ``options`` describe, and the lease of its accounts, if one is wanted.

    Raises ``ConfigError`` for options that do not go together, ``CallError`` if the lease cannot be taken.
    ``log`` is called once per kind of problem.
    """
    policy = policy_of(options)
    guard.check_users(settings, policy.total, name="--total")
    make = scripts.load(options.script or [_SCRIPT])
    mix = locales.parse(options.locales, name="--locales")
    world = World(
        target, settings.credentials, settings.timeouts, settings.network, NullObserver(), locales=mix
    )
    problems = Problems(log)
    strategy = strategy_of(options, problems.say)
    roster = Roster(Path(options.roster))
    lease = _lease(world, settings, options.lease, roster) if options.lease else None
    worker = lease.take() if lease is not None else 0
    scout = Identity(settings.id_prefix, settings.seed, worker, SCOUT)
    return Fleet(world, scout, strategy, policy, make, roster, options, problems), lease


def _lease(world: World, settings: Settings, name: str, roster: Roster) -> SlotLease:
    """Return a lease held by a separate account, which is noted in ``roster`` for the cleanup."""
    client = Client(
        world.target, world.credentials, transport=world.transport(world.network), timeouts=world.timeouts
    )
    owner = f"{settings.id_prefix}-{settings.seed}-roster".ljust(10, "-")
    roster.note(owner)
    return SlotLease(client, client.authenticate_device(owner, username=owner), name)
