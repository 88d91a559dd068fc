from __future__ import annotations

import pytest

from nakama_bots.errors import ConfigError
from nakama_bots.settings.network import Limits, Network, Proxy, Tls
from nakama_bots.settings.resolve import Settings


def test_defaults() -> None:
    network = Settings.resolve({}, {}).network
    assert network == Network(Tls(), Limits(65_536, 16_777_216, 16_777_216, 0), "")


def test_limits_and_proxy_are_settings() -> None:
    settings = Settings.resolve(
        {
            "max_headers": "2048",
            "max_body": 4096,
            "max_received": "8192",
            "max_sent": "4096",
            "proxy": "http://p:1",
        },
        {},
    )
    assert settings.network.limits == Limits(2048, 4096, 8192, 4096)
    assert settings.network.proxy_for("any.example", ssl=True) == Proxy("p", 1)


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("http://proxy.example:3128", Proxy("proxy.example", 3128)),
        ("proxy.example:3128", Proxy("proxy.example", 3128)),
        ("http://proxy.example/", Proxy("proxy.example", 80)),
        ("http://us%40er:p%3Aw@[::1]:8080", Proxy("::1", 8080, "us@er", "p:w")),
    ],
)
def test_a_proxy_is_a_url(text: str, proxy: Proxy) -> None:
    assert Proxy.parse(text) == proxy


def test_a_proxy_password_is_never_shown() -> None:
    assert "s3cret" not in repr(Proxy.parse("http://u:s3cret@h:1"))
    assert "s3cret" not in repr(Network(proxy="http://u:s3cret@h:1"))
    with pytest.raises(ConfigError) as caught:
        Proxy.parse("https://u:s3cret@h:1")
    assert "s3cret" not in str(caught.value)


ENVIRONMENT = {"http_proxy": "http://plain:1", "https_proxy": "http://secure:2", "no_proxy": "inside.example"}


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("proxies")
def test_proxies_of_the_environment_are_opt_in() -> None:
    for ssl in (False, True):
        assert Network().proxy_for("out.example", ssl=ssl) is None
    network = Network(proxy="environment")
    assert network.proxy_for("out.example", ssl=False) == Proxy("plain", 1)
    assert network.proxy_for("out.example", ssl=True) == Proxy("secure", 2)
    assert network.proxy_for("inside.example", ssl=True) is None


@pytest.mark.usefixtures("proxies")
def test_a_bad_proxy_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://h:1")
    with pytest.raises(ConfigError, match="http_proxy: 'socks5://h:1' cannot be used"):
        Network(proxy="environment").proxy_for("out.example", ssl=False)
