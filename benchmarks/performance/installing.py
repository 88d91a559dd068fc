"""Installs what contestants of other languages need, into a cache folder: none of it is in the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).parent / "contestants"
DEBIAN: Final = Path("/usr/share/gocode/src/github.com/gorilla/websocket")
"""Where golang-github-gorilla-websocket-dev has the module, for a machine that reaches no module proxy."""
_LIMIT: Final = 600.0
_SHOWN: Final = 200


class Missing(Exception):
    """Something cannot be installed; the message says why."""


def install(needs: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what to start by the name of a need, and why a need is missing."""
    found: dict[str, str] = {}
    missing: dict[str, str] = {}
    for need in sorted(needs):
        try:
            found |= _INSTALLERS[need](_folder(need))
        except Missing as error:
            missing[need] = str(error)
    return found, missing


def _folder(need: str) -> Path:
    """Return the folder for a need, with this project's own sources in it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "nakama_bots" / "benchmarks" / need
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(SOURCES / need, folder, dirs_exist_ok=True)
    return folder


def _node(folder: Path) -> dict[str, str]:
    """Install the packages of package.json, unless the same ones are there."""
    node, npm = _program("node"), _program("npm")
    wanted = (folder / "package.json").read_text(encoding="utf-8")
    done = folder / "node_modules" / ".installed"
    if not done.exists() or done.read_text(encoding="utf-8") != wanted:
        _run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"], folder)
        done.write_text(wanted, encoding="utf-8")
    return {"node": node, "node_folder": str(folder)}


def _go(folder: Path) -> dict[str, str]:
    """Build the program with the module from the proxy, or from Debian's package."""
    go = os.environ.get("GO") or _program("go")
    program = folder / "program"
    build = [go, "build", "-mod=mod", "-o", str(program), "."]
    try:
        _run(build, folder)
    except Missing:
        if not DEBIAN.is_dir():
            raise
        _run([go, "mod", "edit", f"-replace=github.com/gorilla/websocket={DEBIAN}"], folder)
        _run(build, folder, {"GOFLAGS": "-mod=mod", "GOPROXY": "off"})
    return {"go": str(program)}


_INSTALLERS: Final[Mapping[str, Callable[[Path], dict[str, str]]]] = {"node": _node, "go": _go}


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Missing(f"there is no {name} on PATH")
    return path


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str] = {}) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_LIMIT, check=False,
            env={**os.environ, **environment},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{Path(command[0]).name}: {error}") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise Missing(f"{Path(command[0]).name} {command[1]}: {said[:_SHOWN]}")
