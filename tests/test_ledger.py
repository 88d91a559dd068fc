from __future__ import annotations

from dataclasses import fields

from hypothesis import given, settings
from hypothesis import strategies as st

from nakama_bots import observer
from nakama_bots.ledger import LEDGER_PREFIX, Ledger
from nakama_bots.results.record.recorder import Recorder
from nakama_bots.results.summary import LedgerPart

FIELDS = [field.name for field in fields(Ledger)]
totals = st.builds(Ledger, **dict.fromkeys(FIELDS, st.integers(0, 10**6)))


def test_the_line_of_a_balanced_ledger():
    ledger = Ledger(sent=1234, ok=1230, abandoned=4, pushes=9)
    assert ledger.balanced
    assert ledger.line() == (
        "cid ledger: sent 1,234 = ok 1,230 + error 0 + timeout 0 + closed 0 + abandoned 4 (balanced); late 0"
    )


def test_the_line_of_an_unbalanced_ledger():
    ledger = Ledger(sent=10, ok=8, late=1, refused=2, pushes_dropped=3, unmatched=4)
    assert (ledger.balanced, ledger.pending) == (False, 2)
    assert ledger.line() == (
        "cid ledger: sent 10 != ok 8 + error 0 + timeout 0 + closed 0 + abandoned 0 "
        "(NOT BALANCED: +2 pending); late 1, refused 2, unmatched 4, pushes dropped 3"
    )


def test_a_cid_that_ended_twice_is_not_balanced():
    ledger = Ledger(sent=1, ok=1, timeout=1)
    assert not ledger.balanced
    assert "-1 pending" in ledger.line()


def test_each_of_the_five_ends_ends_a_cid_and_nothing_else_does():
    ending = [name for name in FIELDS if Ledger(**{"sent": 1, name: 1}).balanced and name != "sent"]
    assert ending == ["ok", "error", "timeout", "closed", "abandoned"]


@settings(deadline=None)
@given(totals, totals)
def test_ledgers_add_up_in_the_counts(first, second):
    master = Recorder(0.0)
    for ledger in (first, second):
        worker = Recorder(0.0)
        for name, number in ledger.counts().items():
            worker.count(name, number)
        master.merge(worker.drain())
    assert Ledger.from_counts(master.counts) == first.add(second)


def test_its_names_are_the_ones_the_observer_knows():
    known = {name for name in observer.COUNT_NAMES if name.startswith(LEDGER_PREFIX)}
    assert set(Ledger().counts()) == known


def test_a_summary_has_every_field_of_it():
    assert set(LedgerPart.__annotations__) == {*FIELDS, "pending", "balanced"}


def test_what_was_never_counted_is_zero():
    assert Ledger.from_counts({"ticks_sent": 5}) == Ledger()
