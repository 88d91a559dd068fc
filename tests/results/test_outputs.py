"""The files beside the summary: JUnit, Markdown, CSV, single requests."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema

from nakama_bots.errors import Abandoned, RequestTimeout
from nakama_bots.observer import FinishedCall
from nakama_bots.results.gate.gate_file import parse_gate
from nakama_bots.results.gate.rules import evaluate_all
from nakama_bots.results.gate.verdict import Verdict, conclude
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.record.request_samples import RequestLog, RequestSampler
from nakama_bots.results.record.timeline import Timeline
from nakama_bots.results.show.csv_files import calls_csv, gauges_csv
from nakama_bots.results.show.junit import junit
from nakama_bots.results.show.markdown import job_summary, pull_request
from nakama_bots.results.show.outputs import STEP_SUMMARY, OutputError, tell_ci, write_outputs, write_tables
from nakama_bots.results.show.text import end_of_run
from nakama_bots.results.summary import Summary

GATE = """\
[[rule]]
name = "quick | <joins> & \x1fodd"
calls = "WS match_join"
expect = "p95 <= 1 ms"
[[rule]]
calls = "PUSH *"
expect = "count >= 1"
[[rule]]
calls = "WS nothing"
expect = "count >= 1"
severity = "warn"
""".replace("\x1f", "\\u001f")


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema10:
    return xmlschema.XMLSchema10(Path(__file__).parent / "data/junit-10.xsd")


@pytest.fixture
def verdict(summary: Summary) -> Verdict:
    gate = parse_gate(GATE, "g.toml")
    return conclude(summary, gate, evaluate_all(gate, summary, None))


def cases(data: bytes) -> dict[str, list[str]]:
    return {case.attrib["name"]: [child.tag for child in case] for case in ET.fromstring(data).iter("testcase")}


def test_junit_is_valid_and_has_a_case_for_each_rule(
    verdict: Verdict, summary: Summary, schema: xmlschema.XMLSchema10
) -> None:
    data = junit(verdict, summary)
    schema.validate(io.BytesIO(data))
    assert cases(data) == {
        "the run": [],
        "quick | <joins> & \\x1fodd": ["failure"],
        "calls PUSH *: count >= 1": ["system-out"],
        "calls WS nothing: count >= 1": ["skipped"],
    }
    suite = ET.fromstring(data)[0]
    assert [suite.attrib[name] for name in ("tests", "failures", "errors", "skipped")] == ["4", "1", "0", "1"]
    (failure,) = suite.iter("failure")
    assert failure.attrib["message"] == "p95 9.503 ms, limit 1 ms (WS match_join, 1,000 samples)"
    assert failure.text == failure.attrib["message"]


FORGED = (
    "no\x1b[2J\nrun: PASSED (exit code 0)\u202e\x9b31m <b> @octocat #12 GH-7 https://x.test www.x.test | end"
)


def test_text_of_the_server_is_escaped_in_every_output(summary: Summary, schema: xmlschema.XMLSchema10) -> None:
    """Control characters, line breaks, direction marks, mentions, references and links in an error's text."""
    verdict = conclude(summary, None, (), faults=[FORGED])
    texts = {
        "terminal": end_of_run(summary, (), verdict),
        "job": job_summary(verdict, summary),
        "pull request": pull_request(verdict, summary),
        "junit": junit(verdict, summary).decode(),
    }
    for name, text in texts.items():
        assert not set("\x1b\x9b\u202e") & set(text), name
        assert "run: PASSED" in text.replace("\\", ""), name  # the whole text is shown
        assert not any(line.lstrip("- ").startswith("run: PASSED") for line in text.splitlines()), name
    for name in ("job", "pull request"):
        for active in ("@octocat", "#12", "GH-7", "https://x", "www.x", "<b>"):
            assert active not in texts[name], (name, active)
        assert r"\| end" in texts[name]
    schema.validate(io.BytesIO(texts["junit"].encode()))


def test_an_invalid_run_is_an_error_of_the_run(summary: Summary, schema: xmlschema.XMLSchema10) -> None:
    gate = parse_gate(GATE, "g.toml")
    verdict = conclude(
        summary, gate, evaluate_all(gate, summary, None), missing=["a worker's figures are missing"]
    )
    data = junit(verdict, summary)
    schema.validate(io.BytesIO(data))
    assert cases(data)["the run"] == ["error"]
    assert b'message="a worker\'s figures are missing"' in data


def test_markdown(verdict: Verdict, summary: Summary) -> None:
    text = job_summary(verdict, summary)
    assert text.startswith("### Load test ❌ failed: duel (exit code 3)\n")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[1] == (
        r"| ❌ | quick \| \<joins\> \& odd | 9.503 ms | \<= 1 ms | 1,000 | WS match\_join |"
    )  # fmt: skip
    assert len(rows) == 1 + 3 + 1 + len(summary["calls"])
    short = pull_request(verdict, summary)
    assert "<details><summary>1 of 3 rules passed</summary>" in short
    assert len(short) < len(text)


