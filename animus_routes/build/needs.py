"""What an app needs: its author's own files, and the distributions that it imports from."""

from __future__ import annotations

import ast
import os
import re
import sysconfig
from importlib.metadata import Distribution, distributions
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote, urlparse

import animus_routes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from animus_routes.build.probe import Seen

OURS: Final = "animus-routes"
BATTERIES: Final = "animus_routes.batteries."
NAME: Final = re.compile(r"[-_.]+")
REQUIREMENT: Final = re.compile(r"^\s*([\w.-]+)\s*(?:\[([^]]*)\])?[^;]*(?:;(.*))?$", re.DOTALL)
EXTRA: Final = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
PYTHON: Final = (".py", ".pyi")
STDLIB: Final = tuple(
    os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")
)
SITE: Final = ("site-packages", "dist-packages")


class Needs(NamedTuple):
    """What an app needs.

    Attributes:
        own: The author's files that its import has loaded, absolute.
        tops: The top-level modules that are imported from elsewhere.
        installed: The distributions of those, and what they require, by normalized name.
    """

    own: list[str]
    tops: set[str]
    installed: dict[str, Distribution]


def needs_of(seen: Seen) -> Needs:
    """What an app that was looked at needs, imports inside functions included."""
    own = sorted(
        file
        for name, file in seen["modules"].items()
        if file.endswith(PYTHON) and is_authors(file) and not _is_ours(name)
    )
    tops = {name.partition(".")[0] for name in seen["modules"]} | {"animus_routes"}
    for file in own:
        tops |= imported_by(Path(file).read_text("utf-8", errors="replace"))
    tops |= _of_batteries(name for name in seen["modules"] if name.startswith(BATTERIES))
    installed: dict[str, Distribution] = {}
    for dist in _of_modules(tops, seen):
        _take(dist, (), installed)
    return Needs(own, tops, installed)


def _of_batteries(names: Iterable[str]) -> set[str]:
    """What our helper rooms import when they are used, such as the driver of a database."""
    tops, ahead, known = set[str](), [*names], set[str]()
    while ahead:
        name = ahead.pop()
        file = Path(animus_routes.__file__).parent.joinpath(*name.split(".")[1:]).with_suffix(".py")
        if name in known or not file.is_file():
            continue
        known.add(name)
        text = file.read_text("utf-8")
        tops |= imported_by(text)
        ahead += [name for name in modules_in(text) if name.startswith(BATTERIES)]
    return tops


def is_authors(file: str) -> bool:
    """Is it neither the standard library's, nor installed into an environment?"""
    return not is_standard(file) and not any(part in SITE for part in Path(file).parts)


def is_standard(file: str) -> bool:
    """Is it the standard library's?"""
    return os.path.realpath(file).startswith(STDLIB)


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == "animus_routes"


def imported_by(text: str) -> set[str]:
    """The top-level modules that a source imports, wherever in it."""
    return {name.partition(".")[0] for name in modules_in(text)}


def modules_in(text: str) -> list[str]:
    """The modules that a source imports, by their whole names."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):
        return []
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return names + [
        n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module and not n.level
    ]


def _of_modules(tops: set[str], seen: Seen) -> Iterator[Distribution]:
    """The distributions that these modules come from."""
    files = {file for name, file in seen["modules"].items() if name.partition(".")[0] in tops}
    for dist in distributions(path=seen["path"]):
        root = editable_root(dist)
        if normal(dist.name) == OURS:
            yield dist
        elif root is not None:
            if any(file.startswith(root + os.sep) for file in files):
                yield dist
        elif not tops.isdisjoint(top_levels(dist)):
            yield dist


def top_levels(dist: Distribution) -> set[str]:
    """The top-level modules of a distribution."""
    found: set[str] = set()
    for path in dist.files or ():
        first = path.parts[0]
        if first == ".." or first.endswith((".dist-info", ".egg-info")):
            continue
        if len(path.parts) > 1:
            found.add(first)
        elif path.suffix in {".py", ".so", ".pyd"}:
            found.add(first.partition(".")[0])
    return found


def editable_root(dist: Distribution) -> str | None:
    """Where the sources of an editable install are; None if it is no such install."""
    text = dist.read_text("direct_url.json")
    found: dict[str, Any] = loads(text) if text else {}
    if not found.get("dir_info", {}).get("editable"):
        return None
    url = str(found["url"])
    return os.path.abspath(unquote(urlparse(url).path))  # noqa: PTH100 - links stay


def normal(name: str) -> str:
    """A distribution's name in its one form."""
    return NAME.sub("-", name).lower()


def _take(dist: Distribution, extras: Iterable[str], found: dict[str, Distribution]) -> None:
    """Take a distribution and what it requires, as far as that is installed."""
    name = normal(dist.name)
    known = found.get(name)
    found[name] = dist
    if known is not None and not extras:
        return
    for line in dist.requires or ():
        match = REQUIREMENT.match(line)
        if match is None:
            continue
        wanted = set(EXTRA.findall(match[3] or ""))
        if (wanted and wanted.isdisjoint(extras)) or normal(match[1]) == name:
            continue
        below = next(iter(distributions(name=match[1])), None)
        if below is not None:
            _take(below, [e.strip() for e in (match[2] or "").split(",") if e.strip()], found)


def folder_of(dist: Distribution) -> Path | None:
    """The folder with a distribution's metadata, whose name has its version."""
    found = getattr(dist, "_path", None)
    return Path(found) if isinstance(found, Path) and found.is_dir() else None
