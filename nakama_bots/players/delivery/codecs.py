"""How receivers recognise a message: one line in a scenario, ``delivery = json_field("_nb")``.

``exact`` is the default and changes nothing: sender and receivers in one process are matched by the message's
bytes. The others are for servers that change the bytes on the way, and for players in several processes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from nakama_bots.errors import ConfigError
from nakama_bots.players.delivery.exchange import To
from nakama_bots.players.delivery.stamps import STAMP_SIZE, STATE, Stamp

Sent: TypeAlias = Callable[[int, bytes], Hashable | None]
Seen: TypeAlias = Callable[[int, bytes], Iterable[Hashable]]
_MOST_DEPTH: Final = 8


@dataclass(frozen=True, slots=True)
class Codec:
    """Base of the codecs. ``to`` says who gets a message; None: as in a relayed match, else learned."""

    to: To | None = None
    repeats: bool = False
    """True if a key may arrive more than once without being a duplicate."""

    def outgoing(self, op_code: int, data: bytes, stamp: Stamp) -> tuple[bytes, Hashable]:
        """The data to send in place of ``data``, and the message's key; None: it is not measured.

        ``stamp`` is unique to the message.
        """
        raise NotImplementedError

    def incoming(self, op_code: int, data: bytes) -> tuple[bytes, Sequence[Hashable]]:
        """The author's data in a received message, and the keys of the messages that it contains."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Exact(Codec):
    """By op code and bytes; of equal messages the first one sent is the first to arrive.

    A match compares the text on the wire by itself, as most data is never decoded.
    """


@dataclass(frozen=True, slots=True)
class Stamped(Codec):
    """By a stamp of 36 bytes before the data, which receivers remove; other processes are counted too."""

    def outgoing(self, op_code: int, data: bytes, stamp: Stamp) -> tuple[bytes, Hashable]:
        """The stamp and the data."""
        return stamp.pack() + data, (stamp.sender, stamp.sequence)

    def incoming(self, op_code: int, data: bytes) -> tuple[bytes, Sequence[Hashable]]:
        """The data without its stamp."""
        stamp = Stamp.unpack(data)
        if stamp is None:
            return data, ()
        return data[STAMP_SIZE:], ((stamp.sender, stamp.sequence),) if stamp.kind == STATE else ()


@dataclass(frozen=True, slots=True)
class JsonField(Codec):
    """By a field that is added to the sent JSON object, and found at any depth in received data."""

    name: str = "_nb"

    def outgoing(self, op_code: int, data: bytes, stamp: Stamp) -> tuple[bytes, Hashable]:
        """The object with the field; ``ConfigError`` for data that is not a JSON object."""
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            raise ConfigError(
                "data", data[:80], f"a JSON object, which json_field({self.name!r}) adds a field to"
            )
        mark = f"{stamp.sender:x}-{stamp.sequence}"
        return orjson.dumps({**document, self.name: mark}), mark

    def incoming(self, op_code: int, data: bytes) -> tuple[bytes, Sequence[Hashable]]:
        """The data as it arrived."""
        if self.name.encode() not in data:
            return data, ()
        try:
            return data, tuple(_found(orjson.loads(data), self.name, _MOST_DEPTH))
        except orjson.JSONDecodeError:
            return data, ()


@dataclass(frozen=True, slots=True)
class Keyed(Codec):
    """By the author's functions: ``sent`` returns a message's key, ``seen`` the keys that a state contains.

    The first state that contains a key is its delivery, so that an input that a server acknowledges in its
    states is timed from input to echo.
    """

    to: To | None = To.SENDER
    repeats: bool = True
    sent: Sent = lambda _op_code, _data: None
    seen: Seen = lambda _op_code, _data: ()

    def outgoing(self, op_code: int, data: bytes, stamp: Stamp) -> tuple[bytes, Hashable]:
        """The data as it is."""
        return data, self.sent(op_code, data)

    def incoming(self, op_code: int, data: bytes) -> tuple[bytes, Sequence[Hashable]]:
        """The data as it is."""
        return data, tuple(self.seen(op_code, data))


def exact(*, to: str | None = None) -> Exact:
    """Match messages by their bytes. ``to``: "others", "all" or "sender" get them."""
    return Exact(_to(to))


def stamped(*, to: str | None = None) -> Stamped:
    """Put a stamp before the data: players in other processes and on other hosts are measured too."""
    return Stamped(_to(to))


def json_field(name: str = "_nb", *, to: str | None = None) -> JsonField:
    """Add a field to the JSON objects that are sent, for a server that changes or wraps them."""
    return JsonField(_to(to), name=name)


def keyed(sent: Sent, seen: Seen, *, to: str = "sender") -> Keyed:
    """Match by ``sent(op_code, data) -> key`` and ``seen(op_code, data) -> keys``."""
    return Keyed(_to(to), sent=sent, seen=seen)


def _to(name: str | None) -> To | None:
    if name is None:
        return None
    try:
        return To(name)
    except ValueError:
        raise ConfigError("to", name, ", ".join(repr(one.value) for one in To)) from None


def _found(value: Any, name: str, depth: int) -> Iterator[Hashable]:
    if isinstance(value, dict):
        mark = value.get(name)
        if isinstance(mark, str):
            yield mark
        children: Iterable[Any] = value.values()
    elif isinstance(value, list):
        children = value
    else:
        return
    if depth:
        for child in children:
            yield from _found(child, name, depth - 1)
