"""What one master costs: the reports of 50 workers, replayed through Locust's rpc to a real master process.

``python -m benchmarks.master`` starts an emulator. For each kind of load it first runs a real master with one
real worker, and keeps what that worker sends. Then it starts a second master, connects 50 workers that are only
a connection, and sends it the kept reports under their 50 ids, every 3 s each, as Locust's workers do.

- ``few``: 40 players of Duel and TownSquare per worker;
- ``many``: 200 names, 400 calls per second per worker.

A heartbeat's round trip is how long a message of a worker waits for the master. A repeated report's calls and
those of Locust's own table in it are of slightly different moments, so the verdict of the second master, which
compares their sums, is not used: its calls and its workers are compared with what was sent.
"""

from __future__ import annotations

# Locust patches the standard library on import, so it must come before everything that uses sockets.
from locust import __version__ as locust_version

# isort: split
import argparse
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import gevent
import msgpack  # type: ignore[import-untyped]
import psutil
from locust.rpc import Message
from locust.rpc.zmqrpc import Client

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.load.workers.worker import HELLO, REPORT_KEY, STOP, STOPPED
from nakama_bots.results.record.recorder import Recorder

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results" / "master.json"
LOADS: Final = {"few": ("Duel", "TownSquare"), "many": ("ManyNames",)}
USERS: Final = 40
RHYTHM: Final = 3.0
"""Seconds between two reports of a worker: Locust's ``WORKER_REPORT_INTERVAL``."""
HEARTBEAT: Final = 1.0
SETTLE: Final = 10.0
"""Seconds after the last worker has started before anything is measured."""

Report = dict[str, Any]


