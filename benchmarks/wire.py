"""The reported times beside a packet capture: what an observer on the wire sees of the same run.

``python -m benchmarks.wire`` starts an emulator (``--url`` for another server on this machine, without TLS) and
a run of 60 users of Duel, TownSquare and Chat, and captures the loopback interface meanwhile, which needs root
or ``CAP_NET_RAW``. The packets time every call again: from the one with its request to the one with its answer;
over REST the first call of a connection begins with that. Calls are counted, and p50, p95 and p99 of every
message and route with at least ``LEAST`` calls are compared: they may differ by 2 % or 0.2 ms.

``--tls`` sends the run through a TLS relay, a separate process. Its plain side is captured for what was said,
its encrypted side for when: what the relay takes to forward is in neither time.

``--stall`` lets the generator's event loop burn 20 ms ten times a second; ``--busy 2`` keeps 2 cores busy.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import trustme

from benchmarks.busy import busy
from benchmarks.capturing import Calls, Capture
from nakama_bots.emulator.server.process import EmulatorProcess
from nakama_bots.results.run_folder import read_summary
from nakama_bots.results.timing import REST_KINDS

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = Path(__file__).parent / "results" / "wire.json"
LEAST: Final = 50
SHARE: Final = 0.02
MILLISECONDS: Final = 0.2
SCENARIOS: Final = ("Duel", "TownSquare", "Chat")

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


def run(arguments: argparse.Namespace, url: str, folder: Path) -> dict[str, Any]:
    """Run the load; return its summary."""
    locustfile = folder / "locustfile.py"
    locustfile.write_text((ROOT / "locustfile.py").read_text() + (_STALL if arguments.stall else ""))
    command = [
        sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--only-summary", "--host", url,
        *(("--nakama-tls-insecure",) if arguments.tls else ()),
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


@contextmanager
def relaying(port: int, folder: Path) -> Iterator[tuple[int, dict[int, int]]]:
    """Run a TLS relay in front of ``port``. Yield its port and, once it has ended, its connections.

    The connections are the ports of their clients by the relay's own ports.
    """
    paths = [str(folder / f"{name}.pem") for name in ("cert", "key")]
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(paths[0])
    certificate.private_key_pem.write_to_path(paths[1])
    relay = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.tls_relay", str(port), *paths],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert relay.stdout is not None
    ports: dict[int, int] = {}
    try:
        yield int(relay.stdout.readline()), ports
    finally:
        out, _ = relay.communicate("", timeout=30)
        ports.update((int(own), int(client)) for client, own in map(str.split, out.splitlines()))


def compare(summary: dict[str, Any], wire: Calls) -> list[dict[str, Any]]:
    """One row for each message: counts, and where there are enough calls the percentiles of both."""
    rows = []
    for call in summary["calls"]:
        if call["kind"] not in {"WS", *REST_KINDS} or call["name"] == "connect":
            continue
        times = wire.get((call["kind"], call["name"]), [])
        calls = call["ok_ms"]["count"]
        # What was abandoned at the end was answered late, or not at all.
        late = call["outcomes"].get("abandoned", 0)
        row: dict[str, Any] = {
            "name": f"{call['kind']} {call['name']}", "calls": calls, "wire_calls": len(times),
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
    print(f"{'message':40} {'calls':>7} {'wire':>7}   p50 wire/report (waited)   p95   p99, ms")
    for row in rows:
        cells = []
        for name in ("p50", "p95", "p99"):
            if name in row:
                figure = row[name]
                figures += 1
                off += not figure["ok"]
                mark = "" if figure["ok"] else " OFF"
                waited = "-" if figure["waited"] is None else f"{figure['waited']:.2f}"
                cells.append(f"{figure['wire']:.2f}/{figure['report']:.2f} ({waited}){mark}")
        counts += not row["ok"]
        mark = "" if row["ok"] else " OTHER COUNT"
        print(f"{row['name']:40} {row['calls']:>7,} {row['wire_calls']:>7,}{mark}   {'   '.join(cells)}")
    print(f"{figures - off} of {figures} figures within {SHARE:.0%} or {MILLISECONDS} ms")
    return off + counts if figures else 1


def main() -> int:
    """Run, capture, compare; 0 if every figure is within the limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wire", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--url", help="a server on this machine (default: an emulator is started)")
    parser.add_argument("--users", type=int, default=60)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--tls", action="store_true", help="through a TLS relay")
    parser.add_argument("--stall", action="store_true", help="stall the generator's event loop on purpose")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="keep N cores busy meanwhile")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = arguments.url or stack.enter_context(EmulatorProcess.start(matchmaker_interval=1.0)).url
        port = urlsplit(url).port or 7350
        ports: dict[int, int] = {}
        with ExitStack() as relay:
            if arguments.tls:
                outside, ports = relay.enter_context(relaying(port, folder))
                url = f"https://127.0.0.1:{outside}"
            try:
                captures = [Capture(one) for one in ([port, outside] if arguments.tls else [port])]
            except PermissionError:
                parser.exit(2, "capturing packets needs root or CAP_NET_RAW\n")
            for capture in captures:
                capture.start()
                capture.ready.wait()
            stack.enter_context(busy(arguments.busy))
            summary = run(arguments, url, folder)
            dropped = sum(capture.finish() for capture in captures)
        if arguments.tls:
            captures[0].behind(captures[1], ports)
    rows = compare(summary, captures[0].calls())
    off = show(rows)
    print(f"packets dropped by the capture: {dropped}; timing: {json.dumps(summary['timing'])}")
    # Where a file was written says nothing about the figures, and names a place of one machine.
    options = {name: value for name, value in vars(arguments).items() if name != "results"}
    result = {
        "options": options, "python": platform.python_version(), "dropped": dropped, "off": off, "rows": rows,
        "timing": summary["timing"],
    }  # fmt: skip
    arguments.results.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if off else 0


if __name__ == "__main__":
    raise SystemExit(main())
