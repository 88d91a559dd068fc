"""Selects the user classes of a run: by name, by tag, or the default ones."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping
from typing import Any, Final

from locust.env import Environment

from nakama_bots.errors import ConfigError
from nakama_bots.load.process.exits import stop_with
from nakama_bots.players.delivery.codecs import Codec
from nakama_bots.results.record.purposes import Purpose

MOST_OP_CODES: Final = 20
"""Each adds a row to every report."""


def select_user_classes(environment: Environment, options: Namespace) -> None:
    """Reduce ``environment`` to the user classes of the run; ends the process if none is left."""
    _drop_by_name_only(environment, options)
    _drop_untagged(environment, options)
    for user_class in environment.user_classes:
        for name, is_accepted, accepted in _CHECKS:
            given = getattr(user_class, name, None)
            if given is not None and not is_accepted(given):
                stop_with(str(ConfigError(f"{user_class.__name__}.{name}", given, accepted)))


def _are_names(given: Any) -> bool:
    return isinstance(given, tuple | list) and all(isinstance(name, str) and name for name in given)


def _name_op_codes(given: Any) -> bool:
    return (
        isinstance(given, Mapping)
        and len(given) <= MOST_OP_CODES
        and all(isinstance(op_code, int) for op_code in given)
        and _are_names(list(given.values()))
    )


_CHECKS: Final = (
    ("must_do", _are_names, 'a tuple of names, such as ("matches_joined",)'),
    ("op_codes", _name_op_codes, f'names of at most {MOST_OP_CODES} op codes, such as {{1: "swim"}}'),
    ("delivery", lambda given: isinstance(given, Codec), 'exact(), json_field("_nb"), keyed(..) or stamped()'),
)
"""Attributes of a user class that an author may set: name, check, and what is accepted."""


def purposes(user_classes: Iterable[type]) -> list[Purpose]:
    """Return what the user classes of a run must do."""
    return [
        Purpose(found.__name__, tuple(getattr(found, "must_do", ())), str(getattr(found, "must_do_hint", "")))
        for found in user_classes
        if getattr(found, "must_do", ())
    ]


def _drop_by_name_only(environment: Environment, options: Namespace) -> None:
    """Without names and tags, omit the classes that must be named, unless there are no others."""
    if options.user_classes or options.tags or options.class_picker:
        return
    left = [found for found in environment.user_classes if not getattr(found, "by_name_only", False)]
    environment.user_classes = left or environment.user_classes


def _drop_untagged(environment: Environment, options: Namespace) -> None:
    """Omit classes without a task under ``--tags``: Locust would start their users, which all fail."""
    if not (options.tags or options.exclude_tags):
        return
    environment._filter_tasks_by_tags()
    left = [user_class for user_class in environment.user_classes if user_class.tasks]
    if not left:
        given = options.tags or options.exclude_tags
        stop_with(f"--tags, --exclude-tags: {' '.join(given)!r} leaves no task to run")
    environment.user_classes = left
