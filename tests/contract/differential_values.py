"""Values at their limits, and the order of checks: cases where an emulator is easily too lenient."""

from __future__ import annotations

import json

from .differential import Run

NOBODY = "11111111-1111-4111-8111-111111111111"
SYSTEM = "00000000-0000-0000-0000-000000000000"
SNOWMAN = "\N{SNOWMAN}"
# Lengths that the database columns accept, in characters and not in bytes.
COLUMNS = {"display_name": 255, "avatar_url": 512, "lang_tag": 18, "location": 255, "timezone": 255}
MOST = 2**63 - 1


def account_values(run: Run) -> None:
    for name, longest in COLUMNS.items():
        run.rest(f"values.{name}_full", "ann", "PUT", "/v2/account", {name: SNOWMAN * longest})
        run.rest(f"values.{name}_over", "ann", "PUT", "/v2/account", {name: SNOWMAN * (longest + 1)})
    run.rest("values.account_full", "ann", "GET", "/v2/account")
    for name in COLUMNS:
        run.rest(f"values.{name}_empty", "ann", "PUT", "/v2/account", {name: ""})
    run.rest("values.account_empty", "ann", "GET", "/v2/account")
    run.rest("values.lang_tag_back", "ann", "PUT", "/v2/account", {"lang_tag": "en"})
    for step, text in (("space", " "), ("nul", "a\0b"), ("newline", "a\nb")):
        run.rest(f"values.display_name_{step}", "ann", "PUT", "/v2/account", {"display_name": text})
    run.rest("values.username_bytes", "ann", "PUT", "/v2/account", {"username": SNOWMAN * 43})
    run.rest(
        "values.taken_and_long",
        "ann",
        "PUT",
        "/v2/account",
        {"username": run.name("ben"), "display_name": "x" * 256},
    )


def passwords(run: Run) -> None:
    """The order of checks of an email login, and the length of a password."""
    good, bad, short = f"pass{run.tag}@example.com", "not-an-email", "short"
    for step, body in (
        ("both_bad", {"email": bad, "password": short}),
        ("short", {"email": good, "password": short}),
        ("no_password", {"email": good}),
        ("nothing", {}),
        ("space", {"email": "a b@example.com", "password": short}),
        ("tiny", {"email": "a@b.co", "password": short}),
        ("only_password", {"password": "password-123"}),
        ("snowmen", {"email": good, "password": SNOWMAN * 3}),
        ("snowmen_again", {"email": good, "password": SNOWMAN * 3}),
        ("seven", {"email": f"x{good}", "password": "1234567"}),
    ):
        run.rest(
            f"passwords.{step}",
            "key",
            "POST",
            "/v2/account/authenticate/email",
            body,
            query=[("username", run.name("mailer"))] if "snowmen" in step else (),
        )
        run.rest(f"passwords.link_{step}", "cal", "POST", "/v2/account/link/email", body)
    run.rest(
        "passwords.by_name",
        "key",
        "POST",
        "/v2/account/authenticate/email",
        {"password": "password-123"},
        query=[("username", "no one"), ("create", "false")],
    )
    run.rest(
        "passwords.by_name_short",
        "key",
        "POST",
        "/v2/account/authenticate/email",
        {"password": short},
        query=[("username", "no one")],
    )


def scores(run: Run) -> None:
    name = run.name("limits")
    path, cup = f"/v2/leaderboard/{name}", f"/v2/tournament/{name}_t"
    ann = run.actors["ann"].user_id
    run.rest("scores.make", "ann", "POST", "/v2/rpc/contract_boards", json.dumps(json.dumps({"id": name})))
    for step, body in (
        ("unknown_operator", {"score": "5", "operator": "NOPE"}),
        ("operator_99", {"score": "6", "operator": 99}),
        ("operator_name", {"score": "3", "operator": "SET"}),
        ("operator_negative", {"score": "7", "operator": -1}),
        ("operator_flag", {"score": "8", "operator": True}),
        ("set_most", {"score": str(MOST), "operator": "SET"}),
        ("incr_over", {"score": "1", "operator": "INCREMENT"}),
        ("incr_sub", {"score": "0", "subscore": str(MOST), "operator": "INCREMENT"}),
        ("incr_sub_over", {"score": "0", "subscore": "1", "operator": "INCREMENT"}),
        ("decr", {"score": "1", "operator": "DECREMENT"}),
        ("decr_below", {"score": str(MOST), "operator": "DECREMENT"}),
        ("over", {"score": str(MOST + 1)}),
    ):
        run.rest(f"scores.{step}", "ann", "POST", path, body)
    run.rest("scores.join", "ann", "POST", f"{cup}/join")
    run.rest("scores.cup_most", "ann", "POST", cup, {"score": str(MOST)})
    run.rest("scores.cup_over", "ann", "POST", cup, {"score": "1"})
    run.rest("scores.cup_operator", "ann", "POST", cup, {"score": "1", "operator": "NOPE"})
    for step, limit in (
        ("negative", "-1"),
        ("most", "4294967295"),
        ("over", "4294967296"),
        ("zero", "0"),
        ("plus", "+1"),
    ):
        run.rest(f"scores.around_{step}", "ann", "GET", f"{path}/owner/{ann}", query=[("limit", limit)])
        run.rest(f"scores.cup_around_{step}", "ann", "GET", f"{cup}/owner/{ann}", query=[("limit", limit)])
    run.rest("scores.around_hundred", "ann", "GET", f"{path}/owner/{ann}", query=[("limit", "101")])


