"""Purchases and subscriptions over REST, answered as by a server with no store configured.

Facebook Instant needs no store: with its secret (``--iap.facebook_instant.app_secret`` of a real server)
purchases are validated.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import orjson

from nakama_bots.emulator.dispatch.rest import (
    FAILED_PRECONDITION,
    NOT_FOUND,
    UNKNOWN,
    Endpoint,
    Request,
    RestFault,
    session,
)
from nakama_bots.emulator.formats.cursors import InvalidCursor
from nakama_bots.emulator.formats.protojson import JsonObject, Schema, flag, int32, text, timestamp
from nakama_bots.emulator.handlers.authentication import invalid
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.purchases import InvalidSignature, signed_payload

_SECOND: Final = 10**9
_MICRO: Final = 1000
_FACEBOOK_STORE: Final = 3
_PRODUCTION: Final = 2
_LONGEST_PAGE: Final = 100


def _not_configured(store: str, _: Core, __: Request) -> JsonObject:
    raise RestFault(FAILED_PRECONDITION, f"{store} IAP is not configured.")


def _apple(core: Core, request: Request) -> JsonObject:
    if not request.body.text("receipt"):
        raise invalid("Receipt cannot be empty.")
    return _not_configured("Apple", core, request)


def _samsung(_: Core, request: Request) -> JsonObject:
    if not request.body.text("purchase_id"):
        raise invalid("Purchase ID cannot be empty.")
    raise RestFault(UNKNOWN, "Samsung IAP request failed: the emulator asks no third party")


def _facebook_instant(core: Core, request: Request) -> JsonObject:
    secret = core.options.iap_facebook_instant_secret
    if not secret:
        return _not_configured("Facebook Instant", core, request)
    signed = request.body.text("signed_request")
    if not signed:
        raise invalid("SignedRequest cannot be empty.")
    try:
        payload = signed_payload(signed, secret)
    except InvalidSignature as fault:
        raise RestFault(UNKNOWN, str(fault)) from None
    bought = payload.get("purchase_time", 0)
    transaction = str(payload.get("purchase_token", ""))
    purchase: JsonObject = {
        "user_id": request.caller.user_id,
        "product_id": payload.get("product_id", ""),
        "transaction_id": transaction,
        "store": _FACEBOOK_STORE,
        "purchase_time": timestamp((bought if isinstance(bought, int) else 0) * _SECOND),
        "provider_response": orjson.dumps(payload).decode(),
        "environment": _PRODUCTION,
    }
    if request.body.flag("persist", default=True):
        created, seen, before = core.purchases.keep(transaction, core.now())
        purchase["create_time"] = timestamp(created // _MICRO * _MICRO)
        purchase["update_time"] = timestamp(seen // _MICRO * _MICRO)
        if before:
            purchase["seen_before"] = True
    return {"validated_purchases": [purchase]}


def _subscriptions(core: Core, request: Request) -> JsonObject:
    limit = request.body.integer("limit", 100)
    if not 1 <= limit <= _LONGEST_PAGE:
        # The server's own words.
        raise invalid("Invalid limit - limit must be between 1 and 1000.")
    try:
        return core.purchases.page(request.caller.user_id, limit, core.seconds(), request.body.text("cursor"))
    except InvalidCursor:
        raise RestFault(UNKNOWN, "subscriptions list cursor invalid") from None


def _subscription(core: Core, request: Request) -> JsonObject:
    found = core.purchases.subscription(request.caller.user_id, request.path_values["product_id"])
    if found is None:
        raise RestFault(NOT_FOUND, "subscription not found")
    return found.wire(core.seconds(), listed=False)


_PURCHASE: Final = Schema(
    {
        **dict.fromkeys(("receipt", "purchase", "signature", "signed_request", "purchase_id"), text),
        "persist": flag,
    }
)

ROUTES: Final = (
    Endpoint("POST", "/v2/iap/purchase/apple", session, _apple, body=_PURCHASE),
    Endpoint("POST", "/v2/iap/purchase/google", session, partial(_not_configured, "Google"), body=_PURCHASE),
    Endpoint("POST", "/v2/iap/purchase/huawei", session, partial(_not_configured, "Huawei"), body=_PURCHASE),
    Endpoint("POST", "/v2/iap/purchase/facebookinstant", session, _facebook_instant, body=_PURCHASE),
    Endpoint("POST", "/v2/iap/purchase/samsung", session, _samsung, body=_PURCHASE),
    Endpoint("POST", "/v2/iap/subscription/apple", session, partial(_not_configured, "Apple"), body=_PURCHASE),
    Endpoint(
        "POST", "/v2/iap/subscription/google", session, partial(_not_configured, "Google"), body=_PURCHASE
    ),
    Endpoint(
        "POST",
        "/v2/iap/subscription",
        session,
        _subscriptions,
        body=Schema({"limit": int32, "cursor": text}),
    ),
    Endpoint("GET", "/v2/iap/subscription/{product_id}", session, _subscription),
)
