from __future__ import annotations

from time import perf_counter

from nakama_bots.players.delivery import END, STATE, Stamp, host_number
from nakama_bots.players.inbox import CHAT, Inbox, Outbox
from nakama_bots.settings.target import Target

from .support import Heard, make_player


def inbox(*, scenario: str = "", drop_in: bool = False) -> tuple[Inbox, Heard]:
    bot, heard = make_player(Target("127.0.0.1", 1))
    bot.scenario = scenario
    return Inbox(bot, CHAT, drop_in=drop_in), heard


def state(sequence: int, *, host: int | None = None, late: float = 0.0) -> Stamp:
    return Stamp(STATE, host_number() if host is None else host, 7, sequence, 1.0, late)


def test_totals_kind_and_scenario() -> None:
    box, heard = inbox(scenario="Chat")
    for sequence in (0, 1, 1, 4, 3):
        box.receive("a", state(sequence, late=0.25), 1.5)
    box.receive("b", state(0), 2.0)
    box.report()
    assert heard.counts == {
        "delivery_expected": 6, "delivery_received": 5, "delivery_lost": 1, "delivery_duplicated": 1,
        "delivery_reordered": 1, "delivery.chat.Chat.expected": 6, "delivery.chat.Chat.received": 5,
        "delivery.chat.Chat.lost": 1, "delivery.chat.Chat.duplicated": 1, "delivery.chat.Chat.reordered": 1,
    }  # fmt: skip
    assert heard.samples["delivery"] == heard.samples["delivery.chat.Chat"] == [0.5, 0.5, 0.5, 0.5, 1.0]
    assert heard.samples["delivery.corrected"] == [0.75, 0.75, 0.75, 0.75, 1.0]
    box.report()
    assert heard.counts["delivery_expected"] == 6


def test_another_hosts_stamp_is_counted_and_not_timed() -> None:
    box, heard = inbox()
    box.receive("a", state(0, host=host_number() ^ 1), 1.5)
    box.report()
    assert heard.counts["delivery.chat.received"] == 1
    assert not heard.samples


def test_what_was_said_before_is_not_missed_by_who_drops_in() -> None:
    for drop_in, lost in ((True, 0), (False, 5)):
        box, heard = inbox(drop_in=drop_in)
        box.expect("silent")
        box.receive("a", state(5), 2.0)
        box.report()
        assert heard.counts["delivery_lost"] == lost


def test_who_comes_again_counts_anew() -> None:
    box, heard = inbox(drop_in=True)
    box.receive("a", state(0), 2.0)
    box.retire("a")
    box.receive("a", state(0), 2.0)
    box.report()
    assert heard.counts["delivery_received"] == 2
    assert "delivery_duplicated" not in heard.counts


def test_the_end_tells_what_did_not_come() -> None:
    box, heard = inbox()
    box.receive("a", state(0), 2.0)
    assert not box.ended(["a", "nobody"])
    box.receive("a", Stamp(END, host_number(), 7, 3, 0.0), 2.0)
    assert box.ended(["a", "nobody"])
    box.report()
    assert (heard.counts["delivery_expected"], heard.counts["delivery_lost"]) == (3, 2)


def test_outbox_numbers_and_says_how_late() -> None:
    outbox = Outbox(9)
    first, second, end = outbox.state(), outbox.state(perf_counter() - 0.5), outbox.end()
    assert [(stamp.kind, stamp.sequence, stamp.sender) for stamp in (first, second, end)] == [
        (STATE, 0, 9), (STATE, 1, 9), (END, 2, 9),
    ]  # fmt: skip
    assert first.late == 0.0
    assert second.late >= 0.5
