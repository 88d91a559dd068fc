"""A matchmaker_matched hook that starts an authoritative match, as in the recording with hooks."""

from __future__ import annotations

from collections.abc import Sequence

from nakama_bots.emulator.runtime.functions import RpcContext
from nakama_bots.emulator.runtime.initializer import Initializer
from nakama_bots.emulator.runtime.nk import Nk
from nakama_bots.emulator.store.matchmaker import Entry


def init_module(nk: Nk, initializer: Initializer) -> None:
    def matched(_: RpcContext, entries: Sequence[Entry]) -> str:
        label = f'{{"mode":"matched","n":{len(entries)}}}'
        return nk.match_create("wire_match", {"label": label})

    initializer.register_matchmaker_matched(matched)
