"""The web UI over HTTP: the banner, starting and stopping runs, and no secret on its pages."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.load.web.pages import EMULATOR_BANNER
from nakama_bots.results.run_folder import read_summary

from .running import (
    LOCUSTFILES,
    QUICK,
    SERVER_KEY,
    TIMEOUT,
    TRACE,
    Locust,
    assert_no_secret,
    calls,
    free_port,
    gone,
    poll,
)

NOBODY = LOCUSTFILES / "nobody.py"


class Web:
    """A Locust process with the web UI, and its pages."""

    def __init__(self, reports: Path, *arguments: str, locustfile: Path = NOBODY) -> None:
        self.port = free_port()
        self.locust = Locust(
            reports, "--web-port", str(self.port), "--web-host", "127.0.0.1", *arguments,
            locustfile=locustfile, prefix=QUICK,
        )  # fmt: skip
        self.locust.wait_for("Starting web interface")
        for _ in poll(self._up):
            pass

    def _up(self) -> bool:
        try:
            self.page("/")
        except urllib.error.URLError:
            return False
        return True

    def page(self, path: str, **form: object) -> str:
        data = urllib.parse.urlencode(form).encode() if form else None
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", data, timeout=30) as response:
            return str(response.read().decode())

    def swarm(self, **form: object) -> dict[str, Any]:
        return dict(json.loads(self.page("/swarm", **{"user_count": 2, "spawn_rate": 2, **form})))

    def wait_for_pings(self) -> None:
        # Not /stats/requests: Locust caches its answer for seconds, and it may be that of the other run.
        for _ in poll(lambda: "WS,ping" in self.page("/stats/requests/csv")):
            pass

    def stop(self) -> None:
        self.page("/stop", any="thing")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    web = Web(tmp_path_factory.mktemp("web") / "reports", "--nakama-server-key", SERVER_KEY)
    with web.locust:
        yield web
        web.locust.interrupt()
        assert web.locust.finish() == 0


def test_the_page_has_the_banner(web: Web) -> None:
    page = web.page("/")
    assert EMULATOR_BANNER in page
    assert "Locust" in page


def test_no_secret_setting_is_on_the_page(web: Web) -> None:
    page = web.page("/")
    assert SERVER_KEY not in page
    assert "nakama_server_key" not in page


def test_two_runs_in_one_process_have_a_folder_each(web: Web) -> None:
    counted = []
    for number in (1, 2):
        assert web.swarm()["success"]
        web.locust.wait_for("All users spawned", number)
        web.wait_for_pings()
        web.stop()
        web.locust.wait_for("cid ledger", number)
        summary = read_summary(web.locust.folders[-1])
        assert len(web.locust.folders) == number
        assert summary["ledger"]["balanced"]
        # New counts: every ping of this run, and none of the other run.
        rows = calls(summary)
        assert rows["WS", "connect"]["count"] == 2
        assert summary["ledger"]["sent"] == rows["WS", "ping"]["count"]
        assert summary["run"]["users"] == 2
        counted.append(rows)
    assert ("PUT", "/v2/account") in counted[0]
    assert ("PUT", "/v2/account") not in counted[1]  # the same accounts again
    assert TRACE not in web.locust.output


def test_a_run_can_start_while_a_webhook_is_silent(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/hook"
        web = Web(tmp_path / "reports", "--nakama-webhook", url)
        with web.locust:
            web.swarm()
            web.locust.wait_for("All users spawned")
            web.wait_for_pings()
            stopping = threading.Thread(target=web.stop)
            stopping.start()
            silent.settimeout(TIMEOUT)
            with silent.accept()[0]:  # the first run is over, and posts its verdict
                assert web.swarm()["success"]
                web.locust.wait_for("All users spawned", 2)
                web.wait_for_pings()
            stopping.join()
            web.locust.interrupt()
            with silent.accept()[0]:
                pass
            assert web.locust.finish() == 0, web.locust.output
        assert TRACE not in web.locust.output
        assert [read_summary(folder)["run"]["users"] for folder in web.locust.folders] == [2, 2]


@pytest.mark.parametrize("host", ["nonsense", "", "http://user:secret-word@127.0.0.1"])
def test_an_invalid_host_is_refused(host: str, web: Web) -> None:
    answer = web.swarm(host=host)
    assert not answer["success"]
    assert "http://HOST[:PORT]" in answer["message"]
    assert "secret-word" not in answer["message"]
    assert TRACE not in web.locust.output


@pytest.mark.parametrize(
    ("given", "named"), [({"user_count": -1}, "users: -1"), ({"spawn_rate": 0}, "spawn_rate: 0")], ids=str
)
def test_an_invalid_number_is_refused(given: dict[str, int], named: str, web: Web) -> None:
    answer = web.swarm(**given)
    assert not answer["success"]
    assert named in answer["message"]
    assert TRACE not in web.locust.output


@pytest.mark.parametrize("path", ["/nakama", "/nakama/data"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_other_origins_cannot_read_the_pages(path: str, method: str, web: Web) -> None:
    """Locust lets every origin read its own pages."""
    headers = {"Origin": "http://elsewhere.test", "Access-Control-Request-Method": "GET"}
    request = urllib.request.Request(f"http://127.0.0.1:{web.port}{path}", headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] is None
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_an_external_emulator_is_named_before_the_run_and_ctrl_c_ends_it(
    tmp_path: Path,
) -> None:
    with EmulatorProcess.start() as emulator:
        web = Web(tmp_path, "--host", emulator.url)
        with web.locust as locust:
            for _ in poll(lambda: EMULATOR_BANNER in web.page("/")):
                pass  # before any start
            assert web.swarm()["success"]
            for _ in poll(lambda: "WS,ping" in web.page("/stats/requests/csv")):
                pass
            assert EMULATOR_BANNER in web.page("/")
            locust.interrupt()
            assert locust.finish() == 0
    assert TRACE not in locust.output
    assert EMULATOR_BANNER in (locust.folders[0] / "locust.html").read_text()
    assert locust.summary["ledger"]["balanced"]
    assert_no_secret(locust)


def test_a_killed_emulator_ends_the_web_ui_too(tmp_path: Path) -> None:
    web = Web(tmp_path)
    with web.locust as locust:
        emulator = locust.emulator
        emulator.kill()
        assert gone(emulator)
        assert locust.finish() == 1
    assert "ended by itself" in locust.output
    assert TRACE not in locust.output
