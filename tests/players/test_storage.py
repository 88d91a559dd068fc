from __future__ import annotations

import pytest

from nakama_bots.errors import InvalidArgument
from nakama_bots.players.acts.storage import SaveGame

from .conftest import MakePlayer


def test_load_and_save(player: MakePlayer) -> None:
    bot, _ = player(connect=False)
    bot.authenticate()
    game = SaveGame(bot, "progress")
    assert game.load() is None
    game.save({"level": 1})
    game.save({"level": 2})
    assert SaveGame(bot, "progress").load() == {"level": 2}
    game.delete()
    assert SaveGame(bot, "progress").load() is None


def test_a_conflict_is_provoked_and_no_failure(player: MakePlayer) -> None:
    bot, heard = player(connect=False)
    bot.authenticate()
    game = SaveGame(bot, "progress")
    game.save({"level": 1})
    game.overwrite({"level": 9})
    assert game.save_too_late({"level": 2})
    assert SaveGame(bot, "progress").load() == {"level": 9}
    assert heard.counts["provoked.version_conflict"] == 1
    assert heard.outcomes("PUT", "/v2/storage (version_conflict)") == ["ok"]
    assert heard.outcomes("PUT", "/v2/storage") == ["ok", "ok"]
    # Outside of it the same is a failure.
    with pytest.raises(InvalidArgument):
        game.save({"level": 3})
    assert heard.outcomes("PUT", "/v2/storage") == ["ok", "ok", "InvalidArgument"]


def test_a_save_in_time_is_none(player: MakePlayer) -> None:
    bot, heard = player(connect=False)
    bot.authenticate()
    game = SaveGame(bot, "progress")
    assert not game.save_too_late({"level": 1})
    assert "provoked.version_conflict" not in heard.counts
