"""Mistakes of users: each ends with exit code 2 and one line that says what is accepted, and no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from limits import NO_LIMITS

from nakama_bots.cli.main import main

ROOT = Path(__file__).parents[2]
URL = "http://127.0.0.1:9"
FILES = {
    "key.toml": "[nakama]\ntick_rat = 3\n",
    "value.toml": '[nakama]\nseed = "x"\n',
    "broken.toml": "a = = b\n",
    "metric.toml": '[[rule]]\ncalls = "*"\nexpect = "p95 << 5"\n',
    "empty.toml": "",
    "text.json": "{}",
    "own.py": "from locust import task\nfrom nakama_bots.load import NakamaUser\n\n"
    "class Fisher(NakamaUser):\n    @task\n    def fish(self):\n        raise ValueError('my own mistake')\n\n"
    "class Coder(Fisher):\n    by_name_only = True\n    op_codes = {n: str(n) for n in range(21)}\n",
}

COMMANDS: list[tuple[str, str]] = [
    ("emulatr", "'emulator'"),
    ("emulator --port x", "a whole number from 0 to 65535"),
    ("emulator --port {busy}", "the port is in use"),
    ("emulator --port 0 --control-port {busy}", "a free port"),
    ("emulator --port 0 --module none.lua", "a folder of Lua files"),
    ("emulator --port 0 --load none.json", "a JSON file as --save writes it"),
    ("emulator --fault sleep", "latency, error, drop"),
    ("doctor", "URL"),
    ("doctor 127.0.0.1:7350", "http://HOST[:PORT]"),
    ("doctor {url}/v2", "without /v2"),
    ("doctor {url} --nakama-config key.toml", "did you mean tick_rate?"),
    ("doctor {url} --nakama-config value.toml", "line 2: seed: 'x'"),
    ("doctor {url} --nakama-config broken.toml", "a TOML file"),
    ("doctor {url} --nakama-config none.toml", "a readable TOML file"),
    ("doctor {url} --nakama-server-key @none", "@ and the path of a file"),
    ("doctor {url} --nakama-tls-ca text.json", "PEM file"),
    ("cleanup {url}", "--prefix"),
    ("cleanup {url} --prefix a/b", "1 to 40 letters"),
    ("cleanup {url} --prefix x --seeds z", "such as 1 or 1,5-9"),
    ("cleanup {url} --prefix x --ids none", "a readable text file"),
    ("fill {url}", "--listing --matchmaker --match-id"),
    ("fill {url} --listing --party", "not allowed with"),
    ("fill {url} --listing --seats 9 --capacity 8", "at most --capacity 8"),
    ("fill {url} --listing --hours 25-26", "HH:MM-HH:MM"),
    ("fill {url} --listing --script own.py:Fisher", "a class derived from Behaviour"),
    ("fill {url} --listing --script wanderr", "wanderer"),
    ("fill {url} --rpc x --payload {{", "a JSON text"),
    ("fill {url} --matchmaker --min-count 5 --max-count 2", "at most --max-count 2"),
    ("fill {url} --listing --roster roster --metrics-port {busy}", "a free port"),
    ("gate . --gate none.toml", "a readable TOML file"),
    ("gate . --gate metric.toml", "p95 <= 50 ms"),
    ("gate . --gate empty.toml", "at least one [[rule]]"),
    ("compare none none", "No such file"),
    ("compare text.json text.json", "nakama-bots/baseline/1"),
    ("compare a b --noise much", "a percentage"),
    ("compare a b --paired --rounds 9", "a whole number from 10 to 1000"),
    ("compare a b --paired --users 0", "a whole number from 1"),
    ("baseline promote none", "the folder of a run"),
    ("report none -o x.html", "No such file"),
    ("explain none", "--nakama-traces N"),
    ("explain none --number 0", "a whole number from 1"),
    ("history none --last 0", "a whole number from 1"),
    ("scenarios path duell", "did you mean duel?"),
    ("init text.json/x", "a writable folder"),
    ("schema nothing", "'summary', 'verdict'"),
    ("completion fish", "'bash', 'zsh'"),
]
RUNS: list[tuple[str, str]] = [
    ("-u -1", "a whole number from 0"),
    ("--host {url}/v2", "without /v2"),
    ("Fischer", "did you mean Fisher?"),
    ("Coder", "names of at most 20 op codes"),
    ("--nakama-load stagees:5/10s", "did you mean stages?"),
    ("--nakama-gate metric.toml", "p95 <= 50 ms"),
    ("--tags deep", "leaves no task to run"),
    ("--nakama-live graph", "table, lines or off"),
    ("--web-host 127.0.0.1 --web-port {busy}", "a free port (Address already in use)"),
]


@pytest.fixture
def busy() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("command", "accepted"), COMMANDS)
def test_a_mistake_with_a_command(
    command: str, accepted: str, busy: int, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main(command.format(url=URL, busy=busy).split())
    except SystemExit as ended:
        code = ended.code
    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2
    assert accepted in line


@pytest.mark.parametrize(("arguments", "accepted"), RUNS)
def test_a_mistake_with_a_run(arguments: str, accepted: str, busy: int) -> None:
    options = arguments.format(url=URL, busy=busy).split()
    ended = _locust(*options, *([] if "--web-port" in options else ["--headless", "-t", "9s"]))
    (line,) = (line for line in ended.stderr.splitlines() if "/INFO/" not in line)
    assert ended.returncode == 2
    assert accepted in line


def test_an_exception_of_the_scenario_is_logged_once_and_counted() -> None:
    arguments = ("--nakama-live", "lines", "--nakama-health-limits", NO_LIMITS)
    ended = _locust("--headless", "-u", "3", "-r", "3", "-t", "3s", *arguments)
    assert ended.returncode == 1
    text = ended.stderr + ended.stdout
    assert text.count("Traceback") == 1
    assert "further ones from there are only counted" in text
    assert "unexpected exceptions" in text


def _locust(*arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NAKAMA_")}
    return subprocess.run(
        [sys.executable, "-m", "locust", "-f", "own.py", *arguments],
        env=inherited | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
