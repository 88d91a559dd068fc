"""The verdict on a run as a message of a Slack-compatible webhook. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nakama_bots.errors import safe_text
from nakama_bots.results.gate.verdict import VerdictPart

LONGEST_LINK: Final = 2000
"""Characters of a link; a longer one is left out, because a link that is cut leads nowhere."""

_LINES: Final = 10
_LINE_LENGTH: Final = 300
_MARKS: Final = {"passed": ":white_check_mark:", "failed": ":x:", "invalid": ":warning:"}


def message(verdict: VerdictPart, link: str) -> dict[str, str]:
    """Return what is posted: the verdict, why, and where the run is; ``link`` is a URL, a path or ""."""
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
    return {"text": "\n".join(filter(None, (head, *why, _where(link))))}


def job_url(environment: Mapping[str, str]) -> str:
    """Return the page of the CI job that runs this; "" outside of one, or of a CI that is not known."""
    if environment.get("CI_JOB_URL"):
        return environment["CI_JOB_URL"]
    server, repository, run = (
        environment.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""


def _where(link: str) -> str:
    shown = _escaped(link, LONGEST_LINK) if len(link) <= LONGEST_LINK else ""
    return f"<{shown}|the job>" if shown.startswith(("http://", "https://")) else shown


def _escaped(text: str, limit: int = _LINE_LENGTH) -> str:
    """Return ``text`` without what Slack acts on, such as a mention of everybody: its own three escapes."""
    text = safe_text(text, limit)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
