"""Keeps secrets and personal data out of a scenario: keys, ids, addresses, names, and texts."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from hashlib import blake2s
from importlib import import_module
from ipaddress import ip_address
from pkgutil import iter_modules
from typing import Any, Final
from urllib.parse import quote

from nakama_bots import types
from nakama_bots.players.player import Player
from nakama_bots.realtime.catalog import REPLIES
from nakama_bots.record.capture.tape import Tape
from nakama_bots.record.correlate import UUID, parsed
from nakama_bots.record.routes import templates
from nakama_bots.record.writing.invoke import payload_of
from nakama_bots.rest.client import Client

_FILLER: Final = "the quick brown fox jumps over the lazy dog and runs on "
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}")
# Bounded and possessive: linear in the text.
_TOKEN: Final = re.compile(r"eyJ[\w-]*+\.[\w-]++\.[\w-]*+")
_ADDRESS: Final = re.compile(
    r"(?<!\d)(?<!\d\.)\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)"
    r"|(?<![\w:])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?:(?:\.\d{1,3}){3})?(?![\w:])",
    re.ASCII,
)
_MAC: Final = re.compile(r"(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")
_LEAST: Final = 4
"""Characters of a text that is replaced everywhere: a shorter one may be part of any word."""
_MARK: Final = "REDACTED-"
"""Without a space: it may be a part of a path."""
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Names of fields as ``_words`` writes them.
_NAMES: Final = re.compile(r"(?:^|_)(?:user_?|display_?|player_?|gamer_?|nick_?)names?$|(?:^|_)nick$")
_SECRET: Final = re.compile(
    r"(?:^|_)(?:tokens?|pass_?words?|passwd|pwd|passphrase|secrets?|credentials?|authorization|cookies?|jwt"
    r"|(?:http|server|api|access|auth|private|secret|encryption)_?keys?|e?_?mails?|phone(?:_number)?"
    r"|(?:device|custom|facebook|google|steam|apple|gamecenter|instant_game)_?ids?)$"
)
_TEXTS: Final = frozenset({"display_name", "avatar_url", "location", "description", "status", "about", "bio"})
# What the generated source has besides the names of the package.
_WRITTEN: Final = (
    "nakama_bots record recorded redacted player match first second user name text refused errors model models"
    " values value rows series times think thinking others crew inbox room party payload data message board"
    " tournament mode status body object collection function path method share done after wait hear meet pause"
)


class Redactor:
    """Replaces what must not be written."""

    def __init__(self, tape: Tape, *, keep_texts: bool = False) -> None:
        self.keep_texts = keep_texts
        self.replaced = 0
        """How many texts were changed."""
        found = set(tape.secrets) | set(tape.names.values()) | set(_private(tape))
        common = _vocabulary()
        # Longest first: a name may be part of another one.
        known = {
            one for text in found if len(text) >= _LEAST and text not in common for one in _spellings(text)
        }
        self._known = sorted(known, key=len, reverse=True)
        self._pattern = _any_of(self._known)
        in_bytes = [one.encode("utf-8", "surrogatepass").decode("latin-1") for one in self._known]
        self._in_bytes = _any_of(in_bytes)
        # Replaced everywhere, these would be found in the scenario's own words.
        self._whole = {text for text in found if text and (len(text) < _LEAST or text in common)}

    def text(self, text: str) -> str:
        """``text`` without secrets, addresses and names."""
        return self.part("REDACTED" if text in self._whole else text)

    def part(self, text: str) -> str:
        """Like ``text``, for a part of a text or the name of a field."""
        cleaned = _without(text, self._pattern, _example)
        if cleaned != text:
            self.replaced += 1
        return cleaned

    def data(self, data: bytes) -> bytes:
        """Match state of the same size without secrets, addresses and names."""
        # A character for each byte: text in binary data is found too, and no size changes.
        cleaned = _without(data.decode("latin-1"), self._in_bytes, _zeros).encode("latin-1")
        if cleaned != data:
            self.replaced += 1
        return cleaned

    def value(self, value: Any, key: str = "", *, secret: bool = False) -> Any:
        """A JSON value with its texts cleaned; what people write about themselves is replaced as a whole."""
        secret = secret or is_secret(key)
        if isinstance(value, str):
            if secret and value:
                self.replaced += 1
                return _repeated(_MARK, len(value))
            inner = parsed(value)
            if inner is not value and (cleaned := self.value(inner)) != inner:
                return json.dumps(cleaned, ensure_ascii=False, separators=(",", ":"))
            return self.personal(value) if key in _TEXTS else self.text(value)
        if isinstance(value, Mapping):
            return {self.part(name): self.value(one, name, secret=secret) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(one, key, secret=secret) for one in value]
        return value

    def personal(self, value: Any) -> Any:
        """What a person said, of the same shape and size."""
        if self.keep_texts:
            return self.value(value)
        if isinstance(value, str):
            self.replaced += 1
            return _repeated(_FILLER, len(value))
        if isinstance(value, Mapping):
            return {self.part(name): self.personal(one) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.personal(one) for one in value]
        return value

    def leaks(self, text: str) -> list[str]:
        """What of the known secrets is in a file's text: nothing, or the file must not be written."""
        return [one for one in self._known if one in text]


