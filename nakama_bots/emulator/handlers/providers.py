"""Third parties: logins, links, unlinks and imports, answered as by a server with none configured.

Nothing here contacts a third party, so no identity can be verified except of Facebook Instant Game: its players
are signed with the app's secret, and Nakama's default secret is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from nakama_bots.emulator.dispatch.rest import (
    BOOL,
    FAILED_PRECONDITION,
    TEXT,
    UNAUTHENTICATED,
    Endpoint,
    Request,
    RestFault,
    server_key,
    session,
)
from nakama_bots.emulator.formats.protojson import Fields, JsonObject, Schema, flag, int64, mapping, text
from nakama_bots.emulator.handlers.account import own_account
from nakama_bots.emulator.handlers.authentication import asked_username, create, invalid, login
from nakama_bots.emulator.handlers.link import link_only, unlink_only
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.purchases import InvalidSignature, signed_payload

_DATA_LOSS: Final = 15
_INSTANT: Final = "facebookinstantgame"


@dataclass(frozen=True, slots=True)
class _Provider:
    """A third party that issues tokens. ``configured`` False: Nakama refuses before it checks one."""

    kind: str
    label: str
    configured: bool

    def refuse(self) -> RestFault:
        if not self.configured:
            return RestFault(FAILED_PRECONDITION, f"{self.label} authentication is not configured.")
        return RestFault(UNAUTHENTICATED, f"Could not authenticate {self.label} profile.")


_APPLE: Final = _Provider("apple", "Apple", configured=False)
_FACEBOOK: Final = _Provider("facebook", "Facebook", configured=True)
_GOOGLE: Final = _Provider("google", "Google", configured=True)
_STEAM: Final = _Provider("steam", "Steam", configured=False)
_PROVIDERS: Final = (_APPLE, _FACEBOOK, _GOOGLE, _STEAM)
_UNLINKED: Final = "Could not authenticate {} profile."

# The fields that GameCenter signs, in the order in which Nakama reports them missing.
_GAME_CENTER: Final = (
    ("bundle_id", "bundle ID"),
    ("player_id", "player ID"),
    ("public_key_url", "public key URL"),
    ("salt", "salt"),
    ("signature", "signature"),
    ("timestamp_seconds", "timestamp"),
)


def _token(body: Fields) -> str:
    """Return the token of a body, or of the account in it."""
    account = body.get("account", body)
    return account.text("token") if isinstance(account, Fields) else ""


def _authenticate(provider: _Provider, _: Core, request: Request) -> JsonObject:
    if provider.configured:
        if not _token(request.body):
            raise invalid(f"{provider.label} access token is required.")
        asked_username(request)
    raise provider.refuse()


def _link(provider: _Provider, _: Core, request: Request) -> JsonObject:
    if provider is not _APPLE and not _token(request.body):
        raise invalid(f"{provider.label} access token is required.")
    raise provider.refuse()


def _unlink(provider: _Provider, core: Core, request: Request) -> JsonObject:
    if _token(request.body):
        raise RestFault(UNAUTHENTICATED, _UNLINKED.format(provider.label))
    unlink_only(core, own_account(core, request), provider.kind)
    return {}


def _game_center(request: Request) -> RestFault:
    for name, label in _GAME_CENTER:
        if not request.body.get(name):
            return invalid(f"GameCenter {label} is required.")
    return RestFault(UNAUTHENTICATED, _UNLINKED.format("GameCenter"))


def _authenticate_game_center(_: Core, request: Request) -> JsonObject:
    fault = _game_center(request)
    if fault.code == UNAUTHENTICATED:
        asked_username(request)
    raise fault


def _link_game_center(_: Core, request: Request) -> JsonObject:
    raise _game_center(request)


def _unlink_game_center(core: Core, request: Request) -> JsonObject:
    fault = _game_center(request)
    if fault.code == UNAUTHENTICATED:
        raise fault
    unlink_only(core, own_account(core, request), "gamecenter")
    return {}


def _player(request: Request) -> str | None:
    """Return the player in the signed information; None if the signature is invalid."""
    try:
        payload = signed_payload(request.body.text("signed_player_info"), "")
    except InvalidSignature:
        return None
    player = payload.get("player_id", "")
    return player if isinstance(player, str) else None


def _signed(request: Request) -> None:
    if not request.body.text("signed_player_info"):
        raise invalid("Signed Player Info for a Facebook Instant Game is required.")


def _authenticate_instant(core: Core, request: Request) -> JsonObject:
    _signed(request)
    asked_username(request)
    player = _player(request)
    if player is None:
        message = "Error extracting the Facebook Instant Game player ID or validating the signature"
        raise RestFault(_DATA_LOSS, message)
    account = core.accounts.identified(_INSTANT, player)
    if account is not None:
        return login(core, request, account, created=False)
    return create(core, request, (_INSTANT, player))


def _link_instant(core: Core, request: Request) -> JsonObject:
    _signed(request)
    player = _player(request)
    if player is None:
        raise RestFault(UNAUTHENTICATED, _UNLINKED.format("Facebook Instant Game"))
    in_use = "Facebook Instant Game ID is already in use."
    link_only(core, own_account(core, request), _INSTANT, player, in_use)
    return {}


def _unlink_instant(core: Core, request: Request) -> JsonObject:
    player: str | None = ""
    if request.body.text("signed_player_info"):
        player = _player(request)
    if player is None:
        raise RestFault(UNAUTHENTICATED, _UNLINKED.format("Facebook Instant Game"))
    unlink_only(core, own_account(core, request), _INSTANT, player)
    return {}


def _import_facebook(_: Core, request: Request) -> JsonObject:
    if not _token(request.body):
        raise invalid("Facebook token is required.")
    raise _FACEBOOK.refuse()


def _import_steam(_: Core, __: Request) -> JsonObject:
    raise _STEAM.refuse()


_ACCOUNT: Final = Schema({"token": text, "vars": mapping(text)})
_WITH_SYNC: Final = Schema({"account": _ACCOUNT, "sync": flag})
_PLAYER: Final = Schema(
    {name: int64 if name == "timestamp_seconds" else text for name, _ in _GAME_CENTER} | {"vars": mapping(text)}
)
_SIGNED: Final = Schema({"signed_player_info": text, "vars": mapping(text)})
_LOGIN: Final = {"create": BOOL, "username": TEXT}

ROUTES: Final = (
    *(
        Endpoint(
            "POST",
            f"/v2/account/authenticate/{provider.kind}",
            server_key,
            partial(_authenticate, provider),
            {**_LOGIN, "sync": BOOL},
            _ACCOUNT,
        )
        for provider in _PROVIDERS
    ),
    *(
        Endpoint(
            "POST",
            f"/v2/account/link/{provider.kind}",
            session,
            partial(_link, provider),
            {"sync": BOOL},
            _WITH_SYNC if provider is _STEAM else _ACCOUNT,
        )
        for provider in _PROVIDERS
    ),
    *(
        Endpoint(
            "POST",
            f"/v2/account/unlink/{provider.kind}",
            session,
            partial(_unlink, provider),
            body=_ACCOUNT,
        )
        for provider in _PROVIDERS
    ),
    Endpoint(
        "POST",
        "/v2/account/authenticate/gamecenter",
        server_key,
        _authenticate_game_center,
        _LOGIN,
        _PLAYER,
    ),
    Endpoint("POST", "/v2/account/link/gamecenter", session, _link_game_center, body=_PLAYER),
    Endpoint("POST", "/v2/account/unlink/gamecenter", session, _unlink_game_center, body=_PLAYER),
    Endpoint(
        "POST",
        f"/v2/account/authenticate/{_INSTANT}",
        server_key,
        _authenticate_instant,
        _LOGIN,
        _SIGNED,
    ),
    Endpoint("POST", f"/v2/account/link/{_INSTANT}", session, _link_instant, body=_SIGNED),
    Endpoint("POST", f"/v2/account/unlink/{_INSTANT}", session, _unlink_instant, body=_SIGNED),
    Endpoint("POST", "/v2/friend/facebook", session, _import_facebook, {"reset": BOOL}, _ACCOUNT),
    Endpoint("POST", "/v2/friend/steam", session, _import_steam, {"reset": BOOL}, _ACCOUNT),
)
