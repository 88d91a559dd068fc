"""TOML files of a user, with the line numbers of mistakes."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

from nakama_bots.errors import ConfigError, file_errors, without_secrets

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys and indices from the root."""


@dataclass(frozen=True, slots=True)
class TomlFile:
    """The text and content of a file. ``name`` is its name in errors."""

    name: str
    text: str
    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path, setting: str) -> Self:
        """Read the file at ``path``, named by ``setting``. Raises ``ConfigError`` if it cannot be read."""
        with file_errors(setting, without_secrets(str(path)), "a readable TOML file"):
            text = path.read_text(encoding="utf-8")
        return cls.parse(text, str(path), setting)

    @classmethod
    def parse(cls, text: str, name: str, setting: str) -> Self:
        """The same from ``text``."""
        name = without_secrets(name)
        try:
            return cls(name, text, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(setting, name, f"a TOML file ({error})") from None

    def table(self, name: str, setting: str) -> dict[str, Any]:
        """Return the table with that name. Raises ``ConfigError`` if there is none."""
        table = self.content.get(name)
        if not isinstance(table, dict):
            raise ConfigError(setting, self.name, f"a TOML file with a [{name}] table")
        return table

    def line(self, path: KeyPath) -> int:
        """The line on which the key at ``path`` is written; 1 for what is not in the file.

        Found by parsing more and more lines, as the TOML parser keeps no positions. The first lines in which
        the key exists end with its value; a value of several lines begins after the last lines that were valid.
        """
        lines = self.text.split("\n")  # and at nothing else that Python takes for the end of a line
        whole = 0
        for number in range(1, len(lines) + 1):
            try:
                found: Any = tomllib.loads("\n".join(lines[:number]) + "\n")
            except tomllib.TOMLDecodeError:
                continue
            try:
                for step in path:
                    found = found[step]
            except (KeyError, IndexError, TypeError):
                whole = number
            else:
                return whole + 1
        return 1

    def refused(self, path: KeyPath, key: str, value: object, accepted: str) -> ConfigError:
        """Return the error for the ``value`` at ``path``; ``key`` is the name of that place for the user."""
        shown = without_secrets(value) if isinstance(value, str) else value
        return ConfigError(f"{self.name} line {self.line(path)}: {key}", shown, accepted)
