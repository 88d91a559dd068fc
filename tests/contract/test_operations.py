"""``doctor`` and ``cleanup`` against the server under test."""

from __future__ import annotations

import json

import pytest

from nakama_bots.cli.main import main
from nakama_bots.errors import NotFound
from nakama_bots.players.identity import Identity

from .support import Server, unique


def test_doctor_passes(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    url = server.target.http_url
    code = main(["doctor", url, "--json", "--nakama-matchmaker-timeout", str(server.matchmaker_wait)])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert {name for name, check in checks.items() if check["status"] in ("failed", "skipped")} == set()
    assert checks["tidy"]["status"] == "ok"
    assert code == 0


def test_cleanup_deletes_only_the_bots(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    client, prefix = server.client, unique("cleaned")
    ids = [Identity(prefix, 1, worker, number).device_id for worker in (0, 1) for number in range(10)]
    owner, *_, last = [client.authenticate_device(one, username=one) for one in ids]
    bystander = server.new_session()
    alone, mixed = (client.create_group(owner, name=unique("group"), open=True)["id"] for _ in range(2))
    client.join_group(last, alone)
    client.join_group(bystander, mixed)
    client.link_email(last, {"email": f"{prefix}@example.com", "password": "password1"})
    command = ["cleanup", server.target.http_url, "--prefix", prefix, "--rate", "1000", "--delete"]

    assert main(command) == 0
    output = capsys.readouterr().out
    assert "deleted: 18 accounts and 0 groups\n" in output
    assert "kept: 1 account, it has another login as well" in output
    assert "kept: 1 account, it owns a group with other members" in output

    client.unlink_email(last, {"email": f"{prefix}@example.com", "password": "password1"})
    assert main([*command, "--groups-with-others"]) == 0
    assert "deleted: 2 accounts and 2 groups\n" in capsys.readouterr().out
    for one in ids:
        with pytest.raises(NotFound):
            client.authenticate_device(one, create=False)
    assert client.get_account(bystander)["user"]["id"] == bystander.user_id
    assert "user_groups" not in client.list_user_groups(bystander, bystander.user_id)
