"""The reported times beside a packet capture: what an observer on the wire sees of the same run.

``python -m benchmarks.wire`` starts an emulator (``--url`` for another server on this machine, without TLS) and
a run of 60 users of Duel, TownSquare and Chat, and captures the loopback interface meanwhile, which needs root
or ``CAP_NET_RAW``. The packets time every call again: from the one with its request to the one with its answer.
Calls are counted, and p50, p95 and p99 of every message with at least ``LEAST`` calls are compared: they may
differ by 2 % or 0.2 ms.

``--stall`` lets the generator's event loop burn 20 ms ten times a second; ``--busy 2`` keeps 2 cores busy.
"""

from __future__ import annotations

import argparse
import json
import platform
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.results.run_folder import read_summary

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = Path(__file__).parent / "results" / "wire.json"
LEAST: Final = 50
SHARE: Final = 0.02
MILLISECONDS: Final = 0.2
SCENARIOS: Final = ("Duel", "TownSquare", "Chat")

_ETH_P_ALL: Final = 0x0003  # what is sent is shown to sockets of all protocols only
_ETH_P_IP: Final = 0x0800
_OUTGOING: Final = 4  # PACKET_OUTGOING: loopback shows each packet twice, as sent and as received
_HOST: Final = 0
_SO_TIMESTAMPNS: Final = 35
_BUFFER: Final = 64 * 1024 * 1024
_SPIN: Final = "while True: pass"
_STALL: Final = """
from time import perf_counter

import gevent
from locust import events


def stall():
    while True:
        gevent.sleep(0.08)
        until = perf_counter() + 0.02
        while perf_counter() < until:
            pass


@events.test_start.add_listener
def begin(**_):
    gevent.spawn(stall)
"""


@dataclass
class Stream:
    """One direction of a connection: its bytes in order, and when each part of them was on the wire."""

    expected: int | None = None
    broken: bool = False
    data: bytearray = field(default_factory=bytearray)
    parts: list[tuple[int, float]] = field(default_factory=list)
    """Length of the data up to a packet's end, and its time."""

    def add(self, sequence: int, payload: bytes, at: float) -> None:
        """Add a packet; one that was sent again adds only what is new.

        After one that was not captured the frames cannot be told apart: the stream ends there, and its calls
        are missing.
        """
        if self.expected is None:
            self.expected = sequence
        known = (self.expected - sequence) & 0xFFFFFFFF
        if known > len(payload):
            self.broken = self.broken or known >= 0x80000000
            return
        if self.broken:
            return
        payload = payload[known:]
        self.expected = (self.expected + len(payload)) & 0xFFFFFFFF
        self.data += payload
        self.parts.append((len(self.data), at))

    def frames(self) -> Iterator[tuple[float, bytes]]:
        """Text frames behind the HTTP head: the time of the packet with their end, and the payload."""
        at = self.data.find(b"\r\n\r\n") + 4
        parts = iter(self.parts)
        end, when = next(parts, (0, 0.0))
        while at >= 4 and at + 2 <= len(self.data):
            opcode, size, masked = self.data[at] & 15, self.data[at + 1] & 127, self.data[at + 1] >> 7
            at += 2
            extra = {126: 2, 127: 8}.get(size, 0)
            if extra:
                size = int.from_bytes(self.data[at : at + extra], "big")
            at += extra
            mask = self.data[at : at + 4] if masked else bytes(4)
            at += 4 * masked
            payload = bytes(byte ^ mask[place & 3] for place, byte in enumerate(self.data[at : at + size]))
            at += size
            if at > len(self.data):
                return
            while end < at:
                end, when = next(parts)
            if opcode == 1:
                yield when, payload


