"""`animus-routes build [APP]`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

from animus_routes.build.file import build
from animus_routes.build.target import BuildError
from animus_routes.engine.stderr import say
from animus_routes.engine.wire import write_all
from animus_routes.loading import NotAnApp, configured, fail, named

if TYPE_CHECKING:
    from animus_routes.build.file import Built


def main(arguments: list[str]) -> int:
    """Build the file, print its path, and say how it is installed."""
    built = built_by(parser("build").parse_args(arguments))
    write_all(1, f"{built.path}\n".encode())
    say(f"install it with: {join(built.install())}\nover an earlier one: add --force")
    return 0


def parser(command: str) -> ArgumentParser:
    """What `build` and `install` have in common."""
    found = ArgumentParser(prog=f"animus-routes {command}", allow_abbrev=False)
    found.add_argument("app", nargs="?", help="module:attr, file.py:attr or file.py")
    found.add_argument("--out", type=Path, default=Path("dist"), help="the folder for the file")
    found.add_argument(
        "--bundle", action="store_true", help="bring the app and all it needs, not only lead there"
    )
    found.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="PATTERN",
        help="more files of the app's folder for the bundle",
    )
    return found


def built_by(options: Namespace) -> Built:
    """Build what a command line asks for; end with a readable message if that fails."""
    try:
        target = named(options.app) if options.app else configured()
        built = build(target, options.out, is_bundle=options.bundle, include=options.include)
    except (NotAnApp, BuildError) as error:
        fail(f"{options.app or 'the app'}: not built: {error}")
    for note in built.notes:
        say(note)
    return built
