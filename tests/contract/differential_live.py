"""The websocket half of the scripted session: one function per family."""

from __future__ import annotations

import base64
import json
from typing import Any

from .differential import Run

NOBODY = "11111111-1111-4111-8111-111111111111"


def data(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def presence(run: Run, who: str) -> dict[str, str]:
    """The user's presence as others see it."""
    actor = run.actors[who]
    return {"user_id": actor.user_id, "session_id": actor.session_id, "username": run.name(who)}


def connecting(run: Run) -> None:
    run.connect("connect.bad_token", "nobody")
    run.connect("connect.bad_format", "cal", "&format=xml")
    run.rest("connect.no_upgrade", None, "GET", "/ws", query=[("token", run.actors["ann"].tokens["token"])])
    run.connect("connect.ann", "ann", "&status=true", {"ann": "status_presence_event"})
    run.connect("connect.ben", "ben", "&status=true", {"ben": "status_presence_event"})
    run.connect("connect.cal", "cal")


def status(run: Run) -> None:
    ann, ben, cal = (run.actors[name].user_id for name in ("ann", "ben", "cal"))
    run.rest("users.online", "cal", "GET", "/v2/user", query=[("ids", ann), ("ids", cal)])
    run.send("status.follow", "ann", {"status_follow": {"user_ids": [ben, ann, NOBODY]}})
    run.send("status.follow_name", "cal", {"status_follow": {"usernames": [run.name("ann")]}})
    both = {"ben": "status_presence_event", "ann": "status_presence_event"}
    run.send("status.update", "ben", {"status_update": {"status": "playing"}}, both)
    run.send("status.empty", "ben", {"status_update": {"status": ""}}, both)
    run.send("status.offline", "ben", {"status_update": {}}, both)
    run.send("status.back", "ben", {"status_update": {"status": "back"}}, both)
    run.send("status.unfollow", "ann", {"status_unfollow": {"user_ids": [ben]}})
    run.send("status.unheard", "ben", {"status_update": {"status": "x"}}, {"ben": "status_presence_event"})
    run.send("status.bad_id", "ann", {"status_follow": {"user_ids": ["nonsense"]}})
    run.send("status.long", "ann", {"status_update": {"status": "x" * 2049}})
    run.send("status.ping", "ann", {"ping": {}})


def chat(run: Run) -> None:
    """A room, with history."""
    joined = "channel_presence_event"
    room = run.name("room")
    answer = run.send("chat.join", "ann", {"channel_join": {"target": room, "type": 1}}, {"ann": joined})
    channel = answer["channel"]["id"]
    run.actors["ann"].session_id = answer["channel"]["self"]["session_id"]
    again = run.send(
        "chat.join_second", "ben", {"channel_join": {"target": room, "type": 1}}, {"ann": joined, "ben": joined}
    )
    run.actors["ben"].session_id = again["channel"]["self"]["session_id"]
    run.send("chat.join_again", "ben", {"channel_join": {"target": room, "type": 1}})
    both = {"ann": "channel_message", "ben": "channel_message"}
    ids = []
    for number in range(3):
        message = {"channel_id": channel, "content": json.dumps({"text": f"message {number}", "b": 1})}
        sent = run.send(f"chat.send_{number}", "ann", {"channel_message_send": message}, both)
        ids.append(sent["channel_message_ack"]["message_id"])
    change = {"channel_id": channel, "message_id": ids[0], "content": '{"text":"changed"}'}
    run.send("chat.update", "ann", {"channel_message_update": change}, both)
    run.send("chat.update_foreign", "ben", {"channel_message_update": change})
    run.send(
        "chat.remove", "ann", {"channel_message_remove": {"channel_id": channel, "message_id": ids[1]}}, both
    )
    run.send(
        "chat.remove_again", "ann", {"channel_message_remove": {"channel_id": channel, "message_id": ids[1]}}
    )
    _history(run, f"/v2/channel/{channel}")
    _chat_errors(run, channel)
    run.send("chat.leave", "ben", {"channel_leave": {"channel_id": channel}}, {"ann": joined})
    run.send("chat.left_send", "ben", {"channel_message_send": {"channel_id": channel, "content": "{}"}})


def _history(run: Run, path: str) -> None:
    page = run.rest("chat.history", "cal", "GET", path, query=[("limit", "1")])
    cursor = page.get("next_cursor", "")
    run.rest("chat.history_next", "cal", "GET", path, query=[("limit", "1"), ("cursor", cursor)])
    run.rest("chat.history_back", "cal", "GET", path, query=[("limit", "10"), ("forward", "false")])
    turned = [("limit", "1"), ("forward", "false"), ("cursor", cursor)]
    run.rest("chat.history_turned", "cal", "GET", path, query=turned)
    run.rest("chat.history_limit", "cal", "GET", path, query=[("limit", "101")])
    run.rest("chat.history_unknown", "cal", "GET", "/v2/channel/nonsense")


def _chat_errors(run: Run, channel: str) -> None:
    for step, content in (("no_json", "x"), ("no_object", "[1]"), ("empty", "")):
        run.send(
            f"chat.send_{step}", "ann", {"channel_message_send": {"channel_id": channel, "content": content}}
        )
    run.send("chat.send_unknown", "ann", {"channel_message_send": {"channel_id": "nonsense", "content": "{}"}})
    run.send("chat.join_nothing", "ann", {"channel_join": {"target": "", "type": 1}})
    run.send("chat.join_bad_type", "ann", {"channel_join": {"target": "x", "type": 9}})
    hidden = {"channel_join": {"target": run.name("hidden"), "type": 1, "hidden": True, "persistence": False}}
    secret = run.send("chat.hidden", "cal", hidden)
    unkept = {"channel_message_send": {"channel_id": secret["channel"]["id"], "content": '{"kept":false}'}}
    run.send("chat.unkept", "cal", unkept, {"cal": "channel_message"})
    run.rest(
        "chat.unkept_history", "cal", "GET", f"/v2/channel/{secret['channel']['id']}", query=[("limit", "10")]
    )


def direct(run: Run) -> None:
    ann, ben = run.actors["ann"].user_id, run.actors["ben"].user_id
    joined = "channel_presence_event"
    pushes = {"ann": joined, "ben": "notifications"}
    channel = run.send("direct.join", "ann", {"channel_join": {"target": ben, "type": 2}}, pushes)["channel"][
        "id"
    ]
    run.send(
        "direct.answer", "ben", {"channel_join": {"target": ann, "type": 2}}, {"ann": joined, "ben": joined}
    )
    both = {"ann": "channel_message", "ben": "channel_message"}
    run.send(
        "direct.send", "ann", {"channel_message_send": {"channel_id": channel, "content": '{"a":1}'}}, both
    )
    run.rest("direct.history", "ben", "GET", f"/v2/channel/{channel}", query=[("limit", "10")])
    run.rest("direct.history_foreign", "cal", "GET", f"/v2/channel/{channel}", query=[("limit", "10")])
    run.send("direct.self", "ann", {"channel_join": {"target": ann, "type": 2}}, {"ann": joined})
    run.send("direct.unknown", "ann", {"channel_join": {"target": NOBODY, "type": 2}})
    run.send("direct.leave", "ben", {"channel_leave": {"channel_id": channel}}, {"ann": joined})


def group_chat(run: Run) -> None:
    """The chat of the group of ``groups``: ann leads it, ben is a member, cal is banned."""
    group, ben = run.scratch["group"], run.actors["ben"].user_id
    joined = "channel_presence_event"
    target = {"channel_join": {"target": group, "type": 3}}
    channel = run.send("group_chat.join", "ann", target, {"ann": joined})["channel"]["id"]
    run.send("group_chat.join_member", "ben", target, {"ann": joined, "ben": joined})
    run.send("group_chat.join_stranger", "cal", target)
    both = {"ann": "channel_message", "ben": "channel_message"}
    run.send(
        "group_chat.send", "ben", {"channel_message_send": {"channel_id": channel, "content": '{"a":1}'}}, both
    )
    promoted = {"ann": "channel_message", "ben": "channel_message"}
    run.rest(
        "group_chat.promote",
        "ann",
        "POST",
        f"/v2/group/{group}/promote",
        query=[("user_ids", ben)],
        expect=promoted,
    )
    kicked = {"ann": f"channel_message {joined}", "ben": "channel_message"}
    run.rest(
        "group_chat.kick", "ann", "POST", f"/v2/group/{group}/kick", query=[("user_ids", ben)], expect=kicked
    )
    # The server's own messages have timestamps in whole seconds: those of one second arrive in any order.
    run.rest(
        "group_chat.history", "ann", "GET", f"/v2/channel/{channel}", query=[("limit", "100")],
        unordered=("messages",),
    )  # fmt: skip
    run.rest("group_chat.history_stranger", "cal", "GET", f"/v2/channel/{channel}", query=[("limit", "10")])


def relayed(run: Run) -> None:
    joined = "match_presence_event"
    created = run.send("match.create", "ann", {"match_create": {}}, {"ann": joined})
    match = created["match"]["match_id"]
    run.send("match.join", "ben", {"match_join": {"match_id": match}}, {"ann": joined, "ben": joined})
    cal = run.send(
        "match.join_third", "cal", {"match_join": {"match_id": match}}, dict.fromkeys(run.actors, joined)
    )
    run.actors["cal"].session_id = cal["match"]["self"]["session_id"]

    def say(step: str, who: str, expect: dict[str, str], **more: Any) -> None:
        message = {"match_id": match, "op_code": "1", "data": data("hello"), **more}
        run.send(f"match.{step}", who, {"match_data_send": message}, expect, acked=False)

    say("data", "ann", {"ben": "match_data", "cal": "match_data"})
    say("data_to_one", "ann", {"ben": "match_data"}, presences=[presence(run, "ben")])
    say("data_to_self", "ann", {"ann": "match_data"}, presences=[presence(run, "ann")])
    say("data_url_safe", "ann", {"ben": "match_data", "cal": "match_data"}, data="_-8", op_code=2)
    say("data_empty", "ann", {"ben": "match_data", "cal": "match_data"}, data="", op_code="0", reliable=True)
    say("data_to_nobody", "ann", {}, presences=[{**presence(run, "ben"), "session_id": NOBODY}])
    say("data_unknown", "ann", {}, match_id=f"{NOBODY}.")
    say("data_bad_id", "ann", {"ann": "error"}, match_id="nonsense")
    run.send("match.leave", "cal", {"match_leave": {"match_id": match}}, {"ann": joined, "ben": joined})
    say("data_outside", "cal", {})
    run.send("match.join_unknown", "cal", {"match_join": {"match_id": f"{NOBODY}."}})
    run.send("match.join_bad_id", "cal", {"match_join": {"match_id": "nonsense"}})
    run.send("match.join_nothing", "cal", {"match_join": {}})
    run.send("match.leave_unknown", "cal", {"match_leave": {"match_id": f"{NOBODY}."}})
    name = {"match_create": {"name": run.name("named")}}
    run.send("match.named", "ann", name, {"ann": joined})
    run.send("match.named_again", "ben", name, {"ann": joined, "ben": joined})
    for who, others in (("ben", {"ann": joined}), ("ann", {})):
        run.send(f"match.leave_{who}", who, {"match_leave": {"match_id": match}}, others)
    run.send("match.join_left", "cal", {"match_join": {"match_id": match}})


def authoritative(run: Run) -> None:
    joined = "match_presence_event"
    call = {"rpc": {"id": "create_match", "payload": '{"module":"benchmark_match"}'}}
    created = run.send("authoritative.create", "ann", call)
    match = json.loads(created["rpc"]["payload"])["match_id"]
    run.send("authoritative.join", "ann", {"match_join": {"match_id": match}}, {"ann": joined})
    run.send(
        "authoritative.join_second", "ben", {"match_join": {"match_id": match}}, {"ann": joined, "ben": joined}
    )
    for step, op_code, expect in (
        ("echo", "1", {"ann": "match_data"}),
        ("all", "2", {"ann": "match_data", "ben": "match_data"}),
    ):
        message = {"match_id": match, "op_code": op_code, "data": data("hello")}
        run.send(f"authoritative.{step}", "ann", {"match_data_send": message}, expect, acked=False)
    run.rest(
        "authoritative.list", "cal", "GET", "/v2/match", until=lambda got: bool(got["matches"]),
        query=[("authoritative", "true"), ("limit", "100"), ("min_size", "2"),
               ("query", "+label.workload:benchmark")],
        pick=lambda got: {"matches": [one for one in got.get("matches", []) if one["match_id"] == match]},
    )  # fmt: skip
    run.rest("authoritative.bad_limit", "cal", "GET", "/v2/match", query=[("limit", "0")])
    run.rest("authoritative.bad_size", "cal", "GET", "/v2/match", query=[("min_size", "-1")])
    run.rest(
        "authoritative.no_match",
        "cal",
        "GET",
        "/v2/match",
        query=[("authoritative", "true"), ("query", f"+label.x:{run.tag}")],
    )
    run.send("authoritative.leave", "ben", {"match_leave": {"match_id": match}}, {"ann": joined})
    run.send("authoritative.leave_last", "ann", {"match_leave": {"match_id": match}})


def socket_functions(run: Run) -> None:
    run.send("rpc_socket.echo", "ann", {"rpc": {"id": "echo", "payload": "hello"}})
    run.send("rpc_socket.empty", "ann", {"rpc": {"id": "echo"}})
    run.send("rpc_socket.unknown", "ann", {"rpc": {"id": "no_such_function"}})
    run.send("rpc_socket.nothing", "ann", {"rpc": {}})
    run.send("rpc_socket.fails", "ann", {"rpc": {"id": "create_match", "payload": '{"module":"none"}'}})


def matchmaker(run: Run) -> None:
    ticket = {
        "min_count": 2, "max_count": 2, "query": f"+properties.run:{run.tag} +properties.rank:>=5",
        "string_properties": {"run": run.tag}, "numeric_properties": {"rank": 7.5},
    }  # fmt: skip

    def add(step: str, who: str, expect: dict[str, str] | None = None, **more: Any) -> Any:
        return run.send(f"matchmaker.{step}", who, {"matchmaker_add": {**ticket, **more}}, expect)

    removed = add("add_removed", "cal")["matchmaker_ticket"]["ticket"]
    run.send("matchmaker.remove", "cal", {"matchmaker_remove": {"ticket": removed}})
    run.send("matchmaker.remove_again", "cal", {"matchmaker_remove": {"ticket": removed}})
    add("add", "ann")
    both = {"ann": "matchmaker_matched", "ben": "matchmaker_matched"}
    # The token, not the ack, is in the pushes: every user's is the same.
    add("matched", "ben", both)
    add("min_too_small", "cal", min_count=1)
    add("max_below_min", "cal", max_count=1)
    add("bad_multiple", "cal", count_multiple=3)
    add("bad_query", "cal", query="+properties.x:>y:")
    run.send("matchmaker.remove_unknown", "cal", {"matchmaker_remove": {"ticket": NOBODY}})
    run.send("matchmaker.remove_nothing", "cal", {"matchmaker_remove": {}})
    tickets = [add(f"limit_{number}", "cal", query="-properties.x:y") for number in range(4)]
    for number, one in enumerate(tickets[:3]):
        run.send(f"matchmaker.limit_{number}_remove", "cal", {"matchmaker_remove": one["matchmaker_ticket"]})
    run.rest("matchmaker.stats_no_auth", None, "GET", "/v2/matchmaker/stats")


def party(run: Run) -> None:
    joined, label = "party_presence_event", json.dumps({"run": run.tag})
    created = run.send(
        "party.create", "ann", {"party_create": {"open": True, "max_size": 3, "label": label}},
        {"ann": f"party {joined}"},
    )  # fmt: skip
    party_id = created["party"]["party_id"]
    here = {"party_id": party_id}
    run.send("party.join", "ben", {"party_join": here}, {"ann": joined, "ben": f"party {joined}"})
    run.send("party.join_again", "ben", {"party_join": here})
    run.send(
        "party.data",
        "ben",
        {"party_data_send": {**here, "op_code": "1", "data": data("x")}},
        {"ann": "party_data"},
    )
    update = {**here, "label": label, "open": False}
    run.send("party.update", "ann", {"party_update": update}, {"ann": "party_update", "ben": "party_update"})
    run.send("party.update_by_member", "ben", {"party_update": update})
    run.send("party.request", "cal", {"party_join": here}, {"ann": "party_join_request"})
    run.send("party.requests", "ann", {"party_join_request_list": here})
    run.send("party.requests_by_member", "ben", {"party_join_request_list": here})
    accept = {"party_accept": {**here, "presence": presence(run, "cal")}}
    run.send("party.accept", "ann", accept, {"ann": joined, "ben": joined, "cal": f"party {joined}"})
    run.send("party.accept_again", "ann", accept)
    remove = {"party_remove": {**here, "presence": presence(run, "cal")}}
    run.send("party.remove", "ann", remove, {"ann": joined, "ben": joined, "cal": "party_close"})
    run.rest(
        "party.list", "cal", "GET", "/v2/party", query=[("limit", "10"), ("query", f"+label.run:{run.tag}")],
        until=lambda got: bool(got.get("parties")) and not got["parties"][0].get("open"),
    )  # fmt: skip
    _party_matchmaker(run, here)
    promote = {"party_promote": {**here, "presence": presence(run, "ben")}}
    run.send("party.promote_by_member", "ben", promote)
    run.send("party.promote", "ann", promote, {"ann": "party_leader", "ben": "party_leader"})
    run.send("party.leave_leader", "ben", {"party_leave": here}, {"ann": f"party_leader {joined}"})
    run.send("party.close", "ann", {"party_close": here}, {"ann": "party_close"})
    for step, message in (
        ("join_closed", {"party_join": here}), ("leave_closed", {"party_leave": here}),
        ("data_closed", {"party_data_send": {**here, "op_code": "1"}}),
        ("join_bad_id", {"party_join": {"party_id": "x"}}),
        ("create_too_big", {"party_create": {"max_size": 257}}),
    ):  # fmt: skip
        run.send(f"party.{step}", "cal", message)


def _party_matchmaker(run: Run, here: dict[str, str]) -> None:
    ticket = {
        **here, "min_count": 3, "max_count": 3, "query": f"+properties.run:{run.tag}-party",
        "string_properties": {"run": f"{run.tag}-party"},
    }  # fmt: skip
    run.send("party.matchmaker_by_member", "ben", {"party_matchmaker_add": ticket})
    pushes = {"ben": "party_matchmaker_ticket"}
    first = run.send("party.matchmaker_add", "ann", {"party_matchmaker_add": ticket}, pushes)
    own = {**here, **first["party_matchmaker_ticket"]}
    run.send("party.matchmaker_remove", "ann", {"party_matchmaker_remove": own})
    run.send("party.matchmaker_remove_again", "ann", {"party_matchmaker_remove": own})
    run.send("party.matchmaker", "ann", {"party_matchmaker_add": ticket}, pushes)
    alone = {"matchmaker_add": {key: value for key, value in ticket.items() if key != "party_id"}}
    run.send("party.matched", "cal", alone, dict.fromkeys(run.actors, "matchmaker_matched"))


def closing(run: Run) -> None:
    """Messages for which a server closes a socket."""
    for step, text in (
        ("no_json", "x"), ("unknown_message", '{"cid":"1","nothing":{}}'),
        ("unknown_field", '{"ping":{"a":1}}'),
        ("wrong_type", '{"cid":5,"ping":{}}'), ("array", "[]"), ("two_messages", '{"ping":{},"pong":{}}'),
        ("empty", "{}"),
    ):  # fmt: skip
        run.raw(f"closing.{step}", "cal", text)
        run.connect(f"closing.{step}_again", "cal")
    # The last fragment is small: if a server leaves bytes unread, its reset can overtake its close.
    run.raw("closing.too_big", "cal", " " * 4080, '{"cid":"1","ping":{}}')
    run.connect("closing.too_big_again", "cal")
