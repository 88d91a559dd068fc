"""The one client TLS context: how every connection of this package verifies a server's certificate."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from nakama_bots.errors import ConfigError
from nakama_bots.settings.network import Tls


@lru_cache(maxsize=16)
def ssl_context(kind: Callable[[int], Any], tls: Tls) -> Any:
    """The client context of ``kind``, the same one every time; ``ConfigError`` when ``tls.ca`` cannot be used.

    It is kept because reading the system's CAs takes some 10 ms and a megabyte, too much for each player.
    ``kind`` is ``ssl.SSLContext``, or ``gevent.ssl.SSLContext`` where the hub must go on during a handshake:
    ``gevent.ssl.create_default_context`` would make a standard one in a process that is not patched.
    """
    context = kind(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and host name
    # The hub's watchers rely on it: a send never has to read, nor a read to write.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca:
        try:
            context.load_verify_locations(tls.ca)
        except OSError:  # ssl.SSLError is one
            raise ConfigError("tls_ca", tls.ca, "the path of a PEM file of CA certificates") from None
    else:
        context.load_default_certs()
    return context
