from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nakama_bots.errors import ConfigError
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.table import BY_NAME, SETTINGS
from nakama_bots.settings.target import Credentials, Target


@pytest.mark.parametrize(
    ("url", "target", "http", "ws"),
    [
        ("http://127.0.0.1:7350", Target("127.0.0.1"), "http://127.0.0.1:7350", "ws://127.0.0.1:7350/ws"),
        (" https://Game.Example.com/ ", Target("game.example.com", 443, ssl=True),
         "https://game.example.com:443", "wss://game.example.com:443/ws"),
        ("http://h", Target("h", 80), "http://h:80", "ws://h:80/ws"),
        ("https://h:8443/a/b/", Target("h", 8443, ssl=True, path="/a/b"),
         "https://h:8443/a/b", "wss://h:8443/a/b/ws"),
        ("http://[::1]:7350", Target("::1"), "http://[::1]:7350", "ws://[::1]:7350/ws"),
    ],
)  # fmt: skip
def test_a_url_is_parsed_into_its_target(url: str, target: Target, http: str, ws: str) -> None:
    assert Target.parse(url) == target
    assert (target.http_url, target.ws_url) == (http, ws)


@given(
    st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z]{2,5})?", fullmatch=True), st.integers(1, 65535), st.booleans()
)
def test_a_target_parses_its_own_url(host: str, port: int, ssl: bool) -> None:
    target = Target(host, port, ssl)
    assert Target.parse(target.http_url) == target


@pytest.mark.parametrize(
    "url",
    ["", "game.example.com", "ftp://h", "http://", "http://:80", "http://h:0", "http://h:99999", "http://h:x", "http://h?",
     "http://h?a=1", "http://h#f", "http://[::1", "http://h ost", "http://h/a b", "http://h/é", "http://h\\x"],
)  # fmt: skip
def test_bad_urls(url: str) -> None:
    if url in ("http://h?",):
        # An empty query is no query.
        assert Target.parse(url) == Target("h", 80)
        return
    with pytest.raises(ConfigError, match=r"--host: .* cannot be used; accepted: http://HOST"):
        Target.parse(url, name="--host")


@given(st.text())
def test_any_text_is_a_target_or_a_config_error(text: str) -> None:
    try:
        target = Target.parse("http://" + text)
    except ConfigError:
        return
    assert not set("\r\n\t #?@") & set(target.http_url)


@pytest.mark.parametrize(
    "url",
    ["http://user:s3cret@h", "http://:s3cret@h:99999", "http://s3cret@", "ftp://u:s3cret@h/", "http://h/?http_key=s3cret",
     "http://u:s3cret@h:x/?k=s3cret#s3cret", "http://u:s3cret/x@h", "http://u:s3cret?x@h", "http://u:s3cret#x@h",
     "u:s3cret@h", "u:s3cret@h:7350", "HTTP://u:a@s3cret@h", "http:/u:s3cret@h", "//u:s3cret@h", "http://u:s3cret%40h",
     "http://u:\ns3cret@h", "s3cret@h"],
)  # fmt: skip
def test_a_bad_url_never_shows_a_password(url: str) -> None:
    for name in ("url", "metrics", "confirm_target", "allowed_hosts"):
        with pytest.raises(ConfigError) as caught:
            Settings.resolve({name: url}, {})
        assert "s3cret" not in str(caught.value)
        assert "s3cret" not in str(caught.value.value)
        assert caught.value.name == BY_NAME[name].flag
    with pytest.raises(ConfigError) as caught:
        Settings.resolve({"allowed_hosts": ["a.example.com", url]}, {})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("path", ["/v2", "/v2/", "/nakama/v2", "/v2/account"])
def test_an_api_path_is_refused_in_one_line(path: str) -> None:
    with pytest.raises(ConfigError, match=r"^--nakama-url: .*without /v2") as caught:
        Settings.resolve({"url": f"http://h:7350{path}"}, {})
    assert "\n" not in str(caught.value)
    assert Settings.resolve({"metrics": f"http://h:7350{path}"}, {}).metrics is not None
    assert Target.parse("http://h/v20").path == "/v20"


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("\uff50\uff52\uff4f\uff44.example.com", "prod.example.com"),
        ("pro\u00add.example.com", "prod.example.com"),
        ("prod\u3002example.com", "prod.example.com"), ("PROD.example.com", "prod.example.com"),
        ("\uff11\uff12\uff17.0.0.1", "127.0.0.1"), ("bücher.example", "xn--bcher-kva.example"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)  # fmt: skip
