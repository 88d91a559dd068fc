"""Faults on demand: which, of which messages, how often. No I/O: connection and front apply them.

A fault is written ``KIND:name=value,name=value``, on the command line and (as an object) over the control
port::

    latency:on=rpc,ms=50,jitter=20        error:on=matchmaker_add,code=3,rate=0.1
    drop:on=GET /v2/account,times=2       close:on=*,code=1011,after=100

``on`` names the target: a socket message (``rpc``), a REST route (``POST /v2/rpc/{id}``), a push
(``push:match_data``), ``connect`` for the handshake, ``*`` for every socket message and REST route. ``rate`` is
the share that is hit, ``after`` the number that pass first, ``times`` the most that are hit.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from nakama_bots.emulator.formats.envelopes import TEXT, Format
from nakama_bots.emulator.formats.protojson import JsonObject

PUSH: Final = "push:"
CONNECT: Final = "connect"
ANY: Final = "*"


class FaultError(ValueError):
    """An invalid fault; the text says what is wrong and what is accepted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. ``ms`` and ``jitter`` are milliseconds, ``seconds`` seconds, ``size`` bytes."""

    kind: str
    on: str = ANY
    rate: float = 1.0
    after: int = 0
    times: int = 0
    ms: float = 0.0
    jitter: float = 0.0
    code: int = 0
    message: str = "injected fault"
    seconds: float = 1.0
    size: int = 65536

    def json(self) -> JsonObject:
        """Return it as JSON, without the fields that its kind does not use."""
        names = ("kind", *_COMMON, *KINDS[self.kind])
        return {name: getattr(self, name) for name in names}


_COMMON: Final = ("on", "rate", "after", "times")
# Each kind, and the fields that it uses besides those of every fault.
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "latency": ("ms", "jitter"),
    "error": ("code", "message"),
    "drop": (),
    "duplicate": (),
    "wrong_cid": (),
    "no_cid": (),
    "truncate": (),
    "oversize": ("size",),
    "garble": (),
    "abort": (),
    "close": ("code", "message"),
    "stop_reading": ("seconds",),
    "stop_writing": ("seconds",),
    "refuse": (),
    "expire_tokens": (),
    "restart": (),
}
# These happen once, immediately, and are not kept.
ACTIONS: Final = frozenset({"expire_tokens", "restart"})
# These change the bytes of an answer or a push.
_MANGLED: Final = frozenset({"drop", "duplicate", "wrong_cid", "no_cid", "truncate", "oversize", "garble"})

_LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "rate": (0.0, 1.0),
    "after": (0, 10**9),
    "times": (0, 10**9),
    "ms": (0.0, 600_000.0),
    "jitter": (0.0, 600_000.0),
    "code": (0, 4999),
    "seconds": (0.0, 3600.0),
    "size": (0, 2**26),
}


def parse(text: str) -> Fault:
    """Parse a fault as written on the command line. ``FaultError``."""
    kind, _, rest = text.partition(":")
    given: dict[str, object] = {"kind": kind}
    for part in rest.split(",") if rest else ():
        name, equals, value = part.partition("=")
        if not equals:
            msg = f"{part!r} in {text!r} is not name=value"
            raise FaultError(msg)
        given[name.strip()] = value
    return read(given)


def read(given: object) -> Fault:
    """Parse a fault from the control port. ``FaultError``."""
    if not isinstance(given, Mapping) or given.get("kind") not in KINDS:
        kind = given.get("kind") if isinstance(given, Mapping) else given
        msg = f"{kind!r} is not a kind of fault; accepted: {', '.join(KINDS)}"
        raise FaultError(msg)
    kind = str(given["kind"])
    names = (*_COMMON, *KINDS[kind])
    fields: dict[str, Any] = {"kind": kind}
    for name, value in given.items():
        if name != "kind":
            if name not in names:
                msg = f"{name!r} is not a field of {kind}; accepted: {', '.join(names)}"
                raise FaultError(msg)
            fields[name] = _field(name, value)
    return Fault(**fields)


_WHOLE: Final = frozenset({"after", "times", "code", "size"})


def _field(name: str, value: Any) -> object:
    if name not in _LIMITS:
        if isinstance(value, str) and value:
            return value
        msg = f"{name} {value!r} cannot be used; accepted: a text"
        raise FaultError(msg)
    low, high = _LIMITS[name]
    kind = int if name in _WHOLE else float
    number: float | None = None
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        number = kind(value)
    if isinstance(value, bool) or number is None or not low <= number <= high:
        msg = f"{name} {value!r} cannot be used; accepted: a number from {low:g} to {high:g}"
        raise FaultError(msg)
    return number


@dataclass(slots=True)
class _Rule:
    fault: Fault
    seen: int = 0
    hits: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults that hit a message, and the seconds to wait first."""

    delay: float = 0.0
    faults: Mapping[str, Fault] = field(default_factory=dict)

    @property
    def mangles(self) -> bool:
        """True if the answer's bytes are changed."""
        return not _MANGLED.isdisjoint(self.faults)


