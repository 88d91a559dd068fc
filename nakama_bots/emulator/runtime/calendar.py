"""Ends of tournaments and resets of boards, and their hooks (``server/leaderboard_scheduler.go``)."""

from __future__ import annotations

from nakama_bots.emulator.runtime.functions import RpcContext
from nakama_bots.emulator.runtime.hooks import run
from nakama_bots.emulator.runtime.nk.boards import leaderboard, tournament
from nakama_bots.emulator.store.boards import Leaderboard
from nakama_bots.emulator.store.core import Core


class Calendar:
    """Checks all boards periodically; an event since the last check is handled once."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._seen = core.seconds()

    def look(self) -> None:
        """Handle the events since the last check."""
        now, before = self._core.seconds(), self._seen
        self._seen = now
        if now <= before:
            return
        boards = self._core.leaderboards
        for board in boards.boards(tournaments=True):
            self._tournament(board, before, now)
        for board in boards.boards():
            due = board.expiry(before)
            if board.schedule is not None and before < due <= now:
                shown = leaderboard(board, due - 1)
                self._call("leaderboard_reset", self._core.hooks.leaderboard_reset, shown, due)

    def _tournament(self, board: Leaderboard, before: int, now: int) -> None:
        # As of the second before, as its times are of the finished period.
        period = board.period(before)
        hooks = self._core.hooks
        if before < period.end <= now:
            shown = tournament(board, period.end - 1)
            self._call("tournament_end", hooks.tournament_end, shown, period.end, shown.get("next_reset") or 0)
        if period.expiry and before < period.expiry <= now:
            shown = tournament(board, period.expiry - 1)
            assert board.tournament is not None
            board.tournament.size = 0
            self._call(
                "tournament_reset", hooks.tournament_reset, shown, period.end, shown.get("next_reset") or 0
            )

    @staticmethod
    def _call(mode: str, function: object, *arguments: object) -> None:
        run(mode, function, RpcContext(mode=mode), *arguments)  # type: ignore[arg-type]
