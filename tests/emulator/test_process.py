"""The emulator as a child process: how it starts, and every way it ends."""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import ssl
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest
import trustme

from nakama_bots.emulator.server.process import EmulatorProcess, EmulatorStartError

TIMEOUT = 30.0


def healthy(url: str, context: ssl.SSLContext | None = None) -> bool:
    with urllib.request.urlopen(f"{url}/healthcheck", timeout=TIMEOUT, context=context) as response:
        return json.load(response) == {}


def wait_for_end(pid: int) -> None:
    """Wait until a process that is not our child has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        assert select.select([descriptor], [], [], TIMEOUT)[0], f"process {pid} is still running"
    finally:
        os.close(descriptor)


def test_start_and_stop() -> None:
    with EmulatorProcess.start() as emulator:
        assert healthy(emulator.url)
        assert emulator.alive
        assert os.getsid(emulator.pid) == emulator.pid  # Ctrl-C in our terminal does not reach it
    assert not emulator.alive
    assert emulator.exit_code == 0
    assert "stand-in" in emulator.stderr
    emulator.stop()
    with pytest.raises(OSError, match="refused"):
        healthy(emulator.url)


def test_two_emulators_use_different_ports() -> None:
    with EmulatorProcess.start() as one, EmulatorProcess.start() as other:
        assert one.url != other.url
        assert healthy(one.url)
        assert healthy(other.url)


def test_bad_argument() -> None:
    with pytest.raises(EmulatorStartError, match="a whole number from 0 to 4294967295"):
        EmulatorProcess.start(extra=("--seed", "x"))


def test_start_timeout() -> None:
    with pytest.raises(EmulatorStartError, match="not ready in time"):
        EmulatorProcess.start(timeout=0.0)


def test_missing_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(EmulatorStartError, match="could not be started: No such file"):
        EmulatorProcess.start()


def test_keys_are_not_in_errors() -> None:
    with pytest.raises(EmulatorStartError) as caught:
        EmulatorProcess.start(server_key="very-secret-key", extra=("--port", "x"))
    assert "very-secret-key" not in str(caught.value)


def test_key_by_the_name_of_the_servers_setting() -> None:
    with EmulatorProcess.start(extra=("--runtime.http_key", "a-game's key")) as emulator:
        url = f"{emulator.url}/v2/rpc/echo?unwrap&http_key=a-game%27s%20key"
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            assert answer.status == 200


def test_keys_are_not_in_the_process_list() -> None:
    with EmulatorProcess.start(server_key="-very-secret-key") as emulator:
        assert b"very-secret-key" not in Path(f"/proc/{emulator.pid}/cmdline").read_bytes()
        request = urllib.request.Request(
            f"{emulator.url}/v2/account/authenticate/device",
            data=b'{"id":"device-of-a-secret"}',
            headers={"Authorization": "Basic " + base64.b64encode(b"-very-secret-key:").decode()},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200


def test_hanging_child_is_killed() -> None:
    emulator = EmulatorProcess.start()
    os.kill(emulator.pid, signal.SIGSTOP)
    emulator.stop(timeout=0.1)
    assert not emulator.alive


def test_child_that_ended_by_itself() -> None:
    emulator = EmulatorProcess.start()
    os.kill(emulator.pid, signal.SIGKILL)
    wait_for_end(emulator.pid)
    assert not emulator.alive
    emulator.stop()


def test_same_seed_same_ids() -> None:
    from .replay import claims_of  # noqa: PLC0415
    from .support import login  # noqa: PLC0415

    ids = []
    for _ in range(2):
        with EmulatorProcess.start(seed=7) as emulator:
            ids.append(claims_of(login(emulator.url, "device-0000000001")["token"])["uid"])
    assert ids[0] == ids[1]


CHILD = """
    {patch}
    import os, sys
    from nakama_bots.emulator.server.process import EmulatorProcess
    emulator = EmulatorProcess.start()
    print(emulator.pid, emulator.url, "aiohttp" in sys.modules, flush=True)
    {then}
"""


def start_parent(then: str, patch: str = "") -> tuple[subprocess.Popen[str], int, str, str]:
    code = textwrap.dedent(CHILD).format(patch=patch, then=then)
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid, url, aiohttp = parent.stdout.readline().split()
    return parent, int(pid), url, aiohttp


def rest_of(parent: subprocess.Popen[str]) -> str:
    """Read the remaining output; ``communicate`` would miss what was buffered with the first line."""
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.close()
    output = parent.stdout.read()
    parent.wait(TIMEOUT)
    return output


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_child_dies_with_its_parent(end: signal.Signals) -> None:
    parent, pid, url, aiohttp = start_parent("import signal; signal.pause()")
    with parent:
        assert healthy(url)
        assert aiohttp == "False"  # the parent does not load the server
        descriptor = os.pidfd_open(pid)
        parent.send_signal(end)
        parent.wait(TIMEOUT)
        assert select.select([descriptor], [], [], TIMEOUT)[0], "the emulator outlived its parent"
        os.close(descriptor)


def test_fork_of_the_parent_does_not_stop_the_child() -> None:
    then = """
if os.fork() == 0:
    emulator.stop()
    os._exit(0)
os.wait()
print(emulator.alive, flush=True)
emulator.stop()
print(emulator.alive, flush=True)
"""
    parent, _, _, _ = start_parent(then)
    with parent:
        output = rest_of(parent)
    assert output.split() == ["True", "False"]


def test_under_gevent() -> None:
    patch = "from gevent import monkey; monkey.patch_all()"
    then = "emulator.stop(); print(emulator.alive, flush=True)"
    parent, _, _, _ = start_parent(then, patch)
    with parent:
        output = rest_of(parent)
    assert output.strip() == "False"
    assert parent.returncode == 0


def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(chain)
    certificate.private_key_pem.write_to_path(key)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with EmulatorProcess.start(extra=("--tls-cert", str(chain), "--tls-key", str(key))) as emulator:
        assert emulator.url.startswith("https://127.0.0.1:")
        assert healthy(emulator.url, context)


def test_bad_certificate_files(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    with pytest.raises(EmulatorStartError, match="PEM files of a certificate and its private key"):
        EmulatorProcess.start(extra=("--tls-cert", str(empty), "--tls-key", str(empty)))
