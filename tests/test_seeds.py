"""Every class, method, parameter, property, type and enum of the seeds has its counterpart."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, get_type_hints

import pytest
import seed_names
from seed_names import CLASSES, DIFFERENCES, FIELDS_LEFT_OUT, SEEDS

from nakama_bots.types import realtime

MEMBERS = [
    pytest.param(seed_class, kind, name, seed, id=f"{seed_class}.{name}")
    for seed_class in CLASSES
    for kind, name, seed in seed_names.members(seed_class)
]


def test_every_class_has_a_row() -> None:
    assert CLASSES.keys() == SEEDS["classes"].keys()


@pytest.mark.parametrize(("seed_class", "kind", "name", "seed"), MEMBERS)
def test_a_member_has_its_counterpart(seed_class: str, kind: str, name: str, seed: list[str] | None) -> None:
    reference = seed_names.here(seed_class, kind, name)
    difference = DIFFERENCES.get(f"{seed_class}.{name}")
    if kind == "property" and difference is None:
        assert has_property(seed_names.resolve(CLASSES[seed_class]), name), reference
        return
    found = seed_names.resolve(reference)
    if seed_names.is_handler(name):
        assert [p.name for p in seed_names.parameters(found)] == ["handler"]
    elif difference is None:
        assert seed is not None
        problem = seed_names.mismatch(found, seed)
        assert problem is None, f"{reference} {problem}"
    elif difference.parameters is not None:
        assert tuple(p.name for p in seed_names.parameters(found)) == difference.parameters


def has_property(ours: Any, name: str) -> bool:
    fields = {field.name for field in dataclasses.fields(ours)} if dataclasses.is_dataclass(ours) else set()
    python = seed_names.snake(name)
    return python in fields or python in inspect.get_annotations(ours) or hasattr(ours, python)


def test_every_difference_is_one() -> None:
    known = {f"{param.values[0]}.{param.values[2]}": param.values for param in MEMBERS}
    for name in DIFFERENCES:
        seed_class, kind, member, seed = known[name]
        ours = seed_names.resolve(CLASSES[seed_class])
        ruled = getattr(ours, "__init__" if kind == "constructor" else seed_names.snake(member), None)
        assert ruled is None or seed_names.mismatch(ruled, seed) is not None, f"{name} follows the rules"


def test_every_rest_type_has_its_fields() -> None:
    ours = seed_names.types()
    missing = []
    for name, python, fields in seed_names.rest_types():
        found = ours.get(python)
        keys = () if found is None else found.__annotations__.keys()
        missing += [f"{name}.{f}" for f in fields if f not in keys and f"{name}.{f}" not in FIELDS_LEFT_OUT]
    assert missing == []


def test_every_type_of_the_socket_has_its_fields() -> None:
    missing = []
    for name, python, fields in seed_names.realtime_types():
        found = getattr(realtime, python)
        keys = found.__annotations__.keys()
        if (
            len(fields) == 1
            and realtime.Envelope.__annotations__.get(fields[0]) is not None
            and fields[0] not in keys
        ):
            # A message of the seeds is an envelope with this key.
            body = get_type_hints(realtime.Envelope)[fields[0]]
            missing += [] if body is found else [f"{name}: Envelope.{fields[0]} is {body.__name__}"]
            continue
        missing += [f"{name}.{f}" for f in fields if f not in keys and f"{name}.{f}" not in FIELDS_LEFT_OUT]
    assert missing == []


def test_the_handlers_of_the_interface_are_those_of_its_class() -> None:
    handlers = SEEDS["interfaces"]["socket.ts:Socket"]
    assert set(handlers) == {
        name for name in SEEDS["classes"]["DefaultSocket"]["methods"] if name.startswith("on")
    }
    assert seed_names.handler_name("onpartyjoinrequest") == "on_party_join_request"
    assert seed_names.handler_name("onmatchmakermatched") == "on_matchmaker_matched"
    assert seed_names.handler_name("onparty") == "on_party"


def test_every_enum_has_its_members_in_the_order_of_their_numbers() -> None:
    ours = seed_names.types()
    for name, members in SEEDS["enums"].items():
        assert [(m.name, m.value) for m in ours[name]] == [(m, n) for n, m in enumerate(members)]


def test_the_docs_show_the_table() -> None:
    assert seed_names.DOCUMENT.read_text(encoding="utf-8") == seed_names.document(), (
        "run: python tests/seed_names.py > docs/seed-names.md"
    )


@pytest.mark.parametrize(
    ("seed", "problem"),
    [
        (["bearerToken", "groupId", "limit?", "options"], "has 'state' where the seed has 'limit'"),
        (["bearerToken", "groupId", "state", "limit", "cursor", "more"], "has no parameter 'more'"),
        (["bearerToken"], "needs 'group_id', which the seed has not"),
        (["bearerToken?", "groupId"], "needs 'bearer_token', which is optional in the seed"),
        (["session", "groupId", "state?"], None),
    ],
)
def test_a_signature_that_differs_is_found(seed: list[str], problem: str | None) -> None:
    found = seed_names.resolve(CLASSES["Client"]).list_group_users
    assert seed_names.mismatch(found, seed) == problem
