"""Streams of a game's own: only runtime functions join and send, clients hear of it."""

from __future__ import annotations

from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.store.tracker import Stream


def stream_wire(stream: Stream) -> JsonObject:
    """Nakama's ``Stream``, with what is not set left out."""
    fields: JsonObject = {
        "mode": int(stream.mode),
        "subject": stream.subject,
        "subcontext": stream.subcontext,
        "label": stream.label,
    }
    return {name: value for name, value in fields.items() if value}


def presence_event(stream: Stream, changes: JsonObject) -> JsonObject:
    """Joins and leaves as presences of the stream hear of them."""
    return {"stream_presence_event": {"stream": stream_wire(stream), **changes}}
