"""The load tests of this game. ``locust`` without ``--host`` runs them against an embedded emulator."""

from scenarios.example import Example

__all__ = ["Example"]
