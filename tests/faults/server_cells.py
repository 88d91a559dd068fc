"""Faults of a server that otherwise keeps to the protocol: the emulator's own, and its process's."""

from __future__ import annotations

import os
import signal
import time

from .bench import Bench
from .cell import FAILED, NOT_STARTED, PASSED, Cell

# So that something waits for an answer whenever the fault comes.
SLOW = ("--fault", "latency:on=ping,ms=500,jitter=300")
IMPATIENT = (
    "--nakama-request-timeout", "1", "--nakama-connect-timeout", "1",
    "--nakama-heartbeat-interval", "1", "--nakama-heartbeat-timeout", "1",
)  # fmt: skip
BEFORE = 1.0
"""Seconds of load before a fault."""


def kill(bench: Bench) -> None:
    time.sleep(BEFORE)
    assert bench.emulator is not None
    os.kill(bench.emulator.pid, signal.SIGKILL)


def kill_own(bench: Bench) -> None:
    time.sleep(BEFORE)
    bench.locust.emulator.kill()


def stop_for_ever(bench: Bench) -> None:
    time.sleep(BEFORE)
    assert bench.emulator is not None
    os.kill(bench.emulator.pid, signal.SIGSTOP)
    bench.on_exit(os.kill, bench.emulator.pid, signal.SIGCONT)


def stop_for(seconds: float) -> object:
    def stop(bench: Bench) -> None:
        time.sleep(BEFORE)
        assert bench.emulator is not None
        os.kill(bench.emulator.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(bench.emulator.pid, signal.SIGCONT)

    return stop


def restart_after(seconds: float) -> object:
    def restart(bench: Bench) -> None:
        assert bench.emulator is not None
        port = int(bench.emulator.url.rsplit(":", 1)[1])
        kill(bench)
        time.sleep(seconds)
        bench.restart_on(port)

    return restart


def control(kind: str) -> object:
    def act(bench: Bench) -> None:
        time.sleep(BEFORE)
        bench.control([{"kind": kind}])

    return act


def fault(name: str, text: str, spec: str, does: str, *, ok: bool = False, **more: object) -> Cell:
    arguments = () if ok else IMPATIENT
    return Cell(
        name, text, does, codes=(0,) if ok else (1,), verdict=PASSED if ok else FAILED,
        server=("--fault", spec), arguments=arguments, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def happening(name: str, text: str, does: str, during: object, **more: object) -> Cell:
    settings: dict[str, object] = {
        "codes": (1,), "verdict": FAILED, "server": SLOW, "arguments": IMPATIENT, "seconds": 5,
    }  # fmt: skip
    return Cell(name, text, does, during=during, **(settings | more))  # type: ignore[arg-type]


TIMES_OUT = "each lost answer is a RequestTimeout"
RECONNECTS = "the connection ends with a typed error, the player connects again"

CELLS = (
    fault("latency", "answers 20 to 80 ms late", "latency:on=*,ms=50,jitter=30", "goes on", ok=True),
    fault("dropped", "a third of the answers never comes", "drop:on=ping,rate=0.3", TIMES_OUT,
          ledger=("timeout",), says=(r"ping: RequestTimeout",)),
    fault("duplicated", "every answer comes twice", "duplicate:on=ping", "counts the second one as unmatched",
          ok=True),
    fault("unknown cid", "answers with a cid that nobody sent", "wrong_cid:on=ping,rate=0.5", TIMES_OUT,
          ledger=("timeout",)),
    fault("missing cid", "answers without a cid", "no_cid:on=ping,rate=0.5", TIMES_OUT, ledger=("timeout",)),
    fault("malformed", "answers that are no JSON", "garble:on=ping,after=5,rate=0.5", RECONNECTS,
          ledger=("closed",), says=("ProtocolError",)),
    fault("truncated", "half of an answer", "truncate:on=ping,after=5,rate=0.5", RECONNECTS,
          ledger=("closed",)),
    fault("oversized", "answers of a megabyte", "oversize:on=ping,size=1000000", "goes on", ok=True),
    fault("beyond the limit", "an answer of 17 MB", "oversize:on=ping,size=17000000,after=5,times=1",
          "the connection ends with an error that names the limit", ledger=("closed",), seconds=5),
    fault("server error", "a third of the answers is an error", "error:on=ping,code=3,message=no,rate=0.3",
          "each is a typed error", ledger=("error",)),
    fault("closed", "a close frame with 1011 for an answer", "close:on=ping,code=1011,after=5,rate=0.3",
          RECONNECTS, ledger=("closed",)),
    fault("aborted", "the end of TCP for an answer", "abort:on=ping,after=5,rate=0.3", RECONNECTS,
          ledger=("closed",)),
    fault("stops reading", "the server reads nothing, 3 s", "stop_reading:on=ping,seconds=3,after=5,times=4",
          "pings time out, the heartbeat ends the connection", ledger=("timeout",), seconds=5),
    fault("stops writing", "the server writes nothing, 3 s", "stop_writing:on=ping,seconds=3,after=5,times=4",
          "pings time out, the heartbeat ends the connection", ledger=("timeout",), seconds=5),
    fault("handshake cut", "the first handshakes are cut", "refuse:on=connect,times=4",
          "each is a failed connect, the player tries again after a pause", recovers=True, seconds=6),
    happening("killed", "SIGKILL of the server", "calls under way end as closed, connects are refused",
              kill, ledger=("closed",), says=("ConnectionRefused",)),
    happening("own emulator killed", "SIGKILL of the run's own emulator", "the run ends at once and says so",
              kill_own, server=None, seconds=20, says=("the embedded emulator .* has ended by itself",)),
    happening("restarted", "the server is killed and comes back knowing nobody", "logs in and connects again",
              restart_after(0.0), ledger=("closed",), seconds=12, recovers=True),
    happening("refused 2 s", "nothing listens for 2 s", "tries again with growing pauses, goes on",
              restart_after(2.0), ledger=("closed",), seconds=14, recovers=True),
    happening("refused 20 s", "nothing listens for 20 s", "tries again with growing pauses, goes on",
              restart_after(20.0), ledger=("closed",), seconds=60, recovers=True),
    happening("state lost", "the server forgets everything, its sockets stay open", "logs in again",
              control("restart"), recovers=True, seconds=12, scenario="Comer", server=()),
    happening("frozen 3 s", "SIGSTOP of the server for 3 s", "calls time out, then it goes on", stop_for(3.0),
              ledger=("timeout",), seconds=12, recovers=True),
    happening("frozen", "SIGSTOP of the server, for good", "calls time out; the run ends when it should",
              stop_for_ever, ledger=("timeout",)),
    Cell("token expiry", "session tokens last 2 s", "sessions are renewed before they end", codes=(0,),
         verdict=PASSED, server=("--token-expiry", "2"), scenario="Comer", seconds=8, recovers=True),
    Cell("all tokens expire", "session and refresh tokens last 1 s", "logs in again", codes=(0, 1),
         verdict=f"{PASSED} {FAILED}", server=("--token-expiry", "1", "--refresh-token-expiry", "1"),
         scenario="Comer", seconds=8),
    happening("token revocation", "all tokens end while they are in use",
              "calls are refused as Unauthenticated, the player logs in again", control("expire_tokens"),
              server=(), seconds=10, recovers=True),
    Cell("nothing there", "nothing listens", "ends before any load", codes=(5,), verdict=NOT_STARTED,
         server=None, arguments=("--host", "http://127.0.0.1:9"),
         says=("nothing answers at http://127.0.0.1:9: ",)),
)  # fmt: skip
