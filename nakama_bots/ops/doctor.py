"""Checks whether a server is ready for use, and says what to do about each problem.

``examine`` runs the checks that ``doctor_checks`` defines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from time import perf_counter
from typing import Final

import gevent

from nakama_bots.clock import Deadline
from nakama_bots.errors import CallError, NotFound, RequestTimeout
from nakama_bots.players.identity import Identity
from nakama_bots.players.player import Player, World

PREFIX: Final = "nbots-doctor"
TIDY_SECONDS: Final = 10.0
"""Seconds for deleting the test accounts, on top of the time for the checks."""


class CheckStatus(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, but something about it is unusual."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not run: a check that it depends on failed, or no time was left."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check that passed; with ``advice`` it is a warning."""

    text: str
    advice: str = ""


class Ailment(Exception):
    """A check failed: what it found and how to fix it. ``unreachable`` means that nothing answers at all."""

    def __init__(self, text: str, advice: str, *, unreachable: bool = False) -> None:
        super().__init__(text)
        self.advice = advice
        self.unreachable = unreachable


@dataclass(frozen=True, slots=True)
class Check:
    """One check: the names of the checks that it ``needs``, and its time limit in ``seconds``.

    ``advice`` maps the errors that its calls raise to a remedy; the first matching type wins.
    With ``reaches``, a timeout means that the server is unreachable.
    """

    name: str
    run: Callable[[Patient], CheckResult]
    needs: tuple[str, ...] = ()
    seconds: float = 10.0
    advice: tuple[tuple[type[CallError] | tuple[type[CallError], ...], str], ...] = ()
    reaches: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    name: str
    status: CheckStatus
    found: str
    advice: str = ""
    seconds: float = 0.0
    unreachable: bool = False


class Patient:
    """The server under examination, two players, and what the checks have learned so far.

    ``seed`` makes identities that no other player uses. ``matchmaker_timeout`` is in seconds.
    """

    def __init__(self, world: World, seed: int, matchmaker_timeout: float) -> None:
        self.world = world
        self.seed = seed
        self.matchmaker_timeout = matchmaker_timeout
        self.players = [Player(world, Identity(PREFIX, seed, 0, number)) for number in (0, 1)]
        self.addresses: list[str] = []
        self.tried_accounts = False
        self.logged_in = False


def examine(
    patient: Patient, checks: Sequence[Check], seconds: float, on_check: Callable[[str], object]
) -> Iterator[Finding]:
    """Run ``checks`` within ``seconds`` in total; ``on_check`` gets the name of each check as it starts."""
    deadline = Deadline.after(perf_counter(), seconds)
    bad: set[str] = set()
    for check in checks:
        missing = next((need for need in check.needs if need in bad), None)
        left = deadline.left(perf_counter()) or 0.0
        if missing is not None:
            finding = Finding(check.name, CheckStatus.SKIPPED, f"needs {missing}")
        elif not left:
            finding = Finding(
                check.name, CheckStatus.SKIPPED, f"no time left of {seconds:g} s", "see --timeout"
            )
        else:
            on_check(check.name)
            finding = _run(check, patient, min(check.seconds, left))
        if finding.status in (CheckStatus.FAILED, CheckStatus.SKIPPED):
            bad.add(check.name)
        yield finding


def _run(check: Check, patient: Patient, limit: float) -> Finding:
    started = perf_counter()

    def ended(status: CheckStatus, text: str, advice: str = "", *, unreachable: bool = False) -> Finding:
        return Finding(check.name, status, text, advice, perf_counter() - started, unreachable)

    timeout = gevent.Timeout(limit)
    try:
        with timeout:
            found = check.run(patient)
    except Ailment as ailment:
        return ended(CheckStatus.FAILED, str(ailment), ailment.advice, unreachable=ailment.unreachable)
    except CallError as error:
        return ended(CheckStatus.FAILED, str(error), _advice(check, error))
    except gevent.Timeout as fired:
        if fired is not timeout:
            raise
        late = RequestTimeout(f"not done within {limit:.3g} s")
        return ended(CheckStatus.FAILED, str(late), _advice(check, late), unreachable=check.reaches)
    return ended(CheckStatus.WARNING if found.advice else CheckStatus.OK, found.text, found.advice)


def _advice(check: Check, error: CallError) -> str:
    fitting = (text for kind, text in check.advice if isinstance(error, kind))
    return next(fitting, "see the server's log for the time of this check")


def tidy(patient: Patient) -> Finding | None:
    """Close the players and delete their accounts; None when no account was created."""
    started = perf_counter()
    left = list(patient.players) if patient.tried_accounts else []
    number, reason = len(left), "no time left"
    limit = gevent.Timeout(TIDY_SECONDS)
    try:
        with limit:
            for player in patient.players:
                player.close()
            for player in left[:]:
                _delete(player)
                left.remove(player)
    except CallError as error:
        reason = str(error)
    except gevent.Timeout as fired:
        if fired is not limit:
            raise
    for player in patient.players:
        player.close()
    if not number:
        return None
    elapsed = perf_counter() - started
    if not left:
        return Finding("tidy", CheckStatus.OK, "deleted the test accounts", "", elapsed)
    stay = ", ".join(player.identity.device_id for player in left)
    text = f"could not delete the accounts with the device ids {stay} ({reason})"
    return Finding("tidy", CheckStatus.WARNING, text, "delete them in the Nakama console", elapsed)


def _delete(player: Player) -> None:
    """Delete the player's account, which exists even where the answer to its login was lost."""
    try:
        session = player.client.authenticate_device(player.identity.device_id, create=False)
    except NotFound:
        return
    player.client.delete_account(session)
