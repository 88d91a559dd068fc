"""``nakama-bots cleanup URL --prefix P``: list the accounts that bots have created, and delete them."""

from __future__ import annotations

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nakama_bots.cli.inputs import add_rows, argument
from nakama_bots.cli.interrupts import Interrupted, notified, raise_here
from nakama_bots.errors import CallError, ConfigError, Unauthenticated, file_errors
from nakama_bots.exit_codes import ExitCode
from nakama_bots.ops.cleanup import CONCURRENCY, GONE, AccountSearch, By, Cleaner, CleanupTally
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.gevent_transport import GeventTransport
from nakama_bots.settings import guard, options, values
from nakama_bots.settings.table import BY_NAME

SETTINGS: Final = (
    "server_key", "seed", "connect_timeout", "request_timeout", "tls_ca", "tls_insecure",
    "allowed_hosts", "confirm_target",
)  # fmt: skip
_ID_PREFIX: Final = BY_NAME["id_prefix"]
_SHOWN: Final = 5
_SHOW_EVERY: Final = 5.0
_MOST_SEEDS: Final = 10_000
_SEED: Final = BY_NAME["seed"].kind
_SEARCH: Final = (
    # 16: as many as an interrupt or a kill may leave out.
    ("misses", values.whole(16), "end the search of a worker after this many ids in a row without an account"),
    ("worker_misses", values.whole(1, 10**4),
     "end the search of a seed after this many workers in a row without an account"),
)  # fmt: skip


