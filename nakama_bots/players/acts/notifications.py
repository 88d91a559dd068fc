"""Notifications that a bot requests, timed from the request to the push."""

from __future__ import annotations

import secrets
from time import perf_counter
from typing import TYPE_CHECKING, Final

import orjson

from nakama_bots.errors import CallError
from nakama_bots.observer import FinishedCall
from nakama_bots.players.acts.matchmaking import PUSH
from nakama_bots.types.common import JsonText
from nakama_bots.types.notifications import Notification
from nakama_bots.types.realtime import Notifications

if TYPE_CHECKING:
    from nakama_bots.players.player import Player

FUNCTION: Final = "notify_user"
KEY: Final = "notifications"


def notify_myself(player: Player, *, persistent: bool) -> Notification[JsonText]:
    """Make the server's runtime notify the player, and wait for the push.

    Reported to the observer as ``PUSH notifications``, from the send of the RPC to the read of the push.
    """
    subject = secrets.token_hex(8)
    asked = {"user_id": player.session.user_id, "subject": subject, "content": {"gold": 5}, "code": 1}

    def mine(body: Notifications) -> bool:
        return any(one.get("subject") == subject for one in body.get("notifications", ()))

    started = perf_counter()
    failure: CallError | None = None
    with player.socket.expect(KEY, mine) as expectation:
        player.socket.rpc(FUNCTION, orjson.dumps({**asked, "persistent": persistent}).decode())
        try:
            body = expectation.wait()
        except CallError as error:
            failure = error
            raise
        finally:
            ended = expectation.arrived_at or perf_counter()
            size, waited = expectation.size, expectation.waited
            player.calls.call(FinishedCall(PUSH, KEY, started, ended - started, size, failure, waited))
    found: Notification[JsonText] = next(one for one in body["notifications"] if one.get("subject") == subject)
    return found
