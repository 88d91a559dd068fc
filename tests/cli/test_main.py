"""The ``nakama-bots`` command: errors on bad arguments, and how the emulator stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from nakama_bots.cli.main import main

TIMEOUT = 30.0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "emulator"),
        (["nonsense"], "'emulator'"),
        (["emulator", "--port", "x"], "a whole number from 0 to 65535"),
        (["emulator", "--port", "65536"], "a whole number from 0 to 65535"),
        (["emulator", "--matchmaker-interval", "0"], "a number of seconds"),
        (["emulator", "--matchmaker-interval", "nan"], "a number of seconds"),
        (["emulator", "--seed", "-1"], "a whole number from 0 to 4294967295"),
        (["emulator", "--server-key", ""], "a non-empty text"),
        (["emulator", "--tls-cert", "/nonexistent"], "the path of a PEM file"),
        (["emulator", "--ready-fd", "-1"], "a whole number from 0 to 1048576"),
        (["emulator", "--no-such-option"], "--no-such-option"),
    ],
)
def test_a_bad_argument_is_one_line_and_exit_code_2(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    text = capsys.readouterr().err
    assert expected in text
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--tls-cert", __file__], "--tls-cert and --tls-key go together"),
        (["--tls-key", __file__], "--tls-cert and --tls-key go together"),
        (["--ping-period", "5", "--pong-wait", "5"], "more than --ping-period 5.0"),
        (["--host", "192.0.2.1", "--port", "0"], "an address of this machine"),
        (["--host", "no such host", "--port", "0"], "an address of this machine"),
        (["--port", "0", "--lifeline-fd", "999999"], "the number of an open pipe"),
        (["--port", "0", "--ready-fd", "999999"], "the number of an open, writable descriptor"),
    ],
)
def test_an_unusable_option(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emulator", *arguments]) == 2
    assert expected in capsys.readouterr().err.splitlines()[-1]


def test_a_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["emulator", "--port", str(taken.getsockname()[1])]) == 2
    assert "the port is in use" in capsys.readouterr().err.splitlines()[-1]


def test_help_shows_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["emulator", "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "7350" in text
    assert "--matchmaker-interval" in text


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_emulator_cleanly(end: signal.Signals) -> None:
    command = [sys.executable, "-m", "nakama_bots.cli", "emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["pid"] == process.pid
        assert ready["url"] == f"http://{ready['host']}:{ready['port']}"
        process.send_signal(end)
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert "stand-in" in errors
    assert "Traceback" not in errors


def test_the_emulator_stops_when_its_lifeline_closes() -> None:
    reading, writing = os.pipe()
    command = [
        sys.executable,
        "-m",
        "nakama_bots.cli",
        "emulator",
        "--port",
        "0",
        "--lifeline-fd",
        str(reading),
    ]
    command += ["--lifeline-fd", str(reading)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, pass_fds=[reading]
    ) as process:
        os.close(reading)
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        os.write(writing, b"still here")
        os.close(writing)
        assert process.wait(TIMEOUT) == 0
