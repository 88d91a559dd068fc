"""Makes roles wait for each other, so that they act in the recorded order where it matters.

Roles that are in the same match or party wait for each other where they come and go. A step that must come
after another role's step waits for it, unless the order follows from the other waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from nakama_bots.record import routes
from nakama_bots.record.acts import TICKETS, Act
from nakama_bots.record.capture.tape import fields
from nakama_bots.record.causes import cause_of
from nakama_bots.record.correlate import Own
from nakama_bots.record.order import Order
from nakama_bots.record.steps import Part, Step, refs_of, value_of
from nakama_bots.record.writing.code import new_name

_JOINS: Final = frozenset({"party_join", "party_accept", "party_remove", "party_promote"})
_ENTERS: Final = frozenset({"channel_join", "match_join", "party_join", "status_follow"})
# Pushes that only players who are in the same place at that time receive.
_FLEETING: Final = frozenset({"channel_message", "match_data", "party_data", "status_presence_event"})
_STAYED_IN: Final = ("match", "party")

_Joined = list[tuple[Part, Act]]


class Meeting:
    """Lets steps wait for steps of other roles."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._part_of = {id(step): part for part in parts for step in part.steps}
        self._wanted: dict[tuple[int, int], tuple[Step, Step]] = {}
        """Pairs of steps whose order must be kept."""
        self._arrived: set[tuple[str, str]] = set()
        self._taken: set[str] = set()

    def arrange(self) -> None:
        """Add every wait that is needed."""
        self._same_things()
        self._arrivals()
        self._pushes()
        self._departures()
        order = Order(self._parts)
        self._matchmaking(order)
        self._presences(order)
        answers = list(self._answers())
        for earlier, later in answers:
            order.add(earlier, later)
        for pair, (earlier, later) in list(self._wanted.items()):
            order.add(earlier, later)
            if order.circular():  # a time was recorded late
                order.remove(earlier, later)
                del self._wanted[pair]
        self._points(order)
        for earlier, later in [*answers, *self._wanted.values()]:
            order.remove(earlier, later)
        self._waits(order)

    def _after(self, step: Step, earlier: Step) -> None:
        """Do ``step`` after ``earlier``, of another role."""
        self._wanted.setdefault((id(earlier), id(step)), (earlier, step))

    def _matchmaking(self, order: Order) -> None:
        """The matchmaker answers all of a match: each of them has done what came before its ticket."""
        for group in self._groups():
            searched = [(part, act) for part, act in group if act.how.endswith("find_match")]
            for part, act in searched:
                index = part.steps.index(_opening(part, act))
                if act.ticket is None or not index:
                    continue
                for other, one in searched:
                    if other is not part:
                        order.add(part.steps[index - 1], _opening(other, one))

    def _presences(self, order: Order) -> None:
        """Who is met in a match has joined it."""
        for part, step in self._steps("meet"):
            assert step.act is not None
            for other, one in self._together(part, step.act):
                if other.role in step.others:
                    order.add(_opening(other, one), step)

    def _answers(self) -> Iterator[tuple[Step, Step]]:
        """A push that a role waits for, and what caused it."""
        for part, step in self._steps("take"):
            cause = self._ended(part, step) or self._cause(part, step)
            if cause is not None:
                yield cause, step

    def _ended(self, part: Part, step: Step) -> Step | None:
        """How the leader of a party went before another one became the leader."""
        assert step.push is not None
        if step.push.key != "party_leader":
            return None
        party = fields(step.push.body).get("party_id")
        leading = (
            _closing(other, act)
            for other, act in self._acts()
            if act.how == "lead_party" and act.id == party and other is not part
        )
        return next(leading, None)

    def _steps(self, kind: str) -> Iterator[tuple[Part, Step]]:
        """The steps of a kind, in all roles."""
        return ((part, step) for part in self._parts for step in list(part.steps) if step.kind == kind)

    def _acts(self) -> Iterator[tuple[Part, Act]]:
        return ((part, act) for part in self._parts for act in part.acting.acts)

    def _groups(self) -> Iterator[_Joined]:
        """The acts of several roles that are in the same match, party or room."""
        groups: defaultdict[tuple[str, str], _Joined] = defaultdict(list)
        for part, act in self._acts():
            groups[act.kind, act.id].append((part, act))
        for group in groups.values():
            if len(group) > 1 and len({id(part) for part, _ in group}) == len(group):
                yield group

    def _points(self, order: Order) -> None:
        """Where all of a party have come, and where all of a match or a party are about to go."""
        for group in self._groups():
            if (group[0][1].kind, group[0][1].id) in self._arrived:
                self._point(order, group, [(part, _opening(part, act), 1) for part, act in group])
            if group[0][1].kind in _STAYED_IN:
                self._point(order, group, [(part, _closing(part, act), 0) for part, act in group])

        for tickets in self._tickets().values():
            sizes = {_size(step) for _, step in tickets}
            if len({id(part) for part, _ in tickets}) == len(tickets) and len(sizes) > 1:
                # Tickets of different sizes find each other only if they are added at about the same time.
                self._point(order, [(part, None) for part, _ in tickets], [(*one, 0) for one in tickets])

    def _tickets(self) -> dict[str, list[tuple[Part, Step]]]:
        """The steps that add tickets without waiting, by what they found."""
        found: defaultdict[str, list[tuple[Part, Step]]] = defaultdict(list)
        for part, step in self._steps("call"):
            if step.name and step.message in TICKETS:
                found[step.name].append((part, step))
        return found

    def _point(
        self, order: Order, group: Sequence[tuple[Part, Act | None]], places: Sequence[tuple[Part, Step, int]]
    ) -> None:
        number = 0 if len(group) == len(self._parts) else len(group)
        steps: list[Step] = []
        for (part, act), (_, place, after) in zip(group, places, strict=True):
            step = Step("wait", place.at, place.at, act=act, number=number, name=place.name)
            index = part.steps.index(place) + after
            while after and index < len(part.steps) and part.steps[index].kind == "share":
                index += 1
            part.steps.insert(index, step)
            steps.append(step)
        order.join(steps)
        if order.circular():
            order.part(steps)
            for (part, _), step in zip(group, steps, strict=True):
                part.steps.remove(step)

    def _waits(self, order: Order) -> None:
        """Wait for the steps whose order does not follow from anything else."""
        needed: list[tuple[Step, Step]] = []
        for earlier, later in sorted(self._wanted.values(), key=lambda pair: pair[0].ended):
            if not order.reaches(earlier, later):
                order.add(earlier, later)
                needed.append((earlier, later))
        for earlier, later in list(needed):
            order.remove(earlier, later)
            if order.reaches(earlier, later):
                needed.remove((earlier, later))
            else:
                order.add(earlier, later)
        for earlier, later in needed:
            name = self._done(earlier)
            steps = self._part_of[id(later)].steps
            index = steps.index(later)
            if index and steps[index - 1].kind == "after":
                steps[index - 1].names.append(name)
            else:
                steps.insert(index, Step("after", earlier.ended, earlier.ended, names=[name]))

    def _done(self, step: Step) -> str:
        """The name under which a role says that it has done a step."""
        part = self._part_of[id(step)]
        index = part.steps.index(step) + 1
        following = part.steps[index] if index < len(part.steps) else None
        if following is not None and following.kind in ("done", "share"):
            return following.name
        found = new_name(f"{part.role.name} {step.verb}", self._taken, " ")
        self._taken.add(found)
        part.steps.insert(index, Step("done", step.ended, step.ended, name=found))
        return found

    def _same_things(self) -> None:
        """Calls of two roles about the same user or object keep their order."""
        touched: defaultdict[Any, list[tuple[Part, Step]]] = defaultdict(list)
        for part, step in self._steps("call"):
            assert step.call is not None
            if not (routes.keeps_order(step.call.kind, step.message) or step.message in _JOINS):
                continue
            users = {part.role.user}
            for ref in refs_of(step):
                if isinstance(ref, Own):
                    users.add(ref.role.user)
                else:
                    touched[value_of(ref)].append((part, step))
            if len(users) > 1:
                touched[frozenset(users)].append((part, step))
        for pairs in touched.values():
            since: list[tuple[Part, Step]] = []
            for part, step in sorted(pairs, key=lambda pair: pair[1].at):
                reads = step.call is not None and step.call.kind == "GET"
                for other, earlier in since[:1] if reads else since:
                    if other is not part and earlier.ended <= step.at:
                        self._after(step, earlier)
                # What only reads is ordered with changes, and not with what else reads.
                since = [*since, (part, step)] if reads else [(part, step)]

    def _arrivals(self) -> None:
        """In a match, a party or a room, wait before each step for the roles that had joined by then."""
        for part, act in self._acts():
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
                    self._part_of[id(met)] = part
            else:
                for _, _, other, one in here:
                    self._arrived.add((act.kind, act.id))
                    self._after(step, _opening(other, one))

    def _pushes(self) -> None:
        """Cause a push that a role waits for only after the role is where it receives it."""
        for part, step in self._steps("take"):
            assert step.push is not None
            cause = self._cause(part, step) if step.push.key in _FLEETING else None
            if cause is not None:
                entered = [one for one in part.steps if one.ended <= cause.at and _enters(one)]
                if entered:
                    self._after(cause, entered[-1])

    def _cause(self, part: Part, step: Step) -> Step | None:
        assert step.push is not None
        found = cause_of(step.push, [one.role for one in self._parts])
        if found is None or found[0] is part.role:
            return None
        other = next(one for one in self._parts if one.role is found[0])
        return next((one for one in other.steps if found[1] is one.call or found[1] in one.sends), None)

    def _departures(self) -> None:
        """Leave a match or a party after what the others did in it; the leader of a party is the last one."""
        for part, act in self._acts():
            if act.kind not in _STAYED_IN:
                continue
            close, ends = _closing(part, act), act.how == "lead_party"
            for other, one in self._together(part, act):
                done = [
                    step
                    for step in other.steps
                    if step.act is one and step.ended <= close.at and (ends or step.kind != "close")
                ]
                if done and _opening(part, act).at < done[-1].ended:
                    self._after(close, done[-1])

    def _together(self, part: Part, act: Act) -> Iterator[tuple[Part, Act]]:
        """The acts of other roles in the same match, party or room."""
        here = (act.kind, act.id)
        return ((other, one) for other, one in self._acts() if other is not part and (one.kind, one.id) == here)


def _inside(part: Part, act: Act) -> list[Step]:
    """The steps in an act, and the end of the connection, which takes the player out of everything."""
    return [
        one
        for one in part.steps
        if (one.act is act and one.kind in ("call", "state"))
        or (one.kind == "disconnect" and one.at > act.call.at)
    ]


def _size(step: Step) -> tuple[object, ...]:
    """The numbers of players that a ticket accepts."""
    request = fields(step.call.request if step.call is not None else None)
    return request.get("min_count"), request.get("max_count")


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
    return step.kind == "open" or (step.kind == "call" and step.message in _ENTERS)
