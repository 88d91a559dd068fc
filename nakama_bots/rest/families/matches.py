"""The listings of running matches and of open parties, and the matchmaker's state."""

from __future__ import annotations

from typing import Final

from nakama_bots.rest.caller import A, Family
from nakama_bots.rest.route import Route
from nakama_bots.types.matches import MatchList, MatchmakerStats, PartyList

LIST: Final = Route[MatchList]("GET", "/v2/match")
STATS: Final = Route[MatchmakerStats]("GET", "/v2/matchmaker/stats")
LIST_PARTIES: Final = Route[PartyList]("GET", "/v2/party")


class MatchesFamily(Family[A]):
    """Find matches without the matchmaker."""

    def list_matches(
        self,
        session: A,
        limit: int | None = None,
        authoritative: bool | None = None,
        label: str | None = None,
        min_size: int | None = None,
        max_size: int | None = None,
        query: str | None = None,
    ) -> MatchList:
        """Running matches, 1 to 100 (10 by default); what is None does not filter.

        ``label`` and ``query`` (such as ``+label.mode:duel``) find authoritative matches only.
        """
        filters = {
            "limit": limit,
            "authoritative": authoritative,
            "label": label,
            "min_size": min_size,
            "max_size": max_size,
            "query": query,
        }
        return self._by_token(LIST, session, query=filters)

    def get_matchmaker_stats(self, session: A) -> MatchmakerStats:
        """How many tickets wait, since when, and the latest that were matched."""
        return self._by_token(STATS, session)

    def list_parties(
        self,
        session: A,
        limit: int | None = None,
        open: bool | None = None,  # the server's own name
        query: str | None = None,
        cursor: str | None = None,
    ) -> PartyList:
        """A page of 1 to 100 (10 by default) of parties that are not hidden; ``query`` is over their labels."""
        filters = {"limit": limit, "open": open, "query": query, "cursor": cursor}
        return self._by_token(LIST_PARTIES, session, query=filters)
