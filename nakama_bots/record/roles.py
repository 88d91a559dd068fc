"""The players of a recording: each becomes a role of the scenario."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from nakama_bots.record import routes
from nakama_bots.record.capture.tape import WS, RecordedPush, RecordedSocket, Tape, TapedCall

NAMES: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


@dataclass(slots=True, eq=False)
class Role:
    """A player: its calls that the scenario makes, its pushes and its connections."""

    name: str
    user: str
    username: str = ""
    created: bool = False
    """Whether its account was new."""
    calls: list[TapedCall] = field(default_factory=list)
    pushes: list[RecordedPush] = field(default_factory=list)
    sockets: list[RecordedSocket] = field(default_factory=list)
    bystanders: dict[str, int] = field(default_factory=dict)
    """Number, from 0, of each user that its calls need and that was not recorded, by id or name."""

    def connection_at(self, at: float) -> int:
        """Which of its connections was the newest at a time, from 1; 0 before the first."""
        return sum(1 for one in self.sockets if one.opened <= at)

    @property
    def needs_new_account(self) -> bool:
        """True if its account was new, or made a call that succeeds only once."""
        return self.created or any(routes.only_once(one.kind, one.name) and not one.error for one in self.calls)

    @property
    def appears_online(self) -> bool:
        """Whether its first connection asked for a status presence."""
        return bool(self.sockets) and self.sockets[0].status


def roles_of(tape: Tape, notes: list[str]) -> list[Role]:
    """The players in the order in which they came; ``notes`` gets what is left out, one line per item."""
    _adopt(tape)
    users = list(dict.fromkeys(call.user for call in tape.calls if call.user))
    users += [one.user for one in tape.sockets if one.user and one.user not in users]
    roles: list[Role] = []
    for user in users:
        role = Role("player", user, tape.names.get(user, ""))
        role.pushes = [one for one in tape.pushes if one.user == user]
        role.sockets = [one for one in tape.sockets if one.user == user]
        role.calls = _kept(role, [one for one in tape.calls if one.user == user], notes)
        if role.calls or role.sockets:
            roles.append(role)
        else:
            notes.append("left out: a player who did nothing but log in")
    if len(roles) > len(NAMES):
        notes.append(f"{len(roles)} players were recorded: those after the first {len(NAMES)} are left out")
        del roles[len(NAMES) :]
    if len(roles) > 1:
        for name, role in zip(NAMES, roles, strict=False):
            role.name = name
    return roles


def _adopt(tape: Tape) -> None:
    """Give a call that no player was logged in for, such as a refused login, to the only or the next player."""
    waiting: list[TapedCall] = []
    last = ""
    for call in tape.calls:
        if call.user:
            last = last or call.user
            for one in waiting:
                one.user = call.user
            waiting.clear()
        else:
            waiting.append(call)
    for one in waiting:
        one.user = last


def _kept(role: Role, calls: list[TapedCall], notes: list[str]) -> list[TapedCall]:
    """The calls that the scenario makes: without the login, which is the bot's own, and what is a person's."""
    kept: list[TapedCall] = []
    created = False
    entered = False
    for call in calls:
        shown = f"{call.kind} {call.name}"
        if call.name == "/healthcheck":
            continue  # a tool's, not a player's
        if call.name.startswith(routes.LOGIN):
            if call.error:
                notes.append(f"left out: {shown} ({call.error}); the bots log in with their own accounts")
            elif not entered:
                entered, created = True, bool(isinstance(call.answer, dict) and call.answer.get("created"))
                role.created = created
                how = call.name.removeprefix(routes.LOGIN)
                if how != "device":
                    notes.append(f"replaced: the login by {how}, by the bots' own by device")
            else:
                kept.append(call)
        elif not call.answered or call.error == "Cancelled":  # its client had gone
            notes.append(f"left out: {shown}; it was not answered")
        elif call.error == "Unauthenticated":
            notes.append(f"left out: {shown} ({call.error}); a bot renews its session")
        elif routes.is_personal(call.name):
            notes.append(f"left out: {shown}; it has a person's identity or purchase")
        elif created and not call.error and (call.kind, call.name) == ("PUT", "/v2/account"):
            created = False
            notes.append(f"left out: {shown}; a bot writes the profile of its new account itself")
        else:
            kept.append(call)
            created = created and call.kind != WS
    return kept
