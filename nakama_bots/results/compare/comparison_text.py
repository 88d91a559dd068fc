"""A comparison as text: a table for a terminal, and Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nakama_bots.results.compare.comparison import (
    FAILURES,
    IMPROVED,
    JUDGED,
    LATE,
    MISSING,
    NEW,
    NOISY,
    REGRESSED,
    TOO_FEW,
    Comparison,
    Row,
    Side,
    Source,
)
from nakama_bots.results.compare.coverage import coverage_text
from nakama_bots.results.show.text import aligned, shorten, widths_of

_HEADINGS: Final = ("", "name", "calls", "", "baseline", "run", "change", "between")
_LEFT: Final = (0, 1, 3)
_NAME: Final = 34


def table(comparison: Comparison) -> str:
    """Return the text without an end of line: judged figures, then those that could not be judged."""
    judged = [row for row in comparison["rows"] if row["verdict"] in JUDGED or row["verdict"] == NOISY]
    lines = [
        f"run:      {_source(comparison['run'])}",
        *(f"baseline: {_source(baseline)}" for baseline in comparison["baselines"]),
        *(f"warning: {warning}" for warning in comparison["warnings"]),
        "",
    ]
    if judged:
        cells = [_HEADINGS, *(_cells(row) for row in judged)]
        lines += [line.rstrip() for line in aligned(cells, widths_of(cells), _LEFT)]
        lines.append("")
    others = not_judged(comparison)
    lines += [f"not judged: {line}" for line in others]
    return "\n".join([*lines, *([""] if others else []), verdict_line(comparison)])


def markdown(comparison: Comparison) -> str:
    """Return the same for a job summary or a pull request, with an end of line."""
    judged = [row for row in comparison["rows"] if row["verdict"] in JUDGED or row["verdict"] == NOISY]
    others = not_judged(comparison)
    lines = [f"### {verdict_line(comparison)}", "", f"Run: {_escaped(_source(comparison['run']))}", ""]
    lines += [f"- baseline: {_escaped(_source(baseline))}" for baseline in comparison["baselines"]]
    lines += [f"- **warning**: {_escaped(warning)}" for warning in comparison["warnings"]]
    if judged:
        lines += [
            "",
            "| verdict | name | calls | | baseline | run | change | between |",
            "| --- | --- | ---: | --- | ---: | ---: | ---: | ---: |",
        ]
        lines += [_markdown_row(row) for row in judged]
    if others:
        lines += ["", "<details><summary>Not judged</summary>", ""]
        lines += [f"- {_escaped(line)}" for line in others]
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def verdict_line(comparison: Comparison) -> str:
    """The outcome and its coverage in one line: ``SAME: 12 of 45 figures could be judged; ..``."""
    totals = comparison["totals"]
    counts = [
        f"{totals[verdict]} {verdict}"
        for verdict in (REGRESSED, LATE, IMPROVED, MISSING, NEW)
        if totals[verdict]
    ]
    unmet = [f"required but not judged: {', '.join(comparison['unmet'])}"] if comparison["unmet"] else []
    parts = [", ".join(counts), coverage_text(comparison["coverage"]), *unmet]
    return f"{comparison['verdict'].upper()}: {'; '.join(filter(None, parts))}"


def not_judged(comparison: Comparison) -> list[str]:
    """Return a line for each name with a statistic that could not be judged."""
    lines: dict[tuple[str, str, str], list[Row]] = {}
    for row in comparison["rows"]:
        if row["verdict"] not in JUDGED and row["verdict"] != NOISY:
            lines.setdefault((row["kind"], row["name"], row["verdict"]), []).append(row)
    return [
        f"{kind} {name}: {verdict}{_which(verdict, rows)} "
        f"({rows[0]['run']['count']:,} calls, baseline {rows[0]['baseline']['count']:,})"
        for (kind, name, verdict), rows in lines.items()
    ]


def change(row: Row) -> str:
    """The change, with its sign and unit; "" when there is none."""
    return _changed(row["change"], row["statistic"])


def between(row: Row) -> str:
    """The interval of the change; "" when there is none."""
    if row["change"] is None:
        return ""
    return (
        f"{_changed(row['change_low'], row['statistic'])} .. {_changed(row['change_high'], row['statistic'])}"
    )


def value(side: Side, statistic: str) -> str:
    """A value with its unit; "-" when there is none."""
    if side["value"] is None:
        return "-"
    return f"{side['value']:,.2f} {'%' if statistic == FAILURES else 'ms'}"


def _which(verdict: str, rows: Sequence[Row]) -> str:
    return " for " + ", ".join(row["statistic"] for row in rows) if verdict == TOO_FEW else ""


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row["verdict"].upper() if row["verdict"] in {REGRESSED, LATE} else row["verdict"],
        shorten(f"{row['kind']} {row['name']}", _NAME),
        f"{row['run']['count']:,}",
        row["statistic"],
        value(row["baseline"], row["statistic"]),
        value(row["run"], row["statistic"]),
        change(row),
        between(row),
    )


def _markdown_row(row: Row) -> str:
    verdict, *cells = _cells(row)
    shown = f"**{verdict}**" if row["verdict"] in {REGRESSED, LATE} else verdict
    cells[0] = f"`{row['kind']} {row['name']}`"
    return "| " + " | ".join([shown, *(_escaped(cell) for cell in cells)]) + " |"


def _changed(number: float | None, statistic: str) -> str:
    if number is None:
        return ""
    return f"{number:+.2f} pt" if statistic == FAILURES else f"{number * 100:+.1f} %"


def _source(source: Source) -> str:
    stand_in = " (THE EMULATOR)" if source["is_emulator"] else ""
    window = source["window"]
    return (
        f"{source['label']}: {source['scenario']}, {source['users']:,} users, {window['seconds']:,.0f} s "
        f"against {source['target']}{stand_in}"
    )


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
