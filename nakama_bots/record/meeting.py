"""Roles that wait for each other, so that what one does finds what another one did before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from nakama_bots.record.acts import Act
from nakama_bots.record.capture.tape import WS, TapedCall
from nakama_bots.record.correlate import Own
from nakama_bots.record.steps import Part, Step, refs_of


def keep_order(parts: Sequence[Part]) -> None:
    """Calls of two roles about the same user or object keep their order."""
    touched: dict[Any, list[tuple[Part, Step]]] = {}
    for part in parts:
        for step in part.steps:
            if step.kind != "call" or step.call is None or (step.call.kind == WS and not _joins(step.call)):
                continue
            users = {part.role.user}
            for ref in refs_of(step):
                if isinstance(ref, Own):
                    users.add(ref.role.user)
                else:
                    touched.setdefault((id(ref.event), ref.path), []).append((part, step))
            if len(users) > 1:
                touched.setdefault(frozenset(users), []).append((part, step))
    number = 0
    done: set[int] = set()
    for pairs in touched.values():
        pairs.sort(key=lambda pair: pair[1].at)
        for (one, earlier), (other, later) in pairwise(pairs):
            if one is other or id(later) in done or later.at < earlier.ended:
                continue
            done.add(id(later))
            number += 1
            name = f"step {number}"
            place = one.steps.index(earlier) + 1
            one.steps.insert(place, Step("share", earlier.ended, earlier.ended, name=name))
            other.steps.insert(other.steps.index(later), Step("hear", earlier.ended, earlier.ended, name=name))


def close_last(parts: Sequence[Part]) -> None:
    """The leader of a party closes it after the members that left before."""
    closes = [
        (part, step)
        for part in parts
        for step in part.steps
        if step.kind == "close" and step.act is not None and step.act.kind == "party"
    ]
    number = 0
    for part, step in closes:
        for other, earlier in closes:
            assert step.act is not None
            assert earlier.act is not None
            same = step.act.id == earlier.act.id and step.act.how == "lead_party" and other is not part
            if same and earlier.at < step.at:
                number += 1
                name = f"left the party {number}"
                other.steps.insert(
                    other.steps.index(earlier) + 1, Step("share", earlier.at, earlier.at, name=name)
                )
                part.steps.insert(part.steps.index(step), Step("hear", earlier.at, earlier.at, name=name))


def _joins(call: TapedCall) -> bool:
    return call.name in ("party_join", "party_accept", "party_remove", "party_promote")


def meet(part: Part, parts: Sequence[Part]) -> None:
    """Wait in a match, a party or a room for the other roles that came before the next step."""
    for act in part.acting.acts:
        if act.how.endswith("find_match"):
            continue
        others = sorted(
            (other.call.ended, parts.index(one))
            for one in parts
            if one is not part
            for other in one.acting.acts
            if other.kind == act.kind and other.id == act.id
        )
        inside = [
            one
            for one in part.steps
            # A connection that ends takes the player out of everything that it has joined.
            if (one.act is act and one.kind in ("call", "state"))
            or (one.kind == "disconnect" and one.at > act.call.at)
        ]
        last = 0
        for step in inside:
            here = [index for at, index in others if at < step.at]
            if len(here) > last and act.kind != "match":
                last = len(here)
                _after_join(part, step, act, parts)
            elif len(here) > last:
                last = len(here)
                at = others[last - 1][0]
                roles = [parts[index].role for index in dict.fromkeys(here)]
                part.steps.insert(part.steps.index(step), Step("meet", at, at, act=act, others=roles))


def _after_join(part: Part, step: Step, act: Act, parts: Sequence[Part]) -> None:
    """Do a step after those who were there before have joined; they may have left meanwhile."""
    for other in parts:
        for one in other.acting.acts:
            if other is part or one.kind != act.kind or one.id != act.id or not one.call.ended < step.at:
                continue
            name = f"the {other.role.name} has joined {1 + other.acting.acts.index(one)}"
            joined = next(
                index for index, own in enumerate(other.steps) if own.act is one and own.kind == "open"
            )
            at = one.call.ended
            if other.steps[joined + 1 : joined + 2] == [] or other.steps[joined + 1].name != name:
                other.steps.insert(joined + 1, Step("share", at, at, name=name))
            part.steps.insert(part.steps.index(step), Step("hear", at, at, name=name))
