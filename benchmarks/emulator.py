"""The capacity of the emulator on one core, measured with this project's client from other processes.

``python -m benchmarks.emulator`` starts an emulator and, in turn, a client process for each of:

- ``round_trips``: application pings of 50 sockets in closed loops;
- ``authentications``: device logins over REST, 32 at a time, each for an account that exists;
- ``deliveries``: relayed match data of one member to nineteen others;
- ``idle_sockets``: 2,000 connected sockets, for the memory of the emulator's process.

Before them it measures ``start``: the CPU time and memory of an emulator that has just started,
without modules of a game, and the time of a reset, as by the pytest fixture. Each is the lowest of several.

A rate is the work per second of the emulator's CPU time (user and system), and so what one core can do, however
busy the machine is with the clients and other processes. The rate by the wall clock is recorded as well.
The exit code is 1 if a figure misses its limit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "emulator.json"
RATES = {"round_trips": 8_000.0, "authentications": 1_500.0, "deliveries": 30_000.0}
"""The minimum of each per second of one core."""
IDLE_SOCKETS = 2_000
IDLE_MB = 250.0
"""The most memory (resident, in megabytes of 10^6 bytes) with all idle sockets."""
START = {"cpu_s": 0.6, "mb": 60.0, "reset_ms": 20.0}
"""The most for a start: CPU seconds, resident megabytes; and milliseconds for a reset."""
STARTS, RESETS = 5, 50
WARM_UP = 1.0


def cpu(pid: int) -> float:
    """Return the CPU seconds of a process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Return the resident megabytes of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def measure(pid: int, seconds: float, count: Callable[[], int]) -> dict[str, float]:
    """Return the work done and the emulator's CPU time over ``seconds``, after a warm-up."""
    import gevent

    gevent.sleep(WARM_UP)
    before, used, started = count(), cpu(pid), time.perf_counter()
    gevent.sleep(seconds)
    done, used, wall = count() - before, cpu(pid) - used, time.perf_counter() - started
    return {"done": done, "cpu_s": used, "wall_s": wall, "per_core_s": done / used, "per_wall_s": done / wall}


def connect(url: str, number: int) -> Any:
    """Return a connected socket of a device account."""
    from nakama_bots.realtime.socket import Socket
    from nakama_bots.rest.client import Client
    from nakama_bots.rest.transports.transport import GeventTransport
    from nakama_bots.settings.target import Credentials, Target

    target = Target.parse(url)
    transport = GeventTransport()
    session = Client(target, Credentials(), transport=transport).authenticate_device(
        f"emulator-bench-{number:06d}"
    )
    transport.close()
    socket = Socket(target)
    socket.connect(session)
    return socket


def round_trips(url: str, pid: int, seconds: float) -> dict[str, float]:
    """Measure pings of 50 sockets."""
    import gevent

    counters = [0] * 50

    def play(number: int) -> None:
        socket = connect(url, number)
        while True:
            socket.ping_pong()
            counters[number] += 1

    for number in range(len(counters)):
        gevent.spawn(play, number)
    return measure(pid, seconds, lambda: sum(counters))


def authentications(url: str, pid: int, seconds: float) -> dict[str, float]:
    """Measure logins of 32 concurrent players."""
    import gevent

    from nakama_bots.rest.client import Client
    from nakama_bots.rest.transports.transport import GeventTransport
    from nakama_bots.settings.target import Credentials, Target

    client = Client(Target.parse(url), Credentials(), transport=GeventTransport())
    counters = [0] * 32

    def play(number: int) -> None:
        while True:
            client.authenticate_device(f"emulator-bench-{number:06d}")
            counters[number] += 1

    for number in range(len(counters)):
        gevent.spawn(play, number)
    return measure(pid, seconds, lambda: sum(counters))