def objects(run: Run) -> None:
    """Storage: numbers that PostgreSQL cannot hold, what a batch reports first, cursors of another list."""
    collection, ann = run.name("limits"), run.actors["ann"].user_id

    def item(key: str, value: str = '{"n":1}', **more: object) -> dict[str, object]:
        return {"collection": collection, "key": key, "value": value, **more}

    for step, number in (
        ("e400", "1e400"),
        ("e_400", "1e-400"),
        ("e131071", "1e131071"),
        ("e131072", "1e131072"),
        ("e_16383", "1e-16383"),
        ("e_16384", "1e-16384"),
        ("negative_zero", "-0.0"),
        ("exponent", "1e999999999"),
    ):
        # In a separate collection, so that no later listing contains 131,072 digits.
        wanted = {"objects": [item(step, f'{{"n":{number}}}', collection=run.name("numbers"))]}
        run.rest(f"objects.write_{step}", "ann", "PUT", "/v2/storage", wanted)
    run.rest(
        "objects.e400",
        "ann",
        "POST",
        "/v2/storage",
        {
            "object_ids": [{"collection": run.name("numbers"), "key": "e400", "user_id": ann}],
        },
    )
    run.rest(
        "objects.surrogate", "ann", "PUT", "/v2/storage", {"objects": [item("surrogate", '{"a":"\\ud800"}')]}
    )
    run.rest("objects.first", "ann", "PUT", "/v2/storage", {"objects": [item("first")]})
    conflict, long = item("first", version="*"), item("k" * 129)
    for step, batch in (
        ("conflict_long", [conflict, long]),
        ("long_conflict", [long, conflict]),
        ("long", [long]),
        ("long_collection", [{**item("x"), "collection": "c" * 129}]),
        ("snowmen", [item(SNOWMAN * 128, collection=run.name("numbers"))]),
        ("long_bad_value", [{**long, "value": "x"}]),
        ("nul_conflict", [item("nul", '{"a":"\\u0000"}'), conflict]),
        ("early_long_conflict", [item("a" * 129), conflict]),
        ("bad_version", [item("fresh", version="nonsense")]),
        ("late_conflict", [item("a" * 129), item("z", version="nonsense")]),
    ):
        run.rest(f"objects.{step}", "ann", "PUT", "/v2/storage", {"objects": batch})
    _pages(run, collection)


def _pages(run: Run, collection: str) -> None:
    """Cursors of one list, used for another."""
    ann = run.actors["ann"].user_id
    for number in range(3):
        public = {"collection": collection, "key": f"page-{number}", "value": '{"n":1}', "permission_read": 2}
        run.rest(f"objects.page_{number}", "ann", "PUT", "/v2/storage", {"objects": [public]})
    mine = run.rest("objects.mine", "ann", "GET", f"/v2/storage/{collection}/{ann}", query=[("limit", "1")])
    theirs = run.rest("objects.theirs", "ben", "GET", f"/v2/storage/{collection}/{ann}", query=[("limit", "1")])
    all_ = run.rest("objects.everybody", "ben", "GET", f"/v2/storage/{collection}", query=[("limit", "1")])
    for step, by, path, page in (
        ("mine_as_everybody", "ann", "", mine),
        ("theirs_as_everybody", "ben", "", theirs),
        ("everybody_as_theirs", "ben", f"/{ann}", all_),
        ("mine_by_ben", "ben", f"/{ann}", mine),
        ("theirs_as_mine", "ann", f"/{ann}", theirs),
    ):
        query = [("limit", "2"), ("cursor", page.get("cursor", ""))]
        run.rest(f"objects.{step}", by, "GET", f"/v2/storage/{collection}{path}", query=query)
    run.rest(
        "objects.nil_user",
        "ann",
        "GET",
        f"/v2/storage/{collection}",
        query=[("user_id", SYSTEM), ("limit", "9")],
    )
    run.rest("objects.bad_cursor", "ann", "GET", f"/v2/storage/{collection}", query=[("cursor", "nonsense")])


