"""The imports that a source needs, from the names that it uses."""

from __future__ import annotations

import builtins
from symtable import symtable
from typing import TYPE_CHECKING, Final

import animus_routes
from animus_routes import errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from symtable import SymbolTable

COLUMNS: Final = 100
# name -> the module that has it.
KNOWN: Final[Mapping[str, str]] = {
    name: module
    for module, names in {
        "collections": ("Counter",),
        "collections.abc": ("Generator", "Iterator"),
        "contextlib": ("closing", "contextmanager"),
        "datetime": ("UTC", "datetime"),
        "hashlib": ("sha256",),
        "http.client": ("HTTPConnection",),
        "http.server": ("BaseHTTPRequestHandler", "ThreadingHTTPServer"),
        "pathlib": ("Path",),
        "socket": ("create_connection",),
        "tempfile": ("TemporaryFile",),
        "threading": ("Thread",),
        "time": ("monotonic", "time"),
        "typing": ("Any", "Final", "TypeVar"),
        "uuid": ("uuid4",),
        "animus_routes.batteries.channels": ("content_of", "is_duplicate", "key_of"),
        "animus_routes.batteries.children": ("run",),
        "animus_routes.batteries.paging": ("paginate",),
        "animus_routes.batteries.sql": ("Database", "Layout", "Transaction"),
        "animus_routes.host": ("read_manifest",),
        "animus_routes.errors": errors.__all__,
        "animus_routes.testing": ("ClientStarter", "TestClient"),
        "animus_routes.timestamps": ("now", "parse"),
    }.items()
    for name in names
} | dict.fromkeys(animus_routes.__all__, "animus_routes")
STDLIB: Final = ("json", "os", "re", "shutil", "sys")
PACKAGES: Final = ("msgspec", "pydantic", "pytest")


def imports(source: str, types: Mapping[str, str], own: Mapping[str, str]) -> str:
    """The import statements of a source, sorted and grouped.

    Args:
        source: Everything else of the module.
        types: The modules of wire types, by the types' names.
        own: The project's own names, and their modules.

    Raises:
        NameError: Nothing is known of a name in it.
    """
    plain: dict[bool, list[str]] = {True: [], False: []}
    taken: dict[bool, dict[str, list[str]]] = {True: {}, False: {}}
    mine: dict[str, list[str]] = {}
    for name in sorted(free_names(source)):
        if name in STDLIB or name in PACKAGES:
            plain[name in STDLIB].append(name)
        elif name in own:
            mine.setdefault(own[name], []).append(name)
        else:
            module = KNOWN.get(name) or types.get(name)
            if module is None:
                raise NameError(f"{name} is used, and nobody knows where it is from")
            is_theirs = module.startswith("animus_routes")
            taken[not is_theirs].setdefault(module, []).append(name)
    groups = [[*_lines(plain[is_std], taken[is_std])] for is_std in (True, False)]
    groups.append([*_lines([], mine)])
    return "\n\n".join("\n".join(group) for group in groups if group)


def _lines(plain: Iterable[str], taken: Mapping[str, list[str]]) -> Iterator[str]:
    yield from (f"import {name}" for name in sorted(plain))
    for module in sorted(taken):
        names = sorted(taken[module], key=lambda name: (not name.isupper(), name.islower(), name))
        line = f"from {module} import {', '.join(names)}"
        if len(line) > COLUMNS:
            line = "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])
        yield line


def free_names(source: str) -> set[str]:
    """The names that a module uses and does not have, builtins aside."""
    module = symtable(source, "source", "exec")
    own = {one.get_name() for one in module.get_symbols() if one.is_assigned()}
    return {*_used(module)} - own - {*dir(builtins), "__file__"}


def _used(scope: SymbolTable) -> Iterator[str]:
    """The names that a scope, or one in it, takes from the module."""
    is_module = scope.get_type() == "module"
    for one in scope.get_symbols():
        if one.is_referenced() and (is_module or one.is_global()):
            yield one.get_name()
    for inner in scope.get_children():
        yield from _used(inner)
