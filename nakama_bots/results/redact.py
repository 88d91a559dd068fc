"""Keeps secrets out of everything that is written to files."""

from __future__ import annotations

from collections.abc import Mapping

from nakama_bots.errors import ConfigError, without_secrets

_SECRET_WORDS = (
    "key",
    "token",
    "password",
    "secret",
    "credential",
    "proxy",  # its URL may contain a password
    "webhook",  # the path of its URL is the secret
)

_SECRET_NAMES = ("db",)  # its URL may contain a password

Scalar = str | int | float | bool | None


def public_settings(settings: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return ``settings`` for display. Raises ``ConfigError`` for a secret, by its name, or a nested value."""
    for name, value in settings.items():
        if name.lower() in _SECRET_NAMES or any(word in name.lower() for word in _SECRET_WORDS):
            raise ConfigError(name, "<hidden>", "settings without secrets: this is one by its name")
        if not isinstance(value, Scalar):
            raise ConfigError(name, f"<{type(value).__name__}>", "a text, a number, true, false or null")
    return {
        name: without_secrets(value) if isinstance(value, str) else value for name, value in settings.items()
    }
