"""The function that the contract cases of leaderboards and tournaments make boards with; as boards.lua."""

from __future__ import annotations

import orjson

from nakama_bots.emulator.runtime.functions import RpcContext
from nakama_bots.emulator.runtime.nk import Initializer, Nk


def init_module(nk: Nk, initializer: Initializer) -> None:
    def contract_boards(_: RpcContext, payload: str) -> str:
        name = orjson.loads(payload)["id"]
        nk.leaderboard_create(name, sort_order="desc", operator="best")
        nk.tournament_create(
            f"{name}_t", sort_order="desc", operator="incr", duration=3600, metadata='{"kind":"contract"}',
            title="Contract", description="For the contract cases", category=1, max_size=2, max_num_score=2,
            join_required=True,
        )  # fmt: skip
        return orjson.dumps({"leaderboard": name, "tournament": f"{name}_t"}).decode()

    initializer.register_rpc(contract_boards, "contract_boards")
