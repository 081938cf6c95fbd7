"""`animus-routes install [APP]`: builds the file, and has the host install it."""

from __future__ import annotations

import shutil
import subprocess
from shlex import join
from typing import TYPE_CHECKING

from animus_routes.cli import build
from animus_routes.engine.stderr import say

if TYPE_CHECKING:
    from argparse import ArgumentParser

HOST = "animus"


def parser(command: str) -> ArgumentParser:
    """What `install` takes besides what `build` does."""
    found = build.parser(command)
    found.add_argument("--force", action="store_true", help="over an earlier version")
    return found


def main(arguments: list[str]) -> int:
    """Build, say what is run, run it; the exit code is the host's, or 1 where there is no host."""
    options = parser("install").parse_args(arguments)
    built, code = build.built_by(options)
    if code:
        return code
    command = built.install(force=options.force)
    if shutil.which(HOST) is None:
        say(f"there is no `{HOST}` on PATH; where there is, run: {join(command)}")
        return 1
    say(f"running: {join(command)}")
    return subprocess.run(command, check=False).returncode
