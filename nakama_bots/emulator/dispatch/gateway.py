"""Runs before the routes: answers preflights and redirects unclean paths.

Follows gorilla's ``handlers.CORS`` and ``mux`` with the settings of ``server/api.go``.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from nakama_bots.emulator.dispatch.rest import Answer

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE")
# Allowed, but not named in the answer.
_SIMPLE_METHODS: Final = ("GET", "HEAD", "POST")
_SIMPLE_HEADERS: Final = ("accept", "accept-language", "content-language", "origin")
_HEADERS: Final[Mapping[str, str]] = {
    name.lower(): name for name in ("Authorization", "Content-Type", "User-Agent")
}


def preflight(headers: Mapping[str, str]) -> Answer:
    """Return the answer to an ``OPTIONS`` request of any path; ``headers`` have lower case names."""
    if not headers.get("origin"):
        return _empty(200)
    if "access-control-request-method" not in headers:
        return _empty(400)
    method = headers["access-control-request-method"]
    if method not in _METHODS:
        return _empty(405)
    asked = [name.strip().lower() for name in headers.get("access-control-request-headers", "").split(",")]
    wanted = [name for name in asked if name and name not in _SIMPLE_HEADERS]
    if not all(name in _HEADERS for name in wanted):
        return _empty(403)
    allowed = {"Access-Control-Allow-Origin": "*"}
    if wanted:
        allowed["Access-Control-Allow-Headers"] = ",".join(_HEADERS[name] for name in wanted)
    if method not in _SIMPLE_METHODS:
        allowed["Access-Control-Allow-Methods"] = method
    return _empty(200, allowed)


def redirect(path: str, query: str) -> Answer | None:
    """Return the redirect for a path with double slashes or dot segments; None for a clean path."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    if path.endswith("/") and clean != "/":
        clean += "/"
    if clean == path:
        return None
    location = quote(clean, safe="/:@!$&'()*+,;=~")
    return _empty(301, {"Location": f"{location}?{query}" if query else location})


def _empty(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, content_type="", headers=headers or {})
