from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from proxy import proxying

from nakama_bots.errors import ConnectionFailed, ConnectionRefused
from nakama_bots.settings.network import Network, Tls

from .scripted import keep_answering, serving
from .support import Make, send
from .test_transport import free_port


def through(url: str) -> Network:
    return Network(proxy=url.replace("//", "//us%40er:s3cret@"))


def test_request_through_a_proxy_tunnel(make: Make) -> None:
    with serving(keep_answering) as server, proxying() as proxy:
        transport = make(through(proxy.url))
        for _ in range(2):
            send(transport, server.port, headers={"Authorization": "Bearer t"})
        transport.close()
    [head] = proxy.heads  # one tunnel, kept alive
    assert head.startswith(
        f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}".encode()
    )
    assert b"Proxy-Authorization: Basic dXNAZXI6czNjcmV0\r\n" in head
    assert b"Bearer" not in head
    assert all(b"Proxy-Authorization" not in request for request in server.requests)


def test_tls_through_a_proxy_tunnel(make: Make, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    with serving(keep_answering, context=context) as server, proxying() as proxy:
        transport = make(Network(Tls(ca=str(file)), proxy=proxy.url))
        assert send(transport, server.port, tls=True).body == b"{}"
        transport.close()
    assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "the proxy refused a tunnel: HTTP 407"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "the proxy's answer is not HTTP"),
        (b"HTTP/1.1 200", "the proxy closed the connection without a tunnel"),
        (
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
            "the headers of the proxy's answer: more than 65,536 bytes",
        ),
    ],
)
def test_proxy_that_opens_no_tunnel(make: Make, refusal: bytes, message: str) -> None:
    with proxying(refusal) as proxy, pytest.raises(Exception, match=message) as caught:
        send(make(through(proxy.url)), free_port())
    assert "s3cret" not in str(caught.value)


def test_proxy_that_does_not_listen(make: Make) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        send(make(Network(proxy=f"http://127.0.0.1:{free_port()}")), free_port())
    assert isinstance(caught.value, ConnectionRefused)


def test_environment_proxy_is_used_only_on_request(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(keep_answering) as server, proxying() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        for network, tunnels in ((Network(), 0), (Network(proxy="environment"), 1)):
            transport = make(network)
            send(transport, server.port)
            transport.close()
            assert len(proxy.heads) == tunnels
