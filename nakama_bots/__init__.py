"""Load testing and bot simulation for the Nakama game server.

The names that a scenario or a behaviour needs are here, and loaded when they are first used: ``__init__.pyi``
lists them. Importing the package patches nothing. ``NakamaUser``, ``task`` and the other names of Locust import
Locust, which replaces parts of the standard library by gevent's: in a program of your own, import them before
``requests`` or ``ssl`` (``locust -f`` does so by itself).
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import warnings
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

_NO_PATCH = "LOCUST_SKIP_MONKEY_PATCH"


@functools.cache
def _homes() -> dict[str, tuple[str, str]]:
    """Module and name there of every name of the stub, which editors and type checkers read as well."""
    import ast  # noqa: PLC0415 - most processes need none of the names

    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    return {
        one.asname or one.name: (node.module or "", one.name)
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for one in node.names
    }


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name not in _homes():
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    home, real = _homes()[name]
    if home == "nakama_bots.load":
        _check_patching(name)
    found = getattr(importlib.import_module(home), real)
    globals()[name] = found
    return found


def _check_patching(name: str) -> None:
    """Keep Locust from patching what is in use already: half patched, every TLS connection would fail."""
    if "locust" in sys.modules or "ssl" not in sys.modules or os.environ.get(_NO_PATCH):
        return
    if "gevent.monkey" in sys.modules and sys.modules["gevent.monkey"].is_module_patched("ssl"):
        return
    warnings.warn(
        f"{__name__}.{name} imports Locust, which patches the standard library, and ssl has been imported "
        "before: nothing is patched, and this process can make no load. Import it first, or set "
        f"{_NO_PATCH}=1 where no load is to be made",
        RuntimeWarning,
        stacklevel=3,
    )
    os.environ[_NO_PATCH] = "1"
    try:
        importlib.import_module("nakama_bots.load")
    finally:
        del os.environ[_NO_PATCH]


def __dir__() -> list[str]:
    return sorted({*globals(), *_homes()})
