"""A comparison as text: a table for a terminal, and Markdown for a pull request."""

from __future__ import annotations

import math
from typing import Final

from nakama_bots.results.compare.comparison import FAILURES, JUDGED, Comparison, Difference, Row, Side, Source
from nakama_bots.results.show.markdown import escaped, table_row
from nakama_bots.results.show.text import aligned, shorten, widths_of

_HEADINGS: Final = ("", "name", "calls", "", "baseline", "run", "change", "between")
_LEFT: Final = (0, 1, 3)
_NAME: Final = 34
_MEASURED: Final = JUDGED | {Difference.NOISY}
_ALARMS: Final = {Difference.REGRESSED, Difference.LATE}


def table(comparison: Comparison) -> str:
    """Return the text without an end of line: judged figures, then those that could not be judged."""
    judged = [row for row in comparison["rows"] if row["verdict"] in _MEASURED]
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
    judged = [row for row in comparison["rows"] if row["verdict"] in _MEASURED]
    others = not_judged(comparison)
    lines = [f"### {verdict_line(comparison)}", "", f"Run: {escaped(_source(comparison['run']))}", ""]
    lines += [f"- baseline: {escaped(_source(baseline))}" for baseline in comparison["baselines"]]
    lines += [f"- **warning**: {escaped(warning)}" for warning in comparison["warnings"]]
    if judged:
        lines += [
            "",
            "| verdict | name | calls | | baseline | run | change | between |",
            "| --- | --- | ---: | --- | ---: | ---: | ---: | ---: |",
        ]
        lines += [_markdown_row(row) for row in judged]
    if others:
        lines += ["", "<details><summary>Not judged</summary>", ""]
        lines += [f"- {escaped(line)}" for line in others]
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def verdict_line(comparison: Comparison) -> str:
    """The outcome and its coverage in one line: ``SAME: 12 of 45 figures could be judged; ..``."""
    totals = comparison["totals"]
    counts = [
        f"{totals[verdict]} {verdict}"
        for verdict in (
            Difference.REGRESSED,
            Difference.LATE,
            Difference.IMPROVED,
            Difference.MISSING,
            Difference.NEW,
        )
        if totals[verdict]
    ]
    unmet = [f"required but not judged: {', '.join(comparison['unmet'])}"] if comparison["unmet"] else []
    parts = [", ".join(counts), _coverage(comparison), *unmet]
    return f"{comparison['verdict'].upper()}: {'; '.join(filter(None, parts))}"


def not_judged(comparison: Comparison) -> list[str]:
    """Return a line for each name with a statistic that could not be judged."""
    lines: dict[tuple[str, str, str], list[Row]] = {}
    for row in comparison["rows"]:
        if row["verdict"] not in _MEASURED:
            lines.setdefault((row["kind"], row["name"], row["verdict"]), []).append(row)
    return [
        f"{kind} {name}: {verdict}"
        + (f" for {', '.join(row['statistic'] for row in rows)}" if verdict == Difference.TOO_FEW else "")
        + f" ({rows[0]['run']['count']:,} calls, baseline {rows[0]['baseline']['count']:,})"
        for (kind, name, verdict), rows in lines.items()
    ]


def change(row: Row) -> str:
    """The change, with its sign and unit; "" when there is none."""
    return _changed(row["change"], row["statistic"])


def between(row: Row) -> str:
    """The interval of the change; "" when there is none."""
    ends = [_changed(row[end], row["statistic"]) for end in ("change_low", "change_high")]
    return " .. ".join(filter(None, ends))


def value(side: Side, statistic: str) -> str:
    """A value with its unit; "-" when there is none."""
    if side["value"] is None:
        return "-"
    return f"{side['value']:,.2f} {'%' if statistic == FAILURES else 'ms'}"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row["verdict"].upper() if row["verdict"] in _ALARMS else row["verdict"],
        shorten(f"{row['kind']} {row['name']}", _NAME),
        f"{row['run']['count']:,}",
        row["statistic"],
        value(row["baseline"], row["statistic"]),
        value(row["run"], row["statistic"]),
        change(row),
        between(row),
    )


def _markdown_row(row: Row) -> str:
    verdict, _, *cells = _cells(row)
    shown = f"**{verdict}**" if row["verdict"] in _ALARMS else verdict
    return table_row((shown, *map(escaped, (f"{row['kind']} {row['name']}", *cells))))


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


def _coverage(comparison: Comparison) -> str:
    """Return ``12 of 45 figures could be judged, 21 with too few calls ..``."""
    part = comparison["coverage"]
    text = f"{part['judged']} of {part['figures']} figures could be judged"
    reasons = [
        f"{number} {why}"
        for number, why in ((part["too_few"], "with too few calls"), (part["too_noisy"], "too noisy"))
        if number
    ]
    if not reasons:
        return text
    remedies = []
    if part["more_seconds"] is not None:
        remedies.append(_duration(part["more_seconds"]))
    if part["more_baselines"] is not None:
        number = part["more_baselines"]
        remedies.append(f"{number} more baseline{'s' if number > 1 else ''}")
    advice = " or ".join(remedies) or "a quieter machine or a paired run"
    return f"{text}, {' and '.join(reasons)} (to judge more: {advice})"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{math.ceil(seconds)} more seconds"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} more minutes"
