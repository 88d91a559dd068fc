"""The Nakama tab in a real Chromium during a run, and the lines or the table of a headless run."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, chromium, needs_chromium

from .running import LOCUSTFILES, QUICK, ROOT, TIMEOUT, TRACE, Locust, poll, run
from .test_web import Web

CHART = "Array.from(document.querySelectorAll('.chart:not([hidden]) path')).map(path => path.getAttribute('d'))"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    reports = tmp_path_factory.mktemp("live") / "reports"
    web = Web(reports, "--processes", "2", locustfile=ROOT / "locustfile.py")
    with web.locust:
        yield web
        web.locust.interrupt()
        assert web.locust.finish() == 0


@needs_chromium
def test_clicking_through_the_page_during_a_run(web: Web, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile") as browser:
        home = f"http://127.0.0.1:{web.port}/"
        browser.open(home)
        _until(browser, "document.getElementById('nakama-tab')")
        # No run yet: the page says so and draws nothing.
        browser.ask("document.getElementById('nakama-tab').click()")
        _until(browser, "document.querySelector('#target')?.textContent.includes('EMULATOR')")
        assert browser.driver.current_url == f"{home}nakama"
        assert browser.ask("return document.getElementById('health').textContent") == "generator idle"
        assert browser.ask(f"return {CHART}") == []
        assert web.swarm(user_count=6, spawn_rate=6)["success"]
        _until(browser, _tile("sockets") + " === '6'")
        _until(browser, f"{CHART}.length >= 8")
        _until(browser, "document.getElementById('messages').textContent.includes('match_join')")
        _until(browser, "document.querySelectorAll('#processes tbody tr').length === 2")
        _until(browser, "document.querySelector('#funnel .bar')")
        assert browser.ask("return document.getElementById('health').textContent") == "generator ok"
        assert browser.ask("return document.getElementById('reasons').hidden")
        # The chart moves.
        before = browser.ask(f"return {CHART}.join()")
        _until(browser, f"{CHART}.join() !== arguments[0]", before)
        # The values at the pointer are shown.
        browser.ask(
            "const chart = document.querySelector('.chart svg');"
            "const edge = chart.getBoundingClientRect().right - 20;"
            "chart.dispatchEvent(new PointerEvent('pointermove', {clientX: edge}))"
        )
        legend = browser.ask("return document.querySelector('.chart .legend').lastChild.textContent")
        assert legend.startswith("at 0:")
        theme = browser.ask("return document.documentElement.dataset.theme")
        browser.ask("document.getElementById('theme').click()")
        assert browser.ask("return document.documentElement.dataset.theme") != theme
        browser.screenshot(tmp_path / "live.png")
        # Back to Locust's page, which links to the tab.
        browser.ask("document.getElementById('back').click()")
        _until(browser, "document.querySelector('[role=tablist] #nakama-tab')")
        browser.ask("document.getElementById('nakama-tab').click()")
        _until(browser, "document.querySelector('#tiles')")
        web.stop()
        _until(browser, "document.getElementById('state').textContent.includes('stopped')")
        assert all(url.startswith(home) for url in browser.loaded())
        assert browser.complaints() == []
    assert TRACE not in web.locust.output


def test_the_figures_as_json(web: Web) -> None:
    assert web.swarm(user_count=4, spawn_rate=4)["success"]

    def found() -> dict:
        return dict(json.loads(web.page("/nakama/data")))

    for _ in poll(lambda: found()["now"]["sockets"] == 4):
        pass
    data = found()
    assert data["target"]["is_emulator"]
    assert {"name": "connect", "kind": "WS"}.items() <= next(
        one for one in data["messages"] if one["name"] == "connect"
    ).items()
    web.stop()


def test_a_headless_run_prints_the_figures_in_a_line(tmp_path: Path) -> None:
    given = ("-u", "4", "-r", "4", "-t", "5s", "--nakama-live", "lines", "--nakama-live-interval", "1")
    locust = run(tmp_path, *given)
    assert locust.finish() == 0
    lines = [line for line in locust.output.splitlines() if "in flight" in line]
    assert len(lines) >= 3
    assert "4 users, 4 sockets" in lines[-1]
    assert "rt/s p50" in lines[-1]
    assert "generator ok" in lines[-1]
    assert "tickets " in lines[-1]
    assert re.search(r" 0:0\d of 0:05 \(\d+%\), 0:0\d left \| ", lines[-1])
    assert locust.output.count("Aggregated") == 2  # only Locust's tables at the end


def test_a_terminal_shows_a_table_below_the_log(tmp_path: Path) -> None:
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    command = [
        sys.executable, "-m", "locust", "-f", str(LOCUSTFILES / "nobody.py"), "--headless", *QUICK,
        "-u", "3", "-t", "6s", "--nakama-reports", str(tmp_path),
    ]  # fmt: skip
    given = {name: value for name, value in os.environ.items() if not name.startswith("NAKAMA_")}
    environment = given | {"TERM": "xterm", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=writing, stdout=writing, stderr=writing, env=environment) as process:
        os.close(writing)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal was closed
            while part := os.read(reading, 65536):
                shown += part
        assert process.wait(TIMEOUT) == 0, shown.decode()
    os.close(reading)
    drawn, _, after = shown.decode().partition("--run-time limit reached")
    assert "EMULATOR, not a real Nakama server" in drawn
    assert re.search(r"0:0\d of 0:06 .*0:0\d left", drawn)
    assert "\x1b[2K" in drawn  # erased and drawn again
    assert "Aggregated" not in drawn
    assert "run: PASSED" in after


def test_a_slow_generator_is_reported_at_once_without_live_lines(tmp_path: Path) -> None:
    with Locust(
        tmp_path, "-u", "10", "-r", "10", "-t", "20s", "--nakama-live", "lines", "--nakama-live-interval", "0",
        "--nakama-health-limits", "loop_busy=0.01,seconds=1,share=0",
        locustfile=LOCUSTFILES / "burning.py", prefix=("--headless", *QUICK),
    ) as locust:  # fmt: skip
        locust.wait_for("generator too slow, the run is invalid: local: ")
        # On an idle machine the CPU limit is exceeded too, and reported first.
        locust.wait_for("local: loop busy above 1 %")
        assert "in flight" not in locust.output
        locust.interrupt()
        assert locust.finish() == 4


def _tile(name: str) -> str:
    return f"document.querySelector('#tile-{name} b')?.textContent"


def _until(browser: Browser, condition: str, *values: object) -> None:
    for _ in poll(lambda: bool(browser.ask(f"return !!({condition})", *values))):
        pass
