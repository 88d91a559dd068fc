"""The function that the contract cases of reset schedules call; as schedules.lua."""

from __future__ import annotations

import orjson

from nakama_bots.emulator.formats.schedule import Schedule, ScheduleError
from nakama_bots.emulator.runtime.functions import RpcContext
from nakama_bots.emulator.runtime.nk import Initializer, Nk


def init_module(_: Nk, initializer: Initializer) -> None:
    def following(expression: str, after: int) -> int | str:
        try:
            return Schedule.parse(expression).next(after)
        except ScheduleError:
            return "refused"

    def contract_schedules(_: RpcContext, payload: str) -> str:
        asked = orjson.loads(payload)
        return orjson.dumps({one: following(one, asked["after"]) for one in asked["expressions"]}).decode()

    initializer.register_rpc(contract_schedules, "contract_schedules")
