"""The state of a server as one JSON object: written at its end, read at its start, or written by hand.

``{"accounts": [..], "friends": [..], "groups": [..], "storage": [..], "leaderboards": [..], "records": [..],
"notifications": [..], "messages": [..], "ledger": [..]}``; a row has the fields of its class, times in Unix
nanoseconds (absent: now), documents as JSON text or as objects. Data that exists only during connections
(sessions, matches, parties, tickets, tokens) is not included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from nakama_bots.emulator.formats.documents import go_json
from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.formats.schedule import Schedule
from nakama_bots.emulator.store.accounts import SYSTEM_USER_ID, LedgerItem, StoredAccount
from nakama_bots.emulator.store.boards import (
    BoardNotFound,
    Leaderboard,
    Operator,
    Record,
    SortOrder,
    StoredTournament,
)
from nakama_bots.emulator.store.chat import StoredMessage, channel_id, channel_stream
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.friends import StoredFriend
from nakama_bots.emulator.store.groups import GroupMember, StoredGroup
from nakama_bots.emulator.store.limits import Full
from nakama_bots.emulator.store.notifications import StoredNotification
from nakama_bots.emulator.store.storage import ObjectKey, StorageWrite, StoredObject
from nakama_bots.errors import ConfigError
from nakama_bots.types.friends import FriendState
from nakama_bots.types.groups import GroupState

Row = dict[str, Any]
_DOCUMENTS: Final = ("metadata", "wallet", "content", "value")
_ACCEPTED: Final = "a JSON file as --save writes it"


def save(core: Core, path: Path) -> None:
    """Write the state to a file atomically. ``OSError``."""
    content = orjson.dumps(dump(core), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content + b"\n")
    beside.replace(path)


def load(core: Core, path: Path) -> None:
    """Load the state from a file. ``ConfigError`` says what is wrong with it."""
    try:
        state = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError("--load", str(path), f"{_ACCEPTED} ({error.strerror})") from None
    except orjson.JSONDecodeError as error:
        raise ConfigError("--load", str(path), f"{_ACCEPTED} ({error})") from None
    unknown = sorted(set(state) - set(_FAMILIES)) if isinstance(state, dict) else ["no object"]
    if unknown:
        known = ", ".join(_FAMILIES)
        raise ConfigError("--load", str(path), f"{_ACCEPTED}; {unknown[0]!r} is not one of {known}")
    for name, (_, take) in _FAMILIES.items():
        for number, row in enumerate(state.get(name, ()), 1):
            try:
                take(core, _StateRow(core, row))
            except (BoardNotFound, Full, KeyError, TypeError, ValueError) as error:
                what = f"{name}, row {number}: {type(error).__name__}: {error}"
                raise ConfigError("--load", str(path), f"{_ACCEPTED} ({what})") from None


def dump(core: Core) -> JsonObject:
    """Return the state as a JSON object, without empty sections."""
    found = {name: give(core) for name, (give, _) in _FAMILIES.items()}
    return {name: rows for name, rows in found.items() if rows}


class _StateRow:
    """A row of a file, read into its class."""

    def __init__(self, core: Core, row: Mapping[str, Any]) -> None:
        self._core = core
        self.row: Row = dict(row)

    def make(self, kind: Any, **fields: Any) -> Any:
        """Create an object of the row's fields and the given ones."""
        given: Row = {}
        for field in dataclasses.fields(kind):
            if field.name in fields:
                given[field.name] = fields[field.name]
            elif field.name in self.row:
                given[field.name] = _read(field.name, self.row[field.name])
            elif field.name in ("create_time", "update_time"):
                given[field.name] = self._core.now()
            elif field.name == "id":
                given[field.name] = self._core.new_id()
        return kind(**given)


def _read(name: str, value: Any) -> Any:
    return go_json(value) if name in _DOCUMENTS and not isinstance(value, str) else value


def _plain(of: Any, **other: Any) -> Row:
    row = {field.name: getattr(of, field.name) for field in dataclasses.fields(of)} | other
    return {name: value for name, value in row.items() if value or type(value) is int}


def _accounts(core: Core) -> list[Row]:
    return [
        _plain(
            one, salt=one.salt.hex(), password=one.password.hex(), identities=[list(i) for i in one.identities]
        )
        for one in core.accounts.all()
        if one.id != SYSTEM_USER_ID
    ]


def _account(core: Core, row: _StateRow) -> None:
    secrets = {name: bytes.fromhex(row.row.get(name, "")) for name in ("salt", "password")}
    identities = [(str(kind), str(external)) for kind, external in row.row.get("identities", ())]
    core.accounts.add(row.make(StoredAccount, identities=identities, **secrets))


def _friends(core: Core) -> list[Row]:
    return [_plain(edge, source=source, state=int(edge.state)) for source, edge in core.friends.edges()]


