"""Keeps secrets out of everything that is written down."""

from __future__ import annotations

from collections.abc import Mapping

from nakama_bots.errors import ConfigError, without_secrets

_SECRET_WORDS = (
    "key",
    "token",
    "password",
    "secret",
    "credential",
    "proxy",
)  # a proxy's URL may have a password

Scalar = str | int | float | bool | None


def public_settings(settings: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """``settings`` fit to be shown; ``ConfigError`` for a name that says it is a secret, or a nested value."""
    for name, value in settings.items():
        if any(word in name.lower() for word in _SECRET_WORDS):
            raise ConfigError(name, "<hidden>", "settings without secrets: this name says that it is one")
        if not isinstance(value, Scalar):
            raise ConfigError(name, f"<{type(value).__name__}>", "a text, a number, true, false or null")
    return {
        name: without_secrets(value) if isinstance(value, str) else value for name, value in settings.items()
    }
