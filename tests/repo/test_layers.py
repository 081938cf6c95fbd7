"""No layer imports upward, and only the roles know a role by name."""

import ast
from pathlib import PurePosixPath

import pytest
from repo_files import GENERATED, REPO, files, imports, package, tree

from animus_routes.roles import KINDS, REFUSED

# From the ground up: a module may import its own layer and what is below.
LAYERS = (
    ("errors", "timestamps", "_lean"),
    ("engine",),
    ("types", "structs", "values", "values", "serving", "host"),
    ("roles",),
    (
        "app",
        "describe",
        "handlers",
        "routing",
    ),
    ("testing", "pytest_plugin", "compat"),
    ("loading",),
    ("cli",),
)
OUTSIDE = frozenset({"__init__", "__main__"})  # they only lead into the others
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
ROLES = "animus_routes.roles"
# Generated, named after crates; and the surface of a foreign SDK, which names every kind.
MAY_NAME_KINDS = (*GENERATED, "animus_routes/roles/", "animus_routes/compat/")


def room(dotted: str) -> str:
    """`engine` of `animus_routes.engine.wire`; `__init__` of the package itself."""
    return [*dotted.split("."), "__init__"][1]


def dotted(name: str) -> str:
    return ".".join(PurePosixPath(name).with_suffix("").parts)


def test_every_module_is_in_a_layer() -> None:
    rooms = {room(dotted(name)) for name in files("animus_routes/*.py")}
    assert rooms - OUTSIDE == set(LEVEL) & rooms
    assert {r for r in LEVEL if not list((REPO / "animus_routes").glob(f"{r}*"))} == set()


@pytest.mark.parametrize("name", package())
def test_a_module_imports_nothing_above_it(name: str) -> None:
    own = room(dotted(name))
    if own in OUTSIDE:
        return
    upward = [
        f"{name}:{line} imports {other}"
        for line, other in imports(name)
        if room(other) not in OUTSIDE and LEVEL.get(room(other), 0) > LEVEL.get(own, 0)
    ]
    assert upward == []


@pytest.mark.parametrize("name", files("animus_routes/engine/*.py"))
def test_the_engine_knows_no_model_and_no_role(name: str) -> None:
    strange = [
        (line, other)
        for line, other in imports(name)
        if room(other) not in {"engine", "errors", "_lean", "__init__"}
    ]
    assert strange == []


@pytest.mark.parametrize("name", [n for n in package() if "/roles/" not in n])
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
