"""``nakama-bots fill``: keeps lobbies filled with bots that give their seats to humans."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nakama_bots.errors import CallError, ConfigError
from nakama_bots.exit_codes import ExitCode
from nakama_bots.fill.lobby import Hours, Policy
from nakama_bots.settings import guard, locales, options
from nakama_bots.settings.resolve import Settings

if TYPE_CHECKING:
    from nakama_bots.fill.fleet import Fleet
    from nakama_bots.fill.roster import Roster, SlotLease
    from nakama_bots.fill.strategies import Strategy
    from nakama_bots.fill.view import Snapshot
    from nakama_bots.players.player import World

HELP: Final = "keep lobbies filled with bots, which give their seats to humans"
SETTINGS: Final = (
    "server_key", "id_prefix", "seed", "connect_timeout", "request_timeout", "tls_ca", "tls_insecure",
    "allowed_hosts", "confirm_target", "max_users",
)  # fmt: skip


_MOST_PROBLEMS: Final = 6
_TABLE_FRAME: Final = 7
"""Lines of the dashboard that are neither lobbies nor problems."""


def _number(kind: Callable[[str], Any], low: float, high: float) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            number = kind(text)
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            what = "whole number" if kind is int else "number"
            msg = f"{text!r} cannot be used; accepted: a {what} from {low:g} to {high:g}"
            raise argparse.ArgumentTypeError(msg)
        return number

    return parse


_COUNT = _number(int, 1, 100_000)
_SIZE = _number(int, 0, 100_000)
_SECONDS = _number(float, 0, 86_400)
_SHARE = _number(float, 0.01, 1.0)
_RATE = _number(float, 0.01, 10_000)
_PORT = _number(int, 0, 65_535)

# One row an option: flag, how its text is read, its default, what it is.
_OPTIONS: Final[tuple[tuple[str, Callable[[str], Any] | None, Any, str], ...]] = (
    ("--query", None, None, "listing, party: label query; matchmaker: query of the tickets"),
    ("--min-size", _SIZE, None, "listing: only matches of at least so many"),
    ("--max-size", _SIZE, None, "listing: only matches of at most so many"),
    ("--capacity", _COUNT, None, "seats that a lobby has"),
    ("--capacity-field", None, None, "listing: the field of a JSON label that has the capacity"),
    ("--lobbies", _COUNT, 1, "rpc: how many different matches to ask for"),
    ("--payload", None, None, "rpc: JSON payload"),
    ("--min-count", _COUNT, 2, "matchmaker: least players of a match"),
    ("--max-count", _COUNT, 4, "matchmaker: most players of a match"),
    (
        "--wait-at-most",
        _number(float, 0.1, 86_400),
        None,
        "matchmaker: seconds in which a lone human is matched",
    ),
    ("--create-parties", _SIZE, 0, "party: how many to found and keep"),
    ("--party-label", None, "", "party: JSON label of those"),
    ("--invitable", _SIZE, 0, "party: bots that wait for an invitation, a notification with a party_id"),
    ("--invitation-code", _number(int, -(2**31), 2**31 - 1), None, "party: only notifications of that code"),
    ("--invitation-subject", None, None, "party: only notifications of that subject"),
    ("--seats", _COUNT, None, "taken seats to keep each lobby at; matchmaker: tickets that wait (8)"),
    ("--share", _SHARE, None, "keep lobbies at this share of their capacity instead"),
    ("--per-lobby", _COUNT, None, "most bots in one lobby"),
    ("--total", _COUNT, 100, "most bots in all"),
    ("--wait", _SECONDS, 0.0, "seconds that a lobby waits for humans before bots come"),
    ("--ramp", _RATE, 50.0, "joins a second"),
    ("--hours", None, None, "opening hours by the local clock, as 18:00-23:30"),
    ("--every", _number(float, 0.1, 3600), 0.5, "seconds between two looks for lobbies"),
    ("--stall", _number(float, 0.1, 3600), 5.0, "seconds after which a hook has stalled"),
    ("--drain", _number(float, 0.5, 3600), 10.0, "seconds to leave and close in after SIGTERM"),
    (
        "--roster",
        None,
        "nakama-bots.roster",
        "file that fillers of one machine share, so that no bot is used twice",
    ),
    ("--lease", None, None, "this filler's own name, where fillers of several machines share an id prefix"),
    ("--locales", None, locales.DEFAULT_TEXT, "locales of the personas"),
    ("--metrics-port", _PORT, None, "port on 127.0.0.1 of a Prometheus endpoint, 0 for a free one"),
    ("--seconds", _SECONDS, None, "end by itself after so many"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this subcommand."""
    parser.add_argument("host", metavar="URL", help="the server, as http://127.0.0.1:7350")
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument("--listing", action="store_true", help="fill the matches that the server lists")
    ways.add_argument("--matchmaker", action="store_true", help="keep tickets in the matchmaker")
    ways.add_argument("--match-id", action="append", metavar="ID", help="fill this match; may be repeated")
    ways.add_argument(
        "--match-name", action="append", metavar="NAME", help="fill this relayed match; may be repeated"
    )
    ways.add_argument("--party", action="store_true", help="fill open parties")
    ways.add_argument("--rpc", metavar="NAME", help="fill the match that this function gives")
    parser.add_argument("--authoritative", choices=("yes", "no"), help="listing: only matches of that kind")
    parser.add_argument(
        "--property",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="matchmaker: a property of the tickets",
    )
    parser.add_argument("--only-with-humans", action="store_true", help="leave lobbies without a human alone")
    parser.add_argument(
        "--script", action="append", metavar="FILE.py:NAME",
        help="what the bots do (default: wanderer); repeated: all of it",
    )  # fmt: skip
    parser.add_argument(
        "--bot-prefix", action="append", default=[], metavar="PREFIX", help="user names of other bots begin so"
    )
    parser.add_argument("--json-lines", action="store_true", help="a JSON object a second on stdout")
    for flag, parse, default, text in _OPTIONS:
        keep = {"default": default} if default is not None else {"default": argparse.SUPPRESS}
        parser.add_argument(flag, type=parse or str, metavar=flag.rsplit("-", 1)[-1].upper(), help=text, **keep)
    options.add_arguments(parser, SETTINGS, unset=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Fill until SIGTERM, SIGINT or ``--seconds``; 0 when every bot has left, 1 where it could not work."""
    for flag, _, default, _ in _OPTIONS:
        name = flag.removeprefix("--").replace("-", "_")
        setattr(arguments, name, getattr(arguments, name, default))
    arguments.least, arguments.seats = arguments.seats or 0, arguments.seats or 8
    settings = options.resolve(arguments, SETTINGS, host="URL")
    policy = _policy(arguments)
    assert settings.target is not None
    guard.check_target(settings, settings.target, name="URL")
    guard.check_users(settings, policy.total, name="--total")
    # Late: gevent and the client are wanted by this subcommand only.
    from nakama_bots.fill import fleet, problems, roster  # noqa: PLC0415
    from nakama_bots.observer import NullObserver  # noqa: PLC0415
    from nakama_bots.players import behaviour, player  # noqa: PLC0415

    make = behaviour.load(arguments.script or ["nakama_bots.players.behaviours:Wanderer"])
    mix = locales.parse(arguments.locales, name="--locales")
    world = player.World(
        settings.target, settings.credentials, settings.timeouts, settings.tls, NullObserver(), locales=mix
    )
    told = problems.Problems(lambda text: print(f"nakama-bots fill: {text}", file=sys.stderr, flush=True))
    strategy = _strategy(arguments, told.say)
    shared = roster.Roster(Path(arguments.roster))
    lease = None
    worker = 0
    if arguments.lease is not None:
        try:
            lease = _lease(world, settings, arguments.lease, shared)
            worker = lease.take()
        except CallError as error:
            print(f"nakama-bots fill: cannot take a lease: {error}", file=sys.stderr)
            return ExitCode.UNREACHABLE
    chosen = fleet.Options(
        settings.id_prefix, settings.seed, worker, arguments.every, arguments.stall, tuple(arguments.bot_prefix)
    )
    made = fleet.Fleet(world, strategy, policy, make, shared, chosen, told)
    return _serve(made, arguments, lease)


def _serve(fleet: Fleet, arguments: argparse.Namespace, lease: SlotLease | None) -> int:
    import gevent  # noqa: PLC0415

    from nakama_bots.cli.interrupts import told  # noqa: PLC0415
    from nakama_bots.fill.view import Snapshot  # noqa: PLC0415

    with ExitStack() as stack:
        stack.enter_context(told(lambda _: fleet.stop()))
        if arguments.metrics_port is not None:
            stack.callback(_metrics(fleet, arguments.metrics_port).stop)
        show = gevent.spawn(_show, fleet, arguments.json_lines)
        stack.callback(show.kill)
        if arguments.seconds is not None:
            gevent.spawn_later(arguments.seconds, fleet.stop)
        if lease is not None:
            gevent.spawn(_renew, fleet, lease)
        fleet.run()
        clean = fleet.drain(arguments.drain)
    if lease is not None and not fleet.gave_up:
        try:
            lease.release()
        except CallError as error:
            fleet.problems.note("release the lease", error)
    problems = Snapshot.of(fleet).problems
    for text, number in problems.items():
        print(f"nakama-bots fill: {number} x {text}", file=sys.stderr)
    if not clean:
        print(f"nakama-bots fill: some bots had to be cut off after {arguments.drain:g} s", file=sys.stderr)
    if fleet.refused is not None:
        raise fleet.refused
    return ExitCode.FAILURES if fleet.gave_up else ExitCode.PASSED


def _policy(arguments: argparse.Namespace) -> Policy:
    capacity = arguments.capacity
    if capacity is not None and arguments.share is None and arguments.seats > capacity:
        raise ConfigError("--seats", arguments.seats, f"at most --capacity {capacity}")
    if arguments.share is not None and capacity is None and arguments.capacity_field is None:
        raise ConfigError("--share", arguments.share, "together with --capacity or --capacity-field")
    if arguments.min_count > arguments.max_count:
        raise ConfigError("--min-count", arguments.min_count, f"at most --max-count {arguments.max_count}")
    hours = Hours.parse(arguments.hours) if arguments.hours else Hours()
    return Policy(
        arguments.seats, arguments.share, arguments.per_lobby, arguments.total, arguments.wait,
        arguments.only_with_humans, arguments.ramp, hours,
    )  # fmt: skip


def _strategy(arguments: argparse.Namespace, tell: Callable[[str], None]) -> Strategy:
    from nakama_bots.fill import strategies  # noqa: PLC0415

    if arguments.listing:
        kind = {"yes": True, "no": False}.get(arguments.authoritative)
        return strategies.Listing(
            arguments.query, kind, arguments.min_size, arguments.max_size, arguments.capacity,
            arguments.capacity_field,
        )  # fmt: skip
    if arguments.matchmaker:
        return _matchmaker(arguments, tell)
    if arguments.party:
        return _parties(arguments)
    if arguments.rpc:
        try:
            payload = json.loads(arguments.payload) if arguments.payload else None
        except ValueError:
            raise ConfigError("--payload", arguments.payload, "a JSON text") from None
        return strategies.LobbyRpc(arguments.rpc, payload, arguments.lobbies, arguments.capacity)
    if arguments.match_name:
        return strategies.Names(arguments.match_name, arguments.capacity)
    return strategies.Matches(arguments.match_id, arguments.capacity)


def _parties(arguments: argparse.Namespace) -> Strategy:
    from nakama_bots.fill.parties import MOST_MEMBERS, Invitation, Parties  # noqa: PLC0415

    # A seat more than is kept: for the human who comes.
    size = arguments.capacity or arguments.seats + 1
    if arguments.create_parties:
        if size > MOST_MEMBERS:
            raise ConfigError("--capacity", size, f"at most {MOST_MEMBERS}, the members of a party")
        if arguments.only_with_humans:
            raise ConfigError("--create-parties", arguments.create_parties, "not with --only-with-humans")
    try:
        labelled = not arguments.party_label or isinstance(json.loads(arguments.party_label), dict)
    except ValueError:
        labelled = False
    if not labelled:
        raise ConfigError("--party-label", arguments.party_label, "the text of a JSON object")
    return Parties(
        arguments.query, arguments.create_parties, arguments.party_label, size, arguments.invitable,
        Invitation(arguments.invitation_code, arguments.invitation_subject),
    )  # fmt: skip


def _matchmaker(arguments: argparse.Namespace, tell: Callable[[str], None]) -> Strategy:
    from nakama_bots.fill.promise import Promise  # noqa: PLC0415
    from nakama_bots.fill.strategies import Matchmaker  # noqa: PLC0415
    from nakama_bots.players.acts.matchmaking import Ticket  # noqa: PLC0415

    texts: dict[str, str] = {}
    numbers: dict[str, float] = {}
    for one in arguments.property:
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise ConfigError("--property", one, "NAME=VALUE, as mode=duel or rank=12")
        try:
            numbers[name] = float(value)
        except ValueError:
            texts[name] = value
    # Bots carry a mark that their own query excludes: a match needs a human.
    query = f"{arguments.query or ''} -properties.nakama_bots:yes".strip()
    texts["nakama_bots"] = "yes"
    ticket = Ticket(query, arguments.min_count, arguments.max_count, texts, numbers or None)
    if arguments.wait_at_most is None:
        return Matchmaker(ticket)
    if arguments.total < arguments.max_count - 1:
        raise ConfigError("--total", arguments.total, f"at least {arguments.max_count - 1} with --wait-at-most")
    return Matchmaker(ticket, promise=Promise(arguments.wait_at_most, ticket, arguments.least, tell))


def _lease(world: World, settings: Settings, name: str, shared: Roster) -> SlotLease:
    from nakama_bots.fill.roster import SlotLease  # noqa: PLC0415
    from nakama_bots.rest.client import Client  # noqa: PLC0415

    client = Client(
        world.target, world.credentials, transport=world.transport(world.tls), timeouts=world.timeouts
    )
    owner = f"{settings.id_prefix}-{settings.seed}-roster".ljust(10, "-")
    shared.note(owner)
    return SlotLease(client, client.authenticate_device(owner, username=owner), name)


def _renew(fleet: Fleet, lease: SlotLease) -> None:
    import gevent  # noqa: PLC0415

    renewed = time.monotonic()
    while True:
        gevent.sleep(lease.seconds / 3)
        try:
            kept = lease.renew()
            renewed = time.monotonic() if kept else renewed
        except CallError as error:
            fleet.problems.note("renew the lease", error)
            kept = time.monotonic() - renewed < lease.seconds * 0.8
        if not kept:
            fleet.problems.say("the lease was lost: another filler may use these bots now; ending")
            fleet.gave_up = True
            fleet.stop()
            return


def _metrics(fleet: Fleet, port: int) -> Any:
    from gevent.pywsgi import WSGIServer  # noqa: PLC0415

    from nakama_bots.fill.view import Snapshot  # noqa: PLC0415

    def answer(_: Any, start: Callable[[str, list[tuple[str, str]]], object]) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain; version=0.0.4")])
        return [Snapshot.of(fleet).metrics().encode()]

    server = WSGIServer(("127.0.0.1", port), answer, log=None)
    try:
        server.start()
    except OSError as error:
        raise ConfigError("--metrics-port", port, f"a free port ({error.strerror})") from None
    print(
        f"nakama-bots fill: metrics on http://127.0.0.1:{server.server_port}/metrics",
        file=sys.stderr,
        flush=True,
    )
    return server


def _show(fleet: Fleet, json_lines: bool) -> None:
    import gevent  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    from nakama_bots.fill.view import Snapshot  # noqa: PLC0415

    if json_lines:
        while True:
            try:
                print(json.dumps(Snapshot.of(fleet).line(time.time())), flush=True)
            except BrokenPipeError:
                # Whoever reads has seen enough; the exit would try to flush once more.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                fleet.stop()
                return
            gevent.sleep(1.0)
    console = Console()
    if not console.is_terminal:
        return
    # No thread of its own: it would draw while the hub changes what is drawn.
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(_table(Snapshot.of(fleet), console.height), refresh=True)
            gevent.sleep(1.0)


def _table(snapshot: Snapshot, height: int) -> Any:
    """Totals first: what a low terminal cuts off are the last lobbies."""
    from rich.console import Group  # noqa: PLC0415
    from rich.table import Column, Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from nakama_bots.fill.view import promise_text  # noqa: PLC0415

    numbers = [Column(name, justify="right") for name in ("human", "bot", "other bot", "free")]
    table = Table(Column("lobby", no_wrap=True, overflow="ellipsis"), *numbers)
    problems = list(snapshot.problems.items())[-_MOST_PROBLEMS:]
    promise = [] if snapshot.promise is None else [Text(promise_text(snapshot.promise), no_wrap=True)]
    room = max(1, height - len(problems) - len(promise) - _TABLE_FRAME)
    for one in snapshot.lobbies[:room]:
        free = "?" if one.free is None else str(one.free)
        humans = "?" if one.guessed else str(one.humans)
        table.add_row(Text(one.lobby_id), humans, str(len(one.bots)), str(one.others), free)
    states = ", ".join(f"{number} {state}" for state, number in sorted(snapshot.states.items()))
    seats = ", ".join(f"{number} {by}" for by, number in snapshot.seats.items())
    head = Text(f"{len(snapshot.lobbies)} lobbies; seats: {seats}; bots: {states or 'none'}", no_wrap=True)
    more = len(snapshot.lobbies) - room
    errors = [Text(f"{number} x {text}", "yellow", no_wrap=True) for text, number in problems]
    rest = [Text(f"and {more} more")] if more > 0 else []
    return Group(head, table, *rest, *promise, *errors)
