"""The official JavaScript client, in Node, plays against the emulator: ``smoke.mjs``.

Against another server: ``npm ci && node smoke.mjs --url http://127.0.0.1:7350`` in this directory.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json", "smoke.mjs")
OLDEST_NODE = 20
# What npm says without a network; any other failure is ours.
OFFLINE = {"EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "ENOTCACHED", "ENOTFOUND", "ETIMEDOUT"}
INSTALL_TIMEOUT, RUN_TIMEOUT = 180.0, 120.0
STEPS = (
    "authenticate", "write and read storage", "make friends", "fail with a server's error", "chat in a room",
    "matchmake two players and play a relayed match", "create, join and leave a party", "log out",
)  # fmt: skip


@pytest.fixture(scope="module")
def node() -> str:
    """Node's path."""
    path = shutil.which("node")
    if path is None or shutil.which("npm") is None:
        pytest.skip("Node and npm are not installed")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    number = re.match(r"v(\d+)", version)
    if number is None or int(number[1]) < OLDEST_NODE:
        pytest.skip(f"Node {OLDEST_NODE} or newer is needed, this is {version.strip()}")
    return path


@pytest.fixture(scope="module")
def project(node: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this directory with the packages of package.json."""
    folder = tmp_path_factory.mktemp("nakama_js")
    for name in FILES:
        shutil.copy(HERE / name, folder)
    command = [
        "npm",
        "ci",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefer-offline",
        "--fetch-retries=1",
    ]
    try:
        done = subprocess.run(
            command, check=False, cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not install the packages in {INSTALL_TIMEOUT:g} s; is there a network?")
    found = re.search(r"npm error code (\w+)", done.stderr)
    if found and found[1] in OFFLINE:
        pytest.skip(f"npm could not install the packages ({found[1]}): there is no network")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start(
        matchmaker_interval=0.2, extra=("--token-expiry", "7200", "--refresh-token-expiry", "86400")
    ) as emulator:
        yield emulator


def run(node: str, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [node, "smoke.mjs", *arguments]
    return subprocess.run(
        command, check=False, cwd=project, capture_output=True, text=True, timeout=RUN_TIMEOUT
    )


def test_the_official_client_plays_against_the_emulator(
    node: str, project: Path, emulator: EmulatorProcess
) -> None:
    done = run(node, project, "--url", emulator.url)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout.splitlines() == [f"ok {step}" for step in STEPS]


def test_a_step_that_fails_is_said_and_the_exit_code_is_1(
    node: str, project: Path, emulator: EmulatorProcess
) -> None:
    done = run(node, project, "--url", emulator.url, "--server-key", "wrong")
    assert done.returncode == 1
    assert done.stderr.startswith("FAILED authenticate")
    assert done.stdout == ""
