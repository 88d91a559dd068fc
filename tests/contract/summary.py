"""Prints the server of the contract cases, its missing modules, and the outcomes.

``tests/conftest.py`` registers the hooks: under xdist the reporting process loads no other conftest.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

# The servers of each process: {server: [missing modules]}.
FOUND: Final = pytest.StashKey[dict[str, list[str]]]()
_OUTPUT: Final = "contract_servers"


def note(config: pytest.Config, server: str, lacking: list[str]) -> None:
    """Remember a server for the summary."""
    config.stash.setdefault(FOUND, {})[server] = lacking


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker: pass the result to the reporting process."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_OUTPUT] = session.config.stash.get(FOUND, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the reporting process: read a worker's result; a crashed worker has none."""
    for server, lacking in getattr(node, "workeroutput", {}).get(_OUTPUT, {}).items():
        note(node.config, server, lacking)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print a separate section: a forgotten NAKAMA_URL must not look like a run against a real server."""
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
