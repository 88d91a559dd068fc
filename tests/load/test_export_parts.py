"""Each export in this process: failing webhooks, slow readers and idle scrapers."""

from __future__ import annotations

import logging
import os
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import gevent
import orjson
import psutil
import pytest
import trustme

from nakama_bots.load.ending import Conclusion
from nakama_bots.load.export.exports import Exports
from nakama_bots.load.export.line_writer import LineWriter
from nakama_bots.load.export.metrics_server import CONNECTIONS, MetricsServer
from nakama_bots.load.export.webhook import post_verdict
from nakama_bots.load.figures.intervals import Totals
from nakama_bots.results.gate.verdict import VerdictPart, no_verdict
from nakama_bots.results.record.timeline import gauges_only
from nakama_bots.results.summary import RunInfo
from nakama_bots.settings.exports import Listen, Sink, Webhook
from nakama_bots.settings.health_limits import HealthLimits
from nakama_bots.settings.network import Network, Tls
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Target

from .hook import SECRET, hook
from .running import poll

INFO = RunInfo(
    "duel", datetime(2026, 7, 1, tzinfo=UTC), Target("h", 7350), is_emulator=False, users=2, spawn_rate=1.0
)


def exports(totals: Totals, **values: object) -> Exports:
    return Exports(Settings.resolve(values, {}), totals, lambda: "passed")


def test_a_run_without_a_verdict_is_posted_as_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI_JOB_URL", raising=False)
    with hook() as (url, posted):
        sent = exports(Totals(), webhook=url)
        sent.begin(INFO)
        sent.post(Conclusion(no_verdict(INFO)))
    [message] = posted
    assert message["text"] == (
        ":warning: *INVALID* (exit code 4): duel against http://h:7350\n"
        "• the verdict could not be computed (see the log)"
    )


def test_a_message_that_cannot_be_built_is_logged_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    post_verdict(Webhook.parse("http://127.0.0.1:1/secret"), Network(), cast("VerdictPart", {}), None)
    assert caplog.messages == ["--nakama-webhook: 127.0.0.1:1 did not accept the verdict (KeyError)"]


def test_the_webhook_does_not_use_the_tls_settings_of_the_game_server(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    with hook(tls=context) as (url, posted):
        post_verdict(Webhook.parse(url), Network(Tls(insecure=True)), no_verdict(INFO), None)
    assert posted == []
    assert "certificate not accepted" in caplog.text
    assert SECRET not in caplog.text


def test_a_second_run_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text("of another run\n")
    totals = Totals()
    written = exports(totals, timeline=str(path))
    for number in (1.0, 2.0):
        totals.reset(HealthLimits())
        written.begin(INFO)
        totals.add(gauges_only("local", number, 1.0, {"users": number}))
        written.end(Conclusion(no_verdict(INFO)))
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [line.get("at") for line in lines] == [None, 1.0, None, 2.0]


def threads() -> int:
    return psutil.Process().num_threads()


def test_a_closed_writer_leaves_no_thread(tmp_path: Path) -> None:
    before = threads()
    for _ in range(3):
        writer = LineWriter(Sink(tmp_path / "lines"))
        writer.add(b"a line\n")
        writer.close()
    for _ in poll(lambda: threads() <= before, timeout=30.0):
        gevent.sleep(0.01)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[tuple[Path, int, int]]:
    """A full pipe, its reader, and its size in bytes."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    held = 0
    with suppress(BlockingIOError):
        while True:
            held += os.write(writer, b"x" * 4096)
    os.close(writer)
    yield path, reader, held
    os.close(reader)


def test_lines_that_are_not_read_in_time_are_dropped_and_counted(
    full: tuple[Path, int, int], caplog: pytest.LogCaptureFixture
) -> None:
    path, reader, held = full
    writer = LineWriter(Sink(path))
    line = b"y" * 4095 + b"\n"  # as long as one write of the thread
    for _ in range(5):
        writer.add(line)
    writer.close()
    assert caplog.messages == [
        f"--nakama-timeline: {path} has not been read for 5 s",
        f"--nakama-timeline: 5 lines of {path} were dropped",
    ]
    # When the pipe is read, the pending write ends and the file is closed.
    chunks: list[bytes] = []

    def ended() -> bool:
        with suppress(BlockingIOError):
            chunks.append(os.read(reader, 1 << 20))
        return chunks[-1] == b""

    for _ in poll(ended, timeout=30.0):
        gevent.sleep(0.01)
    assert b"".join(chunks) == b"x" * held + line


def metrics(port: int) -> bytes:
    with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: sock.recv(65536), b""))
    return b""


@pytest.mark.parametrize("sent", [b"", b"GET /", b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"])
def test_idle_connections_do_not_block_the_endpoint(
    sent: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    pages: list[Iterable[bytes]] = [[b"x" * 2**26]] * (CONNECTIONS if b"metrics" in sent else 0)
    server = MetricsServer(lambda: pages.pop() if pages else [b"the page"], patience=0.5)
    with caplog.at_level(logging.INFO):
        server.start(Listen("127.0.0.1", 0))
    held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(CONNECTIONS)]
    try:
        for sock in held:
            sock.sendall(sent)
        for _ in poll(lambda: not pages):
            gevent.sleep(0.01)
        # A busy machine may exceed this timeout, but not every time.
        for _ in poll(lambda: b"the page" in gevent.get_hub().threadpool.apply(metrics, (server.port,))):
            pass
    finally:
        for sock in held:
            sock.close()
        server.stop()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("host", ["nohost.invalid", "x" * 70])
def test_an_invalid_host_is_logged_in_one_line(host: str, caplog: pytest.LogCaptureFixture) -> None:
    MetricsServer(lambda: ()).start(Listen(host, 9755))
    [line] = caplog.messages
    assert line == (
        f"--nakama-prometheus: cannot listen on {host}:9755 (the host's name cannot be resolved): "
        "the run continues without it"
    )
