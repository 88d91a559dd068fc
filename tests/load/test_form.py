"""Locust's start form with the Nakama fields, the result of each run on the Nakama tab, and a wrong key."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.load.web.pages import EMULATOR_BANNER
from nakama_bots.results.run_folder import read_summary

from .running import SERVER_KEY, SPAWNED, TRACE, Locust, poll
from .test_web import NOBODY, Web

TWO = """
from locust import constant, task
from nakama_bots.load import NakamaUser

class Caller(NakamaUser):
    wait_time = constant(0.1)

    @task
    def call(self):
        self.player.socket.ping_pong()

class Mistaken(Caller):
    by_name_only = True

    @task
    def call(self):
        self.player.socket.rpc("there_is_no_such_function")
"""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("form")
    (folder / "two.py").write_text(TWO)
    web = Web(folder / "reports", locustfile=folder / "two.py")
    with web.locust:
        yield web
        web.locust.interrupt()
        assert web.locust.finish() in (0, 1)  # one of the runs has failures
        assert TRACE not in web.locust.output


def data(web: Web) -> dict[str, Any]:
    return dict(json.loads(web.page("/nakama/data")))


def check(web: Web, **form: object) -> dict[str, dict[str, str]]:
    return dict(json.loads(web.page("/nakama/check", **form)))


@pytest.mark.parametrize(
    ("field", "value", "accepted"),
    [
        ("nakama_load", "stagees:5/10s", "did you mean stages?"),
        ("nakama_gate", "none.toml", "the path of a TOML file"),
        ("nakama_seed", "-3", "a whole number from 0"),
        ("nakama_tick_rate", "", "a number of ticks a second"),
        ("nakama_scenario", "Caler", "did you mean Caller?"),
        ("host", "nonsense", "http://HOST[:PORT]"),
        ("user_count", "many", "a whole number from 0"),
        ("spawn_rate", "0", "a number above 0"),
    ],
)
def test_a_wrong_field_is_refused_and_starts_nothing(web: Web, field: str, value: str, accepted: str) -> None:
    assert accepted in check(web, **{field: value})["errors"].pop(field)
    answer = web.swarm(**{field: value})
    assert not answer["success"]
    assert field.removesuffix("_count") in answer["message"]


def test_an_error_in_a_gate_names_its_line(web: Web, tmp_path: Path) -> None:
    (tmp_path / "gate.toml").write_text("[[rule]]\ncall = 1\n")
    said = check(web, nakama_gate=tmp_path / "gate.toml")["errors"]["nakama_gate"]
    assert "gate.toml line 2" in said
    assert "did you mean calls?" in said


def test_the_page_names_the_emulator_before_a_start(web: Web) -> None:
    with EmulatorProcess.start() as other:
        said = check(web, host=other.url, changed="host")["notes"]["host"]
    assert said == EMULATOR_BANNER
    assert "started it" in check(web, host=data(web)["target"]["url"], changed="host")["notes"]["host"]


def test_the_form_sets_load_scenario_and_settings_of_one_run(web: Web) -> None:
    before = len(web.locust.folders) if web.locust.reports.exists() else 0
    assert web.swarm(nakama_load="soak:users=3,for=3s", nakama_scenario="Mistaken", nakama_seed=7)["success"]
    for _ in poll(lambda: len(data(web)["runs"]) > before):
        pass
    found = data(web)
    (folder,) = web.locust.folders[before:]
    summary = read_summary(folder)
    assert summary["run"]["scenario"] == "mistaken"
    assert summary["settings"]["seed"] == 7
    assert summary["settings"]["load"] == "soak:users=3,ramp=0s,for=3s"
    # The next form has the last values, and a number of users again.
    page = web.page("/")
    assert "soak:users=3,ramp=0s,for=3s" in page
    assert '"num_users"' in page
    # The tab shows the result in place of the last seconds.
    assert (found["phase"], found["now"]) == ("ended", None)
    run = found["runs"][0]
    assert run["verdict"]["verdict"] == "failed"
    assert run["totals"]["users"] == 3
    assert run["totals"]["failures"] > 0
    assert run["totals"]["errors"][0]["count"] == found["errors"][0]["count"] > 0
    assert "RPC function not found" in found["errors"][0]["example"]


def test_only_the_files_of_each_run_are_served(web: Web) -> None:
    before = len(data(web)["runs"])
    assert web.swarm(nakama_load="", nakama_scenario="all")["success"]
    for _ in poll(lambda: any(one["count"] for one in data(web)["messages"])):
        pass
    assert data(web)["phase"] == "running"
    web.stop()
    found = data(web)["runs"]
    assert len(found) == before + 1
    name = found[0]["name"]
    assert found[0]["verdict"]["verdict"] == "passed"
    assert name == web.locust.folders[-1].name
    assert "caller" in web.page(f"/nakama/runs/{name}/report.html")
    assert "report.html" in web.page(f"/nakama/runs/{name}/")
    assert json.loads(web.page(f"/nakama/runs/{name}/verdict.json"))["verdict"] == "passed"
    for path in (f"/nakama/runs/{name}/../../two.py", "/nakama/runs/other/report.html", "/nakama/runs/../"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            web.page(path)


def test_a_wrong_key_ends_before_any_load(tmp_path: Path) -> None:
    with EmulatorProcess.start(server_key=SERVER_KEY) as keyed:
        given = ("--host", keyed.url, "-u", "2", "-t", "60s")
        with Locust(tmp_path / "reports", *given, locustfile=NOBODY) as locust:
            assert locust.finish() == 2
        (line,) = (line for line in locust.output.splitlines() if line.startswith("nakama_bots: "))
        assert "--nakama-server-key: '<hidden>' cannot be used" in line
        assert "Server key invalid" in line
        assert SPAWNED not in locust.output
        web = Web(tmp_path / "web", "--host", keyed.url)
        with web.locust:
            assert "--nakama-server-key" in web.swarm()["message"]
            web.locust.interrupt()
            web.locust.finish()
        assert web.locust.folders == []
