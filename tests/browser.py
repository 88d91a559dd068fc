"""A real Chromium for tests: headless, with nothing of its own going to the network.

Tests that need it are skipped where there is none; ``.ci/run`` installs it.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")

needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (Debian: chromium chromium-driver)"
)

_FLAGS = (
    "--headless", "--no-sandbox",
    "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--no-first-run", "--force-prefers-reduced-motion",
)  # fmt: skip


class Browser:
    """One tab. ``loaded`` and ``complaints`` are of the pages since the last look."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str, *, dark: bool = False, scripts: bool = True, width: int = 1360) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        self.driver.set_window_size(width, 900)
        self.driver.get(url)

    def ask(self, script: str, *values: Any) -> Any:
        """What ``script`` returns; of a page whose scripts are off as well."""
        return self.driver.execute_script(script, *values)

    def loaded(self) -> list[str]:
        """The addresses of everything that was asked for, but the browser's own pages and inline data."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        asked = (
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        )
        return [url for url in asked if not url.startswith(("data:", "chrome:", "about:"))]

    def complaints(self) -> list[str]:
        """What the console has of errors and warnings."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def screenshot(self, path: Path) -> None:
        """The whole page, however long."""
        height = self.ask("return document.documentElement.scrollHeight")
        width = self.ask("return document.documentElement.clientWidth")
        area = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        options = {"captureBeyondViewport": True, "clip": area}
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", options)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in ``folder``."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in (*_FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
