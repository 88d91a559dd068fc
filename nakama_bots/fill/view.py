"""A snapshot of a fleet, shown as a JSON line, as metrics, or as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired, TypedDict

from nakama_bots.fill.fleet import Fleet
from nakama_bots.fill.lobby import Lobby
from nakama_bots.fill.promise import Promise


class LobbyLine(TypedDict):
    """The seats of a lobby; ``humans`` and ``free`` are null while unknown."""

    id: str
    humans: int | None
    bots: int
    others: int
    free: int | None


class PromiseLine(TypedDict):
    """``--wait-at-most`` and what was measured (null until then), in seconds."""

    wait_at_most_s: float
    tickets: int
    interval_s: float | None
    longest_s: float | None
    kept: bool | None


class Line(TypedDict):
    """One line of ``--json-lines``: Unix seconds, lobbies, bots by state, counts of problems."""

    time: float
    lobbies: list[LobbyLine]
    bots: dict[str, int]
    problems: dict[str, int]
    promise: NotRequired[PromiseLine]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A fleet at one moment."""

    lobbies: tuple[Lobby, ...]
    states: dict[str, int]
    problems: dict[str, int]
    promise: PromiseLine | None = None

    @classmethod
    def of(cls, fleet: Fleet) -> Snapshot:
        """Return a snapshot of the fleet as it is now."""
        promise = None if fleet.promise is None else _promise(fleet.promise)
        return cls(tuple(fleet.lobbies), dict(fleet.states()), dict(fleet.problems.counts), promise)

    @property
    def seats(self) -> dict[str, int]:
        """The seats of all lobbies by kind of user; free seats only where the capacity is known."""
        return {
            "human": sum(one.humans for one in self.lobbies if not one.guessed),
            "bot": sum(len(one.bots) for one in self.lobbies),
            "other_bot": sum(one.others for one in self.lobbies),
            "free": sum(one.free or 0 for one in self.lobbies),
        }

    def line(self, now: float) -> Line:
        """Return the snapshot as a JSON line."""
        lobbies: list[LobbyLine] = [
            {
                "id": one.lobby_id,
                "humans": None if one.guessed else one.humans,
                "bots": len(one.bots),
                "others": one.others,
                "free": one.free,
            }
            for one in self.lobbies
        ]
        line: Line = {"time": now, "lobbies": lobbies, "bots": self.states, "problems": self.problems}
        if self.promise is not None:
            line["promise"] = self.promise
        return line

    def metrics(self) -> str:
        """Return the text format of Prometheus, written here: six gauges are not worth a client library.

        Ids of lobbies are not labels: lobbies come and go, and each would remain a series.
        """
        rows = ["# TYPE nakama_bots_fill_lobbies gauge", f"nakama_bots_fill_lobbies {len(self.lobbies)}"]
        rows.append("# TYPE nakama_bots_fill_seats gauge")
        rows += [f'nakama_bots_fill_seats{{by="{by}"}} {number}' for by, number in self.seats.items()]
        rows.append("# TYPE nakama_bots_fill_bots gauge")
        rows += [f'nakama_bots_fill_bots{{state="{state}"}} {n}' for state, n in sorted(self.states.items())]
        rows.append("# TYPE nakama_bots_fill_problems_total counter")
        rows.append(f"nakama_bots_fill_problems_total {sum(self.problems.values())}")
        return "\n".join(rows) + "\n"


def _promise(promise: Promise) -> PromiseLine:
    return {
        "wait_at_most_s": promise.seconds,
        "tickets": promise.tickets,
        "interval_s": None if promise.interval is None else round(promise.interval, 3),
        "longest_s": None if promise.longest is None else round(promise.longest, 3),
        "kept": promise.kept,
    }


def promise_text(promise: PromiseLine) -> str:
    """Return a line for the table."""
    if promise["interval_s"] is None:
        state = "the matchmaker is being measured"
    else:
        state = f"matchmaker every {promise['interval_s']:g} s, tickets search for {promise['longest_s']:g} s"
        state += "" if promise["kept"] else "; cannot be kept"
    return f"humans wait at most {promise['wait_at_most_s']:g} s: {promise['tickets']} tickets ({state})"
