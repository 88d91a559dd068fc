"""Any route: added by a game's server module, by another server at the same address, or new in Nakama."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from nakama_bots.rest.caller import A, Family, any_value, basic, same
from nakama_bots.rest.route import Query, Route, encode_query

_METHOD: Final = re.compile(r"[A-Z]{1,20}")
# RFC 3986: a path and its query, percent-encoded; a space or a line break would end up in the request's head.
_PATH: Final = re.compile(r"/[\w\-.~!$&'()*+,;=:@%/]*(?:\?[\w\-.~!$&'()*+,;=:@%/?]*)?", re.ASCII)
# A segment of digits, with a UUID in it, or longer than a word.
_ID: Final = re.compile(r"\d+|.*[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}.*|[0-9a-fA-F]{16,}|.{41,}")


class CustomFamily(Family[A]):
    """Routes without a method in the other families."""

    def call(
        self,
        session: A | None,
        method: str,
        path: str,
        body: object = None,
        query: Query | None = None,
        *,
        name: str = "",
        http_key: str | None = None,
    ) -> Any:
        """Call ``method`` ``path``, such as ``call(session, "POST", "/v2/rpc/x?unwrap", {"a": 1})``.

        ``path`` begins with a slash and is percent-encoded; it may have a query, to which ``query`` is added.
        ``body`` is any JSON value, or bytes that are sent as they are. ``session`` None calls without
        authorization, or with ``http_key``. The result is the answer's JSON value, its text if that is not
        JSON, None if it is empty.

        ``name`` is its name in statistics, a route template without ids; by default the path without its query,
        with ``{id}`` for what looks like an id. Errors are those of every call, and ``ValueError`` for a method
        or a path that cannot be sent.
        """
        if not _METHOD.fullmatch(method):
            msg = f"method must be an HTTP method in capital letters, not {method!r}"
            raise ValueError(msg)
        if not _PATH.fullmatch(path):
            msg = f"path must begin with a slash and be percent-encoded, not {path!r}"
            raise ValueError(msg)
        route = _route(method, name or template_of(path))
        if http_key is not None:
            authorization: str | None = basic(http_key)
        else:
            authorization = None if session is None else "Bearer " + self._bearer(route, session)
        if query:
            path += ("&" if "?" in path else "?") + encode_query(query)
        return self._caller.call(route, same, authorization, path, body, any_value)


def template_of(path: str) -> str:
    """``path`` without its query, and with ``{id}`` in place of segments that look like ids."""
    segments = path.partition("?")[0].split("/")
    return "/".join("{id}" if _ID.fullmatch(segment) else segment for segment in segments)


@lru_cache(maxsize=256)
def _route(method: str, name: str) -> Route[Any]:
    # Not sent again after a failure: its effect is unknown.
    return Route(method, name, repeatable=False)
