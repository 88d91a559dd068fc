"""The cost of measuring deliveries: 25 matches of 4 players at 10 Hz, all codecs in one run.

``python -m benchmarks.delivery`` starts an emulator (``--url`` for another server). Each in a new process:

- ``exact``: the default, by the bytes of the messages;
- ``stamped``: a stamp in each message;
- ``none``: only ticks and calls are measured.

The figure is the CPU time of the client process (user and system) divided by the messages that it received.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

CODECS: Final = ("exact", "stamped", "none")
RESULTS: Final = Path(__file__).parent / "results" / "delivery.json"
LIMIT: Final = 1.1
"""The most that the default may cost, as a multiple of the CPU of the stamped path."""
PLAYERS: Final = 4


def run(url: str, codec: str, matches: int, seconds: float) -> dict[str, float]:
    """Return CPU per received message, with Locust's event and the recorder behind the players."""
    import gevent
    from locust.env import Environment

    from nakama_bots.load.figures import bridge, locust_stats
    from nakama_bots.players.delivery.codecs import exact, keyed, stamped
    from nakama_bots.players.identity import Identity
    from nakama_bots.players.player import Player, World
    from nakama_bots.results.record.recorder import Recorder
    from nakama_bots.settings.network import Network
    from nakama_bots.settings.target import Credentials, Target, Timeouts

    locust_stats.install_buckets()
    environment = Environment()
    environment.create_local_runner()
    recorder = Recorder(time.perf_counter())
    observer = bridge.LocustObserver(environment.events, recorder)
    world = World(Target.parse(url), Credentials(), Timeouts(), Network(), observer)
    delivery = {"exact": exact(), "stamped": stamped(), "none": keyed(lambda *_: None, lambda *_: ())}[codec]

    def play(number: int) -> None:
        player = Player(world, Identity("delivery", 1, 0, number), "Delivery")
        player.delivery = delivery
        player.connect()
        name = f"delivery-{codec}-{number // PLAYERS}"
        with player.join_match(name=name, players=PLAYERS) as match:
            for tick in match.ticks(10.0, 3600.0):
                match.send(1, f"{number:032}{tick.number:032}")

    for number in range(matches * PLAYERS):
        gevent.spawn(play, number)
    while recorder.counts.get("match_received", 0) < matches * PLAYERS * PLAYERS:
        gevent.sleep(0.1)
    before, cpu = recorder.counts["match_received"], time.process_time()
    gevent.sleep(seconds)
    received = recorder.counts["match_received"] - before
    return {"received": received, "cpu_us": (time.process_time() - cpu) / received * 1e6}


def in_process(codec: str, arguments: argparse.Namespace, url: str) -> dict[str, float]:
    """Measure in a fresh process: importing Locust patches, and codecs must not share a heap."""
    command = [
        sys.executable, "-m", "benchmarks.delivery", "--codec", codec, "--url", url,
        "--matches", str(arguments.matches), "--seconds", str(arguments.seconds),
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=arguments.seconds + 60)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def compare(arguments: argparse.Namespace, url: str) -> int:
    """Run all codecs in turn, ``rounds`` times; return 0 if the default is within its limit."""
    raw: dict[str, list[dict[str, float]]] = {codec: [] for codec in CODECS}
    for number in range(arguments.rounds):
        for codec in CODECS:
            raw[codec].append(in_process(codec, arguments, url))
            print(f"round {number + 1} {codec:<8} {raw[codec][-1]['cpu_us']:6.1f} us CPU/message", flush=True)
    # Other load of the machine can only increase a figure: the minimum of the rounds is the codec's.
    least = {codec: min(figures["cpu_us"] for figures in raw[codec]) for codec in CODECS}
    ratio = least["exact"] / least["stamped"]
    good = ratio <= LIMIT
    print(f"exact / stamped: {ratio:.2f} (limit {LIMIT}) {'ok' if good else 'TOO SLOW'}")
    settings = {name: getattr(arguments, name) for name in ("matches", "seconds", "rounds")}
    machine = {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()}
    document = {"settings": settings, "machine": machine, "ratio": ratio, "least": least, "raw": raw}
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    arguments.results.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"raw figures: {arguments.results}")
    return 0 if good else 1


def main() -> int:
    """Run the comparison, or one codec of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delivery", description=__doc__.split("\n")[0])
    parser.add_argument("--url", default="", help="server to use; default: an embedded emulator")
    parser.add_argument("--matches", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--results", type=Path, default=RESULTS, help="file for the raw figures")
    parser.add_argument("--codec", choices=CODECS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.codec:
        print(json.dumps(run(arguments.url, arguments.codec, arguments.matches, arguments.seconds)))
        sys.stdout.flush()
        os._exit(0)  # the players' greenlets never end
    if arguments.url:
        return compare(arguments, arguments.url)
    from nakama_bots.emulator.server.process import EmulatorProcess

    with EmulatorProcess.start() as emulator:
        return compare(arguments, emulator.url)


if __name__ == "__main__":
    sys.exit(main())
