"""Plays a scenario once and compares its calls with the recorded ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Final

import gevent

from nakama_bots.errors import CallError, ConfigError
from nakama_bots.observer import MATCH_SENT, FinishedCall, NullObserver
from nakama_bots.players.behaviours import scripts
from nakama_bots.players.identity import Identity
from nakama_bots.players.inbox import REFUSED
from nakama_bots.players.player import Player, World
from nakama_bots.players.replay import Replay
from nakama_bots.record.routes import LOGIN
from nakama_bots.settings.resolve import Settings

TIMEOUT: Final = 600.0
"""Seconds that one round may take."""
_ACCEPTED: Final = "a scenario that nakama-bots record wrote"
# What the framework adds to a session.
_OWN: Final = (("WS", "connect"), ("WS", "ping"))
_DELETION: Final = ("DELETE", "/v2/account")
_SUFFIX: Final = f" ({REFUSED})"

Row = tuple[str, str, str]
"""Kind, name and outcome of a call."""


class _OutcomesHeard(NullObserver):
    """The calls of one player, in their order."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.sent = 0
        """Messages of matches."""

    def count(self, name: str, number: int = 1) -> None:
        if name == MATCH_SENT:
            self.sent += number

    def call(self, call: FinishedCall) -> None:
        name, outcome = call.name, "ok" if call.error is None else type(call.error).__name__
        if name.endswith(_SUFFIX):
            name, outcome = name.removesuffix(_SUFFIX), REFUSED
        self.rows.append((call.kind, name, outcome))


def verify(path: Path, settings: Settings, show: Callable[[str], object]) -> bool:
    """Play once against ``settings.target``; ``show`` gets a line for each call. True if all was the same."""
    kind = _user_class(path)
    data = Replay.beside(str(path))
    recorded = data.calls
    played, failures = _played(kind, settings, data.players)
    same = total = new = 0
    for name, rows in recorded.items():
        wanted = _compared(rows)
        best = max(played, key=lambda found: _likeness(wanted, found.rows))
        played.remove(best)
        show(f"{name}:")
        for mark, row in compare(wanted, _without_deletion(best.rows, wanted)):
            total += mark != "+"
            new += mark == "+"
            same += mark == " "
            show(f"  {_MARKS[mark]:<9} {row[0]} {row[1]}: {row[2]}")
        if data.sent.get(name, best.sent):
            show(f"  sent      match_data_send: {best.sent} of {data.sent.get(name, 0)}")
    for failure in failures:
        show(f"ended early: {failure}")
    more = f", and {new} new ones were made" if new else ""
    show(f"{same} of {total} recorded calls had the same outcome{more}")
    return same == total and not new and not failures


_MARKS: Final = {" ": "same", "-": "missing", "+": "new", "!": "differs"}


def compare(recorded: Sequence[Row], played: Sequence[Row]) -> list[tuple[str, Row]]:
    """Call by call: " " the same, "!" another outcome than recorded, "-" not played, "+" not recorded."""
    rows: list[tuple[str, Row]] = []
    matcher = SequenceMatcher(None, [row[:2] for row in recorded], [row[:2] for row in played], autojunk=False)
    for what, start, end, other, other_end in matcher.get_opcodes():
        if what == "equal":
            for one, two in zip(recorded[start:end], played[other:other_end], strict=True):
                same = (one[2] == "ok") == (two[2] == "ok") or (one[2] != "ok" and two[2] == REFUSED)
                rows.append((" " if same else "!", one if same else (*one[:2], f"{one[2]} -> {two[2]}")))
            continue
        rows += [("-", row) for row in recorded[start:end]]
        rows += [("+", row) for row in played[other:other_end]]
    return rows


def _compared(rows: Sequence[Sequence[str]]) -> list[Row]:
    return [(kind, name, outcome) for kind, name, outcome in rows if not name.startswith(LOGIN)]


def _likeness(wanted: list[Row], found: list[Row]) -> float:
    return SequenceMatcher(
        None, [row[:2] for row in wanted], [row[:2] for row in found], autojunk=False
    ).ratio()


def _user_class(path: Path) -> Any:
    if not path.is_file():
        raise ConfigError("--output", str(path), f"{_ACCEPTED} (there is no such file)")
    try:
        module = scripts.module_of(str(path))
    except (Exception, SystemExit) as error:  # an import runs a user's code
        raise ConfigError("--output", str(path), f"{_ACCEPTED} ({error})") from error
    found = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and one.__module__ == module.__name__ and getattr(one, "tasks", None)
    ]
    if len(found) != 1:
        raise ConfigError("--output", str(path), f"{_ACCEPTED}: it has {len(found)} user classes")
    return found[0]


def _played(kind: Any, settings: Settings, number: int) -> tuple[list[_OutcomesHeard], list[str]]:
    """One round of every role, each played by a separate player."""
    assert settings.target is not None
    world = World(settings.target, settings.credentials, settings.timeouts, settings.network, NullObserver())
    seed = random.getrandbits(32)
    failures: list[str] = []
    heard = [_OutcomesHeard() for _ in range(number)]
    users = []
    for index, one in enumerate(heard):
        # Locust's part of the class is not needed for one round, and would want a whole run around it.
        user = object.__new__(kind)
        identity = Identity(settings.id_prefix, seed, 0, index)
        user.player = Player(replace(world, observer=one), identity, kind.__name__)
        user.settings = settings
        users.append(user)

    def play(user: Any) -> None:
        try:
            if kind.needs_socket:
                user.player.connect(create_status=kind.appear_online)
            else:
                user.player.log_in()
            kind.tasks[0](user)
        except CallError as error:
            failures.append(error.label)
        except (LookupError, TypeError, ValueError) as error:
            failures.append(f"{type(error).__name__}: {error}")
        finally:
            user.player.close()

    jobs = [gevent.spawn(play, user) for user in users]
    try:
        gevent.joinall(jobs, timeout=TIMEOUT)
        if any(not job.dead for job in jobs):
            failures.append(f"a role did not end within {TIMEOUT:g} s")
    finally:
        gevent.killall(jobs)  # each deletes the accounts that it has created
    for one in heard:
        one.rows = _without_setup(one.rows)
    return heard, failures


def _without_deletion(rows: list[Row], wanted: list[Row]) -> list[Row]:
    """The calls without those at the end that delete accounts that were created for the round."""
    surplus = sum(row[:2] == _DELETION for row in rows) - sum(row[:2] == _DELETION for row in wanted)
    while surplus > 0 and rows[-1][:2] == _DELETION:
        rows, surplus = rows[:-1], surplus - 1
    return rows


def _without_setup(rows: list[Row]) -> list[Row]:
    """The calls after those that the framework makes itself: login, profile and connect."""
    rows = [row for row in rows if not row[1].startswith(LOGIN) and row[:2] not in _OWN and row[0] != "PUSH"]
    return rows[1:] if rows[:1] and rows[0][:2] == ("PUT", "/v2/account") else rows
