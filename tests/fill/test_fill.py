"""``nakama-bots fill`` as a process, in matches with humans."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from players.support import make_player, new_identity

from nakama_bots.cli.main import main
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.players.identity import Identity
from nakama_bots.players.player import Player
from nakama_bots.settings.target import Target

from .support import PREFIX, Watched, filler, finish, no_problem, problem


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    with gevent.Timeout(60, AssertionError("the test hangs")):
        yield


def test_fills_yields_refills_and_drains(
    emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path
) -> None:
    match = Watched(human())
    with filler(emulator, tmp_path, "--match-id", match.id, "--seats", "4") as process:
        match.until(3)
        guest = human()
        guest.socket.join_match(match.id)
        match.until(2)
        guest.socket.leave_match(match.id)
        match.until(3)
        assert finish(process) == ""
        match.until(0)


def test_killed_and_restarted(emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path) -> None:
    match = Watched(human())
    with filler(emulator, tmp_path, "--match-id", match.id, "--seats", "3") as process:
        match.until(2)
        before = set(match.names.values())
        process.kill()
        match.until(0)
    with filler(emulator, tmp_path, "--match-id", match.id, "--seats", "3") as process:
        match.until(2)
        assert set(match.names.values()) == before
        finish(process)


def test_matchmaker_bots_meet_a_lone_human(
    emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path
) -> None:
    player = human()
    with filler(emulator, tmp_path, "--matchmaker", "--seats", "3") as process:
        with player.socket.expect("matchmaker_matched") as matched:
            player.socket.add_matchmaker("*", 2, 4)
            users = matched.wait(30)["users"]
        assert sum(one["presence"]["username"].startswith(PREFIX) for one in users) >= 1
        finish(process)


@pytest.mark.parametrize(
    ("most", "tickets", "kept"), [(0.9, 1, True), (0.3, 3, True), (0.1, 3, False)], ids=str
)
def test_promised_wait_of_a_human(
    emulator: EmulatorProcess,
    human: Callable[[], Player],
    tmp_path: Path,
    most: float,
    tickets: int,
    kept: bool,
) -> None:
    """The matchmaker runs every 0.2 s, and a ticket searches for two runs."""
    arguments = ("--matchmaker", "--wait-at-most", str(most), "--property", "mode=duel", "--json-lines")
    with filler(emulator, tmp_path, *arguments) as process:
        assert process.stdout is not None
        for line in process.stdout:
            status = json.loads(line)
            promise, lobbies = status["promise"], status["lobbies"]
            if promise["kept"] is not None and lobbies and lobbies[0]["bots"] == promise["tickets"]:
                break
        assert status["promise"]["tickets"] == tickets
        assert status["promise"]["kept"] is kept
        assert status["promise"]["interval_s"] < status["promise"]["longest_s"]
        player = human()
        with player.socket.expect("matchmaker_matched") as matched:
            player.socket.add_matchmaker("+properties.mode:duel", 2, 4)
            users = matched.wait(30)["users"]
        assert sum(one["presence"]["username"].startswith(PREFIX) for one in users) == len(users) - 1
        errors = finish(process)
    assert errors.count("--wait-at-most 0.1 cannot be kept") == (0 if kept else 2)


BAD = """
import time
import gevent
class Raises:
    def on_tick(self, seat): raise ValueError("no idea")
class Waits:
    def on_tick(self, seat): gevent.sleep(1000)
class Hogs:
    def on_tick(self, seat): time.sleep(1.5)
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Raises", "bad.py:5: Raises.on_tick raised ValueError: no idea; its bot fillbots-"),
        ("Waits", "bad.py: Waits.on_tick has not returned for 0.4 s; its bot fillbots-"),
        ("Hogs", "bad.py: Hogs.on_tick blocks the whole process for more than 0.4 s; its player fillbots-"),
    ],
)
def test_bad_behaviour_is_reported_and_the_process_continues(
    emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path, name: str, message: str
) -> None:
    match = Watched(human())
    script = tmp_path / "bad.py"
    script.write_text(BAD)
    arguments = ("--match-id", match.id, "--seats", "2", "--stall", "0.4", "--script", f"{script}:{name}")
    with filler(emulator, tmp_path, *arguments) as process:
        line = problem(process)
        assert message in line
        (name,) = re.findall(rf"{PREFIX}-[\w-]+", line)
        match.until_left(name)
        finish(process)


