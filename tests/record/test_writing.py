"""Repeated calls are written once, and a player without its opponent documents what it needs."""

from __future__ import annotations

import base64

from .support import Recorded

ME = "11111111-2222-4333-8444-555555555555"


def body_of(source: str) -> str:
    return source[source.index("    def play(") :]


def test_calls_that_differ_in_a_value_are_a_loop() -> None:
    own = Recorded()
    for score in ("10", "20", "30"):
        own.rest("POST", "/v2/leaderboard/race", {"score": score}, {"owner_id": ME})
    body = body_of(own.files()[0])
    assert 'for score in ("10", "20", "30"):' in body
    assert body.count("write_leaderboard_record") == 1


def test_a_table_longer_than_a_line_is_in_the_data_file() -> None:
    own = Recorded()
    for number in range(40):
        own.rest("GET", f"/v2/group?name=a-group-{number}&limit={number + 1}", None, {})
    source, data, _ = own.files()
    assert 'for name, limit in DATA.values["rows"]:' in source
    assert data["values"]["rows"] == [[f"a-group-{number}", number + 1] for number in range(40)]


def test_calls_repeated_elsewhere_are_a_function() -> None:
    own = Recorded()
    for other in ("/v2/friend?limit=3", "/v2/account", "/v2/notification?limit=4"):
        own.rest("GET", "/v2/leaderboard/a?limit=5", None, {})
        own.rest("GET", "/v2/tournament/b?limit=7", None, {})
        own.rest("GET", "/v2/group?limit=8", None, {})
        own.rest("GET", "/v2/storage/saves?limit=9", None, {})
        own.rest("GET", "/v2/match?limit=10", None, {})
        own.rest("GET", other, None, {})
    body = body_of(own.files()[0])
    assert body.count("list_leaderboard_records(") == 1
    assert body.count("    def ") == 2


def test_a_function_returns_an_answer_that_the_next_call_needs() -> None:
    own = Recorded()
    versions = [f"{number:032x}" for number in range(9)]
    for number, version in enumerate(versions):
        sent = {"collection": "saves", "key": "one", "value": f'{{"level":{number},"filler":"{"x" * 80}"}}'}
        if number:
            sent["version"] = versions[number - 1]
        ack = {"collection": "saves", "key": "one", "version": version, "user_id": ME}
        own.rest("PUT", "/v2/storage", {"objects": [sent]}, {"acks": [ack]})
        if number % 3 == 2:
            own.rest("GET", f"/v2/group?limit={number}", None, {})
    source, _, everything = own.files()
    assert 'version=saved["version"]' in source
    assert not any(version in everything for version in versions)


def test_a_player_without_its_opponent_is_matched_with_copies() -> None:
    own = Recorded()
    own.message(
        "matchmaker_add",
        {"query": "*", "min_count": 2, "max_count": 2},
        {"matchmaker_ticket": {"ticket": "t-1"}},
    )
    users = [{"presence": {"user_id": ME}}, {"presence": {"user_id": "99999999-2222-4333-8444-555555555555"}}]
    own.push("matchmaker_matched", {"ticket": "t-1", "token": "token-of-match", "users": users})
    own.message("match_join", {"token": "token-of-match"}, {"match": {"match_id": "m-1."}})
    own.message("match_leave", {"match_id": "m-1."})
    source, data, _ = own.files()
    assert "self.player.find_match(type(self).__name__, players=2)" in source
    assert "Players who are matched with each other; run a multiple of 2 users." in source
    assert data["players"] == 2


def test_an_id_sent_to_a_party_is_that_of_the_run() -> None:
    own, party, match = Recorded(), ME.replace("1", "2"), ME.replace("1", "3") + "."
    data = base64.b64encode(match.encode()).decode()
    own.message("party_create", {"open": True, "max_size": 2}, {"party": {"party_id": party, "open": True}})
    own.message("match_create", {}, {"match": {"match_id": match}})
    own.message("party_data_send", {"party_id": party, "op_code": "1", "data": data}, {})
    assert "party.send(1, match.id)" in own.files()[0]