def people(run: Run) -> None:
    """Groups and users by unknown ids and names."""
    group = run.rest("people.group", "cal", "POST", "/v2/group", {"name": run.name("people"), "open": True})[
        "id"
    ]
    for act in ("add", "kick", "ban", "promote", "demote"):
        path = f"/v2/group/{group}/{act}"
        run.rest(f"people.{act}_nil", "cal", "POST", path, query=[("user_ids", SYSTEM)])
        run.rest(f"people.{act}_none", "cal", "POST", path)
        run.rest(f"people.{act}_empty", "cal", "POST", path, query=[("user_ids", "")])
        run.rest(
            f"people.{act}_nobody_nil", "cal", "POST", path, query=[("user_ids", NOBODY), ("user_ids", SYSTEM)]
        )
        run.rest(
            f"people.{act}_nil_group", "cal", "POST", f"/v2/group/{SYSTEM}/{act}", query=[("user_ids", NOBODY)]
        )
        run.rest(f"people.{act}_bad_group", "cal", "POST", f"/v2/group/x/{act}", query=[("user_ids", SYSTEM)])
    run.rest("people.no_name", "cal", "GET", "/v2/user", query=[("usernames", "")])
    run.rest("people.nil_id", "cal", "GET", "/v2/user", query=[("ids", SYSTEM)])
    run.rest("people.empty_id", "cal", "GET", "/v2/user", query=[("ids", "")])
    run.rest("people.upper_id", "cal", "GET", "/v2/user", query=[("ids", run.actors["ben"].user_id.upper())])
    for method, path in (("POST", "/v2/friend"), ("DELETE", "/v2/friend"), ("POST", "/v2/friend/block")):
        step = f"people.{method.lower()}{path.replace('/', '_')}"
        run.rest(f"{step}_no_name", "cal", method, path, query=[("usernames", "")])
        run.rest(f"{step}_nil", "cal", method, path, query=[("ids", SYSTEM)])
    run.send("people.follow_no_name", "cal", {"status_follow": {"usernames": [""]}})
    for pattern in (
        r"p_ople-RUN",
        r"people-%",
        r"people\-RUN",
        r"people\%RUN",
        "PEOPLE-RUN",
        r"people-RUN\\",
        "p%%%-RUN",
    ):
        run.rest(
            f"people.like_{pattern}",
            "cal",
            "GET",
            "/v2/group",
            query=[("name", pattern.replace("RUN", run.tag)), ("limit", "100")],
            pick=lambda got: _named(got, run.tag),
        )
    run.rest("people.gone", "cal", "DELETE", f"/v2/group/{group}")


def _named(got: object, tag: str) -> object:
    """Filter a list of groups for those of this run."""
    if not isinstance(got, dict) or "groups" not in got:
        return got
    return [one["name"] for one in got["groups"] if tag in one["name"]]


def order_of_checks(run: Run) -> None:
    blank_presence = {"user_id": "", "session_id": "", "username": ""}
    ben = {"user_id": run.actors["ben"].user_id, "session_id": NOBODY, "username": "x"}
    for act in ("party_accept", "party_remove", "party_promote"):
        for step, message in (
            ("nothing", {}),
            ("empty", {"party_id": "x", "presence": {}}),
            ("blank", {"party_id": "x", "presence": blank_presence}),
            ("bad_party", {"party_id": "x", "presence": ben}),
            ("dot", {"party_id": "x.y", "presence": ben}),
            ("unknown", {"party_id": f"{NOBODY}.node", "presence": ben}),
            ("unknown_blank", {"party_id": f"{NOBODY}.node", "presence": blank_presence}),
        ):
            run.send(f"order.{act}_{step}", "cal", {act: message})
    _order_of_chat(run)
    _order_of_bodies(run)


