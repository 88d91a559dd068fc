"""Every scenario as a user runs it, several classes to a process: ``locust -f locustfile.py NAME NAME ..``."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from load import running as locust

from nakama_bots.results.show.published import WORKLOADS
from nakama_bots.results.summary import DeliveryPart, Summary

HEADLESS = ("--headless", *locust.WITHOUT_LIMITS)
ROOT = locust.ROOT
SCENARIOS = sorted((ROOT / "scenarios").glob("[!_]*.py"))
DOCS = ROOT / "docs" / "scenarios.md"


@dataclass(frozen=True)
class Does:
    """The goals of a scenario: the calls that it makes, and counts that show that its players met."""

    calls: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    samples: tuple[str, ...] = ()
    users: int = 2


@dataclass(frozen=True)
class Together:
    """Scenarios of one process."""

    scenarios: Mapping[str, Does]
    arguments: tuple[str, ...] = field(default=())
    seconds: int = 8
    """Of load at least; it goes on until everything is done."""
    more: tuple[str, ...] = ()
    """What else must have happened by the end; see ``tests/until.py``."""


ACCOUNTS = Together({
    "AccountStorage": Does(
        ("/v2/storage", "/v2/storage (version_conflict)", "/v2/account", "/v2/storage/{collection}"),
        ("provoked.version_conflict",), users=4,
    ),
    "AuthenticationStorm": Does(("/v2/account/session/refresh", "/v2/account/authenticate/device")),
    "LeaderboardRace": Does((
        "/v2/leaderboard/{leaderboard_id}", "/v2/leaderboard/{leaderboard_id}/owner/{owner_id}",
        "/v2/tournament/{tournament_id}", "/v2/tournament/{tournament_id}/join",
    )),
    "FriendsAndGroups": Does(
        ("/v2/friend", "/v2/group", "/v2/group/{group_id}", "/v2/group/{group_id}/add", "/v2/user"), users=4
    ),
})  # fmt: skip
PEOPLE = Together({
    "Chat": Does(
        ("channel_join", "channel_message_send", "channel_message_update", "channel_message_remove"),
        ("chat_sent", "delivery.chat.Chat.received"), ("delivery.chat.Chat",), users=4,
    ),
    "PresenceFanOut": Does(
        ("status_follow", "status_update"), ("delivery.status.PresenceFanOut.received",),
        ("delivery.status.PresenceFanOut",),
    ),
    "TownSquare": Does(("channel_leave",), ("delivery.chat.TownSquare.received",)),
    "DayInTheLife": Does(
        ("/v2/friend", "channel_message_send"), ("delivery.chat.DayInTheLife.received",), ("session_length",),
        users=4,
    ),
    "Rpc": Does(("rpc", "/v2/rpc/{id}")),
    "Notifications": Does(("notifications", "/v2/notification")),
})  # fmt: skip
MATCHES = Together({
    "Duel": Does(
        ("matchmaker_add", "match_join", "match_leave"),
        ("tickets_matched", "tickets_joined", "matches_played", "ticks_sent", "delivery.match.Duel.received"),
        ("delivery.match.Duel", "tick_lateness"),
    ),
    "MatchmakerOnly": Does(("matchmaker_matched",), ("match_size.2",), users=4),
    "FishGame": Does((), ("match_sent.swim", "match_received.swim")),
    "ReconnectInMatch": Does(
        ("match_create",), ("reconnects", "delivery.match.ReconnectInMatch.received"), ("reconnect",)
    ),
    "RelayedMatch": Does(("match_create",), ("delivery.match.RelayedMatch.received",)),
    "AuthoritativeMatch": Does(("rpc",), ("delivery.match.AuthoritativeMatch.received",)),
    "BigMatch": Does(("rpc",), ("match_server_ticks", "match_inputs_sent"), ("delivery.match.BigMatch",)),
    "BigRelay": Does(("match_create",), (), ("delivery.match.BigRelay",)),
    "JoinRace": Does((), ("join_race.joined", "join_race.created")),
    "PartyToMatch": Does(
        ("party_create", "party_join", "party_data_send", "party_matchmaker_add", "party_close", "party_leave"),
        ("delivery.party.PartyToMatch.received", "delivery.match.PartyToMatch.received", "match_size.4"),
        ("delivery.party.PartyToMatch",), users=4,
    ),
}, ("--nakama-match-seconds", "1"))  # fmt: skip
PUBLISHED = Together({
    "HeroicSockets": Does(("connect",), users=1),
    "HeroicRegister": Does(("/v2/account/authenticate/device",), users=1),
    "HeroicAuthenticate": Does(("/v2/account/authenticate/device",), users=1),
    "HeroicLuaRpc": Does(("/v2/rpc/{id}",), users=1),
    "HeroicGoRpc": Does(("/v2/rpc/{id}",), users=1),
    "HeroicMatch": Does(("match_join", "match_data (echo)", "match_data (broadcast)")),
    "CodeWizards": Does(("/v2/account", "connect"), users=1),
}, ("--nakama-go-rpc", "echo"))  # fmt: skip
SOCKETS = Together({
    "IdleSocket": Does((), ("sockets_held",)),
    "ReconnectChurn": Does(("ping", "status_update", "connect")),
    "SlowReader": Does(
        ("rpc (slow_reader)",), ("provoked.slow_reader", "slow_reader_closed"), ("slow_reader",), users=1
    ),
}, ("--nakama-hold-seconds", "1"), seconds=14)  # fmt: skip
NIGHT = Together({
    "FishNight": Does(
        ("party_create", "party_join"), ("reconnects", "match_sent.swim"), ("reconnect",), users=6
    ),
}, seconds=22, more=("delivery.match.FishNight.received>=1200",))  # fmt: skip
GROUPS = {
    "night": NIGHT,
    "accounts": ACCOUNTS,
    "people": PEOPLE,
    "matches": MATCHES,
    "published": PUBLISHED,
    "sockets": SOCKETS,
}


def done_by(together: Together) -> dict[str, str]:
    """The environment of a run that ends when each has done all that is looked at."""
    names = [
        name for does in together.scenarios.values() for name in (*does.calls, *does.counts, *does.samples)
    ]
    return locust.until(*names, *together.more, seconds=together.seconds)


def run(reports: Path, together: Together) -> tuple[Summary, str]:
    """Run the scenarios against the embedded emulator for a few seconds."""
    users = [{"user_class_name": name, "fixed_count": does.users} for name, does in together.scenarios.items()]
    number = str(sum(does.users for does in together.scenarios.values()))
    done = locust.run(
        reports, *together.scenarios, "-u", number, "-r", number,
        "--nakama-emulator-matchmaker-interval", "0.2", *together.arguments,
        "--config-users", json.dumps(users), prefix=HEADLESS,
        environment={"DAY_IN_THE_LIFE_SCALE": "0.02"} | done_by(together),
    )  # fmt: skip
    assert done.finish() == 0
    assert locust.TRACE not in done.output
    return done.summary, done.output


def figures(part: DeliveryPart) -> tuple[int, ...]:
    return part["expected"], part["received"], part["missed"], part["lost"], part["unknown"]


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_they_do_what_they_say(group: str, tmp_path: Path) -> None:
    summary, text = run(tmp_path, GROUPS[group])
    made = {call["name"] for call in summary["calls"] if call["count"] > 0}
    for name, does in GROUPS[group].scenarios.items():
        assert set(does.calls) <= made, name
        assert all(summary["counts"].get(count, 0) > 0 for count in does.counts), name
        assert all(summary["samples_ms"].get(sample, {}).get("count") for sample in does.samples), name
    assert summary["errors"] == []
    assert summary["ledger"]["balanced"]
    for part in summary["deliveries"].values():
        assert part["lost"] == part["duplicated"] == 0
        assert part["balanced"]
    if group == "night":
        # Two were away while their four friends sent 60 messages each.
        assert figures(summary["delivery"]) == (1440, 1200, 240, 0, 0)
        assert "expected 1,440 = received 1,200 + missed while away 240 + lost 0 + unknown 0" in text
    # Each published workload has its figures beside what was measured here.
    shown = {row["workload"] for row in summary["published"] if row["measured"] is not None}
    assert shown == (set(WORKLOADS) if group == "published" else set())
    assert ("published by" in text) == (group == "published")
    if group == "matches":
        funnel = summary["matchmaking"]
        assert funnel["interval_s"] == 0.2
        assert funnel["tickets_joined"] <= funnel["tickets_matched"] * 2
        assert sum(funnel["match_sizes"].values()) == funnel["tickets_matched"]
        assert set(funnel["intervals_to_match"]) == {"p50", "p95"}
        assert "server's intervals of 0.2 s" in text


def test_every_scenario_is_run_here() -> None:
    assert sorted(name for together in GROUPS.values() for name in together.scenarios) == sorted(listed())


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_is_short_and_has_a_docstring(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 100
    assert ast.get_docstring(ast.parse(text))


def test_the_table_of_the_docs_is_what_locust_lists() -> None:
    rows = [
        line.strip("|").split("|")
        for line in DOCS.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    table = {cells[0].strip().strip("`"): [cell.strip() for cell in cells[1:]] for cells in rows}
    assert sorted(table) == sorted(listed())
    for name, (file, tags, *_) in table.items():
        source = (ROOT / "scenarios" / file.strip("`")).read_text(encoding="utf-8")
        classes = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}
        base = classes[name].bases[0]
        inherited = tags_of(classes[base.id]) if isinstance(base, ast.Name) and base.id in classes else set()
        assert sorted(re.findall(r"`(\w+)`", tags)) == sorted(tags_of(classes[name]) | inherited), name


def tags_of(scenario: ast.AST) -> set[str]:
    """Those of all its tasks."""
    calls: Iterable[ast.Call] = (node for node in ast.walk(scenario) if isinstance(node, ast.Call))
    return {
        str(tag.value)
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "tag"
        for tag in call.args
        if isinstance(tag, ast.Constant)
    }


def listed() -> list[str]:
    """The classes that ``locust -f locustfile.py --list`` shows."""
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", "locustfile.py", "--list"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return re.findall(r"^\s+(\w+)$", done.stdout + done.stderr, re.MULTILINE)


def two_users(reports: Path, done: str, *arguments: str) -> locust.Locust:
    return locust.run(
        reports, "-u", "2", "-r", "2", *arguments, prefix=HEADLESS, environment=locust.until(done)
    )


def test_without_names_the_calm_mix_runs(tmp_path: Path) -> None:
    calm = two_users(tmp_path, "connect")
    assert calm.finish() == 0
    assert sorted(calm.summary["run"]["scenario"].split("-")) == ["duel", "townsquare"]


def test_a_missing_server_function_is_reported_in_one_line(tmp_path: Path) -> None:
    done = two_users(tmp_path, "failure", "HeroicGoRpc", "--nakama-go-rpc", "nobody")
    assert done.finish() == 1
    assert locust.TRACE not in done.output
    (line,) = (line for line in done.output.splitlines() if "needs a server with" in line)
    assert "HeroicGoRpc needs a server with a Go module whose RPC --nakama-go-rpc names" in line
