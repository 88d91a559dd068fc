"""The policy and strategy that the options select; and ``--emulator``, a server to try bots on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nakama_bots.cli.main import main
from nakama_bots.errors import ConfigError
from nakama_bots.fill.options import FillOptions
from nakama_bots.fill.setup import bots_ticket, policy_of, strategy_of
from nakama_bots.fill.strategies import MatchmakerStrategy

from .support import finish, seated


def test_bot_tickets_do_not_match_each_other() -> None:
    strategy = strategy_of(FillOptions(matchmaker=True, query="+properties.mode:duel"), print)
    assert isinstance(strategy, MatchmakerStrategy)
    ticket = strategy.ticket
    assert ticket == bots_ticket("+properties.mode:duel", 2, 4)
    assert ticket.query == "+properties.mode:duel -properties.nakama_bots:yes"
    assert ticket.string_properties == {"nakama_bots": "yes"}


def test_property_cannot_override_the_bot_property() -> None:
    ticket = bots_ticket("", 2, 2, ["rank=12", "mode=duel", "nakama_bots=no"])
    assert ticket.query == "-properties.nakama_bots:yes"
    assert ticket.string_properties == {"mode": "duel", "nakama_bots": "yes"}
    assert ticket.numeric_properties == {"rank": 12.0}


def set_up(options: FillOptions) -> None:
    policy_of(options)
    strategy_of(options, print)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (FillOptions(match_id=("a",), seats=5, capacity=4), "--seats: 5 .*at most --capacity 4"),
        (FillOptions(match_id=("a",), share=0.5), "--share: 0.5 .*--capacity or --capacity-field"),
        (FillOptions(matchmaker=True, min_count=5), "--min-count: 5 .*at most --max-count 4"),
        (FillOptions(matchmaker=True, total=2, wait_at_most=3), "--total: 2 .*at least 3 with --wait-at-most"),
        (FillOptions(matchmaker=True, property=("mode",)), "--property: 'mode' .*NAME=VALUE"),
        (FillOptions(rpc="f", payload="{"), "--payload: '{' .*a JSON text"),
        (FillOptions(party=True, party_label="[1]"), "--party-label: .*JSON object"),
        (FillOptions(party=True, create_parties=1, capacity=300), "--capacity: 300 .*at most 256"),
        (FillOptions(party=True, create_parties=1, only_with_humans=True), "--create-parties: 1 .*not with"),
        (FillOptions(match_id=("a",), hours="noon"), "--hours: 'noon' .*HH:MM-HH:MM"),
    ],
)
def test_bad_option_combinations(options: FillOptions, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        set_up(options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "URL: '' cannot be used; accepted: http://HOST[:PORT] or"),
        (["http://u:s3cret/x@h"], "URL: 'http://<user>@h' cannot be used"),
        (
            ["http://h:7350/v2"],
            "URL: 'http://h:7350/v2' cannot be used; accepted: the server's URL without /v2",
        ),
        (["--emulator", "--nakama-emulator-module", "/no/module.py"], "--nakama-emulator-module: "),
    ],
)
def test_bad_server_is_reported_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NAKAMA_URL", raising=False)
    assert main(["fill", "--match-name", "reef", *arguments]) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
    assert "s3cret" not in errors


MODULE = """
import json

class Reef:
    def match_init(self, context, params):
        return {}, 5, ""
    def match_join_attempt(self, context, dispatcher, tick, state, presence, metadata):
        return state, True
    def match_join(self, context, dispatcher, tick, state, presences):
        return state
    match_leave = match_join
    def match_loop(self, context, dispatcher, tick, state, messages):
        return state
    match_terminate = match_signal = match_loop

reef = []

def init_module(nk, initializer):
    initializer.register_match("reef", Reef())
    def lobby(context, payload):
        reef.extend([] if reef else [nk.match_create("reef", {})])
        return json.dumps({"match_id": reef[0]})
    initializer.register_rpc(lobby, "lobby")
"""


def test_emulator_option_with_the_games_module(tmp_path: Path) -> None:
    (tmp_path / "game.py").write_text(MODULE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NAKAMA_")}
    command = [sys.executable, "-m", "nakama_bots.cli", "fill", "--emulator", "--rpc", "lobby", "--seats", "2"]
    command += ["--json-lines", "--nakama-emulator-module", "game.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            line = seated(process, 2)
            errors = finish(process)
        finally:
            process.kill()
    assert len(line["lobbies"]) == 1
    assert "an EMULATOR was started at http://127.0.0.1:" in errors
