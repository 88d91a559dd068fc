"""The summary of the contract cases names the server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from nested import nested_pytest


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_summary_names_the_server(workers: list[str], tmp_path: Path) -> None:
    case = "tests/contract/test_rpc.py::test_without_payload"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("NAKAMA_", "PYTEST_"))
    }
    run = nested_pytest(tmp_path, *workers, case, environment=environment)
    assert run.returncode == 0, run.stdout
    assert "against the emulator: 1 passed, 0 skipped\n" in run.stdout