def _seeds(text: str) -> tuple[int, ...]:
    seeds: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.partition("-")
        low = _SEED.read(first)
        high = _SEED.read(last) if dash else low
        if not 0 <= high - low < _MOST_SEEDS:
            raise ValueError
        seeds.update(dict.fromkeys(range(low, high + 1)))
        if len(seeds) > _MOST_SEEDS:
            raise ValueError
    return tuple(seeds)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("host", metavar="URL", help="the server, for example http://127.0.0.1:7350")
    add(
        "--prefix",
        required=True,
        default=argparse.SUPPRESS,
        metavar="P",
        help="the --nakama-id-prefix of the runs that created the accounts",
    )
    add(
        "--delete",
        "--yes",
        action="store_true",
        dest="delete",
        help="delete the accounts; without it they are only listed",
    )
    add(
        "--seeds",
        type=argument(
            values.Kind(_seeds, f"seeds and ranges of seeds, such as 1 or 1,5-9, at most {_MOST_SEEDS}")
        ),
        default=argparse.SUPPRESS,
        metavar="N,N-M",
        help="seeds of the runs that created the accounts (default: --nakama-seed)",
    )
    add("--by", choices=("device", "custom"), default="device", help="the kind of id that the bots log in with")
    add_rows(parser, _SEARCH, AccountSearch(""))
    add(
        "--ids",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="try the ids in this file instead, one per line; the roster of nakama-bots fill has this format",
    )
    add(
        "--groups-with-others",
        action="store_true",
        help="also delete groups that have other members than these bots, and their owners",
    )
    add(
        "--rate",
        type=argument(values.number(above=0, high=10_000, of="requests a second")),
        default=100.0,
        metavar="N",
        help="most requests a second",
    )
    options.add_arguments(parser, SETTINGS, unset=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    settings = options.resolve(arguments, SETTINGS, host="URL")
    assert settings.target is not None
    prefix = str(_ID_PREFIX.read("--prefix", arguments.prefix))
    guard.check_target(settings, settings.target, name="URL")
    ids = _read_ids(arguments.ids, prefix) if "ids" in arguments else ()
    search = AccountSearch(
        prefix, getattr(arguments, "seeds", (settings.seed,)), arguments.misses, arguments.worker_misses,
        By(arguments.by), ids,
    )  # fmt: skip
    transport = GeventTransport(settings.network, size=CONCURRENCY)
    client = Client(settings.target, settings.credentials, transport=transport, timeouts=settings.timeouts)
    progress = _Progress()
    with progress.bar:
        cleaner = Cleaner(
            client,
            search,
            rate=arguments.rate,
            on_progress=progress.show,
            groups_with_others=arguments.groups_with_others,
        )
        try:
            code = _work(client, cleaner, progress, delete=arguments.delete)
        finally:
            transport.close()
    _show(cleaner.tally, settings.target.http_url, search, delete=arguments.delete, finished=not code)
    return code or (ExitCode.FAILURES if cleaner.tally.failed else ExitCode.PASSED)


def _read_ids(path: Path, prefix: str) -> tuple[str, ...]:
    with file_errors("--ids", path, "a readable text file in UTF-8"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    # Two fillers that share a roster may both have written the same account.
    ids = tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    for one in ids:
        if not one.startswith(f"{prefix}-"):
            raise ConfigError(f"--ids: {path}", one, f"ids that start with {prefix}-, one per line")
    if not ids:
        raise ConfigError("--ids", str(path), "a file with one id per line")
    return ids


def _work(client: Client, cleaner: Cleaner, progress: _Progress, *, delete: bool) -> int:
    """Search, and delete if asked to. Return 0, or the exit code of an early end, which is logged."""
    caught: list[signal.Signals] = []
    leave = raise_here()

    def stop(number: signal.Signals) -> None:
        if caught:
            # The second signal does not wait for the requests in progress.
            leave(number)
            return
        caught.append(number)
        cleaner.stop.set()
        _say(f"{number.name}: finishing the requests in progress; send it again to stop at once")

    tally = cleaner.tally
    with notified(stop):
        try:
            # Fail fast if nothing answers, instead of retrying.
            client.healthcheck()
            cleaner.find()
            if delete and not caught:
                progress.begin_deleting(len(tally.bots))
                cleaner.delete()
        except Unauthenticated as error:
            raise ConfigError(
                "--nakama-server-key", "<hidden>", f"the server's key ({error.message})"
            ) from None
        except Interrupted:
            pass
        except CallError as error:
            # Requests in progress may fail after a stop: that is not why the command ended.
            if not caught:
                gone = isinstance(error, GONE)
                what = "the server does not answer" if gone else "the server refused a request"
                _say(f"{what}: {error}; {progress.done(tally)}")
                return ExitCode.UNREACHABLE if gone else ExitCode.FAILURES
    if caught:
        _say(f"stopped by {caught[0].name}: {progress.done(tally)}; run the same command again to continue")
        return Interrupted(caught[0]).exit_code
    return 0


def _say(line: str) -> None:
    print(f"nakama-bots cleanup: {line}", file=sys.stderr, flush=True)


class _Progress:
    """Progress on stderr: a bar on a terminal, otherwise a line every few seconds."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=console, disable=not console.is_terminal, transient=True,
        )  # fmt: skip
        self._task = self.bar.add_task("searching", total=None)
        self._deleting = False
        self._shown_at = perf_counter()

    def begin_deleting(self, total: int) -> None:
        self._deleting = True
        self.bar.update(self._task, description="deleting", total=total)

    def show(self, tally: CleanupTally) -> None:
        done = tally.deleted + len(tally.failed) if self._deleting else len(tally.bots)
        self.bar.update(self._task, completed=done)
        if self.bar.disable and perf_counter() - self._shown_at > _SHOW_EVERY:
            self._shown_at = perf_counter()
            _say(self.done(tally))

    def done(self, tally: CleanupTally) -> str:
        if self._deleting:
            return f"{tally.deleted} of {_number(len(tally.bots), 'account')} deleted"
        return f"{_number(len(tally.bots), 'account')} found so far, {tally.tried} ids tried"


def _show(tally: CleanupTally, url: str, search: AccountSearch, *, delete: bool, finished: bool) -> None:
    """Print what was found and deleted, on stdout."""
    found = f"{_number(len(tally.bots), 'account')} and {_number(len(tally.groups), 'group')} of theirs"
    end = "" if finished else ", not finished"
    print(f"{url}: {found} found with the prefix {search.prefix} ({tally.tried} ids tried{end})")
    _list("kept", tally.kept)
    if not delete:
        for bot in tally.bots[:_SHOWN]:
            print(f"  {bot.id}")
        if len(tally.bots) > _SHOWN:
            print(f"  .. {tally.bots[-1].id}")
        print("nothing was deleted: add --delete to delete them" if tally.bots else "nothing to delete")
        return
    done = f"{_number(tally.deleted, 'account')} and {_number(tally.groups_deleted, 'group')}"
    print(f"deleted: {done}{end}")
    _list("could not be deleted (use --ids if the next search does not find them)", tally.failed)


def _list(title: str, reasons: Mapping[str, str]) -> None:
    for reason, number in Counter(reasons.values()).items():
        ids = [one for one, why in reasons.items() if why == reason]
        shown = ", ".join(ids[:_SHOWN]) + (", .." if number > _SHOWN else "")
        print(f"{title}: {_number(number, 'account')}, {reason}: {shown}")


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
