from __future__ import annotations

from nakama_bots.errors import RequestTimeout
from nakama_bots.observer import FinishedCall
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.show.published import CODE_WIZARDS, HEROIC, WORKLOADS, side_by_side


def recorded() -> Recorder:
    recorder = Recorder(0.0)
    for _ in range(30):
        recorder.call(FinishedCall("POST", "/v2/account/authenticate/device", 0.0, 0.010, 10, None))
    recorder.call(FinishedCall("WS", "connect", 0.0, 0.050, 0, None))
    recorder.call(FinishedCall("PUSH", "match_data (echo)", 0.0, 9.0, 0, None))
    recorder.call(FinishedCall("WS", "rpc", 0.0, 1.0, 0, RequestTimeout("late")))
    return recorder


def test_each_figure_is_beside_its_measure() -> None:
    rows = side_by_side(["register", "sockets"], recorded(), 10.0)
    found = {row["figure"]: (row["published"], row["measured"], row["unit"]) for row in rows}
    assert found["accounts created"] == (519, 3.0, "/s")
    assert found["sockets opened and held"] == (19_542, 1.0, "")
    published, measured, unit = found["register, mean"]
    assert (published, unit) == (24.60, "ms")
    assert measured is not None
    assert abs(measured - 10.0) < 0.2
    assert {row["by"] for row in rows} == {HEROIC}


def test_failures_are_requests_but_pushes_are_not() -> None:
    (match,) = side_by_side(["match"], recorded(), 10.0)
    assert match["measured"] is not None
    assert 10.0 < match["measured"] < 12.0
    failed = {row["figure"]: row for row in side_by_side(["code_wizards"], recorded(), 10.0)}["failed"]
    assert (failed["measured"], failed["by"]) == (round(100 / 33, 3), CODE_WIZARDS)


def test_without_calls_nothing_is_measured() -> None:
    rows = side_by_side(WORKLOADS, Recorder(0.0), 10.0)
    assert {row["measured"] for row in rows} == {None}
    assert side_by_side([], recorded(), 10.0) == []
