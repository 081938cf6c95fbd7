"""`animus-routes install [APP]`: builds the file, and has the host install it."""

from __future__ import annotations

import shutil
import subprocess
from shlex import join

from animus_routes.cli.build import built_by, parser
from animus_routes.engine.stderr import say

HOST = "animus"


def main(arguments: list[str]) -> int:
    """Build, say what is run, run it; the exit code is the host's, or 1 where there is no host."""
    asking = parser("install")
    asking.add_argument("--force", action="store_true", help="over an earlier version")
    options = asking.parse_args(arguments)
    built, code = built_by(options)
    if code:
        return code
    command = built.install(force=options.force)
    if shutil.which(HOST) is None:
        say(f"there is no `{HOST}` on PATH; where there is, run: {join(command)}")
        return 1
    say(f"running: {join(command)}")
    return subprocess.run(command, check=False).returncode
