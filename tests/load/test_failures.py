"""A server that is missing, refuses, or goes away: counted failures with clear names, and no traceback."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from nakama_bots.emulator.server.process import EmulatorProcess

from .lying import LyingServer, OneAnswer
from .running import (
    LOCUSTFILES,
    PINGED,
    SERVER_KEY,
    SPAWNED,
    TRACE,
    Locust,
    assert_no_secret,
    calls,
    free_port,
    labels,
    our_counts,
    poll,
    refused,
    run,
    run_until,
)

NOBODY = LOCUSTFILES / "nobody.py"
TWO = ("-u", "2", "-r", "2")


def until_it_fails(reports: Path, *arguments: str) -> Locust:
    """A run that is stopped when its first failure is logged."""
    with Locust(reports, *TWO, *arguments, locustfile=NOBODY) as locust:
        locust.wait_for("further ones of this kind")
        locust.interrupt()
        locust.finish()
    return locust


def assert_ended_before_any_load(locust: Locust, message: str) -> None:
    assert locust.finish() == 5
    [line] = [line for line in locust.output.splitlines() if line.startswith("nakama_bots: ")]
    assert message in line
    assert TRACE not in locust.output
    assert locust.folders == []


def assert_failed_cleanly(locust: Locust, *secrets: str, code: int = 1) -> None:
    assert locust.finish() == code
    assert TRACE not in locust.output
    assert locust.summary["ledger"]["balanced"]
    assert_no_secret(locust, SERVER_KEY, *secrets)


def test_an_unknown_host(tmp_path: Path) -> None:
    host = ("--host", "http://nakama.invalid", "--nakama-confirm-target", "nakama.invalid")
    locust = run(tmp_path, *TWO, *host, locustfile=NOBODY)
    assert_ended_before_any_load(locust, "nothing answers at http://nakama.invalid:80: ")


def test_a_refused_port(tmp_path: Path) -> None:
    host = f"http://127.0.0.1:{free_port()}"
    locust = run(tmp_path, *TWO, "--host", host, locustfile=NOBODY)
    assert_ended_before_any_load(locust, f"nothing answers at {host}: connection refused")


def test_a_server_that_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    with Locust(
        tmp_path, *TWO, "--host", f"http://127.0.0.1:{port}", "--nakama-wait-for-server", "200",
        locustfile=NOBODY,
    ) as locust:  # fmt: skip
        locust.wait_for("Starting Locust")
        with EmulatorProcess.start(extra=("--port", str(port))):
            locust.wait_for(PINGED)
            locust.interrupt()
            assert locust.finish() == 0
    assert locust.summary["target"]["is_emulator"]


def test_a_server_that_ends_before_the_users_start(tmp_path: Path) -> None:
    with OneAnswer() as server:
        locust = until_it_fails(tmp_path, "--host", server.url)
    assert_failed_cleanly(locust, code=5)
    assert "run: INVALID (exit code 5)" in locust.output
    assert f"nothing answered at {server.url}: " in locust.output
    assert labels(locust.summary) == {"ConnectionRefused"}
    assert our_counts(locust.summary)["POST", "/v2/account/authenticate/device"][1] > 0


@pytest.fixture(scope="module")
def keyed() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start(server_key=SERVER_KEY) as emulator:
        yield emulator


def test_a_wrong_server_key(keyed: EmulatorProcess, tmp_path: Path) -> None:
    wrong = "another-planted-key-93ab"
    given = ("--host", keyed.url, "--nakama-server-key", wrong)
    with Locust(tmp_path, *TWO, *given, locustfile=NOBODY) as locust:
        assert locust.finish() == 2
    assert_no_secret(locust, wrong)


def test_the_server_key_is_in_no_output(keyed: EmulatorProcess, tmp_path: Path) -> None:
    given = (*TWO, "--host", keyed.url, "--nakama-server-key", SERVER_KEY, "-L", "DEBUG")
    locust = run_until(tmp_path, PINGED, given=given, locustfile=NOBODY)
    assert locust.finish() == 0
    assert calls(locust.summary)["WS", "ping"]["count"] > 0
    assert_no_secret(locust, SERVER_KEY)


def test_sessions_that_expire_at_once(tmp_path: Path) -> None:
    """Every connect finds expired tokens: the users log in again each time."""
    extra = ("--token-expiry", "1", "--refresh-token-expiry", "1")
    with EmulatorProcess.start(extra=extra) as emulator:
        given = ("-u", "1", "--host", emulator.url)
        with Locust(tmp_path, *given, locustfile=LOCUSTFILES / "reconnecting.py") as locust:
            for _ in poll(lambda: re.search(r"^WS +ping +([3-9]|\d\d)", locust.output, re.M) is not None):
                pass
            locust.interrupt()
            code = locust.finish()
    assert TRACE not in locust.output
    # On a slow machine more than a second may pass between login and connect.
    assert code == 0 or labels(locust.summary) <= {"HandshakeRefused", "Unauthenticated"}
    logins = calls(locust.summary)["POST", "/v2/account/authenticate/device"]
    assert logins["count"] > 2
    assert logins["failures"] == 0
    assert calls(locust.summary)["WS", "ping"]["count"] > 2
    assert_no_secret(locust)


FORGED = "\x1b[2J\nrun: PASSED (exit code 0)\u202e@octocat"


def test_error_texts_of_a_server_cannot_forge_output(tmp_path: Path) -> None:
    """Neither an error's text nor an exception of the scenario with the same text forges a line."""
    with EmulatorProcess.start(extra=("--control-port", "0")) as emulator:
        faults = [{"kind": "error", "on": "channel_join", "code": 3, "message": FORGED, "rate": 0.5}]
        request = urllib.request.Request(
            f"{emulator.control_url}/faults", json.dumps({"faults": faults}).encode(), method="PUT"
        )
        urllib.request.urlopen(request, timeout=10).close()
        locust = run(
            tmp_path, "-u", "4", "-t", "4s", "--host", emulator.url, locustfile=LOCUSTFILES / "repeating.py"
        )
    assert locust.finish() == 1
    assert "BadInput" in labels(locust.summary)
    (folder,) = locust.folders
    names = ("summary.md", "pull-request.md", "junit.xml", "report.html", "verdict.json", "summary.json")
    texts = [locust.output, *((folder / name).read_text() for name in names)]
    for text in texts:
        assert not {"\x1b", "\u202e"} & set(text)
        assert not any(line.startswith("run: PASSED") for line in text.splitlines())
    assert r"\x1b[2J\x0arun: PASSED (exit code 0)\u202e" in locust.output


