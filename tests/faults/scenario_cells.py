"""Faults of the scenario itself, and runs that can show nothing."""

from __future__ import annotations

from .cell import FAILED, INVALID, NOT_STARTED, Cell


def scenario(name: str, text: str, does: str, **more: object) -> Cell:
    settings: dict[str, object] = {"codes": (1,), "verdict": FAILED, "server": None, "scenario": name}
    return Cell(f"scenario: {name}", text, does, **(settings | more))  # type: ignore[arg-type]


LOGGED_ONCE = "counted by kind, logged once, fails the run"
BY_A_DEADLINE = "the run ends by a stated deadline and names the user class"
OWN = "says:the scenario's own fault"
HEARD = ("handler_failures", "ping>=8")
NOT_STOPPED = "{0}.*stop|stop.*{0}"

CELLS = (
    scenario("Raises", "a task raises", "counted, shown by Locust, fails the run", until=(OWN,)),
    scenario("RaisesBase", "a task raises BaseException", "counted, shown, fails the run; the users go on",
             until=(OWN,)),
    scenario("DiesAtStart", "every on_start raises: every user dies", "invalid: every user has died",
             codes=(4,), verdict=INVALID, timed=True),
    scenario("Exits", "a task calls sys.exit(0)", "counted, shown, fails the run; the users go on",
             until=("says:SystemExit",)),
    scenario("HandlerExits", "a handler calls sys.exit(0)", LOGGED_ONCE, own_tracebacks=1, until=HEARD),
    scenario("TapExits", "a tap calls sys.exit(0)", LOGGED_ONCE, own_tracebacks=1, until=HEARD),
    scenario("HandlerRaises", "a handler raises", LOGGED_ONCE, own_tracebacks=1, until=HEARD),
    scenario("TapRaises", "a tap raises", LOGGED_ONCE, own_tracebacks=1, until=HEARD),
    scenario("Blocks", "a task holds the process up for half a second, again and again",
             "invalid: the generator was too slow", codes=(4,), verdict=INVALID, seconds=8,
             arguments=("--nakama-health-limits", "hub_lag=0.3"), says=("too slow|TOO SLOW",)),
    scenario("Spins", "a task never lets go of the process", BY_A_DEADLINE, codes=(1, 4),
             verdict=f"{FAILED} {INVALID}", says=("Spins: blocked the whole process",), timed=True),
    scenario("Swallows", "a task catches what would end it", BY_A_DEADLINE,
             says=(NOT_STOPPED.format("Swallows"),), until=("ping>=4",)),
    scenario("NeverStops", "an on_stop that never returns", BY_A_DEADLINE,
             says=(NOT_STOPPED.format("NeverStops"),), until=("ping>=4",)),
    scenario("Miscounts", "counts and samples that are no numbers, names that are no texts",
             "each is refused with a line that names scenario and value, and fails the run",
             says=("Miscounts",), until=("ping>=30",), own_tracebacks=0),
    Cell("-u 0", "no users", "invalid: no call was made", codes=(4,), verdict=INVALID, users=0, server=None),
    Cell("-u -1", "fewer than no users", "refused with one line", codes=(2,), verdict=NOT_STARTED, users=-1,
         server=None),
)  # fmt: skip
