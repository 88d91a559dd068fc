"""How the emulator names itself. Imports nothing: load runs need the name, but not the emulator."""

from __future__ import annotations

from typing import Final

VERSION: Final = "3.40.0"
"""The server version that modules read."""

SERVER_NAME: Final = "nakama-bots-emulator"
"""The ``Server`` header of every answer."""
