"""Makes roles wait for each other, so that they act in the recorded order where it matters.

Every wait is for a step that had ended before in the recording: roles cannot wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from nakama_bots.record.acts import Act
from nakama_bots.record.capture.tape import WS, RecordedPush
from nakama_bots.record.correlate import Own
from nakama_bots.record.steps import Part, Step, refs_of

CAUSE: Final = 2.0
"""Seconds before a push within which a call may have caused it."""
_JOINS: Final = frozenset({"party_join", "party_accept", "party_remove", "party_promote"})
_ENTERS: Final = frozenset({"channel_join", "match_join", "party_join", "status_follow"})
# Pushes that only players who are in the same place at that time receive.
_FLEETING: Final = frozenset({"channel_message", "match_data", "party_data", "status_presence_event"})
_STAYED_IN: Final = ("match", "party")


class Order:
    """Lets steps wait for steps of other roles."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._number = 0

    def all(self) -> None:
        """Add every wait."""
        self._same_things()
        self._arrivals()
        self._pushes()
        self._departures()

    def _after(self, part: Part, step: Step, other: Part, earlier: Step) -> None:
        """Do ``step`` of ``part`` after ``earlier`` of ``other``."""
        start, end = other.steps.index(earlier) + 1, part.steps.index(step)
        shared = {one.name for one in other.steps[start:] if one.kind == "share"}
        if any(one.kind == "hear" and one.name in shared for one in part.steps[:end]):
            return  # it already waits for a later step
        if other.steps[start : start + 1] and other.steps[start].kind == "share":
            name = other.steps[start].name
        else:
            self._number += 1
            name = f"step {self._number}"
            other.steps.insert(start, Step("share", earlier.ended, earlier.ended, name=name))
        part.steps.insert(end, Step("hear", earlier.ended, earlier.ended, name=name))

    def _same_things(self) -> None:
        """Calls of two roles about the same user or object keep their order."""
        touched: dict[Any, list[tuple[Part, Step]]] = {}
        for part in self._parts:
            for step in part.steps:
                if step.kind != "call" or step.call is None:
                    continue
                if step.call.kind == WS and step.call.name not in _JOINS:
                    continue
                users = {part.role.user}
                for ref in refs_of(step):
                    if isinstance(ref, Own):
                        users.add(ref.role.user)
                    else:
                        touched.setdefault((id(ref.event), ref.path), []).append((part, step))
                if len(users) > 1:
                    touched.setdefault(frozenset(users), []).append((part, step))
        for pairs in touched.values():
            pairs.sort(key=lambda pair: pair[1].at)
            for (one, earlier), (other, later) in pairwise(pairs):
                if one is not other and earlier.ended <= later.at:
                    self._after(other, later, one, earlier)

    def _arrivals(self) -> None:
        """In a match, a party or a room, wait before each step for the roles that had joined by then."""
        for part in self._parts:
            for act in part.acting.acts:
                if not act.how.endswith("find_match"):
                    self._arrivals_in(part, act)

    def _arrivals_in(self, part: Part, act: Act) -> None:
        others = sorted(
            ((one.call.ended, _closing(other, one).at, other, one) for other, one in self._together(part, act)),
            key=lambda item: item[0],
        )
        last = 0
        for step in _inside(part, act):
            here = [item for item in others if item[0] < step.at]
            if len(here) <= last:
                continue
            last = len(here)
            if act.kind == "match":
                # A match is met by its presences, which do not have players that have left again.
                roles = list(dict.fromkeys(other.role for _, left, other, _ in here if left >= step.at))
                if roles:
                    met = Step("meet", step.at, step.at, act=act, others=roles)
                    part.steps.insert(part.steps.index(step), met)
            else:
                for _, _, other, one in here:
                    self._after(part, step, other, _opening(other, one))

    def _pushes(self) -> None:
        """Cause a push that a role waits for only after the role is where it receives it."""
        for part in self._parts:
            for step in list(part.steps):
                if step.kind != "take" or step.push is None or step.push.key not in _FLEETING:
                    continue
                found = self._cause(part, step.push)
                if found is None:
                    continue
                other, cause = found
                entered = [
                    one for one in part.steps if one.kind != "close" and one.ended <= cause.at and _enters(one)
                ]
                if entered:
                    self._after(other, cause, part, entered[-1])

    def _cause(self, part: Part, push: RecordedPush) -> tuple[Part, Step] | None:
        calls = [
            (call.at, other, call)
            for other in self._parts
            for call in other.role.calls
            if push.at - CAUSE < call.at <= push.at
        ]
        _, other, call = max(calls, key=lambda item: item[0], default=(0.0, part, None))
        if call is None or other is part:
            return None
        return next(((other, one) for one in other.steps if call is one.call or call in one.sends), None)

    def _departures(self) -> None:
        """Leave a match or a party after what the others did in it; the leader of a party is the last one."""
        for part in self._parts:
            for act in part.acting.acts:
                if act.kind not in _STAYED_IN:
                    continue
                close = _closing(part, act)
                for other, one in self._together(part, act):
                    ends = act.how == "lead_party"
                    done = [
                        step
                        for step in other.steps
                        if step.act is one and step.ended <= close.at and (ends or step.kind != "close")
                    ]
                    if done and _opening(part, act).at < done[-1].ended:
                        self._after(part, close, other, done[-1])

    def _together(self, part: Part, act: Act) -> Iterator[tuple[Part, Act]]:
        for other in self._parts:
            if other is not part:
                yield from (
                    (other, one) for one in other.acting.acts if (one.kind, one.id) == (act.kind, act.id)
                )


def _inside(part: Part, act: Act) -> list[Step]:
    """The steps in an act, and the end of the connection, which takes the player out of everything."""
    return [
        one
        for one in part.steps
        if (one.act is act and one.kind in ("call", "state"))
        or (one.kind == "disconnect" and one.at > act.call.at)
    ]


def _opening(part: Part, act: Act) -> Step:
    return next(one for one in part.steps if one.act is act and one.kind == "open")


def _closing(part: Part, act: Act) -> Step:
    """The step with which a role leaves: the end of the act, or of its connection just before."""
    close = index = next(i for i, one in enumerate(part.steps) if one.act is act and one.kind == "close")
    while index and part.steps[index - 1].kind == "close":
        index -= 1
    disconnected = index > 0 and part.steps[index - 1].kind == "disconnect"
    return part.steps[index - 1 if disconnected else close]


def _enters(step: Step) -> bool:
    if step.kind == "take":
        return step.push is not None and step.push.key == "party"
    return step.kind == "open" or (step.kind == "call" and step.call is not None and step.call.name in _ENTERS)
