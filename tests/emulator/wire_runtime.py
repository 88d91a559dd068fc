"""The boards and runtime functions that the recordings of the REST families were made with, as a module."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from nakama_bots.emulator.formats.protojson import jsonb
from nakama_bots.emulator.handlers.channel import send_message
from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.initializer import Initializer
from nakama_bots.emulator.runtime.nk import Nk
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID
from nakama_bots.emulator.store.storage import ObjectKey, StorageWrite

DAY = 86400
_Function = Callable[[RpcContext, dict[str, Any]], str | None]


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _functions(nk: Nk) -> dict[str, _Function]:
    core = nk.core

    def wallet(context: RpcContext, request: dict[str, Any]) -> None:
        account = core.accounts.get(context.user_id)
        assert account is not None
        coins = json.loads(account.wallet)
        for name, change in request["changeset"].items():
            coins[name] = coins.get(name, 0) + change
            if coins[name] < 0:
                msg = f"wallet update rejected negative value at path '{name}'"
                raise RuntimeFunctionError(f"failed to update user wallet: {msg}")
        account.wallet = jsonb(_compact(coins))

    def set_metadata(context: RpcContext, request: dict[str, Any]) -> None:
        account = core.accounts.get(context.user_id)
        assert account is not None
        account.metadata = jsonb(_compact(request["metadata"]))

    def storage_put(_: RpcContext, request: dict[str, Any]) -> None:
        key = ObjectKey(request["collection"], request["key"], request.get("user_id", SYSTEM_USER_ID))
        write = StorageWrite(key, _compact(request["value"]), "", request["read"], request["write"])
        core.storage.write([write], authoritative=True)

    def add_attempt(context: RpcContext, request: dict[str, Any]) -> None:
        core.leaderboards.add_attempts(request["id"], context.user_id, request["count"])

    def channel_say(_: RpcContext, request: dict[str, Any]) -> str:
        message = send_message(
            core,
            request["channel_id"],
            _compact(request["content"]),
            request.get("sender_id", SYSTEM_USER_ID),
            request.get("username", ""),
            persistent=request.get("persist", True),
        )
        return _compact(
            {
                "channelId": request["channel_id"],
                "code": message.code,
                "createTime": message.create_time // 10**9,
                "messageId": message.id,
                "persistent": message.persistent,
                "updateTime": message.update_time // 10**9,
                "username": message.username,
            }
        )

    return {
        "wallet": wallet,
        "set_metadata": set_metadata,
        "storage_put": storage_put,
        "add_attempt": add_attempt,
        "channel_say": channel_say,
    }


def _boards(nk: Nk) -> None:
    now = nk.core.seconds()

    def create(name: str, **options: Any) -> None:
        nk.leaderboard_create(name, **{"enable_ranks": True, **options})

    def tournament(name: str, **options: Any) -> None:
        nk.tournament_create(name, **{"enable_ranks": True, "authoritative": False, **options})

    create("lb_desc_best")
    create("lb_asc_best", sort_order="asc")
    create("lb_set", operator="set")
    create("lb_incr", operator="incr")
    create("lb_decr", operator="decr")
    create("lb_auth", authoritative=True)
    create("lb_noranks", enable_ranks=False)
    create("lb_daily", reset_schedule="0 0 * * *")
    create("lb_page")
    tournament(
        "t_open",
        duration=DAY,
        title="Open",
        description="Open tournament",
        category=1,
        metadata={"kind": "wire"},
    )
    tournament(
        "t_join",
        duration=DAY,
        title="Join",
        description="Join required, 2 players, 2 attempts",
        category=2,
        max_size=2,
        max_num_score=2,
        join_required=True,
    )
    tournament(
        "t_future",
        duration=3600,
        title="Future",
        description="Starts in a day",
        category=3,
        start_time=now + DAY,
        end_time=now + 2 * DAY,
        max_size=10,
        max_num_score=3,
        join_required=True,
    )
    tournament(
        "t_short",
        duration=5,
        title="Short",
        description="Active for five seconds, never ends",
        category=4,
    )
    tournament(
        "t_auth",
        duration=DAY,
        authoritative=True,
        sort_order="asc",
        operator="set",
        title="Auth",
        description="Authoritative",
        category=5,
    )
    tournament(
        "t_daily",
        duration=DAY - 1,
        operator="incr",
        reset_schedule="0 0 * * *",
        title="Daily",
        description="Resets every day",
        category=6,
    )
    tournament(
        "t_via_lb",
        duration=DAY,
        title="Via leaderboard",
        description="Written through the leaderboard endpoint",
        category=7,
        join_required=True,
    )


def _with_json(function: _Function) -> Callable[[RpcContext, str], str | None]:
    return lambda context, payload: function(context, json.loads(payload or "{}"))


def init_module(nk: Nk, initializer: Initializer) -> None:
    for name, function in _functions(nk).items():
        initializer.register_rpc(_with_json(function), name)
    _boards(nk)
