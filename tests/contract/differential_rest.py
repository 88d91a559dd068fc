"""The REST half of the scripted session: one function per family."""

from __future__ import annotations

import json

from .differential import Run

NOBODY = "11111111-1111-4111-8111-111111111111"


def authentication(run: Run) -> None:
    path = "/v2/account/authenticate/"
    for name, actor in run.actors.items():
        created = run.rest(
            f"auth.{name}", "key", "POST", path + "device",
            {"id": run.name(f"device-{name}"), "vars": {"k": "v"}},
            query=[("create", "true"), ("username", run.name(name))],
        )  # fmt: skip
        actor.keep(created)
    again = {"id": run.name("device-ann")}
    run.rest("auth.again", "key", "POST", path + "device", again)
    run.rest(
        "auth.no_create",
        "key",
        "POST",
        path + "device",
        {"id": run.name("device-none")},
        query=[("create", "false")],
    )
    run.rest(
        "auth.taken_name",
        "key",
        "POST",
        path + "device",
        {"id": run.name("device-x")},
        query=[("username", run.name("ann"))],
    )
    run.rest("auth.bad_create", "key", "POST", path + "device", again, query=[("create", "maybe")])
    run.rest("auth.short_device", "key", "POST", path + "device", {"id": "short"})
    run.rest("auth.no_device", "key", "POST", path + "device", {})
    run.rest("auth.no_key", None, "POST", path + "device", again)
    run.rest("auth.token_for_key", "ann", "POST", path + "device", again)
    run.rest("auth.malformed", "key", "POST", path + "device", "{")
    run.rest(
        "auth.custom",
        "key",
        "POST",
        path + "custom",
        {"id": run.name("custom")},
        query=[("username", run.name("cus"))],
    )
    run.rest("auth.custom_short", "key", "POST", path + "custom", {"id": "abc"})
    mail = {"email": f"{run.tag}@example.com", "password": "password-123"}
    run.rest("auth.email", "key", "POST", path + "email", mail, query=[("username", run.name("eve"))])
    run.rest("auth.email_wrong", "key", "POST", path + "email", {**mail, "password": "password-124"})
    run.rest("auth.email_short", "key", "POST", path + "email", {**mail, "password": "short"})
    run.rest("auth.email_bad", "key", "POST", path + "email", {**mail, "email": "not-an-email"})
    for provider, body in (
        ("apple", {"token": "x"}), ("facebook", {}), ("google", {}), ("steam", {}), ("gamecenter", {}),
        ("facebookinstantgame", {}),
    ):  # fmt: skip
        run.rest(f"auth.{provider}", "key", "POST", path + provider, body)


def general(run: Run) -> None:
    run.rest("general.root", None, "GET", "/")
    run.rest("general.health", None, "GET", "/healthcheck")
    run.rest("general.unknown", "ann", "GET", "/v2/nothing")
    run.rest("general.method", "ann", "PATCH", "/v2/account", {})
    run.rest("general.slash", "ann", "GET", "/v2/account/")
    run.rest("general.no_token", None, "GET", "/v2/account")
    run.rest("general.bad_token", "a.b.c", "GET", "/v2/account")
    run.rest("general.basic", "key", "GET", "/v2/account")
    run.rest("general.malformed_first", None, "PUT", "/v2/account", "{")


def account(run: Run) -> None:
    run.rest("account.get", "ann", "GET", "/v2/account")
    change = {
        "display_name": "Ann",
        "location": "Here",
        "timezone": "UTC",
        "lang_tag": "de",
        "avatar_url": "http://a/b",
    }
    run.rest("account.update", "ann", "PUT", "/v2/account", change)
    run.rest("account.updated", "ann", "GET", "/v2/account")
    run.rest("account.taken_name", "ann", "PUT", "/v2/account", {"username": run.name("ben")})
    run.rest("account.bad_name", "ann", "PUT", "/v2/account", {"username": ""})
    run.rest("account.wrong_type", "ann", "PUT", "/v2/account", {"username": 5})
    run.rest("account.empty", "ann", "PUT", "/v2/account", {})


