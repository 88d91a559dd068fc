"""Tournaments and their records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, Unpack

from nakama_bots.rest.caller import A, Family
from nakama_bots.rest.documents import with_text
from nakama_bots.rest.route import Route
from nakama_bots.types.common import D, Empty, N
from nakama_bots.types.leaderboards import LeaderboardRecord
from nakama_bots.types.tournaments import (
    TournamentList,
    TournamentRecordList,
    WriteTournamentRecordRequestTournamentRecordWrite,
)

LIST: Final = Route[TournamentList[Any]]("GET", "/v2/tournament")
LIST_RECORDS: Final = Route[TournamentRecordList[Any, Any]]("GET", "/v2/tournament/{tournament_id}")
LIST_AROUND: Final = Route[TournamentRecordList[Any, Any]](
    "GET", "/v2/tournament/{tournament_id}/owner/{owner_id}"
)
# Each write counts as an attempt and may increment the score: not idempotent, although the method is.
WRITE: Final = Route[LeaderboardRecord[Any, Any]]("PUT", "/v2/tournament/{tournament_id}", repeatable=False)
WRITE_POST: Final = Route[LeaderboardRecord[Any, Any]]("POST", "/v2/tournament/{tournament_id}")
DELETE: Final = Route[Empty]("DELETE", "/v2/tournament/{tournament_id}")
JOIN: Final = Route[Empty]("POST", "/v2/tournament/{tournament_id}/join")


class TournamentsFamily(Family[A], Generic[A, D, N]):
    """Find, join and play tournaments. The server's runtime creates them; an unknown one is ``NotFound``.

    ``expiry`` (Unix seconds) names an ended period of a tournament with resets.
    """

    def list_tournaments(
        self,
        session: A,
        category_start: int | None = None,
        category_end: int | None = None,
        start_time: int | None = None,
        end_time: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> TournamentList[D]:
        """A page of 1 to 100 (100 by default) running and coming tournaments; times in Unix seconds."""
        query = {
            "category_start": category_start,
            "category_end": category_end,
            "start_time": start_time,
            "end_time": end_time,
            "limit": limit,
            "cursor": cursor,
        }
        return self._by_token(LIST, session, query=query)

    def list_tournament_records(
        self,
        session: A,
        tournament_id: str,
        owner_ids: Sequence[str] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        expiry: int | str | None = None,
    ) -> TournamentRecordList[D, N]:
        """A page of 1 to 100 (10 by default), best first, and the records of ``owner_ids``."""
        query = {"owner_ids": owner_ids, "limit": limit, "cursor": cursor, "expiry": expiry}
        return self._by_token(LIST_RECORDS, session, (tournament_id,), query)

    def list_tournament_records_around_owner(
        self,
        session: A,
        tournament_id: str,
        owner_id: str,
        limit: int | None = None,
        expiry: int | str | None = None,
        cursor: str | None = None,
    ) -> TournamentRecordList[D, N]:
        """1 to 100 records (100 by default) with the owner's in the middle; none if it has no record."""
        query = {"limit": limit, "expiry": expiry, "cursor": cursor}
        return self._by_token(LIST_AROUND, session, (tournament_id, owner_id), query)

    def write_tournament_record(
        self,
        session: A,
        tournament_id: str,
        request: WriteTournamentRecordRequestTournamentRecordWrite[D] | None = None,
        **fields: Unpack[WriteTournamentRecordRequestTournamentRecordWrite[D]],
    ) -> LeaderboardRecord[D, N]:
        """Write a score, in an object or by field; returns the record, the old one if no attempt was left."""
        return self._by_token(
            WRITE, session, (tournament_id,), body=with_text({**(request or {}), **fields}, "metadata")
        )

    def write_tournament_record2(
        self,
        session: A,
        tournament_id: str,
        request: WriteTournamentRecordRequestTournamentRecordWrite[D] | None = None,
        **fields: Unpack[WriteTournamentRecordRequestTournamentRecordWrite[D]],
    ) -> LeaderboardRecord[D, N]:
        """``write_tournament_record`` with POST."""
        return self._by_token(
            WRITE_POST, session, (tournament_id,), body=with_text({**(request or {}), **fields}, "metadata")
        )

    def delete_tournament_record(self, session: A, tournament_id: str) -> Empty:
        """Delete the user's own record; no error without one.

        ``InternalError``: the tournament is unknown, or only the server's runtime may delete.
        """
        return self._by_token(DELETE, session, (tournament_id,))

    def join_tournament(self, session: A, tournament_id: str) -> Empty:
        """Join; needed before writing to a tournament that requires it."""
        return self._by_token(JOIN, session, (tournament_id,))
