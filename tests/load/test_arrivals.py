"""The open model: every planned arrival starts or is dropped, and every start has an end."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from locust import User
from locust.argument_parser import get_parser
from locust.env import Environment

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import ConfigError
from nakama_bots.load.open_model.arrivals import NoUsers, Share, room
from nakama_bots.load.open_model.shapes import install
from nakama_bots.results.summary import ArrivalsPart
from nakama_bots.settings.load_profile import LoadProfile

from .running import LOCUSTFILES, TRACE, Locust, assert_timeline_adds_up, calls, run

ARRIVING = LOCUSTFILES / "arriving.py"
NOBODY = LOCUSTFILES / "nobody.py"


def arrivals(locust: Locust) -> ArrivalsPart:
    """The arrivals of the summary; their numbers must add up."""
    part = locust.summary["arrivals"]
    assert part["planned"] == part["started"] + part["dropped"]
    assert part["dropped"] == part["dropped_late"] + part["dropped_full"]
    assert part["started"] == part["finished"] + part["failed"] + part["cut"] == part["delay_ms"]["count"]
    assert locust.summary["ledger"]["balanced"]
    return part


def test_every_arrival_runs_its_scenario_once_and_accounts_are_reused(
    tmp_path: Path, emulator: EmulatorProcess
) -> None:
    load = "open:rate=100,for=2s,arrivals=constant,max_start_delay=5s"
    # Separate accounts: other tests use this emulator too.
    given = ("--nakama-load", load, "--host", emulator.url, "--nakama-id-prefix", "arriving")
    locust = run(tmp_path, *given, locustfile=NOBODY)
    assert locust.finish() == 0
    assert TRACE not in locust.output
    part = arrivals(locust)
    assert part["scheduled"] == part["planned"] == part["finished"] == 200
    rows = calls(locust.summary)
    for key in (("POST", "/v2/account/authenticate/device"), ("WS", "connect"), ("WS", "ping")):
        assert rows[key]["count"] == 200
    # One account per concurrent visitor; only a new account gets a persona.
    assert 1 <= rows["PUT", "/v2/account"]["count"] <= locust.summary["run"]["users"] < 100
    (paced,) = [part for part in locust.summary["paced"] if part["name"] == "arrival"]
    assert paced["count"] == 200
    assert "arrivals: 200 planned = 200 started + 0 dropped" in locust.output


def test_an_arrival_without_a_free_slot_is_dropped(tmp_path: Path, emulator: EmulatorProcess) -> None:
    load = "open:rate=20,for=2s,arrivals=constant,max_in_flight=5,max_start_delay=5s"
    locust = run(tmp_path, "Slow", "--nakama-load", load, "--host", emulator.url, locustfile=ARRIVING)
    part = arrivals(locust)
    assert part["planned"] == 40
    # Each stays for a second or more: at most five at once, in three rounds.
    assert 5 <= part["finished"] == part["started"] <= 15
    assert part["dropped"] == part["dropped_full"] == 40 - part["started"]
    assert locust.summary["run"]["users"] <= 5
    assert f"{part['dropped']} without a free slot" in locust.output


def test_an_arrival_that_would_start_too_late_is_dropped(tmp_path: Path, emulator: EmulatorProcess) -> None:
    load = "open:rate=50,for=1s,arrivals=constant,max_start_delay=200ms"
    locust = run(tmp_path, "Blocking", "--nakama-load", load, "--host", emulator.url, locustfile=ARRIVING)
    part = arrivals(locust)
    assert part["planned"] == 50
    # Planned in the first 0.3 s of the half second in which nothing can start.
    assert part["dropped"] == part["dropped_late"] >= 13
    assert part["delay_ms"]["max"] is not None
    assert part["delay_ms"]["max"] <= 200.0


def test_every_end_is_counted(tmp_path: Path, emulator: EmulatorProcess) -> None:
    load = "open:rate=40,for=1s,arrivals=constant,max_start_delay=5s"
    locust = run(
        tmp_path, "Failing", "Faulty", "Own", "Leaving", "--nakama-load", load, "--host", emulator.url,
        locustfile=ARRIVING,
    )  # fmt: skip
    assert locust.finish() == 1
    part = arrivals(locust)
    rows = calls(locust.summary)
    joins, pings = rows["WS", "match_join"], rows["WS", "ping"]
    faults = locust.output.count("ZeroDivisionError: a fault of the scenario")
    assert min(joins["count"], pings["count"], faults) > 0
    assert part["failed"] >= joins["failures"] == joins["count"]
    assert part["failed"] + part["finished"] == 40
    assert "AssertionError" not in locust.output


def test_visits_that_outlast_the_run_are_cut_off(tmp_path: Path, emulator: EmulatorProcess) -> None:
    load = "open:rate=10,for=500ms,arrivals=constant,max_start_delay=5s,drain=0s"
    locust = run(tmp_path, "Slow", "--nakama-load", load, "--host", emulator.url, locustfile=ARRIVING)
    part = arrivals(locust)
    assert part["planned"] == 5
    assert part["cut"] > 0


def test_two_workers_share_every_arrival(tmp_path: Path, emulator: EmulatorProcess) -> None:
    load = "open:rate=100,for=1s,max_start_delay=5s"
    locust = run(
        tmp_path, "--nakama-load", load, "--host", emulator.url, "--processes", "2",
        locustfile=NOBODY,
    )  # fmt: skip
    assert locust.finish() == 0
    assert TRACE not in locust.output
    part = arrivals(locust)
    # The same schedule as in a single process.
    assert part["scheduled"] == part["planned"] == len(list(LoadProfile.parse(load).arrival_times(1)))
    assert part["lost"] == 0
    assert part["finished"] == part["planned"]
    by_source: dict[str, int] = {}
    for row in locust.timeline:
        number = row["recorded"]["counts"].get("arrivals_planned", 0)
        by_source[row["source"]] = by_source.get(row["source"], 0) + number
    halves = [number for number in by_source.values() if number]
    assert len(halves) == 2
    assert abs(halves[0] - halves[1]) <= 1
    assert_timeline_adds_up(locust)


def test_the_other_worker_takes_over_from_a_dead_one(tmp_path: Path, emulator: EmulatorProcess) -> None:
    load = "open:rate=20,for=9s,arrivals=constant,max_start_delay=5s"
    with Locust(
        tmp_path, "--nakama-load", load, "--host", emulator.url, "--processes", "2",
        locustfile=NOBODY,
    ) as locust:  # fmt: skip
        locust.wait_for("arrivals: shared by 2 workers")
        first, *_ = psutil.Process(locust.pid).children()
        first.kill()
        assert locust.finish() == 4
    assert "arrivals: shared by 1 workers" in locust.output
    part = locust.summary["arrivals"]
    assert part["scheduled"] == 180
    assert 0 < part["lost"] == 180 - part["planned"] < 90
    assert f"arrivals LOST with a worker: {part['lost']} of 180" in locust.output
    planned = {
        worker["state"]: worker["counts"].get("arrivals_planned", 0) for worker in locust.summary["workers"]
    }
    # Half of the arrivals until the death was noticed, and all of them after that.
    assert planned["complete"] > 90
    assert planned["complete"] + planned["missing"] == part["planned"]


WORKERS = st.lists(st.tuples(st.floats(0, 10), st.sets(st.integers(0, 5), min_size=1)), min_size=1, max_size=5)


@given(WORKERS, st.integers(0, 10_000), st.floats(0, 12), st.integers(1, 1000))
def test_arrivals_and_slots_are_divided_among_the_workers(
    changes: list[tuple[float, set[int]]], number: int, at: float, most: int
) -> None:
    changes = [(0.0, {0}), *sorted(changes, key=lambda change: change[0])]
    shares: dict[int, list[Share]] = {worker: [] for worker in range(6)}
    for since, live in changes:
        order = sorted(live)
        for worker, held in shares.items():
            if worker in live:
                held.append({"number": order.index(worker), "of": len(order), "since": since})
            elif held:
                held.append({"number": 0, "of": 0, "since": since})
    mine = [worker for worker, held in shares.items() if room(held, number, at, most) is not None]
    assert len(mine) == 1
    _, live = [change for change in changes if change[0] <= at][-1]
    assert mine[0] in live
    rooms = [room(shares[worker], place, at, most) or 0 for place, worker in enumerate(sorted(live))]
    assert sum(rooms) == most


def test_locusts_dispatcher_knows_the_workers_but_no_users() -> None:
    class Node:
        def __init__(self, name: str) -> None:
            self.id = name

    dispatcher = NoUsers([Node("a")], [])
    assert list(dispatcher) == []
    dispatcher.add_worker(Node("b"))
    dispatcher.new_dispatch(0, 1.0)
    assert list(dispatcher) == [{"a": {}, "b": {}}]
    dispatcher.remove_worker(Node("a"))
    dispatcher.new_dispatch(5, 1.0)
    assert list(dispatcher) == [{"b": {}}]


def test_other_user_classes_are_refused() -> None:
    class Foreign(User):
        pass

    options = get_parser(default_config_files=[]).parse_args([])
    environment = Environment(parsed_options=options, user_classes=[Foreign])
    environment.create_local_runner()
    with pytest.raises(
        ConfigError, match="user class: 'Foreign' cannot be used; accepted: subclasses of NakamaUser"
    ):
        install(environment, LoadProfile.parse("open:rate=1,for=1s"), None, None)
