"""`animus-routes dev TARGET`: a plugin that starts anew on every change, while its host keeps the wire."""

from __future__ import annotations

import argparse
import os
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NoReturn

from animus_routes.engine.stderr import say
from animus_routes.loading import NotAnApp

FAILED: Final = 1
WRONG: Final = 2

EPILOG: Final = """A host starts this command in the place of the plugin. TARGET is an app (module:attr, a
Python file) or any executable or command line; if it is left out, the app that pyproject.toml names.
Watched are the Python files beside an app's, or the files that a command line names and their like
beside them. Requests under way are answered with an error when the plugin restarts, what comes
meanwhile waits, and open watches begin again."""


def main(arguments: list[str]) -> int:
    """Serve a host until it is done; the plugin's exit code, 1 if it has none, 2 for wrong usage."""
    parser = _parser()
    asked, more = parser.parse_known_args(arguments)
    if more and more[0].startswith("-"):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    from animus_routes.dev.targets import chosen
    from animus_routes.serving.launch import on_terminal

    try:
        found = chosen(asked.target)
    except NotAnApp as error:
        say(str(error))
        return WRONG
    command = found.command
    if asked.manifest:
        _become([*command, "--manifest"])
    if more:  # such as `execute`, with which daemons start workflow runners
        _become([*found.installed, *more])
    if on_terminal():
        name = shlex.quote(asked.target) if asked.target else ""
        say(f"a host starts this and talks to it on stdin; here, try `animus-routes shell {name}`")
        return WRONG
    if find_spec("watchfiles") is None:
        from animus_routes.dev.watching import EXTRA

        say(EXTRA)
        return FAILED
    from animus_routes.dev.restarting import Development
    from animus_routes.dev.watching import of_command, of_python

    place = found.file
    watched = of_command(command) if place is None else of_python(place)
    return Development(command, watched.also(asked.watch)).run()


def _become(command: list[str]) -> NoReturn:
    """There is no conversation to keep: the plugin takes the place of this process."""
    os.execv(command[0], command)  # noqa: S606 - that is what it is for


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="animus-routes dev",
        description="Serve a host, and start the plugin anew whenever one of its files changes.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("target", nargs="?", metavar="TARGET")
    add(
        "--watch",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="another file, or a folder with all its files, that makes it start anew",
    )
    add(
        "-m",
        "--manifest",
        action="store_true",
        help="print the plugin's manifest, as hosts ask for it",
    )
    return parser
