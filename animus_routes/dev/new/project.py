"""What project is wanted, and why it cannot be made."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from animus_routes.dev.new.families import FAMILIES, Family
from animus_routes.dev.new.kinds import Kind, kind_of
from animus_routes.errors import unknown
from animus_routes.roles import KINDS, REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAME: Final = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
SUBJECT_KIND: Final = re.compile(r"[a-z][a-z0-9_-]*")
LONGEST: Final = 64
SUBJECT_KINDS: Final = ("task",)
HOST: Final = "animus"
# What the project's own files import, and what its tools are made of.
TAKEN: Final = (
    *("animus_routes", "msgspec", "typing_extensions"),
    *("pydantic", "pydantic_core", "annotated_types", "typing_inspection"),
    *("pytest", "py", "pluggy", "iniconfig", "packaging", "pygments"),
    *("mypy", "mypyc", "mypy_extensions", "pathspec", "librt"),
    *("pyright", "nodeenv", "ruff"),
    *("hatchling", "build", "pip", "setuptools", "pkg_resources", "wheel"),
)
# Files that others look for by their names, and what they take them for.
LOOKED_FOR: Final = (
    (re.compile("conftest|test_.*|.*_test"), "pytest takes {} for tests"),
    (re.compile("tests"), "{} hides the folder of the tests"),
    (re.compile("setup"), "installers run {}"),
    (re.compile("(site|user)customize"), "Python runs {} whenever it starts"),
)
# Whoever installs the project would not get the package of this name any more.
PACKAGES: Final = ("animus-routes",)


class RefusedError(Exception):
    """No project is made; the message says why, for a person at the command line."""


class Project(NamedTuple):
    """A project that can be made.

    Attributes:
        kinds: What it serves, the primary one first.
        plugin: What hosts call it, `animus-<kind>-<name>`.
        module: Its one module.
        family: The family of wire types.
        subject_kinds: What its subjects are; none if it has no subjects.
        folder: Where it goes.
        notes: What its author may not have thought of, a sentence each.
    """

    kinds: tuple[Kind, ...]
    plugin: str
    module: str
    family: Family
    subject_kinds: tuple[str, ...]
    folder: Path
    notes: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """One phrase on what it is."""
        first, *rest = (kind.about for kind in self.kinds)
        return "; ".join([first, *(f"{one[:1].lower()}{one[1:]}" for one in rest)])


def plan(
    kinds: Iterable[str],
    name: str,
    *,
    family: str = "structs",
    subject_kinds: Iterable[str] = (),
    out: Path | None = None,
) -> Project:
    """A project, if it can be made.

    Args:
        kinds: Plugin kinds, the primary one first.
        name: What people call it, such as `tasks`, or the plugin's whole name.
        family: `structs` or `types`.
        subject_kinds: What its subjects are; `task` if it has subjects and none are named.
        out: The folder for it; by default one in the working directory, called as `name` says.

    Raises:
        RefusedError: One of them cannot be meant, or there is something in the folder.
    """
    found = tuple(_kinds(kinds))
    if family not in FAMILIES:
        known = " or ".join(FAMILIES)
        raise RefusedError(f"{unknown('family of types', family, FAMILIES)}: write {known}")
    short = name.removeprefix(f"{HOST}-").removeprefix(f"{found[0].word}-")
    module = _module(short, name)
    plugin = name if name.startswith(f"{HOST}-") else f"{HOST}-{found[0].word}-{name}"
    if plugin.replace("_", "-") in PACKAGES:
        raise RefusedError(f"{plugin} is the package that it needs: take another name")
    folder = Path(short) if out is None else out
    _see_that_it_is_free(folder)
    return Project(
        kinds=found,
        plugin=plugin,
        module=module,
        family=FAMILIES[family],
        subject_kinds=_subject_kinds(found, tuple(subject_kinds)),
        folder=folder,
        notes=tuple(_notes(found)),
    )


def _kinds(names: Iterable[str]) -> Iterator[Kind]:
    """The kinds, each once: first those that hosts see nowhere else, and what serves others."""
    given = list(dict.fromkeys(names))
    if not given:
        raise RefusedError(f"which kind? One or more of {', '.join(KINDS)}")
    for name in given:
        if name not in KINDS:
            raise RefusedError(REFUSED.get(name) or unknown("plugin kind", name, KINDS))
    found = [kind_of(name) for name in given]
    servers = [one.served_by for one in found if one.served_by and one.served_by not in given]
    found += [kind_of(name) for name in dict.fromkeys(servers)]
    yield from sorted(found, key=lambda one: not one.first)


def _notes(kinds: tuple[Kind, ...]) -> Iterator[str]:
    first = [one.role.kind for one in kinds if one.first]
    if first and len(kinds) > 1:
        yield f"{first[0]} is the primary kind: hosts look for it there alone"
    if len(first) > 1:
        yield f"most hosts do not see {', '.join(first[1:])} behind it: make a project for each"


def _module(short: str, name: str) -> str:
    if not NAME.fullmatch(short) or len(name) > LONGEST:
        raise RefusedError(
            f"{name!r:.80} is no name for a plugin: write lower-case letters and digits, with - between "
            f"words, such as my-tasks; at most {LONGEST} characters"
        )
    module = short.replace("-", "_")
    if keyword.iskeyword(module) or keyword.issoftkeyword(module):
        raise RefusedError(
            f"{short} is a word of Python's own: take another name, such as my-{short}"
        )
    if module in sys.stdlib_module_names or module in TAKEN:
        raise RefusedError(
            f"a module {module} would hide the one that Python or a package has: take another name, "
            f"such as my-{short}"
        )
    for pattern, what in LOOKED_FOR:
        if pattern.fullmatch(module):
            does = what.format(f"{module}.py")
            raise RefusedError(f"{does}: take another name, such as my-{short}-plugin")
    return module


def _subject_kinds(kinds: tuple[Kind, ...], given: tuple[str, ...]) -> tuple[str, ...]:
    if not any(one.role.subjects for one in kinds):
        if given:
            have = [kind for kind in KINDS if kind_of(kind).role.subjects]
            raise RefusedError(f"only {', '.join(have)} has subject kinds")
        return ()
    for one in given:
        if not SUBJECT_KIND.fullmatch(one):
            raise RefusedError(
                f"{one!r:.80} is no subject kind: write lower-case letters, digits, - and _, such as task"
            )
    return tuple(dict.fromkeys(given)) or SUBJECT_KINDS


def _see_that_it_is_free(folder: Path) -> None:
    try:
        if folder.is_dir() and not any(folder.iterdir()):
            return
        if not folder.exists() and not folder.is_symlink():
            above = next(one for one in folder.absolute().parents if one.exists())
            if not above.is_dir():
                raise RefusedError(f"{folder} cannot be made: {above} is no folder")
            return
    except OSError as error:
        raise RefusedError(f"{folder} cannot be read: {error.strerror}") from error
    what = "is a folder with something in it" if folder.is_dir() else "is there already"
    raise RefusedError(f"{folder} {what}: take another name, or name a folder with --out")
