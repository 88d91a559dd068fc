"""Recognises what a player did as a whole: matches, matchmaking, chats and parties, from join to leave."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nakama_bots.record.capture.tape import WS, RecordedPush, TapedCall, fields, objects
from nakama_bots.record.correlate import Event, Ref, parsed
from nakama_bots.record.roles import Role

MATCHED: Final = "matchmaker_matched"
TICKETS: Final = ("matchmaker_add", "party_matchmaker_add")
_OWN_GROUP: Final = re.compile(r"\s*\+properties\.group:bots[0-9a-f]{8}")
_LEAVES: Final = {
    "match_leave": ("match", "match_id"),
    "channel_leave": ("chat", "channel_id"),
    "party_leave": ("party", "party_id"),
    "party_close": ("party", "party_id"),
}
"""The kind of act that a call ends, and its field with the id."""
_ID_OF: Final = {"match": "match_id", "chat": "id", "party": "party_id"}
_JOIN_SOON: Final = 5.0
"""Seconds within which the server confirms that a player is in a party."""


@dataclass(slots=True, eq=False)
class Act:
    """A match, a chat or a party that a role is in, from its call ``start`` up to before its call ``end``."""

    kind: str
    how: str
    """The player's method, or ``party.find_match``."""
    role: Role
    id: str
    call: TapedCall
    start: int
    end: int
    ticket: TapedCall | None = None
    """The call that added the ticket, for a match of the matchmaker."""
    function: TapedCall | None = None
    """The call of the function that gave the match."""
    left: bool = False
    """Whether a call ended it, and not the end of its connection."""
    party: Act | None = None
    """The party that looked for the match."""
    users: tuple[str, ...] = ()
    """User ids of the players of a match of the matchmaker."""
    result: str = ""
    """What all of them received."""


@dataclass(slots=True)
class Acting:
    """The acts of a role, and the calls and pushes that are part of them."""

    role: Role
    acts: list[Act] = field(default_factory=list)
    part: set[int] = field(default_factory=set)
    """``id`` of calls and pushes that an act makes or waits for itself."""

    def within(self, kind: str, act_id: str, index: int) -> Act | None:
        """The act of that id that the call at ``index`` is in."""
        return next(
            (a for a in self.acts if a.kind == kind and a.id == act_id and a.start < index < a.end), None
        )

    def opening(self, event: Event) -> Act | None:
        """The act that begins with this call."""
        return next((act for act in self.acts if act.call is event), None)

    def usable(self, ref: Ref) -> bool:
        """Whether a scenario has the value: of what an act does itself it has the id only."""
        act = self.opening(ref.event)
        if act is not None:
            return ref.path == (_ID_OF[act.kind],)
        return id(ref.event) not in self.part


def acting_of(role: Role) -> Acting:
    found = Acting(role)
    for index, call in enumerate(role.calls):
        if call.kind == WS and not call.error and id(call) not in found.part:
            act = _opened(found, role, index, call)
            if act is not None:
                _end(found, act)
                found.acts.append(act)
    _nest(found.acts)
    return found


def _opened(found: Acting, role: Role, index: int, call: TapedCall) -> Act | None:
    request, answer = fields(call.request), fields(call.answer)

    def act(kind: str, how: str, act_id: Any) -> Act:
        return Act(kind, how, role, str(act_id), call, index, len(role.calls))

    if call.name in ("match_create", "match_join") and answer.get("match_id"):
        made = act("match", "join_match" if request.get("name") else "create_match", answer["match_id"])
        if call.name == "match_join":
            made.how = "join_match"
            _search(found, made, request)
        return made
    if call.name == "channel_join" and answer.get("id") and not request.get("hidden"):
        return act("chat", "chat", answer["id"])
    if call.name == "party_create" and request.get("open") and answer.get("party_id"):
        # The server says it twice.
        echo = _push(role, "party", call.at, lambda body: body.get("party_id") == answer["party_id"])
        if echo is not None and echo.at - call.at < _JOIN_SOON:
            found.part.add(id(echo))
        return act("party", "lead_party", answer["party_id"])
    if call.name == "party_join" and request.get("party_id"):
        joined = _push(role, "party", call.at, lambda body: body.get("party_id") == request.get("party_id"))
        if joined is not None and joined.at - call.at < _JOIN_SOON and _open_to_all(joined):
            found.part.add(id(joined))
            return act("party", "join_party", request["party_id"])
    return None


