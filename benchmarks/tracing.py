"""The cost of traces: 25 matches of 4 players at 10 Hz, with ``--nakama-traces 20`` and without, in turns.

``python -m benchmarks.tracing`` starts an emulator (``--url`` for another server) and one process, whose
players are traced in every other turn of half a second. The figure is that process's CPU time (user and system)
divided by the messages that were sent. The ratio is the median over pairs of neighbouring turns, with its 95 %
interval: on a shared machine other programs move both turns of a pair. Every turn begins with empty traces, as
a player that is kept whole costs the most until its story is full. ``--same`` traces in no turn, and shows how
exact the measurement is.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parent / "results" / "tracing.json"
LIMIT: Final = 1.03
"""The most that a run with traces may cost, as a multiple of the CPU of one without."""
PLAYERS: Final = 4
KEPT: Final = 20
TURN: Final = 0.5
"""Seconds."""


def run(url: str, matches: int, pairs: int, *, same: bool) -> list[dict[str, Any]]:
    """Return CPU per sent message of each turn, with Locust's event and the recorder behind the players."""
    import gevent
    from locust.env import Environment

    from nakama_bots.load.figures import bridge, locust_stats
    from nakama_bots.load.figures.tracing import TracedPlayer
    from nakama_bots.players.identity import Identity
    from nakama_bots.players.player import Player, World
    from nakama_bots.realtime.socket import Tap
    from nakama_bots.results.record.recorder import Recorder
    from nakama_bots.results.traces.tracer import Tracer
    from nakama_bots.settings.network import Network
    from nakama_bots.settings.target import Credentials, Target, Timeouts

    class Measured(Player):
        """A player that can be traced and not traced."""

        removers: Sequence[Callable[[], None]] = ()

        def tap(self, event: str, tap: Tap) -> Callable[[], None]:
            remove = super().tap(event, tap)
            self.removers = [*self.removers, remove]
            return remove

        def trace(self, tracer: Tracer | None) -> None:
            """As ``Run.new_player`` does it; None: as it is without traces."""
            for remove in self.removers[self.own :]:
                remove()
            self.removers = self.removers[: self.own]
            self.calls._observer = observer
            if tracer is not None:
                traced = TracedPlayer(tracer)
                self.calls._observer = observer.of_player(traced)
                traced.follow(self)

        own = 0
        """Taps that it has without traces."""

    locust_stats.install_buckets()
    environment = Environment()
    environment.create_local_runner()
    recorder = Recorder(time.perf_counter())
    observer = bridge.LocustObserver(environment.events, recorder)
    world = World(Target.parse(url), Credentials(), Timeouts(), Network(), observer)
    players: list[Measured] = []

    def play(number: int) -> None:
        player = Measured(world, Identity("tracing", 1, 0, number), "Tracing")
        player.connect()
        with player.join_match(name=f"tracing-{number // PLAYERS}", players=PLAYERS) as match:
            player.own = len(player.removers)
            players.append(player)
            for tick in match.ticks(10.0, 3600.0):
                match.send(1, f"{number:032}{tick.number:032}")

    for number in range(matches * PLAYERS):
        gevent.spawn(play, number)
    while len(players) < matches * PLAYERS:
        gevent.sleep(0.1)
    return turns(players, pairs, recorder, same=same)


def turns(players: Sequence[Any], pairs: int, recorder: Any, *, same: bool) -> list[dict[str, Any]]:
    """Trace ``players`` in every other turn; return the figures of each turn."""
    import gevent

    from nakama_bots.results.traces.tracer import Tracer

    found = []
    for position in range(2 * pairs):
        traced = position % 4 in (1, 2)  # neither is always the second
        tracer = Tracer(KEPT, time.time() - time.perf_counter()) if traced and not same else None
        for player in players:
            player.trace(tracer)
        sent, cpu = recorder.counts["match_sent"], time.process_time()
        gevent.sleep(TURN)
        cpu, sent = time.process_time() - cpu, recorder.counts["match_sent"] - sent
        events = len(tracer.take()) if tracer is not None else 0
        found.append({"traced": traced, "sent": sent, "cpu_us": cpu / sent * 1e6, "events": events})
    return found


def judged(measured: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the median ratio of traced and untraced neighbours, and between what it is with 95 %."""
    ratios = []
    for place in range(0, len(measured) - 1, 2):
        off, on = sorted(measured[place : place + 2], key=lambda turn: bool(turn["traced"]))
        ratios.append(on["cpu_us"] / off["cpu_us"])
    source = random.Random(1)
    medians = sorted(statistics.median(source.choices(ratios, k=len(ratios))) for _ in range(2000))
    cpu = {name: statistics.median(turn["cpu_us"] for turn in measured if turn["traced"] == traced)
           for name, traced in (("off_us", False), ("on_us", True))}  # fmt: skip
    return {"ratio": statistics.median(ratios), "low": medians[50], "high": medians[-51], **cpu}


def compare(arguments: argparse.Namespace, url: str) -> int:
    """Measure in a separate process, as importing Locust patches; return 0 if traces are within the limit."""
    command = [
        sys.executable, "-m", "benchmarks.tracing", "--measured", "--url", url,
        "--matches", str(arguments.matches), "--pairs", str(arguments.pairs),
        *(["--same"] if arguments.same else []),
    ]  # fmt: skip
    timeout = arguments.pairs * TURN * 8 + 120
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=timeout)
    measured = json.loads(done.stdout.splitlines()[-1])
    figures = judged(measured)
    good = figures["ratio"] <= LIMIT
    print(
        f"us CPU per send: {figures['off_us']:.1f} without traces, {figures['on_us']:.1f} with; ratio "
        f"{figures['ratio']:.3f} ({figures['low']:.3f} to {figures['high']:.3f}), limit {LIMIT} "
        f"{'ok' if good else 'TOO SLOW'}"
    )
    machine = {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()}
    settings = {name: getattr(arguments, name) for name in ("matches", "pairs", "same")}
    document = {"settings": settings, "machine": machine, **figures, "turns": measured}
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    arguments.results.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"raw figures: {arguments.results}")
    return 0 if good else 1


def main() -> int:
    """Compare, or be the process that is measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tracing", description=__doc__.split("\n")[0])
    parser.add_argument("--url", default="", help="server to use; default: an embedded emulator")
    parser.add_argument("--matches", type=int, default=25)
    parser.add_argument("--pairs", type=int, default=100, help="pairs of turns, one second each")
    parser.add_argument("--same", action="store_true", help="trace in no turn: the error of the measurement")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file for the raw figures")
    parser.add_argument("--measured", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measured:
        print(json.dumps(run(arguments.url, arguments.matches, arguments.pairs, same=arguments.same)))
        sys.stdout.flush()
        os._exit(0)  # the players' greenlets never end
    if arguments.url:
        return compare(arguments, arguments.url)
    from nakama_bots.emulator.server.process import EmulatorProcess

    with EmulatorProcess.start() as emulator:
        return compare(arguments, emulator.url)


if __name__ == "__main__":
    sys.exit(main())
