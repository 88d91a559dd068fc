"""axe-core finds no serious problem on the Nakama tab and on the report, in light and dark, wide and narrow."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from browser import Browser, chromium, needs_chromium

from nakama_bots.cli.main import main

from .running import TIMEOUT, poll
from .test_web import Web

HERE = Path(__file__).parent / "axe"
OFFLINE = ("EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "ENOTCACHED", "ENOTFOUND", "ETIMEDOUT")
RUN = """
const done = arguments[arguments.length - 1];
axe.run().then(found => done(found.violations
  .filter(one => ["serious", "critical"].includes(one.impact))
  .map(one => `${one.id}: ${one.nodes[0].html.slice(0, 200)}`)));
"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    command = [
        "npm",
        "ci",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefer-offline",
        "--fetch-retries=1",
    ]
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT)
    if done.returncode and any(code in done.stderr for code in OFFLINE):
        pytest.skip("npm has no network")
    assert done.returncode == 0, done.stderr
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


def findings(browser: Browser, axe: str) -> list[str]:
    browser.ask(axe)
    return list(browser.driver.execute_async_script(RUN))


@needs_chromium
def test_no_serious_findings(axe: str, tmp_path: Path) -> None:
    web = Web(tmp_path / "reports")
    with web.locust, chromium(tmp_path / "profile") as browser:
        tab = f"http://127.0.0.1:{web.port}/nakama"
        for number in (1, 2):
            assert web.swarm()["success"]
            for _ in poll(
                lambda: any(one["count"] for one in json.loads(web.page("/nakama/data"))["messages"])
            ):
                pass
            if number == 1:
                browser.open(tab)
                _until(browser, "document.querySelector('#messages tbody tr')")
                assert findings(browser, axe) == []
            web.stop()
        for dark in (False, True):
            browser.open(tab, dark=dark)
            _until(browser, "document.querySelectorAll('#runs tbody tr').length === 2")
            assert findings(browser, axe) == []
        web.locust.interrupt()
        web.locust.finish()
        both = tmp_path / "both.html"
        assert main(["report", *map(str, web.locust.folders), "-o", str(both)]) == 0
        for page in (web.locust.folders[0] / "report.html", both):
            for dark, width in ((False, 1360), (True, 400)):
                browser.open(page.as_uri(), dark=dark, width=width)
                assert findings(browser, axe) == []
                assert browser.ask("return document.documentElement.scrollWidth") == width


def _until(browser: Browser, condition: str) -> None:
    for _ in poll(lambda: bool(browser.ask(f"return !!({condition})"))):
        pass
