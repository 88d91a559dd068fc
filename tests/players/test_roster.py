from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nakama_bots.errors import ConfigError
from nakama_bots.fill.roster import Roster, SlotLease

from .conftest import MakePlayer


def test_two_fillers_never_get_the_same_bot(tmp_path: Path) -> None:
    one, other = Roster(tmp_path / "roster"), Roster(tmp_path / "roster")
    assert [one.take(4), other.take(4), one.take(4), other.take(4)] == [0, 1, 2, 3]
    assert one.take(4) is None
    other.release(1)
    assert one.take(4) == 1
    one.close()
    assert other.take(4) == 0
    other.close()


def test_bots_of_a_killed_filler_are_free_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nakama_bots.fill.roster import Roster;"
        "r = Roster(Path(sys.argv[1])); print(r.take(9), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "roster")]
    mine = Roster(tmp_path / "roster")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        assert mine.take(9) == 1
        process.kill()
        process.wait()
    assert mine.take(9) == 0
    mine.close()


def test_roster_path_that_is_not_writable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a writable file"):
        Roster(tmp_path)


def test_machines_get_different_slots(player: MakePlayer) -> None:
    bot, _ = player()
    now = [1000.0]
    one, other, again = (SlotLease(bot.client, bot.session, name, 30.0, lambda: now[0]) for name in "aba")
    assert (one.take(), other.take()) == (0, 1)
    assert one.renew()
    # The same name after a kill gets its slot again, and the server refuses writes of the killed lease.
    assert again.take() == 0
    assert not one.renew()
    # A lease that is not renewed expires.
    now[0] += 31.0
    taker = SlotLease(bot.client, bot.session, "c", 30.0, lambda: now[0])
    assert taker.take() == 0
    assert not again.renew()
    taker.release()
    assert SlotLease(bot.client, bot.session, "d", 30.0, lambda: now[0]).take() == 0