def link(run: Run) -> None:
    device = {"id": run.name("device-more")}
    custom = {"id": run.name("custom-ann")}
    mail = {"email": f"ann{run.tag}@example.com", "password": "password-123"}
    for kind, body in (("device", device), ("custom", custom), ("email", mail)):
        run.rest(f"link.{kind}", "ann", "POST", f"/v2/account/link/{kind}", body)
        run.rest(f"link.{kind}_in_use", "ben", "POST", f"/v2/account/link/{kind}", body)
        run.rest(f"link.{kind}_missing", "ann", "POST", f"/v2/account/link/{kind}", {})
    run.rest("link.account", "ann", "GET", "/v2/account")
    for provider in ("apple", "facebook", "facebookinstantgame", "gamecenter", "google", "steam"):
        run.rest(f"link.{provider}", "ann", "POST", f"/v2/account/link/{provider}", {})
    for kind, body in (("device", device), ("custom", custom), ("email", {"email": mail["email"]})):
        run.rest(f"unlink.{kind}_foreign", "ben", "POST", f"/v2/account/unlink/{kind}", body)
        run.rest(f"unlink.{kind}", "ann", "POST", f"/v2/account/unlink/{kind}", body)
        run.rest(f"unlink.{kind}_again", "ann", "POST", f"/v2/account/unlink/{kind}", body)
    for provider in ("apple", "facebook", "facebookinstantgame", "gamecenter", "google", "steam"):
        run.rest(f"unlink.{provider}", "ann", "POST", f"/v2/account/unlink/{provider}", {})
    run.rest("unlink.last", "ann", "POST", "/v2/account/unlink/device", {"id": run.name("device-ann")})
    run.rest("unlink.none", "ann", "POST", "/v2/account/unlink/device", {})


def users(run: Run) -> None:
    ann, ben = run.actors["ann"].user_id, run.actors["ben"].user_id
    run.rest("users.ids", "cal", "GET", "/v2/user", query=[("ids", ann), ("ids", ben)])
    run.rest(
        "users.names", "cal", "GET", "/v2/user", query=[("usernames", run.name("ann")), ("usernames", "no one")]
    )
    run.rest("users.unknown", "cal", "GET", "/v2/user", query=[("ids", NOBODY)])
    run.rest("users.bad_id", "cal", "GET", "/v2/user", query=[("ids", "nonsense")])
    run.rest("users.none", "cal", "GET", "/v2/user")


def friends(run: Run) -> None:
    ann, ben, cal = (run.actors[name].user_id for name in ("ann", "ben", "cal"))
    path = "/v2/friend"
    run.rest("friends.empty", "ann", "GET", path)
    run.rest("friends.add", "ann", "POST", path, query=[("ids", ben)], expect={"ben": "notifications"})
    run.rest("friends.add_again", "ann", "POST", path, query=[("ids", ben)])
    run.rest("friends.sent", "ann", "GET", path)
    run.rest("friends.received", "ben", "GET", path, query=[("state", "2")])
    run.rest(
        "friends.accept",
        "ben",
        "POST",
        path,
        query=[("usernames", run.name("ann"))],
        expect={"ann": "notifications"},
    )
    run.rest("friends.mutual", "ann", "GET", path, query=[("state", "0")])
    run.rest("friends.withdraw_add", "ann", "POST", path, query=[("ids", cal)], expect={"cal": "notifications"})
    run.rest("friends.withdraw", "ann", "DELETE", path, query=[("ids", cal)], expect={"cal": "notifications"})
    run.rest("friends.block", "cal", "POST", f"{path}/block", query=[("ids", ann)])
    run.rest("friends.blocked", "cal", "GET", path, query=[("state", "3")])
    run.rest("friends.add_blocked", "ann", "POST", path, query=[("ids", cal)])
    run.rest("friends.unblock", "cal", "DELETE", path, query=[("ids", ann)])
    run.rest("friends.of_friends", "ann", "GET", f"{path}/friends")
    run.rest("friends.self", "ann", "POST", path, query=[("ids", ann)])
    run.rest("friends.unknown", "ann", "POST", path, query=[("ids", NOBODY)])
    run.rest("friends.bad_id", "ann", "POST", path, query=[("ids", "nonsense")])
    run.rest("friends.none", "ann", "POST", path)
    run.rest("friends.bad_state", "ann", "GET", path, query=[("state", "9")])
    run.rest("friends.bad_limit", "ann", "GET", path, query=[("limit", "1001")])
    run.rest("friends.bad_cursor", "ann", "GET", path, query=[("cursor", "nonsense")])
    run.rest("friends.facebook", "ann", "POST", f"{path}/facebook", {})
    run.rest("friends.steam", "ann", "POST", f"{path}/steam", {})
    run.rest("friends.delete", "ann", "DELETE", path, query=[("ids", ben)], expect={"ben": "notifications"})
    run.rest("friends.gone", "ben", "GET", path)


