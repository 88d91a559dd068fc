"""``nakama-bots fill``: keep lobbies filled with bots, which make room for humans."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import fields
from typing import Any, Final

from nakama_bots.cli.inputs import add_rows
from nakama_bots.cli.interrupts import notified
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import CallError, ConfigError
from nakama_bots.exit_codes import ExitCode
from nakama_bots.fill.options import FillOptions
from nakama_bots.fill.serve import say, serve
from nakama_bots.fill.setup import fleet_of, policy_of
from nakama_bots.settings import guard, options
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import URL_FORM, Target
from nakama_bots.settings.values import TEXT, Kind, duration, number, whole

SETTINGS: Final = (
    "server_key", "id_prefix", "seed", "connect_timeout", "request_timeout", "tls_ca",
    "tls_insecure", "allowed_hosts", "confirm_target", "max_users", "emulator_module",
    "emulator_matchmaker_interval",
)  # fmt: skip

_COUNT: Final = whole(1, 100_000)
_SIZE: Final = whole(0, 100_000)
_SPAN: Final = duration(high=86_400)
_SHORT: Final = duration(low=0.1, high=3600)

# One row per option with a value: the field of FillOptions, how its text is parsed, its help.
_OPTIONS: Final[tuple[tuple[str, Kind, str], ...]] = (
    ("query", TEXT, "listing, party: label query; matchmaker: query of the tickets"),
    ("min_size", _SIZE, "listing: only matches of at least this size"),
    ("max_size", _SIZE, "listing: only matches of at most this size"),
    ("capacity", _COUNT, "seats per lobby"),
    ("capacity_field", TEXT, "listing: field of a JSON label that holds the capacity"),
    ("lobbies", _COUNT, "rpc: how many different matches to ask for"),
    ("payload", TEXT, "rpc: JSON payload"),
    ("min_count", _COUNT, "matchmaker: fewest players in a match"),
    ("max_count", _COUNT, "matchmaker: most players in a match"),
    (
        "wait_at_most",
        duration(low=0.1, high=86_400),
        "matchmaker: most seconds that a single human waits for a match",
    ),
    ("create_parties", _SIZE, "party: number of parties to create and keep"),
    ("party_label", Kind(str, "a JSON text"), "party: JSON label of the created parties"),
    ("invitable", _SIZE, "party: bots that wait for an invitation, a notification with a party_id"),
    ("invitation_code", whole(-(2**31), 2**31 - 1), "party: only notifications with this code"),
    ("invitation_subject", TEXT, "party: only notifications with this subject"),
    ("seats", _COUNT, "taken seats to keep in each lobby; matchmaker: waiting tickets to keep (8)"),
    ("share", number(low=0.01, high=1), "share of a lobby's capacity to keep taken, in place of --seats"),
    ("per_lobby", _COUNT, "most bots in one lobby"),
    ("total", _COUNT, "most bots in all"),
    ("wait", _SPAN, "seconds that a lobby waits for humans before bots join"),
    ("ramp", number(low=0.01, high=10_000), "joins a second"),
    ("hours", TEXT, "opening hours in local time, such as 18:00-23:30"),
    ("every", _SHORT, "seconds between two searches for lobbies"),
    ("stall", _SHORT, "seconds after which a hook counts as stalled"),
    ("drain", duration(low=0.5, high=3600), "seconds to leave and close after SIGTERM"),
    ("roster", TEXT, "file that fillers on one machine share, so that no bot is used twice"),
    ("lease", TEXT, "name of this filler, where fillers on several machines share an id prefix"),
    ("locales", TEXT, "locales of the personas"),
    ("metrics_port", whole(0, 65_535), "port on 127.0.0.1 of a Prometheus endpoint, 0 for a free one"),
    ("seconds", _SPAN, "seconds after which to stop"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand, with the defaults of ``FillOptions``."""
    server = parser.add_mutually_exclusive_group()
    server.add_argument(
        "host",
        metavar="URL",
        nargs="?",
        default=argparse.SUPPRESS,
        help="the server, for example http://127.0.0.1:7350",
    )
    server.add_argument(
        "--emulator", action="store_true", help="start an emulator of Nakama and fill it, to try bots out"
    )
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument("--listing", action="store_true", help="fill the matches that the server lists")
    ways.add_argument("--matchmaker", action="store_true", help="keep tickets in the matchmaker")
    ways.add_argument("--match-id", action="append", metavar="ID", help="fill this match; may be repeated")
    ways.add_argument(
        "--match-name", action="append", metavar="NAME", help="fill this relayed match; may be repeated"
    )
    ways.add_argument("--party", action="store_true", help="fill open parties")
    ways.add_argument("--rpc", metavar="NAME", help="fill the match that this function returns")
    parser.add_argument(
        "--authoritative", choices=("yes", "no"), help="listing: only authoritative, or only relayed matches"
    )
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
        help="behaviour of the bots (default: wanderer); may be repeated to combine several",
    )  # fmt: skip
    parser.add_argument(
        "--bot-prefix",
        action="append",
        default=[],
        metavar="PREFIX",
        help="prefix of the user names of other bots; may be repeated",
    )
    parser.add_argument("--json-lines", action="store_true", help="print one JSON object per second on stdout")
    add_rows(parser, _OPTIONS, FillOptions())
    options.add_arguments(parser, SETTINGS, unset=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Fill until SIGTERM, SIGINT or ``--seconds``. Return 0 if every bot has left, 1 if it could not work."""
    given: dict[str, Any] = {
        field.name: getattr(arguments, field.name)
        for field in fields(FillOptions)
        if getattr(arguments, field.name, None) is not None
    }
    wanted = FillOptions(**given)
    settings = options.resolve(arguments, SETTINGS, host="URL")
    with ExitStack() as stack:
        if arguments.emulator:
            target = _emulator(settings, stack)
            say(f"an EMULATOR was started at {target.http_url}: it is not a real Nakama server")
        elif settings.target is None:
            raise ConfigError("URL", "", f"{URL_FORM}; or --emulator")
        else:
            target = settings.target
        guard.check_target(settings, target, name="URL")
        try:
            fleet, lease = fleet_of(wanted, settings, target, say)
        except CallError as error:
            say(f"cannot take a lease: {error}")
            return ExitCode.UNREACHABLE
        goal = f"filling at {target.http_url}: {_goal(wanted)}; accounts {settings.id_prefix}-{settings.seed}-*"
        with notified(lambda _: fleet.stop()):
            return serve(fleet, wanted, lease, goal)


def _goal(wanted: FillOptions) -> str:
    policy = policy_of(wanted)
    seats = f"{policy.share:.0%} of the capacity" if policy.share is not None else f"{policy.seats} seats"
    return f"{seats} taken in each lobby, at most {policy.total} bots, roster {wanted.roster}"


def _emulator(settings: Settings, stack: ExitStack) -> Target:
    started = EmulatorProcess.start(
        matchmaker_interval=settings.emulator_matchmaker_interval,
        server_key=settings.credentials.server_key,
        http_key=settings.credentials.http_key,
        modules=settings.emulator_module,
    )
    return Target.parse(stack.enter_context(started).url)
