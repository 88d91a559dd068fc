"""Selects the user classes of a run: by name, by tag, or the default ones."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable

from locust.env import Environment

from nakama_bots.load.process.exits import stop_with
from nakama_bots.results.record.purposes import Purpose


def select_user_classes(environment: Environment, options: Namespace) -> None:
    """Reduce ``environment`` to the user classes of the run; ends the process if none is left."""
    _drop_by_name_only(environment, options)
    _drop_untagged(environment, options)
    for user_class in environment.user_classes:
        given = getattr(user_class, "must_do", ())
        if not isinstance(given, tuple | list) or not all(isinstance(name, str) and name for name in given):
            accepted = 'a tuple of names, such as ("matches_joined",)'
            stop_with(f"{user_class.__name__}.must_do: {given!r} cannot be used; accepted: {accepted}")


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