def test_fish_example(emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path) -> None:
    """Two bot fish and a human's. The documentation names this path of the example."""
    match = Watched(human())
    seen = gevent.event.AsyncResult()

    def state(data: Any) -> None:
        place = json.loads(base64.b64decode(data["data"]))
        match.player.socket.send_match_state(match.id, 1, json.dumps({"x": place["x"], "y": place["y"]}))
        if data["op_code"] == "2":
            seen.set(place)

    match.player.socket.on("match_data", state)
    script = Path(__file__).parents[2] / "scenarios" / "fish_game.py"
    arguments = ("--match-id", match.id, "--seats", "3", "--script", f"{script}:Swimmer")
    with filler(emulator, tmp_path, *arguments) as process:
        shot = seen.get()
        assert 0 <= shot["x"] <= 1280
        assert 0 <= shot["y"] <= 720
        assert finish(process) == ""


def test_json_lines_and_metrics(emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path) -> None:
    match = Watched(human())
    arguments = ("--match-id", match.id, "--seats", "3", "--json-lines", "--metrics-port", "0")
    with filler(emulator, tmp_path, *arguments) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        url = process.stderr.readline().split()[-1]
        match.until(2)
        for line in process.stdout:
            status = json.loads(line)
            if status["lobbies"] and status["lobbies"][0]["bots"] == 2 and status["bots"] == {"seated": 2}:
                break
        assert status["lobbies"] == [{"id": match.id, "humans": 1, "bots": 2, "others": 0, "free": None}]
        text = urllib.request.urlopen(url, timeout=10).read().decode()
        assert 'nakama_bots_fill_seats{by="bot"} 2\n' in text
        assert 'nakama_bots_fill_bots{state="seated"} 2\n' in text
        finish(process)


def test_log_without_a_terminal(emulator: EmulatorProcess, tmp_path: Path) -> None:
    with filler(emulator, tmp_path, "--match-name", "logged", "--seats", "2") as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert f"filling at {emulator.url}: 2 seats taken in each lobby, at most 100 bots" in next(lines)
        assert any("1 lobbies; seats: 0 human, 2 bot" in line and "bots: 2 seated" in line for line in lines)
        process.send_signal(signal.SIGTERM)
        assert any("2 visits, 2 with a seat" in line for line in lines)
        assert process.wait(30) == 0


def test_exit_code_when_no_bot_was_seated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--match-name", "x", "--seconds", "1", "--roster", str(tmp_path / "roster")]
    assert main(["fill", "http://127.0.0.1:9", *arguments]) == 1
    assert "no bot ever had a seat" in capsys.readouterr().err


ONE_MATCH = """
local nk = require("nakama")
local id
nk.register_rpc(function() id = id or nk.match_create("benchmark_match", {})
  return nk.json_encode({match_id = id}) end, "the_one")
"""


def test_rpc_that_returns_too_few_matches_is_reported(tmp_path: Path) -> None:
    (tmp_path / "one.lua").write_text(ONE_MATCH)
    with EmulatorProcess.start(modules=(str(tmp_path / "one.lua"),)) as emulator:
        arguments = ("--rpc", "the_one", "--lobbies", "3", "--seats", "8", "--capacity", "10")
        with filler(emulator, tmp_path, *arguments) as process:
            line = problem(process)
            assert "--lobbies 3: the_one returned only 1 different" in line
            finish(process)


def test_unknown_rpc_ends_the_run(emulator: EmulatorProcess, tmp_path: Path) -> None:
    with filler(emulator, tmp_path, "--rpc", "no_such_function") as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "find lobbies: NotFound" in errors
    assert "given up" in errors


def test_match_that_does_not_exist_is_reported_once(emulator: EmulatorProcess, tmp_path: Path) -> None:
    gone = "00000000-0000-4000-8000-000000000000.nowhere"
    with filler(emulator, tmp_path, "--match-id", gone) as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    first, last = no_problem(errors).splitlines()
    assert "join: MatchNotFound: 4 MATCH_NOT_FOUND: Match not found (given up; " in first
    assert "1 x join: MatchNotFound" in last