def _order_of_chat(run: Run) -> None:
    channels = (
        ("bad", "nonsense"),
        ("group", f"3.{NOBODY}.."),
        ("direct", f"4.{NOBODY}.{SYSTEM}."),
        ("room", "2...x"),
    )
    for step, channel in channels:
        for what, query in (
            ("cursor", [("cursor", "nonsense")]),
            ("plain", []),
            ("limit", [("limit", "0"), ("cursor", "nonsense")]),
        ):
            run.rest(f"order.history_{step}_{what}", "cal", "GET", f"/v2/channel/{channel}", query=query)
    for act, rest in (("channel_message_remove", {}), ("channel_message_update", {"content": "x"})):
        for step, channel, message in (
            ("both_bad", "nonsense", "x"),
            ("bad_id", "2...x", "x"),
            ("bad_channel", "nonsense", NOBODY),
            ("not_joined", "2...x", NOBODY),
            ("no_id", "2...x", ""),
        ):
            wanted = {"channel_id": channel, "message_id": message, **rest}
            run.send(f"order.{act}_{step}", "cal", {act: wanted})
    joined = "channel_presence_event"
    room = run.send(
        "order.room", "cal", {"channel_join": {"target": run.name("values"), "type": 1}}, {"cal": joined}
    )
    channel = {"channel_id": room["channel"]["id"]}
    pushed = {"cal": "channel_message"}
    for step, content, pushes in (
        ("nul", '{"a":"\\u0000"}', {}),
        ("tiny", '{"a":1e-99999}', {}),
        ("huge", '{"a":1e999999}', {}),
        ("list", "[]", {}),
        ("space", ' {"a":1} ', pushed),
        ("e400", '{"a":1e400}', pushed),
    ):
        message = {"channel_message_send": {**channel, "content": content}}
        run.send(f"order.send_{step}", "cal", message, pushes)
    run.rest(
        "order.room_history", "cal", "GET", f"/v2/channel/{channel['channel_id']}", query=[("limit", "10")]
    )
    run.send("order.room_leave", "cal", {"channel_leave": channel})
    run.send(
        "order.send_bad_content", "cal", {"channel_message_send": {"channel_id": "nonsense", "content": "x"}}
    )


def _order_of_bodies(run: Run) -> None:
    big = json.dumps("x" * 262144)
    for step, by, path in (
        ("known", "cal", "echo"),
        ("unknown", "cal", "nothing"),
        ("no_token", None, "echo"),
        ("bad_token", "a.b.c", "nothing"),
        ("unwrap", "cal", "echo?unwrap"),
        ("empty_id", "cal", ""),
    ):
        run.bare(f"order.big_rpc_{step}", by, "POST", f"/v2/rpc/{path}", big)
    run.bare("order.big_body", "cal", "PUT", "/v2/account", json.dumps({"display_name": "x" * 262144}))
    run.bare("order.big_body_no_token", None, "PUT", "/v2/account", json.dumps({"display_name": "x" * 262144}))
    run.bare("order.big_get", "cal", "GET", "/v2/account", "x" * 262145)


def direct_to_oneself(run: Run) -> None:
    cal = run.actors["cal"].user_id
    joined = "channel_presence_event"
    channel = run.send("oneself.join", "cal", {"channel_join": {"target": cal, "type": 2}}, {"cal": joined})[
        "channel"
    ]["id"]
    run.send("oneself.leave", "cal", {"channel_leave": {"channel_id": channel}})
    hidden = {"channel_join": {"target": cal, "type": 2, "hidden": True}}
    run.send("oneself.hidden", "cal", hidden, {"cal": "notifications"})
    run.send("oneself.hidden_leave", "cal", {"channel_leave": {"channel_id": channel}})
    ben = run.actors["ben"].user_id
    to_ben = {"channel_join": {"target": ben, "type": 2, "hidden": True}}
    channel = run.send("oneself.hidden_other", "cal", to_ben, {"ben": "notifications"})["channel"]["id"]
    to_cal = {"channel_join": {"target": cal, "type": 2}}
    run.send("oneself.other_side", "ben", to_cal, {"ben": joined, "cal": f"{joined} notifications"})
    run.send("oneself.other_leaves", "ben", {"channel_leave": {"channel_id": channel}}, {"cal": joined})
    run.send("oneself.hidden_other_leaves", "cal", {"channel_leave": {"channel_id": channel}})
