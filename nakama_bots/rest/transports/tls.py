"""How both transports verify a server's certificate."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from nakama_bots.errors import ConfigError
from nakama_bots.settings.target import Tls


def ssl_context(kind: Callable[[int], Any], tls: Tls) -> Any:
    """A client context of ``kind``; a ``ConfigError`` when ``tls.ca`` is no file of certificates."""
    context = kind(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and host name
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
