"""The server's database, which a run reads beside the server's metrics."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

DATABASE_ACCEPTED: Final = "postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?sslmode=require]"
_DRIVER: Final = "pg8000"
_SCHEMES: Final = ("postgres", "postgresql")
_TLS: Final = {"disable": False, "require": True, "verify-ca": True, "verify-full": True}


@dataclass(frozen=True, slots=True)
class Database:
    """A PostgreSQL database. ``tls``: the connection is encrypted, and its certificate checked."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False, default="")
    tls: bool = False

    @classmethod
    def parse(cls, text: str) -> Database:
        """From a URL; ``ValueError`` for anything else, without the text: it may hold a password."""
        parts = urlsplit(text)
        name = unquote(parts.path.removeprefix("/"))
        query = parse_qs(parts.query, strict_parsing=bool(parts.query))
        mode = query.pop("sslmode", ["disable"])[-1]
        if not (parts.hostname and parts.username and name) or "/" in name or parts.scheme not in _SCHEMES:
            raise ValueError
        if query or parts.fragment or mode not in _TLS:
            raise ValueError
        user, password = unquote(parts.username), unquote(parts.password or "")
        return cls(parts.hostname, parts.port or 5432, name, user, password, _TLS[mode])


def database_refusal(text: str) -> str:
    """Return what is accepted instead of ``text``, given what is installed; or ""."""
    if not text:
        return ""
    try:
        importlib.import_module(_DRIVER)
    except ImportError:
        return f"{DATABASE_ACCEPTED} with the extra database: pip install 'nakama_bots[database]'"
    return ""
