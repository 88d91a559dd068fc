"""The Prometheus endpoint: Nakama's names, and correct numbers."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess

from .support import TIMEOUT, RawSocket, login

SAMPLE = re.compile(r'(\w+)\{((?:\w+="(?:[^"\\]|\\.)*",?)*)\} (\S+)')
# The metrics of a real Nakama 3.40.0 that the emulator counts.
NAMES = [
    "",
    "nakama_authoritative_matches gauge",
    "nakama_count counter",
    "nakama_latency summary",
    "nakama_matchmaker_active_tickets gauge",
    "nakama_matchmaker_process_time summary",
    "nakama_matchmaker_tickets gauge",
    "nakama_overall_count counter",
    "nakama_overall_errors counter",
    "nakama_overall_latency_ms summary",
    "nakama_overall_message_count counter",
    "nakama_overall_message_errors counter",
    "nakama_overall_message_recv_bytes counter",
    "nakama_overall_message_sent_bytes counter",
    "nakama_overall_recv_bytes counter",
    "nakama_overall_request_count counter",
    "nakama_overall_request_errors counter",
    "nakama_overall_request_recv_bytes counter",
    "nakama_overall_request_sent_bytes counter",
    "nakama_overall_sent_bytes counter",
    "nakama_parties gauge",
    "nakama_presences gauge",
    "nakama_recv_bytes counter",
    "nakama_sent_bytes counter",
    "nakama_sessions gauge",
    "nakama_socket_ws_closed counter",
    "nakama_socket_ws_opened counter",
    "nakama_AuthenticateDevice_count counter",
    "nakama_AuthenticateDevice_latency_ms summary",
    "nakama_Rpc_count counter",
    "nakama_Rpc_errors counter",
    "",
][1:-1]


@pytest.fixture(scope="module")
def measured() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start(matchmaker_interval=0.05, extra=("--metrics-port", "0")) as process:
        yield process
    assert "Traceback" not in process.stderr


def scrape(emulator: EmulatorProcess) -> tuple[dict[str, float], list[str]]:
    with urllib.request.urlopen(emulator.metrics_url, timeout=TIMEOUT) as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = response.read().decode()
    samples, kinds = {}, []
    for line in text.splitlines():
        if line.startswith("#"):
            if line.startswith("# TYPE "):
                kinds.append(line.removeprefix("# TYPE "))
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        labels = match[2].removeprefix('node_name="emulator"').removeprefix(",")
        samples[match[1] + (f"{{{labels}}}" if labels else "")] = float(match[3])
    return samples, kinds


def test_names_and_numbers(measured: EmulatorProcess) -> None:
    token = str(login(measured.url, "device-of-the-metrics")["token"])
    rpc = urllib.request.Request(
        f"{measured.url}/v2/rpc/fail_code", b'"x"', {"Authorization": f"Bearer {token}"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(rpc, timeout=TIMEOUT)
    caught.value.close()
    with RawSocket(measured.url, token) as gone:
        gone.send({"cid": "1", "ping": {}})
        gone.receive_json()
        gone.send(b"", opcode=8)
        assert gone.receive_all()
    with RawSocket(measured.url, token) as client:
        for message in (
            {"matchmaker_add": {"min_count": 2, "max_count": 2, "query": "*"}},
            {"match_join": {"match_id": "nope"}},
            {"rpc": {"id": "create_match"}},
            {"party_create": {"max_size": 1}},
        ):
            client.send({"cid": "1", **message})
            client.receive_json()
        samples, kinds = scrape(measured)
        end = time.monotonic() + TIMEOUT
        while "nakama_matchmaker_process_time_count" not in samples and time.monotonic() < end:
            samples, kinds = scrape(measured)  # until the matchmaker has run once
    assert set(NAMES) <= set(kinds)
    assert len(kinds) == len(set(kinds))
    for name, number in {
        "sessions": 1,
        "parties": 1,
        "presences": 1,
        "authoritative_matches": 1,
        "matchmaker_tickets": 1,
        "socket_ws_opened": 2,
        "overall_message_count": 5,
        "overall_message_errors": 1,
        "overall_request_count": 2,
        "overall_request_errors": 1,
        "AuthenticateDevice_count": 1,
        'Rpc_errors{rpc_id="fail_code"}': 1,
        'count{rpc_code="FailedPrecondition",rpc_id="fail_code",transport="http_rpc"}': 1,
        "AuthenticateDevice_latency_ms_count": 1,
    }.items():
        assert samples[f"nakama_{name}"] == number, name
    assert samples["nakama_overall_message_recv_bytes"] > 100
    assert samples["nakama_matchmaker_process_time_count"] >= 1
    assert 0 < samples['nakama_overall_latency_ms{quantile="0.5"}'] < TIMEOUT


def test_only_get_is_allowed(measured: EmulatorProcess) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(measured.metrics_url, b"", timeout=TIMEOUT)
    assert caught.value.code == 405
    caught.value.close()


def test_port_in_use(measured: EmulatorProcess) -> None:
    from nakama_bots.emulator.server.process import EmulatorStartError  # noqa: PLC0415

    port = measured.metrics_url.rsplit(":", 1)[1]
    with pytest.raises(EmulatorStartError, match="--metrics-port"):
        EmulatorProcess.start(extra=("--metrics-port", port))
