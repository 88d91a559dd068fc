"""The end-of-run summary as text: plain ASCII, at most 110 columns except for file names."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Final, Literal

from nakama_bots import observer
from nakama_bots.errors import safe_text
from nakama_bots.ledger import Ledger
from nakama_bots.results.capacity.answer import answer_lines
from nakama_bots.results.gate.findings import handler_failures
from nakama_bots.results.gate.rules import RuleOutcome
from nakama_bots.results.gate.verdict import Verdict
from nakama_bots.results.latency import Latency, shown_ms
from nakama_bots.results.record.gauges import CPU, GAUGES, HUB_LAG, MEMORY, SOCKETS
from nakama_bots.results.record.health import FIGURES, JUDGED, FigurePart, ProcessPart, short_source
from nakama_bots.results.record.recorder import ABANDONED
from nakama_bots.results.record.timeline import SERVER_PREFIX
from nakama_bots.results.record.workers import MISSING
from nakama_bots.results.show.bottleneck import bottleneck_lines
from nakama_bots.results.show.published import with_unit
from nakama_bots.results.summary import CallPart, DeliveryPart, MatchmakingPart, Summary, ended

WIDTH: Final = 110

_HEADER: Final = ("kind", "name", "count", "fails", "stopped", "p50 ms", "p95 ms", "p99 ms", "max ms")
_PACED_HEADER: Final = (
    "paced sends", "count", "raw p50", "p95", "p99", "max", "corrected p50", "p95", "p99", "max",
)  # fmt: skip
_GAP: Final = "  "
_INDENT: Final = " " * 8
_MARKS: Final = {RuleOutcome.PASSED: "pass", RuleOutcome.FAILED: "FAIL", RuleOutcome.WARNED: "warn"}
_NAME_AT_LEAST: Final = 12
_TIMES: Final[tuple[Literal["p50", "p95", "p99", "max"], ...]] = ("p50", "p95", "p99", "max")


def end_of_run(summary: Summary, files: Iterable[Path] = (), verdict: Verdict | None = None) -> str:
    """Return the text under Locust's table, without an end of line; empty parts are left out."""
    lines = [
        *(line for part in _PARTS for line in part(summary)),
        *_written(files),
        *(verdict_lines(verdict) if verdict is not None else []),
    ]
    # Parts have empty lines around them; one between two of them is enough.
    return "\n".join(line for line, next_ in zip(lines, [*lines[1:], "."], strict=True) if line or next_)


def _capacity(summary: Summary) -> list[str]:
    """Return the answer of a capacity search; the lines of trials are cut, the others wrapped."""
    part = summary.get("capacity")
    if part is None:
        return []
    lines = [""]
    for line in answer_lines(part):
        lines += wrap(_ascii(line), WIDTH, subsequent_indent=_INDENT, replace_whitespace=False) or [""]
    return [*lines, ""]


