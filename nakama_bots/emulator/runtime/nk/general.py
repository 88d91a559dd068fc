"""Time, identifiers, JSON, the log, the cache, events and metrics."""

from __future__ import annotations

import datetime as dt
import json
import logging
import uuid
from collections.abc import Callable
from typing import Any

import orjson

from nakama_bots.emulator.formats.documents import go_json
from nakama_bots.emulator.formats.go_syntax import syntax_error
from nakama_bots.emulator.formats.protojson import JsonObject, timestamp
from nakama_bots.emulator.formats.schedule import Schedule, ScheduleError
from nakama_bots.emulator.runtime.functions import LOG, RpcContext, RuntimeFunctionError
from nakama_bots.emulator.runtime.hooks import fire
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    FunctionFamily,
    Table,
    fail,
    fields,
    flag,
    integer,
    optional_integer,
    optional_table,
    text,
    text_map,
)

_NO_DATABASE = "the emulator has no database: use the storage functions"


def _decoded(document: str) -> Any:
    """Decode JSON as the server does, with its words for invalid input."""
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError:
        raw = document.encode("utf-8", "surrogateescape")
    reason = syntax_error(raw)
    try:
        # Go replaces what is not UTF-8.
        return json.loads("" if reason else raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        message = f"not a valid JSON string: {reason or error}"
        raise RuntimeFunctionError(message) from None


def _when(of: Table) -> int:
    """Return the Unix milliseconds of a date's fields."""
    given = fields(1, of)

    def whole(name: str, default: int) -> int:
        value = given.get(name)
        return int(value) if isinstance(value, int | float) else default

    month = whole("month", -1) - 1
    first = dt.datetime(max(1, whole("year", -1) + month // 12), month % 12 + 1, 1, tzinfo=dt.UTC)
    moment = first + dt.timedelta(
        days=whole("day", -1) - 1,
        hours=whole("hour", 12),
        minutes=whole("min", 0),
        seconds=whole("sec", 0),
        milliseconds=whole("msec", 0),
    )
    return int(moment.timestamp() * 1000)


class GeneralFunctions(FunctionFamily):
    """Functions of general use."""

    def time(self, of: Table | None = None) -> int:
        """Return Unix milliseconds: now, or of a UTC table (year, month, day, hour (12), min, sec, msec)."""
        return self.core.now() // 10**6 if of is None else _when(of)

    def cron_next(self, expression: str, timestamp: int) -> int:
        """Return the next Unix second of a CRON expression after ``timestamp``."""
        try:
            return self.__cron(expression, timestamp).next(integer(2, timestamp))
        except ScheduleError:
            return -62135596800  # Go's zero time stands for none

    def cron_prev(self, expression: str, timestamp: int) -> int:
        """Return the last Unix second of a CRON expression before ``timestamp``."""
        return self.__cron(expression, timestamp).previous(integer(2, timestamp)) or -62135596800

    @staticmethod
    def __cron(expression: str, timestamp: int) -> Schedule:
        given = text(1, expression, "expects cron string")
        if integer(2, timestamp) == 0:
            raise ArgumentError(1, "expects timestamp in seconds")
        try:
            return Schedule.parse(given)
        except ScheduleError:
            raise ArgumentError(1, "expects a valid cron string") from None

    def uuid_v4(self) -> str:
        """A random UUID."""
        return self.core.new_id()

    def uuid_bytes_to_string(self, uuid_bytes: str) -> str:
        """Return the string of a UUID's 16 bytes."""
        raw = text(1, uuid_bytes, "expects a UUID byte string").encode("utf-8", "surrogateescape")
        if len(raw) != 16:
            raise ArgumentError(1, "not a valid UUID byte string")
        return str(uuid.UUID(bytes=raw))

    def uuid_string_to_bytes(self, uuid_string: str) -> str:
        """Return the 16 bytes of a UUID's string."""
        given = text(1, uuid_string, "expects a UUID string")
        try:
            return uuid.UUID(given).bytes.decode("utf-8", "surrogateescape")
        except ValueError:
            raise ArgumentError(1, "not a valid UUID string") from None

    def json_encode(self, value: Any = None) -> str:
        """Encode a value as JSON; a table with whole numbers above 0 as keys is a list."""
        return go_json(value)

    def json_decode(self, document: str) -> Any:
        """Decode JSON text."""
        decoded = _decoded(text(1, document, "expects JSON string"))
        return (None,) if decoded is None else decoded

    def logger_debug(self, message: str) -> str:
        """Log at debug level; returns the message."""
        return self.__say(logging.DEBUG, message)

    def logger_info(self, message: str) -> str:
        """Log at info level; returns the message."""
        return self.__say(logging.INFO, message)

    def logger_warn(self, message: str) -> str:
        """Log a warning; returns the message."""
        return self.__say(logging.WARNING, message)

    def logger_error(self, message: str) -> str:
        """Log an error; returns the message."""
        return self.__say(logging.ERROR, message)

    @staticmethod
    def __say(level: int, message: str) -> str:
        given = text(1, message, "expects message string")
        LOG.log(level, "%s", given.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        return given

    def localcache_get(self, key: str, default: Any = None) -> Any:
        """Return the cached value of ``key``, or ``default``."""
        found = self.core.cache.get(text(1, key, "expects key string"))
        if found is None or (found[1] and found[1] <= self.core.seconds()):
            return (default,)
        return (found[0],)

    def localcache_put(self, key: str, value: Any = None, ttl: int | None = None) -> None:
        """Cache a value in the server's memory, for ``ttl`` seconds if that is above 0."""
        seconds = optional_integer(3, ttl)
        if seconds < 0:
            raise ArgumentError(3, "ttl must be 0 or more")
        until = self.core.seconds() + seconds if seconds else 0
        self.core.cache[text(1, key, "expects key string")] = (value, until)

    def localcache_delete(self, key: str) -> None:
        """Delete a cached value."""
        self.core.cache.pop(text(1, key, "expects key string"), None)

    def localcache_clear(self) -> None:
        """Delete all cached values."""
        self.core.cache.clear()

    def event(
        self,
        name: str,
        properties: Table | None = None,
        time: int | None = None,
        external: bool | None = None,
    ) -> None:
        """Pass an event to the registered event functions; ``time`` in Unix seconds."""
        event: JsonObject = {"name": text(1, name, "expects name string")}
        given = text_map(2, properties, "properties")
        if given:
            event["properties"] = given
        if time == 0:
            raise ArgumentError(3, "timestamp must be numeric UTC seconds when provided")
        if time is not None:
            event["timestamp"] = timestamp(integer(3, time) * 10**9)
        if flag(4, external):
            event["external"] = True
        fire(self.core.hooks, event)

    def metrics_counter_add(self, name: str, tags: Table | None = None, delta: int = 0) -> None:
        """Ignored: the emulator has only the server's built-in metrics."""
        self.__metric(name, tags, integer(3, delta))

    def metrics_gauge_set(self, name: str, tags: Table | None = None, value: float = 0.0) -> None:
        """Ignored."""
        self.__metric(name, tags, integer(3, value))

    def metrics_timer_record(self, name: str, tags: Table | None = None, value: int = 0) -> None:
        """Ignored."""
        self.__metric(name, tags, integer(3, value))

    @staticmethod
    def __metric(name: str, tags: Table | None, _: int) -> None:
        text(1, name)
        optional_table(2, tags)

    def sql_exec(self, query: str, parameters: Table | None = None) -> int:
        """Always fails: there is no database."""
        text(1, query, "expects query string")
        optional_table(2, parameters)
        raise fail(f"sql exec error: {_NO_DATABASE}")

    def sql_query(self, query: str, parameters: Table | None = None) -> list[JsonObject]:
        """Always fails: there is no database."""
        text(1, query, "expects query string")
        optional_table(2, parameters)
        raise fail(f"sql query error: {_NO_DATABASE}")

    def run_once(self, function: Callable[[Any], object]) -> None:
        """Call a function, only on the first ``run_once`` of any module."""
        if not callable(function):
            raise ArgumentError(1, "function expected, got nil")
        if not self.core.hooks.ran_once:
            self.core.hooks.ran_once = True
            try:
                function(RpcContext(mode="run_once"))
            except RuntimeFunctionError as error:
                raise fail(f"error in run_once function: {error.message}") from None
