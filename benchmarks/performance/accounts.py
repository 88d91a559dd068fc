"""Creates the accounts of the benchmark before it begins: a login is measured, not a new account."""

from __future__ import annotations

import base64
import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from benchmarks.performance.running import PREFIX


def create_accounts(url: str, server_key: str, players: int) -> None:
    """Log in once with each device id of ``Stage.device_id``."""
    key = "Basic " + base64.b64encode(f"{server_key}:".encode()).decode()

    def one(number: int) -> None:
        request = urllib.request.Request(
            f"{url}/v2/account/authenticate/device?create=true",
            data=json.dumps({"id": f"{PREFIX}-1-w000-{number:06d}"}).encode(),
            headers={"Authorization": key},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            response.read()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(players)))
