"""The REST families, with their pushes, answer as recorded from a real Nakama 3.40.0."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from nakama_bots.emulator.store.core import Core
from nakama_bots.emulator.store.purchases import Subscription

from .inprocess import Touch, replay_inside
from .replay import Mismatch

DATA = Path(__file__).parent / "data" / "families"
SCENARIOS = sorted(path.stem for path in DATA.glob("*.json"))
# A direct channel's id has the lower user id first: with these seeds it is the same user as in the recording.
SEEDS = {"channel.dm_blocked": 1, "notification.push": 2}
OPTIONS: dict[str, dict[str, Any]] = {"iap.facebook_instant": {"iap_facebook_instant_secret": "wire-secret"}}
YEAR_2000, YEAR_2100 = 946_684_800, 4_102_444_800
DAY = 86_400


def _link_facebook(core: Core, bound: dict[str, str]) -> None:
    account = core.accounts.get(bound["uuid:2"])
    assert account is not None
    core.accounts.link(account, "facebook", "fb1")


def _link_all(core: Core, bound: dict[str, str]) -> None:
    account = core.accounts.get(bound["uuid:1"])
    assert account is not None
    for kind, external in (
        ("facebook", "f"),
        ("google", "g"),
        ("gamecenter", "c"),
        ("steam", "s"),
        ("facebookinstantgame", "i"),
        ("apple", "a"),
    ):
        core.accounts.link(account, kind, external)


def _subscribe(core: Core, bound: dict[str, str]) -> None:
    for number, (store, environment, expiry) in enumerate(
        ((0, 1, YEAR_2100 + 31 * DAY), (1, 2, YEAR_2100 + 31 * DAY), (0, 0, YEAR_2000 + 31 * DAY)), 1
    ):
        time = YEAR_2100 + (number - 1) * DAY
        core.purchases.subscribe(
            Subscription(
                bound["uuid:1"],
                f"product{number}",
                f"tx{number}",
                store,
                environment,
                time,
                time,
                time,
                expiry,
                provider_response='{"k":1}',
            )
        )


def _without_bundled_cup(core: Core, _: dict[str, str]) -> None:
    del core.leaderboards._boards["nakama_bots_cup"]


# Changes that the recorder made in the database, and the entries before which it made them.
TOUCHES: dict[str, dict[str, Touch]] = {
    "rest.account": {"users.by_facebook_ids": _link_facebook},
    "rest.link.thirdparty": {"account_with_all": _link_all},
    "rest.iap": {"subscriptions.list": _subscribe},
    "rest.tournaments": {"list.all": _without_bundled_cup},
}


def load(name: str) -> dict[str, Any]:
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def run(scenario: dict[str, Any], name: str) -> None:
    asyncio.run(replay_inside(scenario, SEEDS.get(name, 0), TOUCHES.get(name, {}), **OPTIONS.get(name, {})))


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    run(load(name), name)


def test_every_recording_exists() -> None:
    assert len(SCENARIOS) == 25
    assert all(load(name)["entries"] for name in SCENARIOS)


def test_changed_recording_fails() -> None:
    changed = load("rest.storage")
    entry = next(entry for entry in changed["entries"] if entry["name"] == "read.own")
    entry["response"]["body"]["objects"][0]["permission_read"] = 2
    with pytest.raises(Mismatch, match=r"read\.own"):
        run(changed, "rest.storage")
