"""The repository's files as git sees them."""

import ast
import subprocess
from pathlib import Path
from typing import Final

REPO: Final = Path(__file__).resolve().parents[2]
GENERATED: Final = (
    "animus_routes/types/",
    "animus_routes/structs/",
    "animus_routes/backends/",
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
    A name taken from a package counts as a module of its own, if there is such a file.
    """
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
            # Taking a module out of its package is no use of what the package itself holds.
            found += [(node.lineno, m if is_module(m) else node.module) for m in modules]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "__import__":
            text = ast.unparse(node.args[0]).strip("f'\"")
            found.append((node.lineno, text.partition("{")[0].rstrip(".")))
    return [(line, dotted) for line, dotted in found if is_module(dotted)]


def is_module(dotted: str) -> bool:
    path = REPO / dotted.replace(".", "/")
    return dotted.partition(".")[0] == "animus_routes" and (
        path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
    )
