"""The CPU time of a socket round trip: 50 sockets, closed loop, application ping, three designs in one run.

``python -m benchmarks.roundtrip`` starts an emulator (``--url`` for another server) and runs, in turn and each
in a new process:

- ``full``: the cost for a scenario: the public ``Socket`` API, cid table, Locust's request event, the recorder;
- ``websocket-client``: the library's ``send`` and ``recv`` under gevent, replies matched by cid, no event;
- ``bare``: io watchers of the gevent hub on plain sockets, frames sliced by hand, matched by cid, no event.

The figure is the CPU time of the client process (user and system) divided by its round trips.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

DESIGNS = ("full", "websocket-client", "bare")
RESULTS = Path(__file__).parent / "results" / "roundtrip.json"
LIMITS = {"bare": 1.6, "websocket-client": 0.7}
"""The most CPU of the full path, as a multiple of the other design's."""


def token(url: str, number: int, server_key: str) -> tuple[str, str]:
    """Return token and refresh token of a device account, without this project's client."""
    request = urllib.request.Request(
        f"{url}/v2/account/authenticate/device?create=true",
        data=json.dumps({"id": f"benchmark-roundtrip-{number:04d}"}).encode(),
        headers={"Authorization": "Basic " + base64.b64encode(f"{server_key}:".encode()).decode()},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        body = json.load(response)
    return body["token"], body["refresh_token"]


def measure(seconds: float, counters: list[int], sleep: Callable[[float], object]) -> dict[str, float]:
    """Return CPU time and count of round trips over ``seconds``, after a warm-up of one second."""
    sleep(1.0)
    before, cpu, wall = sum(counters), time.process_time(), time.perf_counter()
    sleep(seconds)
    done, cpu, wall = sum(counters) - before, time.process_time() - cpu, time.perf_counter() - wall
    return {"round_trips": done, "cpu_us": cpu / done * 1e6, "round_trips_per_s": done / wall}


def run_full(url: str, sockets: int, seconds: float, server_key: str) -> dict[str, float]:
    """Measure the public API with Locust's event and the recorder."""
    import gevent
    from locust.env import Environment

    from nakama_bots.load.figures import bridge, bucketing
    from nakama_bots.load.figures.locust_totals import LocustTotals
    from nakama_bots.realtime.socket import Socket
    from nakama_bots.results.record.recorder import Recorder
    from nakama_bots.session import Session
    from nakama_bots.settings.target import Target

    bucketing.install()
    environment = Environment()
    environment.create_local_runner()
    recorder = Recorder(time.perf_counter())
    observer = bridge.LocustObserver(environment.events, recorder)
    locust = LocustTotals(environment, recorder)
    observer.table = locust.table
    locust.reset()
    counters = [0] * sockets
    target = Target.parse(url)

    def play(number: int) -> None:
        socket = Socket(target, observer=observer)
        socket.connect(Session(*token(url, number, server_key)))
        while True:
            socket.ping_pong()
            counters[number] += 1

    for number in range(sockets):
        gevent.spawn(play, number)
    figures = measure(seconds, counters, gevent.sleep)
    locust.table.flush()
    assert environment.stats.total.num_requests >= figures["round_trips"]
    return figures


def run_websocket_client(url: str, sockets: int, seconds: float, server_key: str) -> dict[str, float]:
    """Measure plain websocket-client, with one reading and one sending greenlet per socket."""
    from gevent import monkey

    monkey.patch_all()
    import gevent
    import orjson
    import websocket
    from gevent.event import AsyncResult

    counters = [0] * sockets
    parts = urlsplit(url)

    def play(number: int) -> None:
        session, _ = token(url, number, server_key)
        ws = websocket.create_connection(f"ws://{parts.netloc}/ws?token={session}")
        waiting: dict[str, AsyncResult[object]] = {}

        def read() -> None:
            while True:
                message = orjson.loads(ws.recv())
                waiting.pop(message["cid"]).set(message)

        gevent.spawn(read)
        cid = 0
        while True:
            cid += 1
            result: AsyncResult[object] = AsyncResult()
            waiting[str(cid)] = result
            ws.send(orjson.dumps({"cid": str(cid), "ping": {}}).decode())
            result.get()
            counters[number] += 1

    for number in range(sockets):
        gevent.spawn(play, number)
    return measure(seconds, counters, gevent.sleep)


def run_bare(url: str, sockets: int, seconds: float, server_key: str) -> dict[str, float]:
    """Measure the minimum on gevent: no API, no table of deadlines, no event, no fragmented frames."""
    import gevent
    import orjson
    import websocket
    from gevent.hub import Waiter

    counters = [0] * sockets
    parts = urlsplit(url)
    hub = gevent.get_hub()
    keep: list[object] = []

    def play(number: int) -> None:
        session, _ = token(url, number, server_key)
        ws = websocket.create_connection(f"ws://{parts.netloc}/ws?token={session}")
        sock = ws.sock
        assert sock is not None
        sock.settimeout(0)
        recv, send = sock.recv, sock.send
        waiting: dict[str, Waiter[object]] = {}

        def readable() -> None:
            data = recv(65536)
            position = 0
            while position < len(data):
                size = data[position + 1]
                start = position + 2
                position = start + size
                if data[start - 2] == 0x81:
                    message = orjson.loads(data[start:position])
                    waiting.pop(message["cid"]).switch(message)

        watcher = hub.loop.io(sock.fileno(), 1)
        watcher.start(readable)
        keep.extend((ws, watcher))
        cid = 0
        mask = b"\x12\x34\x56\x78"
        while True:
            cid += 1
            waiter: Waiter[object] = Waiter(hub)
            waiting[str(cid)] = waiter
            payload = orjson.dumps({"cid": str(cid), "ping": {}})
            size = len(payload)
            key = (mask * (size // 4 + 1))[:size]
            masked = (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(
                size, "little"
            )
            send(bytes((0x81, 0x80 | size)) + mask + masked)
            waiter.get()
            counters[number] += 1

    for number in range(sockets):
        gevent.spawn(play, number)
    return measure(seconds, counters, gevent.sleep)


RUNS = {"full": run_full, "websocket-client": run_websocket_client, "bare": run_bare}


def in_process(design: str, arguments: argparse.Namespace, url: str) -> dict[str, float]:
    """Measure in a fresh process: importing Locust patches, and designs must not share a heap."""
    command = [
        sys.executable, "-m", "benchmarks.roundtrip", "--design", design, "--url", url,
        "--sockets", str(arguments.sockets), "--seconds", str(arguments.seconds),
        "--server-key", arguments.server_key,
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=arguments.seconds + 60)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def compare(arguments: argparse.Namespace, url: str) -> int:
    """Run all designs in turn, ``rounds`` times; return 0 if both ratios are within their limits."""
    raw: dict[str, list[dict[str, float]]] = {design: [] for design in DESIGNS}
    for number in range(arguments.rounds):
        for design in DESIGNS:
            figures = in_process(design, arguments, url)
            raw[design].append(figures)
            print(
                f"round {number + 1} {design:<17} {figures['cpu_us']:6.1f} us CPU per round trip"
                f" at {figures['round_trips_per_s']:8,.0f}/s",
                flush=True,
            )
    # Other load of the machine can only increase a figure: the minimum of the rounds is the design's.
    least = {design: min(figures["cpu_us"] for figures in raw[design]) for design in DESIGNS}
    ratios = {other: least["full"] / least[other] for other in LIMITS}
    medians = {
        other: statistics.median(
            full["cpu_us"] / against["cpu_us"] for full, against in zip(raw["full"], raw[other], strict=True)
        )
        for other in LIMITS
    }
    verdict = 0
    for other, ratio in ratios.items():
        good = ratio <= LIMITS[other]
        verdict |= not good
        print(
            f"full / {other}: {ratio:.2f} by the minimum of the rounds (limit {LIMITS[other]})"
            f" {'ok' if good else 'TOO SLOW'}; median of the rounds' ratios {medians[other]:.2f}"
        )
    results: Path = arguments.results
    results.parent.mkdir(parents=True, exist_ok=True)
    settings = {"sockets": arguments.sockets, "seconds": arguments.seconds, "rounds": arguments.rounds}
    machine = {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()}
    server = arguments.url or "emulator"
    document = {
        "server": server, "settings": settings, "machine": machine, "ratios": ratios, "medians": medians,
        "raw": raw,
    }  # fmt: skip
    results.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"raw figures: {results}")
    return verdict


def main() -> int:
    """Run the comparison, or one design of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.roundtrip", description=__doc__.split("\n")[0])
    parser.add_argument("--url", default="", help="server to use; default: an embedded emulator")
    parser.add_argument("--server-key", default="defaultkey")
    parser.add_argument("--sockets", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--results", type=Path, default=RESULTS, help="file for the raw figures")
    parser.add_argument("--design", choices=DESIGNS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.design:
        run = RUNS[arguments.design]
        print(json.dumps(run(arguments.url, arguments.sockets, arguments.seconds, arguments.server_key)))
        sys.stdout.flush()
        os._exit(0)  # the players' greenlets never end
    if arguments.url:
        return compare(arguments, arguments.url)
    from nakama_bots.emulator.server.process import EmulatorProcess

    with EmulatorProcess.start() as emulator:
        return compare(arguments, emulator.url)


if __name__ == "__main__":
    sys.exit(main())