class Capture(threading.Thread):
    """Captures what goes through one port of the loopback interface."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.streams: defaultdict[tuple[int, bool], Stream] = defaultdict(Stream)
        self.ready = threading.Event()
        self._port = port
        self._done = threading.Event()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._socket.bind(("lo", _ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, 33, _BUFFER)  # SO_RCVBUFFORCE
        self._socket.settimeout(0.2)

    def run(self) -> None:
        """Capture until ``finish``."""
        self.ready.set()
        while not self._done.is_set():
            try:
                packet, control, _, address = self._socket.recvmsg(70_000, 64)
            except TimeoutError:
                continue
            if control and address[1] == _ETH_P_IP:
                seconds, nanoseconds = struct.unpack("@qq", control[0][2])
                self._take(packet, address[2], seconds + nanoseconds * 1e-9)

    def finish(self) -> int:
        """End it; return how many packets were dropped."""
        self._done.set()
        self.join()
        dropped: int = struct.unpack("II", self._socket.getsockopt(263, 6, 8))[1]  # PACKET_STATISTICS
        self._socket.close()
        return dropped

    def _take(self, packet: bytes, kind: int, at: float) -> None:
        head = (packet[0] & 15) * 4
        if packet[9] != socket.IPPROTO_TCP:
            return
        source, target, sequence = struct.unpack_from("!HHI", packet, head)
        to_server = target == self._port
        # The begin of a call is when its request left, the end when its answer was received.
        if (to_server and kind != _OUTGOING) or (not to_server and (source != self._port or kind != _HOST)):
            return
        start = head + (packet[head + 12] >> 4) * 4
        payload = packet[start : int.from_bytes(packet[2:4], "big")]
        if payload:
            self.streams[source if to_server else target, to_server].add(sequence, payload, at)

    def calls(self) -> dict[str, list[float]]:
        """Milliseconds of every answered call, by the name of its message."""
        found: defaultdict[str, list[float]] = defaultdict(list)
        for port, to_server in list(self.streams):
            if not to_server or not self.streams[port, True].data.startswith(b"GET /ws"):
                continue
            asked: dict[str, tuple[str, float]] = {}
            for at, payload in self.streams[port, True].frames():
                message = json.loads(payload)
                if "cid" in message:
                    asked[message["cid"]] = (next(key for key in message if key != "cid"), at)
            for at, payload in self.streams[port, False].frames():
                message = json.loads(payload)
                if message.get("cid") in asked and "error" not in message:
                    name, since = asked.pop(message["cid"])
                    found[name].append((at - since) * 1e3)
        return found


def run(arguments: argparse.Namespace, url: str, folder: Path) -> dict[str, Any]:
    """Run the load; return its summary."""
    locustfile = folder / "locustfile.py"
    locustfile.write_text((ROOT / "locustfile.py").read_text() + (_STALL if arguments.stall else ""))
    command = [
        sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--only-summary", "--host", url,
        "-u", str(arguments.users), "-r", "30", "-t", f"{arguments.seconds}s",
        "--nakama-reports", str(folder / "reports"), "--nakama-match-seconds", "3", *SCENARIOS,
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=arguments.seconds + 120, check=False
    )
    reports = sorted((folder / "reports").glob("*/summary.json"))
    if not reports:
        raise SystemExit(f"the run left no summary:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return dict(read_summary(reports[-1].parent))


def compare(summary: dict[str, Any], wire: dict[str, list[float]]) -> list[dict[str, Any]]:
    """One row for each message: counts, and where there are enough calls the percentiles of both."""
    rows = []
    for call in summary["calls"]:
        if call["kind"] != "WS" or call["name"] == "connect":
            continue
        times = wire.get(call["name"], [])
        calls = call["ok_ms"]["count"]
        # What was abandoned at the end was answered late, or not at all.
        late = call["outcomes"].get("abandoned", 0)
        row: dict[str, Any] = {
            "name": call["name"], "calls": calls, "wire_calls": len(times),
            "ok": calls <= len(times) <= calls + late,
        }  # fmt: skip
        if len(times) >= LEAST:
            times.sort()
            for name, percent in (("p50", 50), ("p95", 95), ("p99", 99)):
                value = times[int(percent / 100 * len(times) + 0.5) - 1]  # the rank that HDR histograms use
                row[name] = {
                    "wire": round(value, 3),
                    "report": call["ok_ms"][name],
                    "waited": call["waited_ms"][name],
                    "ok": abs(value - call["ok_ms"][name]) <= max(MILLISECONDS, SHARE * value),
                }
        rows.append(row)
    return rows


def show(rows: list[dict[str, Any]]) -> int:
    """Print the rows; return how many figures and counts are off, or 1 if there was nothing to compare."""
    off = figures = counts = 0
    print(f"{'message':24} {'calls':>7} {'wire':>7}   p50 wire/report (waited)   p95   p99, ms")
    for row in rows:
        cells = []
        for name in ("p50", "p95", "p99"):
            if name in row:
                figure = row[name]
                figures += 1
                off += not figure["ok"]
                mark = "" if figure["ok"] else " OFF"
                cells.append(f"{figure['wire']:.2f}/{figure['report']:.2f} ({figure['waited']:.2f}){mark}")
        counts += not row["ok"]
        mark = "" if row["ok"] else " OTHER COUNT"
        print(f"{row['name']:24} {row['calls']:>7,} {row['wire_calls']:>7,}{mark}   {'   '.join(cells)}")
    print(f"{figures - off} of {figures} figures within {SHARE:.0%} or {MILLISECONDS} ms")
    return off + counts if figures else 1


def main() -> int:
    """Run, capture, compare; 0 if every figure is within the limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wire", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--url", help="a server on this machine (default: an emulator is started)")
    parser.add_argument("--users", type=int, default=60)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--stall", action="store_true", help="stall the generator's event loop on purpose")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="keep N cores busy meanwhile")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = arguments.url or stack.enter_context(EmulatorProcess.start(matchmaker_interval=1.0)).url
        port = urlsplit(url).port or 7350
        try:
            capture = Capture(port)
        except PermissionError:
            parser.exit(2, "capturing packets needs root or CAP_NET_RAW\n")
        capture.start()
        capture.ready.wait()
        for _ in range(arguments.busy):
            process = subprocess.Popen([sys.executable, "-c", _SPIN])
            stack.callback(process.wait)
            stack.callback(process.kill)
        summary = run(arguments, url, folder)
        dropped = capture.finish()
    rows = compare(summary, capture.calls())
    off = show(rows)
    print(f"packets dropped by the capture: {dropped}; timing: {json.dumps(summary['timing'])}")
    result = {
        "command": " ".join(["python -m benchmarks.wire", *sys.argv[1:]]), "python": platform.python_version(),
        "dropped": dropped, "off": off, "rows": rows, "timing": summary["timing"],
    }  # fmt: skip
    arguments.results.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if off else 0


if __name__ == "__main__":
    raise SystemExit(main())
