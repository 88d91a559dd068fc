"""The summary of the contract cases names the server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_summary_names_the_server(workers: list[str], tmp_path: Path) -> None:
    case = "tests/contract/test_rpc.py::test_without_payload"
    options = ["-p", "no:cacheprovider", f"--basetemp={tmp_path / 'inner'}", *workers]
    command = [sys.executable, "-m", "pytest", *options, case]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("NAKAMA_", "PYTEST_"))
    }
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stdout
    assert "against the emulator: 1 passed, 0 skipped\n" in run.stdout
