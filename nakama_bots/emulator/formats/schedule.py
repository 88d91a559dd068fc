"""Reset schedules: CRON expressions as Nakama reads them (``internal/cronexpr``), in UTC.

Five fields (minute, hour, day, month, weekday), six with a year at the end, seven with seconds in front; any
more are ignored. Days may be ``L`` (the last), ``LW`` (the last from Monday to Friday) and
``15W`` (the nearest of these), weekdays ``5L`` (the last in the month) and ``1#2`` (the second).
"""

from __future__ import annotations

import bisect
import calendar
import datetime as dt
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_MACROS: Final[Mapping[str, str]] = {
    "@yearly": "0 0 0 1 1 * *",
    "@annually": "0 0 0 1 1 * *",
    "@monthly": "0 0 0 1 * * *",
    "@weekly": "0 0 0 * * 0 *",
    "@daily": "0 0 0 * * * *",
    "@hourly": "0 0 * * * * *",
}
_ACCEPTED: Final = "5 to 7 CRON fields, such as '0 0 * * *', or one of " + ", ".join(_MACROS)
_FEWEST: Final = 5
_MOST: Final = 7
_DAY: Final = 86400
_EPOCH: Final = dt.date(1970, 1, 1)
_WEEK: Final = 7
_SATURDAY: Final = 5
_SUNDAY: Final = 6
# The server's table of numbers ends here, so a longer step has no effect.
_LONGEST_STEP: Final = 59


class ScheduleError(ValueError):
    """The text is not a schedule, or never occurs; the message says what is accepted."""

    def __init__(self, text: str) -> None:
        super().__init__(f"reset schedule {text!r}; accepted: {_ACCEPTED}")


def _names(full: Iterable[str], first: int) -> dict[str, int]:
    """Return numbers by name, in full and by the first three letters."""
    numbered = list(enumerate((name.lower() for name in full), first))
    return {word: number for number, name in numbered for word in (name, name[:3])}


@dataclass(frozen=True, slots=True)
class _Field:
    low: int
    high: int
    names: Mapping[str, int]

    def number(self, text: str) -> int:
        if text in self.names:
            return self.names[text]
        if not re.fullmatch(r"\d{1,4}", text, re.ASCII) or len(text) > len(str(self.high)):
            raise ValueError(text)
        if not self.low <= int(text) <= self.high:
            raise ValueError(text)
        return int(text)

    def span(self, text: str) -> Iterable[int]:
        """Return the values of a list entry without special letters."""
        span, slash, step = text.partition("/")
        first, dash, last = span.partition("-")
        low = self.low if span == "*" else self.number(first)
        # A step from a number continues to the end.
        high = self.number(last) if dash else self.high if slash else low
        every = int(step) if slash else 1
        if not 1 <= every <= min(self.high, _LONGEST_STEP):
            raise ValueError(text)
        return range(low, high + 1, every)

    def values(self, text: str) -> frozenset[int]:
        """Return the values of a field without special letters."""
        entries = _entries(text)
        if _is_any(entries):
            return frozenset(range(self.low, self.high + 1))
        return frozenset(itertools.chain.from_iterable(map(self.span, entries)))


def _entries(text: str) -> list[str]:
    entries = [entry for entry in text.lower().split(",") if entry]
    if not entries:
        raise ValueError(text)
    return entries


def _is_any(entries: Iterable[str]) -> bool:
    return any(entry in ("*", "?") for entry in entries)


_SECONDS: Final = _Field(0, 59, {})
_HOURS: Final = _Field(0, 23, {})
_DAYS: Final = _Field(1, 31, {})
_MONTHS: Final = _Field(1, 12, _names(calendar.month_name[1:], 1))
# Sunday is 0 and 7; the server's table also has every number with a leading zero.
_WEEKDAYS: Final = _Field(
    0,
    6,
    _names([calendar.day_name[6], *calendar.day_name[:6]], 0) | {"7": 0} | {f"0{n}": 0 for n in range(8)},
)
_YEARS: Final = _Field(1970, 2099, {})