def locust(
    url: str, load: str, reports: Path, *options: str, kept: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start Locust with the benchmark's locustfile."""
    command = [
        sys.executable, "-m", "locust", "-f", str(HERE / "planted" / "reports.py"), *LOADS[load], "--headless",
        "--host", url, "--nakama-reports", str(reports), "--nakama-live", "off", "--only-summary", *options,
    ]  # fmt: skip
    environment = os.environ | ({"KEPT_REPORTS": str(kept)} if kept is not None else {})
    return subprocess.Popen(
        command, cwd=HERE.parent, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def record(url: str, load: str, folder: Path, seconds: int) -> list[Report]:
    """Return the reports that a real worker sends in a real run, without those of its start and its end."""
    kept = folder / "kept"
    port = str(_free_port())
    options = (
        "--processes", "1", "--master-port", port, "--master-bind-port", port, "--users", str(USERS),
        "--spawn-rate", str(USERS), "--run-time", f"{seconds}s",
    )  # fmt: skip
    locust(url, load, folder / "recorded", *options, kept=kept).wait(seconds + 60)
    with kept.open("rb") as file:
        messages = list(msgpack.Unpacker(file, raw=False, strict_map_key=False))
    sent = [data for _, data, _ in messages if len(data.get(REPORT_KEY, {}).get("intervals", ())) == RHYTHM]
    return sent[2:-2]


class Replayer:
    """A worker that is only its connection: it answers the master and sends reports of another one."""

    def __init__(self, port: int, number: int, reports: Sequence[Report], calls: Sequence[int]) -> None:
        self.id = f"replayed_{number:03d}"
        self._reports = reports
        self._calls = calls
        self._client = Client("127.0.0.1", port, self.id)
        self._index = -1
        self._number = 0
        self._users: dict[str, int] = {}
        self._state = "ready"
        self._beaten: deque[float] = deque()
        self._from = 0.0
        self.round_trips: list[float] = []
        self.sent_bytes = 0
        self.calls = 0
        self.stopped = False
        """True once the master has asked for the last figures."""
        gevent.spawn(self._read)
        self._send("client_ready", locust_version)
        self._beating = gevent.spawn(self._beat)
        self._reporting: gevent.Greenlet[[], None] | None = None

    @property
    def running(self) -> bool:
        """True from its first spawn message to the end of the run."""
        return self._reporting is not None

    def _send(self, kind: str, data: object = None) -> None:
        # As ``Client.send`` does, encoded once.
        encoded = Message(kind, data, self.id).serialize()
        self._client.socket.send(encoded)
        self.sent_bytes += len(encoded)

    def _beat(self) -> None:
        while True:
            self._beaten.append(time.perf_counter())
            self._send(
                "heartbeat", {"state": self._state, "current_cpu_usage": 10, "current_memory_usage": 10**8}
            )
            gevent.sleep(HEARTBEAT)

    def _read(self) -> None:
        while True:
            message = self._client.recv()
            if message.type == "ack":
                self._index = message.data["index"]
            elif message.type == "heartbeat":
                self.round_trips.append(time.perf_counter() - self._beaten.popleft())
            elif message.type == "spawn":
                self._spawn(message.data["user_classes_count"])
            elif message.type == STOP:
                self.stopped = True
                if self._reporting is not None:
                    self._reporting.kill()
                self._send(STOPPED, {"reports": self._number})
            elif message.type == "stop":
                self._state = "ready"
                self._send("client_stopped")
                self._send("client_ready", locust_version)
            elif message.type == "quit":
                self._beating.kill()
                return

    def _spawn(self, users: dict[str, int]) -> None:
        self._users, self._state = users, "running"
        self._send("spawning")
        if self._reporting is None:
            self._send(HELLO, self._head())
            self._from = time.time()
            self._reporting = gevent.spawn(self._report)
        self._send("spawning_complete", self._population())

    def _head(self) -> dict[str, Any]:
        return {
            "number": self._number,
            "index": self._index,
            "host": socket.gethostname(),
            "pid": self._index + 1,
        }

    def _population(self) -> dict[str, Any]:
        return {"user_classes_count": self._users, "user_count": sum(self._users.values())}

    def _report(self) -> None:
        # Workers do not report in step.
        gevent.sleep(RHYTHM * (self._index % 50) / 50)
        begun = time.perf_counter()
        while True:
            due = begun + (self._number + 1) * RHYTHM
            gevent.sleep(max(0.0, due - time.perf_counter()))
            place = self._number % len(self._reports)
            report = self._reports[place]
            begins = self._from + self._number * RHYTHM
            self._number += 1
            intervals = [
                {**interval, "source": self.id, "at": begins + second, "seconds": 1.0}
                for second, interval in enumerate(report[REPORT_KEY]["intervals"])
            ]
            data = self._locust_part(report, begins) | self._population()
            data[REPORT_KEY] = {**self._head(), "intervals": intervals}
            self._send("stats", data)
            self.calls += self._calls[place]

    def _locust_part(self, report: Report, begins: float) -> dict[str, Any]:
        """Locust's own statistics, as of now."""
        rows = [_moved(row, begins) for row in report["stats"]]
        return {**report, "stats": rows, "stats_total": _moved(report["stats_total"], begins)}


def calls_of(report: Report) -> int:
    """Return the number of calls in a report."""
    recorder = Recorder(0.0)
    return sum(recorder.merge(interval["recorded"]) for interval in report[REPORT_KEY]["intervals"])


def _moved(row: dict[str, Any], begins: float) -> dict[str, Any]:
    """A row of Locust's statistics, whose seconds begin at ``begins``."""
    delta = int(begins - row["start_time"])

    def seconds(counts: dict[int, int]) -> dict[int, int]:
        return {second + delta: number for second, number in counts.items()}

    last = row["last_request_timestamp"]
    return {
        **row,
        "start_time": row["start_time"] + delta,
        "last_request_timestamp": last + delta if last else last,
        "num_reqs_per_sec": seconds(row["num_reqs_per_sec"]),
        "num_fail_per_sec": seconds(row["num_fail_per_sec"]),
    }


def replay(
    url: str, load: str, folder: Path, workers: int, seconds: int, reports: Sequence[Report]
) -> dict[str, Any]:
    """Send ``reports`` as ``workers`` workers to a master, and return what that costs it."""
    port = _free_port()
    options = (
        "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(port), "--expect-workers",
        str(workers), "--users", str(USERS * workers), "--spawn-rate", str(USERS * workers),
        "--run-time", f"{int(seconds + 2 * SETTLE)}s",
    )  # fmt: skip
    master = locust(url, load, folder / "replayed", *options)
    process = psutil.Process(master.pid)
    # Not while it sends: that would make the sender late.
    calls = [calls_of(report) for report in reports]
    crowd = [Replayer(port, number, reports, calls) for number in range(workers)]
    _wait(lambda: all(one.running for one in crowd), 120)
    gevent.sleep(SETTLE)
    for one in crowd:
        one.round_trips.clear()
    own = psutil.Process().cpu_times()
    begun, cpu, sent = time.perf_counter(), process.cpu_times(), sum(one.sent_bytes for one in crowd)
    memory = process.memory_info().rss
    gevent.sleep(seconds)
    elapsed, after = time.perf_counter() - begun, process.cpu_times()
    now = psutil.Process().cpu_times()
    sender = now.user + now.system - own.user - own.system
    trips = sorted(trip for one in crowd for trip in one.round_trips)
    found = {
        "workers": workers,
        "seconds": elapsed,
        "rows_per_report": sum(len(one["stats"]) for one in reports) / len(reports),
        "calls_per_second": sum(calls) / len(reports) / RHYTHM * workers,
        "report_bytes": sum(len(msgpack.packb(one)) for one in reports) / len(reports),
        "of_them_ours": sum(len(msgpack.packb(one[REPORT_KEY])) for one in reports) / len(reports),
        "bytes_per_second": (sum(one.sent_bytes for one in crowd) - sent) / elapsed,
        "master_cpu_cores": (after.user + after.system - cpu.user - cpu.system) / elapsed,
        "heartbeat_ms": {
            "count": len(trips),
            "p50": trips[len(trips) // 2] * 1e3,
            "p99": trips[int(0.99 * len(trips))] * 1e3,
            "max": trips[-1] * 1e3,
        },
        "sender_cpu_cores": sender / elapsed,
        "rss_mb": {"begin": memory / 2**20, "end": process.memory_info().rss / 2**20},
    }
    _wait(lambda: any(one.stopped for one in crowd), 120)
    end = time.perf_counter()
    _wait(lambda: master.poll() is not None, 120)
    found["seconds_to_conclude"] = time.perf_counter() - end
    return found | _checked(folder / "replayed", sum(one.calls for one in crowd))


def _checked(reports: Path, sent: int) -> dict[str, Any]:
    """Compare what the master counted with what was sent."""
    summary = json.loads(next(reports.glob("*/summary.json")).read_text(encoding="utf-8"))
    counted = sum(row["count"] for row in summary["calls"])
    complete = sum(
        worker["state"] == "complete" and not worker["lost_reports"] for worker in summary["workers"]
    )
    return {"calls_sent": sent, "calls_counted": counted, "complete_workers": complete}


def _wait(done: Any, seconds: float) -> None:
    with gevent.Timeout(seconds):
        while not done():
            gevent.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main() -> int:
    """Run it, write the result; 1 if a call or a worker is missing from the master's figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=60, help="seconds that are measured")
    parser.add_argument("--record", type=int, default=60, help="seconds of the run whose reports are replayed")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    for load in LOADS:
        with tempfile.TemporaryDirectory() as place, EmulatorProcess.start(matchmaker_interval=2.0) as emulator:
            folder = Path(place)
            reports = record(emulator.url, load, folder, arguments.record)
            found[load] = replay(emulator.url, load, folder, arguments.workers, arguments.seconds, reports)
    machine = {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()}
    text = json.dumps({"machine": machine, **found}, indent=1)
    print(text)
    arguments.out.write_text(text + "\n", encoding="utf-8")
    good = all(
        one["calls_sent"] == one["calls_counted"] and one["complete_workers"] == one["workers"]
        for one in found.values()
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
