"""A run of pytest inside a test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]


def nested_pytest(
    tmp_path: Path,
    *arguments: str,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    python: Sequence[str] = ("-m", "pytest"),
) -> subprocess.CompletedProcess[str]:
    """Run pytest with ``arguments`` in ``cwd``. It keeps its temporary files in ``tmp_path``.

    At its end pytest removes those of earlier runs from the folder that all runs share, and two runs that do so
    at the same moment fail on each other's. ``python``: the interpreter's arguments before those of pytest.
    """
    options = ["-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'inner'}"]
    return subprocess.run(
        [sys.executable, *python, *options, *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
