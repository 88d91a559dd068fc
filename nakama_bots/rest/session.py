"""Refresh and logout of sessions; the one place where a session is renewed, by a refresh or a new login."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from nakama_bots.errors import CallError, NotFound, SessionExpired, Unauthenticated
from nakama_bots.rest.caller import Family, R, T, basic, same
from nakama_bots.rest.families.authentication import to_session
from nakama_bots.rest.route import Route
from nakama_bots.session import Session
from nakama_bots.types import session as wire
from nakama_bots.types.common import Empty

REFRESH: Final = Route[wire.ApiSession]("POST", "/v2/account/session/refresh")
_ACCOUNT: Final = "/v2/account"
LOGOUT: Final = Route[Empty]("POST", "/v2/session/logout")


@dataclass(slots=True)
class _Renewal:
    """A refresh or login under way: its ``lock`` is held until it has ended, with ``error`` or well."""

    lock: AbstractContextManager[Any]
    ended: bool = False
    error: CallError | None = None


class RawSessions(Family[str]):
    """Refresh and logout by the wire's objects."""

    def session_refresh(
        self, basic_auth_username: str, basic_auth_password: str, body: wire.SessionRefreshRequest
    ) -> wire.ApiSession:
        """New tokens for a refresh token; the credentials' user name is the server key."""
        authorization = basic(basic_auth_username, basic_auth_password)
        return self._caller.call(REFRESH, same, authorization, REFRESH.path(), body)

    def session_logout(self, session: str, body: wire.SessionLogoutRequest) -> Empty:
        """Log out the tokens in ``body``, or all of the user's without them."""
        return self._by_token(LOGOUT, session, body=body)


class Sessions(Family[Session]):
    """Keeps sessions valid: every call by ``Session`` goes through ``_bearer``."""

    _basic: str
    _clock: Callable[[], float]
    _log_in: Callable[[Session], object] | None
    _renewals: dict[int, _Renewal]

    def session_refresh(self, session: Session, vars: Mapping[str, str] | None = None) -> Session:
        """Put new tokens into ``session`` and return it; ``vars`` replace those in the token.

        ``Unauthenticated`` when the refresh token is expired or logged out.
        """
        body: wire.SessionRefreshRequest = {"token": session.refresh_token}
        if vars is not None:
            body["vars"] = vars
        try:
            fresh = self._caller.call(REFRESH, to_session, self._basic, REFRESH.path(), body)
        except Unauthenticated:
            session.stale = True
            raise
        session.update(fresh.token, fresh.refresh_token)
        return session

    def fresh(self, session: Session) -> Session:
        """``session``, refreshed first when its token is about to expire: for opening a socket with it.

        ``SessionExpired`` when neither token is valid any more.
        """
        self._bearer(REFRESH, session)
        return session

    def session_logout(
        self, session: Session, token: str | None = None, refresh_token: str | None = None
    ) -> Empty:
        """Log out ``session``, or the tokens that are given.

        Two empty texts log out every token that the user got in an earlier second. Sockets stay open.
        """
        bearer = self._bearer(LOGOUT, session)
        body: wire.SessionLogoutRequest = {
            "token": bearer if token is None else token,
            "refresh_token": session.refresh_token if refresh_token is None else refresh_token,
        }
        return self._by_token(LOGOUT, session, body=body)

    def _authorized(
        self, route: Route[T], auth: Session, read: Callable[[T], R], path: str, body: object = None
    ) -> R:
        token = self._bearer(route, auth)
        try:
            return self._caller.call(route, read, "Bearer " + token, path, body)
        except (Unauthenticated, NotFound) as error:
            # An own account that is not found: the server was emptied, and still accepts the tokens it signed.
            refused = isinstance(error, Unauthenticated) or route.template == _ACCOUNT
            if refused and auth.token == token:  # it may have been renewed meanwhile
                auth.stale = True
            raise

    def _bearer(self, route: Route[Any], auth: Session) -> str:
        if not self._is_due(auth):
            # Either good, or beyond help.
            if auth.is_expired(self._clock()):
                error = SessionExpired("the token is expired, and the refresh token too or missing")
                self._caller.refuse(route, time.perf_counter(), error, None)
            return auth.token
        started = time.perf_counter()
        failure = self._renew_once(auth)
        # A failed refresh of a token that is still valid was reported, and has no effect yet.
        if failure is not None and (auth.is_expired(self._clock()) or self._needs_login(auth)):
            error = SessionExpired(f"the session has ended and could not be renewed: {type(failure).__name__}")
            self._caller.refuse(route, started, error, failure)
        return auth.token

    def _is_due(self, session: Session) -> bool:
        return session.needs_refresh(self._clock()) or self._needs_login(session)

    def _needs_login(self, session: Session) -> bool:
        """Whether a login is what the session needs, and the client knows how."""
        if self._log_in is None:
            return False
        now = self._clock()
        return session.stale or (session.is_expired(now) and session.is_refresh_expired(now))

    def _renew_once(self, session: Session) -> CallError | None:
        """Renew ``session``, or wait for the caller who does and share the outcome: the error, if any."""
        key = id(session)
        while self._is_due(session):
            mine = _Renewal(self._caller.transport.lock())
            with mine.lock:
                current = self._renewals.setdefault(key, mine)
                if current is mine:
                    try:
                        self._renew(session)
                    except CallError as error:
                        mine.error = error
                    finally:
                        del self._renewals[key]
                    mine.ended = True
                    return mine.error
            with current.lock:
                if current.ended:
                    return current.error
            # Its caller was killed: the next one tries.
        return None

    def _renew(self, session: Session) -> None:
        if not self._needs_login(session):
            try:
                self.session_refresh(session)
                return
            except Unauthenticated:
                if self._log_in is None:
                    raise
        assert self._log_in is not None
        self._log_in(session)
