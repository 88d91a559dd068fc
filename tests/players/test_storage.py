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


def test_provoked_version_conflict_is_not_a_failure(player: MakePlayer) -> None:
    bot, recorder = player(connect=False)
    bot.authenticate()
    game = SaveGame(bot, "progress")
    game.save({"level": 1})
    game.overwrite({"level": 9})
    assert game.save_too_late({"level": 2})
    assert SaveGame(bot, "progress").load() == {"level": 9}
    assert recorder.counts["provoked.version_conflict"] == 1
    assert recorder.outcomes("PUT", "/v2/storage (version_conflict)") == ["ok"]
    assert recorder.outcomes("PUT", "/v2/storage") == ["ok", "ok"]
    # Outside the block the same error is a failure.
    with pytest.raises(InvalidArgument):
        game.save({"level": 3})
    assert recorder.outcomes("PUT", "/v2/storage") == ["ok", "ok", "InvalidArgument"]


def test_save_without_a_conflict(player: MakePlayer) -> None:
    bot, recorder = player(connect=False)
    bot.authenticate()
    game = SaveGame(bot, "progress")
    assert not game.save_too_late({"level": 1})
    assert "provoked.version_conflict" not in recorder.counts