def test_a_host_is_normalized_for_the_resolver(written: str, host: str) -> None:
    assert Target(written).host == host


@pytest.mark.parametrize("host", ["%70rod.example.com", "\u00ad", "a\uff0fb", "a\uff20b", "h\uff1a80"])
def test_a_host_with_bad_characters_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match=r"^host: "):
        Target(host)


@pytest.mark.parametrize("flag", ["server_key", "http_key"])
def test_a_key_from_a_file_or_standard_input(
    flag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("k e@y\n")
    for written in (f"@{tmp_path}/key", "-", "k e@y"):
        monkeypatch.setattr("sys.stdin", io.StringIO("k e@y\nthe next\n"))
        settings = Settings.resolve({flag: written}, {})
        assert getattr(settings.credentials, flag) == "k e@y"
    assert getattr(Settings.resolve({}, {f"NAKAMA_{flag.upper()}": "k e@y\n"}).credentials, flag) == "k e@y"
    # The environment is not visible to other users: its value is always the key itself.
    assert getattr(Settings.resolve({}, {f"NAKAMA_{flag.upper()}": "@key"}).credentials, flag) == "@key"


def test_two_keys_on_standard_input_are_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo"))
    assert Settings.resolve({"server_key": "-", "http_key": "-"}, {}).credentials == Credentials("one", "two")


@pytest.mark.parametrize("content", [None, b"", b"\n", b"a\nb\n", b"\xff"])
def test_a_bad_key_file_is_one_line_without_content(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "s3cret").write_bytes(content)
    with pytest.raises(ConfigError, match=r"^--nakama-server-key: .*cannot be used; accepted: ") as caught:
        Settings.resolve({"server_key": f"@{tmp_path}/s3cret"}, {})
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(ConfigError, match=r"^--nakama-server-key: '<hidden>'"):
        Settings.resolve({"server_key": "-"}, {})


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"host": ""}, "host"),
        ({"host": "http://h"}, "host"),
        ({"host": "a b"}, "host"),
        ({"host": "h\r\nX: y"}, "host"),
        ({"host": "h", "port": 0}, "port"),
        ({"host": "h", "port": 65536}, "port"),
        ({"host": "h", "path": "/a/"}, "path"),
        ({"host": "h", "path": "a"}, "path"),
        ({"host": "h", "path": "/a\r\n"}, "path"),
    ],
)
def test_bad_parts_are_named(parts: dict[str, str | int], name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: "):
        Target(**parts)  # type: ignore[arg-type]


def test_keys_are_never_shown() -> None:
    assert repr(Credentials("secret-a", "secret-b")) == "Credentials()"


def test_defaults() -> None:
    settings = Settings.resolve({}, {})
    assert settings.target is None
    assert settings.credentials == Credentials("defaultkey", "defaulthttpkey")
    assert (settings.timeouts.connect, settings.timeouts.request) == (10.0, 10.0)
    assert (settings.timeouts.heartbeat_interval, settings.timeouts.heartbeat_timeout) == (10.0, 10.0)
    assert (settings.rest_transport, settings.seed, settings.reports) == (
        "geventhttpclient",
        1,
        Path("reports"),
    )


def test_command_line_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "nakama.toml"
    file.write_text('[nakama]\nseed = 2\ntick_rate = 20\nurl = "http://file:1"\nmatch_seconds = 2.5\n')
    environment = {"NAKAMA_SEED": "3", "NAKAMA_URL": "http://environment:2", "OTHER": "x"}
    settings = Settings.resolve({"seed": "4", "url": None}, environment, file)
    assert (settings.seed, settings.tick_rate, settings.match_seconds) == (4, 20.0, 2.5)
    assert settings.target == Target("environment", 2)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("Yes", True), ("1", True), ("no", False), ("0", False), (True, True)]
)
def test_flags(text: object, value: bool) -> None:
    assert Settings.resolve({"tls_insecure": text}, {}).network.tls.insecure is value


