"""An application's own RPCs as typed methods.

Declare the input and the output of a function as TypedDicts or dataclasses, with the field names that the
function knows, and write one method each in a subclass of ``NakamaRpc``::

    @dataclass(frozen=True)
    class BuyInput:
        item: str
        count: int = 1

    @dataclass(frozen=True)
    class BuyOutput:
        gold: int
        items: list[str]

    class ShopRpc(NakamaRpc):
        def buy(self, input: BuyInput) -> BuyOutput | None:
            return self.call("shop_buy", input, BuyOutput)

    bought = ShopRpc(client, session).buy(BuyInput("sword"))
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Final, NotRequired, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

from nakama_bots.errors import ProtocolError
from nakama_bots.rest.client import Client
from nakama_bots.session import Session
from nakama_bots.types.rpc import AddAdminPlanRpcInput, AddAdminPlanRpcOutput

O = TypeVar("O")  # noqa: E741

# JSON has one kind of number, so an int is a float too; a bool is neither.
_SCALARS: Final[Mapping[Any, tuple[type, ...]]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (int, float),
    type(None): (type(None),),
}


class NakamaRpc:
    """Calls an application's functions as the user of ``session``."""

    def __init__(self, client: Client, session: Session) -> None:
        self.client = client
        self.session = session

    def call(self, id: str, input: object, output: type[O]) -> O | None:
        """Call function ``id`` with ``input`` and read its JSON answer as an ``output``.

        ``input`` is a dataclass, a mapping, or any JSON value; None sends no payload. The answer is None when
        the function answered nothing. An answer that is not an ``output`` (a field is missing, or of another
        kind) is a failed call, a ``ProtocolError`` that names the field; fields that ``output`` has not are
        left out of a dataclass and stay in a TypedDict.
        """
        return self.client.call_rpc(self.session, id, input, partial(_read, output, "the answer"))

    def add_admin_plan_rpc(self, input: AddAdminPlanRpcInput) -> AddAdminPlanRpcOutput | None:
        """Add a plan with the application's function ``addAdminPlanRpc``."""
        return self.call("addAdminPlanRpc", input, AddAdminPlanRpcOutput)


def _read(kind: Any, where: str, value: Any) -> Any:
    """``value`` as a ``kind``: dataclass, TypedDict, list, dict, union or scalar; others take anything."""
    origin = get_origin(kind) or kind
    if dataclasses.is_dataclass(kind) or is_typeddict(origin):
        return _read_record(kind, where, value)
    if origin in (Union, types.UnionType):
        return _read_union(get_args(kind), where, value)
    if origin in (list, dict):
        if not isinstance(value, origin):
            raise _unlike(where, origin.__name__, value)
        item = (get_args(kind) or (Any,))[-1]
        if origin is list:
            return [_read(item, f"{where}[{number}]", one) for number, one in enumerate(value)]
        return {key: _read(item, f"{where}.{key}", one) for key, one in value.items()}
    accepted = _SCALARS.get(kind)
    if accepted is not None and not (isinstance(value, accepted) and (kind is bool) >= isinstance(value, bool)):
        raise _unlike(where, kind.__name__, value)
    return value


def _read_union(kinds: tuple[Any, ...], where: str, value: Any) -> Any:
    failure: ProtocolError | None = None
    for kind in kinds:
        try:
            return _read(kind, where, value)
        except ProtocolError as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _read_record(kind: Any, where: str, value: Any) -> Any:
    if not isinstance(value, dict):
        raise _unlike(where, kind.__name__, value)
    fields, required, make = _fields(kind)
    for name in sorted(required - value.keys()):
        raise ProtocolError(f"{where} has no {name!r}, which {kind.__name__} needs")
    read = {name: _read(fields[name], f"{where}.{name}", value[name]) for name in fields.keys() & value.keys()}
    return make(**read) if dataclasses.is_dataclass(kind) else {**value, **read}


@cache
def _fields(kind: Any) -> tuple[Mapping[str, Any], frozenset[str], Callable[..., Any]]:
    """The types of a record's fields by name, those that it needs, and what makes one."""
    hints = get_type_hints(kind)
    if is_typeddict(kind):
        # Python 3.11 does not see NotRequired in ``__required_keys__`` where annotations are texts.
        extras = get_type_hints(kind, include_extras=True)
        needed = {name for name in kind.__required_keys__ if get_origin(extras[name]) is not NotRequired}
        return hints, frozenset(needed), dict
    own = {field.name: field for field in dataclasses.fields(kind) if field.init}
    required = frozenset(
        name
        for name, field in own.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    )
    return {name: hints[name] for name in own}, required, kind


def _unlike(where: str, wanted: str, value: object) -> ProtocolError:
    return ProtocolError(f"{where} is a {type(value).__name__}, not a {wanted}")
