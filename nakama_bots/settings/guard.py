"""Checks whether load may be sent to a host, so that a typing mistake does not hit a live game.

Decided by the name alone, before anything is resolved or sent.
"""

from __future__ import annotations

import ipaddress
import re
from fnmatch import fnmatchcase
from typing import Final

from nakama_bots.errors import ConfigError
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.table import BY_NAME
from nakama_bots.settings.target import DEFAULT_SERVER_KEY, Target, ascii_host

# A word of the name, with or without a number: prod-eu.example.com, api.live2.example.com.
_PRODUCTION: Final = re.compile(r"(?<![a-z])(prod|prd|production|live)(?![a-z])", re.IGNORECASE)


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine by its name alone."""
    name = _normal(host)
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 section 6.3
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def check_target(settings: Settings, target: Target, *, name: str = "host") -> None:
    """A ``ConfigError`` under ``name`` when the settings do not let ``target`` be used.

    A loopback host may always. Another one must be on the allowlist, if there is one, and be confirmed when it
    has Nakama's well-known server key or its name looks like production.
    """
    host = _normal(target.host)
    if is_loopback(host):
        return
    allowed = settings.allowed_hosts
    if allowed and not any(fnmatchcase(host, _normal(pattern)) for pattern in allowed):
        raise ConfigError(
            name, target.host, f"a host that {BY_NAME['allowed_hosts'].flag} names: {', '.join(allowed)}"
        )
    why = _doubt(settings, host)
    if why and _normal(settings.confirm_target) != host:
        flag = BY_NAME["confirm_target"].flag
        raise ConfigError(
            name, target.host, f"a confirmed host; {why}: if it is meant, add {flag} {target.host}"
        )


def check_users(settings: Settings, users: int, *, name: str = "users") -> None:
    """A ``ConfigError`` under ``name`` when ``users`` are fewer than none, or more than the settings allow."""
    if users < 0:
        raise ConfigError(name, users, "a whole number from 0")
    if settings.max_users and users > settings.max_users:
        raise ConfigError(name, users, f"at most {settings.max_users}, by {BY_NAME['max_users'].flag}")


def _doubt(settings: Settings, host: str) -> str:
    if _PRODUCTION.search(host):
        return "its name looks like production"
    if settings.credentials.server_key == DEFAULT_SERVER_KEY:
        return f"it is remote and no server key is given (the default is {DEFAULT_SERVER_KEY})"
    return ""


def _normal(host: str) -> str:
    """As a resolver looks it up: other spellings of a name (full width, soft hyphens) are the same host."""
    text = host.strip().rstrip(".")
    try:
        return ascii_host(text)
    except UnicodeError:
        return text.lower()
