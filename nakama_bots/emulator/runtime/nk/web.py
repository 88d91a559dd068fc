"""HTTP requests of modules, only to allowed hosts."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Final

from nakama_bots.emulator.formats.protojson import JsonObject
from nakama_bots.emulator.runtime.nk.arguments import (
    ArgumentError,
    FunctionFamily,
    Table,
    fail,
    fields,
    flag,
    optional_integer,
    optional_text,
    text,
)

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_LARGEST: Final = 2**24


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, as it could lead to another host: the module may follow it."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class WebFunctions(FunctionFamily):
    """Requests to other servers."""

    def http_request(
        self,
        url: str,
        method: str,
        headers: Table,
        body: str | None = None,
        timeout: int | None = None,
        insecure: bool | None = None,
    ) -> tuple[int, JsonObject, str]:
        """Send a request; returns status, headers and body of the answer. ``timeout`` in milliseconds,
        at most ``--module-seconds``.

        The emulator refuses it unless it was started with ``--allow-http``: ``loopback`` or host names. The
        emulator answers nothing else meanwhile, and redirects are not followed.
        """
        wanted, verb = text(1, url, "expects URL string"), text(2, method).upper()
        given, content = fields(3, headers), optional_text(4, body)
        if verb not in _METHODS:
            reason = "expects method to be one of: 'get', 'post', 'put', 'patch', 'delete', 'head'"
            raise ArgumentError(2, reason)
        milliseconds = optional_integer(5, timeout, 5000)
        self.__check(wanted)
        if not all(isinstance(value, str) for value in given.values()):
            raise fail("HTTP header values must be strings")
        raw = content.encode("utf-8", "surrogateescape") or None
        request = urllib.request.Request(wanted, raw, given, method=verb)  # noqa: S310 - checked above
        seconds = (milliseconds if milliseconds > 0 else 5000) / 1000
        return self.__sent(request, min(seconds, self.core.options.module_seconds), flag(6, insecure))

    def __check(self, url: str) -> None:
        allowed = self.core.options.allow_http
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise fail(f"HTTP request error: {url!r} is no HTTP URL")
        host = parts.hostname or ""
        names = [name for one in allowed for name in (_LOOPBACK if one == "loopback" else (one,))]
        if host not in names:
            message = f"requests to {host!r} are not allowed; start the emulator with --allow-http"
            raise fail(f"HTTP request error: {message}")

    @staticmethod
    def __sent(request: urllib.request.Request, timeout: float, insecure: bool) -> tuple[int, JsonObject, str]:
        context = ssl.create_default_context()
        if insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        # No proxy from the environment: only the host itself is allowed.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect()
        )
        try:
            with opener.open(request, timeout=timeout) as answer:
                return _answer(answer.status, answer.headers, answer.read(_LARGEST))
        except urllib.error.HTTPError as answer:
            with answer:
                return _answer(answer.code, answer.headers, answer.read(_LARGEST))
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise fail(f"HTTP request error: {error}") from None


def _answer(status: int, headers: Any, body: bytes) -> tuple[int, JsonObject, str]:
    found: JsonObject = {}
    for name, value in headers.items():
        found.setdefault("-".join(part.capitalize() for part in name.split("-")), value)
    return status, found, body.decode("utf-8", "surrogateescape")