def groups(run: Run) -> None:
    ann, ben, cal = (run.actors[name].user_id for name in ("ann", "ben", "cal"))
    body = {
        "name": run.name("open"),
        "description": "An open group",
        "lang_tag": "en",
        "open": True,
        "max_count": 2,
    }
    opened = run.rest("groups.create", "ann", "POST", "/v2/group", body)["id"]
    run.rest("groups.create_taken", "ben", "POST", "/v2/group", {"name": run.name("open")})
    run.rest("groups.create_nameless", "ann", "POST", "/v2/group", {})
    closed = run.rest("groups.create_closed", "ann", "POST", "/v2/group", {"name": run.name("closed")})["id"]
    run.scratch["group"] = closed
    path = f"/v2/group/{closed}"
    run.rest("groups.join_open", "ben", "POST", f"/v2/group/{opened}/join")
    run.rest("groups.join_full", "cal", "POST", f"/v2/group/{opened}/join")
    run.rest("groups.join_again", "ben", "POST", f"/v2/group/{opened}/join")
    run.rest("groups.request", "ben", "POST", f"{path}/join", expect={"ann": "notifications"})
    run.rest("groups.requests", "ann", "GET", f"{path}/user", query=[("state", "3")])
    run.rest(
        "groups.accept",
        "ann",
        "POST",
        f"{path}/add",
        query=[("user_ids", ben)],
        expect={"ben": "notifications"},
    )
    run.rest(
        "groups.invite",
        "ann",
        "POST",
        f"{path}/add",
        query=[("user_ids", cal)],
        expect={"cal": "notifications"},
    )
    run.rest("groups.members", "ben", "GET", f"{path}/user", unordered=("group_users",))
    run.rest("groups.promote_by_member", "ben", "POST", f"{path}/promote", query=[("user_ids", cal)])
    run.rest("groups.promote", "ann", "POST", f"{path}/promote", query=[("user_ids", ben)])
    run.rest("groups.of_user", "ann", "GET", f"/v2/user/{ben}/group", unordered=("user_groups",))
    run.rest("groups.demote", "ann", "POST", f"{path}/demote", query=[("user_ids", ben)])
    run.rest("groups.update", "ann", "PUT", path, {"description": "Changed", "open": True})
    run.rest("groups.update_by_member", "ben", "PUT", path, {"description": "Mine"})
    run.rest("groups.list", "cal", "GET", "/v2/group", query=[("name", run.name("closed")), ("limit", "10")])
    run.rest(
        "groups.list_prefix",
        "cal",
        "GET",
        "/v2/group",
        query=[("name", run.name("op")[:2] + "%"), ("limit", "0")],
    )
    run.rest("groups.kick", "ann", "POST", f"{path}/kick", query=[("user_ids", cal)])
    run.rest("groups.ban", "ann", "POST", f"{path}/ban", query=[("user_ids", cal)])
    run.rest("groups.join_banned", "cal", "POST", f"{path}/join")
    run.rest("groups.leave_last_superadmin", "ann", "POST", f"{path}/leave")
    run.rest("groups.leave_stranger", "cal", "POST", f"{path}/leave")
    run.rest("groups.bad_id", "ann", "POST", "/v2/group/nonsense/join")
    run.rest("groups.unknown", "ann", "POST", f"/v2/group/{NOBODY}/join")
    run.rest("groups.bad_state", "ann", "GET", f"{path}/user", query=[("state", "7")])
    run.rest("groups.bad_cursor", "ann", "GET", "/v2/group", query=[("cursor", "nonsense")])
    run.rest("groups.delete_by_member", "ben", "DELETE", f"/v2/group/{opened}")
    run.rest("groups.delete", "ann", "DELETE", f"/v2/group/{opened}")
    run.rest("groups.after", "ann", "GET", f"/v2/user/{ann}/group")


