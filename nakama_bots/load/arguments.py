"""The settings as Locust arguments; ``nakama_bots.settings.options`` reads them."""

from __future__ import annotations

from locust.argument_parser import LocustArgumentParser

from nakama_bots.settings import options
from nakama_bots.settings.options import public_values, resolve, resolved

__all__ = ["add_arguments", "public_values", "resolve", "resolved"]


def add_arguments(parser: LocustArgumentParser) -> None:
    """Add ``--nakama-...`` for every setting; the web UI shows none of them, some being secret."""
    options.add_arguments(parser.add_argument_group("Nakama options"))
