"""Roles that meet in every round: each finds what the others did."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess

from .conftest import MakeRecorder
from .support import Game
from .test_scenario import check_plays, written


def in_order(source: str, *lines: str) -> bool:
    """True if the source contains these texts in this order."""
    at = -1
    for line in lines:
        at = source.find(line, at + 1)
        if at < 0:
            return False
    return True


def roles(source: str) -> dict[str, str]:
    """The source of each role."""
    found = source.split("    def ")
    return {text.partition("(")[0]: text for text in found[1:]}


def test_a_player_who_only_joins_waits_for_the_others(
    tmp_path: Path, record: MakeRecorder, emulator: EmulatorProcess
) -> None:
    proxy = record()
    ann, ben = Game(proxy.url, "ann-who-acts").log_in(), Game(proxy.url, "ben-who-looks").log_in()
    match = ann.socket.create_match()
    with ben.socket.expect("match_data") as data:
        ben.socket.join_match(match["match_id"])
        ann.socket.send_match_state(match["match_id"], 5, b"go")
        data.wait(60)
    ben.socket.leave_match(match["match_id"])
    ann.socket.leave_match(match["match_id"])
    for game in (ann, ben):
        game.close()
    path = tmp_path / "looks.py"
    source, _ = written(proxy, path)
    first, second = roles(source)["first"], roles(source)["second"]
    assert in_order(first, 'match.send(5, "go")', "    crew.wait()")
    assert in_order(second, "self.player.join_match(match_id)", "    crew.wait()")
    assert "pass" not in second
    check_plays(path, emulator)


def test_a_closed_party_matched_with_a_single_player(
    tmp_path: Path, record: MakeRecorder, emulator: EmulatorProcess
) -> None:
    proxy = record()
    ann, ben, cid = (Game(proxy.url, f"{name}-of-a-closed-party").log_in() for name in ("ann", "ben", "cid"))
    party = ann.socket.create_party(open=False, max_size=2)
    with ann.socket.expect("party_join_request") as asked, ben.socket.expect("party") as joined:
        ben.socket.join_party(party["party_id"])
        ann.socket.accept_party_member(party["party_id"], asked.wait(60)["presences"][0])
        joined.wait(60)
    with ann.socket.expect("party_data") as data:
        ben.socket.send_party_data(party["party_id"], 1, b"ready")
        data.wait(60)
    games = (ann, ben, cid)
    with ExitStack() as stack:
        found = [stack.enter_context(game.socket.expect("matchmaker_matched")) for game in games]
        cid.socket.add_matchmaker("*", 3, 3)
        ann.socket.add_matchmaker_party(party["party_id"], "*", 3, 3)
        matched = [one.wait(60) for one in found]
    for game, one in zip(games, matched, strict=True):
        match = game.socket.join_match(token=one["token"])
    for game in games:
        game.socket.leave_match(match["match_id"])
    cid.socket.remove_matchmaker(cid.socket.add_matchmaker("*", 2, 2)["ticket"])
    for game in games:
        game.close()
    path = tmp_path / "closed.py"
    source, _ = written(proxy, path)
    assert 'crew.id, players=3, party_id=party["party_id"]' in source
    assert "self.player.find_match(crew.id, players=3)" in source
    assert "self.player.add_ticket(self.player.user_id, players=2)" in source
    for _ in range(2):
        check_plays(path, emulator)


@pytest.mark.parametrize("befriends", [True, False])
def test_one_time_actions_use_a_new_account(
    tmp_path: Path, record: MakeRecorder, emulator: EmulatorProcess, befriends: bool
) -> None:
    for name in ("ann-of-old", "ben-of-old"):
        Game(emulator.url, name).log_in(connect=False).close()
    proxy = record()
    ann, ben = (Game(proxy.url, name).log_in(connect=False) for name in ("ann-of-old", "ben-of-old"))
    if befriends:
        ann.client.add_friends(ann.session, ids=[ben.session.user_id])
    for game in (ann, ben):
        game.client.get_account(game.session)
        game.close()
    source, _ = written(proxy, tmp_path / "old.py")
    assert ("with self.player.passing_through(), self.player.meet(" in source) == befriends
