"""The leaderboard and the tournament that ``scenarios/leaderboard_race.py`` is run on."""

from __future__ import annotations

from nakama_bots.emulator.runtime.nk import Initializer, Nk


def init_module(nk: Nk, _: Initializer) -> None:
    """Make them."""
    nk.leaderboard_create("nakama_bots_race", sort_order="desc", operator="best")
    nk.tournament_create(
        "nakama_bots_cup", sort_order="desc", operator="best", duration=86400, reset_schedule="0 0 * * *",
        title="Cup of the bots", max_size=10**6, max_num_score=10**6, join_required=True,
    )  # fmt: skip