def _friend(core: Core, row: _StateRow) -> None:
    state = FriendState(row.row["state"])
    core.friends.restore(row.row["source"], row.make(StoredFriend, state=state))


def _groups(core: Core) -> list[Row]:
    def members(group: StoredGroup) -> list[Row]:
        return [_plain(one, state=int(one.state)) for one in group.members.values()]

    return [_plain(group, members=members(group)) for group in core.groups.all()]


def _group(core: Core, row: _StateRow) -> None:
    members = {
        one["user_id"]: GroupMember(**{**one, "state": GroupState(one["state"])}) for one in row.row["members"]
    }
    core.groups.restore(row.make(StoredGroup, members=members))


def _storage(core: Core) -> list[Row]:
    objects = [one for objects in core.storage.snapshot().values() for one in objects.values()]
    return [{**one.key._asdict(), **_plain(one, key=one.key.key, value=one.value)} for one in objects]


def _object(core: Core, row: _StateRow) -> None:
    given = row.row
    key = ObjectKey(given["collection"], given["key"], given.get("user_id", SYSTEM_USER_ID))
    value = _read("value", given["value"])
    read, write = given.get("permission_read", 1), given.get("permission_write", 1)
    if "version" in given:
        core.storage.put(row.make(StoredObject, key=key, permission_read=read, permission_write=write))
    else:
        core.storage.write([StorageWrite(key, value, "", read, write)], authoritative=True)


def _boards(core: Core) -> list[Row]:
    boards = core.leaderboards.boards() + core.leaderboards.boards(tournaments=True)
    return [
        _plain(
            board,
            sort_order=int(board.sort_order),
            operator=int(board.operator),
            schedule=board.schedule.text if board.schedule is not None else "",
            tournament=dataclasses.asdict(board.tournament) if board.tournament is not None else None,
            enable_ranks=int(board.enable_ranks),
        )
        for board in boards
    ]


def _board(core: Core, row: _StateRow) -> None:
    given = row.row
    schedule = Schedule.parse(given["schedule"]) if given.get("schedule") else None
    tournament = StoredTournament(**given["tournament"]) if given.get("tournament") else None
    order, operator = SortOrder(given.get("sort_order", 1)), Operator(given.get("operator", 1))
    made = row.make(
        Leaderboard,
        create_time=given.get("create_time", core.seconds()),
        sort_order=order,
        operator=operator,
        schedule=schedule,
        tournament=tournament,
        enable_ranks=bool(given.get("enable_ranks", True)),
    )
    core.leaderboards.restore(made)


def _records(core: Core) -> list[Row]:
    return [_plain(record) for record in core.leaderboards.records()]


def _record(core: Core, row: _StateRow) -> None:
    defaults = {
        "subscore": 0,
        "num_score": 1,
        "max_num_score": 10**6,
        "metadata": "{}",
        "expiry": 0,
        "username": "",
    }
    given = {name: row.row.get(name, value) for name, value in defaults.items()}
    core.leaderboards.restore_record(
        row.make(Record, **{**given, "metadata": _read("metadata", given["metadata"])})
    )


def _notifications(core: Core) -> list[Row]:
    return [
        _plain(one, user_id=account.id)
        for account in core.accounts.all()
        for one in core.notifications.of(account.id)
    ]


def _notification(core: Core, row: _StateRow) -> None:
    sender = row.row.get("sender_id", SYSTEM_USER_ID)
    core.notifications.keep(row.row["user_id"], row.make(StoredNotification, sender_id=sender, persistent=True))


def _messages(core: Core) -> list[Row]:
    return [
        {**_plain(one, stream=None, written=None), "channel_id": channel_id(one.stream)}
        for one in core.messages.everything()
    ]


def _message(core: Core, row: _StateRow) -> None:
    given = row.row
    defaults = {"code": 0, "sender_id": SYSTEM_USER_ID, "username": ""}
    fields = {name: given.get(name, value) for name, value in defaults.items()}
    core.messages.add(
        row.make(StoredMessage, stream=channel_stream(given["channel_id"]), persistent=True, **fields)
    )


def _ledger(core: Core) -> list[Row]:
    return [_plain(item) for items in core.accounts.ledger.values() for item in items]


def _item(core: Core, row: _StateRow) -> None:
    item = row.make(LedgerItem)
    core.accounts.ledger.setdefault(item.user_id, []).append(item)


# In reading order: a user must be read before a row that names it.
_FAMILIES: Final[Mapping[str, tuple[Callable[[Core], list[Row]], Callable[[Core, _StateRow], None]]]] = {
    "accounts": (_accounts, _account),
    "friends": (_friends, _friend),
    "groups": (_groups, _group),
    "storage": (_storage, _object),
    "leaderboards": (_boards, _board),
    "records": (_records, _record),
    "notifications": (_notifications, _notification),
    "messages": (_messages, _message),
    "ledger": (_ledger, _item),
}
