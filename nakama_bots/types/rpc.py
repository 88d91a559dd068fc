"""Calls of the server's own runtime functions."""

from __future__ import annotations

from typing import Generic, NotRequired, TypedDict

from nakama_bots.types.common import D, Json


class Rpc(TypedDict, Generic[D], total=False):
    """The answer of a function: its text, by convention JSON. REST answers have no ``id``."""

    id: str
    payload: D
    http_key: str


class AddAdminPlanRpcInput(TypedDict):
    """The plan that the application's function ``addAdminPlanRpc`` adds."""

    name: str
    description: NotRequired[str]
    price: float
    duration: float
    features: NotRequired[str]
    settings: NotRequired[Json]
    groupId: NotRequired[str]


class AddAdminPlanRpcOutput(TypedDict):
    """What the application's function ``addAdminPlanRpc`` answers."""

    success: bool
    planId: str
    groupId: str
