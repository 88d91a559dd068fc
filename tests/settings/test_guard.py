from __future__ import annotations

import pytest

from nakama_bots.errors import ConfigError
from nakama_bots.settings import guard
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Target

KEY = "a-key-of-its-own"


def check(host: str, **values: object) -> None:
    guard.check_target(Settings.resolve({"server_key": KEY, **values}, {}), Target(host))


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "nakama.localhost",
        "127.0.0.1",
        "127.8.9.1",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
    ],
)
def test_this_machine_is_always_allowed(host: str) -> None:
    assert guard.is_loopback(host)
    check(host, server_key="defaultkey", allowed_hosts="elsewhere.example.com")


@pytest.mark.parametrize(
    "host",
    [
        "localhost.example.com",
        "notlocalhost",
        "127.0.0.1.example.com",
        "10.0.0.1",
        "192.168.1.2",
        "2001:db8::1",
        "127.1",
    ],
)
def test_another_machine_with_the_default_key_needs_confirmation(host: str) -> None:
    assert not guard.is_loopback(host)
    with pytest.raises(ConfigError, match=f"--nakama-confirm-target {host}") as caught:
        check(host, server_key="defaultkey")
    assert "defaultkey" in str(caught.value)
    with pytest.raises(ConfigError):
        check(host, server_key="defaultkey", confirm_target="another.example.com")
    check(host, server_key="defaultkey", confirm_target=host)
    check(host)


@pytest.mark.parametrize(
    "host",
    [
        "prod.example.com",
        "api-prod2.example.com",
        "Production.example.com",
        "eu.live.example.com",
        "nakama_prd",
    ],
)
def test_a_production_name_needs_confirmation(host: str) -> None:
    with pytest.raises(ConfigError, match="looks like production"):
        check(host)
    check(host, confirm_target=host.upper() + ".")


@pytest.mark.parametrize(
    "host",
    [
        "\uff50\uff52\uff4f\uff44.example.com",
        "pro\u00add.example.com",
        "pr\u200bod.example.com",
        "prod\u3002example.com",
        "\u24df\u24e1\u24de\u24d3.example.com",
    ],
)
def test_spellings_of_the_same_host(host: str) -> None:
    with pytest.raises(ConfigError, match=r"looks like production.*--nakama-confirm-target prod\.example\.com"):
        check(host)
    check(host, confirm_target="prod.example.com", allowed_hosts="*.EXAMPLE.com")
    check("prod.example.com", confirm_target=host, allowed_hosts=host)
    with pytest.raises(ConfigError, match="a host that --nakama-allowed-hosts names"):
        check(host, confirm_target="prod.example.com", allowed_hosts="staging.example.com")


@pytest.mark.parametrize(
    "host", ["staging.example.com", "olive.example.com", "reproduction.example.com", "delivery.dev"]
)
def test_other_names_need_no_confirmation(host: str) -> None:
    check(host)


def test_only_listed_hosts() -> None:
    hosts = "*.staging.example.com, 10.0.0.5"
    check("eu.staging.example.com", allowed_hosts=hosts)
    check("EU.Staging.example.com.", allowed_hosts=hosts)
    check("10.0.0.5", allowed_hosts=hosts)
    for host in ("staging.example.com", "10.0.0.50", "example.com"):
        with pytest.raises(ConfigError, match="staging") as caught:
            check(host, allowed_hosts=hosts, confirm_target=host)
        assert caught.value.value == host


def test_a_list_in_a_file_is_the_same() -> None:
    check("a.example.com", allowed_hosts=["a.example.com", "b.example.com"])
    with pytest.raises(ConfigError):
        check("c.example.com", allowed_hosts=["a.example.com", "b.example.com"])


def test_the_cap_on_users() -> None:
    settings = Settings.resolve({"max_users": "20"}, {})
    guard.check_users(settings, 20)
    with pytest.raises(ConfigError, match=r"--users: 21 .*at most 20, by --nakama-max-users"):
        guard.check_users(settings, 21, name="--users")
    guard.check_users(Settings.resolve({}, {}), 10**6)
