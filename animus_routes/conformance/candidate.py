"""The plugin under test: an app of this framework, or any executable or command line."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

from msgspec import Struct

from animus_routes.loading import NotAnApp, Target, configured, named

# Serves an app from any working directory: its own folder comes first on the path.
BY_NAME: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'animus-routes'; "
    "from animus_routes.cli import main; main()"
)


class Candidate(Struct, frozen=True):
    """What is checked.

    Attributes:
        target: As its author named it.
        command: What starts it, from any folder.
        file: The installed file, if that is what is checked: then its form is checked, too.
    """

    target: str
    command: list[str]
    file: Path | None = None


def candidate(target: str | None) -> Candidate:
    """Find out what a target is.

    Args:
        target: `module:attr`, a Python file, an executable, or a command line; None for the app
            that pyproject.toml names.

    Raises:
        NotAnApp: It is none of these.
    """
    if target is None:
        found = configured()
        return Candidate(_shown(found), _command(found))
    words = shlex.split(target)
    if len(words) > 1 and not Path(target).exists():
        return Candidate(target, _from_anywhere(words))
    path = Path(target)
    if not target.endswith(".py") and path.is_file():
        return Candidate(target, [str(path.absolute())], path.absolute())
    on_path = None if ":" in target or os.sep in target else shutil.which(target)
    if on_path is not None and not path.with_suffix(".py").exists():
        return Candidate(target, [on_path], Path(on_path))
    found = named(target)
    if found.source() is None:
        what = "a Python file, a module:attr, an executable or a command line"
        raise NotAnApp(f"{target} is not there: name {what}")
    return Candidate(target, _command(found))


def _shown(target: Target) -> str:
    return f"{target.place}:{target.attribute}" if target.attribute else target.place


def _command(target: Target) -> list[str]:
    """What a host would start: the file itself, whether it runs its app or not."""
    if target.is_file:
        file = str(Path(target.place).absolute())
        if not target.attribute:
            return [sys.executable, file]
        target = Target(file, target.attribute)
    return by_name(target)


def by_name(target: Target) -> list[str]:
    """What serves an app from any folder, whether its file runs it or not."""
    if target.is_file:
        target = Target(str(Path(target.place).absolute()), target.attribute)
    folder = str(Path(target.folder or Path.cwd()).absolute())
    return [sys.executable, "-c", BY_NAME, folder, "run", _shown(target)]


def _from_anywhere(words: list[str]) -> list[str]:
    """The words, with those that are files made absolute, and the program found."""
    program = words[0] if os.sep in words[0] else shutil.which(words[0])
    if program is None:
        raise NotAnApp(f"there is no command {words[0]}")
    return [
        str(Path(word).absolute()) if Path(word).is_file() else word
        for word in [program, *words[1:]]
    ]
