"""Envelopes in binary form and in protobuf's JSON. Imported where they are needed: it is a tenth of a start."""

from __future__ import annotations

from google.protobuf import json_format, message

from nakama_bots.emulator.formats.protojson import Malformed
from nakama_bots.types.protobuf import envelope_class


def _shown(envelope: message.Message) -> dict[str, object]:
    shown: dict[str, object] = json_format.MessageToDict(
        envelope, preserving_proto_field_name=True, use_integers_for_enums=True
    )
    return shown


def read(payload: bytes) -> dict[str, object]:
    """Return a binary envelope's JSON, without default values. ``Malformed``."""
    try:
        return _shown(envelope_class().FromString(payload))
    except message.DecodeError as error:
        raise Malformed(str(error)) from None


def write(envelope: dict[str, object]) -> bytes:
    """Return a JSON envelope in binary form."""
    written: bytes = json_format.ParseDict(envelope, envelope_class()()).SerializeToString()
    return written


def canonical(envelope: dict[str, object]) -> dict[str, object]:
    """Return a JSON envelope without default values and with 64-bit integers as text."""
    return _shown(json_format.ParseDict(envelope, envelope_class()(), ignore_unknown_fields=True))


def names() -> frozenset[str]:
    """Return the fields of an envelope: every message, and its cid."""
    return frozenset(envelope_class().DESCRIPTOR.fields_by_name)
