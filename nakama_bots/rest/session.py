"""Refresh and logout of sessions; the one place where a session is refreshed before it expires."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

from nakama_bots.errors import CallError, SessionExpired
from nakama_bots.rest.caller import Family, basic, same
from nakama_bots.rest.families.authentication import to_session
from nakama_bots.rest.route import Auth, Route
from nakama_bots.session import Session
from nakama_bots.types import session as wire
from nakama_bots.types.common import Empty

REFRESH: Final = Route[wire.Session]("POST", "/v2/account/session/refresh", Auth.BASIC)
LOGOUT: Final = Route[Empty]("POST", "/v2/session/logout", Auth.BEARER)


@dataclass(slots=True)
class _Refresh:
    """A refresh under way: its ``lock`` is held until it has ended, with ``error`` or well."""

    lock: AbstractContextManager[Any]
    ended: bool = False
    error: CallError | None = None


class RawSessions(Family[str]):
    """Refresh and logout by the wire's objects."""

    def session_refresh(
        self, basic_auth_username: str, basic_auth_password: str, body: wire.SessionRefreshRequest
    ) -> wire.Session:
        """New tokens for a refresh token; the credentials' user name is the server key."""
        authorization = basic(basic_auth_username, basic_auth_password)
        return self._caller.call(REFRESH, same, authorization, REFRESH.path(), body)

    def session_logout(self, session: str, body: wire.SessionLogoutRequest) -> Empty:
        """Log out the tokens in ``body``, or all of the user's without them."""
        return self._by_token(LOGOUT, session, body=body)


class Sessions(Family[Session]):
    """Sessions keep themselves valid: every call by ``Session`` goes through ``_bearer``."""

    _basic: str
    _clock: Callable[[], float]
    _refreshes: dict[int, _Refresh]

    def session_refresh(self, session: Session, vars: Mapping[str, str] | None = None) -> Session:  # noqa: A002
        """Put new tokens into ``session`` and give it back; ``vars`` replace those in the token.

        ``Unauthenticated`` when the refresh token is expired or logged out.
        """
        body: wire.SessionRefreshRequest = {"token": session.refresh_token}
        if vars is not None:
            body["vars"] = vars
        fresh = self._caller.call(REFRESH, to_session, self._basic, REFRESH.path(), body)
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

    def _bearer(self, route: Route[Any], auth: Session) -> str:
        if not auth.needs_refresh(self._clock()):
            # Either fresh, or beyond help.
            if auth.is_expired(self._clock()):
                error = SessionExpired("the token is expired, and the refresh token too or missing")
                self._caller.refuse(route, time.perf_counter(), error, None)
            return auth.token
        started = time.perf_counter()
        failure = self._refresh_once(auth)
        # A failed refresh of a token that is still valid was reported, and harms nobody yet.
        if auth.is_expired(self._clock()):
            error = SessionExpired("the token is expired and its refresh failed")
            self._caller.refuse(route, started, error, failure)
        return auth.token

    def _refresh_once(self, session: Session) -> CallError | None:
        """Refresh ``session``, or wait for the one who does and share the outcome: the error, if any."""
        key = id(session)
        while session.needs_refresh(self._clock()):
            mine = _Refresh(self._caller.transport.lock())
            with mine.lock:
                current = self._refreshes.setdefault(key, mine)
                if current is mine:
                    try:
                        self.session_refresh(session)
                    except CallError as error:
                        mine.error = error
                    finally:
                        del self._refreshes[key]
                    mine.ended = True
                    return mine.error
            with current.lock:
                if current.ended:
                    return current.error
            # Its caller was killed: the next one tries.
        return None
