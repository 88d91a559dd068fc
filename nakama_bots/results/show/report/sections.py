"""The sections of a report in their order; each shows only what a run has measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from nakama_bots import observer
from nakama_bots.results.latency import shown_ms
from nakama_bots.results.record import gauges
from nakama_bots.results.record.recorder import ABANDONED
from nakama_bots.results.record.sparse import merged
from nakama_bots.results.show.published import with_unit
from nakama_bots.results.show.report.capacity import capacity
from nakama_bots.results.show.report.charts import MOST_LINES
from nakama_bots.results.show.report.generator import breaks_first, health, server
from nakama_bots.results.show.report.parts import (
    LATENCY_HEADERS,
    Item,
    Items,
    Lines,
    Section,
    Table,
    distribution,
    facts,
    figures,
    flat,
    is_rows,
    latency_over_time,
    over_time,
    per_second,
    rows_table,
    times_table,
)
from nakama_bots.results.show.report.view import RunView
from nakama_bots.results.summary import CallPart, Summary
from nakama_bots.results.timing import REST_KINDS

_KIND_PREFIX: Final = f"{observer.DELIVERY_LATENCY}."
_DELIVERED: Final = observer.DELIVERY_FIELDS
_ENDS: Final = {"missed": "missed while away"}
_TOTALS: Final = tuple(observer.delivery_total(kind) for kind in observer.DELIVERY_KINDS)
_MOST_CHARTS: Final = 40
_ERROR_EXAMPLES: Final = 50
_TITLE: Final = 70

_SHOWN: Final = frozenset({
    "schema", "run", "target", "versions", "settings", "ledger", "calls", "ticks", "delivery", "matchmaking",
    "chat", "arrivals", "paced", "errors", "samples_ms", "counts", "recorded", "health", "server", "workers",
    "published", "deliveries", "timing", "capacity", "bottleneck",
})  # fmt: skip
"""Parts of the summary that have a section; others are shown as they are."""


def _load(run: RunView) -> Items:
    items: dict[str, Item] = {}
    shown = {name: run.bins.gauges[name] for name in (gauges.USERS, gauges.SOCKETS) if name in run.bins.gauges}
    if shown:
        items["users"] = over_time(run, "Users and sockets", "", shown)
    if run.bins.calls:
        total = [0] * run.bins.number
        failed = [0] * run.bins.number
        for call in run.bins.calls.values():
            for place, block in enumerate(call.ok):
                total[place] += sum(block.values()) + call.failed[place]
                failed[place] += call.failed[place]
        rates = {"calls": per_second(run, total), "failures": per_second(run, failed)}
        items["rate"] = over_time(run, "Calls and failures", "per second", rates)
    return items


def _calls(run: RunView, title: str, kinds: Iterable[str]) -> Items:
    """Return a table of all names, their distributions in one chart, and each over time."""
    wanted = set(kinds)
    calls = [call for call in run.summary["calls"] if call["kind"] in wanted]
    if not calls:
        return {}
    busiest = sorted(calls, key=lambda call: -call["ok_ms"]["count"])
    binned = {
        _name(call, wanted): bins.ok
        for call in busiest
        if call["ok_ms"]["count"] and (bins := run.bins.calls.get((call["kind"], call["name"]))) is not None
    }
    items: dict[str, Item] = {"table": _call_table(title, calls)}
    if binned:
        some = dict(list(binned.items())[:MOST_LINES])
        left_out = f", the {MOST_LINES} most frequent" if len(binned) > MOST_LINES else ""
        items["distribution"] = distribution(
            f"Latency distribution{left_out}", {name: merged(blocks) for name, blocks in some.items()}
        )
        for name, blocks in list(binned.items())[:_MOST_CHARTS]:
            items[name] = latency_over_time(run, name, {name: blocks})
    return items


def _name(call: CallPart, kinds: set[str]) -> str:
    return call["name"] if len(kinds) == 1 else f"{call['kind']} {call['name']}"


def _call_table(title: str, calls: list[CallPart]) -> Table:
    headers = ("kind", "name", "count", "per s", "failed", "stopped", *LATENCY_HEADERS, "waited p99")
    rows = tuple(
        (call["kind"], call["name"], f"{call['count']:,}", f"{call['rate']:,.1f}", f"{call['failures']:,}",
         f"{call['outcomes'].get(ABANDONED, 0):,}", *figures(call["ok_ms"]), _waited(call))
        for call in calls
    )  # fmt: skip
    note = (
        "times of the calls that went well; stopped: without an answer when its player was; waited: in the "
        "generator until the answer was read, not part of the times (-: timed in the process)"
    )
    return Table(title, headers, rows, left=2, note=note)


def _waited(call: CallPart) -> str:
    waited = call.get("waited_ms")
    return shown_ms(waited["p99"] if waited is not None else None)


def _realtime(run: RunView) -> Items:
    items = dict(_calls(run, "Every message", ("WS",)))
    timing = run.summary.get("timing")
    if items and timing is not None:
        waited = timing["waited_ms"]
        shared = timing.get("shared_ms")
        rows: dict[str, object] = {
            "messages timed by the kernel": timing["by_kernel"],
            "messages timed in the process": timing["in_process"],
            "answers waited in the generator, p50 ms": waited["p50"],
            "p99 ms": waited["p99"],
            "max ms": waited["max"],
            "steps of the wall clock": timing["clock_steps"],
        }
        if "too_early" in timing:
            rows["stamps from before the cause, not believed"] = timing["too_early"]
        if shared is not None and shared["count"]:
            rows["answers with a later message's stamp"] = shared["count"]
            rows["their times are at most so much too long, p99 ms"] = shared["p99"]
        items["timing"] = facts("Timing", rows, note="what waited in the generator is not in the calls' times")
    return items


def _rest(run: RunView) -> Items:
    items = dict(_calls(run, "Every route", REST_KINDS))
    timing = run.summary.get("timing", {})
    if items and "rest_by_kernel" in timing:
        rows = {
            "answers timed by the kernel": timing["rest_by_kernel"],
            "answers timed in the process": timing["rest_in_process"],
        }
        items["timing"] = facts("Timing", rows)
    return items


def _matchmaking(run: RunView) -> Items:
    part = run.summary["matchmaking"]
    if not part["tickets_added"]:
        return {}
    steps = (
        ("tickets added", part["tickets_added"]),
        ("matched", part["tickets_matched"]),
        ("joined their match", part.get("tickets_joined", 0)),
        ("matches joined", part["matches_joined"]),
        ("matches played to the end", part["matches_played"]),
        ("tickets cancelled", part["tickets_cancelled"]),
        ("tickets timed out", part["tickets_timed_out"]),
        ("matches deserted", run.summary["counts"].get(observer.MATCHES_DESERTED, 0)),
    )
    first = steps[0][1]
    rows = tuple((name, f"{many:,}", f"{many / first:.1%}", _bar(many / first)) for name, many in steps)
    funnel = Table("Funnel", ("step", "number", "of tickets", BAR), rows)
    time_to_match = times_table("Time to match", {"from the ticket to the match": part["time_to_match_ms"]})
    pushes = {
        f"time to match ({name})" if name != "matchmaker_matched" else "time to match": bins.ok
        for (kind, name), bins in run.bins.calls.items()
        if kind == "PUSH"
    }
    charts: dict[str, Item] = {
        f"chart {name}": latency_over_time(run, name.capitalize(), {name: blocks})
        for name, blocks in pushes.items()
    }
    items: dict[str, Item] = {"funnel": funnel, **charts, "times": time_to_match}
    if sizes := part.get("match_sizes"):
        by_size = tuple((size, f"{number:,}") for size, number in sizes.items())
        items["sizes"] = Table("Sizes of matches", ("players", "tickets"), by_size)
    if interval := part.get("interval_s"):
        in_intervals = {name: f"{value:.2f}" for name, value in part.get("intervals_to_match", {}).items()}
        items["intervals"] = facts(f"Time to match in the server's intervals of {interval:g} s", in_intervals)
    return items


def _published(run: RunView) -> Items:
    rows = tuple(
        (row["figure"], with_unit(row["published"], row), with_unit(row["measured"], row), row["by"])
        for row in run.summary.get("published", [])
    )
    headers = ("figure", "published", "measured", "published by")
    return {"published": Table("Published and measured", headers, rows)} if rows else {}


def _delivery(run: RunView) -> Items:
    part = run.summary["delivery"]
    items: dict[str, Item] = {}
    if part["expected"] or part["received"]:
        items["times"] = times_table("Latency of match data", {"from send to receipt": part["latency_ms"]})
        if blocks := run.bins.samples.get(observer.DELIVERY_LATENCY):
            items["chart"] = latency_over_time(run, "Delivery over time", {"delivery": blocks})
            items["distribution"] = distribution("Delivery distribution", _with_corrected(run, "delivery"))
        counts = {_ENDS.get(key, key): cast("Mapping[str, int]", part).get(key, 0) for key in _DELIVERED}
        note = "" if part.get("balanced", True) else "NOT BALANCED: not every expected delivery ended once"
        items["counts"] = facts("Outcome of every expected delivery of match data", counts, note)
    return items | dict(_delivery_by_kind(run)) | dict(_reconnects(run))


def _reconnects(run: RunView) -> Items:
    """Return connections that were lost or dropped during a match, and the reconnects."""
    counts = run.summary["counts"]
    numbers = {name: counts.get(name, 0) for name in (observer.RECONNECTS, observer.RECONNECTS_FAILED)}
    if not any(numbers.values()):
        return {}
    times = run.summary["samples_ms"].get(observer.RECONNECT)
    cells = figures(times) if times is not None else ("not measured",) * len(LATENCY_HEADERS)
    rows = (("until the player is back", *(f"{number:,}" for number in numbers.values()), *cells),)
    return {"reconnects": Table("Reconnects", ("", "succeeded", "failed", *LATENCY_HEADERS), rows)}


def _delivery_by_kind(run: RunView) -> Items:
    """Return each kind of message that bots record: the sample ``delivery.<kind>`` and its counts."""
    # A kind of which nothing was received has no sample.
    parts = {observer.delivery_total(kind): part for kind, part in run.summary.get("deliveries", {}).items()}
    times_of = {name: part["latency_ms"] for name, part in parts.items()} | run.summary["samples_ms"]
    kinds = {name: times for name, times in times_of.items() if _is_a_kind(name)}
    if not kinds:
        return {}
    counts = run.summary["counts"]
    rows = tuple(
        (name.removeprefix(_KIND_PREFIX), *(f"{_counted(counts, name, field):,}" for field in _DELIVERED),
         *figures(times))
        for name, times in kinds.items()
    )  # fmt: skip
    busiest = sorted(kinds, key=lambda name: -kinds[name]["count"])[:MOST_LINES]
    binned = {name: run.bins.samples[name] for name in busiest if name in run.bins.samples}
    items: dict[str, Item] = {"by kind": Table("By kind", ("kind", *_DELIVERED, *LATENCY_HEADERS), rows)}
    if binned:
        lines = {name.removeprefix(_KIND_PREFIX): merged(blocks) for name, blocks in binned.items()}
        items["distribution by kind"] = distribution("Delivery distribution by kind", lines)
    return items


def _counted(counts: Mapping[str, int], name: str, field: str) -> int:
    """Return a field of the deliveries behind the sample ``name``: all of a kind, or those of a scenario."""
    return counts.get(f"{name}_{field}" if name in _TOTALS else f"{name}.{field}", 0)


def _is_a_kind(name: str) -> bool:
    return name.startswith(_KIND_PREFIX) and not name.endswith(observer.CORRECTED)


def _with_corrected(run: RunView, name: str) -> dict[str, Any]:
    names = {name: name, f"{name}, corrected": name + observer.CORRECTED}
    return {
        shown: merged(run.bins.samples[sample]) for shown, sample in names.items() if sample in run.bins.samples
    }


def _ticks(run: RunView) -> Items:
    part = run.summary["ticks"]
    if not part["sent"] and not part["missed"]:
        return {}
    items: dict[str, Item] = {
        "table": Table("Match-state ticks", ("", "sent", "missed", *LATENCY_HEADERS),
                       (("lateness behind the plan", f"{part['sent']:,}", f"{part['missed']:,}",
                         *figures(part["lateness_ms"])),)),
    }  # fmt: skip
    if blocks := run.bins.samples.get(observer.TICK_LATENESS):
        items["chart"] = latency_over_time(run, "Tick lateness over time", {"lateness": blocks})
        items["distribution"] = distribution("Tick lateness distribution", {"lateness": merged(blocks)})
    return items


def _paced(run: RunView) -> Items:
    rows = run.summary["paced"]
    if not rows:
        return {}
    headers = ("name", "measured from", "count", *LATENCY_HEADERS)
    cells = tuple(
        (part["name"], since, f"{part['count']:,}", *figures(times))
        for part in rows
        for since, times in (("the send", part["raw_ms"]), ("when it was planned", part["corrected_ms"]))
    )
    return {"table": Table("Paced sends", headers, cells, left=2)}


def _arrivals(run: RunView) -> Items:
    part = run.summary["arrivals"]
    if not part["scheduled"] and not part["planned"]:
        return {}
    counts = {name.replace("_", " "): value for name, value in part.items() if isinstance(value, int)}
    times = times_table("From the plan to the start", {"delay": part["delay_ms"]})
    return {"counts": facts("Outcomes", counts), "delay": times}


def _slowest(run: RunView) -> Items:
    return {"lines": Lines(run.slowest)} if run.slowest else {}


def _errors(run: RunView) -> Items:
    errors = run.summary["errors"]
    if not errors:
        return {}
    items: dict[str, Item] = {}
    by_label: dict[str, list[int]] = {}
    for (kind, name, label), numbers in run.bins.errors.items():
        by_label[_cut(f"{kind} {name}: {label}")] = numbers
    worst = sorted(by_label.items(), key=lambda row: -sum(row[1]))[:MOST_LINES]
    if worst:
        rates = {label: per_second(run, numbers) for label, numbers in worst}
        items["chart"] = over_time(run, "Failures by kind", "per second", rates)
    rows = tuple(
        (error["kind"], error["name"], error["label"], error["example"], f"{error['count']:,}",
         f"{error['first_seen_s']:,.1f}")
        for error in errors[:_ERROR_EXAMPLES]
    )  # fmt: skip
    note = f"the {_ERROR_EXAMPLES} most frequent of {len(errors)}" if len(errors) > _ERROR_EXAMPLES else ""
    headers = ("kind", "name", "what", "earliest example", "count", "first at s")
    items["table"] = Table("Every kind of failure", headers, rows, left=4, note=note)
    return items


def _cut(label: str) -> str:
    return label if len(label) <= _TITLE else label[: _TITLE - 3] + "..."


def _ledger(run: RunView) -> Items:
    ledger = dict(run.summary["ledger"])
    balanced = ledger.pop("balanced")
    rows = {name.replace("_", " "): value for name, value in ledger.items()}
    note = "" if balanced else "NOT BALANCED: not every sent cid ended exactly once"
    return {"table": facts("Outcome of every cid", {"balanced": balanced, **rows}, note)}


def _own(run: RunView) -> Items:
    """Return names that scenarios define, and parts of later versions of the summary."""
    known = {*_TOTALS, observer.TICK_LATENESS, observer.RECONNECT, observer.SHARED_STAMP}
    samples = {
        name: times
        for name, times in run.summary["samples_ms"].items()
        if name not in known and not name.endswith(observer.CORRECTED) and not _is_a_kind(name)
    }
    items: dict[str, Item] = {}
    if samples:
        items["samples"] = times_table("Durations", samples, "name")
    counts: dict[str, object] = {
        name: many
        for name, many in run.summary["counts"].items()
        if name not in observer.COUNT_NAMES and not name.startswith(_KIND_PREFIX)
    }
    if any(run.summary["chat"].values()):
        counts = {f"chat {name}": many for name, many in run.summary["chat"].items()} | counts
    if counts:
        items["counts"] = facts("Counts", counts)
    others = [key for key in run.summary if key not in _SHOWN]
    return items | dict(_generic(run.summary, others))


def _about(run: RunView) -> Items:
    return {
        "versions": facts("Versions", run.summary["versions"]),
        "settings": facts("Settings", run.summary["settings"]),
    }


def _generic(summary: Summary, keys: Iterable[str]) -> Items:
    """Return parts of the summary without a section: objects as facts, lists of objects as tables."""
    items: dict[str, Item] = {}
    for key in keys:
        part = cast("Mapping[str, object]", summary).get(key)
        name = key.replace("_", " ").capitalize()
        if isinstance(part, dict):
            plain = {label.replace("_", " "): value for label, value in flat(part)}
            if plain:
                items[key] = facts(name, plain)
            for label, rows in part.items():
                if is_rows(rows):
                    items[f"{key}.{label}"] = rows_table(label.replace("_", " ").capitalize(), rows)
        elif is_rows(part):
            items[key] = rows_table(name, cast("list[dict[str, object]]", part))
    return items


BAR: Final = "\N{FULL BLOCK}"
"""Heading of a column of shares, drawn as bars."""


def _bar(share: float) -> str:
    return f"{min(1.0, share):.4f}"


SECTIONS: Final = (
    Section("capacity", "Capacity", capacity,
            "Every figure over the load, of the measured parts of the trials that count; green: the capacity "
            "and its 90 % interval."),
    Section("load", "Load", _load),
    Section("realtime", "Realtime: round trips per message", _realtime,
            "From writing a message with a cid to reading its answer."),
    Section("rest", "REST by route", _rest),
    Section("matchmaking", "Matchmaking", _matchmaking),
    Section("delivery", "Delivery", _delivery, "Messages between players of the run, on one clock."),
    Section("ticks", "Tick lateness", _ticks, "How late the bots send: caused by the generator."),
    Section("paced", "Corrected for coordinated omission", _paced,
            "A send that had to wait is late for its player too: corrected times count from the plan."),
    Section("arrivals", "Arrivals of the open load", _arrivals),
    Section("published", "Published figures", _published,
            "From another generator and server: a starting point, not a ranking."),
    Section("slowest", "Slowest calls", _slowest, "As nakama-bots explain prints them."),
    Section("errors", "Errors", _errors),
    Section("ledger", "Ledger", _ledger),
    Section("health", "Generator health", health),
    Section("bottleneck", "What breaks first", breaks_first,
            "The figures of the server and the players against the number of players, by the rules of "
            "docs/capacity.md."),
    Section("server", "Server metrics", server, "Read from the target itself, on the same time axis."),
    Section("own", "Other counts and durations", _own),
    Section("about", "Versions and settings", _about),
)  # fmt: skip
