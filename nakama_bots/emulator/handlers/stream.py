"""Custom streams: only runtime functions join and send, clients receive."""

from __future__ import annotations

from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.store.tracker import PresenceStream


def stream_wire(stream: PresenceStream) -> JsonObject:
    """Return Nakama's ``PresenceStream`` without unset fields."""
    fields: JsonObject = {
        "mode": int(stream.mode),
        "subject": stream.subject,
        "subcontext": stream.subcontext,
        "label": stream.label,
    }
    return {name: value for name, value in fields.items() if value}


def presence_event(stream: PresenceStream, changes: JsonObject) -> JsonObject:
    """Return the event of joins and leaves for the presences of the stream."""
    return {"stream_presence_event": {"stream": stream_wire(stream), **changes}}
