"""The server process: HTTP and websocket on one port, until a signal or the end of the lifeline."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import json
import logging
import os
import random
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from typing import Final

from aiohttp import web

from nakama_bots.emulator.dispatch import log
from nakama_bots.emulator.options import Options
from nakama_bots.emulator.runtime import functions as module
from nakama_bots.emulator.server.control import Control, local
from nakama_bots.emulator.server.faults import Faults
from nakama_bots.emulator.server.front import Front
from nakama_bots.emulator.server.incoming import Server
from nakama_bots.emulator.server.metrics import Metrics
from nakama_bots.emulator.store.core import Core
from nakama_bots.errors import ConfigError

EXIT_OK: Final = 0
_LOOPBACK: Final = "127.0.0.1"
# aiohttp would log a traceback for every request that is not HTTP; front.py logs the emulator's bugs.
_SILENT: Final = logging.getLogger(f"{__name__}.aiohttp")
_SILENT.disabled = True
# Seconds for open sockets to close at the end.
_SHUTDOWN_TIMEOUT: Final = 1.0


_NOTICE: Final = (
    "nakama-bots emulator: a stand-in for Nakama's behaviour, not for its speed or durability; "
    "all state is in memory"
)


def serve(options: Options) -> int:
    """Serve until SIGTERM, SIGINT or the end of the lifeline. ``ConfigError`` if it cannot listen."""
    tls = _tls(options)
    _log(options)
    with _listen(options) as listener:
        asyncio.run(_serve(options, listener, tls))
    return EXIT_OK


def _log(options: Options) -> None:
    """Send the modules' logs and the emulator's warnings to stderr; requests only on demand."""
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s: %(message)s")
    module.LOG.setLevel(logging.INFO)
    if options.log_requests:
        log.REQUESTS.setLevel(logging.INFO)


def _faster(options: Options) -> Options:
    """Scale the options that the event loop's clock times, which ``speed`` does not affect."""
    names = (
        "matchmaker_interval",
        "party_idle_check_interval",
        "ping_period",
        "pong_wait",
        "read_timeout",
        "idle_timeout",
    )
    return dataclasses.replace(options, **{name: getattr(options, name) / options.speed for name in names})


def _clock(speed: float) -> Callable[[], int]:
    """Return a clock of Unix nanoseconds, from now on ``speed`` times as fast."""
    if speed == 1.0:
        return time.time_ns
    start = time.time_ns()
    return lambda: start + int((time.time_ns() - start) * speed)


def _listen(options: Options) -> socket.socket:
    accepted = "an address of this machine and a free port"
    name = f"{options.host}:{options.port}"
    try:
        family = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((options.host, options.port), family=family, backlog=1024)
    except OSError as error:
        why = "the port is in use" if error.errno == errno.EADDRINUSE else str(error.strerror)
        raise ConfigError("--host/--port", name, f"{accepted} ({why})") from None
    listener.settimeout(0.0)
    return listener


def _tls(options: Options) -> ssl.SSLContext | None:
    if not options.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except (OSError, ssl.SSLError):
        raise ConfigError(
            "--tls-cert", options.tls_cert, "PEM files of a certificate and its private key"
        ) from None
    return context


async def _serve(options: Options, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.lifeline_fd is not None:
        _watch_lifeline(loop, options.lifeline_fd, stop)
    options = _faster(options)
    now, rng = _clock(options.speed), random.Random(options.seed)
    faults = Faults(random.Random(options.seed), options.faults)

    def make_core() -> Core:
        return Core(options, now, rng)

    metrics = Metrics(options.node) if options.metrics_port is not None else None
    front = Front(make_core(), faults, make_core, metrics)
    server = Server(front.handle, options, logger=_SILENT)
    runner = web.ServerRunner(server)
    await runner.setup()
    sides: list[web.ServerRunner] = []
    running = [front.run_matchmaker(), front.run_calendar(), front.run_idle_checks()]
    if options.reload:
        running.append(front.run_reload())
    tasks = [asyncio.create_task(task) for task in running]
    try:
        await web.SockSite(runner, listener, ssl_context=tls).start()
        more = await _side_ports(options, front, sides)
        # After everything that a wrong option can prevent: then that is the only line.
        print(_NOTICE, file=sys.stderr, flush=True)  # noqa: T201
        _announce(options, listener, more, tls=tls is not None)
        await stop.wait()
    finally:
        for task in tasks:
            task.cancel()
        front.stop()
        await server.shutdown(_SHUTDOWN_TIMEOUT)
        await runner.cleanup()
        for side in sides:
            await side.cleanup()


async def _side_ports(options: Options, front: Front, sides: list[web.ServerRunner]) -> dict[str, str]:
    """Serve the ports that are not Nakama's, on the loopback address; returns their URLs by name."""
    wanted = {
        "control": (options.control_port, Control(front.faults).handle),
        "metrics": (options.metrics_port, front.handle_metrics),
    }
    urls: dict[str, str] = {}
    for name, (port, handle) in wanted.items():
        if port is None:
            continue
        side = web.ServerRunner(web.Server(local(handle), access_log=None, logger=_SILENT))
        sides.append(side)
        await side.setup()
        try:
            await web.TCPSite(side, _LOOPBACK, port).start()
        except OSError as error:
            raise ConfigError(f"--{name}-port", port, f"a free port ({error.strerror})") from None
        urls[name] = f"http://{_LOOPBACK}:{side.addresses[0][1]}"
    return urls


def _watch_lifeline(loop: asyncio.AbstractEventLoop, descriptor: int, stop: asyncio.Event) -> None:
    def readable() -> None:
        try:
            ended = not os.read(descriptor, 4096)
        except BlockingIOError:
            ended = False
        except OSError:
            ended = True
        if ended:
            loop.remove_reader(descriptor)
            stop.set()

    try:
        os.set_blocking(descriptor, False)
        loop.add_reader(descriptor, readable)
    except OSError:
        raise ConfigError("--lifeline-fd", descriptor, "the number of an open pipe") from None


def _announce(options: Options, listener: socket.socket, more: dict[str, str], *, tls: bool) -> None:
    host, port = listener.getsockname()[:2]
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    ready = {"url": f"http{'s' if tls else ''}://{authority}", "host": host, "port": port, "pid": os.getpid()}
    ready.update(more)
    line = json.dumps(ready) + "\n"
    if options.ready_fd is None:
        sys.stdout.write(line)
        sys.stdout.flush()
        return
    try:
        os.write(options.ready_fd, line.encode())
        os.close(options.ready_fd)
    except OSError:
        raise ConfigError(
            "--ready-fd", options.ready_fd, "the number of an open, writable descriptor"
        ) from None
