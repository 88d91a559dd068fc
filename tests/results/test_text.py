from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nakama_bots import observer
from nakama_bots.errors import RequestTimeout
from nakama_bots.observer import FinishedCall
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.show.text import WIDTH, end_of_run, shorten
from nakama_bots.results.summary import build_summary
from nakama_bots.results.timing import timed_by, timing_part
from nakama_bots.settings.target import Target

from .conftest import ENDED, ORIGIN

GOLDEN = Path(__file__).parent / "golden" / "end_of_run.txt"


def test_the_text_of_a_run(summary):
    files = [
        Path("reports/20260304-050607-duel/summary.json"),
        Path("reports/20260304-050607-duel/locust.html"),
    ]
    assert end_of_run(summary, files) + "\n" == GOLDEN.read_text()


def test_the_emulator_is_prominent(run, recorder):
    run = replace(run, is_emulator=True, target=Target("127.0.0.1", 40123))
    lines = end_of_run(build_summary(run, recorder, ended=ENDED, duration=30.25)).splitlines()
    assert lines[:4] == [
        "!" * 80,
        "!!! TARGET: THE EMULATOR at http://127.0.0.1:40123, NOT A NAKAMA SERVER",
        "!!! The figures describe this client and the emulator, not a real server.",
        "!" * 80,
    ]


def test_an_empty_run_prints_no_empty_parts(run):
    text = end_of_run(build_summary(run, Recorder(ORIGIN), ended=ENDED, duration=0.5))
    assert text.splitlines() == [
        "target: https://game.example.com:443",
        "duel: 20 users for 0.5 s",
        "",
        "no call was made",
        "",
        "generator: not measured",
        "cid ledger: sent 0 = ok 0 + error 0 + timeout 0 + closed 0 + abandoned 0 (balanced); late 0",
    ]


def test_counted_but_never_timed_is_not_measured(run):
    recorder = Recorder(ORIGIN)
    for name in ("delivery_received", "tickets_added", "ticks_missed"):
        recorder.count(name)
    text = end_of_run(build_summary(run, recorder, ended=ENDED, duration=0.5))
    for line in (
        "ticks: 0 sent, 1 missed; late not measured",
        "match delivery latency: not measured",
        "time to match: not measured",
    ):
        assert line in text.splitlines()


BOTH = """\
sockets: 1,999 of 2,000 messages timed by the kernel; REST: 1 of 2 answers; the others until they were read
a stamp from before the send was not believed 3 times; the wall clock was set 2 times
answers waited in the generator (not in the times): p50 2.00, p95 4.00, p99 4.00, max 4.00 ms
1 of 2 answers have a later message's stamp: their times are at most 0.50 ms (p99) too long"""


@pytest.mark.parametrize(
    ("stamped", "unstamped", "calls", "lines"),
    [
        (1999, 1, [("WS", 0.002), ("WS", 0.004), ("GET", 0.001), ("GET", None)], BOTH),
        (1, 0, [("GET", None)], "sockets: 1 of 1 messages timed by the kernel; REST: timed in the process"),
        (0, 1, [], "sockets: timed in the process, until an answer is read (the kernel gives no stamps)"),
        (0, 0, [("GET", 0.001)], "REST: 1 of 1 answers timed by the kernel"),
    ],
)
def test_how_the_calls_were_timed(run, stamped, unstamped, calls, lines):
    recorder = Recorder(ORIGIN)
    recorder.count(observer.MESSAGES_STAMPED, stamped)
    recorder.count(observer.MESSAGES_UNSTAMPED, unstamped)
    for kind, waited in calls:
        recorder.call(FinishedCall(kind, "one", ORIGIN, 0.01, 1, None, waited))
    recorder.call(FinishedCall("GET", "one", ORIGIN, 0.01, 0, RequestTimeout("no answer")))
    if lines is BOTH:
        recorder.count(observer.CLOCK_STEPS, 2)
        recorder.count(observer.STAMPS_TOO_EARLY, 3)
        recorder.sample(observer.SHARED_STAMP, 0.0005)
    text = end_of_run(build_summary(run, recorder, ended=ENDED, duration=30.25))
    assert f"\n{lines}\n" in text
    assert ("later message's stamp" in text) == (lines is BOTH)


def test_long_and_odd_names_stay_within_the_width(run):
    recorder = Recorder(ORIGIN)
    long = "/v2/" + "very/" * 60 + "{id}"
    for kind, name in (("GET", long), ("K" * 50, "x"), ("WS", "名前\n\x1b[31m")):
        for _ in range(1000):
            recorder.call(FinishedCall(kind, name, ORIGIN, 5000.0, 0, None))
    named = replace(run, scenario="s" * 300, target=Target("h.e" * 80, 443, ssl=True), is_emulator=True)
    text = end_of_run(build_summary(named, recorder, ended=ENDED, duration=1e6))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.isascii()
    (row,) = [line for line in text.splitlines() if line.startswith("GET")]
    assert row.split()[1].startswith("/v2/ver")
    assert "..." in row
    assert row.split()[1].endswith("/{id}")
    assert row.split()[2:] == ["1,000", "0", "0", *["3,600,000.00"] * 4]


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("match_join", 10, "match_join"),
        ("match_join", 9, "mat...oin"),
        ("match_join", 8, "ma...oin"),
        ("", 5, ""),
    ],
)
def test_text_is_shortened_in_the_middle(text, width, short):
    assert shorten(text, width) == short


@pytest.mark.parametrize(
    ("by_kernel", "in_process", "way"),
    [(99, 1, "by the kernel"), (50, 50, "partly by the kernel"), (1, 99, "in the process")],
)
def test_the_way_of_timing(by_kernel, in_process, way):
    timing = timing_part(Recorder(0.0)) | {"by_kernel": by_kernel, "in_process": in_process}
    assert timed_by(timing) == {"sockets": way}
    assert timed_by(None) == {}
