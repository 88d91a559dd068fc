"""``nakama-bots init``: set up a load test in the repository of a game."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from nakama_bots.exit_codes import ExitCode
from nakama_bots.ops.scaffold import CI, guess_ci, start_project


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", type=Path, nargs="?", default=Path(), help="the repository")
    parser.add_argument(
        "--ci", choices=CI, help="CI file to write (default: asked for on a terminal, otherwise guessed)"
    )


def run(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.folder
    done = start_project(folder, arguments.ci or _ask(guess_ci(folder)))
    for path in done.written:
        print(f"wrote {path}")
    for path in done.kept:
        print(f"kept  {path} (it exists)")
    there = f"cd {folder} && " if folder.resolve() != Path.cwd() else ""
    print(f"\nNext: {there}locust --headless --users 4 --spawn-rate 4 --run-time 30s")
    print("It runs scenarios/example.py against an embedded emulator; use --host for your own server.")
    return ExitCode.PASSED


def _ask(guess: str) -> str:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("CI"):
        return guess
    answer = input(f"CI file ({', '.join(CI)}) [{guess}]: ").strip().lower()
    return answer if answer in CI else guess
