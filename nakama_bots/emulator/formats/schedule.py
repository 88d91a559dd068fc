"""Reset schedules: CRON expressions as Nakama reads them (``gorhill/cronexpr``), in UTC.

Five fields (minute, hour, day, month, weekday), six with a year at the end, seven with seconds in front.
"""

from __future__ import annotations

import bisect
import calendar
import datetime as dt
import itertools
from collections.abc import Iterable, Mapping
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
_DAY: Final = 86400
_ONE_DAY: Final = dt.timedelta(days=1)
# Leap years can be eight years apart; a schedule without a time in them has none.
_HORIZON: Final = 366 * 8 + 1
_MONTHS: Final = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS: Final = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}


class ScheduleError(ValueError):
    """The text is no schedule that ever comes; the message says what is accepted."""

    def __init__(self, text: str) -> None:
        super().__init__(f"reset schedule {text!r}; accepted: {_ACCEPTED}")


@dataclass(frozen=True, slots=True)
class _Field:
    low: int
    high: int
    names: Mapping[str, int]

    def parse(self, text: str) -> frozenset[int]:
        return frozenset(itertools.chain.from_iterable(map(self._part, text.split(","))))

    def _part(self, text: str) -> Iterable[int]:
        span, slash, step = text.partition("/")
        first, dash, last = span.partition("-")
        everything = span in ("*", "?")
        low = self.low if everything else self._number(first)
        # A step from a number goes on to the end.
        high = self._number(last) if dash else self.high if everything or slash else low
        every = int(step) if slash else 1
        if not self.low <= low <= high <= self.high or every < 1:
            raise ValueError(text)
        return range(low, high + 1, every)

    def _number(self, text: str) -> int:
        named = self.names.get(text.lower()[:3])
        return int(text) if named is None else named


_SECONDS: Final = _Field(0, 59, {})
_HOURS: Final = _Field(0, 23, {})
_DAYS: Final = _Field(1, 31, {})
_MONTH: Final = _Field(1, 12, _MONTHS)
_WEEKDAY: Final = _Field(0, 7, _WEEKDAYS)
_YEARS: Final = _Field(1970, 2099, {})


@dataclass(frozen=True, slots=True)
class Schedule:
    """Points in time, as Unix seconds."""

    text: str
    times: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]
    either: bool
    last_day: bool

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """The schedule of a CRON expression. ``ScheduleError``."""
        fields = _MACROS.get(text.strip(), text).split()
        if len(fields) < 7:
            fields.insert(0, "0")
        if len(fields) < 7:
            fields.append("*")
        if len(fields) != 7:
            raise ScheduleError(text)
        try:
            schedule = cls._of(text, fields)
        except ValueError:
            raise ScheduleError(text) from None
        schedule.next(0)
        return schedule

    @classmethod
    def _of(cls, text: str, fields: list[str]) -> Schedule:
        second, minute, hour, day, month, weekday, year = fields
        last_day = day.upper() == "L"
        clock = itertools.product(_HOURS.parse(hour), _SECONDS.parse(minute), _SECONDS.parse(second))
        return cls(
            text=text,
            times=tuple(sorted(h * 3600 + m * 60 + s for h, m, s in clock)),
            days=frozenset() if last_day else _DAYS.parse(day),
            months=_MONTH.parse(month),
            weekdays=frozenset(number % 7 for number in _WEEKDAY.parse(weekday)),
            years=_YEARS.parse(year),
            # A day and a weekday that are both restricted: either of them is enough.
            either=day not in ("*", "?") and weekday not in ("*", "?"),
            last_day=last_day,
        )

    def next(self, after: int) -> int:
        """The first point later than ``after``. ``ScheduleError`` when none comes."""
        day, second = divmod(after, _DAY)
        date = dt.date(1970, 1, 1) + day * _ONE_DAY
        for _ in range(_HORIZON if after else _HORIZON * 17):
            if self._on(date):
                index = bisect.bisect_right(self.times, second)
                if index < len(self.times):
                    return _unix(date) + self.times[index]
            second = -1
            date += _ONE_DAY
        raise ScheduleError(self.text)

    def previous(self, before: int) -> int | None:
        """The last point earlier than ``before``; None when there was none since 1970."""
        day, second = divmod(before, _DAY)
        for number in range(day, max(-1, day - _HORIZON), -1):
            date = dt.date(1970, 1, 1) + number * _ONE_DAY
            index = bisect.bisect_left(self.times, second)
            if index and self._on(date):
                return _unix(date) + self.times[index - 1]
            second = _DAY
        return None

    def _on(self, date: dt.date) -> bool:
        if date.month not in self.months or date.year not in self.years:
            return False
        day = date.day in self.days or (self.last_day and (date + _ONE_DAY).day == 1)
        weekday = date.isoweekday() % 7 in self.weekdays
        return (day or weekday) if self.either else (day and weekday)


def _unix(date: dt.date) -> int:
    return (date - dt.date(1970, 1, 1)).days * _DAY
