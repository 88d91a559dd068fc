"""Whether a server is fit to be used: checks in order, each with what it found and what to do about it.

``examine`` runs them; ``doctor_checks`` has them.
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
"""For deleting the accounts that were made, beyond the time for the checks."""


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, and something about it will surprise."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not tried: what it needs has failed, or there was no time left."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found where nothing is broken; with an ``advice`` it is a warning."""

    text: str
    advice: str = ""


class Ailment(Exception):
    """A check has failed: what was found, and what to do. ``unreachable``: nothing answers at all."""

    def __init__(self, text: str, advice: str, *, unreachable: bool = False) -> None:
        super().__init__(text)
        self.advice = advice
        self.unreachable = unreachable


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at: the checks that it ``needs`` and the most ``seconds`` that it may take.

    ``advice`` is the table for the failures that its calls raise: the first kind that fits has what to do.
    ``reaches``: a server that keeps this one waiting is not there at all.
    """

    name: str
    run: Callable[[Patient], Found]
    needs: tuple[str, ...] = ()
    seconds: float = 10.0
    advice: tuple[tuple[type[CallError], str], ...] = ()
    reaches: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that is done."""

    name: str
    status: Status
    found: str
    advice: str = ""
    seconds: float = 0.0
    unreachable: bool = False


class Patient:
    """The server, the two players that the checks have, and what they have got from it so far.

    ``seed`` is for identities that nobody has. ``matchmaker_timeout`` in seconds.
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
    patient: Patient, checks: Sequence[Check], seconds: float, tell: Callable[[str], object]
) -> Iterator[Finding]:
    """Run ``checks`` within ``seconds`` all together; ``tell`` hears the name of each as it begins."""
    deadline = Deadline.after(perf_counter(), seconds)
    bad: set[str] = set()
    for check in checks:
        missing = next((need for need in check.needs if need in bad), None)
        left = deadline.left(perf_counter()) or 0.0
        if missing is not None:
            finding = Finding(check.name, Status.SKIPPED, f"needs {missing}")
        elif not left:
            finding = Finding(check.name, Status.SKIPPED, f"no time left of {seconds:g} s", "see --timeout")
        else:
            tell(check.name)
            finding = _run(check, patient, min(check.seconds, left))
        if finding.status in (Status.FAILED, Status.SKIPPED):
            bad.add(check.name)
        yield finding


def _run(check: Check, patient: Patient, limit: float) -> Finding:
    started = perf_counter()

    def ended(status: Status, text: str, advice: str = "", *, unreachable: bool = False) -> Finding:
        return Finding(check.name, status, text, advice, perf_counter() - started, unreachable)

    timeout = gevent.Timeout(limit)
    try:
        with timeout:
            found = check.run(patient)
    except Ailment as ailment:
        return ended(Status.FAILED, str(ailment), ailment.advice, unreachable=ailment.unreachable)
    except CallError as error:
        return ended(Status.FAILED, str(error), _advice(check, error))
    except gevent.Timeout as fired:
        if fired is not timeout:
            raise
        late = RequestTimeout(f"not done within {limit:.3g} s")
        return ended(Status.FAILED, str(late), _advice(check, late), unreachable=check.reaches)
    return ended(Status.WARNING if found.advice else Status.OK, found.text, found.advice)


def _advice(check: Check, error: CallError) -> str:
    fitting = (text for kind, text in check.advice if isinstance(error, kind))
    return next(fitting, "see the server's log at this time")


def tidy(patient: Patient) -> Finding | None:
    """Close the players and delete the accounts that were made; None when there are none."""
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
        return Finding("tidy", Status.OK, "the accounts made for this are deleted", "", elapsed)
    stay = ", ".join(player.identity.device_id for player in left)
    text = f"device ids that were not deleted: {stay} ({reason})"
    return Finding("tidy", Status.WARNING, text, "delete them in the Nakama console", elapsed)


def _delete(player: Player) -> None:
    """Delete the player's account. Its login may have been made and never answered, or never made."""
    try:
        session = player.client.authenticate_device(player.identity.device_id, create=False)
    except NotFound:
        return
    player.client.delete_account(session)