def test_full_match_is_retried(emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path) -> None:
    """A tic-tac-toe match has two seats. A bot joins when one of the two humans leaves."""
    first, second = human(), human()
    created = first.socket.rpc("create_match", '{"module":"tic_tac_toe"}')["payload"]
    match = Watched(first, json.loads(created)["match_id"])
    second.socket.join_match(match.id)
    with filler(emulator, tmp_path, "--match-id", match.id) as process:
        line = problem(process)
        assert "join: MatchJoinRejected" in line
        assert "will try again" in line
        second.socket.leave_match(match.id)
        match.until(1)
        finish(process)


BAN = """
def init_module(nk, initializer):
    def ban(context, payload):
        nk.users_ban_id([payload])
        return "{}"
    initializer.register_rpc(ban, "ban")
"""


def test_banned_bot_is_replaced(tmp_path: Path) -> None:
    module = tmp_path / "ban.py"
    module.write_text(BAN)
    with EmulatorProcess.start(extra=("--module", str(module))) as emulator:
        player, _ = make_player(Target.parse(emulator.url), new_identity())
        player.connect()
        match = Watched(player)
        with filler(emulator, tmp_path, "--match-id", match.id, "--seats", "2") as process:
            match.until(1)
            (banned,) = (name for name in match.names.values() if name.startswith(PREFIX))
            user = player.client.get_users(player.session, usernames=[banned])["users"][0]
            player.socket.rpc("ban", user["id"])
            match.until(0)
            match.until(1)
            assert banned not in match.names.values()
            errors = finish(process)
        player.close()
    assert errors.count(f"bot {banned} may not log in") == 1
    assert "7 PERMISSION_DENIED: User account banned. (HTTP 403) (given up; " in errors


