"""Sets up a load test in the repository of a game from the files of ``ops/project``; replaces no file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nakama_bots.errors import file_errors

_TEMPLATE: Final = Path(__file__).parent / "project"

CI: Final = {"github": ".github/workflows/load-test.yml", "gitlab": ".gitlab-ci.yml", "none": ""}
"""The file of each kind of CI."""

FILES: Final = (
    "locustfile.py", "scenarios/__init__.py", "scenarios/example.py", "nakama_bots.toml", "locust.conf",
    "gates/ci.toml", "compose.yaml", ".gitignore",
)  # fmt: skip
"""The files of a project; their templates have the same names without a leading dot."""


@dataclass(slots=True)
class Scaffold:
    """The files that were written, and those that existed and were kept."""

    written: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)


def guess_ci(folder: Path) -> str:
    """The CI that a repository seems to use: ``gitlab`` if its remote or a file says so, else ``github``."""
    config = folder / ".git" / "config"
    on_gitlab = config.is_file() and "gitlab" in config.read_text(encoding="utf-8", errors="replace")
    return "gitlab" if on_gitlab or (folder / ".gitlab-ci.yml").exists() else "github"


def start_project(folder: Path, ci: str) -> Scaffold:
    """Write the project into ``folder``. Raises ``ConfigError`` if it is not writable."""
    templates = {name: name.removeprefix(".") for name in FILES}
    if CI[ci]:
        templates[CI[ci]] = f"{ci}.yml"
    done = Scaffold()
    for name, template in templates.items():
        target = folder / name
        if target.exists():
            done.kept.append(target)
            continue
        with file_errors("DIR", folder, "a writable folder"):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((_TEMPLATE / template).read_bytes())
        done.written.append(target)
    return done
