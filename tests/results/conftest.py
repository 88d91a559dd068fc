"""A small run that is the same each time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nakama_bots import observer
from nakama_bots.errors import Abandoned, ConnectionClosed, HandshakeRefused, RequestTimeout, realtime_error
from nakama_bots.observer import FinishedCall
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.summary import RunInfo, Summary, build_summary
from nakama_bots.settings.target import Target

ORIGIN = 1000.0
STARTED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ENDED = datetime(2026, 3, 4, 5, 6, 37, 250_000, tzinfo=UTC)

COUNTS = {
    observer.TICKS_SENT: 3000,
    observer.TICKS_MISSED: 2,
    "delivery_expected": 3000,
    "delivery_received": 2985,
    "delivery_missed": 5,
    "delivery_unknown": 1,
    "delivery.chat_expected": 78,
    "delivery.chat_received": 77,
    "delivery_lost": 9,
    "delivery_duplicated": 1,
    "delivery_reordered": 4,
    observer.TICKETS_ADDED: 22,
    observer.TICKETS_MATCHED: 20,
    observer.TICKETS_CANCELLED: 1,
    observer.TICKETS_TIMED_OUT: 1,
    observer.MATCHES_JOINED: 20,
    observer.MATCHES_PLAYED: 18,
    observer.CHAT_SENT: 40,
    observer.CHAT_RECEIVED: 78,
    "ledger.sent": 1234,
    "ledger.ok": 1227,
    "ledger.error": 2,
    "ledger.timeout": 1,
    "ledger.closed": 1,
    "ledger.abandoned": 3,
    "ledger.late": 1,
    "ledger.pushes": 5000,
    "fish_caught": 7,
}


def errors():
    join = {"operation": "match_join", "elapsed": 0.02}
    return [
        ("WS", "match_join", realtime_error(4, "Match 2f1c8c1e-0b1c-4d0e-9f5e-3a1b2c3d4e5f gone", **join)),
        ("WS", "match_join", realtime_error(4, "Match 00000000-0b1c-4d0e-9f5e-3a1b2c3d4e5f gone", **join)),
        ("WS", "channel_join", RequestTimeout("no answer within 10.0 s", operation="channel_join")),
        ("WS", "channel_join", ConnectionClosed(1001, "going away", operation="channel_join")),
        ("WS", "ping", Abandoned("stopped", operation="ping")),
        ("WS", "connect", HandshakeRefused(401, "Missing or invalid token", operation="connect")),
    ]


@pytest.fixture
def recorder() -> Recorder:
    recorder = Recorder(ORIGIN)
    for number in range(1, 1001):
        recorder.call(FinishedCall("WS", "match_join", ORIGIN, number / 1e5, 120, None))
        recorder.sample(observer.TICK_LATENESS, number / 1e6)
        recorder.sample(observer.DELIVERY_LATENCY, number / 4e5)
        recorder.sample(observer.DELIVERY_LATENCY + observer.CORRECTED, number / 2e5)
    for number in range(1, 21):
        recorder.call(FinishedCall("PUSH", "matchmaker_matched", ORIGIN, number / 10, 400, None))
        recorder.call(FinishedCall("POST", "/v2/account/authenticate/device", ORIGIN, number / 1e3, 700, None))
    for offset, (kind, name, error) in enumerate(errors()):
        recorder.call(FinishedCall(kind, name, ORIGIN + offset, 0.25, 0, error))
    for name, number in COUNTS.items():
        recorder.count(name, number)
    recorder.sample("fishing_time", 12.5)
    return recorder


@pytest.fixture
def run() -> RunInfo:
    return RunInfo(
        scenario="duel",
        started=STARTED,
        target=Target("game.example.com", 443, ssl=True),
        is_emulator=False,
        users=20,
        spawn_rate=10.0,
        versions={"nakama_bots": "0.1.0", "locust": "2.47.0"},
        settings={
            "seed": 1,
            "id_prefix": "nbots",
            "tls_insecure": False,
            "request_timeout": 10.0,
            "tls_ca": "",
        },
    )


@pytest.fixture
def summary(run: RunInfo, recorder: Recorder) -> Summary:
    return build_summary(run, recorder, ended=ENDED, duration=30.25)
