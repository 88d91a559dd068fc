from __future__ import annotations

import pytest

from nakama_bots.results.server.metrics import ServerMetrics

PAGE = """# HELP go_goroutines Number of goroutines that currently exist.
# TYPE go_goroutines gauge
go_goroutines 91
# TYPE nakama_sessions gauge
nakama_sessions{node_name="a"} 5
nakama_sessions{node_name="b"} 7
# TYPE nakama_overall_request_count counter
nakama_overall_request_count{node_name="a"} 100
# TYPE nakama_overall_latency_ms summary
nakama_overall_latency_ms{node_name="a",quantile="0.5"} 0.002
nakama_overall_latency_ms{node_name="a",quantile="0.95"} 0.02926976
nakama_overall_latency_ms{node_name="b",quantile="0.95"} NaN
nakama_overall_latency_ms_sum{node_name="a"} 0.116
nakama_overall_latency_ms_count{node_name="a"} 16
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 10
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 4.9143808e+07
"""


def read(metrics: ServerMetrics, page: str, now: float) -> dict[str, float]:
    return metrics.keep(metrics.read(page, now))


def test_a_metrics_page_is_parsed_into_gauges():
    assert read(ServerMetrics("u"), PAGE, 50.0) == {
        "server.goroutines": 91.0,
        "server.sessions": 12.0,
        "server.requests": 0.0,
        "server.timed_requests": 0.0,
        "server.request_seconds": 0.0,
        "server.latency_p50": 0.002,
        "server.latency_p95": 0.02926976,
        "server.memory": 49_143_808.0,
    }


def test_cpu_and_counters_are_differences():
    metrics = ServerMetrics("u")
    read(metrics, PAGE, 50.0)
    later = PAGE.replace("total 10", "total 13").replace('count{node_name="a"} 100', 'count{node_name="a"} 130')
    found = read(metrics, later, 54.0)
    assert found["server.cpu"] == 0.75
    assert found["server.requests"] == 30.0
    # The server restarted: its counters start at 0.
    restarted = PAGE.replace("total 10", "total 1").replace(
        'count{node_name="a"} 100', 'count{node_name="a"} 4'
    )
    found = read(metrics, restarted, 58.0)
    assert "server.cpu" not in found
    assert found["server.requests"] == 34.0
    part = metrics.part()
    assert (part["scrapes"], part["failures"]) == (3, 0)
    assert part["gauges"]["server.requests"] == {"mean": 21.333333, "max": 34.0, "last": 34.0}


def test_waits_and_collections_count_from_the_first_scrape():
    page = """# TYPE go_gc_duration_seconds summary
go_gc_duration_seconds{quantile="1"} 0.004
go_gc_duration_seconds_sum 0.01
go_gc_duration_seconds_count 38
# TYPE nakama_db_total_wait_count gauge
nakama_db_total_wait_count{node_name="a"} 2
# TYPE nakama_db_total_wait_time_nanos gauge
nakama_db_total_wait_time_nanos{node_name="a"} 1.5e+08
"""
    matchmaker = """# TYPE nakama_matchmaker_process_time summary
nakama_matchmaker_process_time{node_name="a",quantile="0.5"} 0.002
nakama_matchmaker_process_time_sum{node_name="a"} 0.006
nakama_matchmaker_process_time_count{node_name="a"} 3
"""
    metrics = ServerMetrics("u")
    names = ("gc_pauses", "gc_seconds", "db_waits", "db_wait_seconds")
    assert read(metrics, page, 1.0) == {f"server.{name}": 0.0 for name in names}
    later = page.replace("count 38", "count 40").replace("_sum 0.01", "_sum 0.0125").replace("1.5e+08", "4e+08")
    found = read(metrics, later + matchmaker, 6.0)
    assert found["server.gc_pauses"] == 2.0
    assert found["server.gc_seconds"] == pytest.approx(0.0025)
    assert found["server.db_wait_seconds"] == pytest.approx(0.25)
    # The matchmaker had not run before.
    assert found["server.matchmaker_runs"] == 3.0
    assert found["server.matchmaker_seconds"] == pytest.approx(0.006)


@pytest.mark.parametrize("page", ["", "<html></html>", "# TYPE x counter\nx 1\n", "go_goroutines one\n"])
def test_other_pages_are_refused(page):
    metrics = ServerMetrics("u")
    with pytest.raises(ValueError, match=r".+"):
        read(metrics, page, 0.0)
    assert metrics.part()["scrapes"] == 0


def test_memory_of_the_runtime_if_the_process_has_none():
    found = ServerMetrics().read("go_memstats_sys_bytes 2.2e+07\n", 0.0)
    assert found == {"memory": 2.2e7}


def test_failures_are_counted_and_the_first_is_reported():
    metrics = ServerMetrics("u")
    assert metrics.failed("refused")
    assert not metrics.failed("another")
    assert (metrics.part()["failures"], metrics.part()["error"]) == (2, "refused")
