"""A Locust run with a gate: verdict, exit code and files, however the run ends."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from nakama_bots.cli.main import main
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.results.gate.verdict import VerdictPart
from nakama_bots.results.run_folder import read_verdict

from .running import LOCUSTFILES, PINGED, SPAWNED, TRACE, Locust, assert_no_secret, run, run_until

NOBODY = LOCUSTFILES / "nobody.py"
TWO = ("-u", "2", "-r", "2")
GATE = """\
[gate]
allow_emulator = true

[[rule]]
name = "pings are quick"
calls = "WS ping"
expect = "p50 <= 400 ms"

[[rule]]
name = "nothing fails"
calls = "*"
expect = "fail_ratio <= 1 %"
together = true
"""
FILES = {
    "summary.json", "timeline.jsonl.gz", "verdict.json", "junit.xml", "summary.md", "pull-request.md",
    "calls.csv", "gauges.csv", "report.html", "locust.html",
}  # fmt: skip


@pytest.fixture(scope="module")
def slow() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start(extra=("--fault", "latency:on=ping,ms=600")) as emulator:
        yield emulator


def gate_file(folder: Path, text: str = GATE) -> tuple[str, str]:
    path = folder / "gates.toml"
    path.write_text(text)
    return "--nakama-gate", str(path)


def gated(tmp_path: Path, *arguments: str, text: str = GATE) -> Locust:
    """A run that is interrupted when its pings have been answered."""
    given = (*TWO, *gate_file(tmp_path, text), *arguments)
    return run_until(tmp_path / "reports", PINGED, given=given, locustfile=NOBODY)


def verdict(locust: Locust) -> VerdictPart:
    (folder,) = locust.folders
    assert {path.name for path in folder.iterdir()} >= FILES
    assert TRACE not in locust.output
    return read_verdict(folder)


def outcomes(locust: Locust) -> dict[str, str]:
    return {rule["name"]: rule["outcome"] for rule in verdict(locust)["rules"]}


def test_an_untouched_emulator_passes(tmp_path: Path) -> None:
    locust = gated(tmp_path, text=GATE.replace("400 ms", "400 s"))
    assert locust.finish() == 0
    assert set(outcomes(locust).values()) == {"passed"}
    assert "gate gates.toml: PASSED (exit code 0)" in locust.output


def test_a_slow_emulator_fails_by_the_right_rule(slow: EmulatorProcess, tmp_path: Path) -> None:
    locust = gated(tmp_path, "--host", slow.url)
    assert locust.finish() == 3
    assert outcomes(locust) == {"pings are quick": "failed", "nothing fails": "passed"}
    (why,) = verdict(locust)["why"]
    found = re.match(r"pings are quick: p50 ([\d,.]+) ms", why)
    assert found, why
    assert float(found[1].replace(",", "")) >= 600
    assert verdict(locust)["exit_code"] == 3


def test_an_emulator_started_by_a_user_is_invalid_unless_allowed(slow: EmulatorProcess, tmp_path: Path) -> None:
    text = GATE.replace("allow_emulator = true", "").replace("400 ms", "9 s")
    locust = gated(tmp_path, "--host", slow.url, text=text)
    assert locust.finish() == 4
    assert verdict(locust)["verdict"] == "invalid"
    assert verdict(locust)["is_emulator"]
    assert "the target was the emulator" in verdict(locust)["why"][0]


def test_a_rule_ends_the_run_after_its_grace_period(slow: EmulatorProcess, tmp_path: Path) -> None:
    text = GATE.replace("[gate]", '[gate]\nabort_after = "1 s"')
    text = text.replace('calls = "WS ping"', 'calls = "WS ping"\nabort_on_fail = true')
    given = (*TWO, *gate_file(tmp_path, text), "--host", slow.url, "-t", "300s")
    locust = run(tmp_path / "reports", *given, locustfile=NOBODY)
    assert locust.finish() == 3
    assert "by the rule 'pings are quick'" in verdict(locust)["why"][0]
    assert locust.summary["run"]["duration_s"] < 300


def test_stopped_in_the_middle(slow: EmulatorProcess, tmp_path: Path) -> None:
    with Locust(
        tmp_path / "reports", "-u", "2", "-r", "2", "--host", slow.url,
        *gate_file(tmp_path, GATE),
        locustfile=NOBODY,
    ) as locust:  # fmt: skip
        locust.wait_for("WS       ping")
        locust.signal(signal.SIGTERM)
        assert locust.finish() == 3
    assert outcomes(locust)["pings are quick"] == "failed"


def workers(tmp_path: Path, emulator: EmulatorProcess, *arguments: str, **options: Any) -> Locust:
    return Locust(
        tmp_path / "reports", "-u", "4", "-r", "4", "--processes", "2", "--host", emulator.url,
        *arguments, locustfile=NOBODY, **options,
    )  # fmt: skip


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1aWQiOiJwbGFudGVkIn0.cGxhbnRlZC1zaWduYXR1cmU"
PLANTED = ("planted-server-key-5e", "planted-http-key-b1", "planted-password-77", "planted-bearer-0c", JWT)


def test_no_secret_is_in_any_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Secrets are planted in settings, environment, the gate, its file name, and in server messages."""
    server_key, http_key, password, bearer, token = PLANTED
    said = f"error:on=ping,code=3,rate=0.5,message=password={password} Bearer {bearer} {token}"
    gate = tmp_path / f"password={password}.toml"
    gate.write_text(
        GATE.replace("pings are quick", f"Bearer {bearer}").replace('calls = "*"', f'calls = "{token}"')
    )
    step = tmp_path / "step.md"
    with EmulatorProcess.start(server_key=server_key, http_key=http_key, extra=("--fault", said)) as emulator:
        variables = {"NAKAMA_HTTP_KEY": http_key, "NAKAMA_GATE": str(gate), "GITHUB_STEP_SUMMARY": str(step)}
        with workers(
            tmp_path, emulator, "--nakama-server-key", server_key, "--nakama-request-samples", "9",
            "-L", "DEBUG", environment=variables,
        ) as locust:  # fmt: skip
            locust.wait_for("WS       ping", 3)
            locust.signal(signal.SIGTERM)
            assert locust.finish() == 3
    (folder,) = locust.folders
    assert set(outcomes(locust)) == {"Bearer <secret>", "nothing fails"}
    assert outcomes(locust)["nothing fails"] == "failed"
    assert any("<secret>" in error["example"] for error in locust.summary["errors"])
    assert main(["gate", str(folder), "--gate", str(gate), "--write", "--allow-emulator"]) == 3
    assert main(["gate", str(folder), "--gate", f"{gate}.{token}"]) == 2
    said_later = capsys.readouterr()
    assert {path.name for path in folder.iterdir()} >= FILES | {"requests.csv.gz"}
    assert_no_secret(locust, *PLANTED)
    for text in (step.read_text(), said_later.out, said_later.err):
        assert text
        assert not [secret for secret in PLANTED if secret in text]


def test_a_killed_worker_makes_the_run_invalid(slow: EmulatorProcess, tmp_path: Path) -> None:
    with workers(tmp_path, slow, *gate_file(tmp_path)) as locust:
        locust.wait_for(SPAWNED)
        locust.wait_for("WS       ping")
        first, *_ = psutil.Process(locust.pid).children()
        first.kill()
        locust.signal(signal.SIGTERM)
        assert locust.finish() == 4
    assert "the last figures of 1 of 2 workers are missing" in verdict(locust)["why"]
    assert {rule["name"] for rule in verdict(locust)["rules"]} == {"pings are quick", "nothing fails"}


def test_a_bad_gate_ends_before_any_load(tmp_path: Path) -> None:
    given = (*TWO, *gate_file(tmp_path, GATE.replace("p50 <=", "p50 =<")))
    locust = run(tmp_path / "reports", *given, locustfile=NOBODY)
    assert locust.finish() == 2
    [line] = [line for line in locust.output.splitlines() if line.startswith("nakama_bots: ")]
    assert "gates.toml line 7: rule 1, expect: 'p50 =< 400 ms' cannot be used; accepted: " in line
    assert locust.folders == []
