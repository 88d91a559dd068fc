"""Authentication: an identity in, a session out. Needs the server key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from nakama_bots.errors import ProtocolError
from nakama_bots.rest.caller import Caller, basic, same
from nakama_bots.rest.route import Route
from nakama_bots.session import Session, TokenError
from nakama_bots.types import authentication as identities
from nakama_bots.types import session as wire

R = TypeVar("R")

APPLE: Final = Route[wire.ApiSession]("POST", "/v2/account/authenticate/apple")
CUSTOM: Final = Route[wire.ApiSession]("POST", "/v2/account/authenticate/custom")
DEVICE: Final = Route[wire.ApiSession]("POST", "/v2/account/authenticate/device")
EMAIL: Final = Route[wire.ApiSession]("POST", "/v2/account/authenticate/email")
FACEBOOK: Final = Route[wire.ApiSession]("POST", "/v2/account/authenticate/facebook")
FACEBOOK_INSTANT_GAME: Final = Route[wire.ApiSession]("POST", "/v2/account/authenticate/facebookinstantgame")
GAME_CENTER: Final = Route[wire.ApiSession]("POST", "/v2/account/authenticate/gamecenter")
GOOGLE: Final = Route[wire.ApiSession]("POST", "/v2/account/authenticate/google")
STEAM: Final = Route[wire.ApiSession]("POST", "/v2/account/authenticate/steam")


class AuthenticationFamily:
    """Ways to get a session.

    ``create`` creates the account if there is none (the server's default); ``username`` is for a new account
    only; ``vars`` go into the token; ``sync`` imports the provider's friends. ``Unauthenticated`` is a wrong
    server key or password, ``NotFound`` an unknown identity with ``create=False``, ``PermissionDenied`` a
    banned user, ``AlreadyExists`` a taken name, ``FailedPrecondition`` a provider the server is not set up for.
    """

    _caller: Caller
    _basic: str

    def authenticate_apple(
        self,
        token: str,
        create: bool = True,
        username: str | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with an identity token of Sign in with Apple."""
        return self._authenticate(APPLE, identities.AccountApple(token=token), create, username, vars)

    def authenticate_custom(
        self,
        id: str,  # the server's own name
        create: bool = True,
        username: str | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with an id of 6 to 128 bytes."""
        return self._authenticate(CUSTOM, identities.AccountCustom(id=id), create, username, vars)

    def authenticate_device(
        self,
        id: str,
        create: bool = True,
        username: str | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with a device id of 10 to 128 bytes."""
        return self._authenticate(DEVICE, identities.AccountDevice(id=id), create, username, vars)

    def authenticate_email(
        self,
        email: str,
        password: str,
        create: bool = True,
        username: str | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with an email address and a password of at least 8 bytes.

        With an empty ``email`` the account is found by ``username``. The server's bcrypt takes some 0.5 s.
        """
        return self._authenticate(
            EMAIL, identities.AccountEmail(email=email, password=password), create, username, vars
        )

    def authenticate_facebook(
        self,
        token: str,
        create: bool = True,
        username: str | None = None,
        sync: bool | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with an access token of Facebook."""
        return self._authenticate(
            FACEBOOK, identities.AccountFacebook(token=token), create, username, vars, sync
        )

    def authenticate_facebook_instant_game(
        self,
        signed_player_info: str,
        create: bool = True,
        username: str | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with what the Instant Games SDK signed."""
        return self._authenticate(
            FACEBOOK_INSTANT_GAME,
            identities.AccountFacebookInstantGame(signed_player_info=signed_player_info),
            create,
            username,
            vars,
        )

    def authenticate_game_center(
        self,
        bundle_id: str,
        player_id: str,
        public_key_url: str,
        salt: str,
        signature: str,
        timestamp: int | str,
        username: str | None = None,
        create: bool = True,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with what Game Center signed; ``timestamp`` in Unix seconds."""
        return self._authenticate(
            GAME_CENTER,
            identities.AccountGameCenter(
                player_id=player_id,
                bundle_id=bundle_id,
                timestamp_seconds=timestamp,
                salt=salt,
                signature=signature,
                public_key_url=public_key_url,
            ),
            create,
            username,
            vars,
        )

    def authenticate_google(
        self,
        token: str,
        create: bool = True,
        username: str | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with an id token of Google."""
        return self._authenticate(GOOGLE, identities.AccountGoogle(token=token), create, username, vars)

    def authenticate_steam(
        self,
        token: str,
        create: bool = True,
        username: str | None = None,
        sync: bool | None = None,
        vars: Mapping[str, str] | None = None,
    ) -> Session:
        """Authenticate with a session ticket of Steam."""
        return self._authenticate(STEAM, identities.AccountSteam(token=token), create, username, vars, sync)

    def _authenticate(
        self,
        route: Route[wire.ApiSession],
        body: Mapping[str, object],
        create: bool,
        username: str | None,
        variables: Mapping[str, str] | None,
        sync: bool | None = None,
    ) -> Session:
        account = {**body, "vars": variables} if variables else body
        return _authenticate(self._caller, self._basic, route, to_session, account, create, username, sync)


class RawAuthentication:
    """Ways to get a session, each by basic credentials and the provider's object.

    The user name of the credentials is the server key, the password empty.
    """

    _caller: Caller

    def authenticate_apple(
        self,
        basic_auth_username: str,
        basic_auth_password: str,
        account: identities.AccountApple,
        create: bool | None = None,
        username: str | None = None,
    ) -> wire.ApiSession:
        """See ``AuthenticationFamily.authenticate_apple``."""
        authorization = basic(basic_auth_username, basic_auth_password)
        return _authenticate(self._caller, authorization, APPLE, same, account, create, username)

    def authenticate_custom(
        self,
        basic_auth_username: str,
        basic_auth_password: str,
        account: identities.AccountCustom,
        create: bool | None = None,
        username: str | None = None,
    ) -> wire.ApiSession:
        """See ``AuthenticationFamily.authenticate_custom``."""
        authorization = basic(basic_auth_username, basic_auth_password)
        return _authenticate(self._caller, authorization, CUSTOM, same, account, create, username)

    def authenticate_device(
        self,
        basic_auth_username: str,
        basic_auth_password: str,
        account: identities.AccountDevice,
        create: bool | None = None,
        username: str | None = None,
    ) -> wire.ApiSession:
        """See ``AuthenticationFamily.authenticate_device``."""
        authorization = basic(basic_auth_username, basic_auth_password)
        return _authenticate(self._caller, authorization, DEVICE, same, account, create, username)

    def authenticate_email(
        self,
        basic_auth_username: str,
        basic_auth_password: str,
        account: identities.AccountEmail,
        create: bool | None = None,
        username: str | None = None,
    ) -> wire.ApiSession:
        """See ``AuthenticationFamily.authenticate_email``."""
        authorization = basic(basic_auth_username, basic_auth_password)
        return _authenticate(self._caller, authorization, EMAIL, same, account, create, username)

    def authenticate_facebook(
        self,
        basic_auth_username: str,
        basic_auth_password: str,
        account: identities.AccountFacebook,
        create: bool | None = None,
        username: str | None = None,
        sync: bool | None = None,
    ) -> wire.ApiSession:
        """See ``AuthenticationFamily.authenticate_facebook``."""
        authorization = basic(basic_auth_username, basic_auth_password)
        return _authenticate(self._caller, authorization, FACEBOOK, same, account, create, username, sync)

    def authenticate_facebook_instant_game(
        self,
        basic_auth_username: str,
        basic_auth_password: str,
        account: identities.AccountFacebookInstantGame,
        create: bool | None = None,
        username: str | None = None,
    ) -> wire.ApiSession:
        """See ``AuthenticationFamily.authenticate_facebook_instant_game``."""
        authorization = basic(basic_auth_username, basic_auth_password)
        return _authenticate(
            self._caller, authorization, FACEBOOK_INSTANT_GAME, same, account, create, username
        )

    def authenticate_game_center(
        self,
        basic_auth_username: str,
        basic_auth_password: str,
        account: identities.AccountGameCenter,
        create: bool | None = None,
        username: str | None = None,
    ) -> wire.ApiSession:
        """See ``AuthenticationFamily.authenticate_game_center``."""
        authorization = basic(basic_auth_username, basic_auth_password)
        return _authenticate(self._caller, authorization, GAME_CENTER, same, account, create, username)

    def authenticate_google(
        self,
        basic_auth_username: str,
        basic_auth_password: str,
        account: identities.AccountGoogle,
        create: bool | None = None,
        username: str | None = None,
    ) -> wire.ApiSession:
        """See ``AuthenticationFamily.authenticate_google``."""
        authorization = basic(basic_auth_username, basic_auth_password)
        return _authenticate(self._caller, authorization, GOOGLE, same, account, create, username)

    def authenticate_steam(
        self,
        basic_auth_username: str,
        basic_auth_password: str,
        account: identities.AccountSteam,
        create: bool | None = None,
        username: str | None = None,
        sync: bool | None = None,
    ) -> wire.ApiSession:
        """See ``AuthenticationFamily.authenticate_steam``."""
        authorization = basic(basic_auth_username, basic_auth_password)
        return _authenticate(self._caller, authorization, STEAM, same, account, create, username, sync)


def _authenticate(
    caller: Caller,
    authorization: str,
    route: Route[wire.ApiSession],
    read: Callable[[wire.ApiSession], R],
    account: Mapping[str, object],
    create: bool | None,
    username: str | None,
    sync: bool | None = None,
) -> R:
    path = route.path((), {"create": create, "username": username, "sync": sync})
    return caller.call(route, read, authorization, path, account)


def to_session(answer: wire.ApiSession) -> Session:
    """The session of an answer; a ``ProtocolError`` when its tokens are none."""
    try:
        return Session(answer.get("token", ""), answer.get("refresh_token", ""), answer.get("created", False))
    except TokenError as error:
        raise ProtocolError(f"the answer holds no session: {error}") from None
