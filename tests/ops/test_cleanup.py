"""``nakama-bots cleanup`` deletes the accounts with a prefix, and nothing else."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event
from players.support import scripted_nakama

from nakama_bots.cli.main import main
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import NotFound
from nakama_bots.players.identity import Identity
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import GeventTransport
from nakama_bots.session import Session
from nakama_bots.settings.target import Credentials, Target

from .test_doctor import at_fault

TIMEOUT = 120.0
FAST = ("--rate", "5000", "--misses", "16", "--worker-misses", "1")

Clean = Callable[..., tuple[int, str]]


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    with gevent.Timeout(60, AssertionError("the test hangs")):
        yield


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess.start(extra=("--control-port", "0")) as process:
        yield process


@pytest.fixture
def client(emulator: EmulatorProcess) -> Iterator[Client]:
    transport = GeventTransport()
    yield Client(Target.parse(emulator.url), Credentials(), transport=transport)
    transport.close()


@pytest.fixture
def clean(emulator: EmulatorProcess, capsys: pytest.CaptureFixture[str]) -> Clean:
    """Run the command; return its exit code and its stdout."""

    def run(prefix: str, *arguments: str) -> tuple[int, str]:
        code = main(["cleanup", emulator.url, "--prefix", prefix, *FAST, *arguments])
        return code, capsys.readouterr().out

    return run


def create_accounts(client: Client, prefix: str, number: int, worker: int = 0, seed: int = 1) -> list[str]:
    ids = [Identity(prefix, seed, worker, at).device_id for at in range(number)]
    for one in ids:
        client.authenticate_device(one, username=one)
    return ids


def login(client: Client, device: str) -> Session:
    return client.authenticate_device(device, create=False)


def exists(client: Client, device: str) -> bool:
    try:
        login(client, device)
    except NotFound:
        return False
    return True


def number_left(client: Client, ids: list[str]) -> int:
    return sum(exists(client, one) for one in ids)


def test_without_delete_accounts_are_only_listed(client: Client, clean: Clean) -> None:
    ids = create_accounts(client, "shown", 20) + create_accounts(client, "shown", 3, worker=1)
    code, text = clean("shown")
    assert code == 0
    assert "23 accounts and 0 groups of theirs found" in text
    assert "shown-1-w001-000002" in text
    assert "nothing was deleted: add --delete" in text
    assert number_left(client, ids) == 23


def test_accounts_and_their_groups_are_deleted(client: Client, clean: Clean) -> None:
    ids = create_accounts(client, "gone", 40) + create_accounts(client, "gone", 5, worker=1)
    sessions = [login(client, one) for one in ids[:3]]
    group = client.create_group(sessions[0], name="gone group", open=True)["id"]
    for session in sessions[1:]:
        client.join_group(session, group)
    bystander = client.authenticate_device("bystander-0001")

    code, text = clean("gone", "--delete")

    assert code == 0
    assert "deleted: 45 accounts and 1 group\n" in text
    assert number_left(client, ids) == 0
    assert "groups" not in client.list_groups(bystander, name="gone group")
    assert client.get_account(bystander)["user"]["id"] == bystander.user_id
    assert "0 accounts" in clean("gone", "--delete")[1]


def test_accounts_with_other_logins_or_groups_are_kept(client: Client, clean: Clean) -> None:
    ids = create_accounts(client, "kept", 6)
    human = client.authenticate_device("human-device-0001")
    other = create_accounts(client, "kept2", 1) + create_accounts(client, "keptx", 1)
    client.link_email(login(client, ids[1]), {"email": "me@example.com", "password": "password1"})
    client.link_device(login(client, ids[2]), {"id": "phone-of-a-human"})
    owner = login(client, ids[3])
    group = client.create_group(owner, name="kept group", open=True)["id"]
    client.join_group(human, group)
    shared = client.create_group(human, name="shared group", open=True)["id"]
    bot = login(client, ids[4])
    client.join_group(bot, shared)
    for _ in range(2):
        client.promote_group_users(human, shared, [bot.user_id])

    code, text = clean("kept", "--delete")

    assert code == 0
    assert [exists(client, one) for one in ids] == [False, True, True, True, False, False]
    assert "kept: 2 accounts, it has another login as well" in text
    assert "kept: 1 account, it owns a group with other members: kept-1-w000-000003" in text
    assert exists(client, "human-device-0001")
    assert all(exists(client, one) for one in other)
    names = {row["group"]["name"] for row in client.list_user_groups(human, human.user_id)["user_groups"]}
    assert names == {"kept group", "shared group"}

    assert "deleted: 1 account and 1 group\n" in clean("kept", "--delete", "--groups-with-others")[1]
    assert not exists(client, ids[3])
    assert exists(client, "human-device-0001")


def test_a_group_that_two_bots_own_is_deleted_once(client: Client, clean: Clean) -> None:
    first, second = (login(client, one) for one in create_accounts(client, "two", 2))
    group = client.create_group(first, name="two owners", open=True)["id"]
    client.join_group(second, group)
    for _ in range(2):
        client.promote_group_users(first, group, [second.user_id])
    assert "2 accounts and 1 group of theirs" in clean("two")[1]
    code, text = clean("two", "--delete")
    assert (code, "deleted: 2 accounts" in text) == (0, True)
    assert "groups" not in client.list_groups(client.authenticate_device("bystander-0001"), name="two owners")


def test_seeds_workers_and_gaps(client: Client, clean: Clean) -> None:
    ids = (
        create_accounts(client, "seeded", 2, seed=3)
        + create_accounts(client, "seeded", 2, seed=9)
        + create_accounts(client, "seeded", 1, worker=2)
    )
    client.delete_account(login(client, ids[0]))
    assert "0 accounts" in clean("seeded")[1]  # seed 1 has no account in its first worker
    assert "3 accounts" in clean("seeded", "--seeds", "3,8-9")[1]
    assert "4 accounts" in clean("seeded", "--seeds", "1-9", "--worker-misses", "3")[1]


def test_custom_ids(client: Client, clean: Clean) -> None:
    ids = [Identity("tailored", 1, 0, number).device_id for number in range(3)]
    for one in ids:
        client.authenticate_custom(one)
    assert "0 accounts" in clean("tailored")[1]
    assert "deleted: 3 accounts" in clean("tailored", "--by", "custom", "--delete")[1]
    for one in ids:
        with pytest.raises(NotFound):
            client.authenticate_custom(one, create=False)


def test_ids_from_a_file(
    client: Client, clean: Clean, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("# ours\nlisted-anything-1\n\nlisted-never-made\nlisted-anything-2\n")
    for one in ("listed-anything-1", "listed-anything-2", "listed-anything-3"):
        client.authenticate_device(one)
    assert "deleted: 2 accounts" in clean("listed", "--ids", str(file), "--delete")[1]
    assert exists(client, "listed-anything-3")
    file.write_text("bystander-0001\n")
    assert main(["cleanup", "http://127.0.0.1:1", "--prefix", "listed", "--ids", str(file)]) == 2
    assert "bystander-0001" in capsys.readouterr().err


@pytest.mark.parametrize(
    "fault",
    [
        "error:on=DELETE /v2/account,code=14,times=2",
        "drop:on=DELETE /v2/account,times=1",  # done, but never answered
        "error:on=POST /v2/account/authenticate/device,code=13,times=1",
    ],
)
def test_temporary_failures_are_retried(
    fault: str, emulator: EmulatorProcess, client: Client, clean: Clean
) -> None:
    ids = create_accounts(client, "again", 4)
    with at_fault(emulator, fault):
        code, text = clean("again", "--delete", "--nakama-request-timeout", "0.5")
    assert code == 0
    assert "deleted: 4 accounts" in text
    assert number_left(client, ids) == 0


def test_a_refused_account_is_named_and_the_others_are_deleted(
    emulator: EmulatorProcess, client: Client, clean: Clean
) -> None:
    ids = create_accounts(client, "refused", 4)
    with at_fault(emulator, "error:on=DELETE /v2/account,code=7,message=not today,times=1"):
        code, text = clean("refused", "--delete")
    assert code == 1
    assert "could not be deleted" in text
    assert "not today" in text
    assert number_left(client, ids) == 1


def test_500_bots_interrupted_twice_and_resumed(emulator: EmulatorProcess, client: Client) -> None:
    ids = create_accounts(client, "mass", 300) + create_accounts(client, "mass", 200, worker=1)
    create_accounts(client, "mass2", 1)
    command = [sys.executable, "-m", "nakama_bots.cli", "cleanup", emulator.url, "--prefix", "mass", "--delete"]
    remaining = list(ids)
    with at_fault(emulator, "latency:on=DELETE /v2/account,ms=60"):
        for number in (signal.SIGINT, signal.SIGTERM):
            with subprocess.Popen(
                [*command, *FAST], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            ) as process:
                while exists(client, remaining[-1]):
                    assert process.poll() is None
                process.send_signal(number)
                out, err = process.communicate(timeout=TIMEOUT)
            assert process.returncode == 128 + number, err
            [line] = [line for line in err.splitlines() if "stopped by" in line]
            assert f"stopped by {number.name}: " in line
            assert ", not finished" in out
            assert "Traceback" not in err
            still = [one for one in ids if exists(client, one)]
            # Deleted from the highest down, without gaps: the same search finds the rest.
            assert 0 < len(still) < len(remaining)
            assert still == ids[: len(still)]
            remaining = still
    result = subprocess.run([*command, *FAST], capture_output=True, text=True, timeout=TIMEOUT, check=True)
    assert f"deleted: {len(remaining)} accounts" in result.stdout
    assert number_left(client, ids) == 0
    assert exists(client, "mass2-1-w000-000000")


def test_a_second_signal_stops_at_once() -> None:
    arrived, released = Event(), Event()

    def answer(method: str, path: str) -> tuple[int, dict[str, Any]]:
        if "/authenticate/" in path:
            arrived.set()
            released.wait(TIMEOUT)
        return 200, {}

    with scripted_nakama(lambda peer: None, answer) as server:
        command = [sys.executable, "-m", "nakama_bots.cli", "cleanup", f"http://127.0.0.1:{server.port}"]
        with subprocess.Popen(
            [*command, "--prefix", "stuck", "--nakama-request-timeout", "600", *FAST],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stderr is not None
            # In a thread: the server is a greenlet in this thread.
            read = partial(gevent.get_hub().threadpool.apply, process.stderr.readline)
            assert arrived.wait(TIMEOUT)
            process.send_signal(signal.SIGINT)
            assert "SIGINT: finishing" in read()
            process.send_signal(signal.SIGTERM)
            assert "stopped by SIGINT" in read()
            assert process.wait(TIMEOUT) == 130
        released.set()
        server.forget()


def test_a_wrong_key(emulator: EmulatorProcess, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["cleanup", emulator.url, "--prefix", "x", *FAST, "--nakama-server-key", "planted-key"]
    assert main(arguments) == 2
    text = capsys.readouterr().err
    assert "--nakama-server-key" in text
    assert "planted-key" not in text


def test_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert main(["cleanup", f"http://127.0.0.1:{port}", "--prefix", "x", *FAST]) == 5
    assert "the server does not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--prefix", "a b"], "--prefix: 'a b' cannot be used; accepted: 1 to 40 letters"),
        (["--prefix", "x", "--ids", "/none", "--nakama-confirm-target", "game.invalid"], "--ids: '/none'"),
        (["--prefix", "x", "--nakama-allowed-hosts", "b.invalid"], "b.invalid"),
        (["--prefix", "x"], "--nakama-confirm-target game.invalid"),
    ],
)
def test_arguments_refused_before_any_request(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cleanup", "http://game.invalid", *arguments]) == 2
    text = capsys.readouterr().err
    assert expected in text
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "--prefix"),
        (["--prefix", "x", "--seeds", "5-1"], "seeds and ranges of seeds"),
        (["--prefix", "x", "--seeds", "a"], "seeds and ranges of seeds"),
        (["--prefix", "x", "--seeds", "0-99999"], "at most 10000"),
        (["--prefix", "x", "--misses", "1"], "a whole number from 16"),
        (["--prefix", "x", "--rate", "0"], "requests a second above 0"),
        (["--prefix", "x", "--by", "email"], "device"),
    ],
)
def test_bad_arguments(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["cleanup", "http://127.0.0.1:1", *arguments])
    assert ended.value.code == 2
    text = capsys.readouterr().err
    assert expected in text
    assert text.count("\n") == 1
