"""``nakama-bots gate``: judge a finished run by a gate file."""

from __future__ import annotations

import argparse
from pathlib import Path

from nakama_bots.results.gate.gate_file import read_gate
from nakama_bots.results.gate.rules import Gate, evaluate_all
from nakama_bots.results.gate.verdict import conclude
from nakama_bots.results.record.timeline import Timeline
from nakama_bots.results.run_folder import (
    TIMELINE_FILE,
    VERDICT_FILE,
    read_summary,
    read_timeline,
    read_verdict,
)
from nakama_bots.results.show.outputs import tell_ci, write_outputs
from nakama_bots.results.show.text import verdict_lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="a run's folder, or its summary.json")
    parser.add_argument(
        "--gate", metavar="FILE", type=Path, required=True, help="the gate file (docs/gates.md)"
    )
    parser.add_argument("--allow-emulator", action="store_true", help="let a run against the emulator pass")
    parser.add_argument(
        "--write", action="store_true", help="write verdict.json and the reports for CI into the run's folder"
    )


def run(arguments: argparse.Namespace) -> int:
    gate = read_gate(arguments.gate, allow_emulator=arguments.allow_emulator)
    path: Path = arguments.run_folder
    summary = read_summary(path)
    results = evaluate_all(gate, summary, _timeline(path, gate))
    faults, missing = _known(_folder(path))
    verdict = conclude(summary, gate, results, faults=faults, missing=missing)
    print("\n".join(verdict_lines(verdict)))
    if arguments.write:
        for file in write_outputs(_folder(path), summary, verdict):
            print(f"written: {file}")
    tell_ci(verdict, summary)
    return int(verdict.exit_code)


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _known(folder: Path) -> tuple[list[str], list[str]]:
    """Return the faults and gaps that the run itself recorded."""
    if not (folder / VERDICT_FILE).exists():
        return [], []
    verdict = read_verdict(folder)
    return verdict["faults"], verdict["missing"]


def _timeline(path: Path, gate: Gate) -> Timeline | None:
    """Read the time line if a rule needs it: a summary may come without one."""
    needed = any(rule.needs_timeline for rule in gate.rules)
    folder = _folder(path)
    return read_timeline(folder) if needed and (folder / TIMELINE_FILE).exists() else None
