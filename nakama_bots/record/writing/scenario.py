"""From a tape to the files of a scenario: the source and its data, and a report about them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from nakama_bots.errors import ConfigError
from nakama_bots.players.replay import SUFFIX, VERSION
from nakama_bots.realtime.catalog import REPLIES, Reply
from nakama_bots.record.capture.tape import Tape
from nakama_bots.record.plan import plan
from nakama_bots.record.redact import Redactor
from nakama_bots.record.roles import Role
from nakama_bots.record.state import packed
from nakama_bots.record.writing.write import RecordOptions, Writer
from nakama_bots.results.files import write_whole


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


def made_of(tape: Tape, options: RecordOptions) -> Scenario:
    redactor = Redactor(tape, keep_texts=options.keep_texts)
    planned = plan(tape, redactor)
    source = Writer(planned, options).source()
    notes = list(planned.notes)
    replayed = options.state == "replay"
    series = packed(planned.series, redactor, notes) if replayed else {}
    models = {} if replayed else {one.name: one.model() for one in planned.series}
    roles = [part.role for part in planned.parts]
    calls = {role.name: _compared(role, redactor) for role in roles}
    sent = {role.name: sum(call.name == "match_data_send" for call in role.calls) for role in roles}
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


def _compared(role: Role, redactor: Redactor) -> list[list[str]]:
    """What a verification compares: kind, name and outcome of each call."""
    return [
        [call.kind, redactor.part(call.name), call.error or "ok"]
        for call in role.calls
        if call.answered and REPLIES.get(call.name) is not Reply.NONE
    ]


def _without(redactor: Redactor, text: str) -> tuple[str, bool]:
    """The last look at a file: no known secret is in it, wherever it may have come from."""
    leaks = redactor.leaks(text)
    for one in leaks:
        text = text.replace(one, "x" * len(one))
    return text, bool(leaks)


def save(scenario: Scenario, path: Path) -> list[Path]:
    """Write the files, each whole or not at all; ``OSError`` if that is not possible."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = path.with_suffix(SUFFIX)
    # The data first: a scenario without its data does not run.
    write_whole(data, [scenario.data])
    write_whole(path, [scenario.source.encode()])
    return [path, data]


def check_output(path: Path, *, replace: bool = False) -> None:
    """``ConfigError`` if the scenario cannot be written there, found before anything is played.

    A file that exists may have been edited: only ``replace`` allows to write over it.
    """
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise ConfigError("--output", str(path), "the name of a Python module, as scenarios/mine.py")
    folder = next(one for one in path.absolute().parents if one.exists())
    if not folder.is_dir() or path.is_dir():
        raise ConfigError("--output", str(path), "a file in a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError("--output", str(path), f"a file in a folder that can be written to, unlike {folder}")
    if not replace and (path.exists() or path.with_suffix(SUFFIX).exists()):
        raise ConfigError("--output", str(path), "a name that no file has yet, or --force")


def finish(tape: Tape, options: RecordOptions, say: Callable[[str], object]) -> bool:
    """Write the scenario and say what is in it; False if nothing was recorded or nothing could be written."""
    scenario = made_of(tape, options)
    if not scenario.roles:
        for line in tape.notes:
            say(line)
        say(_nothing(tape))
        return False
    for line in scenario.report:
        say(line)
    return _saved(scenario, options.output, say)


def _nothing(tape: Tape) -> str:
    if not tape.calls:
        return "nothing was recorded: no player made a call"
    calls = "1 call" if len(tape.calls) == 1 else f"{len(tape.calls)} calls"
    return f"nothing was recorded: {calls} passed, but no player had logged in"


def _saved(scenario: Scenario, path: Path, say: Callable[[str], object]) -> bool:
    try:
        files = save(scenario, path)
    except OSError as error:
        # What was played cannot be played again: better on the terminal than lost.
        say(f"{path} could not be written ({error.strerror}); the scenario, without its data file:")
        sys.stdout.write(scenario.source)
        return False
    players = "1 player" if scenario.roles == 1 else f"{scenario.roles} players"
    lines = scenario.source.count("\n")
    say(f"wrote {files[0]} ({lines} lines) and {files[1].name}: {players}, {scenario.calls} calls")
    say(f"run it: locust -f {path} --headless -u {scenario.users * 10} -t 1m --host URL")
    return True
