"""The repository's files as git sees them."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import animus_routes

REPO: Final = Path(__file__).resolve().parents[2]
GENERATED: Final = (
    "animus_routes/types/",
    "animus_routes/structs/",
    "animus_routes/backends/",
    "animus_routes/compat/types/generated/",
    "animus_routes/names.py",
)


def files(*patterns: str) -> list[str]:
    """Every file that is committed or would be, in order."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=REPO,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return sorted({name for name in listed.split("\0") if name and (REPO / name).is_file()})


def is_generated(name: str) -> bool:
    """Did `tools/codegen.py` write this module?"""
    return name.startswith(GENERATED) and not Path(name).name.startswith("_")


def hand_written() -> list[str]:
    """Every Python file that a person wrote."""
    return [name for name in files("*.py") if not is_generated(name)]


def package() -> list[str]:
    """The hand-written modules of `animus_routes`."""
    return [name for name in hand_written() if name.startswith("animus_routes/")]


def tree(name: str) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse((REPO / name).read_text("utf-8"), name)


def imports(name: str) -> list[tuple[int, str]]:
    """The package's own modules that a file names in an import: line and dotted name.

    Imports under `if TYPE_CHECKING` and inside functions count: a reader has to follow them too.
    A name taken from a package counts as a module of its own, if there is such a file, and one
    taken from the package itself as the module that it really comes from.
    """
    found = [found for node in ast.walk(tree(name)) for found in imported(node, name)]
    return [(line, dotted) for line, dotted in found if is_module(dotted)]


def imported(node: ast.AST, name: str) -> Iterator[tuple[int, str]]:
    """What one node of a file imports, modules of others included."""
    if isinstance(node, ast.Import):
        yield from ((node.lineno, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = PurePosixPath(name).parts[: -node.level] if node.level else ()
        source = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            # Taking a module out of its package is no use of what the package itself holds.
            module = f"{source}.{alias.name}"
            yield node.lineno, module if is_module(module) else home(source, alias.name)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(IMPORTERS):
        text = ast.unparse(node.args[0]).strip("f'\"")
        yield node.lineno, text.partition("{")[0].rstrip(".")


IMPORTERS: Final = ("__import__", "import_module")


def home(source: str, name: str) -> str:
    """The module that a name of the package itself is looked up in when it is asked for."""
    if source != "animus_routes" or name not in animus_routes.__all__:
        return source
    return f"animus_routes.{animus_routes._HOMES.get(name, 'errors')}"


def is_module(dotted: str) -> bool:
    path = REPO / dotted.replace(".", "/")
    return dotted.partition(".")[0] == "animus_routes" and (
        path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
    )
