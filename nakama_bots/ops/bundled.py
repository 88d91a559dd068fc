"""The files that come with the package: scenarios, gates, Lua modules, CI and compose examples, manifests.

In a checkout they are the files of the repository; the wheel contains them as ``nakama_bots/bundled``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nakama_bots.errors import ConfigError, file_errors
from nakama_bots.settings.values import one_of

_PACKAGE: Final = Path(__file__).parent.parent
_WHEEL: Final = _PACKAGE / "bundled"
FOLDER: Final = _WHEEL if _WHEEL.is_dir() else _PACKAGE.parent
"""The folder of ``scenarios``, ``nakama_modules``, ``reports/gates``, ``deploy`` and ``docs/ci``."""


@dataclass(frozen=True, slots=True)
class BundledScenario:
    """A file with user classes. ``needs`` is what the server must have besides Nakama itself."""

    name: str
    path: Path
    summary: str
    classes: tuple[str, ...]
    needs: str


def scenarios() -> list[BundledScenario]:
    """Every bundled scenario by name, read without importing it: an import would patch the process."""
    files = sorted((FOLDER / "scenarios").glob("[!_]*.py"))
    return [_read(path) for path in files]


def find_scenario(name: str) -> BundledScenario:
    """Return the scenario called ``name``. Raises ``ConfigError``, which lists the existing ones."""
    found = {one.name: one for one in scenarios()}
    key = name.removesuffix(".py").replace("-", "_")
    if key not in found:
        raise ConfigError("NAME", name, f"one of {one_of(found, name)}")
    return found[key]


def copy_scenario(name: str, folder: Path) -> Path:
    """Copy a scenario into ``folder`` and return its path. Raises ``ConfigError`` if the file exists."""
    scenario = find_scenario(name)
    target = folder / scenario.path.name
    if target.exists():
        raise ConfigError("NAME", name, f"a scenario that is not there yet ({target} exists)")
    with file_errors("FOLDER", folder, "a writable folder"):
        folder.mkdir(parents=True, exist_ok=True)
        target.write_bytes(scenario.path.read_bytes())
    return target


def _read(path: Path) -> BundledScenario:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants: dict[str, str] = {}
    classes: list[str] = []
    users: set[str] = set()
    needs: dict[str, None] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and _is_user(node, users):
            users.add(node.name)
            if not any(ast.unparse(one) == "abstract = True" for one in node.body):
                classes.append(node.name)
            needs |= dict.fromkeys(filter(None, (_value_of(one, "needs", constants) for one in node.body)))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constants[node.targets[0].id] = _text(node.value, constants)
    words = " ".join((ast.get_docstring(tree) or "").split())
    summary = re.split(r"\.\s|;\s", re.sub(r"^(\w+ ?){1,3}: ", "", words), maxsplit=1)[0].rstrip(".")
    return BundledScenario(path.stem, path, summary, tuple(classes), "; ".join(needs))


def _is_user(node: ast.ClassDef, users: set[str]) -> bool:
    bases = [ast.unparse(base) for base in node.bases]
    return any(base.endswith("User") or base in users for base in bases)


def _value_of(node: ast.stmt, name: str, constants: Mapping[str, str]) -> str:
    named = isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets)
    return _text(node.value, constants) if named else ""  # type: ignore[attr-defined]  # it is an Assign


def _text(node: ast.expr, constants: Mapping[str, str]) -> str:
    """Return the text of a literal or an f-string of module constants; "" for any other expression."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) | ast.FormattedValue(value=ast.Name(id=name)):
            return constants.get(name, "")
        case ast.JoinedStr(values=values):
            return "".join(_text(value, constants) for value in values)
    return ""
