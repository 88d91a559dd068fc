from __future__ import annotations

import pytest
from proxy import proxying

from nakama_bots import errors
from nakama_bots.realtime.socket import Socket
from nakama_bots.session import Session
from nakama_bots.settings.network import Network
from nakama_bots.settings.target import Target, Timeouts

from .conftest import TOKEN
from .server import ScriptedServer, pong, upgraded


def new_socket(port: int, network: Network) -> Socket:
    return Socket(Target("127.0.0.1", port), timeouts=Timeouts(connect=10, request=10), network=network)


def test_socket_through_a_proxy_tunnel() -> None:
    with proxying() as proxy, ScriptedServer(upgraded(pong)) as server:
        socket = new_socket(server.port, Network(proxy=proxy.url))
        socket.connect(Session(TOKEN))
        socket.ping_pong()
        socket.close()
    [head] = proxy.heads
    assert head.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert b"Bearer" not in head


def test_proxy_that_refuses_a_tunnel() -> None:
    with proxying(b"HTTP/1.1 403 Forbidden\r\n\r\n") as proxy:
        socket = new_socket(1, Network(proxy=proxy.url))
        with pytest.raises(errors.ConnectionFailed, match="the proxy refused a tunnel: HTTP 403"):
            socket.connect(Session(TOKEN))


def test_environment_proxy_is_used_only_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with proxying() as proxy, ScriptedServer(upgraded(pong)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for network, tunnels in ((Network(), 0), (Network(proxy="environment"), 1)):
            socket = new_socket(server.port, network)
            socket.connect(Session(TOKEN))
            socket.ping_pong()
            socket.close()
            assert len(proxy.heads) == tunnels
