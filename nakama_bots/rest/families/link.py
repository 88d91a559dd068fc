"""Identities of the current user's account: add one, remove one."""

from __future__ import annotations

from typing import Final

from nakama_bots.rest.caller import A, Family
from nakama_bots.rest.route import Route
from nakama_bots.types import authentication as identities
from nakama_bots.types.common import Empty

LINK_APPLE: Final = Route[Empty]("POST", "/v2/account/link/apple")
LINK_CUSTOM: Final = Route[Empty]("POST", "/v2/account/link/custom")
LINK_DEVICE: Final = Route[Empty]("POST", "/v2/account/link/device")
LINK_EMAIL: Final = Route[Empty]("POST", "/v2/account/link/email")
LINK_FACEBOOK: Final = Route[Empty]("POST", "/v2/account/link/facebook")
LINK_FACEBOOK_INSTANT_GAME: Final = Route[Empty]("POST", "/v2/account/link/facebookinstantgame")
LINK_GAME_CENTER: Final = Route[Empty]("POST", "/v2/account/link/gamecenter")
LINK_GOOGLE: Final = Route[Empty]("POST", "/v2/account/link/google")
LINK_STEAM: Final = Route[Empty]("POST", "/v2/account/link/steam")
UNLINK_APPLE: Final = Route[Empty]("POST", "/v2/account/unlink/apple")
UNLINK_CUSTOM: Final = Route[Empty]("POST", "/v2/account/unlink/custom")
UNLINK_DEVICE: Final = Route[Empty]("POST", "/v2/account/unlink/device")
UNLINK_EMAIL: Final = Route[Empty]("POST", "/v2/account/unlink/email")
UNLINK_FACEBOOK: Final = Route[Empty]("POST", "/v2/account/unlink/facebook")
UNLINK_FACEBOOK_INSTANT_GAME: Final = Route[Empty]("POST", "/v2/account/unlink/facebookinstantgame")
UNLINK_GAME_CENTER: Final = Route[Empty]("POST", "/v2/account/unlink/gamecenter")
UNLINK_GOOGLE: Final = Route[Empty]("POST", "/v2/account/unlink/google")
UNLINK_STEAM: Final = Route[Empty]("POST", "/v2/account/unlink/steam")


class LinkFamily(Family[A]):
    """More ways to authenticate as the same user.

    ``AlreadyExists``: the identity belongs to another account.
    """

    def link_apple(self, session: A, request: identities.AccountApple) -> Empty:
        """Add an Apple ID to the account."""
        return self._by_token(LINK_APPLE, session, body=request)

    def link_custom(self, session: A, request: identities.AccountCustom) -> Empty:
        """Add a custom id to the account."""
        return self._by_token(LINK_CUSTOM, session, body=request)

    def link_device(self, session: A, request: identities.AccountDevice) -> Empty:
        """Add a device id to the account."""
        return self._by_token(LINK_DEVICE, session, body=request)

    def link_email(self, session: A, request: identities.AccountEmail) -> Empty:
        """Add an email address and a password to the account."""
        return self._by_token(LINK_EMAIL, session, body=request)

    def link_facebook(self, session: A, request: identities.AccountFacebook, sync: bool | None = None) -> Empty:
        """Add a Facebook profile to the account; ``sync`` (true by default) imports its friends."""
        return self._by_token(LINK_FACEBOOK, session, query={"sync": sync}, body=request)

    def link_facebook_instant_game(self, session: A, request: identities.AccountFacebookInstantGame) -> Empty:
        """Add a Facebook Instant Game profile to the account."""
        return self._by_token(LINK_FACEBOOK_INSTANT_GAME, session, body=request)

    def link_game_center(self, session: A, request: identities.AccountGameCenter) -> Empty:
        """Add a Game Center profile to the account."""
        return self._by_token(LINK_GAME_CENTER, session, body=request)

    def link_google(self, session: A, request: identities.AccountGoogle) -> Empty:
        """Add a Google profile to the account."""
        return self._by_token(LINK_GOOGLE, session, body=request)

    def link_steam(self, session: A, request: identities.LinkSteamRequest) -> Empty:
        """Add a Steam profile to the account."""
        return self._by_token(LINK_STEAM, session, body=request)


class UnlinkFamily(Family[A]):
    """Fewer ways to authenticate as the user.

    ``PermissionDenied``: it is the last identity of the account, or belongs to another. A provider's identity
    is removed without a token as well.
    """

    def unlink_apple(self, session: A, request: identities.AccountApple) -> Empty:
        """Remove an Apple ID from the account."""
        return self._by_token(UNLINK_APPLE, session, body=request)

    def unlink_custom(self, session: A, request: identities.AccountCustom) -> Empty:
        """Remove a custom id from the account."""
        return self._by_token(UNLINK_CUSTOM, session, body=request)

    def unlink_device(self, session: A, request: identities.AccountDevice) -> Empty:
        """Remove a device id from the account."""
        return self._by_token(UNLINK_DEVICE, session, body=request)

    def unlink_email(self, session: A, request: identities.AccountEmail) -> Empty:
        """Remove an email address and a password from the account."""
        return self._by_token(UNLINK_EMAIL, session, body=request)

    def unlink_facebook(self, session: A, request: identities.AccountFacebook) -> Empty:
        """Remove a Facebook profile from the account."""
        return self._by_token(UNLINK_FACEBOOK, session, body=request)

    def unlink_facebook_instant_game(self, session: A, request: identities.AccountFacebookInstantGame) -> Empty:
        """Remove a Facebook Instant Game profile from the account."""
        return self._by_token(UNLINK_FACEBOOK_INSTANT_GAME, session, body=request)

    def unlink_game_center(self, session: A, request: identities.AccountGameCenter) -> Empty:
        """Remove a Game Center profile from the account."""
        return self._by_token(UNLINK_GAME_CENTER, session, body=request)

    def unlink_google(self, session: A, request: identities.AccountGoogle) -> Empty:
        """Remove a Google profile from the account."""
        return self._by_token(UNLINK_GOOGLE, session, body=request)

    def unlink_steam(self, session: A, request: identities.AccountSteam) -> Empty:
        """Remove a Steam profile from the account."""
        return self._by_token(UNLINK_STEAM, session, body=request)
