"""The CPU time of a REST request: both transports, and the bare libraries beneath them, in one run.

``python -m benchmarks.rest`` starts an emulator (``--url`` for another server) and runs a closed loop: every
player sends GET /v2/account, reads the answer, sends the next. Each row runs in a new process that gevent has
patched, as under Locust, and the rows alternate, so that a slow phase of the machine affects all:

- ``geventhttpclient``, ``requests``: ``Client.get_account`` with a transport per player, as bots use it;
- ``geventhttpclient shared``, ``requests shared``: the same over one pool for all players;
- ``bare geventhttpclient``, ``bare requests``: the library's client per player and ``orjson.loads``, without
  sessions, typed errors, deadlines, documents and events.

The figure is the CPU time of the client process (user and system) divided by its requests, the median of the
rounds. The exit code is 1 if this project's layer costs more than ``LIMIT`` times its bare library.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "rest.json"
LIMIT = 1.15
LIBRARIES = ("geventhttpclient", "requests")
ROWS = tuple(form.format(library) for library in LIBRARIES for form in ("{}", "{} shared", "bare {}"))


def client_calls(row: str, url: str, players: int) -> list[Callable[[], Any]]:
    """Return a call of this project's client for each player."""
    from nakama_bots.rest.client import Client
    from nakama_bots.rest.transports.transport import TRANSPORTS
    from nakama_bots.settings.target import Credentials, Target

    name, _, shared = row.partition(" ")
    target = Target.parse(url)
    pool = TRANSPORTS[name](size=players) if shared else None
    calls: list[Callable[[], Any]] = []
    for number in range(players):
        client = Client(target, Credentials(), transport=pool or TRANSPORTS[name]())
        session = client.authenticate_device(f"benchmark-rest-{number:06}")
        calls.append(lambda client=client, session=session: client.get_account(session))  # type: ignore[misc]
    return calls


def bare_calls(row: str, url: str, players: int) -> list[Callable[[], Any]]:
    """Return a call of the library itself for each player."""
    import orjson
    import requests
    from geventhttpclient import HTTPClient

    from nakama_bots.rest.client import Client
    from nakama_bots.rest.transports.transport import GeventTransport
    from nakama_bots.settings.target import Credentials, Target

    login = Client(Target.parse(url), Credentials(), transport=GeventTransport())

    def gevent_call(headers: dict[str, str]) -> Callable[[], Any]:
        http = HTTPClient.from_url(url, concurrency=1, connection_timeout=10, network_timeout=10)
        return lambda: orjson.loads(http.get("/v2/account", headers).read())

    def requests_call(headers: dict[str, str]) -> Callable[[], Any]:
        session = requests.Session()
        session.trust_env = False
        session.headers.update(headers)
        return lambda: orjson.loads(session.get(url + "/v2/account", timeout=10).content)

    make = gevent_call if row.endswith("geventhttpclient") else requests_call
    return [
        make({"Authorization": f"Bearer {login.authenticate_device(f'benchmark-rest-{number:06}').token}"})
        for number in range(players)
    ]


def measure(row: str, url: str, players: int, requests: int) -> float:
    """Return the CPU microseconds per request."""
    import gevent.monkey

    gevent.monkey.patch_all()
    import gevent

    calls = (bare_calls if row.startswith("bare") else client_calls)(row, url, players)

    def play(call: Callable[[], Any], times: int) -> None:
        for _ in range(times):
            call()

    def lap(times: int) -> None:
        gevent.joinall([gevent.spawn(play, call, times) for call in calls], raise_error=True)

    lap(3)
    each = max(1, requests // players)
    before = time.process_time()
    lap(each)
    return (time.process_time() - before) / (each * players) * 1e6


def child(row: str, url: str, arguments: argparse.Namespace) -> float:
    """Measure ``row`` in a new process."""
    command = [
        sys.executable, "-m", "benchmarks.rest", "--row", row, "--url", url,
        "--players", str(arguments.players), "--requests", str(arguments.requests),
    ]  # fmt: skip
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def compare(arguments: argparse.Namespace, url: str) -> int:
    """Run every row in turn, print and save the figures; return 1 if the layer costs too much."""
    raw: dict[str, list[float]] = {row: [] for row in ROWS}
    for _ in range(arguments.rounds):
        for row in ROWS:
            raw[row].append(child(row, url, arguments))
    middle = {row: statistics.median(figures) for row, figures in raw.items()}
    print(f"CPU µs per request, {arguments.players} players, {arguments.requests} requests a round, {url}")
    for row, figures in raw.items():
        print(f"{row:26} {middle[row]:7.1f}  {[round(figure, 1) for figure in figures]}")
    ratios = {library: middle[library] / middle[f"bare {library}"] for library in LIBRARIES}
    for library, ratio in ratios.items():
        verdict = "ok" if ratio <= LIMIT else "TOO MUCH"
        print(f"{library}: {ratio:.2f} x the bare library, at most {LIMIT}: {verdict}")
    document = {
        "server": "an embedded emulator" if not arguments.url else url,
        "settings": {name: getattr(arguments, name) for name in ("players", "requests", "rounds")},
        "machine": {
            "python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count(),
        },
        "limit": LIMIT,
        "ratios": ratios,
        "raw_cpu_us": raw,
    }  # fmt: skip
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    arguments.results.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"raw figures: {arguments.results}")
    return int(any(ratio > LIMIT for ratio in ratios.values()))


def main() -> int:
    """Run the comparison, or one row of it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rest", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--url", default="", help="server to use; default: an embedded emulator")
    parser.add_argument("--players", type=int, default=50)
    parser.add_argument("--requests", type=int, default=5000, help="requests per row and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=RESULTS, help="file for the raw figures")
    parser.add_argument("--row", choices=ROWS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(measure(arguments.row, arguments.url, arguments.players, arguments.requests))
        return 0
    if arguments.url:
        return compare(arguments, arguments.url)
    from nakama_bots.emulator.server.process import EmulatorProcess

    with EmulatorProcess.start() as emulator:
        return compare(arguments, emulator.url)


if __name__ == "__main__":
    sys.exit(main())
