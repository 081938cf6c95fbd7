"""The app that is to be built, as a host's probe would see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from animus_routes.describe.static import runs_of
from animus_routes.host.process import host_environment

if TYPE_CHECKING:
    from animus_routes.build.probe import Seen
    from animus_routes.loading import Target

PROBE_S: Final = 60.0  # far above the 5 s of a host: a slow import is told, and not refused


class BuildError(Exception):
    """It cannot be built; the message is for a person at the command line."""


def look_at(target: Target) -> Seen:
    """Import the app in a process of its own, in an empty folder, with the variables of a host.

    Raises:
        BuildError: There is no app, or something is wrong with it.
    """
    place = str(Path(target.place).absolute()) if target.is_file else target.place
    folder = "" if target.is_file else target.folder or str(Path.cwd())
    command = ["-P", "-m", "animus_routes.build.probe", place, target.attribute, folder]
    done = run_as_hosts_do([interpreter(), *command])
    try:
        seen: Seen = json.loads(done.stdout)
    except ValueError:
        told = done.stderr.decode(errors="replace").strip()
        raise BuildError(told or f"its import ended with exit code {done.returncode}") from None
    if seen["failed"]:
        raise BuildError(seen["failed"])
    if seen["problems"]:
        raise BuildError("\n  ".join(["what has to be mended first:", *seen["problems"]]))
    return seen


def run_as_hosts_do(
    command: list[str], home: str | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a host's probe runs a plugin, in an empty folder.

    Args:
        command: The command.
        home: Another HOME than the user's.

    Raises:
        BuildError: It takes too long.
    """
    environment = host_environment()
    if home is not None:
        environment["HOME"] = home
    with tempfile.TemporaryDirectory(prefix="animus-build-") as empty:
        try:
            return subprocess.run(
                command,
                cwd=empty,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PROBE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BuildError(f"its import takes more than {PROBE_S:g} s") from None


def interpreter() -> str:
    """The interpreter as it was called: the link of an environment is what makes it the environment.

    Raises:
        BuildError: Python does not know its own path.
    """
    if not sys.executable:
        raise BuildError("this Python does not know where it is: call it by its path")
    return os.path.abspath(sys.executable)  # noqa: PTH100 - links stay


def is_program(target: Target) -> bool:
    """Does its file run the app itself?"""
    runs = runs_of(target.source() or "")
    return target.is_file and not target.attribute and (runs.found or bool(runs.why_not))
