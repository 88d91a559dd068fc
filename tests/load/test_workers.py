"""Master and workers: the same figures as Locust's, and no identity used twice."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import psutil
import pytest
from locust import argument_parser
from locust.env import Environment
from locust.runners import WorkerNode

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.load.figures.intervals import Totals
from nakama_bots.load.workers.master import MasterEnd
from nakama_bots.load.workers.master_runner import MasterMending
from nakama_bots.load.workers.worker import REPORT_KEY, WorkerEnd
from nakama_bots.results.record.recorder import CallRow, Recorder
from nakama_bots.results.record.window import without_ends
from nakama_bots.results.run_folder import read_timeline
from nakama_bots.results.summary import recorder_of

from .running import (
    LOCUSTFILES,
    SPAWNED,
    TRACE,
    WORKING,
    Locust,
    assert_timeline_adds_up,
    calls,
    free_port,
    gone,
    has_account,
    locust_counts,
    our_counts,
    poll,
    refused,
    run,
)


@pytest.fixture(scope="module")
def forked(emulator: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Locust:
    folder = tmp_path_factory.mktemp("forked")
    return run(
        folder / "reports", "-u", "8", "-r", "8", "-t", "5s", "--processes", "2", "--host", emulator.url,
        "--nakama-id-prefix", "forked", "--json-file", str(folder / "out"),
        "--nakama-worker-logs", str(folder / "logs"),
    )  # fmt: skip


def test_the_summary_of_the_master_has_the_counts_of_every_worker(forked: Locust) -> None:
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


def whole(path: Path) -> Recorder:
    """All figures that a worker logged itself."""
    return without_ends(read_timeline(path), -60.0, 0.0).recorder


def test_every_counter_is_the_sum_of_the_workers_logs(forked: Locust) -> None:
    logs = sorted((forked.reports.parent / "logs").iterdir())
    assert len(logs) == 2
    total = Recorder(0.0)
    for path in logs:
        total.merge(whole(path).recorded())
    summary = recorder_of(forked.summary)
    assert total.counts == summary.counts
    assert {key: _figures(row) for key, row in total.calls.items()} == {
        key: _figures(row) for key, row in summary.calls.items()
    }
    assert {name: histogram.encode() for name, histogram in total.samples.items()} == {
        name: histogram.encode() for name, histogram in summary.samples.items()
    }
    parts = forked.summary["workers"]
    assert [part["index"] for part in parts] == [0, 1]
    for part in parts:
        log = whole(forked.reports.parent / "logs" / f"{part['id']}.jsonl")
        assert part["counts"] == dict(sorted(log.counts.items()))
        assert part["calls"] == sum(row.ok.count + row.failed.count for row in log.calls.values())
        assert (part["state"], part["missing"], part["lost_reports"]) == ("complete", "", 0)
    assert "workers: 2 of 2 with complete figures" in forked.output


def _figures(row: CallRow) -> tuple[object, ...]:
    return row.ok.encode(), row.failed.encode(), row.outcomes, row.size


def test_workers_that_join_late_die_and_are_replaced(tmp_path: Path, emulator: EmulatorProcess) -> None:
    port = str(free_port())
    locustfile = LOCUSTFILES / "nobody.py"

    def worker() -> Locust:
        return Locust(tmp_path / "none", "--worker", "--master-port", port, locustfile=locustfile, prefix=())

    master = Locust(
        tmp_path / "reports", "--master", "--expect-workers", "1", "-u", "6", "-r", "6", "--host", emulator.url,
        "--nakama-id-prefix", "come-and-go", "--master-bind-port", port,
        "--nakama-worker-logs", str(tmp_path / "logs"), locustfile=locustfile,
    )  # fmt: skip
    with master, worker() as first:
        master.wait_for(SPAWNED)
        with worker() as second:
            master.wait_for(SPAWNED, 2)
            for _ in poll(lambda: has_account(emulator.url, "come-and-go-1-w001-000000")):
                pass
            first.signal(signal.SIGKILL)
            with worker() as again:
                # On the same machine, but without the accounts of the dead worker.
                for _ in poll(lambda: has_account(emulator.url, "come-and-go-1-w002-000000")):
                    pass
                master.signal(signal.SIGTERM)
                assert master.finish() == 4
                assert (second.finish(), again.finish()) == (0, 0)
    assert TRACE not in master.output + second.output + again.output
    dead, late, last = master.summary["workers"]
    assert [part["state"] for part in (dead, late, last)] == ["missing", "complete", "complete"]
    assert [part["index"] for part in (dead, late, last)] == [0, 1, 2]
    assert dead["pid"] == first.pid
    assert dead["missing"].startswith("its figures after second") or dead["missing"] == "all of its figures"
    assert f"pid {first.pid}) is MISSING" in master.output or dead["reports"] == 0
    # The run has the contributed figures; the log of the dead worker has at least those.
    counts = Counter[str]()
    for part in (dead, late, last):
        counts.update(part["counts"])
    assert counts == master.summary["counts"]
    log = whole(tmp_path / "logs" / f"{dead['id']}.jsonl")
    # Includes calls that were stopped when the users were redistributed.
    assert sum(row.ok.count + row.failed.count for row in log.calls.values()) >= dead["calls"]
    assert late["joined_s"] is not None
    assert late["joined_s"] > 0


def test_the_time_line_has_every_process(forked: Locust) -> None:
    assert_timeline_adds_up(forked)
    rows = list(forked.timeline)
    assert len({row["source"] for row in rows}) == 3  # the master has gauges only
    # By the maximum of each process: a busy one may end two intervals in one second, or none.
    users = Counter[str]()
    for row in rows:
        users[row["source"]] = max(users[row["source"]], int(row["gauges"].get("users", 0)))
    assert sorted(users.values()) == [0, 4, 4]


def test_the_health_of_every_worker_is_reported(forked: Locust) -> None:
    health = forked.summary["health"]
    assert health["valid"]
    assert len(health["processes"]) == 2  # the master has no users
    for process in health["processes"]:
        assert process["seconds"] > 0
        assert {"cpu", "loop_busy", "hub_lag", "receive_wait", "receive_backlog"} <= set(process["figures"])
    assert "generator" in forked.output


def test_no_two_users_share_an_account(forked: Locust, emulator: EmulatorProcess) -> None:
    rows = calls(forked.summary)
    assert rows["POST", "/v2/account/authenticate/device"]["count"] == 8
    assert rows["PUT", "/v2/account"]["count"] == 8  # only a new account gets a persona
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
    with Locust(tmp_path, "-u", "4", "-r", "4", "--processes", "2") as locust:
        locust.wait_for(WORKING)
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
    json_file = ("--json-file", str(tmp_path / "out"))
    with Locust(tmp_path / "reports", "-u", "4", "-r", "4", "--processes", "2", *json_file) as locust:
        locust.wait_for(WORKING)
        locust.signal(signal.SIGTERM)
        assert locust.finish() == 0
    assert TRACE not in locust.output
    assert our_counts(locust.summary) == locust_counts(tmp_path / "out")
    assert refused(locust.emulator_port)


def test_a_bad_setting_leaves_no_worker_behind(tmp_path: Path) -> None:
    with Locust(tmp_path, "--processes", "2", "--nakama-seed", "x") as locust:
        # The workers hold the streams: the reader only ends when they do.
        assert locust.finish() == 2
    assert "--nakama-seed" in locust.output


def test_master_and_worker_started_separately(tmp_path: Path) -> None:
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
    # The worker has the settings of the master: its command line has none.
    assert master.summary["settings"]["id_prefix"] == "apart"
    assert calls(master.summary)["WS", "ping"]["count"] > 0


def test_an_unreadable_worker_is_logged_once_in_each_run(caplog: pytest.LogCaptureFixture) -> None:
    environment = Environment()
    runner = environment.create_master_runner("127.0.0.1", free_port())
    try:
        end = MasterEnd(runner, Totals())
        for run_number in (1, 2):
            for _ in range(3):
                report: dict[str, object] = {REPORT_KEY: "nonsense"}
                environment.events.report_to_master.fire(client_id="w1", data=report)
                environment.events.worker_report.fire(client_id="w1", data=report)
            assert caplog.text.count("worker w1 sent a report that this version cannot read") == run_number
            end.reset()
    finally:
        runner.quit()


def test_a_worker_builds_the_parser_of_default_arguments_once() -> None:
    """Locust builds it for each option of each spawn message, which blocks the worker."""
    port = free_port()
    master = Environment().create_master_runner("127.0.0.1", port)
    worker = Environment().create_worker_runner("127.0.0.1", port)
    try:
        WorkerEnd(worker)
        found = argument_parser.default_args_dict()
        assert found is argument_parser.default_args_dict()
        assert "run_time" in found
    finally:
        worker.greenlet.kill()
        master.quit()


def test_a_worker_can_leave_while_the_master_iterates_over_all() -> None:
    runner = Environment().create_master_runner("127.0.0.1", free_port())
    MasterMending(runner)
    try:
        for name in ("one", "other"):
            runner.clients[name] = WorkerNode(name)
        seen = []
        for node in runner.clients.all:
            runner.clients.pop("other", None)
            seen.append(node.id)
        assert seen == ["one", "other"]
        assert len(runner.clients) == 1
    finally:
        runner.quit()
