"""A tunnel through an HTTP proxy (RFC 9110 section 9.3.6), for any kind of socket."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Final

from nakama_bots.errors import AnswerTooLarge, ConnectionFailed
from nakama_bots.net.turns import Turns
from nakama_bots.settings.network import Proxy

STATUS_LINE: Final = re.compile(rb"HTTP/1\.\d (\d{3})(?: |\r?\n)")
_READ_SIZE: Final = 4096


def open_tunnel(
    send: Callable[[bytes], object],
    recv: Callable[[int], bytes],
    authority: str,
    proxy: Proxy,
    max_headers: int,
    sleep: Callable[[float], object],
) -> None:
    """Ask the proxy for a connection to ``authority`` by the methods of a socket to it.

    The caller limits the time; ``send`` sends all. ``ConnectionFailed`` has the status of a proxy that refuses.
    """
    head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
    if proxy.user:
        credentials = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        head += f"Proxy-Authorization: Basic {credentials}\r\n"
    send((head + "\r\n").encode())
    answer = b""
    turns = Turns(sleep)
    while b"\r\n\r\n" not in answer:
        if len(answer) > max_headers:
            raise AnswerTooLarge("the headers of the proxy's answer", max_headers, "max_headers")
        # What comes behind the head is the tunnel's: the server in it never speaks first.
        data = recv(_READ_SIZE)
        if not data:
            raise ConnectionFailed("the proxy closed the connection without a tunnel")
        answer += data
        turns.give_way()
    status = STATUS_LINE.match(answer)
    if status is None:
        raise ConnectionFailed("the proxy's answer is not HTTP")
    if not status[1].startswith(b"2"):
        raise ConnectionFailed(f"the proxy refused a tunnel: HTTP {status[1].decode()}")