@dataclass(frozen=True, slots=True)
class _MonthDays:
    """The days of a month that match a ``day`` or a ``weekday`` field.

    A field ``*`` matches none, unless both are ``*``.
    """

    days: frozenset[int] | None
    workdays: frozenset[int]
    last: bool
    last_workday: bool
    weekdays: frozenset[int] | None
    last_weekdays: frozenset[int]
    # (weekday, which of the month)
    nth_weekdays: frozenset[tuple[int, int]]

    @classmethod
    def parse(cls, day: str, weekday: str) -> _MonthDays:
        days, workdays = set[int](), set[int]()
        entries = _entries(day)
        for entry in entries:
            if entry.endswith("w") and entry != "lw":
                workdays.add(_DAYS.number(entry[:-1]))
            elif entry not in ("l", "lw", "*", "?"):
                days.update(_DAYS.span(entry))
        weekdays, last_weekdays, nth = set[int](), set[int](), set[tuple[int, int]]()
        week_entries = _entries(weekday)
        for entry in week_entries:
            name, sign, which = entry.partition("#")
            if sign and re.fullmatch("[1-5]", which):
                nth.add((_WEEKDAYS.number(name), int(which)))
            elif len(entry) > 1 and entry.endswith("l") and entry not in _WEEKDAYS.names:
                last_weekdays.add(_WEEKDAYS.number(entry[:-1]))
            elif entry not in ("*", "?"):
                weekdays.update(_WEEKDAYS.span(entry))
        return cls(
            None if _is_any(entries) else frozenset(days),
            frozenset(workdays),
            "l" in entries,
            "lw" in entries,
            None if _is_any(week_entries) else frozenset(weekdays),
            frozenset(last_weekdays),
            frozenset(nth),
        )

    def of(self, year: int, month: int) -> list[int]:
        """Return the matching days of a month, in order."""
        first, last = calendar.monthrange(year, month)
        if self.days is None and self.weekdays is None:
            return list(range(1, last + 1))
        found: set[int] = set()
        if self.days is not None:
            found |= self.days
            found |= {_workday(first, day, last) for day in self.workdays if day <= last}
            found |= {last} if self.last else set()
            found |= {_workday(first, last, last)} if self.last_workday else set()
        if self.weekdays is not None:
            found |= {day for day in range(1, last + 1) if _weekday(first, day) in self.weekdays}
            tail = range(last - _WEEK + 1, last + 1)
            found |= {day for day in tail if _weekday(first, day) in self.last_weekdays}
            found |= {
                1 + _WEEK * (nth - 1) + (name - _weekday(first, 1)) % _WEEK for name, nth in self.nth_weekdays
            }
        return sorted(day for day in found if day <= last)


def _weekday(first: int, day: int) -> int:
    """Return the weekday (0: Sunday) of a day in a month that starts with weekday ``first`` (0: Monday)."""
    return (first + day) % _WEEK


def _workday(first: int, day: int, last: int) -> int:
    """Return the nearest day from Monday to Friday in the same month."""
    weekday = (first + day - 1) % _WEEK
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == _SUNDAY:
        return day + 1 if day < last else day - 2
    return day


@dataclass(frozen=True, slots=True)
class Schedule:
    """Points in time, as Unix seconds."""

    text: str
    times: tuple[int, ...]
    days: _MonthDays
    months: tuple[int, ...]
    years: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Parse a CRON expression. ``ScheduleError``."""
        plain = text
        for macro, fields_ in _MACROS.items():
            plain = plain.replace(macro, fields_)
        fields = plain.split()[:_MOST]
        if len(fields) < _FEWEST:
            raise ScheduleError(text)
        if len(fields) < _MOST:
            fields.insert(0, "0")
        if len(fields) < _MOST:
            fields.append("*")
        try:
            schedule = cls._of(text, fields)
        except ValueError:
            raise ScheduleError(text) from None
        schedule.next(0)
        return schedule

    @classmethod
    def _of(cls, text: str, fields: list[str]) -> Schedule:
        second, minute, hour, day, month, weekday, year = fields
        clock = itertools.product(_HOURS.values(hour), _SECONDS.values(minute), _SECONDS.values(second))
        return cls(
            text=text,
            times=tuple(sorted(h * 3600 + m * 60 + s for h, m, s in clock)),
            days=_MonthDays.parse(day, weekday),
            months=tuple(sorted(_MONTHS.values(month))),
            years=tuple(sorted(_YEARS.values(year))),
        )

    def next(self, after: int) -> int:
        """Return the first point after ``after``. ``ScheduleError`` if there is none."""
        day, second = divmod(after, _DAY)
        for number in self._days(day, 1):
            index = bisect.bisect_right(self.times, second) if number == day else 0
            if index < len(self.times):
                return number * _DAY + self.times[index]
        raise ScheduleError(self.text)

    def previous(self, before: int) -> int | None:
        """Return the last point before ``before``; None if there was none since 1970."""
        day, second = divmod(before, _DAY)
        for number in self._days(day, -1):
            index = bisect.bisect_left(self.times, second) if number == day else len(self.times)
            if index:
                return number * _DAY + self.times[index - 1]
        return None

    def _days(self, start: int, way: int) -> Iterator[int]:
        """Yield the matching days, as days since 1970, from ``start`` on; ``way`` -1: backwards."""
        today = _EPOCH + dt.timedelta(days=start)
        for year in self.years[::way]:
            if (year - today.year) * way < 0:
                continue
            for month in self.months[::way]:
                if ((year - today.year) * 12 + month - today.month) * way < 0:
                    continue
                for day in self.days.of(year, month)[::way]:
                    number = (dt.date(year, month, day) - _EPOCH).days
                    if (number - start) * way >= 0:
                        yield number
