"""Master and workers: the same figures as Locust's, and no identity twice."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nakama_bots.emulator.process import EmulatorProcess

from .running import (
    LOCUSTFILES,
    SPAWNED,
    TRACE,
    Locust,
    assert_timeline_adds_up,
    calls,
    free_port,
    gone,
    has_account,
    locust_counts,
    our_counts,
    refused,
    run,
)


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start(matchmaker_interval=0.2) as process:
        yield process


@pytest.fixture(scope="module")
def forked(emulator: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Locust:
    folder = tmp_path_factory.mktemp("forked")
    port = str(free_port())
    return run(
        folder / "reports", "-u", "8", "-r", "8", "-t", "5s", "--processes", "2", "--host", emulator.url,
        "--nakama-id-prefix", "forked", "--json-file", str(folder / "out"),
        "--master-bind-port", port, "--master-port", port,
    )  # fmt: skip


def test_the_masters_summary_has_what_every_worker_counted(forked: Locust) -> None:
    assert forked.finish() == 0
    assert TRACE not in forked.output
    assert our_counts(forked.summary) == locust_counts(forked.reports.parent / "out")
    rows = calls(forked.summary)
    assert rows["WS", "match_join"]["count"] > 0
    ledger = forked.summary["ledger"]
    assert ledger["balanced"]
    assert ledger["sent"] == sum(
        row["count"] for (kind, name), row in rows.items() if kind == "WS" and name != "connect"
    )
    assert forked.summary["run"]["users"] == 8


def test_the_time_line_has_every_process(forked: Locust) -> None:
    assert_timeline_adds_up(forked)
    rows = list(forked.timeline)
    assert len({row["source"] for row in rows}) == 3  # the master has gauges only
    assert sum(row["gauges"]["users"] for row in rows if 2 <= row["at"] - rows[0]["at"] < 3) == 8


def test_the_health_of_every_worker_is_told(forked: Locust) -> None:
    health = forked.summary["health"]
    assert health["valid"]
    assert len(health["processes"]) == 2  # the master has no users
    for process in health["processes"]:
        assert process["seconds"] > 3
        assert {"cpu", "loop_busy", "hub_lag", "receive_wait", "receive_backlog"} <= set(process["figures"])
    assert "generator" in forked.output


def test_no_two_users_share_an_account(forked: Locust, emulator: EmulatorProcess) -> None:
    rows = calls(forked.summary)
    assert rows["POST", "/v2/account/authenticate/device"]["count"] == 8
    assert rows["PUT", "/v2/account"]["count"] == 8  # only a new account is given its persona
    for worker in range(2):
        assert [has_account(emulator.url, f"forked-1-w{worker:03d}-{number:06d}") for number in range(5)] == [
            *(4 * [True]),
            False,
        ]


def test_the_table_has_percentiles_below_a_millisecond(forked: Locust) -> None:
    rows = json.loads((forked.reports.parent / "out.json").read_text())
    times = {float(time) for row in rows for time in row["response_times"]}
    assert any(0 < time < 1 for time in times)


def test_the_embedded_emulator_ends_with_the_master(tmp_path: Path) -> None:
    port = str(free_port())
    with Locust(
        tmp_path, "-u", "4", "-r", "4", "--processes", "2", "--master-bind-port", port, "--master-port", port
    ) as locust:
        locust.wait_for(SPAWNED)
        emulator = locust.emulator
        workers = [child for child in psutil.Process(locust.pid).children() if child != emulator]
        assert len(workers) == 2
        locust.interrupt()
        assert locust.finish() == 0
    assert TRACE not in locust.output
    assert locust.summary["ledger"]["balanced"]
    assert gone(emulator)
    assert all(gone(worker) for worker in workers)


def test_a_terminated_master_has_the_figures_of_its_workers(tmp_path: Path) -> None:
    port = str(free_port())
    with Locust(
        tmp_path / "reports", "-u", "4", "-r", "4", "--processes", "2", "--master-bind-port", port,
        "--master-port", port, "--json-file", str(tmp_path / "out"),
    ) as locust:  # fmt: skip
        locust.wait_for(SPAWNED)
        locust.signal(signal.SIGTERM)
        assert locust.finish() == 0
    assert TRACE not in locust.output
    assert our_counts(locust.summary) == locust_counts(tmp_path / "out")
    assert refused(locust.emulator_port)


def test_a_bad_setting_leaves_no_worker_behind(tmp_path: Path) -> None:
    port = str(free_port())
    with Locust(
        tmp_path, "--processes", "2", "--nakama-seed", "x", "--master-bind-port", port, "--master-port", port
    ) as locust:
        # The workers hold its streams: it only ends for the reader when they do.
        assert locust.finish() == 2
    assert "--nakama-seed" in locust.output


def test_master_and_worker_started_apart(tmp_path: Path) -> None:
    port = str(free_port())
    locustfile = LOCUSTFILES / "nobody.py"
    master = Locust(
        tmp_path / "reports", "--master", "--expect-workers", "1", "-u", "2", "-r", "2", "-t", "3s",
        "--nakama-id-prefix", "apart", "--master-bind-port", port, "--json-file", str(tmp_path / "out"),
        locustfile=locustfile,
    )  # fmt: skip
    with (
        master,
        Locust(
            tmp_path / "none", "--worker", "--master-port", port, locustfile=locustfile, prefix=()
        ) as worker,
    ):
        assert master.finish() == 0
        assert worker.finish() == 0
    assert TRACE not in master.output + worker.output
    assert "EMULATOR" not in worker.output
    assert not (tmp_path / "none").exists()
    assert our_counts(master.summary) == locust_counts(tmp_path / "out")
    # The worker has the master's settings: it was given none.
    assert master.summary["settings"]["id_prefix"] == "apart"
    assert calls(master.summary)["WS", "ping"]["count"] > 0
