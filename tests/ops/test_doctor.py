"""``nakama-bots doctor``: findings, advice, exit codes, and that no account is left behind."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import pytest
import trustme
from players.support import make_player, scripted_nakama, target_of

from nakama_bots.cli.main import main
from nakama_bots.emulator.server import faults as faults_of
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import NotFound
from nakama_bots.ops import doctor
from nakama_bots.ops.doctor_checks import CHECKS
from nakama_bots.settings.target import Target

Doctor = Callable[..., tuple[int, dict[str, dict[str, Any]]]]
NAMES = [check.name for check in CHECKS]
TIMEOUT = 30.0


def all_after(number: int) -> list[str]:
    """The checks from this number on, except "versions", which depends on no other check."""
    return [name for name in NAMES[number:] if name != "versions"]


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    with gevent.Timeout(60, AssertionError("the test hangs")):
        yield


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start(matchmaker_interval=0.1) as process:
        yield process


@pytest.fixture
def run_doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Run the command; return its exit code and its findings by name."""

    def run(url: str, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
        code = main(["doctor", url, "--json", *arguments])
        document = json.loads(capsys.readouterr().out)
        assert document["exit_code"] == code
        return code, {check["name"]: check for check in document["checks"]}

    return run


def outcomes(checks: dict[str, dict[str, Any]], status: str) -> list[str]:
    return [name for name, check in checks.items() if check["status"] == status]


def test_a_healthy_server(emulator: EmulatorProcess, run_doctor: Doctor) -> None:
    code, checks = run_doctor(emulator.url)
    assert code == 0
    assert list(checks) == [*NAMES, "tidy"]
    assert outcomes(checks, "ok") == list(checks)
    assert not any(check["advice"] for check in checks.values())
    assert "this package's emulator" in checks["versions"]["found"]


def test_every_account_is_deleted(emulator: EmulatorProcess) -> None:
    target = Target.parse(emulator.url)
    player, _ = make_player(target)
    patient = doctor.Patient(player.world, 7, 5.0)
    ids = [player.identity.device_id for player in patient.players]

    found = list(doctor.examine(patient, CHECKS, 60.0, lambda name: None))
    for device in ids:
        player.client.authenticate_device(device, create=False)
    tidied = doctor.tidy(patient)

    assert {finding.status for finding in found} == {"ok"}
    assert tidied is not None
    assert tidied.status == "ok"
    for device in ids:
        with pytest.raises(NotFound):
            player.client.authenticate_device(device, create=False)
    player.close()


@pytest.fixture(scope="module")
def faulty() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start(matchmaker_interval=0.1, extra=("--control-port", "0")) as process:
        yield process


@contextmanager
def at_fault(emulator: EmulatorProcess, text: str) -> Iterator[None]:
    for faults in ([faults_of.parse(text).json()], []):
        body = json.dumps({"faults": faults}).encode()
        request = urllib.request.Request(f"{emulator.control_url}/faults", body, method="PUT")
        urllib.request.urlopen(request, timeout=TIMEOUT).close()
        if faults:
            yield


def test_accounts_that_cannot_be_deleted_are_named(faulty: EmulatorProcess, run_doctor: Doctor) -> None:
    with at_fault(faulty, "error:on=DELETE /v2/account,code=13"):
        code, checks = run_doctor(faulty.url)
    assert code == 0
    assert checks["tidy"]["status"] == "warning"
    assert "nbots-doctor-" in checks["tidy"]["found"]


@pytest.mark.parametrize(
    ("fault", "failed", "skipped", "advice"),
    [
        ("error:on=matchmaker_add,code=0", ["matchmaker"], [], "before hooks"),
        ("error:on=match_create,code=0", ["match"], [], "before hooks"),
        ("refuse:on=connect", ["socket"], ["ping", "match", "matchmaker"], "forward websockets"),
        ("error:on=GET /healthcheck,code=14", ["health"], all_after(4), "a proxy answers"),
        ("error:on=GET /healthcheck,code=13", ["health"], all_after(4), "database"),
        ("error:on=POST /v2/account/authenticate/device,code=7", ["server key"], all_after(6), "before hook"),
        ("error:on=POST /v2/account/authenticate/device,code=13,after=1", ["auth"], all_after(7), "database"),
    ],
)
def test_a_failure_has_advice_and_independent_checks_still_run(
    fault: str, failed: list[str], skipped: list[str], advice: str, faulty: EmulatorProcess, run_doctor: Doctor
) -> None:
    with at_fault(faulty, fault):
        code, checks = run_doctor(faulty.url)
    assert code == 1
    assert outcomes(checks, "failed") == failed
    assert outcomes(checks, "skipped") == skipped
    assert advice in checks[failed[0]]["advice"]


def test_a_matchmaker_that_never_matches(run_doctor: Doctor) -> None:
    with EmulatorProcess.start(matchmaker_interval=600.0) as emulator:
        code, checks = run_doctor(emulator.url, "--nakama-matchmaker-timeout", "0.2")
    assert code == 1
    assert outcomes(checks, "failed") == ["matchmaker"]
    assert "--nakama-matchmaker-timeout" in checks["matchmaker"]["advice"]


def test_the_time_is_bounded(run_doctor: Doctor) -> None:
    with EmulatorProcess.start(matchmaker_interval=600.0) as emulator:
        code, checks = run_doctor(emulator.url, "--timeout", "1")
    assert code == 1
    # On a busy machine the time may run out before the matchmaker check starts.
    assert checks["matchmaker"]["status"] in ("failed", "skipped")
    assert checks["tidy"]["status"] == "ok"


def test_wrong_keys(emulator: EmulatorProcess, run_doctor: Doctor) -> None:
    code, checks = run_doctor(
        emulator.url, "--nakama-server-key", "planted-key-1", "--nakama-http-key", "planted-key-2"
    )
    assert code == 1
    assert outcomes(checks, "failed") == ["server key"]
    assert outcomes(checks, "skipped") == all_after(6)
    assert checks["http key"]["status"] == "warning"
    assert "NAKAMA_SERVER_KEY" in checks["server key"]["advice"]
    assert "planted" not in json.dumps(checks)
    assert "tidy" not in checks


def test_no_server(run_doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    code, checks = run_doctor(f"http://127.0.0.1:{port}")
    assert code == 5
    assert outcomes(checks, "failed") == ["connect"]
    assert "start the server" in checks["connect"]["advice"]
    assert checks["health"]["status"] == "skipped"
    assert "nakama_bots" in checks["versions"]["found"]


def test_a_host_without_an_address(run_doctor: Doctor) -> None:
    code, checks = run_doctor("http://nakama.invalid")
    assert code == 5
    assert outcomes(checks, "failed") == ["dns"]


def test_a_port_that_never_answers(run_doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        code, checks = run_doctor(url, "--nakama-request-timeout", "0.2")
        assert code == 5
        assert "7350" in checks["health"]["advice"]
        code, checks = run_doctor(url, "--timeout", "0.2")
        assert code == 5
        assert checks["health"]["status"] in ("failed", "skipped")
        assert "no time left" in checks["versions"]["found"]


@pytest.mark.parametrize(("lifetime", "status"), [(7200, "warning"), (60, "failed")])
def test_clocks_that_differ(lifetime: int, status: str) -> None:
    def answer(method: str, path: str) -> tuple[int, dict[str, Any]]:
        if "/authenticate/" in path:
            issued = int(time.time()) - 90
            claims = {"tid": "t", "uid": "u", "usn": "n", "exp": issued + lifetime, "iat": issued}
            part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
            return 200, {"token": f"e30.{part}.x", "refresh_token": f"e30.{part}.x", "created": True}
        return 200, {}

    checks = [check for check in CHECKS if check.name in ("dns", "connect", "health", "auth", "clock")]
    checks = [dataclasses.replace(check, needs=()) for check in checks]
    with scripted_nakama(lambda peer: None, answer) as server:
        player, _ = make_player(target_of(server))
        patient = doctor.Patient(player.world, 7, 5.0)
        *_, clock = doctor.examine(patient, checks, 60.0, lambda name: None)
        doctor.tidy(patient)
    assert clock.status == status
    assert "behind" in clock.found
    assert "NTP" in clock.advice


class Certified:
    """A TLS server that only does the handshake."""

    def __init__(self, certificate: trustme.LeafCert) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._context)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            try:
                self._context.wrap_socket(peer, server_side=True).close()
            except OSError:
                peer.close()

    def __enter__(self) -> Certified:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "ends", "trusted", "status", "expected"),
    [
        ("127.0.0.1", NOW + 90 * DAY, True, "ok", ""),
        ("127.0.0.1", NOW + 5 * DAY, True, "warning", "renew"),
        ("127.0.0.1", NOW - DAY, True, "failed", "has expired"),
        ("127.0.0.1", NOW + 90 * DAY, False, "failed", "--nakama-tls-ca"),
        ("127.0.0.2", NOW + 90 * DAY, True, "failed", "not valid for this address"),
        ("other.example", NOW + 90 * DAY, True, "failed", "not valid for this address"),
    ],
)
def test_certificates(
    name: str, ends: dt.datetime, trusted: bool, status: str, expected: str,
    authority: trustme.CA, ca_file: str, run_doctor: Doctor,
) -> None:  # fmt: skip
    certificate = authority.issue_cert(name, not_before=NOW - 10 * DAY, not_after=ends)
    trust = ("--nakama-tls-ca", ca_file) if trusted else ()
    with Certified(certificate) as server:
        _, checks = run_doctor(f"https://127.0.0.1:{server.port}", "--nakama-request-timeout", "1", *trust)
    assert checks["tls"]["status"] == status
    assert expected in checks["tls"]["advice"]
    assert checks["connect"]["status"] == "ok"