def notifications(run: Run) -> None:
    path = "/v2/notification"
    listed = run.rest("notifications.all", "ben", "GET", path, query=[("limit", "100")])
    page = run.rest("notifications.page", "ben", "GET", path, query=[("limit", "1")])
    cursor = page.get("cacheable_cursor", "")
    run.rest("notifications.next", "ben", "GET", path, query=[("limit", "1"), ("cacheable_cursor", cursor)])
    first = listed["notifications"][0]["id"]
    run.rest("notifications.delete_foreign", "ann", "DELETE", path, query=[("ids", first)])
    run.rest("notifications.delete", "ben", "DELETE", path, query=[("ids", first)])
    run.rest("notifications.left", "ben", "GET", path, query=[("limit", "100")])
    run.rest("notifications.bad_cursor", "ben", "GET", path, query=[("cacheable_cursor", "nonsense")])
    run.rest("notifications.bad_limit", "ben", "GET", path, query=[("limit", "0")])
    run.rest("notifications.delete_none", "ben", "DELETE", path)


def storage(run: Run) -> None:
    ann = run.actors["ann"].user_id
    collection = run.name("col")

    def item(key: str, value: str = '{"n":1}', **more: object) -> dict[str, object]:
        return {"collection": collection, "key": key, "value": value, **more}

    def write(step: str, *objects: dict[str, object]) -> None:
        run.rest(f"storage.{step}", "ann", "PUT", "/v2/storage", {"objects": list(objects)})

    def read(step: str, by: str, *keys: str) -> None:
        wanted = [{"collection": collection, "key": key, "user_id": ann} for key in keys]
        run.rest(f"storage.{step}", by, "POST", "/v2/storage", {"object_ids": wanted}, unordered=("objects",))

    write("write", item("a"), item("b", '{"long":1,"b":2,"a":[1, 2]}', permission_read=2))
    write("write_final", item("c", permission_read=0, permission_write=0))
    read("read", "ann", "a", "b", "c", "none")
    read("read_foreign", "ben", "a", "b")
    write("must_not_exist", item("a", version="*"))
    write("stale", item("a", '{"n":2}', version="stale"))
    write("one_stale_of_two", item("new"), item("a", version="stale"))
    write("no_write", item("c", '{"n":2}'))
    write("no_object", item("d", "[1]"))
    write("no_json", item("d", "x"))
    write("no_key", {"collection": collection, "value": "{}"})
    write("bad_permission", item("d", permission_read=3))
    write("nothing")
    run.rest("storage.wrong_type", "ann", "PUT", "/v2/storage", {"objects": 5})
    path = f"/v2/storage/{collection}"
    page = run.rest("storage.page", "ann", "GET", path, query=[("user_id", ann), ("limit", "1")])
    more = [("user_id", ann), ("limit", "10"), ("cursor", page.get("cursor", ""))]
    run.rest("storage.next", "ann", "GET", path, query=more)
    run.rest("storage.of_user", "ann", "GET", f"{path}/{ann}", query=[("limit", "10")])
    run.rest("storage.public", "ben", "GET", path, query=[("limit", "10")])
    run.rest("storage.bad_limit", "ann", "GET", path, query=[("limit", "101")])
    run.rest("storage.bad_cursor", "ann", "GET", path, query=[("cursor", "nonsense")])
    run.rest("storage.bad_user", "ann", "GET", path, query=[("user_id", "nonsense")])

    def delete(step: str, **more: object) -> None:
        wanted = {"object_ids": [{"collection": collection, **more}]}
        run.rest(f"storage.{step}", "ann", "PUT", "/v2/storage/delete", wanted)

    delete("delete_stale", key="a", version="stale")
    delete("delete_final", key="c")
    delete("delete", key="a")
    delete("delete_again", key="a")
    read("read_deleted", "ann", "a")


