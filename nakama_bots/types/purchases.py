"""In-app purchases and subscriptions, as the stores confirm them."""

from __future__ import annotations

from enum import IntEnum
from typing import TypedDict

from nakama_bots.types.common import Timestamp


class ApiStoreProvider(IntEnum):
    """The store of a purchase."""

    APPLE_APP_STORE = 0
    GOOGLE_PLAY_STORE = 1
    HUAWEI_APP_GALLERY = 2
    FACEBOOK_INSTANT_STORE = 3


class ApiStoreEnvironment(IntEnum):
    """Where a purchase was made."""

    UNKNOWN = 0
    SANDBOX = 1
    PRODUCTION = 2


class ValidatedPurchase(TypedDict, total=False):
    """A purchase; ``store`` and ``environment`` are left out when 0.

    ``provider_response`` is the store's own text at both levels: not every store answers with JSON.
    """

    user_id: str
    product_id: str
    transaction_id: str
    store: int
    purchase_time: Timestamp
    create_time: Timestamp
    update_time: Timestamp
    refund_time: Timestamp
    provider_response: str
    environment: int
    seen_before: bool


class ValidatePurchaseResponse(TypedDict, total=False):
    """The purchases of a receipt."""

    validated_purchases: list[ValidatedPurchase]


class ValidatedSubscription(TypedDict, total=False):
    """A subscription; ``active`` is only present when true. The provider's texts are passed on."""

    user_id: str
    product_id: str
    original_transaction_id: str
    store: int
    purchase_time: Timestamp
    create_time: Timestamp
    update_time: Timestamp
    environment: int
    expiry_time: Timestamp
    refund_time: Timestamp
    provider_response: str
    provider_notification: str
    active: bool


class ValidateSubscriptionResponse(TypedDict, total=False):
    """The subscription of a receipt."""

    validated_subscription: ValidatedSubscription


class SubscriptionList(TypedDict, total=False):
    """A page of the user's subscriptions."""

    validated_subscriptions: list[ValidatedSubscription]
    cursor: str
    prev_cursor: str


class ValidatePurchaseAppleRequest(TypedDict, total=False):
    """``receipt`` in base64; ``persist`` (true by default) keeps the purchase on the server."""

    receipt: str
    persist: bool


class ValidatePurchaseFacebookInstantRequest(TypedDict, total=False):
    """``signed_request`` of the Instant Games SDK."""

    signed_request: str
    persist: bool


class ValidatePurchaseGoogleRequest(TypedDict, total=False):
    """``purchase``: the JSON text of Google Play Billing."""

    purchase: str
    persist: bool


class ValidatePurchaseHuaweiRequest(TypedDict, total=False):
    """``purchase``: the ``InAppPurchaseData`` text, with its ``signature``."""

    purchase: str
    signature: str
    persist: bool


class ValidatePurchaseSamsungRequest(TypedDict, total=False):
    """``purchase_id`` of a Samsung Galaxy Store purchase. Served by Nakama 3.40, not in its description."""

    purchase_id: str
    persist: bool


class ValidateSubscriptionAppleRequest(TypedDict, total=False):
    """``receipt`` in base64; ``persist`` (true by default) keeps the subscription on the server."""

    receipt: str
    persist: bool


class ValidateSubscriptionGoogleRequest(TypedDict, total=False):
    """``receipt``: the JSON text of Google Play Billing."""

    receipt: str
    persist: bool


class ListSubscriptionsRequest(TypedDict, total=False):
    """A page of 1 to 1000 (100 by default)."""

    limit: int
    cursor: str
