"""Problems that a summary itself shows: figures that prove nothing, and faults of the run. Pure.

Each is a whole line. They do not depend on the gate.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from nakama_bots import observer
from nakama_bots.results.record.cross_check import difference
from nakama_bots.results.record.gaps import gap_lines
from nakama_bots.results.record.health import TOO_SLOW
from nakama_bots.results.record.purposes import undone_lines
from nakama_bots.results.record.recorder import FAULTS, LIMIT, MOST, OTHER, SCENARIO, USER
from nakama_bots.results.summary import ErrorPart, Summary, ended

_NO_ANSWER: Final = ("ConnectionFailed", "ConnectionRefused", "HostNotFound", "RequestTimeout")
_STARVED: Final = tuple(os.strerror(number) for number in (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL))
"""No free file, no free port."""
_EXAMPLES: Final = 3
_ALLOWED: Final = "allow_handler_failures"


def unreachable(summary: Summary) -> str:
    """Return why the target counts as unreachable; "" if something answered, or nothing was tried."""
    errors = call_errors(summary)
    if not errors or any(call["ok_ms"]["count"] for call in summary["calls"]):
        return ""
    if not all(error["label"].partition(":")[0] in _NO_ANSWER and not _starved(error) for error in errors):
        return ""
    tried = sum(error["count"] for error in errors)
    return f"nothing answered at {summary['target']['url']}: {tried:,} calls, {errors[0]['label']}"


def no_figures(summary: Summary) -> list[str]:
    """Return the reasons why the figures prove nothing, whatever they are."""
    return [
        *_nothing_done(summary),
        *generator_lines(summary),
        *gap_lines(summary.get("gaps", [])),
        *_counted_twice(summary),
        *_out_of_range(summary),
        *undone_lines(summary.get("purposes", [])),
    ]


def generator_lines(summary: Summary) -> list[str]:
    """Return how the generator itself could not produce the load."""
    return [*(f"{TOO_SLOW}: {reason}" for reason in summary["health"]["reasons"]), *_starved_calls(summary)]


def own_faults(summary: Summary) -> list[str]:
    """Return what went wrong in the code of the scenario."""
    counts = summary["counts"]
    lines = []
    number = counts.get(observer.SCENARIO_FAULTS, 0)
    if number:
        lines.append(f"{number:,} figures of the scenario could not be kept: {_examples(summary, SCENARIO)}")
    number = counts.get(observer.HANDLER_FAILURES, 0)
    if number and not summary["settings"].get(_ALLOWED):
        lines.append(
            f"{number:,} calls of push handlers and taps failed: {', '.join(handler_failures(summary))} "
            f"(--nakama-{_ALLOWED.replace('_', '-')} lets such a run pass)"
        )
    died, started = counts.get(observer.USERS_DIED, 0), counts.get(observer.USERS_STARTED, 0)
    if died:
        lines.append(f"{died:,} of {started:,} users died: {_examples(summary, USER)}")
    names = {
        "calls": {call["name"] for call in summary["calls"]},
        "samples": summary["samples_ms"],
        "counts": counts,
    }
    crowded = [what for what, known in names.items() if OTHER in known]
    if crowded:
        lines.append(f"more than {LIMIT} names of {' and of '.join(crowded)}: the others are under {OTHER}")
    return lines


def failed_calls(summary: Summary) -> list[str]:
    """Return a line about failed calls, including those that other code made through Locust."""
    failures = sum(call["failures"] for call in summary["calls"])
    foreign = summary["counts"].get(observer.FOREIGN_FAILURES, 0)
    lines = []
    if failures:
        kinds = ", ".join(error["label"] for error in call_errors(summary)[:_EXAMPLES])
        lines.append(f"{failures:,} calls failed: {kinds}")
    if foreign:
        lines.append(f"{foreign:,} requests of other code failed (see Locust's table)")
    return lines


def handler_failures(summary: Summary) -> list[str]:
    """Return the failures of push handlers and taps by kind, most first: ``tap.match_data.KeyError 3,780``."""
    kinds = [
        (name.removeprefix(observer.HANDLER_FAILED_PREFIX), number)
        for name, number in summary["counts"].items()
        if name.startswith(observer.HANDLER_FAILED_PREFIX)
    ]
    return [f"{name} {number:,}" for name, number in sorted(kinds, key=lambda kind: (-kind[1], kind[0]))]


def call_errors(summary: Summary) -> list[ErrorPart]:
    """Return the failures of calls, without the faults of scenarios."""
    return [error for error in summary["errors"] if error["kind"] not in FAULTS]


def _nothing_done(summary: Summary) -> list[str]:
    counts = summary["counts"]
    started, died = counts.get(observer.USERS_STARTED, 0), counts.get(observer.USERS_DIED, 0)
    if not summary["run"]["users"] and not started:
        return ["no data: no user was started"]
    lines = []
    if started and died >= started:
        lines.append(f"every user died ({died:,} of {started:,})")
    if not any(map(ended, summary["calls"])) and not counts.get(observer.FOREIGN_REQUESTS):
        stopped = sum(call["count"] for call in summary["calls"])
        lines.append(f"no data: none of {stopped:,} calls ended" if stopped else "no data: no call was made")
    return lines


def _counted_twice(summary: Summary) -> list[str]:
    part = summary.get("cross_check")
    line = difference(part) if part is not None else ""
    return [f"the figures are not what Locust counted: {line}"] if line else []


def _starved_calls(summary: Summary) -> list[str]:
    starved = [error for error in call_errors(summary) if _starved(error)]
    number = sum(error["count"] for error in starved)
    return [f"{number:,} calls failed in the generator itself: {starved[0]['label']}"] if starved else []


def _out_of_range(summary: Summary) -> list[str]:
    return [
        f"the count {name} exceeds the largest number that can be counted"
        for name, number in summary["counts"].items()
        if abs(number) >= MOST
    ]


def _starved(error: ErrorPart) -> bool:
    return any(text in error["label"] for text in _STARVED)


def _examples(summary: Summary, kind: str) -> str:
    rows = [error for error in summary["errors"] if error["kind"] == kind]
    return ", ".join(f"{row['name']}: {row['example']} ({row['count']:,})" for row in rows[:_EXAMPLES])
