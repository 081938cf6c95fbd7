"""`animus-routes build [APP]`: the one file that a host installs."""

from __future__ import annotations

import os
import subprocess
from argparse import ArgumentParser, Namespace
from pathlib import Path
from shlex import join
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from animus_routes.build.file import build
from animus_routes.build.target import BuildError, interpreter
from animus_routes.engine.stderr import say
from animus_routes.engine.wire import write_all
from animus_routes.loading import NotAnApp, configured, fail, named

if TYPE_CHECKING:
    from animus_routes.build.file import Built


def main(arguments: list[str]) -> int:
    """Build the file, print its path, and say how it is installed; 1 if a check fails."""
    built, code = built_by(parser("build").parse_args(arguments))
    if code == 0:
        write_all(1, f"{built.path}\n".encode())
        say(f"install it with: {join(built.install())}\nover an earlier one: add --force")
    return code


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
    found.add_argument("--check", action="store_true", help="then check the file")
    return found


def built_by(options: Namespace) -> tuple[Built, int]:
    """Build what a command line asks for; end with a readable message if that fails.

    Returns:
        The file, and 0, or the exit code of its check.
    """
    try:
        target = named(options.app) if options.app else configured()
        built = build(target, options.out, is_bundle=options.bundle, include=options.include)
    except (NotAnApp, BuildError) as error:
        fail(f"{options.app or 'the app'}: not built: {error}")
    for note in built.notes:
        say(note)
    return built, check(built.path) if options.check else 0


def check(file: Path) -> int:
    """Run `animus-routes check` on a file, in an empty folder and an empty environment."""
    with TemporaryDirectory(prefix="animus-check-") as empty:
        command = [interpreter(), "-P", "-m", "animus_routes", "check", str(file)]
        settings = {"PATH": os.environ.get("PATH", os.defpath), "HOME": empty}
        done = subprocess.run(command, cwd=empty, env=settings, stdout=2, check=False)
    return done.returncode
