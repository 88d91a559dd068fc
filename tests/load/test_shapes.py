"""Load profiles as Locust runs them: locally, in the web UI, with workers; and invalid combinations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from locust import LoadTestShape
from locust.argument_parser import get_parser
from locust.env import Environment

from nakama_bots.errors import ConfigError
from nakama_bots.load.capacity.search_run import SearchRun
from nakama_bots.load.open_model.shapes import ProfileShape, install
from nakama_bots.load.run import Run
from nakama_bots.settings.load_profile import LoadProfile

from .running import (
    LOCUSTFILES,
    QUICK,
    SPAWNED,
    TRACE,
    Locust,
    assert_timeline_adds_up,
    free_port,
    poll,
    run,
)
from .test_web import Web

NOBODY = LOCUSTFILES / "nobody.py"


def test_stages_set_the_users_and_the_end(tmp_path: Path) -> None:
    load = "stages:6/0s,6/15s,2/0s,2/15s"
    locust = run(tmp_path, "--nakama-load", load, locustfile=NOBODY)
    assert locust.finish() == 0
    assert TRACE not in locust.output
    assert re.findall(r"Shape test updating to (\d+) users", locust.output) == ["6", "2"]
    users = {row["gauges"]["users"] for row in locust.timeline if row["source"] != "server"}
    # A sample may fall into a change, so other numbers can appear between them.
    assert {2, 6} <= users
    assert max(users) == 6
    assert locust.summary["run"]["users"] == 6
    assert locust.summary["settings"]["load"] == load


def test_a_profile_from_a_file_over_two_workers(tmp_path: Path) -> None:
    profile = tmp_path / "load.toml"
    profile.write_text('[load]\nmodel = "steps"\nfrom = 2\nto = 4\nby = 2\neach = "10s"\n')
    processes = ("--processes", "2")
    locust = run(tmp_path / "reports", "--nakama-profile", str(profile), *processes, locustfile=NOBODY)
    assert locust.finish() == 0
    assert TRACE not in locust.output
    assert_timeline_adds_up(locust)
    assert locust.summary["run"]["users"] == 4
    assert locust.summary["settings"]["load"] == "steps:from=2,to=4,by=2,each=10s"


def test_the_run_time_ends_a_profile_early_and_the_web_ui_quits(tmp_path: Path) -> None:
    port = str(free_port())
    with Locust(
        tmp_path, "--nakama-load", "soak:users=2,for=1h", "-t", "2s", "--autostart", "--autoquit", "0",
        "--web-host", "127.0.0.1", "--web-port", port, locustfile=NOBODY, prefix=QUICK,
    ) as locust:  # fmt: skip
        # The run ends without a signal. It is invalid when a slow machine has answered no call in that time.
        assert locust.finish() in {0, 4}
    assert TRACE not in locust.output
    assert 0 < locust.summary["run"]["duration_s"] < 3600


def test_the_web_ui_starts_a_profile_twice(tmp_path: Path) -> None:
    web = Web(tmp_path, "--nakama-load", "soak:users=3,for=8s")
    with web.locust:
        for times in (1, 2):
            assert "ProfileShape" in web.page("/swarm", any="thing")
            web.locust.wait_for("Shape test stopping", times)
            for _ in poll(lambda number=times: len(list(tmp_path.glob("*/summary.json"))) == number):
                pass
        assert web.locust.output.count("(3 total users)") == 2
    assert TRACE not in web.locust.output


def installed(*given: str, shape: type[LoadTestShape] | None = None) -> Environment:
    options = get_parser(default_config_files=[]).parse_args(list(given))
    shapes = {"mine.Shape": shape()} if shape is not None else None
    environment = Environment(parsed_options=options, available_shape_classes=shapes)
    environment.create_local_runner()
    run = Run(environment)
    install(environment, LoadProfile.parse("soak:users=3,for=3s"), run.open, SearchRun(environment, run))
    return environment


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-u", "5"), "--users: 5 cannot be used; accepted: nothing beside the load profile 'soak'"),
        (("-r", "5"), "--spawn-rate: 5.0 cannot be used"),
        (("--class-picker",), "--class-picker: True cannot be used"),
    ],
)
def test_invalid_combinations(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        installed(*arguments)
    assert isinstance(installed().shape_class, ProfileShape)


def test_a_shape_of_the_locustfile_and_a_profile() -> None:
    class Shape(LoadTestShape):
        def tick(self) -> None:
            return None

    with pytest.raises(ConfigError, match=r"LoadTestShape of the locustfile: 'mine\.Shape' cannot be used"):
        installed(shape=Shape)


def test_a_bad_line_of_a_profile_ends_the_command_before_any_load(tmp_path: Path) -> None:
    profile = tmp_path / "load.toml"
    profile.write_text('[load]\nmodel = "soak"\nusers = -3\nfor = "3s"\n')
    locust = run(tmp_path / "reports", "--nakama-profile", str(profile), locustfile=NOBODY)
    assert locust.finish() == 2
    assert f"{profile} line 3: users: -3 cannot be used; accepted: a whole number from 1" in locust.output
    assert TRACE not in locust.output
    assert SPAWNED not in locust.output
