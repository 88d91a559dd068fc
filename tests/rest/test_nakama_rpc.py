from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

import orjson
import pytest

from nakama_bots.errors import InternalError, ProtocolError
from nakama_bots.rest.nakama_rpc import NakamaRpc
from nakama_bots.rest.transports.transport import Response
from nakama_bots.types.rpc import AddAdminPlanRpcInput

from .support import Rig, ok
from .test_client import fresh


@dataclass(frozen=True)
class BuyInput:
    item: str
    count: int = 1


@dataclass(frozen=True)
class Item:
    name: str
    price: float


class Shelf(TypedDict):
    label: str
    items: list[Item]
    note: NotRequired[str]


@dataclass(frozen=True)
class BuyOutput:
    gold: int
    items: list[Item]
    shelf: Shelf | None = None
    stock: dict[str, int] = field(default_factory=dict)
    vip: bool = False
    extra: Any = None


class ShopRpc(NakamaRpc):
    def buy(self, input: BuyInput) -> BuyOutput | None:  # noqa: A002
        return self.call("shop_buy", input, BuyOutput)

    def shelf(self) -> Shelf | None:
        return self.call("shop_shelf", None, Shelf)


def shop(payload: object) -> tuple[ShopRpc, Rig]:
    text = payload if isinstance(payload, str) else orjson.dumps(payload).decode()
    rig = Rig(ok({"payload": text}))
    return ShopRpc(rig.client, fresh()), rig


def test_dataclass_as_input_and_output() -> None:
    answer = {
        "gold": 7,
        "items": [{"name": "sword", "price": 3}],
        "shelf": {"label": "a", "items": [{"name": "bow", "price": 1.5, "unknown": 1}], "more": 1},
        "stock": {"sword": 2},
        "unknown": True,
    }
    rpc, rig = shop(answer)
    shelf: Any = {"label": "a", "items": [Item("bow", 1.5)], "more": 1}
    assert rpc.buy(BuyInput("sword")) == BuyOutput(7, [Item("sword", 3)], shelf, {"sword": 2})
    [sent] = rig.transport.sent
    assert (sent.path, sent.body) == ("/v2/rpc/shop_buy", '{"item":"sword","count":1}')


def test_empty_answer_and_empty_input() -> None:
    rpc, rig = shop("")
    assert rpc.shelf() is None
    assert rig.transport.sent[0].body is None


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ([], "the answer is a list, not a BuyOutput"),
        ({"gold": 1}, "the answer has no 'items', which BuyOutput needs"),
        ({"gold": "1", "items": []}, "the answer.gold is a str, not a int"),
        ({"gold": True, "items": []}, "the answer.gold is a bool, not a int"),
        ({"gold": 1, "items": [], "vip": 1}, "the answer.vip is a int, not a bool"),
        ({"gold": 1, "items": {}}, "the answer.items is a dict, not a list"),
        ({"gold": 1, "items": [{"name": "x"}]}, r"the answer.items\[0\] has no 'price', which Item needs"),
        ({"gold": 1, "items": [{"name": "x", "price": "3"}]}, r"items\[0\].price is a str, not a float"),
        ({"gold": 1, "items": [], "stock": {"a": None}}, "the answer.stock.a is a NoneType, not a int"),
        (
            {"gold": 1, "items": [], "shelf": {"label": "x"}},
            "the answer.shelf has no 'items', which Shelf needs",
        ),
        ("{", "the function's payload is not JSON"),
    ],
)
def test_answer_of_the_wrong_type_is_one_failure_with_the_field(answer: object, text: str) -> None:
    rpc, rig = shop(answer)
    with pytest.raises(ProtocolError, match=text):
        rpc.buy(BuyInput("sword", 2))
    assert rig.observer.outcomes() == [("POST", "/v2/rpc/{id}", ProtocolError)]


def test_add_admin_plan() -> None:
    plan: AddAdminPlanRpcInput = {"name": "gold", "price": 9.99, "duration": 30, "settings": {"seats": 5}}
    answer = {"success": True, "planId": "p-1", "groupId": "g-1"}
    rpc, rig = shop(answer)
    assert rpc.add_admin_plan_rpc(plan) == answer
    [sent] = rig.transport.sent
    assert (sent.path, orjson.loads(sent.body)) == ("/v2/rpc/addAdminPlanRpc", plan)
    rpc, _ = shop({"success": True})
    with pytest.raises(ProtocolError, match="has no 'groupId'"):
        rpc.add_admin_plan_rpc(plan)


def test_error_of_the_function_is_raised() -> None:
    rig = Rig(Response(500, {}, b'{"code":13,"error":{},"message":"boom"}'))
    with pytest.raises(InternalError, match="boom"):
        ShopRpc(rig.client, fresh()).buy(BuyInput("sword"))