def boards(run: Run) -> None:
    ann, ben = run.actors["ann"].user_id, run.actors["ben"].user_id
    name = run.name("board")
    path, cup = f"/v2/leaderboard/{name}", f"/v2/tournament/{name}_t"
    run.rest(
        "leaderboards.make", "ann", "POST", "/v2/rpc/contract_boards", json.dumps(json.dumps({"id": name}))
    )
    run.rest("leaderboards.empty", "ann", "GET", path)
    run.rest(
        "leaderboards.write", "ann", "POST", path, {"score": "10", "subscore": "2", "metadata": '{"level":1}'}
    )
    run.rest("leaderboards.worse", "ann", "POST", path, {"score": "5"})
    run.rest("leaderboards.set", "ann", "POST", path, {"score": "7", "operator": 2})
    run.rest("leaderboards.other", "ben", "POST", path, {"score": "8"})
    run.rest("leaderboards.negative", "ben", "POST", path, {"score": "-1"})
    run.rest("leaderboards.wrong_type", "ben", "POST", path, {"score": "abc"})
    run.rest("leaderboards.metadata", "ben", "POST", path, {"score": "9", "metadata": "x"})
    page = run.rest("leaderboards.page", "ann", "GET", path, query=[("limit", "1")])
    run.rest(
        "leaderboards.next", "ann", "GET", path, query=[("limit", "1"), ("cursor", page.get("next_cursor", ""))]
    )
    run.rest("leaderboards.owners", "ann", "GET", path, query=[("owner_ids", ann)])
    run.rest("leaderboards.around", "ann", "GET", f"{path}/owner/{ben}", query=[("limit", "3")])
    run.rest("leaderboards.delete", "ben", "DELETE", path)
    run.rest("leaderboards.all", "ann", "GET", path, query=[("limit", "10")])
    run.rest("tournaments.not_joined", "ann", "POST", cup, {"score": "1"})
    run.rest("tournaments.join", "ann", "POST", f"{cup}/join")
    run.rest("tournaments.join_again", "ann", "POST", f"{cup}/join")
    run.rest("tournaments.join_second", "ben", "POST", f"{cup}/join")
    run.rest("tournaments.join_full", "cal", "POST", f"{cup}/join")
    for number, method in enumerate(("POST", "PUT", "POST")):
        run.rest(f"tournaments.write_{number}", "ann", method, cup, {"score": "4", "subscore": "1"})
    run.rest("tournaments.records", "ann", "GET", cup, query=[("limit", "10")])
    run.rest("tournaments.owners", "ann", "GET", cup, query=[("limit", "10"), ("owner_ids", ann)])
    run.rest("tournaments.around", "ann", "GET", f"{cup}/owner/{ann}", query=[("limit", "3")])
    run.rest("tournaments.delete", "ann", "DELETE", cup)


def board_errors(run: Run) -> None:
    for kind in ("leaderboard", "tournament"):
        path = f"/v2/{kind}/{run.name('none')}"
        for method, body in (("GET", None), ("POST", {"score": "1"}), ("DELETE", None)):
            run.rest(f"{kind}s.unknown_{method}", "ann", method, path, body)
        run.rest(f"{kind}s.unknown_owner", "ann", "GET", f"{path}/owner/{NOBODY}")
        run.rest(f"{kind}s.bad_owner", "ann", "GET", f"{path}/owner/nonsense")
        run.rest(f"{kind}s.bad_limit", "ann", "GET", path, query=[("limit", "0")])
    run.rest("tournaments.unknown_join", "ann", "POST", f"/v2/tournament/{run.name('none')}/join")
    run.rest("tournaments.bad_category", "ann", "GET", "/v2/tournament", query=[("category_start", "x")])


