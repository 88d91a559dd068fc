"""Checks before a run that the target answers, and whether it is the emulator."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Final

import gevent

from nakama_bots.clock import Deadline
from nakama_bots.emulator.identity import SERVER_NAME
from nakama_bots.errors import (
    CallError,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionRefused,
    ProtocolError,
    RequestTimeout,
    TlsError,
    Unauthenticated,
)
from nakama_bots.rest.client import Client
from nakama_bots.rest.transports.gevent_transport import GeventTransport
from nakama_bots.settings.network import Network
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Target, Timeouts

_PAUSE: Final = 0.25
_PATH: Final = "/healthcheck"
_NO_DEVICE: Final = "nakama-bots-preflight-login"
_KEY: Final = "server key"


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


def key_refusal(target: Target, settings: Settings) -> str:
    """Return the server's text if it refuses the server key; "" if not, or if that cannot be known.

    The login is one that creates nothing. What else it may fail of is for the calls of the run to report.
    """
    transport = GeventTransport(settings.network)
    client = Client(target, settings.credentials, transport=transport, timeouts=settings.timeouts)
    try:
        client.authenticate_device(_NO_DEVICE, create=False)
    except Unauthenticated as error:
        # A game's own hook may refuse a login as well, in its own words.
        return error.message if _KEY in error.message.lower() else ""
    except CallError:
        return ""
    finally:
        transport.close()
    return ""


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
