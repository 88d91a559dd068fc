"""Ids in the other forms that a server accepts: in upper case, without hyphens, in braces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .differential import Run

FORMS: Final[dict[str, Callable[[str], str]]] = {
    "upper": str.upper,
    "plain": lambda one: one.replace("-", ""),
    "braces": lambda one: f"{{{one}}}",
    "plain_braces": lambda one: f"{{{one.replace('-', '').upper()}}}",
    "misplaced": lambda _: "11111111-1111-4111-811-1111111111111",
    "open_brace": lambda one: "{" + one,
}


def identifiers(run: Run) -> None:
    """Each family's requests with each form."""
    group = run.rest("ids.group", "cal", "POST", "/v2/group", {"name": run.name("ids"), "open": True})["id"]
    for name, form in FORMS.items():
        _people(run, name, form)
        _group(run, name, form, group)
        _data(run, name, form)
        _chat(run, name, form, group)
        _match(run, name, form)
        _party(run, name, form)
    run.rest("ids.group_gone", "cal", "DELETE", f"/v2/group/{group}")


def _people(run: Run, name: str, form: Callable[[str], str]) -> None:
    ben, cal = (form(run.actors[who].user_id) for who in ("ben", "cal"))
    run.rest(f"ids.users_{name}", "cal", "GET", "/v2/user", query=[("ids", ben)], pick=_length("users"))
    for step, method, path in (
        ("add", "POST", ""), ("accept", "POST", ""), ("delete", "DELETE", ""), ("block", "POST", "/block"),
        ("again", "POST", ""), ("unblock", "DELETE", ""),
    ):  # fmt: skip
        run.rest(f"ids.{step}_self_{name}", "cal", method, f"/v2/friend{path}", query=[("ids", cal)])
        run.rest(f"ids.{step}_self_{name}_then", "cal", "GET", "/v2/friend")
    run.rest(f"ids.delete_friend_{name}", "cal", "DELETE", "/v2/friend", query=[("ids", ben)])
    run.send(f"ids.follow_{name}", "cal", {"status_follow": {"user_ids": [ben]}})
    run.send(f"ids.unfollow_{name}", "cal", {"status_unfollow": {"user_ids": [ben]}})
    run.rest(f"ids.unnotify_{name}", "cal", "DELETE", "/v2/notification", query=[("ids", ben)])


def _group(run: Run, name: str, form: Callable[[str], str], group: str) -> None:
    path, ben = f"/v2/group/{form(group)}", [("user_ids", form(run.actors["ben"].user_id))]
    run.rest(f"ids.join_{name}", "ben", "POST", f"{path}/join")
    for verb in ("promote", "demote", "kick"):
        run.rest(f"ids.{verb}_{name}", "cal", "POST", f"{path}/{verb}", query=ben)
    run.rest(f"ids.members_{name}", "cal", "GET", f"{path}/user", pick=_length("group_users"))
    run.rest(f"ids.change_{name}", "cal", "PUT", path, {"description": name})
    user = form(run.actors["cal"].user_id)
    run.rest(f"ids.groups_{name}", "ben", "GET", f"/v2/user/{user}/group", pick=_length("user_groups"))


def _data(run: Run, name: str, form: Callable[[str], str]) -> None:
    ann, box = run.actors["ann"].user_id, run.name("ids")
    run.rest(f"ids.write_{name}", "ann", "PUT", "/v2/storage", {
        "objects": [{"collection": box, "key": "a", "value": '{"n":1}'}],
    })  # fmt: skip
    ids = {"object_ids": [{"collection": box, "key": "a", "user_id": form(ann)}]}
    run.rest(f"ids.read_{name}", "ann", "POST", "/v2/storage", ids)
    run.rest(f"ids.list_{name}", "ann", "GET", f"/v2/storage/{box}/{form(ann)}")
    for board in (f"leaderboard/{run.name('limits')}", f"tournament/{run.name('limits')}_t"):
        step, path = f"{board[:5]}_{name}", f"/v2/{board}"
        run.rest(f"ids.owners_{step}", "ann", "GET", path, query=[("owner_ids", form(ann))])
        run.rest(f"ids.around_{step}", "ann", "GET", f"{path}/owner/{form(ann)}")


