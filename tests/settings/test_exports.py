"""Addresses, sinks, webhooks and collectors as a user writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nakama_bots.errors import ConfigError
from nakama_bots.settings.exports import Collector, Listen, Sink, Webhook, otlp_refusal, sink_refusal
from nakama_bots.settings.resolve import Settings
from nakama_bots.settings.target import Target


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("9646", Listen("127.0.0.1", 9646)),
        ("0", Listen("127.0.0.1", 0)),
        ("0.0.0.0:9646", Listen("0.0.0.0", 9646)),
        ("[::1]:9646", Listen("::1", 9646)),
        ("metrics.example.com:1", Listen("metrics.example.com", 1)),
    ],
)
def test_listen_addresses(text: str, listen: Listen) -> None:
    assert Listen.parse(text) == listen
    assert Settings.resolve({"prometheus": text}, {}).prometheus == listen


def test_a_port_in_the_file_is_a_number(tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_text("[nakama]\nprometheus = 9646\n")
    assert Settings.resolve({}, {}, tmp_path / "f.toml").prometheus == Listen("127.0.0.1", 9646)


def test_a_sink_is_a_file_or_a_descriptor() -> None:
    assert Sink.parse("fd:3") == Sink(None, 3)
    assert Sink.parse("a/b.jsonl") == Sink(Path("a/b.jsonl"))
    assert [Sink.parse(text).name for text in ("fd:3", "a/b.jsonl")] == ["fd:3", "a/b.jsonl"]


def test_a_sink_is_checked_before_the_run(tmp_path: Path) -> None:
    assert sink_refusal("") == sink_refusal(str(tmp_path / "new.jsonl")) == ""
    assert "it is a folder" in sink_refusal(str(tmp_path))
    assert "no folder" in sink_refusal(str(tmp_path / "none" / "new.jsonl"))
    reader, writer = os.pipe()
    assert sink_refusal(f"fd:{writer}") == ""
    assert "Bad file descriptor" in sink_refusal(f"fd:{reader}")
    os.close(reader)
    os.close(writer)
    with pytest.raises(ConfigError, match="--nakama-timeline"):
        Settings.resolve({"timeline": f"fd:{writer}"}, {}, attempt=["timeline"])


def test_a_webhook_is_a_secret() -> None:
    url = "https://hooks.example.com/services/T0/B0/planted?thread=1"
    webhook = Webhook.parse(url)
    assert webhook == Webhook(Target("hooks.example.com", 443, ssl=True), "/services/T0/B0/planted?thread=1")
    settings = Settings.resolve({"webhook": url}, {})
    assert settings.webhook == webhook
    assert "planted" not in repr(settings)
    assert "webhook" not in settings.public_values


def test_a_collector_is_a_url_or_comes_from_the_environment() -> None:
    assert Collector.parse("environment").endpoint("metrics") is None
    assert Collector.parse("https://c.example.com/otlp/").endpoint("traces") == (
        "https://c.example.com:443/otlp/v1/traces"
    )
    with pytest.raises(ConfigError) as refusal:
        Settings.resolve({}, {"NAKAMA_OTLP": "http://me:planted@h"})
    assert str(refusal.value).startswith("NAKAMA_OTLP: ")
    assert "planted" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "10s"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "inf"),
    ],
)
def test_a_collector_from_the_environment_is_validated(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert otlp_refusal("environment") == otlp_refusal("") == ""
    monkeypatch.setenv(name, value)
    assert otlp_refusal("") == ""
    with pytest.raises(ConfigError, match=f"--nakama-otlp: .*{name}.*'{value}'"):
        Settings.resolve({"otlp": "environment"}, {}, attempt=["otlp"])
