"""Interactions of the families of the scripted session, and rare requests."""

from __future__ import annotations

import base64
import json

from .differential import Run

NOBODY = "11111111-1111-4111-8111-111111111111"


def rare_rest(run: Run) -> None:
    """Rare requests; none changes what later families see."""
    ann, ben = run.actors["ann"].user_id, run.actors["ben"].user_id
    group = run.scratch["group"]
    run.rest("rare.storage_two_users", "ann", "POST", "/v2/storage", {"object_ids": [
        {"collection": run.name("col"), "key": "b", "user_id": ben},
        {"collection": run.name("col"), "key": "b"},
    ]})  # fmt: skip
    run.rest("rare.storage_bad_user", "ann", "POST", "/v2/storage", {"object_ids": [
        {"collection": run.name("col"), "key": "b", "user_id": "nonsense"},
    ]})  # fmt: skip
    run.rest("rare.storage_nothing", "ann", "POST", "/v2/storage", {})
    twice = [
        {"collection": run.name("col"), "key": "twice", "value": f'{{"n":{number}}}'} for number in range(2)
    ]
    run.rest("rare.storage_twice", "ann", "PUT", "/v2/storage", {"objects": twice})
    deep = {
        "collection": run.name("col"),
        "key": "deep",
        "value": json.dumps({"ä": [None, 1.5e3, "☃", {"b": {}}]}),
    }
    run.rest("rare.storage_deep", "ann", "PUT", "/v2/storage", {"objects": [deep]})
    run.rest(
        "rare.storage_deep_read", "ann", "GET", f"/v2/storage/{run.name('col')}/{ann}", query=[("limit", "100")]
    )
    run.rest("rare.group_rename_taken", "ann", "POST", "/v2/group", {"name": run.name("other"), "open": True})
    run.rest("rare.group_unchanged", "ann", "PUT", f"/v2/group/{group}", {})
    run.rest("rare.group_rename", "ann", "PUT", f"/v2/group/{group}", {"name": run.name("other")})
    run.rest("rare.group_users_limit", "ann", "GET", f"/v2/group/{group}/user", query=[("limit", "0")])
    run.rest("rare.group_users_state", "ann", "GET", f"/v2/group/{group}/user", query=[("state", "0")])
    run.rest("rare.group_list_filters", "ann", "GET", "/v2/group", query=[
        ("name", run.name("other")), ("open", "true"), ("limit", "10"),
    ])  # fmt: skip
    run.rest("rare.group_list_size", "ann", "GET", "/v2/group", query=[("members", "x")])
    run.rest("rare.group_kick_self", "ann", "POST", f"/v2/group/{group}/kick", query=[("user_ids", ann)])
    run.rest("rare.group_add_bad_id", "ann", "POST", f"/v2/group/{group}/add", query=[("user_ids", "nonsense")])
    run.rest("rare.group_add_nobody", "ann", "POST", f"/v2/group/{group}/add", query=[("user_ids", NOBODY)])
    run.rest("rare.user_groups_state", "ann", "GET", f"/v2/user/{ann}/group", query=[("state", "1")])
    run.rest("rare.user_groups_bad_id", "ann", "GET", "/v2/user/nonsense/group")
    run.rest("rare.notification_bad_id", "ann", "DELETE", "/v2/notification", query=[("ids", "nonsense")])
    run.rest("rare.long_name", "ann", "PUT", "/v2/account", {"username": "x" * 129})
    run.rest("rare.spaced_name", "ann", "PUT", "/v2/account", {"username": "a b"})
    run.rest("rare.long_display", "ann", "PUT", "/v2/account", {"display_name": "x" * 256})
    run.rest(
        "rare.unicode_device", "key", "POST", "/v2/account/authenticate/device", {"id": "ü☃" * 10, "vars": 1}
    )
    run.rest("rare.null_body", "ann", "PUT", "/v2/account", "null")
    run.rest("rare.array_body", "ann", "PUT", "/v2/account", "[]")
    run.rest("rare.empty_body", "ann", "PUT", "/v2/account", "")
    run.rest("rare.delete_many_friends", "ann", "DELETE", "/v2/friend", query=[("usernames", "no one")])
    run.rest("rare.friends_of_bad_limit", "ann", "GET", "/v2/friend/friends", query=[("limit", "0")])
    run.rest("rare.parties_bad_limit", "ann", "GET", "/v2/party", query=[("limit", "0")])
    run.rest("rare.parties_bad_query", "ann", "GET", "/v2/party", query=[("query", "+label.x:>y:")])
    run.rest("rare.rpc_get_bad_key", None, "GET", "/v2/rpc/echo", query=[("http_key", "wrong")])
    run.rest("rare.rpc_unwrap_get", "ann", "GET", "/v2/rpc/echo", query=[("unwrap", "")])
    run.rest("rare.rpc_number", "ann", "POST", "/v2/rpc/echo", "5")


