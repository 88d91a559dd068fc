"""Validated purchases and subscriptions, and the only validation that needs no third party."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

from nakama_bots.emulator.formats import cursors
from nakama_bots.emulator.formats.protojson import JsonObject, jsonb, timestamp

_SECOND: Final = 10**9


class InvalidSignature(ValueError):
    """A document with a wrong signature or form; the message is the server's."""


def signed_payload(document: str, secret: str) -> JsonObject:
    """Return the payload of ``<signature>.<payload>``, as Facebook signs it. ``InvalidSignature``."""
    signature, dot, payload = document.partition(".")
    if not dot or "." in payload:
        msg = "invalid signedRequest format"
        raise InvalidSignature(msg)
    expected = hmac.digest(secret.encode(), payload.encode(), hashlib.sha256)
    try:
        valid = hmac.compare_digest(_decoded(signature), expected)
        content = orjson.loads(_decoded(payload))
    except (binascii.Error, ValueError):
        valid, content = False, None
    if not valid or not isinstance(content, dict):
        msg = "signedRequest verification failed"
        raise InvalidSignature(msg)
    return content


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One validated subscription. Times are Unix seconds; ``store`` and ``environment`` the API's numbers."""

    user_id: str
    product_id: str
    original_transaction_id: str
    store: int
    environment: int
    purchase_time: int
    create_time: int
    update_time: int
    expiry_time: int
    refund_time: int = 0
    provider_response: str = "{}"
    provider_notification: str = "{}"

    def wire(self, now: int, *, listed: bool) -> JsonObject:
        """Nakama's ``ValidatedSubscription`` at ``now`` (Unix seconds); only a list shows a refund."""
        fields: JsonObject = {
            "user_id": self.user_id,
            "product_id": self.product_id,
            "original_transaction_id": self.original_transaction_id,
            "store": self.store,
            "purchase_time": timestamp(self.purchase_time * _SECOND),
            "create_time": timestamp(self.create_time * _SECOND),
            "update_time": timestamp(self.update_time * _SECOND),
            "environment": self.environment,
            "expiry_time": timestamp(self.expiry_time * _SECOND),
            "refund_time": timestamp(self.refund_time * _SECOND) if listed else "",
            "provider_response": jsonb(self.provider_response),
            "provider_notification": jsonb(self.provider_notification),
            "active": self.expiry_time > now and not self.refund_time,
        }
        return {name: value for name, value in fields.items() if value}


class _PurchasePlace(NamedTuple):
    user_id: str
    purchase_time: int
    following: bool


class Purchases:
    """The validated purchases, by transaction."""

    def __init__(self) -> None:
        # Transaction -> when it was first kept and last seen, in Unix nanoseconds.
        self._seen: dict[str, tuple[int, int]] = {}
        self._subscriptions: list[Subscription] = []

    def keep(self, transaction_id: str, now: int) -> tuple[int, int, bool]:
        """Keep a purchase. Returns when it was first and last kept, and whether it was seen before."""
        before = self._seen.get(transaction_id)
        created = now if before is None else before[0]
        self._seen[transaction_id] = (created, now)
        return created, now, before is not None

    def subscribe(self, subscription: Subscription) -> None:
        """Keep a subscription, as a validation with a store would."""
        self._subscriptions.append(subscription)

    def subscription(self, user_id: str, product_id: str) -> Subscription | None:
        """Return a user's subscription of a product."""
        for one in self._subscriptions:
            if (one.user_id, one.product_id) == (user_id, product_id):
                return one
        return None

    def page(self, user_id: str, limit: int, now: int, cursor: str = "") -> JsonObject:
        """Return Nakama's ``SubscriptionList``, latest purchases first. ``InvalidCursor``.

        Recorded: a page begins after the subscription that its cursor names, which no page shows (the server
        writes the cursor's transaction id under another name than it reads).
        """
        place = cursors.decode(cursor, _PurchasePlace) if cursor else None
        if place is not None and place.user_id != user_id:
            raise cursors.InvalidCursor(cursor)
        backwards = place is not None and not place.following
        found = [one for one in self._subscriptions if one.user_id == user_id]
        if place is not None:
            found = [
                one
                for one in found
                if (
                    one.purchase_time >= place.purchase_time
                    if backwards
                    else one.purchase_time < place.purchase_time
                )
            ]
        found.sort(key=lambda one: one.purchase_time, reverse=not backwards)
        page, more = found[:limit], found[limit : limit + 1]
        # In reading order: the first entry has the previous cursor, the first omitted one the next cursor.
        back = [_PurchasePlace(user_id, one.purchase_time, backwards) for one in page[:1] if place is not None]
        onward = [_PurchasePlace(user_id, one.purchase_time, not backwards) for one in more]
        before, after = (onward, back) if backwards else (back, onward)
        fields: JsonObject = {
            "validated_subscriptions": [
                one.wire(now, listed=True) for one in (page[::-1] if backwards else page)
            ],
            "cursor": "".join(map(cursors.encode, after)),
            "prev_cursor": "".join(map(cursors.encode, before)),
        }
        return {name: value for name, value in fields.items() if value}

    def forget_user(self, user_id: str) -> None:
        """Detach the purchases of a deleted user: they are kept without an owner."""
        self._subscriptions = [one for one in self._subscriptions if one.user_id != user_id]
