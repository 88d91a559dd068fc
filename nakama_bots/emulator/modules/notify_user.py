"""RPC ``notify_user``: sends a notification.

The payload is a JSON object: ``user_id``, ``subject``, ``content`` (an object), ``code`` (above 0) and
``persistent``. The answer is ``{}``.
"""

from __future__ import annotations

import orjson

from nakama_bots.emulator.runtime.functions import RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.nk import Initializer, Nk

_INVALID_ARGUMENT = 3


def init_module(nk: Nk, initializer: Initializer) -> None:
    """Register the function."""

    def notify_user(_: RpcContext, payload: str) -> str:
        try:
            asked = orjson.loads(payload or "null")
        except orjson.JSONDecodeError:
            asked = None
        if not isinstance(asked, dict):
            msg = "the payload must be a JSON object"
            raise RuntimeFunctionError(msg, _INVALID_ARGUMENT)
        nk.notification_send(
            asked["user_id"], asked["subject"], orjson.dumps(asked["content"]).decode(), asked["code"],
            persistent=bool(asked.get("persistent")),
        )  # fmt: skip
        return "{}"

    initializer.register_rpc(notify_user, "notify_user")