def _chat(run: Run, name: str, form: Callable[[str], str], group: str) -> None:
    channel, joined, pushed = f"3.{form(group)}..", "channel_presence_event", {"cal": "channel_message"}
    join = {"channel_join": {"type": 3, "target": form(group)}}
    run.send(f"ids.group_{name}", "cal", join, {"cal": joined} if _valid(name) else {})
    ack = run.send(
        f"ids.say_{name}",
        "cal",
        {"channel_message_send": {"channel_id": channel, "content": "{}"}},
        pushed if _valid(name) else {},
    )
    message = form(ack.get("channel_message_ack", {}).get("message_id", group))
    for act, more in (("update", {"content": '{"a":1}'}), ("remove", {})):
        change = {"channel_id": channel, "message_id": message, **more}
        run.send(f"ids.{act}_{name}", "cal", {f"channel_message_{act}": change}, pushed if _valid(name) else {})
    run.rest(f"ids.history_{name}", "cal", "GET", f"/v2/channel/{channel}", pick=_length("messages"))
    run.send(f"ids.leave_{name}", "cal", {"channel_leave": {"channel_id": channel}})
    direct = {"channel_join": {"type": 2, "target": form(run.actors["cal"].user_id), "hidden": True}}
    run.send(f"ids.direct_{name}", "cal", direct, {"cal": "notifications"} if _valid(name) else {})


def _match(run: Run, name: str, form: Callable[[str], str]) -> None:
    event = "match_presence_event"
    match = run.send(f"ids.match_{name}", "cal", {"match_create": {}}, {"cal": event})["match"]
    written = form(match["match_id"][:-1]) + "."
    both = {"cal": event, "ben": event} if _valid(name) else {}
    run.send(f"ids.enter_{name}", "ben", {"match_join": {"match_id": written}}, both)
    to = {"user_id": form(run.actors["cal"].user_id), "session_id": form(match["self"]["session_id"])}
    data = {"match_id": written, "op_code": "1", "data": "YQ==", "presences": [to]}
    error, data_push = {"ben": "error"}, {"cal": "match_data"}
    run.send(
        f"ids.data_{name}", "ben", {"match_data_send": data}, data_push if _valid(name) else error, acked=False
    )
    run.send(
        f"ids.exit_{name}",
        "ben",
        {"match_leave": {"match_id": written}},
        {"cal": event} if _valid(name) else {},
    )
    run.send(f"ids.match_end_{name}", "cal", {"match_leave": {"match_id": match["match_id"]}})


def _party(run: Run, name: str, form: Callable[[str], str]) -> None:
    created = {"cal": "party party_presence_event"}
    party = run.send(f"ids.party_{name}", "cal", {"party_create": {"open": True, "max_size": 3}}, created)
    subject, _, node = party["party"]["party_id"].partition(".")
    written = {"party_id": f"{form(subject)}.{node}"}
    run.send(f"ids.party_list_{name}", "cal", {"party_join_request_list": written})
    run.send(f"ids.party_close_{name}", "cal", {"party_close": written},
             {"cal": "party_close"} if _valid(name) else {})  # fmt: skip
    if not _valid(name):
        close = {"party_close": {"party_id": party["party"]["party_id"]}}
        run.send(f"ids.party_end_{name}", "cal", close, {"cal": "party_close"})


def _valid(name: str) -> bool:
    return name not in ("misplaced", "open_brace")


def _length(key: str) -> Callable[[object], object]:
    """Reduce a list to its length; keep a refusal as it is."""
    return lambda got: len(got[key]) if isinstance(got, dict) and key in got else got
