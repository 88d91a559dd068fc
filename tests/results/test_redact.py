from __future__ import annotations

import pytest

from nakama_bots.errors import ConfigError, without_secrets
from nakama_bots.results.redact import public_settings
from nakama_bots.settings.table import SETTINGS

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1aWQiOiIxIn0.c2lnbmF0dXJl"
ID = "2f1c8c1e-0b1c-4d0e-9f5e-3a1b2c3d4e5f"


@pytest.mark.parametrize(
    "name", ["server_key", "httpKey", "TOKEN", "refresh_token", "db_password", "client_secret", "credentials"]
)
def test_the_name_of_a_secret_is_refused_without_its_value(name):
    with pytest.raises(ConfigError, match=name) as raised:
        public_settings({"seed": 1, name: "hunter22"})
    assert "hunter22" not in str(raised.value)


def test_only_secret_settings_are_refused():
    for setting in SETTINGS:
        if setting.secret:
            with pytest.raises(ConfigError):
                public_settings({setting.name: setting.default})
        else:
            assert public_settings({setting.name: setting.default}) == {setting.name: setting.default}


def test_a_nested_value_is_refused_because_it_could_hide_a_secret():
    with pytest.raises(ConfigError, match="<dict>") as raised:
        public_settings({"server": {"key": "hunter22"}})
    assert "hunter22" not in str(raised.value)


def test_a_secret_within_a_value_is_replaced():
    shown = public_settings({"note": f"ran with {TOKEN}", "url": "http://127.0.0.1:7350", "none": None})
    assert shown == {"note": "ran with <token>", "url": "http://127.0.0.1:7350", "none": None}


def test_ids_are_kept_unless_a_secret_is_beside_them():
    assert without_secrets(f"match {ID} is gone") == f"match {ID} is gone"
    assert without_secrets(f"match {ID}: token=abc") == "match <id>: token=<secret>"
