"""The log of requests: one line each, without bodies, queries and tokens."""

from __future__ import annotations

import logging

REQUESTS = logging.getLogger("nakama_bots.requests")


def rest(method: str, path: str, status: int, seconds: float, user_id: str) -> None:
    """Log a REST request."""
    REQUESTS.info("%s %s %d %.1f ms%s", method, path, status, seconds * 1000, f" {user_id}" if user_id else "")


def message(key: str, cid: str, user_id: str, error: str) -> None:
    """Log a message of a socket; ``error``: the answered error, "" without one."""
    named = f" cid={cid}" if cid else ""
    REQUESTS.info("WS %s%s %s %s", key, named, f"error: {error}" if error else "ok", user_id)
