"""Health, the root, and ping and pong."""

from __future__ import annotations

from typing import Final

from nakama_bots.emulator.dispatch.realtime import Call, MessageRow
from nakama_bots.emulator.dispatch.rest import Answer, Endpoint, Request, public
from nakama_bots.emulator.formats.protojson import JsonObject, Schema
from nakama_bots.emulator.store.core import Core


def _root(_: Core, __: Request) -> Answer:
    return Answer(200, content_type="", headers={})


def _healthcheck(_: Core, __: Request) -> JsonObject:
    return {}


def _ping(call: Call) -> None:
    call.reply("pong")


def _pong(_: Call) -> None:
    """Ignore a client's pong: it gets no answer, with or without cid."""


ROUTES: Final = (
    Endpoint("GET", "/", public, _root),
    Endpoint("GET", "/healthcheck", public, _healthcheck),
)

MESSAGES: Final = (
    MessageRow("ping", Schema({}, strict=True), _ping),
    MessageRow("pong", Schema({}, strict=True), _pong, silent=True),
)
