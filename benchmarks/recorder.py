"""Measures the recorder: ``python -m benchmarks.recorder latency`` or ``bundled``.

``latency``: what the proxy adds to a round trip. Two sockets to one emulator, one of them through the proxy,
which is a process of its own, take turns: whatever else the machine does falls on both.

``bundled``: records each bundled scenario through the proxy, plays what was written once, and compares how
often each name was called. Exit code 1 if a scenario is too long or a count differs by more than 5 %.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

import gevent

from nakama_bots.clock import Ticker
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.observer import NullObserver
from nakama_bots.realtime.socket import Socket
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.transport import GeventTransport
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Credentials, Target

ROOT: Final = Path(__file__).parents[1]
COMMAND: Final = [sys.executable, "-m", "nakama_bots.cli", "record"]
TOLERANCE: Final = 0.05
LINES: Final = 100
"""Lines of a scenario of up to ``CALLS`` calls; more for more."""
CALLS: Final = 60
_PLAYERS: Final = {"fish_night": 3, "party_to_match": 4, "authentication_storm": 1}
_OTHERS: Final = 2
_LEFT_OUT: Final = ("__init__", "heroic_benchmarks")
"""The second has players without a socket, whose roles ``--verify`` takes for each other."""
_ROW: Final = re.compile(r"  (same|differs|missing|new) +(\S+ .+): .*")
_SENT: Final = re.compile(r"  sent +match_data_send: (\d+) of (\d+)")


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


@contextmanager
def recording(url: str, path: Path) -> Iterator[str]:
    """The URL of a recorder, which writes ``path`` at the end."""
    command = [*COMMAND, url, "--listen", "127.0.0.1:0", "-o", str(path), "--force"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        yield process.stderr.readline().split("connect to ")[1].split(" ")[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)


def latency(rate: float, seconds: float) -> int:
    """Measure and show."""
    with (
        EmulatorProcess.start() as emulator,
        tempfile.TemporaryDirectory() as folder,
        recording(emulator.url, Path(folder) / "benchmark.py") as proxy_url,
    ):
        direct, proxied = measured(emulator.url, proxy_url, rate, seconds)
    for share in (0.5, 0.95, 0.99):
        one, two = percentile(direct, share), percentile(proxied, share)
        print(
            f"p{share * 100:.0f}: direct {one:.3f} ms, through the proxy {two:.3f} ms, added {two - one:.3f} ms"
        )
    # A pause of the machine falls on one call or its neighbour: the pairs have what the proxy adds and that.
    pairs = [two - one for one, two in zip(direct, proxied, strict=True)]
    print(f"pairs: added p50 {percentile(pairs, 0.5):.3f} ms, p99 {percentile(pairs, 0.99):.3f} ms")
    return 0


@dataclass(slots=True)
class Outcome:
    """How a recorded scenario was played."""

    name: str
    calls: int
    lines: int
    recorded: Counter[str]
    played: Counter[str]
    said: str
    """The last line of the verification."""

    @property
    def most_lines(self) -> int:
        """Lines that it may have."""
        return max(LINES, self.calls * LINES // CALLS)

    @property
    def different(self) -> list[str]:
        """The names whose counts differ by more than allowed."""
        return [
            f"{name} {self.recorded[name]} -> {self.played[name]}"
            for name in sorted(self.recorded | self.played)
            if abs(self.recorded[name] - self.played[name]) > TOLERANCE * self.recorded[name]
        ]

    @property
    def well(self) -> bool:
        """True if it is short and plays the same."""
        return self.lines <= self.most_lines and not self.different


def bundled(names: Sequence[str], host: str, seconds: int, folder: Path) -> int:
    """Record, play and show each scenario."""
    outcomes = []
    for name in names or _bundled():
        if host:
            outcomes.append(_outcome(name, host, seconds, folder))
        else:
            long = ("--token-expiry", "7200", "--refresh-token-expiry", "86400")
            modules = ("--module", str(ROOT / "nakama_modules"))
            with EmulatorProcess.start(matchmaker_interval=0.3, extra=(*long, *modules)) as emulator:
                outcomes.append(_outcome(name, emulator.url, seconds, folder))
        print(_shown(outcomes[-1]), flush=True)
    well = sum(one.well for one in outcomes)
    print(
        f"{well} of {len(outcomes)} play the same names and counts, in at most {LINES} lines per {CALLS} calls"
    )
    return 0 if well == len(outcomes) else 1


def _bundled() -> list[str]:
    return [path.stem for path in sorted((ROOT / "scenarios").glob("*.py")) if path.stem not in _LEFT_OUT]


def _outcome(name: str, url: str, seconds: int, folder: Path) -> Outcome:
    path = folder / f"recorded_{name}.py"
    number = str(_PLAYERS.get(name, _OTHERS))
    off = "cpu=0,loop_busy=0,hub_lag=0,receive_wait=0,tick_lateness=0"  # the machine is not what is measured
    with recording(url, path) as proxy_url:
        subprocess.run(
            [sys.executable, "-m", "locust", "-f", f"scenarios/{name}.py", "--headless", "--host", proxy_url,
             "-u", number, "-r", number, "-t", f"{seconds}s", "--nakama-match-seconds", "2",
             "--nakama-health-limits", off, "--nakama-reports", str(folder / "reports"),
             *_CLASSES.get(name, ())],
            cwd=ROOT, capture_output=True, text=True, timeout=seconds + 120, check=False,
        )  # fmt: skip
    done = subprocess.run(
        [*COMMAND, url, "-o", str(path), "--verify"], capture_output=True, text=True, timeout=700, check=False
    )
    path.with_suffix(".txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    recorded, played = _counts(done.stdout)
    calls = sum(number for name, number in recorded.items() if name != "match_data_send")
    said = (done.stdout.splitlines() or [done.stderr.strip()])[-1]
    return Outcome(name, calls, path.read_text().count("\n"), recorded, played, said)


_CLASSES: Final = {"fish_night": ("FishNight",)}


def _counts(shown: str) -> tuple[Counter[str], Counter[str]]:
    """How often each name was recorded and played, from what a verification shows."""
    recorded: Counter[str] = Counter()
    played: Counter[str] = Counter()
    for line in shown.splitlines():
        if row := _ROW.fullmatch(line):
            recorded[row[2]] += row[1] != "new"
            played[row[2]] += row[1] != "missing"
        elif sent := _SENT.fullmatch(line):
            played["match_data_send"] += int(sent[1])
            recorded["match_data_send"] += int(sent[2])
    return recorded, played


def _shown(one: Outcome) -> str:
    found = "; ".join(one.different) or "the same counts"
    return f"{one.name}: {one.calls} calls in {one.lines} lines of {one.most_lines}; {one.said}; {found}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("latency")
    one.add_argument("--rate", type=float, default=500.0, help="messages a second")
    one.add_argument("--seconds", type=float, default=20.0)
    two = commands.add_parser("bundled")
    two.add_argument("names", nargs="*", help="modules in scenarios/; default: all but heroic_benchmarks")
    two.add_argument("--host", default="", help="the server; default: a new emulator for each")
    two.add_argument("--seconds", type=int, default=6)
    two.add_argument("--keep", type=Path, help="folder for the scenarios that are written")
    options = parser.parse_args(arguments)
    if options.command == "latency":
        return latency(options.rate, options.seconds)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        return bundled(options.names, options.host, options.seconds, options.keep)
    with tempfile.TemporaryDirectory() as folder:
        return bundled(options.names, options.host, options.seconds, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