def test_a_clock_that_jumps(tmp_path: Path) -> None:
    """An hour forward and back: no valid session is treated as expired, and no expired token is sent."""
    with EmulatorProcess.start() as emulator:
        locust = run(
            tmp_path, "-u", "1", "-t", "5s", "--host", emulator.url, locustfile=LOCUSTFILES / "jumping.py"
        )
    assert TRACE not in locust.output
    assert locust.summary["errors"] == []
    assert calls(locust.summary)["GET", "/v2/account"]["count"] > 10


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmulatorProcess, Path]]:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(folder / "cert.pem", append=True)
    extra = ("--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem"))
    with EmulatorProcess.start(extra=extra) as emulator:
        yield emulator, folder / "ca.pem"


def https(emulator: EmulatorProcess) -> str:
    return "https://" + emulator.url.split("://")[1]


def test_an_untrusted_certificate(tls: tuple[EmulatorProcess, Path], tmp_path: Path) -> None:
    locust = until_it_fails(tmp_path, "--host", https(tls[0]))
    assert_failed_cleanly(locust)
    assert labels(locust.summary) == {"TlsError"}


@pytest.mark.parametrize("trust", ["ca", "insecure"])
def test_a_trusted_certificate(trust: str, tls: tuple[EmulatorProcess, Path], tmp_path: Path) -> None:
    flags = ("--nakama-tls-ca", str(tls[1])) if trust == "ca" else ("--nakama-tls-insecure",)
    given = (*TWO, "--host", https(tls[0]), *flags)
    locust = run_until(tmp_path, PINGED, given=given, locustfile=NOBODY)
    assert locust.finish() == 0
    assert TRACE not in locust.output
    assert calls(locust.summary)["WS", "ping"]["count"] > 0


@pytest.mark.parametrize("lie", ["reserved bits", "not json", "masked"])
def test_malformed_frames(lie: str, tmp_path: Path) -> None:
    with LyingServer(lie) as server:
        locust = until_it_fails(tmp_path, "--host", server.url)
    assert_failed_cleanly(locust)
    assert "ProtocolError" in labels(locust.summary)


def test_a_login_without_a_session(tmp_path: Path) -> None:
    with LyingServer("no tokens") as server:
        locust = until_it_fails(tmp_path, "--host", server.url)
    assert_failed_cleanly(locust)
    assert labels(locust.summary) == {"ProtocolError"}


def test_a_server_that_is_restarted(tmp_path: Path) -> None:
    """Killed during the run, then restarted on the same port with an empty database: the users continue."""
    port = free_port()
    extra = ("--port", str(port))
    arguments = ("-u", "4", "-r", "4", "--host", f"http://127.0.0.1:{port}")
    with EmulatorProcess.start(extra=extra) as first:
        locust = Locust(tmp_path, *arguments, "-t", "60s", locustfile=NOBODY)
        with locust:
            locust.wait_for(SPAWNED)
            first.stop()
            locust.wait_for("ConnectionRefused")
            with EmulatorProcess.start(extra=(*extra, "--metrics-port", "0")) as second:
                # By sockets, not accounts: a token of the killed server still opens a socket.
                wait_for_sockets(second.metrics_url, 4)
                locust.interrupt()
                assert locust.finish() == 1
    assert TRACE not in locust.output
    assert locust.summary["ledger"]["balanced"]
    assert "ConnectionRefused" in labels(locust.summary)
    assert labels(locust.summary) <= {
        "ConnectionClosed", "ConnectionRefused", "ConnectionFailed", "HandshakeRefused", "Unauthenticated",
        "NotFound",  # the account of a user that logged in before the restart
    }  # fmt: skip
    assert locust.summary["target"]["is_emulator"]  # known from its first answer
    assert refused(port)


def wait_for_sockets(url: str, number: int) -> None:
    """Wait until the server's gauge shows this number of open sockets."""

    def reached() -> bool:
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        return re.search(rf"^nakama_sessions(?:{{.*}})? {number}$", text, re.M) is not None

    for _ in poll(reached):
        pass


def test_a_killed_server_ends_nothing_before_the_run_time(tmp_path: Path) -> None:
    with (
        EmulatorProcess.start(matchmaker_interval=0.2) as emulator,
        Locust(tmp_path, "-u", "3", "-r", "3", "-t", "6s", "--host", emulator.url, "Duel") as locust,
    ):
        locust.wait_for("PUSH     matchmaker_matched")
        os.kill(emulator.pid, signal.SIGKILL)
        assert locust.finish() == 1
    assert "run-time limit reached" in locust.output
    assert TRACE not in locust.output
    assert locust.summary["ledger"]["balanced"]
    # The other label is that of calls under way at that moment; there may be none.
    assert {"ConnectionRefused"} <= labels(locust.summary) <= {"ConnectionClosed", "ConnectionRefused"}