@pytest.mark.parametrize("way", ["--listing", "--matchmaker", "--party"])
def test_query_that_the_server_cannot_parse(emulator: EmulatorProcess, tmp_path: Path, way: str) -> None:
    with filler(emulator, tmp_path, way, "--query", '+label.mode:"duel') as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "--query" in errors
    assert "a query that the server can parse" in errors
    assert no_problem(errors).count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--listing", "--seats", "9", "--capacity", "8"], "at most --capacity 8"),
        (["--listing", "--share", "0.5"], "--capacity-field"),
        (["--matchmaker", "--min-count", "5"], "at most --max-count 4"),
        (["--matchmaker", "--wait-at-most", "5", "--total", "2"], "at least 3 with --wait-at-most"),
        (["--matchmaker", "--property", "duel"], "NAME=VALUE"),
        (["--party", "--create-parties", "1", "--only-with-humans"], "not with --only-with-humans"),
        (["--party", "--create-parties", "1", "--capacity", "300"], "at most 256"),
        (["--party", "--party-label", "duel"], "the text of a JSON object"),
        (["--listing", "--hours", "late"], "HH:MM-HH:MM"),
        (["--listing", "--script", "nobody"], "FILE.py:NAME"),
        (["--rpc", "x", "--payload", "{"], "a JSON text"),
        (["--listing", "--locales", "xx_XX"], "locales, each with its weight"),
        (["--listing", "--total", "9", "--nakama-max-users", "8"], "at most 8, by --nakama-max-users"),
    ],
)
def test_bad_options(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fill", "http://127.0.0.1:9", *arguments]) == 2
    text = capsys.readouterr().err
    assert message in text
    assert text.count("\n") == 1


@pytest.mark.parametrize("host", ["prod.example.com", "game.example.com"])
def test_suspicious_target_needs_confirmation(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fill", f"https://{host}", "--listing"]) == 2
    assert f"add --nakama-confirm-target {host}" in capsys.readouterr().err


def test_bot_plays_tic_tac_toe(emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path) -> None:
    player = human()
    match_id = json.loads(player.socket.rpc("create_match", '{"module":"tic_tac_toe"}')["payload"])["match_id"]
    over = gevent.event.AsyncResult()

    def state(data: Any) -> None:
        game = json.loads(base64.b64decode(data["data"]))
        if game["turn"] == player.session.user_id:
            free = [cell for cell, mark in enumerate(game["board"]) if mark == "."]
            player.socket.send_match_state(match_id, 1, json.dumps({"cell": free[0]}))
        if game["winner"]:
            over.set(game)

    player.socket.on("match_data", state)
    arguments = (
        "--match-id",
        match_id,
        "--seats",
        "2",
        "--script",
        "nakama_bots.players.behaviours.bundled:TicTacToePlayer",
    )
    with filler(emulator, tmp_path, *arguments) as process:
        player.socket.join_match(match_id)
        assert set(over.get()["players"].values()) == {"X", "O"}
        finish(process)


def test_party_of_bots_makes_room_for_a_human(
    emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path
) -> None:
    player = human()
    members: dict[str, str] = {}
    changed = gevent.event.Event()

    def presence(event: Any) -> None:
        members.update((one["user_id"], one["username"]) for one in event.get("joins", ()))
        for one in event.get("leaves", ()):
            members.pop(one["user_id"])
        changed.set()

    player.socket.on("party_presence_event", presence)
    arguments = ("--party", "--create-parties", "1", "--party-label", '{"mode":"reef"}', "--seats", "3")
    with filler(emulator, tmp_path, *arguments, "--json-lines") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["bots"] == {"seated": 3}:
                break
        parties: list[Any] = []
        while not parties:  # the listing lags by a second
            listed = player.client.list_parties(player.session, query="+label.mode:reef")
            parties = list(listed.get("parties", ()))
        (party,) = parties
        assert party["max_size"] == 4
        with player.socket.expect("party") as entered:
            player.socket.join_party(party["party_id"])
            seated = entered.wait()
        names = [one["username"] for one in seated["presences"]]
        assert sum(name.startswith(PREFIX) for name in names) == 3
        members.update((one["user_id"], one["username"]) for one in seated["presences"])
        members[player.session.user_id] = "me"
        while len(members) != 3:
            changed.clear()
            changed.wait()
        assert finish(process) == ""
        while len(members) != 1:
            changed.clear()
            changed.wait()


def test_bot_answers_an_invitation(
    emulator: EmulatorProcess, human: Callable[[], Player], tmp_path: Path
) -> None:
    """The party is closed: its leader must accept the bot."""
    player = human()
    party_id = player.socket.create_party(open=False, max_size=4)["party_id"]
    # The listing contains parties of other tests for a second. The query matches none of them.
    arguments = ("--party", "--query", "+label.mode:no_such", "--invitable", "1", "--invitation-code", "7")
    with filler(emulator, tmp_path, *arguments, "--json-lines") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["bots"] == {"joining": 1}:
                break
        name = Identity(PREFIX, 1, 0, 0).username
        bot = player.client.get_users(player.session, usernames=[name])["users"][0]["id"]

        def invite(code: int, content: dict[str, str]) -> None:
            payload = {"user_id": bot, "subject": "come", "content": content, "code": code}
            player.socket.rpc("notify_user", json.dumps(payload))

        with player.socket.expect("party_join_request") as request:
            invite(8, {"party_id": "of something else"})
            invite(7, {"party": "none"})
            invite(7, {"party_id": party_id})
            (presence,) = request.wait(30)["presences"]
        assert presence["username"] == name

        def joined(event: Any) -> bool:
            return any(one["user_id"] == bot for one in event.get("joins", ()))

        with player.socket.expect("party_presence_event", joined) as joining:
            player.socket.accept_party_member(party_id, presence)
            joining.wait(30)
        # Another bot waits for invitations.
        for line in process.stdout:
            if json.loads(line)["bots"] == {"seated": 1, "joining": 1}:
                break
        assert finish(process) == ""


def test_drain_from_a_frozen_server(tmp_path: Path) -> None:
    """The server answers no bot: the drain times out, and the summary reports it."""
    with EmulatorProcess.start() as frozen:
        player, _ = make_player(Target.parse(frozen.url), Identity("humans", 1, 0, 0))
        with player:
            player.connect()
            match = Watched(player)
            with filler(frozen, tmp_path, "--match-id", match.id, "--seats", "4", "--drain", "1") as process:
                match.until(3)
                os.kill(frozen.pid, signal.SIGSTOP)
                try:
                    errors = finish(process)
                finally:
                    os.kill(frozen.pid, signal.SIGCONT)
    assert "some bots were cut off after 1 s" in errors