def test_plain_http_on_an_https_url(emulator: EmulatorProcess, run_doctor: Doctor) -> None:
    url = emulator.url.replace("http:", "https:")
    code, checks = run_doctor(url)
    assert code == 1
    assert f"use {emulator.url}" in checks["tls"]["advice"]


def test_the_text_output(emulator: EmulatorProcess, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", emulator.url, "--nakama-server-key", "wrong"]) == 1
    text = capsys.readouterr().out
    assert all(name in text for name in NAMES)
    assert "NAKAMA_SERVER_KEY" in text
    assert "not ready: 1 failed" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nonsense"], "URL: 'nonsense' cannot be used; accepted: http://HOST"),
        (["http://127.0.0.1", "--nakama-tls-ca", "/none"], "--nakama-tls-ca"),
    ],
)
def test_bad_arguments(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *arguments]) == 2
    text = capsys.readouterr().err
    assert expected in text
    assert text.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(number: signal.Signals) -> None:
    with EmulatorProcess.start(matchmaker_interval=600.0, extra=("--metrics-port", "0")) as emulator:
        with subprocess.Popen(
            [sys.executable, "-m", "nakama_bots.cli", "doctor", emulator.url, "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            while metric(emulator, "matchmaker_tickets") != "2":
                assert process.poll() is None
            process.send_signal(number)
            out, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 128 + number
        assert err == f"nakama-bots doctor: stopped by {number.name}\n"
        checks = json.loads(out)["checks"]
        assert (checks[-1]["name"], checks[-1]["status"]) == ("tidy", "ok")
        assert metric(emulator, "sessions") == metric(emulator, "matchmaker_tickets") == "0"


def metric(emulator: EmulatorProcess, name: str) -> str:
    with urllib.request.urlopen(emulator.metrics_url, timeout=TIMEOUT) as answer:
        [line] = [row for row in answer.read().decode().splitlines() if row.startswith(f"nakama_{name}{{")]
    return str(line.rsplit(" ", 1)[1])