def functions(run: Run) -> None:
    path = "/v2/rpc/"
    run.rest("rpc.echo", "ann", "POST", path + "echo", json.dumps("hello"))
    run.rest("rpc.case", "ann", "POST", path + "ECHO", json.dumps("hello"))
    run.rest("rpc.get", "ann", "GET", path + "echo")
    run.rest("rpc.unwrap", "ann", "POST", path + "echo", '{"a":1}', query=[("unwrap", "")])
    run.rest("rpc.no_string", "ann", "POST", path + "echo", '{"a":1}')
    run.rest("rpc.http_key", None, "POST", path + "echo", json.dumps("x"), query=[("http_key", run.http_key)])
    run.rest("rpc.bad_key", None, "POST", path + "echo", json.dumps("x"), query=[("http_key", "wrong")])
    run.rest("rpc.no_auth", None, "POST", path + "echo", json.dumps("x"))
    run.rest("rpc.unknown", "ann", "POST", path + "no_such_function", json.dumps("x"))
    run.rest("rpc.raises", "ann", "POST", path + "create_match", json.dumps("x"))
    run.rest("rpc.fails", "ann", "POST", path + "create_match", json.dumps('{"module":"none"}'))


def events(run: Run) -> None:
    event = {
        "name": "level_up",
        "properties": {"level": "3"},
        "timestamp": "2000-01-02T03:04:05Z",
        "external": True,
    }
    run.rest("events.ok", "ann", "POST", "/v2/event", event)
    run.rest("events.bad_time", "ann", "POST", "/v2/event", {"name": "x", "timestamp": "yesterday"})
    run.rest("events.bad_property", "ann", "POST", "/v2/event", {"name": "x", "properties": {"level": 3}})
    run.rest("events.no_auth", None, "POST", "/v2/event", {"name": "x"})


def purchases(run: Run) -> None:
    rows = (
        ("purchase/apple", {"receipt": "cmVjZWlwdA=="}), ("purchase/google", {"purchase": "{}"}),
        ("purchase/huawei", {"purchase": "{}", "signature": "x"}),
        ("purchase/facebookinstant", {"signed_request": "x.y"}),
        ("purchase/samsung", {}), ("subscription/apple", {"receipt": "cmVjZWlwdA=="}),
        ("subscription/google", {"receipt": "{}"}), ("subscription", {}),
    )  # fmt: skip
    for kind, body in rows:
        run.rest(f"purchases.{kind}", "ann", "POST", f"/v2/iap/{kind}", body)
    run.rest("purchases.empty", "ann", "POST", "/v2/iap/purchase/apple", {})
    run.rest("purchases.unknown", "ann", "GET", "/v2/iap/subscription/none")
    run.rest("purchases.bad_cursor", "ann", "POST", "/v2/iap/subscription", {"cursor": "nonsense"})


def sessions(run: Run) -> None:
    tokens = dict(run.actors["cal"].tokens)
    path = "/v2/account/session/refresh"
    fresh = run.rest(
        "sessions.refresh", "key", "POST", path, {"token": tokens["refresh_token"], "vars": {"new": "1"}}
    )
    run.actors["cal"].keep(fresh)
    run.rest("sessions.refresh_by_token", "key", "POST", path, {"token": tokens["token"]})
    run.rest("sessions.refresh_garbage", "key", "POST", path, {"token": "nonsense"})
    run.rest("sessions.refresh_nothing", "key", "POST", path, {})
    run.rest("sessions.refresh_no_key", None, "POST", path, {"token": tokens["refresh_token"]})
    run.rest("sessions.refresh_as_token", fresh["refresh_token"], "GET", "/v2/account")
    run.rest(
        "sessions.logout_garbage", "cal", "POST", "/v2/session/logout", {"token": "x", "refresh_token": "y"}
    )
    run.rest("sessions.logout", "cal", "POST", "/v2/session/logout", fresh)
    run.rest("sessions.after_logout", "cal", "GET", "/v2/account")
    run.rest("sessions.refresh_after_logout", "key", "POST", path, {"token": fresh["refresh_token"]})
    # They are still in the named match.
    run.hang_up("sessions.hang_up_ann", "ann", {"ben": "match_presence_event"})
    run.hang_up("sessions.hang_up_cal", "cal")
    # Otherwise the leave of this socket could reach the next one.
    run.send("sessions.offline", "ben", {"status_update": {}}, {"ben": "status_presence_event"})
    run.hang_up("sessions.hang_up_ben", "ben")
    run.connect("sessions.connect", "ben")
    run.rest("sessions.delete", "ben", "DELETE", "/v2/account", closes="ben")
    run.rest("sessions.deleted", "ben", "GET", "/v2/account")
