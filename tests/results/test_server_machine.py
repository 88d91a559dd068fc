"""The server's machine and database, and the parts of a metrics page with names of the game."""

from __future__ import annotations

import pytest

from nakama_bots.results.server.machine import NodePages, read_database
from nakama_bots.results.server.page import MOST_NAMES, read_page

NODE = """# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{cpu="0",mode="idle"} 100
node_cpu_seconds_total{cpu="0",mode="user"} 50
# TYPE node_memory_MemTotal_bytes gauge
node_memory_MemTotal_bytes 1000
# TYPE node_memory_MemAvailable_bytes gauge
node_memory_MemAvailable_bytes 250
# TYPE node_network_receive_bytes_total counter
node_network_receive_bytes_total{device="eth0"} 7
node_network_receive_bytes_total{device="lo"} 100
"""

GAME = """# TYPE nakama_Rpc_latency_ms summary
nakama_Rpc_latency_ms{rpc_id="save",quantile="0.95"} 0.2
nakama_Rpc_latency_ms_sum{rpc_id="save"} 1.5
nakama_Rpc_latency_ms_count{rpc_id="save"} 10
nakama_Rpc_latency_ms_sum{rpc_id="load"} 0.5
nakama_Rpc_latency_ms_count{rpc_id="load"} 5
# TYPE nakama_before_AuthenticateDevice_latency_ms summary
nakama_before_AuthenticateDevice_latency_ms_sum 0.25
nakama_before_AuthenticateDevice_latency_ms_count 4
# TYPE nakama_overall_before_latency_ms summary
nakama_overall_before_latency_ms_sum 0.25
nakama_overall_before_latency_ms_count 4
# TYPE nakama_custom_fish_caught counter
nakama_custom_fish_caught 12
# TYPE nakama_custom_ponds gauge
nakama_custom_ponds 3
# TYPE nakama_custom_cast summary
nakama_custom_cast{quantile="0.5"} 0.01
nakama_custom_cast_sum 1
nakama_custom_cast_count 100
"""


def test_functions_hooks_and_custom_metrics_keep_their_names():
    page = read_page(GAME)
    assert page.levels == {"rpc.save.p95": 0.2, "custom.ponds": 3.0, "custom.cast.p50": 0.01}
    assert page.totals == {
        "rpc_seconds": 2.0, "rpcs": 15.0, "rpc.save.seconds": 1.5, "rpc.save.calls": 10.0,
        "rpc.load.seconds": 0.5, "rpc.load.calls": 5.0, "before_hook_seconds": 0.25, "before_hooks": 4.0,
        "before.AuthenticateDevice.seconds": 0.25, "before.AuthenticateDevice.calls": 4.0,
        "custom.fish_caught": 12.0, "custom.cast.seconds": 1.0, "custom.cast.calls": 100.0,
    }  # fmt: skip


def test_names_are_bounded_and_totals_include_all():
    samples = "".join(f'nakama_Rpc_latency_ms_sum{{rpc_id="f{number}"}} 1\n' for number in range(100))
    page = read_page("# TYPE nakama_Rpc_latency_ms summary\n" + samples)
    assert page.totals.pop("rpc_seconds") == 100.0
    assert len(page.totals) == MOST_NAMES


def test_figures_of_a_node_exporter():
    pages = NodePages()
    first = pages.read(NODE)
    assert "host_cpu" not in first.levels
    assert first.levels["host_memory"] == 0.75
    assert first.totals == {"host_received_bytes": 7.0}
    later = pages.read(NODE.replace('mode="idle"} 100', 'mode="idle"} 101').replace("} 50", "} 53"))
    assert later.levels["host_cpu"] == 0.75
    with pytest.raises(ValueError, match="no metrics of a node exporter"):
        pages.read("# TYPE go_goroutines gauge\ngo_goroutines 9\n")


def test_figures_from_rows_of_the_database():
    reading = read_database([[10, 3, 1, 2, 0, 100]], [[500, 2, None, 7, 90, 0]])
    assert reading.levels["postgres_waiting_for_locks"] == 2.0
    assert reading.levels["postgres_connections_max"] == 100.0
    assert reading.totals["postgres_commits"] == 500.0
    assert "postgres_deadlocks" not in reading.totals
    assert read_database([], []).levels == {}
