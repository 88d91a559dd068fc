"""One recording from its start to its files, for the command and for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nakama_bots.errors import ConfigError
from nakama_bots.players.replay import SUFFIX
from nakama_bots.record.capture import har
from nakama_bots.record.capture.scribe import Scribe
from nakama_bots.record.capture.tape import Tape
from nakama_bots.record.capture.wire import Kept
from nakama_bots.record.writing.scenario import Scenario, made_of, save

PACES: Final = ("thinking", "recorded")
STATES: Final = ("replay", "model")


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """How a scenario is written; ``output`` is its file."""

    output: Path
    pace: str = "thinking"
    state: str = "replay"
    keep_texts: bool = False


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


def tape_of(kept: Kept) -> Tape:
    """What a proxy has kept."""
    tape = Tape()
    kept.read(Scribe(tape))
    return tape


def tape_of_har(path: Path) -> Tape:
    """What an HAR file has."""
    tape = Tape()
    har.read(path, Scribe(tape))
    return tape


def finish(tape: Tape, options: RecordOptions, say: Callable[[str], object]) -> bool:
    """Write the scenario and say what is in it; False if nothing was recorded or nothing could be written."""
    scenario = made_of(
        tape, options.output, pace=options.pace, state=options.state, keep_texts=options.keep_texts
    )
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