UNHARMED: Final = Plan()


class Faults:
    """The faults in force. Without any, a message costs only a check of ``active``."""

    def __init__(self, rng: random.Random, faults: Iterable[Fault] = ()) -> None:
        self._rng = rng
        self._rules: list[_Rule] = []
        self.active = False
        self.pushes = False
        self.act: Callable[[Fault], None] = lambda _: None
        self.replace(faults)

    def replace(self, faults: Iterable[Fault]) -> None:
        """Replace all faults; actions happen now."""
        given = list(faults)
        self._rules = [_Rule(fault) for fault in given if fault.kind not in ACTIONS]
        self.active = bool(self._rules)
        self.pushes = any(rule.fault.on.startswith(PUSH) for rule in self._rules)
        for fault in given:
            if fault.kind in ACTIONS:
                self.act(fault)

    def json(self) -> list[JsonObject]:
        """Return the faults in force, with how often each was met and hit."""
        return [{**rule.fault.json(), "seen": rule.seen, "hits": rule.hits} for rule in self._rules]

    def plan(self, what: str) -> Plan:
        """Return the faults of a message, a route, ``push:KEY`` or ``connect``."""
        delay, hit = 0.0, dict[str, Fault]()
        anything = what != CONNECT and not what.startswith(PUSH)
        for rule in self._rules:
            fault = rule.fault
            if fault.on != what and not (anything and fault.on == ANY):
                continue
            rule.seen += 1
            if rule.seen <= fault.after or (fault.times and rule.hits >= fault.times):
                continue
            if fault.rate < 1.0 and self._rng.random() >= fault.rate:
                continue
            rule.hits += 1
            if fault.kind == "latency":
                delay += max(0.0, fault.ms + self._rng.uniform(-fault.jitter, fault.jitter)) / 1000
            else:
                hit[fault.kind] = fault
        return Plan(delay, hit) if delay or hit else UNHARMED


def key_of(content: bytes) -> str:
    """Return the message key of an envelope, "" if it has none."""
    try:
        envelope = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ""
    return next((key for key in envelope if key != "cid"), "") if isinstance(envelope, dict) else ""


def mangle(plan: Plan, frame: bytes, form: Format = TEXT) -> list[bytes]:
    """Return the payloads in ``form`` to send in place of a frame, which is JSON text."""
    faults = plan.faults
    if "drop" in faults:
        return []
    if "wrong_cid" in faults or "no_cid" in faults:
        envelope = orjson.loads(frame)
        envelope.pop("cid", None)
        frame = orjson.dumps({"cid": "wrong", **envelope} if "wrong_cid" in faults else envelope)
    payload = form.write(frame)
    if "oversize" in faults:
        payload = form.pad(payload, faults["oversize"].size)
    if "truncate" in faults:
        payload = payload[: len(payload) // 2]
    if "garble" in faults:
        payload = b"\x00{not json"
    return [payload, payload] if "duplicate" in faults else [payload]
