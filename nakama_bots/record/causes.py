"""Which call caused a push, as far as it was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from nakama_bots.record.capture.tape import RecordedPush, TapedCall, fields
from nakama_bots.record.roles import Role

WITHIN: Final = 2.0
"""Seconds before a push within which a call may have caused it."""


_CAUSES: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "channel_message": (
        ("channel_message_send", "channel_message_update", "channel_message_remove"), "channel_id",
    ),
    "channel_presence_event": (("channel_join", "channel_leave"), ""),
    "match_data": (("match_data_send",), "match_id"),
    "match_presence_event": (("match_create", "match_join", "match_leave"), ""),
    "matchmaker_matched": (("matchmaker_add", "party_matchmaker_add"), ""),
    "party": (("party_create", "party_join", "party_accept"), ""),
    "party_close": (("party_close", "party_remove"), "party_id"),
    "party_data": (("party_data_send",), "party_id"),
    "party_join_request": (("party_join",), "party_id"),
    "party_matchmaker_ticket": (("party_matchmaker_add",), "party_id"),
    "party_presence_event": (
        ("party_create", "party_join", "party_accept", "party_leave", "party_remove"), "",
    ),
    "party_update": (("party_update",), "party_id"),
    "status_presence_event": (("status_update",), ""),
}  # fmt: skip
"""The messages that cause a push, and the field that both have with the same value, or "".

A push that is not here may be caused by any call.
"""


def cause_of(push: RecordedPush, roles: Sequence[Role]) -> tuple[Role, TapedCall] | None:
    """The newest call that may have caused ``push``, and its role."""
    sender = _sender(push)
    found = (
        (role, call)
        for role in roles
        if sender in ("", role.user)
        for call in role.calls
        if push.at - WITHIN < call.at <= push.at and _causes(call, push)
    )
    return max(found, key=lambda pair: pair[1].at, default=None)


def _causes(call: TapedCall, push: RecordedPush) -> bool:
    if push.key not in _CAUSES:
        return True
    calls, field = _CAUSES[push.key]
    wanted = fields(push.body).get(field)
    return call.name in calls and (wanted is None or fields(call.request).get(field) == wanted)


def _sender(push: RecordedPush) -> str:
    """The user id of the player whose message a push is."""
    body = fields(push.body)
    if push.key == "channel_message":
        return str(body.get("sender_id", ""))
    if push.key in ("party_data", "match_data"):
        return str(fields(body.get("presence")).get("user_id", ""))
    return ""
