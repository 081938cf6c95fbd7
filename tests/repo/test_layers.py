"""No layer imports upward, and only the roles know a role by name."""

import ast
import subprocess
import sys
from pathlib import PurePosixPath

import pytest
from repo_files import GENERATED, files, imported, imports, package, tree

from animus_routes.roles import KINDS, REFUSED

# From the ground up: a module may import its own room, and rooms on the floors below. Rooms that
# share a floor do not know each other.
FLOORS = (
    ("_lean",),
    ("errors", "names"),
    ("timestamps",),
    ("rules", "matching"),
    ("fences",),
    ("engine", "structs", "types", "host"),
    ("values",),
    ("roles",),
    ("handlers",),
    ("routing",),
    ("describe",),
    ("waking",),
    ("serving", "polling"),
    ("app",),
    ("testing", "compat", "batteries", "loading", "backends"),
    ("conformance",),
    ("dev",),
    ("build",),
    ("inspector",),
    ("pytest_plugin", "cli"),
    ("_frozen",),
)
OUTSIDE = frozenset({"__init__", "__main__"})  # they only lead into the others
NEVER_LOADED = ("names", "backends", "_frozen")
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
ROLES = "animus_routes.roles"
MAY_NAME_ROLES = ("animus_routes/roles/", "animus_routes/_frozen.py")
# Generated, named after crates; and the surface of a foreign SDK, which names every kind.
# One of them is also the name of a subject's field.
MAY_NAME_KINDS = (
    *GENERATED,
    "animus_routes/roles/",
    "animus_routes/compat/",
    "animus_routes/matching.py",
)


def room(dotted: str) -> str:
    """`engine` of `animus_routes.engine.wire`; `__init__` of the package itself."""
    return [*dotted.split("."), "__init__"][1]


def dotted(name: str) -> str:
    """`animus_routes.roles` of `animus_routes/roles/__init__.py`."""
    return ".".join(PurePosixPath(name.removesuffix("/__init__.py")).with_suffix("").parts)


def test_every_room_is_on_a_floor() -> None:
    rooms = {room(dotted(name)) for name in files("animus_routes/*.py")}
    assert rooms - OUTSIDE == set(LEVEL)


@pytest.mark.parametrize("name", package())
def test_a_module_imports_nothing_above_it(name: str) -> None:
    own = room(dotted(name))
    if own in OUTSIDE:
        return
    upward = [
        f"{name}:{line} imports {other}"
        for line, other in imports(name)
        if room(other) not in {own, *OUTSIDE} and LEVEL.get(room(other), 0) >= LEVEL.get(own, 0)
    ]
    assert upward == []


def test_what_is_for_tools_alone_is_never_loaded() -> None:
    modules = [dotted(name) for name in files("animus_routes/*.py") if "__main__" not in name]
    loaded = ", ".join(module for module in modules if room(module) not in NEVER_LOADED)
    code = f"import sys, {loaded}; print([n for n in {NEVER_LOADED} if f'animus_routes.{{n}}' in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from animus_routes import App", "animus_routes.app"),
        ("if TYPE_CHECKING:\n    from animus_routes import NotFound", "animus_routes.errors"),
        ("def f():\n    from animus_routes.routing import router", "animus_routes.routing.router"),
        ("from .frames import Request", "animus_routes.engine.frames"),
        ("from ..routing.router import Router", "animus_routes.routing.router"),
        ("from .. import app", "animus_routes.app"),
        ("import_module('animus_routes.app')", "animus_routes.app"),
        ("importlib.import_module(f'animus_routes.roles.{kind}')", "animus_routes.roles"),
    ],
)
def test_an_import_is_seen_in_whatever_form_it_is_written(text: str, found: str) -> None:
    nodes = ast.walk(ast.parse(text))
    seen = [dotted for node in nodes for _, dotted in imported(node, "animus_routes/engine/x.py")]
    assert seen == [found]


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that reach each other, largest first."""

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            for other in arrows.get(ahead.pop(), set()) - seen:
                seen.add(other)
                ahead.append(other)
        return seen

    reached = {name: reach(name) for name in arrows}
    groups = {frozenset(o for o in r if name in reached[o]) for name, r in reached.items()}
    return sorted((sorted(group) for group in groups if group), key=len, reverse=True)


def test_modules_that_reach_each_other_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert circles({"a": {"b"}, "b": set()}) == []


def is_later_part(name: str, other: str) -> bool:
    """Does a generated module name the part of its crate that it loads when that is asked for?"""
    return name.startswith(GENERATED) and other.startswith(f"{dotted(name)}_")


def test_no_modules_import_each_other_in_a_circle() -> None:
    arrows = {
        dotted(name): {
            other
            for _, other in imports(name)
            if other not in {dotted(name), "animus_routes"} and not is_later_part(name, other)
        }
        for name in files("animus_routes/*.py")
        if dotted(name) != "animus_routes"
    }
    assert circles(arrows) == []


@pytest.mark.parametrize("name", files("animus_routes/engine/*.py"))
def test_the_engine_knows_no_model_and_no_role(name: str) -> None:
    strange = [
        (line, other)
        for line, other in imports(name)
        if room(other) not in {"engine", "errors", "_lean", "__init__"}
    ]
    assert strange == []


@pytest.mark.parametrize("name", [n for n in package() if not n.startswith(MAY_NAME_ROLES)])
def test_a_roles_module_is_reached_only_through_the_package(name: str) -> None:
    direct = [(line, other) for line, other in imports(name) if other.startswith(f"{ROLES}.")]
    assert direct == []


@pytest.mark.parametrize("name", [n for n in package() if not n.startswith(MAY_NAME_KINDS)])
def test_nothing_outside_the_roles_names_a_kind(name: str) -> None:
    kinds = {*KINDS, *REFUSED}
    named = [
        f"{name}:{node.lineno} {node.value}"
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in kinds
    ]
    assert named == []