def test_the_files_and_the_ci_step_summary_are_written(
    verdict: Verdict, summary: Summary, tmp_path: Path
) -> None:
    step = tmp_path / "step.md"
    step.write_text("before\n")
    files = write_outputs(tmp_path, summary, verdict)
    tell_ci(verdict, summary, {STEP_SUMMARY: str(step)})
    tell_ci(verdict, summary, {})
    assert [path.name for path in files] == ["verdict.json", "junit.xml", "summary.md", "pull-request.md"]
    assert step.read_text() == "before\n" + (tmp_path / "summary.md").read_text() + "\n"
    with pytest.raises(OutputError, match="GITHUB_STEP_SUMMARY"):
        tell_ci(verdict, summary, {STEP_SUMMARY: str(tmp_path / "none" / "x")})


def test_an_unwritable_folder(verdict: Verdict, summary: Summary, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"verdict\.json: cannot be written \(No such file"):
        write_outputs(tmp_path / "none", summary, verdict)


def timeline() -> Timeline:
    line = Timeline(1000.0)
    for source, begin in (("a", 0.01), ("b", 0.4)):
        for second in range(3):
            recorder = Recorder(0.0)
            recorder.call(FinishedCall("WS", "ping", 0.0, (second + 1) / 1e3, 5, None))
            recorder.call(FinishedCall("WS", "ping", 0.0, 1.0, 0, RequestTimeout("late")))
            recorder.call(FinishedCall("WS", "ping", 0.0, 1.0, 0, Abandoned("stopped")))
            line.add({"source": source, "at": 1000.0 + begin + second, "seconds": 1.0,
                      "recorded": recorder.recorded(), "gauges": {"users": 4.0}})  # fmt: skip
    return line


def rows(lines: object) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(lines).decode())))  # type: ignore[call-overload]


def test_the_calls_by_second_and_name() -> None:
    found = rows(calls_csv(timeline()))
    assert [row["second"] for row in found] == ["0", "1", "2"]
    assert sum(int(row["count"]) for row in found) == 18
    assert {(row["failures"], row["abandoned"]) for row in found} == {("2", "2")}
    for column in ("p50_ms", "max_ms"):
        assert [float(row[column]) for row in found] == pytest.approx([1, 2, 3], rel=1e-3)


def test_the_gauges_of_all_processes() -> None:
    assert [(row["second"], row["users"]) for row in rows(gauges_csv(timeline()))] == [
        ("0", "8"), ("1", "8"), ("2", "8"),
    ]  # fmt: skip


def test_an_empty_time_line_has_its_columns() -> None:
    assert b"".join(calls_csv(Timeline(0.0))).startswith(b"second,seconds,kind")
    assert b"".join(gauges_csv(Timeline(0.0))) == b"second,seconds\n"


def test_single_requests_are_sampled_fairly_and_bounded(tmp_path: Path) -> None:
    chosen: Counter[int] = Counter()
    for seed in range(300):
        sampler = RequestSampler(5, 0.0, seed)
        for number in range(50):
            sampler.call(FinishedCall("WS", "ping", float(number), 0.001, 3, None))
        kept = sampler.take()
        assert len({request["at"] for request in kept}) == 5
        chosen.update(int(request["at"]) for request in kept)
        assert sampler.take() == []
    # 300 * 5 / 50 = 30 each on average, early and late alike.
    assert abs(sum(chosen[number] for number in range(25)) - 750) < 120
    log = RequestLog(limit=7)
    log.add("a", kept)
    log.add("b", kept)
    assert len(log) == 7
    files = write_tables(tmp_path, Timeline(0.0), log)
    assert [path.name for path in files] == ["calls.csv", "gauges.csv", "requests.csv.gz"]
    table = list(csv.DictReader(io.StringIO(gzip.decompress(files[-1].read_bytes()).decode())))
    assert [row["source"] for row in table] == ["a"] * 5 + ["b"] * 2
    assert {(row["kind"], row["name"], row["ms"], row["bytes"], row["outcome"]) for row in table} == {
        ("WS", "ping", "1.000", "3", "ok")
    }


def test_a_failure_has_an_outcome_without_its_text() -> None:
    sampler = RequestSampler(5, 0.0, 0)
    sampler.call(FinishedCall("WS", "ping", 0.0, 1.0, 0, RequestTimeout("a text with token=s3cret")))
    (request,) = sampler.take()
    assert request["outcome"] == "timeout"
    assert "s3cret" not in str(request)
