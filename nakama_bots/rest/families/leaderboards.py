"""Records of leaderboards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, Unpack

from nakama_bots.rest.caller import A, Family
from nakama_bots.rest.documents import with_text
from nakama_bots.rest.route import Route
from nakama_bots.types.common import D, Empty, N
from nakama_bots.types.leaderboards import (
    LeaderboardRecord,
    LeaderboardRecordList,
    WriteLeaderboardRecordRequestLeaderboardRecordWrite,
)

LIST: Final = Route[LeaderboardRecordList[Any, Any]]("GET", "/v2/leaderboard/{leaderboard_id}")
LIST_AROUND: Final = Route[LeaderboardRecordList[Any, Any]](
    "GET", "/v2/leaderboard/{leaderboard_id}/owner/{owner_id}"
)
WRITE: Final = Route[LeaderboardRecord[Any, Any]]("POST", "/v2/leaderboard/{leaderboard_id}")
DELETE: Final = Route[Empty]("DELETE", "/v2/leaderboard/{leaderboard_id}")


class LeaderboardsFamily(Family[A], Generic[A, D, N]):
    """Write and list scores. The server's runtime creates the boards; an unknown one is ``NotFound``.

    ``expiry`` (Unix seconds) names an ended period of a board with resets. A tournament's id works as well.
    """

    def list_leaderboard_records(
        self,
        session: A,
        leaderboard_id: str,
        owner_ids: Sequence[str] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        expiry: int | str | None = None,
    ) -> LeaderboardRecordList[D, N]:
        """A page of 1 to 1000 (1 by default), best first, and the records of ``owner_ids``.

        With ``owner_ids`` and no ``limit`` only theirs.
        """
        query = {"owner_ids": owner_ids, "limit": limit, "cursor": cursor, "expiry": expiry}
        return self._by_token(LIST, session, (leaderboard_id,), query)

    def list_leaderboard_records_around_owner(
        self,
        session: A,
        leaderboard_id: str,
        owner_id: str,
        limit: int | None = None,
        expiry: int | str | None = None,
        cursor: str | None = None,
    ) -> LeaderboardRecordList[D, N]:
        """1 to 100 records (1 by default) with the owner's in the middle; none if it has no record."""
        query = {"limit": limit, "expiry": expiry, "cursor": cursor}
        return self._by_token(LIST_AROUND, session, (leaderboard_id, owner_id), query)

    def write_leaderboard_record(
        self,
        session: A,
        leaderboard_id: str,
        request: WriteLeaderboardRecordRequestLeaderboardRecordWrite[D] | None = None,
        **fields: Unpack[WriteLeaderboardRecordRequestLeaderboardRecordWrite[D]],
    ) -> LeaderboardRecord[D, N]:
        """Write a score, in an object or by field (``score=5``), and return the current record.

        ``PermissionDenied``: only the server's runtime may write.
        """
        return self._by_token(
            WRITE, session, (leaderboard_id,), body=with_text({**(request or {}), **fields}, "metadata")
        )

    def delete_leaderboard_record(self, session: A, leaderboard_id: str) -> Empty:
        """Delete the user's own record; no error without one."""
        return self._by_token(DELETE, session, (leaderboard_id,))
