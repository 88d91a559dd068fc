"""All scenarios. ``locust -f locustfile.py`` tests the embedded emulator; name a server with ``--host``."""

from scenarios.duel import Duel
from scenarios.town_square import TownSquare

__all__ = ["Duel", "TownSquare"]