def _written(files: Iterable[Path]) -> list[str]:
    names: dict[Path, list[str]] = {}
    for path in files:
        names.setdefault(path.parent, []).append(path.name)
    lines = []
    for folder, inside in names.items():
        listed = wrap(", ".join(inside), WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
        lines += [f"written: {folder}/", *listed]
    return lines


def verdict_lines(verdict: Verdict) -> list[str]:
    """Return the verdict: the reasons that are not about rules, then the result of every rule."""
    of = f"gate {verdict.gate}" if verdict.gate is not None else "run"
    lines = [f"{of}: {verdict.outcome.value.upper()} (exit code {int(verdict.exit_code)})"]
    lines += [f"  {_ascii(line)}" for line in verdict.reasons]
    for result in verdict.results:
        line = f"{shorten(result.rule.heading, WIDTH - 8)}: {_ascii(result.message)}"
        mark = f"  {_MARKS[result.outcome]}  "
        lines += wrap(line, WIDTH, initial_indent=mark, subsequent_indent=_INDENT)
    return lines


def shorten(text: str, width: int) -> str:
    """Return ``text`` in at most ``width`` (5 or more) columns of ASCII, cut in the middle if it is longer."""
    text = _ascii(text)
    if len(text) <= width:
        return text
    head = (width - 3) // 2
    return f"{text[:head]}...{text[len(text) - (width - 3 - head) :]}"


def _ascii(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in safe_text(text))


def _heading(summary: Summary) -> list[str]:
    target, run = summary["target"], summary["run"]
    heading = shorten(f"{run['scenario']}: {run['users']:,} users for {run['duration_s']:,.1f} s", WIDTH)
    if not target["is_emulator"]:
        return [shorten(f"target: {target['url']}", WIDTH), heading, ""]
    bar = "!" * 80
    return [
        bar,
        shorten(f"!!! TARGET: THE EMULATOR at {target['url']}, NOT A NAKAMA SERVER", WIDTH),
        "!!! The figures describe this client and the emulator, not a real server.",
        bar,
        heading,
        "",
    ]


def _calls(summary: Summary) -> list[str]:
    """Return the table of the calls, and how they were timed."""
    rows = [_row(call) for call in summary["calls"]]
    table = _columns([_HEADER, *rows], left=2) if rows else ["no call was made"]
    return [*table, *timing_lines(summary), ""]


def aligned(rows: Sequence[tuple[str, ...]], widths: Sequence[int], left: Container[int]) -> list[str]:
    """Return rows as lines; columns in ``left`` are text, cut to their width, the others are numbers."""
    return [
        _GAP.join(
            shorten(cell, width).ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def widths_of(rows: Sequence[tuple[str, ...]]) -> list[int]:
    """Return the width that each column needs."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _columns(rows: Sequence[tuple[str, ...]], *, left: int) -> list[str]:
    """Align rows under their header; the first ``left`` columns are text, the last of these is cut to fit."""
    name = left - 1
    widths = widths_of(rows)
    others = sum(widths) - widths[name] + len(_GAP) * (len(widths) - 1)
    widths[name] = min(widths[name], max(_NAME_AT_LEAST, WIDTH - others))
    head, *lines = aligned(rows, widths, range(left))
    return [head, "-" * len(head), *lines]


def _row(call: CallPart) -> tuple[str, ...]:
    counts = (ended(call), call["failures"], call["outcomes"][ABANDONED])
    return (
        shorten(call["kind"], 12),
        call["name"],
        *(f"{count:,}" for count in counts),
        *_figures(call["ok_ms"]),
    )


def timing_lines(summary: Summary) -> list[str]:
    """What the times of the calls end with, and what the generator would have added to them."""
    timing = summary.get("timing")
    if timing is None:
        return []
    by_kernel, rest_by_kernel = timing["by_kernel"], timing.get("rest_by_kernel", 0)
    messages, answers = by_kernel + timing["in_process"], rest_by_kernel + timing.get("rest_in_process", 0)
    parts = []
    if by_kernel:
        parts.append(f"sockets: {by_kernel:,} of {messages:,} messages timed by the kernel")
    elif messages:
        parts.append("sockets: timed in the process, until an answer is read (the kernel gives no stamps)")
    if rest_by_kernel:
        parts.append(
            f"REST: {rest_by_kernel:,} of {answers:,} answers" + " timed by the kernel" * (not by_kernel)
        )
    elif answers:
        parts.append("REST: timed in the process")
    if (by_kernel and by_kernel < messages) or (rest_by_kernel and rest_by_kernel < answers):
        parts.append("the others until they were read")
    notes = []
    if timing.get("too_early"):
        notes.append(f"a stamp from before the send was not believed {timing['too_early']:,} times")
    if timing["clock_steps"]:
        notes.append(f"the wall clock was set {timing['clock_steps']} times")
    lines = ["; ".join(line) for line in (parts, notes) if line]
    if by_kernel + rest_by_kernel:
        waited = timing["waited_ms"]
        lines.append(f"answers waited in the generator (not in the times): {_spread(waited)}")
        lines += _shared(timing.get("shared_ms"), waited["count"] - rest_by_kernel)
    return lines


def _shared(shared: Latency | None, answers: int) -> list[str]:
    if shared is None or not shared["count"]:
        return []
    some = f"{shared['count']:,} of {answers:,} answers have a later message's stamp"
    return [f"{some}: their times are at most {shown_ms(shared['p99'])} ms (p99) too long"]


def _ticks(summary: Summary) -> list[str]:
    ticks = summary["ticks"]
    if not ticks["sent"] and not ticks["missed"]:
        return []
    late = ticks["lateness_ms"]
    return [f"ticks: {ticks['sent']:,} sent, {ticks['missed']:,} missed; late {_spread(late)}"]


def _deliveries(summary: Summary) -> list[str]:
    """Return the lines of each kind of message: chat is never counted as match data."""
    parts = summary.get("deliveries", {"match": summary["delivery"]})
    return [line for kind, part in parts.items() for line in _delivery(kind, part)]


def _delivery(kind: str, part: DeliveryPart) -> list[str]:
    if not part["expected"] and not part["received"]:
        return []
    ends = " + ".join(
        f"{name} {number:,}"
        for name, number in (
            ("received", part["received"]),
            ("missed while away", part.get("missed", 0)),
            ("lost", part["lost"]),
            ("unknown", part.get("unknown", 0)),
        )
    )
    relation = "=" if part.get("balanced", True) else "!= (NOT BALANCED)"
    more = "".join(f"; {name} {part[name]:,}" for name in ("duplicated", "reordered") if part[name])
    line = f"{kind} delivery: expected {part['expected']:,} {relation} {ends}"
    return [
        *wrap(line, WIDTH, subsequent_indent=_INDENT),
        f"{kind} delivery latency: {_spread(part['latency_ms'])}{more}",
    ]


def _reconnects(summary: Summary) -> list[str]:
    counts = summary["counts"]
    back, failed = counts.get(observer.RECONNECTS, 0), counts.get(observer.RECONNECTS_FAILED, 0)
    if not back and not failed:
        return []
    times = summary["samples_ms"].get(observer.RECONNECT)
    spread = f"; back after {_spread(times)}" if times is not None else ""
    return [f"reconnects: {back:,} succeeded, {failed:,} failed{spread}"]


def _matchmaking(summary: Summary) -> list[str]:
    matchmaking = summary["matchmaking"]
    if not matchmaking["tickets_added"]:
        return []
    tickets = (
        ("tickets", matchmaking["tickets_added"]),
        ("matched", matchmaking["tickets_matched"]),
        ("cancelled", matchmaking["tickets_cancelled"]),
        ("timed out", matchmaking["tickets_timed_out"]),
        ("joined their match", matchmaking.get("tickets_joined", 0)),
    )
    sizes = ", ".join(f"{size} x {number:,}" for size, number in matchmaking.get("match_sizes", {}).items())
    return [
        "matchmaking: " + ", ".join(f"{name} {number:,}" for name, number in tickets),
        f"matches: joined {matchmaking['matches_joined']:,}, played {matchmaking['matches_played']:,}"
        + (f"; players per match: {sizes} tickets" if sizes else ""),
        f"time to match: {_spread(matchmaking['time_to_match_ms'])}",
        *_intervals(matchmaking),
    ]


def _intervals(matchmaking: MatchmakingPart) -> list[str]:
    """Return the time to match in intervals of the server: an idle server takes half an interval on average."""
    interval = matchmaking.get("interval_s")
    found = matchmaking.get("intervals_to_match")
    if not interval or not found:
        return []
    shown = ", ".join(f"{name} {number:.2f}" for name, number in found.items())
    return [f"time to match in the server's intervals of {interval:g} s: {shown}"]


def _published(summary: Summary) -> list[str]:
    """Return the published figures beside those of the run, with their sources."""
    rows = summary.get("published", [])
    if not rows:
        return []
    found = [(row["figure"], with_unit(row["published"], row), with_unit(row["measured"], row)) for row in rows]
    by = [f"published by {by}" for by in dict.fromkeys(row["by"] for row in rows)]
    return ["", *_columns([("workload", "published", "measured"), *found], left=1), *by, ""]


def _chat(summary: Summary) -> list[str]:
    chat = summary["chat"]
    return [f"chat: {chat['sent']:,} sent, {chat['received']:,} received"] if any(chat.values()) else []


def _bottleneck(summary: Summary) -> list[str]:
    return [_ascii(line) for line in bottleneck_lines(summary, WIDTH)]


def _ledger(summary: Summary) -> list[str]:
    return [Ledger.from_counts(summary["counts"]).line()]


def _handlers(summary: Summary) -> list[str]:
    failures = handler_failures(summary)
    return wrap(f"push handlers and taps that failed: {', '.join(failures)}", WIDTH) if failures else []


def _workers(summary: Summary) -> list[str]:
    workers = summary["workers"]
    if not workers:
        return []
    missing = [worker for worker in workers if worker["state"] == MISSING]
    lines = [f"workers: {len(workers) - len(missing)} of {len(workers)} with complete figures"]
    for worker in missing:
        place = f"{worker['host']}, pid {worker['pid']}" if worker["host"] else worker["id"]
        age = worker["report_age_s"]
        heard = "never reported" if age is None else f"last report {age:.1f} s before the end"
        contributed = f"{worker['calls']:,} calls counted"
        lines += [
            shorten(f"  worker {worker['index']} ({place}) is MISSING: {heard}, {contributed}", WIDTH),
            f"    not among the figures: {worker['missing']}",
        ]
    return lines


def _arrivals(summary: Summary) -> list[str]:
    arrivals = summary["arrivals"]
    if not arrivals["planned"] and not arrivals["scheduled"]:
        return []
    drops = f"{arrivals['dropped_late']:,} too late, {arrivals['dropped_full']:,} without a free slot"
    ends = f"finished {arrivals['finished']:,}, failed {arrivals['failed']:,}, cut {arrivals['cut']:,}"
    started, dropped = f"{arrivals['started']:,} started", f"{arrivals['dropped']:,} dropped"
    lines = [
        f"arrivals: {arrivals['planned']:,} planned = {started} + {dropped} ({drops})",
        f"arrivals' ends: {ends}; started behind the plan {_spread(arrivals['delay_ms'])}",
    ]
    if arrivals["lost"]:
        lines.append(f"arrivals LOST with a worker: {arrivals['lost']:,} of {arrivals['scheduled']:,}")
    return lines


def _paced(summary: Summary) -> list[str]:
    paced = summary["paced"]
    if not paced:
        return []
    rows = [
        (part["name"], f"{part['count']:,}", *_figures(part["raw_ms"]), *_figures(part["corrected_ms"]))
        for part in paced
    ]
    note = "ms, from the send (raw) and from when it was planned (corrected for coordinated omission)"
    return ["", *_columns([_PACED_HEADER, *rows], left=1), note, ""]


def _health(summary: Summary) -> list[str]:
    health = summary["health"]
    if not health["processes"]:
        return ["generator: not measured"]
    header = ("generator", "state", *(FIGURES[name] for name in JUDGED))
    rows = [
        (
            short_source(process["source"]),
            _state(process),
            *(_mean_and_most(name, process["figures"].get(name)) for name in JUDGED),
        )
        for process in health["processes"]
    ]
    return ["", *_columns([header, *rows], left=1), "mean / highest second", ""]


def _state(process: ProcessPart) -> str:
    if not process["valid"]:
        return "TOO SLOW"
    return "not measured" if process.get("unmeasured") else "ok"


def _server(summary: Summary) -> list[str]:
    server = summary["server"]
    if not server["url"]:
        return []
    if not server["scrapes"]:
        return [shorten(f"server's metrics at {server['url']}: none; {server['error']}", WIDTH)]
    shown = [
        f"{label} {show(figure[which])}"
        for name, (label, which, show) in _SERVER.items()
        if (figure := server["gauges"].get(SERVER_PREFIX + name)) is not None
    ]
    failed = f", {server['failures']:,} failed: {server['error']}" if server["failures"] else ""
    return [shorten(f"server's own metrics ({server['scrapes']:,} reads{failed}):", WIDTH),
            shorten("  " + ", ".join(shown), WIDTH)]  # fmt: skip


_SERVER: Final[dict[str, tuple[str, Literal["mean", "max", "last"], Callable[[float], str]]]] = {
    "sessions": ("sessions at most", "max", GAUGES[SOCKETS].show),
    "presences": ("presences", "max", GAUGES[SOCKETS].show),
    "matches": ("matches", "max", GAUGES[SOCKETS].show),
    "latency_p95": ("latency p95", "last", GAUGES[HUB_LAG].show),
    "goroutines": ("goroutines", "max", GAUGES[SOCKETS].show),
    "cpu": ("CPU", "mean", GAUGES[CPU].show),
    "memory": ("memory", "max", GAUGES[MEMORY].show),
}


def _mean_and_most(name: str, figure: FigurePart | None) -> str:
    show = GAUGES[name].show
    return f"{show(figure['mean'])} / {show(figure['max'])}" if figure is not None else "-"


def _figures(times: Latency) -> tuple[str, ...]:
    return tuple(shown_ms(times[name]) for name in _TIMES)


def _spread(times: Latency) -> str:
    if not times["count"]:
        return "not measured"
    return ", ".join(f"{name} {shown_ms(times[name])}" for name in _TIMES) + " ms"


_PARTS: Final[tuple[Callable[[Summary], list[str]], ...]] = (
    _heading, _calls, _ticks, _deliveries, _reconnects, _matchmaking, _chat, _arrivals, _paced, _published,
    _health, _server, _bottleneck, _handlers, _ledger, _workers, _capacity,
)  # fmt: skip
