"""In-app purchases and subscriptions: the server asks the store, and keeps what it confirms."""

from __future__ import annotations

from typing import Final

from nakama_bots.rest.caller import A, Family, without_none
from nakama_bots.rest.route import Route
from nakama_bots.types import purchases as wire

APPLE: Final = Route[wire.ValidatePurchaseResponse]("POST", "/v2/iap/purchase/apple")
FACEBOOK_INSTANT: Final = Route[wire.ValidatePurchaseResponse]("POST", "/v2/iap/purchase/facebookinstant")
GOOGLE: Final = Route[wire.ValidatePurchaseResponse]("POST", "/v2/iap/purchase/google")
HUAWEI: Final = Route[wire.ValidatePurchaseResponse]("POST", "/v2/iap/purchase/huawei")
SAMSUNG: Final = Route[wire.ValidatePurchaseResponse]("POST", "/v2/iap/purchase/samsung")
SUBSCRIPTION_APPLE: Final = Route[wire.ValidateSubscriptionResponse]("POST", "/v2/iap/subscription/apple")
SUBSCRIPTION_GOOGLE: Final = Route[wire.ValidateSubscriptionResponse]("POST", "/v2/iap/subscription/google")
LIST_SUBSCRIPTIONS: Final = Route[wire.SubscriptionList]("POST", "/v2/iap/subscription", repeatable=True)
GET_SUBSCRIPTION: Final = Route[wire.ValidatedSubscription]("GET", "/v2/iap/subscription/{product_id}")


class Subscriptions(Family[A]):
    """Subscriptions that the server knows."""

    def get_subscription(self, session: A, product_id: str) -> wire.ValidatedSubscription:
        """The user's subscription of a product; ``NotFound`` without one."""
        return self._by_token(GET_SUBSCRIPTION, session, (product_id,))


class PurchasesFamily(Subscriptions[A]):
    """Validate and list what the user bought.

    ``persist`` (the server's default is true) keeps the purchase. ``FailedPrecondition``: the server is not set
    up for the store.
    """

    def validate_purchase_apple(
        self,
        session: A,
        receipt: str | None = None,
        persist: bool | None = None,
    ) -> wire.ValidatePurchaseResponse:
        """Validate an Apple receipt."""
        return self._by_token(APPLE, session, body=without_none({"receipt": receipt, "persist": persist}))

    def validate_purchase_facebook_instant(
        self,
        session: A,
        signed_request: str | None = None,
        persist: bool | None = None,
    ) -> wire.ValidatePurchaseResponse:
        """Validate a purchase that Facebook signed for an Instant Game."""
        body = {"signed_request": signed_request, "persist": persist}
        return self._by_token(FACEBOOK_INSTANT, session, body=without_none(body))

    def validate_purchase_google(
        self,
        session: A,
        purchase: str | None = None,
        persist: bool | None = None,
    ) -> wire.ValidatePurchaseResponse:
        """Validate a purchase of Google Play."""
        return self._by_token(GOOGLE, session, body=without_none({"purchase": purchase, "persist": persist}))

    def validate_purchase_huawei(
        self,
        session: A,
        purchase: str | None = None,
        signature: str | None = None,
        persist: bool | None = None,
    ) -> wire.ValidatePurchaseResponse:
        """Validate a purchase of Huawei AppGallery."""
        body = {"purchase": purchase, "signature": signature, "persist": persist}
        return self._by_token(HUAWEI, session, body=without_none(body))

    def validate_purchase_samsung(
        self,
        session: A,
        purchase_id: str | None = None,
        persist: bool | None = None,
    ) -> wire.ValidatePurchaseResponse:
        """Validate a purchase of the Samsung Galaxy Store."""
        body = {"purchase_id": purchase_id, "persist": persist}
        return self._by_token(SAMSUNG, session, body=without_none(body))

    def validate_subscription_apple(
        self,
        session: A,
        receipt: str,
        persist: bool | None = None,
    ) -> wire.ValidateSubscriptionResponse:
        """Validate an Apple receipt."""
        body = {"receipt": receipt, "persist": persist}
        return self._by_token(SUBSCRIPTION_APPLE, session, body=without_none(body))

    def validate_subscription_google(
        self,
        session: A,
        receipt: str,
        persist: bool | None = None,
    ) -> wire.ValidateSubscriptionResponse:
        """Validate a subscription of Google Play."""
        body = {"receipt": receipt, "persist": persist}
        return self._by_token(SUBSCRIPTION_GOOGLE, session, body=without_none(body))

    def list_subscriptions(
        self, session: A, cursor: str | None = None, limit: int | None = None
    ) -> wire.SubscriptionList:
        """A page of 1 to 100 (100 by default) of the user's subscriptions."""
        body = {"limit": limit, "cursor": cursor}
        return self._by_token(LIST_SUBSCRIPTIONS, session, body=without_none(body))


class RawPurchases(Subscriptions[A]):
    """Validate and list what the user bought, each by the wire's object."""

    def validate_purchase_apple(
        self, session: A, request: wire.ValidatePurchaseAppleRequest
    ) -> wire.ValidatePurchaseResponse:
        """See ``PurchasesFamily.validate_purchase_apple``."""
        return self._by_token(APPLE, session, body=request)

    def validate_purchase_facebook_instant(
        self, session: A, request: wire.ValidatePurchaseFacebookInstantRequest
    ) -> wire.ValidatePurchaseResponse:
        """See ``PurchasesFamily.validate_purchase_facebook_instant``."""
        return self._by_token(FACEBOOK_INSTANT, session, body=request)

    def validate_purchase_google(
        self, session: A, request: wire.ValidatePurchaseGoogleRequest
    ) -> wire.ValidatePurchaseResponse:
        """See ``PurchasesFamily.validate_purchase_google``."""
        return self._by_token(GOOGLE, session, body=request)

    def validate_purchase_huawei(
        self, session: A, request: wire.ValidatePurchaseHuaweiRequest
    ) -> wire.ValidatePurchaseResponse:
        """See ``PurchasesFamily.validate_purchase_huawei``."""
        return self._by_token(HUAWEI, session, body=request)

    def validate_purchase_samsung(
        self, session: A, request: wire.ValidatePurchaseSamsungRequest
    ) -> wire.ValidatePurchaseResponse:
        """See ``PurchasesFamily.validate_purchase_samsung``."""
        return self._by_token(SAMSUNG, session, body=request)

    def validate_subscription_apple(
        self, session: A, request: wire.ValidateSubscriptionAppleRequest
    ) -> wire.ValidateSubscriptionResponse:
        """See ``PurchasesFamily.validate_subscription_apple``."""
        return self._by_token(SUBSCRIPTION_APPLE, session, body=request)

    def validate_subscription_google(
        self, session: A, request: wire.ValidateSubscriptionGoogleRequest
    ) -> wire.ValidateSubscriptionResponse:
        """See ``PurchasesFamily.validate_subscription_google``."""
        return self._by_token(SUBSCRIPTION_GOOGLE, session, body=request)

    def list_subscriptions(self, session: A, request: wire.ListSubscriptionsRequest) -> wire.SubscriptionList:
        """See ``PurchasesFamily.list_subscriptions``."""
        return self._by_token(LIST_SUBSCRIPTIONS, session, body=request)