BAD = {
    "url": ["h:1", 5],
    "server_key": ["", 5],
    "http_key": [""],
    "id_prefix": ["", "a b", "é", "x" * 41, "-"],
    "seed": ["-1", "x", 2**32, 1.5, True],
    "locales": ["", "xx_XX", "en_US:0", 5],
    "connect_timeout": ["0", "-1", "nan", "inf", "x", True],
    "request_timeout": [0],
    "heartbeat_interval": [0],
    "heartbeat_timeout": [0],
    "rest_transport": ["curl"],
    "tls_ca": ["/no/such/file", 5],
    "tls_insecure": ["maybe", ""],
    "proxy": ["ftp://h", "http://u:s3cret@", "http://h/path", "http://h:port", "socks5://h:1", "http://a b", 5],
    "max_headers": ["0", "1023", 2**31, "x", 1.5, True],
    "max_body": ["0", "x"],
    "max_received": ["0", "x"],
    "max_sent": ["-1", "x"],
    "tick_rate": ["0"],
    "match_seconds": ["0"],
    "matchmaker_timeout": ["0"],
    "matchmaker_interval": ["-1", "x", "nan"],
    "hold_seconds": ["0"],
    "go_rpc": ["", 5],
    "emulator_matchmaker_interval": ["0"],
    "emulator_module": ["/no/such/module.py", 5, [""], "a.py,,b.py"],
    "load": ["idle", "soak:users=0,for=1s", "search:from=50,to=5", "search:from=5,to=50,max_in_flight=9", 5],
    "profile": ["/no/such/file", 5],
    "require": ["-1", "x", 1.5, 10**6 + 1],
    "reports": [""],
    "worker_logs": ["/dev/null/logs", 5],
    "gate": ["/no/such/file", 5],
    "allow_emulator": ["maybe"],
    "allow_handler_failures": ["maybe"],
    "health_limits": ["nonsense", 5],
    "metrics": ["127.0.0.1:9100", 5],
    "metrics_interval": [0],
    "node_metrics": ["127.0.0.1:9100", 5],
    "db": ["u:p@h/d", "mysql://u@h/d", "postgres://h/d", "postgres://u:p@h", "postgres://u@h/d?sslmode=x", 5],
    "server_log": ["/no/such/file", 5],
    "live": ["graph"],
    "live_interval": ["-1", "x"],
    "prometheus": ["x", "65536", "host:", "a b:1", -1, 1.5],
    "traces": ["-1", "x", 101],
    "timeline": ["fd:x", "fd:", 5],
    "otlp": ["env", "127.0.0.1:4318", "grpc://h:4317", "http://u:p@h", "http://h?x=1", 5],
    "webhook": ["ftp://h/x", "hooks.example.com/x", "http://u:p@h/x", "https://h/a b", "https://h/x#y", 5],
    "request_samples": ["-1", "x", 1.5, 10**6 + 1],
    "wait_for_server": ["-1", "x", "nan"],
    "allowed_hosts": ["a b", "a,,b", "http://a", 5, [5], [""]],
    "max_users": ["-1", "x", 1.5, 10**6 + 1],
    "confirm_target": ["http://a", "a b", "a/b", 5],
}


def test_every_setting_has_bad_values_here() -> None:
    assert set(BAD) == {setting.name for setting in SETTINGS}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_bad_value_is_named_by_its_source(name: str, value: object, tmp_path: Path) -> None:
    [setting] = [setting for setting in SETTINGS if setting.name == name]
    with pytest.raises(ConfigError) as caught:
        Settings.resolve({name: value}, {})
    assert caught.value.name == setting.flag == "--nakama-" + name.replace("_", "-")
    assert "accepted: " in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        Settings.resolve({}, {setting.variable: value})  # type: ignore[dict-item]
    assert caught.value.name == "NAKAMA_" + name.upper()
    assert not setting.secret or caught.value.value == "<hidden>"


def test_a_bad_value_in_the_file_names_file_and_key(tmp_path: Path) -> None:
    file = tmp_path / "nakama.toml"
    file.write_text("[nakama]\nseed = -1\n")
    with pytest.raises(ConfigError, match=r"nakama\.toml line 2: seed: -1 cannot be used"):
        Settings.resolve({}, {}, file)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            b"[nakama]\nsed = 1\n",
            "line 2: .nakama.: 'sed' cannot be used; accepted: url, server_key.*; did you mean seed",
        ),
        (b"[other]\n", r"a \[nakama\] table"),
        (b"nakama = 1\n", r"a \[nakama\] table"),
        (b"[nakama\n", "a TOML file"),
        (b"\xff", "a readable TOML file .not UTF-8"),
        (None, "a readable TOML file"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, content: bytes | None, expected: str) -> None:
    file = tmp_path / "nakama.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        Settings.resolve({}, {}, file)


def test_existing_files_are_accepted(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    settings = Settings.resolve({"tls_ca": str(ca), "reports": str(tmp_path)}, {})
    assert (settings.network.tls.ca, settings.reports) == (str(ca), tmp_path)