def is_secret(key: str) -> bool:
    """Whether the name of a field says that its value is a person's or a secret."""
    return _SECRET.search(_words(key)) is not None


def _words(key: str) -> str:
    """``accessToken`` and ``Access-Token`` are ``access_token``."""
    return re.sub(r"[^0-9a-z]+", "_", _HUMP.sub("_", key).lower())


@cache
def _vocabulary() -> str:
    """Return the words of every scenario. A secret that is part of one, such as the user name "play", is only
    replaced as a whole text: elsewhere a replacement would break the source.
    """
    names = [*dir(Client), *dir(Player), *REPLIES, *templates(), *keyword.kwlist]
    for module in iter_modules(types.__path__, f"{types.__name__}."):
        for one in vars(import_module(module.name)).values():
            names += getattr(one, "__annotations__", ())
    return " ".join((*names, _WRITTEN))


def _private(tape: Tape) -> Iterator[str]:
    """Values of fields whose names say that they are secret or a user's name."""
    for call in tape.calls:
        yield from _keyed((call.request, call.answer, call.query))
        if call.name.endswith("_data_send") and isinstance(call.request, Mapping):
            yield from _keyed(payload_of(call.request.get("data")).decode("utf-8", "replace"))
    for push in tape.pushes:
        yield from _keyed(push.body)


def _keyed(value: Any, *, wanted: bool = False) -> Iterator[str]:
    inner = parsed(value)
    if isinstance(inner, Mapping):
        for key, one in inner.items():
            yield from _keyed(one, wanted=wanted or is_secret(key) or _NAMES.search(_words(key)) is not None)
    elif isinstance(inner, (list, tuple)):
        for one in inner:
            yield from _keyed(one, wanted=wanted)
    elif isinstance(inner, str) and wanted and inner:
        yield inner


def _spellings(text: str) -> set[str]:
    """A text as it is, in JSON and in a path."""
    return {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        quote(text, errors="replace"),
    }


def _any_of(texts: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(re.escape, texts))) if texts else None


def _without(text: str, known: re.Pattern[str] | None, replacement: Callable[[str], str]) -> str:
    for secret in (known, _EMAIL, _TOKEN):
        if secret is not None:
            text = secret.sub(lambda match: _repeated(_MARK, len(match[0])), text)
    text = _ADDRESS.sub(lambda match: replacement(match[0]) if _is_address(match[0]) else match[0], text)
    return UUID.sub(_other_id, text)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return _MAC.fullmatch(text) is not None
    return text != "::"


def _example(address: str) -> str:
    """Return an address that no machine has."""
    return "192.0.2.1" if "." in address else "2001:db8::1"


def _zeros(address: str) -> str:
    """Return an address of the same size that no machine has."""
    return re.sub(r"[0-9a-fA-F]", "0", address)


def _other_id(match: re.Match[str]) -> str:
    """Return an id that no user has: the same for the same id."""
    return f"00000000-0000-4000-8000-{blake2s(match[0].encode(), digest_size=6).hexdigest()}"


def _repeated(text: str, size: int) -> str:
    return (text * (size // len(text) + 1))[:size]
