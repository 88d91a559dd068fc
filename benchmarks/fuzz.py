"""Runs the client against a server that answers at random, and checks that every cid ends exactly once.

``python -m benchmarks.fuzz --seconds 600 --seed N`` opens one socket after the other against
``benchmarks.fuzz_server``, each with several callers, some of which are stopped in the middle. For each socket
it checks that

- every call returned, or raised a ``CallError``, or was stopped: nothing else, and nothing hangs;
- the ledger's ends equal the cids sent, and nothing is pending;
- each call was reported to the observer exactly once.

A violation is printed with the number of its session; the exit code is 1 if there is any.
"""

from __future__ import annotations

import argparse
import base64
import json
import platform
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from nakama_bots.observer import FinishedCall, NullObserver

RESULTS: Final = Path(__file__).parent / "results" / "fuzz.json"
REQUEST_TIMEOUT: Final = 0.25
BOUND: Final = 20.0
"""Seconds after which an unfinished session counts as hanging; one takes less than three."""
KEPT: Final = 20
LEAVES: Final = 0.8
"""The share of callers that stop when the socket closes; the others check that calls are refused."""


@dataclass
class Tally:
    """The results of all sessions."""

    sessions: int = 0
    connected: int = 0
    calls: int = 0
    stopped: int = 0
    ledger: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def violation(self, number: int, text: str) -> None:
        """Record a violation in session ``number``."""
        if len(self.violations) < KEPT:
            self.violations.append(f"session {number}: {text}")


class CallCounter(NullObserver):
    """Counts the calls that have a cid."""

    def __init__(self) -> None:
        self.calls = 0

    def call(self, call: FinishedCall) -> None:
        """``Observer``; a connect has no cid."""
        self.calls += call.name != "connect"


