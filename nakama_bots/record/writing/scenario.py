"""From a tape to the files of a scenario: the source and its data, and a report about them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from nakama_bots.players.replay import SUFFIX, VERSION
from nakama_bots.record.capture.tape import Tape
from nakama_bots.record.plan import ScenarioPlan, plan
from nakama_bots.record.redact import Redactor
from nakama_bots.record.state import packed
from nakama_bots.record.writing.code import width_for
from nakama_bots.record.writing.write import LEAST, Choices, Writer, role_calls, role_sends
from nakama_bots.results.files import write_whole

MOST_LINES: Final = 100
"""Lines of a scenario of 60 calls."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that is ready to be written."""

    source: str
    data: bytes
    report: list[str]
    """What was found, left constant, left out and replaced, a line each."""
    roles: int
    users: int
    """Users that play it together."""
    calls: int


def made_of(
    tape: Tape, path: Path, *, pace: str = "thinking", state: str = "replay", keep_texts: bool = False
) -> Scenario:
    """The scenario of a recording, to be written to ``path``."""
    redactor = Redactor(tape, keep_texts=keep_texts)
    planned = plan(tape, redactor)
    source = _source(planned, Choices(class_name(path), pace, state, width_for(path)))
    notes = list(planned.notes)
    series = packed(planned.series, redactor, notes) if state == "replay" else {}
    models = {one.name: one.model() for one in planned.series} if state == "model" else {}
    calls = {part.role.name: role_calls(part.role, redactor) for part in planned.parts}
    sent = {part.role.name: role_sends(part.role) for part in planned.parts}
    document: dict[str, Any] = {
        "version": VERSION, "players": planned.players, "calls": calls, "sent": sent, "state": series,
        "models": models, "values": planned.values,
    }  # fmt: skip
    data = orjson.dumps(document, option=orjson.OPT_INDENT_2 if not series else 0) + b"\n"
    report = [*planned.correlation.findings.lines(), *dict.fromkeys(notes)]
    if redactor.replaced:
        report.append(f"replaced: {redactor.replaced} secret or personal texts")
    source, leaked = _without(redactor, source)
    shown, leaked_data = _without(redactor, data.decode())
    if leaked or leaked_data:
        report.append("replaced: secrets in names or constants; look at the scenario before you share it")
    return Scenario(
        source, shown.encode(), report, len(planned.parts), planned.players, sum(map(len, calls.values()))
    )


def _source(planned: ScenarioPlan, choices: Choices) -> str:
    """The source, as short as it has to be."""
    calls = sum(len(part.role.calls) for part in planned.parts)
    source = ""
    for least in LEAST:
        source = Writer(planned, choices, least).source()
        if source.count("\n") <= max(MOST_LINES, calls * MOST_LINES // 60):
            break
    return source


def _without(redactor: Redactor, text: str) -> tuple[str, bool]:
    """The last look at a file: no known secret is in it, wherever it may have come from."""
    leaks = redactor.leaks(text)
    for one in leaks:
        text = text.replace(one, "x" * len(one))
    return text, bool(leaks)


def class_name(path: Path) -> str:
    """``my_game.py`` is ``MyGame``."""
    words = [word for word in re.split(r"[^0-9A-Za-z]+", path.stem) if word]
    name = "".join(word[0].upper() + word[1:] for word in words) or "Recorded"
    return name if name[0].isalpha() else f"Recorded{name}"


def save(scenario: Scenario, path: Path) -> list[Path]:
    """Write the files, each whole or not at all; ``OSError`` if that is not possible."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = path.with_suffix(SUFFIX)
    # The data first: a scenario without its data does not run.
    write_whole(data, [scenario.data])
    write_whole(path, [scenario.source.encode()])
    return [path, data]
