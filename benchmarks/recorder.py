"""What the recorder's proxy adds to a round trip: ``python -m benchmarks.recorder``.

Two sockets to one emulator, one of them through the proxy, which is a process of its own, take turns: whatever
else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import gevent

from nakama_bots.clock import Ticker
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.observer import NullObserver
from nakama_bots.realtime.socket import Socket
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import GeventTransport
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Credentials, Target


def connected(url: str) -> Socket:
    """A socket of a new player."""
    target = Target.parse(url)
    transport = GeventTransport(Network())
    session = Client(target, Credentials(), transport=transport).authenticate_device("benchmark-recorder")
    transport.close()
    socket = Socket(target, observer=NullObserver())
    socket.connect(session)
    return socket


def measured(url: str, proxy_url: str, rate: float, seconds: float) -> tuple[list[float], list[float]]:
    """Round trips in seconds, direct and through the proxy, by turns, ``rate`` a second together."""
    sockets = (connected(url), connected(proxy_url))
    found: tuple[list[float], list[float]] = ([], [])
    ticker = Ticker(rate, perf_counter())
    for number in range(round(rate * seconds)):
        gevent.sleep(ticker.wait(perf_counter()))
        ticker.in_turn(perf_counter())
        started = perf_counter()
        sockets[number % 2].ping_pong()
        found[number % 2].append(perf_counter() - started)
    for socket in sockets:
        socket.close()
    return found


def percentile(values: list[float], share: float) -> float:
    """In milliseconds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=500.0, help="messages a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    with EmulatorProcess.start() as emulator, tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "nakama_bots.cli", "record", emulator.url, "--listen", "127.0.0.1:0",
            "-o", str(Path(folder) / "benchmark.py"),
        ]  # fmt: skip
        proxy = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert proxy.stderr is not None
        proxy_url = proxy.stderr.readline().split("connect to ")[1].split(" ")[0]
        try:
            direct, proxied = measured(emulator.url, proxy_url, options.rate, options.seconds)
        finally:
            proxy.terminate()
            proxy.communicate()
    for share in (0.5, 0.95, 0.99):
        one, two = percentile(direct, share), percentile(proxied, share)
        print(
            f"p{share * 100:.0f}: direct {one:.3f} ms, through the proxy {two:.3f} ms, added {two - one:.3f} ms"
        )


if __name__ == "__main__":
    main()
