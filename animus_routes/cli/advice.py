"""What `call` adds to what a plugin and a host would say: what its author may have meant."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from animus_routes.host.variables import BASE_VARIABLES
from animus_routes.loading import WITHOUT, on_module, on_variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

READS: Final = frozenset({"get", "pop", "setdefault", "getenv"})
SHOWN: Final = 12
PLACES_TIMEOUT_S: Final = 20.0


def on_method(method: str, served: Sequence[str]) -> str:
    """What to call instead of a method that is unknown."""
    names = [name for name in served if not name.startswith("$")]
    verb = method.rpartition("/")[2]
    same = [name for name in names if name.rpartition("/")[2] == verb]
    near = same or get_close_matches(method, names, n=1)
    # Hosts call `<kind>/<verb>`, so that this is what is shown first.
    near = [name for name in near if not name.startswith("subject/")] or near
    if near:
        return f"did you mean '{near[0]}'?"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"it serves {', '.join(names[:SHOWN])}{more}"


def on_import(report: str, target: Sequence[str]) -> str:
    """What to do about an import that failed at the end of a traceback; "" if that says it all."""
    last = report.rstrip().rpartition("\n")[2]
    if found := re.fullmatch(r"ModuleNotFoundError: No module named '([\w.]+)'", last):
        return on_module(found[1])
    found = re.fullmatch(r"KeyError: '(\w+)'", last)
    if found:
        return on_variable(found[1], is_set=found[1] in os.environ)
    if not report.startswith("Traceback") and not re.match(r"\d+ problems? in the app:", report):
        return ""
    # In its own process, that command says what the import has looked for in vain.
    said = _asked("manifest", *target)[1].splitlines()
    return "\n".join(line for line in said if WITHOUT in line)


def undeclared(source: str, declared: Sequence[str]) -> list[str]:
    """Variables that are set here and that a text reads, but that hosts do not pass on."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    known = {*BASE_VARIABLES, *declared}
    return [name for name in dict.fromkeys(_read(tree)) if name in os.environ and name not in known]


def _read(tree: ast.Module) -> Iterator[str]:
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        key: ast.expr | None = None
        if isinstance(node, ast.Subscript) and _is_named(node.value, {"environ"}):
            key = node.slice if isinstance(node.ctx, ast.Load) else None
        elif isinstance(node, ast.Call) and node.args and _reads(node.func):
            key = node.args[0]
        name = constants.get(key.id) if isinstance(key, ast.Name) else None
        if isinstance(key, ast.Constant):
            name = key.value
        if isinstance(name, str):
            yield name


def _reads(function: ast.expr) -> bool:
    """Is it `os.environ.get`, `os.getenv` or the like?"""
    if _is_named(function, {"getenv"}):
        return True
    return (
        isinstance(function, ast.Attribute)
        and function.attr in READS
        and _is_named(function.value, {"environ"})
    )


def _is_named(node: ast.expr, names: set[str]) -> bool:
    found = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
    return found in names


def _asked(*arguments: str) -> tuple[str, str]:
    """What another command prints, and what it says; nothing if it cannot be run."""
    command = [sys.executable, "-m", "animus_routes", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=PLACES_TIMEOUT_S, check=False, text=True
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return "", ""
    return done.stdout, done.stderr


def place_of(method: str, target: Sequence[str]) -> str:
    """`file:line: handler` of a method, as `routes` knows it; "" if that is not known."""
    try:
        rows: list[dict[str, Any]] = json.loads(_asked("routes", *target, "--json")[0])["routes"]
    except (ValueError, LookupError):
        return ""
    for row in rows:
        if method in (row["method"], *row["aliases"]) and row["where"]:
            return f"{row['where']}: {row['handler'].rpartition(' ')[2]}: "
    return ""
