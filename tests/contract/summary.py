"""Which server the contract cases ran against, what it lacks, and what became of the cases.

The hooks are those of ``tests/conftest.py``: under xdist the process that reports loads no other.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

# What each process found: {server: [modules that it lacks]}.
FOUND: Final = pytest.StashKey[dict[str, list[str]]]()
_OUTPUT: Final = "contract_servers"


def note(config: pytest.Config, server: str, lacking: list[str]) -> None:
    """Remember a server for the summary."""
    config.stash.setdefault(FOUND, {})[server] = lacking


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker: hand what was found to the process that reports."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_OUTPUT] = session.config.stash.get(FOUND, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the process that reports: take what a worker found; one that died gives nothing."""
    for server, lacking in getattr(node, "workeroutput", {}).get(_OUTPUT, {}).items():
        note(node.config, server, lacking)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """A section of its own: a forgotten NAKAMA_URL must not look like a run against a real server."""
    servers = config.stash.get(FOUND, {})
    if not servers:
        return
    here = [
        (outcome, report)
        for outcome in ("passed", "failed", "error", "xfailed", "xpassed", "skipped")
        for report in terminalreporter.stats.get(outcome, ())
        if "tests/contract/" in getattr(report, "nodeid", "")
    ]
    counts = {name: sum(1 for outcome, _ in here if outcome == name) for name, _ in here}
    text = ", ".join(f"{number} {name}" for name, number in counts.items())
    terminalreporter.section("contract")
    terminalreporter.line(
        f"against {' and '.join(sorted(servers))}: {text}, {counts.get('skipped', 0)} skipped"
    )
    for server, lacking in servers.items():
        if lacking:
            terminalreporter.line(f"{server} lacks the runtime modules {', '.join(lacking)}")
    for outcome, report in here:
        if outcome == "skipped":
            terminalreporter.line(f"skipped {report.nodeid}: {report.longrepr[2]}")
        elif outcome in ("xfailed", "xpassed"):
            terminalreporter.line(f"{outcome} {report.nodeid}: {report.wasxfail}")
