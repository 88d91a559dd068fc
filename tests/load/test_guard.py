"""Loads that the settings do not allow are refused before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .running import LOCUSTFILES, SERVER_KEY, TRACE, run
from .test_web import Web

NOBODY = LOCUSTFILES / "nobody.py"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--host", "http://prod.invalid", "--nakama-server-key", SERVER_KEY), "looks like production"),
        (("--users", "3", "--nakama-max-users", "2"), "--users: 3 cannot be used; accepted: at most 2"),
    ],
)
def test_a_refused_load_ends_before_any_request(given: tuple[str, ...], message: str, tmp_path: Path) -> None:
    locust = run(tmp_path / "reports", "--run-time", "5", *given, locustfile=NOBODY)
    assert locust.finish() == 2
    [line] = [line for line in locust.output.splitlines() if line.startswith("nakama_bots: ")]
    assert message in line
    assert TRACE not in locust.output
    assert SERVER_KEY not in locust.output
    assert "Ramping" not in locust.output


def test_a_shape_that_starts_with_too_many_users_ends_the_run(tmp_path: Path) -> None:
    locust = run(tmp_path, "--nakama-max-users", "2", locustfile=LOCUSTFILES / "shaped.py")
    assert locust.finish() == 2
    assert "users: 3 cannot be used; accepted: at most 2, by --nakama-max-users" in locust.output
    assert TRACE not in locust.output


def test_a_shape_that_grows_beyond_the_limit_fails_the_run(tmp_path: Path) -> None:
    locust = run(tmp_path, "--nakama-max-users", "2", locustfile=LOCUSTFILES / "rising.py")
    assert locust.finish() == 1
    assert "run: FAILED (exit code 1)" in locust.output
    assert locust.output.count("users: 3 cannot be used; accepted: at most 2, by --nakama-max-users") >= 2
    assert locust.summary["run"]["users"] == 1
    assert TRACE not in locust.output


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    web = Web(
        tmp_path_factory.mktemp("guarded") / "reports",
        "--nakama-max-users", "2", "--nakama-allowed-hosts", "*.staging.invalid",
    )  # fmt: skip
    with web.locust:
        yield web
        web.locust.interrupt()
        web.locust.finish()


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"user_count": 3}, "at most 2"),
        ({"host": "http://game.invalid"}, "*.staging.invalid"),
        ({"host": "http://eu.staging.invalid"}, "--nakama-confirm-target eu.staging.invalid"),
    ],
)
def test_the_web_ui_refuses(form: dict[str, object], message: str, web: Web) -> None:
    answer = web.swarm(**form)
    assert not answer["success"]
    assert message in answer["message"]
    assert TRACE not in web.locust.output


def test_the_web_ui_starts_an_allowed_load(web: Web) -> None:
    assert web.swarm()["success"]
    web.locust.wait_for("All users spawned")
    web.stop()
