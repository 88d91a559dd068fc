"""Sessions: refresh and logout."""

from __future__ import annotations

from typing import Final

from nakama_bots.emulator.dispatch.rest import (
    PERMISSION_DENIED,
    UNAUTHENTICATED,
    Endpoint,
    Request,
    RestFault,
    server_key,
    session,
)
from nakama_bots.emulator.formats.protojson import JsonObject, Schema, mapping, text
from nakama_bots.emulator.formats.tokens import SessionClaims
from nakama_bots.emulator.handlers.authentication import invalid, issue
from nakama_bots.emulator.store.core import Core


def _refresh(core: Core, request: Request) -> JsonObject:
    token = request.body.text("token")
    if not token:
        raise invalid("Refresh token is required.")
    claims = core.refresh_claims(token)
    account = core.accounts.get(claims.user_id) if claims is not None else None
    if claims is None or account is None or not core.session_cache.refresh_valid(claims):
        raise RestFault(UNAUTHENTICATED, "Refresh token invalid or expired.")
    if account.disabled:
        raise RestFault(PERMISSION_DENIED, "User account banned.")
    # Token id and time of issue stay those of the login, so that its logout ends refreshed tokens too.
    kept = SessionClaims(
        claims.token_id,
        account.id,
        account.username,
        claims.issued_at,
        0,
        request.body.text_map("vars") or claims.vars,
    )
    return issue(core, account, kept)


def _logout(core: Core, request: Request) -> JsonObject:
    token, refresh_token = request.body.text("token"), request.body.text("refresh_token")
    caller, cache = request.caller, core.session_cache
    if not token and not refresh_token:
        # Tokens issued in this second stay valid: tokens count whole seconds.
        cache.revoke_before(caller.user_id, core.seconds())
        return {}
    session_claims = core.session_claims(token) if token else None
    if token and (session_claims is None or session_claims.user_id != caller.user_id):
        raise invalid("Session token invalid.")
    refresh_claims = core.refresh_claims(refresh_token) if refresh_token else None
    if refresh_token and (refresh_claims is None or refresh_claims.user_id != caller.user_id):
        raise invalid("Refresh token invalid.")
    if session_claims is not None:
        cache.revoke_session(session_claims)
    if refresh_claims is not None:
        cache.revoke_refresh(refresh_claims)
    return {}


ROUTES: Final = (
    Endpoint(
        "POST",
        "/v2/account/session/refresh",
        server_key,
        _refresh,
        body=Schema({"token": text, "vars": mapping(text)}),
    ),
    Endpoint(
        "POST", "/v2/session/logout", session, _logout, body=Schema({"token": text, "refresh_token": text})
    ),
)
