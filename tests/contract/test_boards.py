"""Leaderboards and tournaments. The server's runtime creates the boards: modules/boards.lua."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from nakama_bots.rest.client import Client
from nakama_bots.session import Session
from nakama_bots.types.leaderboards import ApiOperator

from .support import ID, SECONDS, Server, refused, unique


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    """A client of a server with the module for boards."""
    server.function("contract_boards")
    return server.client


@dataclass(frozen=True)
class Table:
    """Two users, and a new leaderboard and tournament."""

    client: Client
    one: Session
    two: Session
    leaderboard: str
    tournament: str


@pytest.fixture
def table(client: Client) -> Table:
    one, two = (
        client.authenticate_device(unique("contract-board-device"), username=unique("player")) for _ in range(2)
    )
    created = client.rpc(one, "contract_boards", {"id": unique("board")})["payload"]
    return Table(client, one, two, created["leaderboard"], created["tournament"])


def test_write_read_and_delete_a_record(table: Table) -> None:
    client, board = table.client, table.leaderboard
    first = client.write_leaderboard_record(table.one, board, {"score": 2**60, "metadata": {"level": 1}})
    assert first == {
        "leaderboard_id": board, "owner_id": table.one.user_id, "username": table.one.username,
        "score": 2**60, "num_score": 1, "metadata": {"level": 1}, "create_time": SECONDS,
        "update_time": SECONDS, "rank": 1, "max_num_score": 1000000,
    }  # fmt: skip
    assert client.write_leaderboard_record(table.one, board, {"score": 5})["score"] == 2**60
    client.write_leaderboard_record(table.two, board, {"score": 7, "subscore": 3})
    listed = client.list_leaderboard_records(table.one, board, [table.two.user_id], 10)
    assert [(one["score"], one["rank"]) for one in listed["records"]] == [(2**60, 1), (7, 2)]
    assert [one["subscore"] for one in listed["owner_records"]] == [3]
    assert listed["rank_count"] == 2
    around = client.list_leaderboard_records_around_owner(table.one, board, table.two.user_id, 1)
    assert [one["owner_id"] for one in around["records"]] == [table.two.user_id]
    page = client.list_leaderboard_records(table.one, board, limit=1)
    following = client.list_leaderboard_records(table.one, board, limit=1, cursor=page["next_cursor"])
    assert [one["rank"] for one in following["records"]] == [2]
    assert client.delete_leaderboard_record(table.two, board) == {}
    assert client.delete_leaderboard_record(table.two, board) == {}
    assert client.list_leaderboard_records(table.one, board, limit=10)["rank_count"] == 1


def test_operator_overrides_the_operator_of_the_board(table: Table) -> None:
    def write(score: int, operator: ApiOperator) -> int:
        record = table.client.write_leaderboard_record(
            table.one, table.leaderboard, {"score": score, "operator": operator}
        )
        return record["score"]

    assert write(10, ApiOperator.SET) == 10
    assert write(4, ApiOperator.SET) == 4
    assert write(3, ApiOperator.INCREMENT) == 7
    assert write(2, ApiOperator.DECREMENT) == 5
    assert write(1, ApiOperator.BEST) == 5


def test_leaderboard_refusals(table: Table) -> None:
    client, board = table.client, table.leaderboard
    with refused(400, 3, "Metadata value must be JSON, if provided."):
        client.write_leaderboard_record(table.one, board, {"score": 1, "metadata": "nope"})
    with refused(400, 3, "Invalid limit - limit must be between 1 and 1000."):
        client.list_leaderboard_records(table.one, board, limit=0)
    with refused(400, 3, "Cursor is invalid or expired."):
        client.list_leaderboard_records(table.one, board, limit=1, cursor="!!!")
    with refused(400, 3, "Invalid owner ID provided."):
        client.list_leaderboard_records_around_owner(table.one, board, "x", 1)


def test_find_join_and_play_a_tournament(table: Table) -> None:
    client, tournament = table.client, table.tournament
    # A persistent database has the tournaments of earlier runs too.
    pages = [client.list_tournaments(table.one, 1, 1, limit=100)]
    while pages[-1].get("cursor"):
        pages.append(client.list_tournaments(table.one, 1, 1, limit=100, cursor=pages[-1]["cursor"]))
    [listed] = [one for page in pages for one in page.get("tournaments", []) if one["id"] == tournament]
    assert (listed["title"], listed["metadata"], listed["duration"]) == ("Contract", {"kind": "contract"}, 3600)
    assert (listed["max_size"], listed["join_required"], listed["operator"]) == (2, True, ApiOperator.INCREMENT)
    with refused(400, 9, "Must join tournament before attempting to write value."):
        client.write_tournament_record(table.one, tournament, {"score": 1})
    for player in (table.one, table.two):
        assert client.join_tournament(player, tournament) == {}
    written = client.write_tournament_record(table.one, tournament, {"score": 5, "metadata": {"m": 1}})
    assert (written["owner_id"], written["score"], written["metadata"]) == (ID, 5, {"m": 1})
    assert client.write_tournament_record2(table.one, tournament, {"score": 2})["score"] == 7
    # No attempt is left: the record stays as it is.
    assert client.write_tournament_record(table.one, tournament, {"score": 9})["score"] == 7
    records = client.list_tournament_records(table.two, tournament, [table.two.user_id])
    assert [one["owner_id"] for one in records["records"]] == [table.one.user_id, table.two.user_id]
    assert [one["owner_id"] for one in records["owner_records"]] == [table.two.user_id]
    around = client.list_tournament_records_around_owner(table.two, tournament, table.two.user_id, 1)
    assert [one["rank"] for one in around["records"]] == [2]
    assert client.delete_tournament_record(table.two, tournament) == {}


def test_full_tournament(table: Table) -> None:
    client = table.client
    client.join_tournament(table.one, table.tournament)
    client.join_tournament(table.two, table.tournament)
    third = client.authenticate_device(unique("contract-board-device"))
    with refused(400, 3, "Tournament cannot be joined as it has reached its max size."):
        client.join_tournament(third, table.tournament)
