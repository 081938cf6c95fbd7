"""The rows of the role tables behind the methods that a plugin advertises."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from animus_routes.conformance.shapes import list_of, object_of, texts_of
from animus_routes.roles import KINDS, role
from animus_routes.routing.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes.conformance.bench import Bench
    from animus_routes.roles import MethodRow, Role

# Served in every plugin by the lifecycle, and in no role's table.
LIFECYCLE: Final = frozenset({"health/check", "initialize", "shutdown", "exit", "$/ping"})


def roles_of(bench: Bench) -> list[Role]:
    """The roles that the manifest names, primary first."""
    manifest = bench.manifest or {}
    kinds = [manifest.get("plugin_kind"), *manifest.get("plugin_kinds", ())]
    return [role(str(kind)) for kind in kinds if kind in KINDS]


def row_of(bench: Bench, method: str) -> MethodRow | None:
    """The row of a method, or of a subject kind's name for it; None for one of the author's own."""
    found = _registry(tuple(r.kind for r in roles_of(bench)), tuple(bench.subject_kinds))
    return found.row(method)[1] if found is not None else None


@cache
def _registry(kinds: tuple[str, ...], subject_kinds: tuple[str, ...]) -> Registry | None:
    roles = [role(kind) for kind in kinds]
    return Registry(roles, [], list(subject_kinds), 1, [], {}) if roles else None


def is_method(bench: Bench, name: str) -> bool:
    """Is an advertised name a method, and no flag?"""
    if name in LIFECYCLE or name.startswith("$"):
        return False
    if row_of(bench, name) is not None:
        return True
    tools = [object_of(tool).get("name") for tool in list_of(bench.capabilities.get("mcp_tools"))]
    return name in tools or ("/" in name and name in texts_of(bench.capabilities.get("methods")))


def advertised(bench: Bench) -> Iterator[str]:
    """The methods that are advertised and called by a host, in order."""
    for name in bench.methods:
        if is_method(bench, name):
            yield name


def called(bench: Bench, method: str) -> str:
    """A method's name as hosts call it: of an aliased one, `<kind>/<verb>`."""
    row = row_of(bench, method)
    if row is None or not row.aliases or row.stream is not None:
        return method
    kinds = [kind for kind in bench.subject_kinds if "*" not in kind]
    return f"{kinds[0]}/{row.verb}" if kinds else method


def serves(bench: Bench, method: str) -> bool:
    """Does it advertise a method, under its own name or that of a subject kind?"""
    return method in bench.methods or called(bench, method) in bench.methods


def reads(bench: Bench, method: str) -> bool:
    """Is a method known to change nothing?"""
    row = row_of(bench, method)
    return row is not None and row.reads


def kind_of(bench: Bench, method: str) -> str:
    """The plugin kind that a method is of; "" if it is the author's own."""
    for one in roles_of(bench):
        if any(row.name == method for row in one.methods):
            return one.kind
    return ""
