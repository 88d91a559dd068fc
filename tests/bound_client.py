"""Writes ``nakama_bots/players/bound.pyi``: the signatures of ``Client`` without the session.

``python tests/bound_client.py``; a test holds the file to what this makes.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

from nakama_bots.rest.client import Client

FILE = Path(__file__).parents[1] / "nakama_bots" / "players" / "bound.pyi"
HEAD = '''"""Made by ``python tests/bound_client.py`` from the client: do not edit."""

'''
# What a player does itself, or what is no operation of a user.
LEFT_OUT = ("session_refresh", "fresh")


def left_out(name: str) -> bool:
    """Whether a player's client has no such operation."""
    return name in LEFT_OUT or name.startswith(("_", "authenticate_"))


def operations() -> list[tuple[type, str]]:
    """Every public method of the client with the class that defines it, in the order of their names."""
    found: dict[str, type] = {}
    for kind in reversed(Client.__mro__[1:]):
        for name, value in vars(kind).items():
            if (
                not name.startswith("_")
                and inspect.isfunction(value)
                and value.__name__ == name not in LEFT_OUT
            ):
                found[name] = kind
    return sorted(((kind, name) for name, kind in found.items()), key=lambda one: one[1])


class Substitute(ast.NodeTransformer):
    """The type variables of a family by what ``Client`` has for them."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.names.get(node.id, node.id))


def generic(kind: type) -> dict[str, str]:
    """Type variables of ``kind`` and the names of what ``Client`` gives for them."""
    for base in Client.__orig_bases__:  # type: ignore[attr-defined]
        if getattr(base, "__origin__", None) is kind:
            names = [getattr(one, "__name__", str(one)) for one in base.__args__]
            return dict(zip((one.__name__ for one in kind.__parameters__), names, strict=True))  # type: ignore[attr-defined]
    return {}


def signature(kind: type, name: str) -> tuple[str, set[str]]:
    """The stub of one method, with its overloads, and the names that it uses."""
    tree = ast.parse(Path(inspect.getfile(kind)).read_text(encoding="utf-8"))
    definition = next(one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == kind.__name__)
    methods = [one for one in definition.body if isinstance(one, ast.FunctionDef) and one.name == name]
    doc = ast.get_docstring(methods[-1], clean=False)
    stubs: list[ast.stmt] = []
    # Of a method with overloads the last definition is the implementation, which a stub has not.
    for method in methods[:-1] or methods:
        arguments = method.args.args
        if arguments[1:] and arguments[1].arg == "session":
            del arguments[1]
        stub = Substitute(generic(kind)).visit(method)
        stub.body = [ast.Expr(ast.Constant(doc))] if doc else [ast.Expr(ast.Constant(...))]
        stubs.append(ast.fix_missing_locations(stub))
    used = {one.id for one in ast.walk(ast.Module(stubs, [])) if isinstance(one, ast.Name)}
    return "\n".join(map(ast.unparse, stubs)), used


def made() -> str:
    """The file."""
    stubs: list[str] = []
    imports = {"from nakama_bots.players.player import Player"}
    for kind, name in operations():
        text, used = signature(kind, name)
        stubs.append("\n".join("    " + line if line else line for line in text.splitlines()))
        imports.update(imported(kind, one) for one in used)
    head = HEAD + "\n".join(sorted(imports)) + "\n\nclass BoundClient:\n"
    head += "    def __init__(self, player: Player) -> None: ...\n"
    text = head + "\n".join(stubs) + "\n\ndef takes_session(name: str) -> bool: ...\n"
    sorted_text = ruff("check", "--select", "I", "--fix", text=text)
    return ruff("format", text=sorted_text)


def ruff(*command: str, text: str) -> str:
    """``text`` as ruff leaves it."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "-q", "--stdin-filename", str(FILE), "-"],
        input=text, capture_output=True, text=True, check=True, cwd=FILE.parents[2],
    )  # fmt: skip
    return done.stdout


def imported(kind: type, name: str) -> str:
    """The import of ``name`` as the class's module has it; "" for a builtin."""
    module: Any = sys.modules[kind.__module__]
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        for one in node.names if isinstance(node, ast.ImportFrom) else ():
            if name in (one.name, one.asname):
                return f"from {node.module} import {ast.unparse(one)}"
    if name == "Json":
        return "from nakama_bots.types.common import Json"
    return "" if hasattr(builtins, name) else f"from {module.__name__} import {name}"


if __name__ == "__main__":
    FILE.write_text(made(), encoding="utf-8")
