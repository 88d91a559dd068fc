"""The list of matches over REST."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nakama_bots.emulator.dispatch.rest import BOOL, INT, INTERNAL, TEXT, Endpoint, Request, RestFault, session
from nakama_bots.emulator.formats import query
from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.handlers.authentication import invalid
from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.tracker import Mode, PresenceStream

_DEFAULT_LIMIT: Final = 10


def check_limit(limit: int, most: int = 100) -> None:
    """Refuse a page size that Nakama refuses."""
    if not 1 <= limit <= most:
        raise invalid(f"Invalid limit - limit must be between 1 and {most}.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of a list; None: not given."""

    limit: int
    authoritative: bool | None = None
    label: str | None = None
    query: str | None = None
    min_size: int = 0
    max_size: int = 2**31


def find(core: Core, wanted: Wanted) -> list[JsonObject]:
    """Return the matches that fit, authoritative first, newest first (``LocalMatchRegistry.ListMatches``).

    ``QuerySyntaxError`` and ``QuerySearchError`` for a query that cannot be used.
    """
    found: list[JsonObject] = []
    labelled = wanted.label is not None or wanted.query is not None
    if wanted.authoritative is not False:
        # An empty query matches all; a query wins over a label.
        parsed = query.parse(wanted.query or "*")
        for identifier, listed in core.matches.index.search(parsed):
            match = core.matches.get(PresenceStream(Mode.MATCH_AUTHORITATIVE, *_split(identifier)))
            if match is None or (wanted.query is None and wanted.label not in (None, listed.label)):
                continue
            size = len(match.members)
            shown: JsonObject = {
                "match_id": identifier,
                "authoritative": True,
                "label": listed.label,
                "size": size,
                "tick_rate": listed.tick_rate,
                "handler_name": listed.handler_name,
            }
            if not size:
                del shown["size"]
            if wanted.min_size <= size <= wanted.max_size:
                found.append(shown)
    if not wanted.authoritative and not labelled:
        for stream in core.tracker.streams(Mode.MATCH_RELAYED):
            size = core.tracker.count(stream)
            if wanted.min_size <= size <= wanted.max_size:
                found.append({"match_id": f"{stream.subject}.", "size": size})
    return found[: wanted.limit]


def _split(identifier: str) -> tuple[str, str, str]:
    subject, _, node = identifier.partition(".")
    return subject, "", node


def _list(core: Core, request: Request) -> JsonObject:
    asked = request.query
    limit = asked.integer("limit", _DEFAULT_LIMIT)
    check_limit(limit)
    low, high = asked.integer("min_size"), asked.integer("max_size", 2**31)
    if low < 0:
        raise invalid("Minimum size must be 0 or above.")
    if high < 0:
        raise invalid("Maximum size must be 0 or above.")
    if low > high:
        raise invalid("Maximum size must be greater than or equal to minimum size when both are specified.")
    if asked.get("authoritative") is False and ("label" in asked or "query" in asked):
        kind = "Label" if "label" in asked else "Query"
        raise invalid(f"{kind} filtering is not supported for non-authoritative matches.")
    authoritative = asked.flag("authoritative") if "authoritative" in asked else None
    label, text = asked.optional_text("label"), asked.optional_text("query")
    try:
        matches = find(core, Wanted(limit, authoritative, label, text, low, high))
    except (query.QuerySyntaxError, query.QuerySearchError):
        raise RestFault(INTERNAL, "Error listing matches.") from None
    return {"matches": matches} if matches else {}


ROUTES: Final = (
    Endpoint(
        "GET",
        "/v2/match",
        session,
        _list,
        {
            "limit": INT,
            "authoritative": BOOL,
            "label": TEXT,
            "min_size": INT,
            "max_size": INT,
            "query": TEXT,
        },
    ),
)