def rare_live(run: Run) -> None:
    """Rare messages."""
    joined = "match_presence_event"
    match = run.send("rare.match", "ann", {"match_create": {}}, {"ann": joined})["match"]["match_id"]
    run.send("rare.match_join_again", "ann", {"match_join": {"match_id": match}})
    join_red = {"match_join": {"match_id": match, "metadata": {"team": "red"}}}
    run.send("rare.match_metadata", "ben", join_red, {"ann": joined, "ben": joined})
    payload = {"match_id": match, "op_code": "-1", "data": base64.b64encode(bytes(range(256))).decode()}
    run.send("rare.match_data", "ann", {"match_data_send": payload}, {"ben": "match_data"}, acked=False)
    unreliable = {"match_id": match, "op_code": 3.0, "reliable": False}
    run.send(
        "rare.match_unreliable", "ann", {"match_data_send": unreliable}, {"ben": "match_data"}, acked=False
    )
    for who, others in (("ben", {"ann": joined}), ("ann", {})):
        run.send(f"rare.match_leave_{who}", who, {"match_leave": {"match_id": match}}, others)
    run.send("rare.match_leave_again", "ann", {"match_leave": {"match_id": match}})
    run.send("rare.match_bad_token", "ann", {"match_join": {"token": "nonsense"}})
    run.send("rare.follow_nobody", "ann", {"status_follow": {}})
    run.send("rare.follow_again", "ann", {"status_follow": {"usernames": [run.name("ben"), run.name("ben")]}})
    run.send("rare.unfollow_bad_id", "ann", {"status_unfollow": {"user_ids": ["nonsense"]}})
    run.send("rare.channel_leave_unknown", "ann", {"channel_leave": {"channel_id": "2...nowhere"}})
    run.send("rare.channel_leave_bad_id", "ann", {"channel_leave": {"channel_id": "nonsense"}})
    run.send(
        "rare.update_bad_id", "ann", {"channel_message_update": {"channel_id": "2...x", "message_id": "x"}}
    )
    run.send("rare.group_unknown", "ann", {"channel_join": {"target": NOBODY, "type": 3}})
    run.send("rare.group_bad_id", "ann", {"channel_join": {"target": "nonsense", "type": 3}})
    run.send("rare.direct_bad_id", "ann", {"channel_join": {"target": "nonsense", "type": 2}})
    run.send("rare.party_not_leader", "ann", {"party_close": {"party_id": f"{NOBODY}.node"}})
    run.send("rare.party_negative", "ann", {"party_create": {"max_size": -1}})
    run.send("rare.party_long_label", "ann", {"party_create": {"max_size": 2, "label": "x" * 2049}})
    run.send("rare.party_label_no_json", "ann", {"party_create": {"max_size": 2, "label": "x"}})
    run.send(
        "rare.ticket_bad_number", "ann", {"matchmaker_add": {"min_count": 2, "max_count": 2, "query": "a:b:c:"}}
    )
    run.send("rare.rpc_upper", "ann", {"rpc": {"id": "ECHO", "payload": "x", "http_key": "wrong"}})


def corners(run: Run) -> None:
    """Interactions of families: renames, blocks, a leader's lost socket, other spellings of a request."""
    ann, cal = run.actors["ann"].user_id, run.actors["cal"].user_id
    joined = "party_presence_event"
    run.rest("corners.camel", "ann", "PUT", "/v2/account", {"displayName": "Änn ☃", "langTag": "fr"})
    run.rest("corners.camel_query", "ann", "GET", "/v2/user", query=[("facebookIds", "1"), ("ids", ann)])
    run.rest("corners.twice", "ann", "GET", "/v2/friend", query=[("limit", "1"), ("limit", "2")])
    run.rest("corners.not_number", "ann", "GET", "/v2/friend", query=[("limit", "")])
    run.rest("corners.unknown_field", "ann", "PUT", "/v2/account", {"nothing": 1, "location": None})
    run.rest("corners.rename", "ann", "PUT", "/v2/account", {"username": run.name("anna")})
    run.rest("corners.renamed", "cal", "GET", "/v2/user", query=[("usernames", run.name("anna"))])
    run.rest("corners.add", "cal", "POST", "/v2/friend", query=[("ids", ann)], expect={"ann": "notifications"})
    run.rest("corners.received", "ann", "GET", "/v2/friend", query=[("limit", "10")])
    run.rest("corners.block", "ann", "POST", "/v2/friend/block", query=[("ids", cal)])
    run.rest("corners.blocked", "cal", "GET", "/v2/friend")
    run.send("corners.blocked_chat", "cal", {"channel_join": {"target": ann, "type": 2}})
    run.send("corners.camel_message", "cal", {"statusFollow": {"userIds": [ann]}})
    run.send("corners.pong", "cal", {"pong": {}}, acked=False)
    run.send("corners.room_name", "cal", {"channel_join": {"target": "x" * 65, "type": 1}})
    run.send(
        "corners.room_dot",
        "cal",
        {"channel_join": {"target": f"{run.tag}.room", "type": 1}},
        {"cal": "channel_presence_event"},
    )
    run.send(
        "corners.big_number",
        "cal",
        {"match_data_send": {"match_id": f"{NOBODY}.", "op_code": "9223372036854775807"}},
        acked=False,
    )
    created = run.send(
        "corners.party", "cal", {"party_create": {"open": True, "max_size": 2}}, {"cal": f"party {joined}"}
    )
    here = {"party_id": created["party"]["party_id"]}
    run.send("corners.party_join", "ben", {"party_join": here}, {"cal": joined, "ben": f"party {joined}"})
    run.send("corners.party_full", "ann", {"party_join": here})
    run.hang_up("corners.leader_drops", "cal", {"ben": f"party_leader {joined}"})
    run.connect("corners.leader_back", "cal", "&status=1", {"cal": "status_presence_event"})
    run.send("corners.party_leave", "ben", {"party_leave": here})
    run.send("corners.party_over", "cal", {"party_join": here})
