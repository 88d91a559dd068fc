"""The verdict on a run as a message of a Slack-compatible webhook. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nakama_bots.errors import safe_text
from nakama_bots.results.gate.verdict import VerdictPart

_LINES: Final = 10
_LINE_LENGTH: Final = 300
_MARKS: Final = {"passed": ":white_check_mark:", "failed": ":x:", "invalid": ":warning:"}


def message(verdict: VerdictPart, link: str) -> dict[str, str]:
    """What is posted: the verdict, why, and where the run is; ``link`` is a URL, a path or ""."""
    what = "the emulator" if verdict["is_emulator"] else verdict["target"]
    outcome = verdict["verdict"]
    head = (
        f"{_MARKS.get(outcome, '')} *{outcome.upper()}* (exit code {verdict['exit_code']}): "
        f"{_escaped(verdict['scenario'])} against {_escaped(what)}"
    )
    why = [f"• {_escaped(line)}" for line in verdict["why"][:_LINES]]
    more = len(verdict["why"]) - _LINES
    if more > 0:
        why.append(f"• and {more} more")
    where = f"<{_escaped(link)}|the job>" if link.startswith(("http://", "https://")) else _escaped(link)
    return {"text": "\n".join(filter(None, (head, *why, where)))}


def job_url(environment: Mapping[str, str]) -> str:
    """The page of the CI job that this is; "" where there is none, or none that is known."""
    if environment.get("CI_JOB_URL"):
        return environment["CI_JOB_URL"]
    server, repository, run = (
        environment.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""


def _escaped(text: str) -> str:
    """``text`` without what Slack acts on, such as a mention of everybody: its own three escapes."""
    text = safe_text(text, _LINE_LENGTH)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
