"""Whether something answers at the target before load is sent there, and whether it is the emulator."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import gevent

from nakama_bots.clock import Deadline
from nakama_bots.emulator.options import SERVER_NAME
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Target, Tls

_PAUSE: Final = 0.25
_PATH: Final = "/healthcheck"


@dataclass(frozen=True, slots=True)
class Probe:
    """``refusal`` says why nothing answered; "" when something did, whatever it was."""

    refusal: str = ""
    is_emulator: bool = False


def probe(target: Target, settings: Settings, *, wait: float = 0.0) -> Probe:
    """Ask the target for its health, for ``wait`` seconds again until something answers."""
    deadline = Deadline.after(perf_counter(), wait)
    while True:
        found = _ask(target, settings.tls, settings.timeouts.connect)
        if not found.refusal or deadline.expired(perf_counter()):
            return found
        gevent.sleep(_PAUSE)


def _ask(target: Target, tls: Tls, timeout: float) -> Probe:
    connection = (
        http.client.HTTPSConnection(target.host, target.port, context=_context(tls))
        if target.ssl
        else http.client.HTTPConnection(target.host, target.port)
    )
    try:
        with gevent.Timeout(timeout, TimeoutError):
            connection.request("GET", target.path + _PATH, headers={"Connection": "close"})
            server = connection.getresponse().getheader("Server", "")
    except (ssl.SSLError, http.client.HTTPException, ConnectionResetError):
        # Something is there. That it is not what the run needs, its first calls will say better.
        return Probe()
    except TimeoutError:
        return Probe(f"no answer within {timeout:g} s")
    except OSError as error:
        return Probe((error.strerror or str(error)).lower())
    finally:
        connection.close()
    return Probe(is_emulator=server == SERVER_NAME)


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca or None)
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
