"""A fleet as a JSON line, as metrics, and in words."""

from __future__ import annotations

from nakama_bots.fill.fleet import Fleet
from nakama_bots.fill.promise import Promise


def seats(fleet: Fleet) -> dict[str, int]:
    """The seats of all lobbies by kind of user; free seats only where the capacity is known."""
    return {
        "human": sum(one.humans for one in fleet.lobbies if not one.guessed),
        "bot": sum(len(one.bots) for one in fleet.lobbies),
        "other_bot": sum(one.others for one in fleet.lobbies),
        "free": sum(one.free or 0 for one in fleet.lobbies),
    }


def line(fleet: Fleet, now: float) -> dict[str, object]:
    """One line of ``--json-lines``: ``now`` (Unix seconds), lobbies, bots by state, counts of problems.

    ``humans`` and ``free`` of a lobby are null while unknown, as is what was not measured of ``promise``, in
    seconds, which stands there with ``--wait-at-most`` only.
    """
    lobbies = [
        {
            "id": one.lobby_id,
            "humans": None if one.guessed else one.humans,
            "bots": len(one.bots),
            "others": one.others,
            "free": one.free,
        }
        for one in fleet.lobbies
    ]
    found = {"time": now, "lobbies": lobbies, "bots": fleet.states(), "problems": fleet.problems.counts}
    promise = fleet.promise
    if promise is None:
        return found
    return {
        **found,
        "promise": {
            "wait_at_most_s": promise.seconds,
            "tickets": promise.tickets,
            "interval_s": None if promise.interval is None else round(promise.interval, 3),
            "longest_s": None if promise.longest is None else round(promise.longest, 3),
            "kept": promise.kept,
        },
    }


def metrics(fleet: Fleet) -> str:
    """Return the text format of Prometheus, written here: six gauges are not worth a client library.

    Ids of lobbies are not labels: lobbies come and go, and each would remain a series.
    """
    rows = ["# TYPE nakama_bots_fill_lobbies gauge", f"nakama_bots_fill_lobbies {len(fleet.lobbies)}"]
    rows.append("# TYPE nakama_bots_fill_seats gauge")
    rows += [f'nakama_bots_fill_seats{{by="{by}"}} {number}' for by, number in seats(fleet).items()]
    rows.append("# TYPE nakama_bots_fill_bots gauge")
    rows += [f'nakama_bots_fill_bots{{state="{state}"}} {n}' for state, n in sorted(fleet.states().items())]
    rows.append("# TYPE nakama_bots_fill_problems_total counter")
    rows.append(f"nakama_bots_fill_problems_total {fleet.problems.counts.total()}")
    return "\n".join(rows) + "\n"


def in_words(fleet: Fleet) -> str:
    """Return lobbies, seats and bots in one line."""
    states = ", ".join(f"{number} {state}" for state, number in sorted(fleet.states().items()))
    taken = ", ".join(f"{number} {by.replace('_', ' ')}" for by, number in seats(fleet).items())
    return f"{len(fleet.lobbies)} lobbies; seats: {taken}; bots: {states or 'none'}"


def promise_text(promise: Promise) -> str:
    """Return the promise and what was measured for it in one line."""
    if promise.interval is None or promise.longest is None:
        state = "the matchmaker is being measured"
    else:
        interval, longest = round(promise.interval, 3), round(promise.longest, 3)
        state = f"matchmaker every {interval:g} s, tickets search for {longest:g} s"
        state += "" if promise.kept else "; cannot be kept"
    return f"humans wait at most {promise.seconds:g} s: {promise.tickets} tickets ({state})"
