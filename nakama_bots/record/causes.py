"""Which call caused a push, as far as it was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nakama_bots.record.capture.tape import RecordedPush, TapedCall, fields
from nakama_bots.record.roles import Role

WITHIN: Final = 2.0
"""Seconds before a push within which a call may have caused it."""


@dataclass(frozen=True, slots=True)
class _Cause:
    """Messages that cause a push, and the field that both have with the same value."""

    calls: tuple[str, ...]
    field: str = ""


_CAUSES: Final[Mapping[str, _Cause]] = {
    "channel_message": _Cause(
        ("channel_message_send", "channel_message_update", "channel_message_remove"), "channel_id"
    ),
    "channel_presence_event": _Cause(("channel_join", "channel_leave")),
    "match_data": _Cause(("match_data_send",), "match_id"),
    "match_presence_event": _Cause(("match_create", "match_join", "match_leave")),
    "matchmaker_matched": _Cause(("matchmaker_add", "party_matchmaker_add")),
    "party": _Cause(("party_create", "party_join", "party_accept")),
    "party_close": _Cause(("party_close", "party_remove"), "party_id"),
    "party_data": _Cause(("party_data_send",), "party_id"),
    "party_join_request": _Cause(("party_join",), "party_id"),
    "party_matchmaker_ticket": _Cause(("party_matchmaker_add",), "party_id"),
    "party_presence_event": _Cause(
        ("party_create", "party_join", "party_accept", "party_leave", "party_remove")
    ),
    "party_update": _Cause(("party_update",), "party_id"),
    "status_presence_event": _Cause(("status_update",)),
}
"""A push that is not here may be caused by any call."""


def cause_of(push: RecordedPush, roles: Sequence[Role]) -> tuple[Role, TapedCall] | None:
    """The newest call that may have caused ``push``, and its role."""
    cause = _CAUSES.get(push.key)
    sender = _sender(push)
    found: tuple[Role, TapedCall] | None = None
    for role in roles:
        if sender and role.user != sender:
            continue
        for call in role.calls:
            near = push.at - WITHIN < call.at <= push.at
            if near and (found is None or call.at > found[1].at) and _causes(cause, call, push):
                found = (role, call)
    return found


def _causes(cause: _Cause | None, call: TapedCall, push: RecordedPush) -> bool:
    if cause is None:
        return True
    if call.name not in cause.calls:
        return False
    wanted = fields(push.body).get(cause.field) if cause.field else None
    return wanted is None or fields(call.request).get(cause.field) == wanted


def _sender(push: RecordedPush) -> str:
    """The user id of the player whose message a push is."""
    body = fields(push.body)
    if push.key == "channel_message":
        return str(body.get("sender_id", ""))
    if push.key in ("party_data", "match_data"):
        return str(fields(body.get("presence")).get("user_id", ""))
    return ""
