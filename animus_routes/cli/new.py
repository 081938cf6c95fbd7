"""`animus-routes new KIND NAME`: a project of one plugin that passes its own checks."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Final

from animus_routes.dev.new import RefusedError, plan, write
from animus_routes.engine.stderr import say
from animus_routes.engine.wire import write_all

WRONG: Final = 2
EPILOG: Final = """KIND is a plugin kind, or several: subject_backend,config_source. NAME is what people call the plugin,
such as tasks; hosts call it animus-<kind>-NAME. Nothing is written over."""


def main(arguments: list[str]) -> int:
    """Write the project, print its files, say what comes next; 2 if it cannot be meant."""
    asked = parser().parse_args(arguments)
    kinds = [kind for words in asked.kinds for kind in words.split(",") if kind]
    subject_kinds = [one for one in asked.subject_kinds.split(",") if one]
    try:
        project = plan(
            kinds, asked.name, family=asked.family, subject_kinds=subject_kinds, out=asked.out
        )
    except RefusedError as error:
        say(str(error))
        return WRONG
    try:
        made = write(project)
    except OSError as error:
        say(f"nothing was made: {error}")
        return 1
    with suppress(OSError):  # nobody reads it, and it is made all the same
        write_all(1, "".join(f"{path}\n" for path in made).encode())
    for note in project.notes:
        say(note)
    say(f"{project.plugin} is made. Next:")
    go = f"cd {quote(str(project.folder))} && " if project.folder != Path() else ""
    say(f"  {go}python -m pip install --editable '.[dev]'")
    say("  python -m pytest")
    say("  animus-routes check")
    return 0


def parser() -> argparse.ArgumentParser:
    """What `new` takes."""
    found = argparse.ArgumentParser(
        prog="animus-routes new",
        description="Make a project of one plugin, with tests, README and CI.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    add = found.add_argument
    add("kinds", nargs="+", metavar="KIND", help="the first one is the primary kind")
    add("name", metavar="NAME")
    add(
        "--family",
        default="structs",
        metavar="structs|types",
        help="the wire types: msgspec Structs (the default), or pydantic models",
    )
    add(
        "--subject-kinds",
        default="",
        metavar="KIND,...",
        help="what its subjects are (default: task)",
    )
    add("--out", type=Path, metavar="DIR", help="the folder for it (default: NAME)")
    return found
