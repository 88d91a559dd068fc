"""The server's metrics in a run, and its log, database and process."""

from __future__ import annotations

import json
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.load.figures.server_machine import DatabaseProbe, is_here, process_on
from nakama_bots.load.figures.server_scrape import ServerLogTail, metrics_url
from nakama_bots.settings.database import Database
from nakama_bots.settings.target import Target

from .running import LOCUSTFILES, TRACE, Locust, free_port, poll, run

NOBODY = LOCUSTFILES / "nobody.py"
FULL = "Match handler data processing too slow, dropping data message"


def line(at: str) -> str:
    return json.dumps({"level": "warn", "ts": at, "msg": FULL, "m": {}}) + "\n"


def test_the_metrics_of_the_embedded_emulator_are_read_by_default(tmp_path: Path) -> None:
    often = ("--nakama-metrics-interval", "0.5")
    locust = run(tmp_path, "-u", "3", "-r", "3", "-t", "3s", *often, locustfile=NOBODY)
    assert locust.finish() == 0
    server = locust.summary["server"]
    assert server["failures"] == 0
    assert server["scrapes"] >= 3
    assert server["gauges"]["server.sessions"]["max"] == 3
    assert server["gauges"]["server.messages"]["last"] > 0
    rows = [row for row in locust.timeline if row["source"] == "server"]
    assert len(rows) == server["scrapes"]
    assert max(row["gauges"]["server.sessions"] for row in rows) == 3
    assert "server's own metrics" in locust.output
    # The emulator runs on this machine. No verdict was requested, and no limit stands out.
    assert server["gauges"]["server.open_files"]["last"] > 0
    assert 0 < server["gauges"]["server.host_memory"]["max"] <= 1
    assert locust.summary["bottleneck"]["named"] == ""
    assert "what breaks first" not in locust.output


def test_unreadable_metrics_are_logged_once_and_fail_nothing(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    locust = run(
        tmp_path, "-u", "1", "-r", "1", "-t", "2s", "--nakama-metrics", url, "--nakama-metrics-interval", "0.3",
        locustfile=NOBODY,
    )  # fmt: skip
    assert locust.finish() == 0
    assert TRACE not in locust.output
    server = locust.summary["server"]
    assert (server["url"], server["scrapes"]) == (f"{url}/metrics", 0)
    assert server["failures"] >= 2
    assert locust.output.count(f"the server's metrics at {url}/metrics cannot be read") == 1
    assert f"server's metrics at {url}/metrics: none" in locust.output


def test_a_limit_in_the_servers_log_is_what_breaks_first(tmp_path: Path) -> None:
    log = tmp_path / "nakama.log"
    log.write_text(line("2020-01-01T00:00:00.000Z"))
    with Locust(
        tmp_path / "reports",
        "-u",
        "2",
        "-r",
        "2",
        "-t",
        "7s",
        "--nakama-server-log",
        str(log),
        locustfile=NOBODY,
    ) as locust:
        for _ in poll(lambda: not locust.running):
            with log.open("a") as file:
                file.write(line(datetime.now(UTC).isoformat()))
            time.sleep(0.2)  # a few lines per second
        assert locust.finish() == 0
    [found] = locust.summary["bottleneck"]["found"]
    assert (found["name"], found["players"]) == ("a match's input queue", 2)
    assert "what breaks first: a match's input queue: " in locust.output
    assert "the server's log: 20" in locust.output
    assert "2020-01-01" not in locust.output


def test_the_password_of_a_database_is_never_shown(tmp_path: Path) -> None:
    url = f"postgres://bots:hunter2@127.0.0.1:{free_port()}/nakama"
    with EmulatorProcess.start(extra=("--metrics-port", "0")) as emulator:
        locust = run(
            tmp_path, "-u", "1", "-r", "1", "-t", "2s", "--host", emulator.url,
            "--nakama-metrics", emulator.metrics_url, "--nakama-metrics-interval", "0.3", "--nakama-db", url,
            locustfile=NOBODY,
        )  # fmt: skip
        assert locust.finish() == 0
    server = locust.summary["server"]
    assert server["scrapes"] >= 2
    # Later reads do not try again: a database that hangs would delay them all.
    assert (server["failures"], server["error"]) == (1, "the database: it cannot be reached")
    assert "1 failed: the database: it cannot be reached" in locust.output
    written = [path.read_bytes() for path in locust.folders[0].iterdir()]
    assert not any(b"hunter2" in content for content in (locust.output.encode(), *written))


def test_a_log_with_unreadable_lines_is_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "nakama.log"
    path.touch()
    tail = ServerLogTail(path)
    path.write_text(f"2026-11-27 WARN {FULL}\n")
    assert tail.read() is None
    path.write_text("2026-11-27 INFO Startup done\n")
    found = tail.read()
    assert found is not None
    assert found.read == 1


def test_an_unreachable_database_is_reported_without_its_url() -> None:
    probe = DatabaseProbe(Database.parse(f"postgres://bots:hunter2@127.0.0.1:{free_port()}/nakama"))
    with pytest.raises(ValueError, match=r"^it cannot be reached$"):
        probe.read()


def test_a_database_without_metrics_is_refused(tmp_path: Path) -> None:
    locust = run(tmp_path, "-t", "1s", "--nakama-db", "postgres://bots:hunter2@h/nakama", locustfile=NOBODY)
    assert locust.finish() == 2
    assert "--nakama-db: '<hidden>' cannot be used; accepted: --nakama-metrics beside it" in locust.output
    assert "hunter2" not in locust.output


def test_a_process_is_found_by_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = process_on(listening.getsockname()[1])
        assert found is not None
        assert found.pid == os.getpid()
        assert is_here("127.0.0.1")
    assert process_on(free_port()) is None
    assert not is_here("192.0.2.1")


def test_an_invalid_url_is_refused(tmp_path: Path) -> None:
    locust = run(tmp_path, "-t", "1s", "--nakama-metrics", "127.0.0.1:9100", locustfile=NOBODY)
    assert locust.finish() == 2
    assert "--nakama-metrics: '127.0.0.1:9100'" in locust.output


def test_a_path_is_kept() -> None:
    assert metrics_url(Target.parse("http://h:1")) == "http://h:1/metrics"
    assert metrics_url(Target.parse("https://h:1/nakama/metrics")) == "https://h:1/nakama/metrics"
