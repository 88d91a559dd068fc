"""Settings from command line, environment and file: which source wins, and the errors for bad values."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest
from locust.argument_parser import get_parser

import nakama_bots.load  # noqa: F401  -- registers the arguments
from nakama_bots.errors import ConfigError
from nakama_bots.load import arguments
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.table import SETTINGS

from .running import SERVER_KEY, TRACE, Locust, run

BAD = {
    "url": "ftp://example.com",
    "server_key": "",
    "http_key": "",
    "id_prefix": "no spaces",
    "seed": "-1",
    "locales": "xx_XX",
    "connect_timeout": "0",
    "request_timeout": "soon",
    "heartbeat_interval": "nan",
    "heartbeat_timeout": "-3",
    "rest_transport": "urllib",
    "tls_ca": "/nonexistent/ca.pem",
    "proxy": "socks5://user:secret@host:1",
    "max_headers": "1023",
    "max_body": "0",
    "max_received": "x",
    "max_sent": "-1",
    "tick_rate": "inf",
    "match_seconds": "0",
    "matchmaker_timeout": "x",
    "emulator_matchmaker_interval": "0",
    "emulator_module": "/nonexistent/module.py",
    "load": "idle",
    "profile": "/nonexistent/load.toml",
    "require": "-1",
    "reports": "/dev/null/reports",
    "worker_logs": "/dev/null/logs",
    "gate": "/nonexistent/gate.toml",
    "health_limits": "nonsense",
    "request_samples": "-1",
    "wait_for_server": "-1",
    "allowed_hosts": "two words",
    "max_users": "-1",
    "confirm_target": "http://x",
    "matchmaker_interval": "-1",
    "hold_seconds": "0",
    "go_rpc": "",
    "metrics": "ftp://x",
    "node_metrics": "ftp://x",
    "db": "mysql://x",
    "server_log": "absent.log",
    "metrics_interval": "0",
    "live": "graph",
    "live_interval": "-1",
    "traces": "101",
    "prometheus": "host:70000",
    "timeline": "fd:stdout",
    "otlp": "127.0.0.1:4318",
    "webhook": "ftp://x",
}


def options(*given: str) -> Namespace:
    return get_parser(default_config_files=[]).parse_args(list(given))


def resolve(*given: str) -> Settings:
    return arguments.resolve(options(*given))


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.delenv("NAKAMA_CONFIG", raising=False)


def bad_settings() -> list[str]:
    return [setting.name for setting in SETTINGS if setting.default is not False]


def test_every_setting_has_a_bad_value() -> None:
    assert set(bad_settings()) == set(BAD)


@pytest.mark.parametrize("name", bad_settings())
def test_a_bad_flag(name: str) -> None:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    assert_error(setting.flag, name, setting.flag, BAD[name])


@pytest.mark.parametrize("name", bad_settings())
def test_a_bad_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    monkeypatch.setenv(setting.variable, BAD[name])
    assert_error(setting.variable, name)


@pytest.mark.parametrize("name", bad_settings())
def test_a_bad_key_in_the_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "bots.toml"
    file.write_text(f'[nakama]\n{name} = "{BAD[name]}"\n')
    assert_error(f"{file} line 2: {name}", name, "--nakama-config", str(file))


def assert_error(written: str, name: str, *given: str) -> None:
    setting = next(setting for setting in SETTINGS if setting.name == name)
    with pytest.raises(ConfigError) as raised:
        resolve(*given)
    assert raised.value.name == written
    assert "accepted: " in str(raised.value)
    shown = "<hidden>" if setting.secret else BAD[name]
    # A file that may be repeated is in a list.
    assert repr([shown] if setting.many and written == setting.flag else shown) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_absent_flag_is_not_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not resolve().network.tls.insecure
    assert resolve("--nakama-tls-insecure").network.tls.insecure
    monkeypatch.setenv("NAKAMA_TLS_INSECURE", "maybe")
    with pytest.raises(ConfigError, match=r"NAKAMA_TLS_INSECURE.*true or false"):
        resolve()


def test_command_line_environment_file_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bots.toml"
    file.write_text('[nakama]\nseed = 3\nid_prefix = "file"\ntick_rate = 30\n')
    monkeypatch.setenv("NAKAMA_SEED", "2")
    monkeypatch.setenv("NAKAMA_ID_PREFIX", "variable")
    monkeypatch.setenv("NAKAMA_CONFIG", str(file))
    settings = resolve("--nakama-seed", "1")
    assert (settings.seed, settings.id_prefix, settings.tick_rate, settings.match_seconds) == (
        1,
        "variable",
        30.0,
        15.0,
    )


def test_modules_one_by_one_or_in_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pond.py", "species.py"):
        (tmp_path / name).write_text("")
    flag = "--nakama-emulator-module"
    assert resolve(flag, "pond.py", flag, "species.py").emulator_module == ("pond.py", "species.py")
    monkeypatch.setenv("NAKAMA_EMULATOR_MODULE", "pond.py,species.py")
    assert resolve().emulator_module == ("pond.py", "species.py")


def test_host_overrides_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAKAMA_URL", "http://one.example.com")
    target = resolve("--host", "https://two.example.com", "--nakama-url", "http://three.example.com").target
    assert target is not None
    assert target.http_url == "https://two.example.com:443"
    with pytest.raises(ConfigError, match=r"^--host: 'nonsense' .*http://HOST"):
        resolve("--host", "nonsense")


@pytest.mark.parametrize("way", ["--nakama-config", "NAKAMA_CONFIG"])
def test_a_missing_config_file(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ("--nakama-config", "none.toml") if way.startswith("--") else ()
    if not given:
        monkeypatch.setenv("NAKAMA_CONFIG", "none.toml")
    with pytest.raises(ConfigError, match=f"^{way}: 'none.toml' .*a readable TOML file"):
        resolve(*given)


def test_an_invalid_ca_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match=r"^--nakama-tls-ca: .*PEM file of CA certificates"):
        resolve("--nakama-tls-ca", str(tmp_path / "ca.pem"))


def test_a_worker_uses_the_settings_of_the_master() -> None:
    given = options("--nakama-seed", "7", "--host", "http://example.com")
    assert arguments.resolve(given) == arguments.received(given)


def test_public_settings_have_no_secret() -> None:
    given = options("--nakama-server-key", SERVER_KEY, "--nakama-http-key", "planted-http-key")
    public = arguments.resolve(given).public_values
    assert {"server_key", "http_key", "url"}.isdisjoint(public)
    assert SERVER_KEY not in str(public)
    assert "planted-http-key" not in str(public)
    assert public["seed"] == 1


@pytest.mark.parametrize(
    ("given", "environment", "message"),
    [
        (("--nakama-seed", "x"), {}, "--nakama-seed: 'x' cannot be used; accepted: a whole number"),
        ((), {"NAKAMA_TICK_RATE": "0"}, "NAKAMA_TICK_RATE: '0' cannot be used; accepted: a number of ticks"),
        (("--nakama-config", "/nonexistent.toml"), {}, "--nakama-config: '/nonexistent.toml' cannot be used"),
        (("--host", "nonsense"), {}, "--host: 'nonsense' cannot be used; accepted: http://HOST"),
    ],
)
def test_a_bad_setting_ends_the_command_before_any_load(
    given: tuple[str, ...], environment: dict[str, str], message: str, tmp_path: Path
) -> None:
    locust = run(tmp_path / "reports", *given, environment=environment)
    assert locust.finish() == 2
    (line,) = (line for line in locust.output.splitlines() if "/INFO/" not in line)
    assert message in line
    assert "EMULATOR" not in locust.output


def test_an_unwritable_reports_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Locust(tmp_path / "file" / "reports") as locust:
        assert locust.finish() == 2
    assert "--nakama-reports" in locust.output
    assert "a writable folder (Not a directory)" in locust.output
    assert TRACE not in locust.output


def test_every_flag_and_variable_is_in_the_help() -> None:
    text = get_parser(default_config_files=[]).format_help()
    for setting in SETTINGS:
        assert setting.flag in text
        assert setting.variable in text
    assert "defaultkey" not in text
