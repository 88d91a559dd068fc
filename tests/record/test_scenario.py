"""A session that is played through the recorder becomes a scenario that plays it again."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import gevent
import orjson
import pytest

from nakama_bots.cli.main import main
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.errors import CallError, NotFound
from nakama_bots.players.replay import SUFFIX
from nakama_bots.realtime.protobuf import ProtobufAdapter
from nakama_bots.record.verify import verify
from nakama_bots.record.writing.scenario import finish
from nakama_bots.record.writing.write import RecordOptions
from nakama_bots.settings.resolve import Settings

from .conftest import MakeRecorder
from .support import Game, check_source, stopped


def written(proxy: object, path: Path, **options: object) -> tuple[str, list[str]]:
    """Write the scenario of a recorder; return its source and the lines that were printed."""
    lines: list[str] = []
    tape = stopped(proxy)  # type: ignore[arg-type]
    assert finish(tape, RecordOptions(path, **options), lines.append), lines  # type: ignore[arg-type]
    return check_source(path), lines


def check_plays(path: Path, emulator: EmulatorProcess) -> None:
    """Check that a round of the scenario repeats the recorded calls with their outcomes."""
    shown: list[str] = []
    settings = Settings.resolve({"url": emulator.url}, {})
    assert verify(path, settings, shown.append), "\n".join(shown)


def one_player(game: Game) -> None:
    game.log_in()
    client, session, socket = game.client, game.session, game.socket
    client.get_account(session)
    acks = client.write_storage_objects(
        session, [{"collection": "saves", "key": "one", "value": {"level": 1}, "version": "*"}]
    )
    client.write_storage_objects(
        session,
        [
            {
                "collection": "saves",
                "key": "one",
                "value": {"level": 2},
                "version": acks["acks"][0]["version"],
            }
        ],
    )
    group = client.create_group(session, name=f"{game.name}'s", open=True)
    client.update_group(session, group["id"], description="about me")
    client.list_group_users(session, group["id"], limit=10)
    with pytest.raises(NotFound):
        client.rpc(session, "nothing_like_it", {"a": 1})
    room = socket.join_chat("hall")
    ack = socket.write_chat_message(room["id"], {"text": "my secret plan"})
    socket.update_chat_message(room["id"], ack["message_id"], {"text": "forget it"})
    client.list_channel_messages(session, room["id"], limit=20, forward=False)
    socket.leave_chat(room["id"])
    match = socket.create_match()
    for number in range(10):
        socket.send_match_state(match["match_id"], 7, f'{{"x":{number}}}')
    socket.leave_match(match["match_id"])
    client.delete_group(session, group["id"])
    game.close()


@pytest.mark.parametrize("binary", [False, True], ids=["json", "protobuf"])
def test_one_player(binary: bool, tmp_path: Path, record: MakeRecorder, emulator: EmulatorProcess) -> None:
    proxy = record()
    name = f"single-{binary}"
    if binary:  # also in a repository with longer lines
        (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 112\n")
    game = Game(proxy.url, name, adapter=ProtobufAdapter()) if binary else Game(proxy.url, name)
    one_player(game)
    path = tmp_path / "one_game.py"
    source, lines = written(proxy, path)
    assert "class OneGame(NakamaUser):" in source
    assert 'with self.player.chat("hall") as room:' in source
    assert 'room.correct(ack["message_id"], ' in source
    assert "room.history()" in source
    assert "with self.player.create_match() as match:" in source
    assert 'match.replay(DATA.state["player 1"])' in source
    assert 'version=saved["version"]' in source
    assert "with self.player.refused(NotFound):" in source
    for private in (name, "my secret plan", "forget it", "about me", "device-of"):
        assert private not in source
    assert any(line.startswith("found: WS channel_message_update: value") for line in lines)
    data = orjson.loads(path.with_suffix(SUFFIX).read_bytes())
    assert len(data["state"]["player 1"]) == 10
    check_plays(path, emulator)


def test_state_as_a_model_at_the_recorded_pace(
    tmp_path: Path, record: MakeRecorder, emulator: EmulatorProcess
) -> None:
    proxy = record()
    one_player(Game(proxy.url, "model"))
    path = tmp_path / "model.py"
    source, _ = written(proxy, path, state="model", pace="recorded")
    assert 'match.play(**DATA.models["player 1"])' in source
    data = orjson.loads(path.with_suffix(SUFFIX).read_bytes())
    assert data["models"]["player 1"]["sent"] == [[7, 7, 7, 10]]
    assert data["state"] == {}
    check_plays(path, emulator)


def two_players(ann: Game, ben: Game) -> None:
    ann.log_in()
    ben.log_in()
    ann.client.add_friends(ann.session, ids=[ben.session.user_id])
    ben.client.add_friends(ben.session, ids=[ann.session.user_id])
    with ann.socket.expect("matchmaker_matched") as first, ben.socket.expect("matchmaker_matched") as second:
        for game in (ann, ben):
            game.socket.add_matchmaker("*", 2, 2)
        matched = [first.wait(60), second.wait(60)]
    with ann.socket.expect("match_presence_event") as arrived:
        matches = [
            game.socket.join_match(token=one["token"]) for game, one in zip((ann, ben), matched, strict=True)
        ]
        arrived.wait(60)
    for game in (ann, ben):
        game.socket.send_match_state(matches[0]["match_id"], 1, b"\x00\x01")
        game.socket.leave_match(matches[0]["match_id"])
    party = ann.socket.create_party(open=True, max_size=2)
    with ben.socket.expect("party") as joined:
        ben.socket.join_party(party["party_id"])
        joined.wait(60)
    with ann.socket.expect("party_data") as data:
        ben.socket.send_party_data(party["party_id"], 3, b"ready")
        data.wait(60)
    ann.socket.send_party_data(party["party_id"], 4, b"go")
    ben.socket.leave_party(party["party_id"])
    ann.socket.close_party(party["party_id"])
    ann.close()
    ben.close()


def test_two_players_meet_in_a_match_and_a_party(
    tmp_path: Path, record: MakeRecorder, emulator: EmulatorProcess
) -> None:
    proxy = record()
    two_players(Game(proxy.url, "ann-of-two"), Game(proxy.url, "ben-of-two"))
    path = tmp_path / "pair.py"
    source, _ = written(proxy, path)
    assert "(self.first, self.second)[crew.index](crew)" in source
    assert "with self.player.find_match(crew.id, players=2) as match:" in source
    assert "with self.player.lead_party(2) as party:" in source
    assert 'crew.share(party.id, "party_id")' in source
    assert "with self.player.join_party(party_id) as party:" in source
    assert "self.player.api.add_friends(ids=[crew.members[1].user_id])" in source
    check_plays(path, emulator)


def test_locust_runs_a_scenario_against_the_embedded_emulator(tmp_path: Path, record: MakeRecorder) -> None:
    proxy = record()
    two_players(Game(proxy.url, "ann-of-load"), Game(proxy.url, "ben-of-load"))
    path = tmp_path / "loaded.py"
    written(proxy, path)
    command = [
        sys.executable, "-m", "locust", "-f", str(path), "--headless", "-u", "4", "-r", "4", "-t", "10s",
        "--nakama-emulator-matchmaker-interval", "0.3", "--nakama-health-limits",
        "cpu=0,loop_busy=0,hub_lag=0,receive_wait=0,tick_lateness=0",  # the machine may be busy
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "(balanced)" in done.stdout + done.stderr


def test_no_secret_is_in_a_file(tmp_path: Path, record: MakeRecorder) -> None:
    proxy = record()
    game = Game(proxy.url, "planted-player").log_in()
    client, session, socket = game.client, game.session, game.socket
    other = Game(proxy.url, "foreign-person").log_in(connect=False)
    planted = (
        "planted@example.org", "planted-password-1", "203.0.113.77", "planted-api-key", "planted-bearer-key",
        "planted-player", "foreign-person", "planted-custom-id", "defaultkey", "my own words",
    )  # fmt: skip
    client.authenticate_email(planted[0], planted[1], username="planted-mail-user")
    client.authenticate_custom(planted[7])
    client.get_users(session, usernames=["foreign-person"])
    values = {"api_key": planted[3], "note": f"from {planted[2]} by {planted[0]}", "who": session.token}
    client.write_storage_objects(session, [{"collection": "c", "key": "k", "value": values}])
    with pytest.raises(CallError):
        client.rpc(session, "x", {"password": planted[4], "to": "foreign-person"})
    room = socket.join_chat("hall")
    socket.write_chat_message(room["id"], {"text": f"my own words to foreign-person at {planted[0]}"})
    match = socket.create_match()
    for _ in range(5):
        socket.send_match_state(match["match_id"], 1, b'{"name":"foreign-person","at":"203.0.113.77"}')
        socket.send_match_state(match["match_id"], 2, b"\xff\x00planted-player\xfe")
    game.close()
    other.close()
    path = tmp_path / "planted.py"
    written(proxy, path)
    document = orjson.loads(path.with_suffix(SUFFIX).read_bytes())
    state = b"".join(base64.b64decode(row[2]) for rows in document["state"].values() for row in rows)
    text = path.read_text() + path.with_suffix(SUFFIX).read_text() + state.decode("latin-1")
    found = [one for one in (*planted, session.token, session.refresh_token) if one in text]
    assert found == []
    assert session.user_id not in text


def test_sixty_calls_take_at_most_a_hundred_lines(tmp_path: Path, record: MakeRecorder) -> None:
    proxy = record()
    game = Game(proxy.url, "sixty").log_in()
    api, session = game.client, game.session
    room = game.socket.join_chat("hall")
    for number in range(14):
        api.list_friends(session, limit=10 + number)
        api.write_storage_objects(
            session,
            [{"collection": "saves", "key": f"k{number}", "value": {"text": "x" * 200, "number": number}}],
        )
        game.socket.write_chat_message(room["id"], {"text": "hello"})
        api.list_groups(session, limit=20)
        gevent.sleep(0.05)
    game.socket.leave_chat(room["id"])
    api.get_account(session)
    api.list_notifications(session, limit=10)
    game.close()
    path = tmp_path / "sixty.py"
    source, _ = written(proxy, path)
    calls = orjson.loads(path.with_suffix(SUFFIX).read_bytes())["calls"]["player"]
    assert len(calls) == 60
    assert source.count("\n") <= 100


def test_nothing_is_lost_when_the_disk_is_full(
    tmp_path: Path, record: MakeRecorder, capsys: pytest.CaptureFixture[str]
) -> None:
    proxy = record()
    game = Game(proxy.url, "disk").log_in()
    game.client.get_account(game.session)
    game.close()
    lines: list[str] = []
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert not finish(stopped(proxy), RecordOptions(blocked / "mine.py"), lines.append)
    assert any("could not be written" in line for line in lines)
    assert "self.player.api.get_account()" in capsys.readouterr().out


def test_mistakes_on_the_command_line(
    tmp_path: Path,
    emulator: EmulatorProcess,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("edited.py").write_text("# for hours")
    Path("exits.py").write_text("raise SystemExit(3)")
    for arguments, expected in (
        ([emulator.url, "--verify", "-o", "exits.py"], "--output"),
        ([emulator.url, "-o", "edited.py"], "--force"),
        ([emulator.url, "--listen", emulator.url.rpartition("/")[2]], "--listen"),
        ([emulator.url, "--tls-key", "edited.py"], "--tls-cert"),
        ([], "URL"),
        (["nonsense"], "URL"),
        ([emulator.url, "-o", "no-module.txt"], "--output"),
        ([emulator.url, "--listen", "localhost"], "HOST:PORT"),
        ([emulator.url, "--listen", "127.0.0.1:²"], "HOST:PORT"),
        (["--har", "none.har"], "--har"),
        ([emulator.url, "--verify", "-o", "none.py"], "--output"),
    ):
        try:
            code: object = main(["record", *arguments])
        except SystemExit as ended:
            code = ended.code
        (line,) = capsys.readouterr().err.splitlines()
        assert code == 2, (arguments, line)
        assert expected in line
    assert Path("edited.py").read_text() == "# for hours"


def test_a_player_loses_the_connection_in_a_party(
    tmp_path: Path, record: MakeRecorder, emulator: EmulatorProcess
) -> None:
    proxy = record()
    ann, ben = Game(proxy.url, "ann-comes-back").log_in(), Game(proxy.url, "ben-stays").log_in()
    party = ann.socket.create_party(open=True, max_size=2)
    with ben.socket.expect("party") as joined:
        ben.socket.join_party(party["party_id"])
        joined.wait(60)
    with ben.socket.expect("party_leader") as led:
        ann.socket.close()
        led.wait(60)
    again = Game(proxy.url, "ann-comes-back").log_in()
    again.socket.join_chat("hall")
    ben.socket.send_party_data(party["party_id"], 1, b"where are you")
    ben.socket.close_party(party["party_id"])
    for game in (ann, again, ben):
        game.close()
    path = tmp_path / "lost.py"
    source, _ = written(proxy, path)
    block = source[source.index("with self.player.lead_party(2)") :]
    assert block.index("self.player.disconnect()") < block.index("self.player.connect()")
    check_plays(path, emulator)


def test_a_player_without_calls(tmp_path: Path, record: MakeRecorder, emulator: EmulatorProcess) -> None:
    proxy = record()
    Game(proxy.url, "only-there").log_in().close()
    path = tmp_path / "there.py"
    source, _ = written(proxy, path)
    assert "self.player.hold(1)" in source
    check_plays(path, emulator)
