"""The server's own metrics in a run."""

from __future__ import annotations

from pathlib import Path

from nakama_bots.load.figures.server_scrape import metrics_url
from nakama_bots.settings.target import Target

from .running import LOCUSTFILES, TRACE, free_port, run

NOBODY = LOCUSTFILES / "nobody.py"


def test_the_embedded_emulators_metrics_are_read_by_themselves(tmp_path: Path) -> None:
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


def test_metrics_that_cannot_be_read_are_named_once_and_fail_nothing(tmp_path: Path) -> None:
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


def test_a_url_that_is_none_is_refused(tmp_path: Path) -> None:
    locust = run(tmp_path, "-t", "1s", "--nakama-metrics", "127.0.0.1:9100", locustfile=NOBODY)
    assert locust.finish() == 2
    assert "--nakama-metrics: '127.0.0.1:9100'" in locust.output


def test_a_path_is_kept() -> None:
    assert metrics_url(Target.parse("http://h:1")) == "http://h:1/metrics"
    assert metrics_url(Target.parse("https://h:1/nakama/metrics")) == "https://h:1/nakama/metrics"
