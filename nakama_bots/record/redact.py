"""Keeps out of a scenario what is somebody's: keys, ids, addresses, names, and what was said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2s
from typing import Any, Final

import orjson

from nakama_bots.record.capture.tape import Tape

FILLER: Final = "the quick brown fox jumps over the lazy dog and runs on "
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}")
# Bounded and possessive: linear in the text.
_TOKEN: Final = re.compile(r"eyJ[\w-]*+\.[\w-]++\.[\w-]*+")
_ADDRESS: Final = re.compile(
    r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])|\[[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]{1,45}\]"
)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_LEAST: Final = 4
"""Characters of a text that is looked for everywhere: shorter ones are in every word."""
_MARK: Final = "REDACTED "
# Fields of answers and pushes that are a person's.
_NAMES: Final = frozenset({"username", "display_name", "owner_username", "creator_username"})
_SECRET: Final = re.compile(
    r"(?i)(?:^|_)(?:token|password|secret|email|device_?id|http_?key|server_?key|api_?key)$"
)
_TEXTS: Final = frozenset({"display_name", "avatar_url", "location", "description", "status", "about", "bio"})


def filler(size: int) -> str:
    """A text of that many characters that says nothing."""
    return (FILLER * (size // len(FILLER) + 1))[:size]


class Redactor:
    """Replaces what must not be written. ``own``: names of the package and of the recording that may stay."""

    def __init__(self, tape: Tape, *, keep_texts: bool = False) -> None:
        self.keep_texts = keep_texts
        self.replaced = 0
        """How many texts were changed."""
        found = set(tape.secrets) | set(tape.names.values())
        for event in (*tape.calls, *tape.pushes):
            body = getattr(event, "body", None) or getattr(event, "answer", None)
            found.update(_named(body))
            found.update(_keyed(getattr(event, "request", None)))
            found.update(_keyed(body))
        # Longest first: a name may be part of another one.
        known = sorted((one for one in found if len(one) >= _LEAST), key=len, reverse=True)
        self._known = [one for one in known if one not in _WORDS]
        self._pattern = re.compile("|".join(map(re.escape, self._known))) if self._known else None
        self._short = {one for one in found if 0 < len(one) < _LEAST}

    def text(self, text: str) -> str:
        """``text`` without secrets, addresses and names."""
        cleaned = "REDACTED" if text in self._short else text
        if self._pattern is not None:
            cleaned = self._pattern.sub(lambda match: _same_size(len(match[0])), cleaned)
        cleaned = _EMAIL.sub(lambda match: _same_size(len(match[0])), cleaned)
        cleaned = _TOKEN.sub(lambda match: _same_size(len(match[0])), cleaned)
        cleaned = _ADDRESS.sub("192.0.2.1", cleaned)
        cleaned = _UUID.sub(_other_id, cleaned)
        if cleaned != text:
            self.replaced += 1
        return cleaned

    def data(self, data: bytes) -> bytes:
        """Match state of the same size without secrets, addresses and names."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            cleaned = data
            for one in self._known:
                cleaned = cleaned.replace(one.encode(), _same_size(len(one.encode())).encode())
        else:
            cleaned = data if text.isascii() and text.isdigit() else self.text(text).encode()
        if cleaned != data:
            self.replaced += 1
        return cleaned

    def value(self, value: Any, key: str = "") -> Any:
        """A JSON value with its texts cleaned; what people write about themselves is replaced as a whole."""
        if isinstance(value, str):
            if _SECRET.search(key) and value:
                self.replaced += 1
                return _same_size(len(value))
            if key in _TEXTS:
                return self.personal(value)
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(name): self.value(one, name) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(one, key) for one in value]
        return value

    def personal(self, value: Any) -> Any:
        """What a person said, of the same shape and size."""
        if self.keep_texts:
            return self.value(value)
        if isinstance(value, str):
            self.replaced += 1
            return filler(len(value))
        if isinstance(value, Mapping):
            return {self.text(name): self.personal(one) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.personal(one) for one in value]
        return value

    def leaks(self, text: str) -> list[str]:
        """What of the known secrets is in a file's text: nothing, or the file must not be written."""
        return [one for one in self._known if one in text]


# Names that a server's own fields have; a user of that name does not make them secret.
_WORDS: Final = frozenset({"player", "match", "first", "second", "user", "name", "text"})


def _other_id(match: re.Match[str]) -> str:
    """An id of nobody, the same for the same one."""
    return f"00000000-0000-4000-8000-{blake2s(match[0].encode(), digest_size=6).hexdigest()}"


def _same_size(size: int) -> str:
    return (_MARK * (size // len(_MARK) + 1))[:size].rstrip().ljust(size, "-")


def _named(value: Any) -> Iterable[str]:
    """User and display names in an answer or a push."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key in _NAMES and isinstance(one, str) and one:
                yield one
            else:
                yield from _named(one)
    elif isinstance(value, list):
        for one in value:
            yield from _named(one)


def _keyed(value: Any) -> Iterable[str]:
    """Values of fields whose name says that they are secret, in JSON texts too."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return
    if isinstance(value, Mapping):
        for key, one in value.items():
            if isinstance(one, str) and _SECRET.search(str(key)) and one:
                yield one
            else:
                yield from _keyed(one)
    elif isinstance(value, list):
        for one in value:
            yield from _keyed(one)
