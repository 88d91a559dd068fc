"""Whether the server is up."""

from __future__ import annotations

from typing import Final

from nakama_bots.rest.caller import A, Family
from nakama_bots.rest.route import Route
from nakama_bots.types.common import Empty

CHECK: Final = Route[Empty]("GET", "/healthcheck")


class HealthFamily(Family[A]):
    """The check that load balancers use."""

    def healthcheck(self) -> Empty:
        """``{}`` when the server is up; needs no authorization."""
        return self._caller.call(CHECK, self._read, None, CHECK.path())
