"""Tournaments and their records."""

from __future__ import annotations

from typing import Any, Final

from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.handlers.tournaments import ends_within
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    Table,
    document,
    fail,
    flag,
    identifier,
    integer,
    optional_integer,
    optional_text,
    text,
)
from nakama_bots.emulator.runtime.nk.boards import (
    OWNER,
    PLAYER,
    BoardFunctions,
    boards_of,
    listed,
    listed_records,
    page_values,
    record,
    tournament,
)
from nakama_bots.emulator.store.boards import (
    AttemptsReached,
    Authoritative,
    BoardError,
    BoardNotFound,
    InvalidScore,
    JoinRequired,
    OutsideDuration,
    Record,
    TournamentFull,
)

_CATEGORIES: Final = 128
_TOURNAMENT: Final = "expects a tournament ID string"
_TOURNAMENT_FAULTS: Final[dict[type[BoardError], str]] = {
    BoardNotFound: "tournament not found",
    Authoritative: "tournament only allows authoritative submissions",
    TournamentFull: "tournament max size reached",
    OutsideDuration: "tournament outside of duration",
    AttemptsReached: "max number score count reached",
    JoinRequired: "required to join before writing tournament record",
    InvalidScore: "the database does not take the score",
}


class TournamentFunctions(BoardFunctions):
    """Tournaments and their records."""

    def tournament_create(
        self,
        id: str,  # noqa: A002 - the server's name
        authoritative: bool | None = None,
        sort_order: str | None = None,
        operator: str | None = None,
        duration: int | None = None,
        reset_schedule: str | None = None,
        metadata: Table | None = None,
        title: str | None = None,
        description: str | None = None,
        category: int | None = None,
        start_time: int | None = None,
        end_time: int | None = None,
        max_size: int | None = None,
        max_num_score: int | None = None,
        join_required: bool | None = None,
        enable_ranks: bool | None = None,
    ) -> None:
        """Create a tournament; an existing one stays unchanged.

        Times are Unix seconds; 0: it starts now, never ends, has no limit.
        """
        name = text(1, id, _TOURNAMENT)
        made = self._made(sort_order, operator, reset_schedule, 6)
        lasts = optional_integer(5, duration)
        if lasts <= 0:
            raise ArgumentError(5, "duration must be > 0")
        group, (start, end) = _category(category), _period(start_time, end_time)
        size, attempts = optional_integer(13, max_size), optional_integer(14, max_num_score)
        if size < 0:
            raise ArgumentError(13, "maxSize must be >= 0")
        if attempts < 0:
            raise ArgumentError(14, "maxNumScore must be >= 0")
        try:
            self.core.leaderboards.create_tournament(
                name,
                authoritative=flag(2, authoritative, True),  # noqa: FBT003 - the server's default
                duration=lasts,
                metadata=document(7, metadata),
                title=optional_text(8, title),
                description=optional_text(9, description),
                category=group,
                start_time=start,
                end_time=end,
                max_size=size,
                max_num_score=attempts,
                join_required=flag(15, join_required),
                enable_ranks=flag(16, enable_ranks),
                **made,
            )
        except ValueError as error:
            raise fail(f"error creating tournament: {error}") from None

    def tournament_delete(self, id: str) -> None:  # noqa: A002 - the server's name
        """Delete a tournament with its records."""
        self.core.leaderboards.drop(text(1, id, _TOURNAMENT))

    def tournament_add_attempt(self, id: str, owner_id: str, count: int) -> None:  # noqa: A002
        """Grant a player more attempts, or fewer with a number below 0."""
        name, owner = text(1, id, _TOURNAMENT), identifier(2, owner_id, OWNER, "expects an owner ID string")
        number = integer(3, count)
        if number == 0:
            raise ArgumentError(3, "expects an attempt count number != 0")
        self._do(
            "error adding tournament attempts", lambda: self.core.leaderboards.add_attempts(name, owner, number)
        )

    @staticmethod
    def _do(doing: str, act: Any) -> Any:
        try:
            return act()
        except BoardError as error:
            raise fail(f"{doing}: {_TOURNAMENT_FAULTS[type(error)]}") from None

    def tournament_join(self, id: str, user_id: str, username: str) -> None:  # noqa: A002 - the server's name
        """Join a user to a tournament."""
        name, player = text(1, id, _TOURNAMENT), identifier(2, user_id, PLAYER, "expects a user ID string")
        known = text(3, username, "expects a username string")
        self._do("error joining tournament", lambda: self.core.leaderboards.join(name, player, known))

    def tournaments_get_id(self, ids: Table) -> list[JsonObject]:
        """Return the existing tournaments of these ids."""
        found = boards_of(self.core, ids, tournaments=True)
        # The server does not read ``join_required`` here.
        return [{**tournament(board, self.core.seconds()), "join_required": False} for board in found]

    def tournament_list(
        self,
        category_start: int | None = None,
        category_end: int | None = None,
        start_time: int | None = None,
        end_time: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> tuple[list[JsonObject], str | None]:
        """Return tournaments of these categories within that time, and the cursor of the next page."""
        first, last = optional_integer(1, category_start), optional_integer(2, category_end)
        if not 0 <= first < _CATEGORIES:
            raise ArgumentError(1, "categoryStart must be 0-127")
        if not 0 <= last < _CATEGORIES:
            raise ArgumentError(2, "categoryEnd must be 0-127")
        if first > last:
            raise ArgumentError(2, "categoryEnd must be >= categoryStart")
        start, end = optional_integer(3, start_time, -1), optional_integer(4, end_time, -1)
        if start < 0:
            raise ArgumentError(3, "startTime must be >= -1")
        if end < 0:
            raise ArgumentError(4, "endTime must be >= -1")
        if start > end:
            raise ArgumentError(4, "endTime must be >= startTime")
        number = optional_integer(5, limit, 10)
        if not 1 <= number <= 100:
            raise ArgumentError(5, "limit must be 1-100")
        now = self.core.seconds()
        found = [
            board
            for board in self.core.leaderboards.tournaments()
            if board.tournament is not None
            and first <= board.tournament.category <= last
            and board.tournament.start_time >= start
            and ends_within(board.tournament.end_time, end, now)
        ]
        page, following = listed(6, found, number, cursor)
        return [tournament(board, now) for board in page], following

    def tournament_ranks_disable(self, id: str) -> None:  # noqa: A002 - the server's name
        """Always fails: the server looks up a leaderboard of that id."""
        text(1, id, "expects a tournament id string")
        raise fail("error disabling tournament ranks: leaderboard not found")

    def tournament_records_list(
        self,
        id: str,  # noqa: A002 - the server's name
        owner_ids: Table | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        expiry: int | None = None,
    ) -> Any:
        """As ``leaderboard_records_list``."""
        name, owners, number = text(1, id, _TOURNAMENT), self._owners(owner_ids), self._limit(limit)
        if owners == []:
            return ([],)
        place, until = optional_text(4, cursor), optional_integer(5, expiry)
        doing = "error listing tournament records"
        board = self._tournament(name, doing)
        return listed_records(self.core, board, number, place, owners, until, doing)

    def tournament_record_write(
        self,
        id: str,  # noqa: A002 - the server's name
        owner_id: str,
        username: str | None = None,
        score: int | None = None,
        subscore: int | None = None,
        metadata: Table | None = None,
        operator: str | None = None,
    ) -> JsonObject:
        """Write a score; returns the current record. ``operator``: instead of the tournament's."""
        name, owner = text(1, id, _TOURNAMENT), identifier(2, owner_id, PLAYER)
        written = self._score(owner, username, score, subscore, metadata, operator)
        doing = "error writing tournament record"
        board = self._tournament(name, doing)
        write = self.core.leaderboards.write_tournament
        written_record: tuple[Record, int] = self._do(doing, lambda: write(board, written, authoritative=True))
        return record(*written_record)

    def tournament_record_delete(self, id: str, owner_id: str) -> None:  # noqa: A002 - the server's name
        """Delete a player's record."""
        name, owner = text(1, id, _TOURNAMENT), identifier(2, owner_id, OWNER)
        delete = self.core.leaderboards.delete_tournament_record
        self._do("error deleting tournament record", lambda: delete(name, owner, authoritative=True))

    def tournament_records_haystack(
        self,
        id: str,  # noqa: A002 - the server's name
        owner_id: str,
        limit: int | None = None,
        cursor: str | None = None,
        expiry: int | None = None,
    ) -> Any:
        """As ``leaderboard_records_haystack``."""
        name, owner = text(1, id, _TOURNAMENT), identifier(2, owner_id, PLAYER)
        board = self._board(name, "error listing tournament records haystack")
        records, _, *rest = page_values(self._around("tournament", board, owner, limit, cursor, expiry))
        return (records, *rest)


def _category(given: int | None) -> int:
    category = optional_integer(10, given)
    if not 0 <= category < _CATEGORIES:
        raise ArgumentError(10, "category must be 0-127")
    return category


def _period(start_time: int | None, end_time: int | None) -> tuple[int, int]:
    start, end = optional_integer(11, start_time), optional_integer(12, end_time)
    if start < 0:
        raise ArgumentError(11, "startTime must be >= 0.")
    if end and end <= start:
        reason = "endTime must be > startTime. Use 0 to indicate a tournament that never ends."
        raise ArgumentError(12, reason)
    return start, end
