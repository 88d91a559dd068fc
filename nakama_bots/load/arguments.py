"""The settings as Locust arguments: resolved in the leading process, received by its workers."""

from __future__ import annotations

from argparse import Namespace
from typing import Final

from nakama_bots.settings import options as settings_options
from nakama_bots.settings.resolve import Settings

_SENT: Final = "nakama_settings"


def resolve(options: Namespace) -> Settings:
    """Return the settings of the process that leads the run; ``ConfigError`` names the first wrong one.

    Locust sends its options to every worker when a test starts, so their plain values stay in ``options``.
    """
    settings = settings_options.resolve(options)
    send(options, settings)
    return settings


def send(options: Namespace, settings: Settings) -> None:
    """Give the workers of the next test ``settings``: Locust sends them its options."""
    setattr(options, _SENT, settings.values)


def received(options: Namespace) -> Settings:
    """Return the settings of a worker from the options that its master has sent."""
    return Settings.of(getattr(options, _SENT))
