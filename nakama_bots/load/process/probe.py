"""Checks before a run that the target answers, and whether it is the emulator."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Final

import gevent

from nakama_bots.clock import Deadline
from nakama_bots.emulator.identity import SERVER_NAME
from nakama_bots.errors import (
    ConnectionClosed,
    ConnectionFailed,
    ConnectionRefused,
    ProtocolError,
    RequestTimeout,
    TlsError,
)
from nakama_bots.rest.transports.transport import GeventTransport
from nakama_bots.settings.network import Network
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Target, Timeouts

_PAUSE: Final = 0.25
_PATH: Final = "/healthcheck"


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of a probe. ``refusal`` says why there was no answer; "" if anything answered."""

    refusal: str = ""
    is_emulator: bool = False


def probe(target: Target, settings: Settings, *, wait: float = 0.0) -> Probe:
    """Request the target's health, and repeat for up to ``wait`` seconds until there is an answer."""
    deadline = Deadline.after(perf_counter(), wait)
    while True:
        found = _ask(target, settings.network, settings.timeouts.connect)
        if not found.refusal or deadline.expired(perf_counter()):
            return found
        gevent.sleep(_PAUSE)


def _ask(target: Target, network: Network, timeout: float) -> Probe:
    transport = GeventTransport(network)
    try:
        answer = transport.send(target, "GET", _PATH, {}, None, Timeouts(connect=timeout, request=timeout))
    except RequestTimeout:
        return Probe(f"no answer within {timeout:g} s")
    except (TlsError, ConnectionClosed, ProtocolError):
        # Something answers. If it is not what the run needs, the first calls report that better.
        return Probe()
    except ConnectionRefused:
        return Probe("connection refused")
    except ConnectionFailed as error:
        return Probe(str(error))
    finally:
        transport.close()
    return Probe(is_emulator=answer.headers.get("server") == SERVER_NAME)