def token() -> str:
    """Return a token that the client can parse; the server ignores it."""
    claims = {"uid": "u", "usn": "n", "exp": int(time.time()) + 10**6}
    parts = (json.dumps(part).encode() for part in ({"alg": "HS256"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + ".x"


class Visit:
    """A socket from its connect to its end, and the checks."""

    def __init__(self, number: int, port: int, seed: int, tally: Tally) -> None:
        from nakama_bots.realtime.socket import Socket
        from nakama_bots.settings.target import Target, Timeouts

        self._number = number
        self._tally = tally
        self._choose = random.Random(f"{seed}-client-{number}")
        self._seen = CallCounter()
        self._done: Counter[str] = Counter()
        self._socket = Socket(
            Target("127.0.0.1", port),
            timeouts=Timeouts(
                connect=1.0, request=REQUEST_TIMEOUT, heartbeat_interval=0.5, heartbeat_timeout=0.5
            ),
            observer=self._seen,
        )

    def run(self) -> None:
        """Connect, call and close; then check the counts."""
        import gevent

        from nakama_bots.errors import CallError
        from nakama_bots.session import Session

        self._tally.sessions += 1
        try:
            self._socket.on("match_data", lambda _: gevent.sleep(0))
            self._socket.tap("channel_message", lambda *_: None)
            self._socket.connect(Session(token(), token()))
            self._tally.connected += 1
            self._play()
        except CallError as error:
            self._tally.errors[type(error).__name__] += 1
        finally:
            self._socket.close()
        check(self._number, self._socket, self._seen, self._done, self._tally)

    def _play(self) -> None:
        import gevent

        choose = self._choose
        callers = [gevent.spawn(self._call) for _ in range(choose.randint(1, 5))]
        gevent.sleep(choose.uniform(0, 0.3))
        for caller in callers:
            if choose.random() < 0.2:
                caller.kill(block=False)
        if choose.random() < 0.3:
            choose.choice((self._socket.cut, self._socket.close))()
        gevent.joinall(callers)
        for caller in callers:
            if not caller.successful():
                self._tally.violation(self._number, f"a call ended with {caller.exception!r}")

    def _call(self) -> None:
        import gevent

        from nakama_bots.errors import CallError

        choose = self._choose
        for _ in range(choose.randint(1, 12)):
            try:
                if choose.random() < 0.5:
                    self._socket.ping_pong()
                else:
                    body = {"id": "echo", "payload": "x" * choose.randrange(3000)}
                    self._socket.request("rpc", body)
                self._done["ok"] += 1
            except CallError as error:
                self._tally.errors[type(error).__name__] += 1
                self._done["failed"] += 1
                if not self._socket.connected and choose.random() < LEAVES:
                    return
            except gevent.GreenletExit:
                self._done["stopped"] += 1
                raise


def check(number: int, socket: Any, seen: CallCounter, done: Counter[str], tally: Tally) -> None:
    """Compare the three counts of a session."""
    ledger = socket.ledger
    tally.ledger.update(asdict(ledger))
    calls = sum(done.values())
    tally.calls += calls
    tally.stopped += done["stopped"]
    if ledger.sent != ledger.ended or socket.pending:
        tally.violation(number, f"sent {ledger.sent}, ended {ledger.ended}, pending {socket.pending}")
    if seen.calls != ledger.ended + ledger.refused:
        tally.violation(number, f"the observer counted {seen.calls}, {ledger.ended} + {ledger.refused} ended")
    # The heartbeat's pings have cids too.
    if ledger.sent + ledger.refused < calls:
        tally.violation(number, f"{calls} calls, {ledger.sent} cids sent and {ledger.refused} refused")


def fuzz(seconds: float, seed: int, sockets: int) -> Tally:
    """Run sessions for ``seconds``, ``sockets`` concurrently."""
    from gevent import monkey

    monkey.patch_all()
    import gevent

    tally = Tally()
    ends_at = time.monotonic() + seconds
    numbers = iter(range(10**9))

    def go_on(port: int) -> None:
        while time.monotonic() < ends_at:
            number = next(numbers)
            try:
                with gevent.Timeout(BOUND):
                    Visit(number, port, seed, tally).run()
            except gevent.Timeout:
                tally.violation(number, "it hangs")
            except Exception as error:  # noqa: BLE001 - any other error is a violation
                tally.violation(number, f"{type(error).__name__}: {error}")

    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fuzz_server", "--seed", str(seed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["port"]
        runners = [gevent.spawn(go_on, port) for _ in range(sockets)]
        gevent.joinall(runners, timeout=seconds + 2 * BOUND)
        if not all(runner.ready() for runner in runners):
            tally.violation(-1, "the event loop was blocked")
        server.stdin.close()
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, save and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sockets", type=int, default=20, help="concurrent sockets (20)")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    tally = fuzz(given.seconds, given.seed, given.sockets)
    if not tally.connected:
        tally.violation(-1, "no session was connected")
    document = {
        "python": platform.python_version(),
        "seconds": given.seconds,
        "seed": given.seed,
        "sockets": given.sockets,
        "sessions": tally.sessions,
        "connected": tally.connected,
        "calls": tally.calls,
        "stopped": tally.stopped,
        "cids": dict(tally.ledger),
        "errors": dict(sorted(tally.errors.items())),
        "violations": tally.violations,
    }
    given.results.parent.mkdir(parents=True, exist_ok=True)
    given.results.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    ledger = tally.ledger
    ends = " + ".join(f"{name} {ledger[name]:,}" for name in ("ok", "error", "timeout", "closed", "abandoned"))
    print(
        f"fuzz: seed {given.seed}, {given.seconds:g} s, {tally.sessions:,} sessions, "
        f"{tally.connected:,} of them connected, "
        f"{tally.calls:,} calls, cids sent {ledger['sent']:,} = {ends}; late {ledger['late']:,}, "
        f"unmatched {ledger['unmatched']:,}; {len(tally.violations)} violations"
    )
    for line in tally.violations:
        print(f"  {line}")
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