def deliveries(url: str, pid: int, seconds: float) -> dict[str, float]:
    """Measure data of one member to nineteen others; its pings limit the rate to that of the delivery."""
    import gevent

    sockets = [connect(url, number) for number in range(20)]
    match_id = sockets[0].create_match()["match_id"]
    counters = [0] * len(sockets)

    def count(number: int) -> Callable[[object, float, int], None]:
        def heard(_: object, __: float, ___: int) -> None:
            counters[number] += 1

        return heard

    for number, socket in enumerate(sockets[1:], 1):
        socket.tap("match_data", count(number))
        socket.join_match(match_id)

    def play() -> None:
        while True:
            for _ in range(20):
                sockets[0].send_match_state(match_id, 1, b"x" * 64)
            sockets[0].ping_pong()

    gevent.spawn(play)
    return measure(pid, seconds, lambda: sum(counters))


def idle_sockets(url: str, pid: int, _: float) -> dict[str, float]:
    """Measure the emulator's memory with 2,000 idle sockets."""
    before = resident(pid)
    sockets = [connect(url, number) for number in range(IDLE_SOCKETS)]
    for socket in sockets:
        socket.ping_pong()
    return {"sockets": len(sockets), "before_mb": before, "mb": resident(pid)}


def start() -> dict[str, float]:
    """Return the lowest cost of a start and of a reset."""
    from nakama_bots.emulator.pytest_plugin import Nakama
    from nakama_bots.emulator.server.process import EmulatorProcess

    spent, used, resets = [], [], []
    for _ in range(STARTS):
        with EmulatorProcess.start(extra=("--control-port", "0")) as emulator:
            spent.append(cpu(emulator.pid))
            used.append(resident(emulator.pid))
            server = Nakama(emulator)
            for _ in range(RESETS // STARTS):
                began = time.perf_counter()
                server.reset()
                resets.append((time.perf_counter() - began) * 1000)
    return {"cpu_s": min(spent), "mb": min(used), "reset_ms": min(resets)}


PARTS = {
    "round_trips": round_trips,
    "authentications": authentications,
    "deliveries": deliveries,
    "idle_sockets": idle_sockets,
}


def misses(figures: dict[str, dict[str, float]]) -> list[str]:
    """Return a line for each missed limit."""
    lines = [
        f"{name}: {figures[name]['per_core_s']:,.0f} a second of one core, at least {least:,.0f} required"
        for name, least in RATES.items()
        if figures[name]["per_core_s"] < least
    ]
    lines += [
        f"start: {name} is {figures['start'][name]:.3g}, at most {most:g} allowed"
        for name, most in START.items()
        if figures["start"][name] > most
    ]
    if figures["idle_sockets"]["mb"] > IDLE_MB:
        lines.append(f"idle_sockets: {figures['idle_sockets']['mb']:.0f} MB, at most {IDLE_MB:.0f} allowed")
    return lines


def main() -> int:
    """Run all parts, save and print the figures; return 1 if a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.emulator")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--pid", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 8192), hard), hard))
        print(json.dumps(PARTS[arguments.part](arguments.url, arguments.pid, arguments.seconds)), flush=True)
        os._exit(0)  # the greenlets never end
    from nakama_bots.emulator.server.process import EmulatorProcess

    figures: dict[str, dict[str, float]] = {"start": start()}
    print("start", json.dumps(figures["start"]), flush=True)
    for name in PARTS:
        with EmulatorProcess.start(extra=("--token-expiry", "7200")) as emulator:
            command = [sys.executable, "-m", "benchmarks.emulator", "--part", name, "--url", emulator.url]
            command += ["--pid", str(emulator.pid), "--seconds", str(arguments.seconds)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=300).stdout
            figures[name] = json.loads(output)
            print(name, json.dumps(figures[name]), flush=True)
    missed = misses(figures)
    result = {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "limits": {**RATES, "idle_sockets_mb": IDLE_MB, "start": START},
        "figures": figures,
        "missed": missed,
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