def _open_to_all(joined: RecordedPush) -> bool:
    # A closed party lets a player in when its leader accepts: that is written call by call.
    return bool(joined.body.get("open"))


def _push(role: Role, key: str, since: float, where: Any) -> RecordedPush | None:
    return next((one for one in role.pushes if one.key == key and one.at >= since and where(one.body)), None)


def _search(found: Acting, act: Act, request: Mapping[str, Any]) -> None:
    """Find out how a match was found: by the matchmaker, by a function of the server, or by its id."""
    token, match_id = request.get("token"), request.get("match_id")
    for push in act.role.pushes:
        body = push.body
        if push.key != MATCHED or push.at > act.call.at or id(push) in found.part:
            continue
        if (token and body.get("token") == token) or (match_id and body.get("match_id") == match_id):
            ticket = _ticket(act.role, body.get("ticket"), push.at)
            party = _party(found, act, ticket)
            if party is None and (ticket is None or ticket.name != "matchmaker_add"):
                return  # it belongs to a party that is written call by call
            act.how = "find_match" if party is None else "party.find_match"
            act.ticket, act.party = ticket, party
            act.users, act.result = matched_users(push), result_of(push)
            found.part.update(map(id, (push, ticket)))
            return
    calls = reversed(act.role.calls[: act.start])
    before = next((call for call in calls if id(call) not in found.part), None)
    if before is not None and match_id and before.name == "rpc" and isinstance(before.answer, Mapping):
        payload = parsed(before.answer.get("payload"))
        if isinstance(payload, Mapping) and payload.get("match_id") == match_id:
            act.how, act.function = "join_listed_match", before
            found.part.add(id(before))


def matched_users(matched: RecordedPush) -> tuple[str, ...]:
    """User ids of the players that the matchmaker has put together."""
    presences = (fields(one.get("presence")) for one in objects(fields(matched.body).get("users")))
    return tuple(str(one.get("user_id", "")) for one in presences)


def result_of(matched: RecordedPush) -> str:
    """What all players received that the matchmaker has put together: the token or the id of a match."""
    body = fields(matched.body)
    return str(body.get("token") or body.get("match_id", ""))


def _ticket(role: Role, ticket: Any, before: float) -> TapedCall | None:
    return next(
        (
            call
            for call in reversed(role.calls)
            if call.at <= before
            and call.name in TICKETS
            and isinstance(call.answer, Mapping)
            and call.answer.get("ticket") == ticket
        ),
        None,
    )


def _party(found: Acting, act: Act, ticket: TapedCall | None) -> Act | None:
    if ticket is not None and ticket.name == "matchmaker_add":
        return None
    inside = (one for one in found.acts if one.kind == "party" and one.start < act.start < one.end)
    return next(inside, None)


def _end(found: Acting, act: Act) -> None:
    """Find the call that ends it, which is then part of it; the end of its connection ends it too."""
    connection = act.role.connection_at(act.call.at)
    for index in range(act.start + 1, len(act.role.calls)):
        call = act.role.calls[index]
        if act.role.connection_at(call.at) != connection:
            act.end = index
            return
        kind, name = _LEAVES.get(call.name, ("", ""))
        if kind == act.kind and fields(call.request).get(name) == act.id:
            # A member that became the leader closes the party itself: leaving it would be another call.
            inherited = act.how == "join_party" and call.name == "party_close"
            act.end, act.left = (index + 1 if inherited else index), True
            if not call.error and not inherited:
                found.part.add(id(call))
            return


def _nest(acts: list[Act]) -> None:
    """Python's blocks are nested: one that begins in another stays no longer than it."""
    for inner in acts:
        for outer in acts:
            if outer.start < inner.start < outer.end < inner.end:
                outer.end = inner.end


def bot_query(request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Query and properties of a ticket, without what our own bots add to theirs."""
    query = str(request.get("query", "*"))
    texts = dict(fields(request.get("string_properties")))
    bare = _OWN_GROUP.sub("", query).strip()
    if bare != query:
        texts.pop("group", None)
    return ("" if bare == "*" else bare), {**texts, **fields(request.get("numeric_properties"))}
